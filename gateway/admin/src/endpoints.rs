//! The endpoints of the admin API.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;

use crate::{Asker, CertificateRequest, Control, EndpointCommand, Status, UpstreamList, query};

type AdminResponse = Response<Full<Bytes>>;

/// The maximum length of a request body, in bytes: enough for a thousand long
/// URLs.
const BODY_BYTES: usize = 1024 * 1024;

/// Reads a complete request, or returns the response that refuses it.
pub(crate) async fn receive<B>(request: Request<B>) -> Result<Request<Bytes>, AdminResponse>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    match Limited::new(body, BODY_BYTES).collect().await {
        Ok(body) => Ok(Request::from_parts(head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(text(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a request here has at most {BODY_BYTES} bytes\n"),
        )),
        Err(_) => Err(text(StatusCode::BAD_REQUEST, "the request is not whole\n")),
    }
}

/// Produces the response to a request.
pub(crate) async fn answer(request: Request<Bytes>, control: Arc<dyn Control>) -> AdminResponse {
    let path = request.uri().path();
    let allowed = match path {
        "/healthz" | "/readyz" | "/metrics" | "/status" | "/upstreams" | "/certificates"
        | "/cache" | "/cache/entry" => Method::GET,
        "/reload"
        | "/cache/purge"
        | "/certificates/renew"
        | "/certificates/revoke"
        | "/deploy"
        | "/upstreams/drain"
        | "/upstreams/undrain"
        | "/upstreams/weight"
        | "/splits/weight" => Method::POST,
        _ => return text(StatusCode::NOT_FOUND, "there is no such endpoint\n"),
    };
    if request.method() != allowed {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed\n");
        if let Ok(allowed) = HeaderValue::from_str(allowed.as_str()) {
            refused.headers_mut().insert(header::ALLOW, allowed);
        }
        return refused;
    }
    match path {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" if control.ready() => text(StatusCode::OK, "ready\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        _ => {
            // These may take locks, compile components, or call webhooks;
            // meanwhile the socket continues to answer `/healthz`. If the client leaves, this
            // function is dropped, and the thread is told.
            let (asker, _waiting) = Asker::waiting();
            spawn_blocking(move || blocking(&request, &*control, &asker))
                .await
                .unwrap_or_else(|_| {
                    text(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "it failed; see the log\n",
                    )
                })
        }
    }
}

fn blocking(request: &Request<Bytes>, control: &dyn Control, asker: &Asker) -> AdminResponse {
    match request.uri().path() {
        "/metrics" => {
            let mut page = text(StatusCode::OK, control.metrics());
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            page.headers_mut().insert(header::CONTENT_TYPE, kind);
            page
        }
        "/status" => json(StatusCode::OK, &control.status()),
        "/upstreams" => {
            let Status {
                upstreams,
                splits,
                absent,
                ..
            } = control.status();
            let list = UpstreamList {
                upstreams,
                splits,
                absent,
            };
            json(StatusCode::OK, &list)
        }
        "/upstreams/drain" => asked(request.body(), |endpoint| {
            control.endpoint(&EndpointCommand::Drain(endpoint))
        }),
        "/upstreams/undrain" => asked(request.body(), |endpoint| {
            control.endpoint(&EndpointCommand::Undrain(endpoint))
        }),
        "/upstreams/weight" => asked(request.body(), |weight| {
            control.endpoint(&EndpointCommand::Weight(weight))
        }),
        "/splits/weight" => asked(request.body(), |weight| control.split_weight(weight)),
        "/certificates" => json(StatusCode::OK, &control.status().certificates),
        "/cache" => done(control.cache()),
        "/cache/entry" => match query::value(request.uri().query().unwrap_or_default(), "url") {
            Some(url) => done(control.cache_entries(&url)),
            None => text(
                StatusCode::BAD_REQUEST,
                "the address is missing: /cache/entry?url=https%3A%2F%2Fapp.example.com%2F\n",
            ),
        },
        "/cache/purge" => asked(request.body(), |purge| control.purge(purge)),
        "/certificates/renew" => asked(request.body(), |certificate: &CertificateRequest| {
            control.renew_certificate(&certificate.name)
        }),
        "/certificates/revoke" => asked(request.body(), |certificate: &CertificateRequest| {
            control.revoke_certificate(&certificate.name)
        }),
        "/deploy" => asked(request.body(), |step| control.deploy(step)),
        _ => match control.reload(asker) {
            Ok(summary) => json(StatusCode::OK, &summary),
            Err(refused) => json(StatusCode::UNPROCESSABLE_ENTITY, &refused),
        },
    }
}

/// Carries out the request in a JSON body.
fn asked<T: DeserializeOwned, R: Serialize>(
    body: &[u8],
    act: impl FnOnce(&T) -> Result<R, String>,
) -> AdminResponse {
    match serde_json::from_slice(body) {
        Ok(request) => done(act(&request)),
        Err(error) => {
            let words = format!("the request is not understood: {error}\n");
            text(StatusCode::BAD_REQUEST, words)
        }
    }
}

fn done(outcome: Result<impl Serialize, String>) -> AdminResponse {
    match outcome {
        Ok(value) => json(StatusCode::OK, &value),
        Err(words) => text(StatusCode::UNPROCESSABLE_ENTITY, words + "\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> AdminResponse {
    respond(status, "text/plain; charset=utf-8", body.into())
}

fn json(status: StatusCode, value: &impl Serialize) -> AdminResponse {
    match serde_json::to_vec(value) {
        Ok(body) => respond(status, "application/json", body.into()),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> AdminResponse {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // The response describes the current state and must not be cached.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
