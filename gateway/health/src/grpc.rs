//! A call of `grpc.health.v1.Health/Check`.

use std::time::Duration;

use http::{HeaderMap, Request, header};
use janua_upstream::CheckFailure;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::check::GrpcCall;
use crate::expectation::BODY_LIMIT;
use crate::failure::{fault, of_http2};
use crate::grpc_message::{decoded, request as message, serving_status};
use crate::http1::add_fields;
use crate::http2::{Connection, beginning, uri};

const PATH: &str = "/grpc.health.v1.Health/Check";
const SERVING: u64 = 1;

/// Calls, and judges the response. The server is told how long the check waits for it.
pub(crate) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    call: &GrpcCall,
    authority: &str,
    scheme: &'static str,
    timeout: Duration,
) -> Result<(), CheckFailure> {
    let host = call.host.as_deref().unwrap_or(authority);
    let mut request = Request::post(uri(scheme, host, PATH)?)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(
            "grpc-timeout",
            format!("{}m", timeout.as_millis().min(99_999_999)),
        )
        .body(())
        .map_err(|error| fault("request", error.to_string()))?;
    add_fields(request.headers_mut(), &call.headers);
    request.headers_mut().remove(header::ACCEPT);
    let mut connection = Connection::open(stream).await?;
    let sent = connection.sender.send_request(request, false);
    let (response, mut body) = sent.map_err(|error| of_http2(&error))?;
    let sent = body.send_data(message(&call.service), true);
    sent.map_err(|error| of_http2(&error))?;
    let response = response.await.map_err(|error| of_http2(&error))?;
    if response.status() != http::StatusCode::OK {
        return Err(CheckFailure {
            status: Some(response.status().as_u16()),
            ..fault("status", "")
        });
    }
    let (head, mut body) = response.into_parts();
    let malformed = |why: &str| fault("malformed", why);
    // A response that has no message has its status in the head.
    let is_ended = check_status(&head.headers)?;
    let data = beginning(&mut body).await?;
    if data.len() == BODY_LIMIT {
        // It may be without an end, and trailers come after it.
        return Err(malformed(
            "a response of the health protocol is not as long",
        ));
    }
    let trailers = body.trailers().await.map_err(|error| of_http2(&error))?;
    let is_ended = check_status(&trailers.unwrap_or_default())? || is_ended;
    match serving_status(&data) {
        // Then the call was aborted, or this is no server of gRPC.
        _ if !is_ended => Err(malformed("there is no `grpc-status`")),
        Some(SERVING) => Ok(()),
        Some(status) => Err(fault("not_serving", name(status))),
        None => Err(malformed("this is no response of the health protocol")),
    }
}

/// The name of a status in the protocol.
fn name(status: u64) -> &'static str {
    match status {
        0 => "UNKNOWN",
        1 => "SERVING",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "a status that the protocol does not have",
    }
}

/// Judges `grpc-status`. False if these fields do not have it.
fn check_status(fields: &HeaderMap) -> Result<bool, CheckFailure> {
    let Some(status) = fields.get("grpc-status") else {
        return Ok(false);
    };
    if status.as_bytes() == b"0" {
        return Ok(true);
    }
    let code = String::from_utf8_lossy(status.as_bytes());
    let words = fields.get("grpc-message");
    let words = words.map_or_else(String::new, |words| decoded(words.as_bytes()));
    Err(fault("grpc_status", format!("{code} {words}").trim_end()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderValue, Response};
    use tokio::time::timeout as within;

    use super::*;

    const SERVED: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

    /// The word for a call that is answered with this body and this `grpc-status`.
    async fn word(body: &'static [u8], status: Option<&'static str>) -> &'static str {
        let (ours, theirs) = tokio::io::duplex(1024);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(theirs).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            let head = Response::new(());
            let mut stream = respond.send_response(head, false).unwrap();
            stream
                .send_data(Bytes::from_static(body), status.is_none())
                .unwrap();
            if let Some(status) = status {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static(status));
                stream.send_trailers(trailers).unwrap();
            }
            while connection.accept().await.is_some() {}
        });
        let call = GrpcCall {
            service: String::new(),
            host: None,
            headers: Vec::new(),
        };
        let soon = Duration::from_secs(10);
        let result = within(soon, ask(ours, &call, "app.internal", "http", soon)).await;
        result.unwrap().map_or_else(|failure| failure.word, |()| "")
    }

    #[tokio::test]
    async fn a_call_that_does_not_say_how_it_ended_has_not_passed() {
        for (body, status, expected) in [
            (SERVED, Some("0"), ""),
            (SERVED, Some("14"), "grpc_status"),
            (SERVED, None, "malformed"),
            (&[0, 0, 0, 0, 2, 8, 2], Some("0"), "not_serving"),
            (&[], Some("0"), "malformed"),
        ] {
            assert_eq!(word(body, status).await, expected, "{body:?} {status:?}");
        }
    }

    /// Its trailers would be waited for until the time is over.
    #[tokio::test]
    async fn a_response_without_an_end_is_none() {
        static LONG: [u8; 2 * BODY_LIMIT] = [0; 2 * BODY_LIMIT];
        assert_eq!(word(&LONG, Some("0")).await, "malformed");
    }
}
