//! What is answered where.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::Control;

type Answer = Response<Full<Bytes>>;

/// The answer to a request. Bodies of requests are not read: nothing here takes
/// one.
pub(crate) async fn answer<B>(request: &Request<B>, control: Arc<dyn Control>) -> Answer {
    let path = request.uri().path();
    let allowed = match path {
        "/healthz" | "/readyz" | "/metrics" | "/status" => Method::GET,
        "/reload" => Method::POST,
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
            let path = path.to_owned();
            // These may take locks or compile components; the socket goes on
            // answering /healthz meanwhile.
            spawn_blocking(move || blocking(&path, &*control))
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

fn blocking(path: &str, control: &dyn Control) -> Answer {
    match path {
        "/metrics" => {
            let mut page = text(StatusCode::OK, control.metrics());
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            page.headers_mut().insert(header::CONTENT_TYPE, kind);
            page
        }
        "/status" => json(StatusCode::OK, &control.status()),
        _ => match control.reload() {
            Ok(summary) => json(StatusCode::OK, &summary),
            Err(refused) => json(StatusCode::UNPROCESSABLE_ENTITY, &refused),
        },
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    respond(status, "text/plain; charset=utf-8", body.into())
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => respond(status, "application/json", body.into()),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // A state of now is of no use later.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
