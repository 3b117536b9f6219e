//! The one place where a failure becomes a response.

use std::fmt::Write as _;

use janua_http::failure::Kind;
use janua_http::grpc_web::Call;
use janua_http::status::reason;
use janua_http::{Failure, Fault, Fields, RequestHead};

use crate::request_id::RequestId;
use crate::trailers_only;
use crate::verdict::{Line, Made};

/// The response that reports a failure to the client. `grpc_web` is the call that the request was
/// before its translation.
pub(crate) fn made_of(
    failure: &Failure,
    request: &RequestHead,
    grpc_web: Option<Call>,
    request_id: &RequestId,
) -> Made {
    let kind = failure.kind;
    let status = kind.status();
    let content_type = trailers_only::content_type(request, grpc_web);
    let mut proxy_status = format!("janua; error={}", kind.proxy_status());
    let mut headers: Vec<Line> = Vec::new();
    match kind {
        Kind::MethodNotAllowed => headers.push((name(b"Allow"), failure.detail.as_bytes().into())),
        Kind::MethodRefused => headers.push((name(b"Allow"), Box::default())),
        // When a request ends is not known; a second is the least that can be said.
        Kind::TooManyRequests | Kind::Overloaded => {
            headers.push((name(b"Retry-After"), name(b"1")))
        }
        // What the client has used counts half after a second. The details, which name the
        // policy, are only for the log.
        Kind::PolicyThrottled | Kind::PolicyOverloaded => {
            headers.push((name(b"Retry-After"), name(b"1")));
            let _ = write!(proxy_status, "; details=\"{}\"", kind.word());
        }
        // What is wrong with the endpoints, without their addresses.
        Kind::NoneHealthy if !failure.detail.is_empty() => {
            let _ = write!(proxy_status, "; details=\"{}\"", quoted(&failure.detail));
        }
        // Other details may reveal internals, so they appear only in the log.
        _ if kind.fault() == Fault::Client && !failure.detail.is_empty() => {
            let _ = write!(proxy_status, "; details=\"{}\"", quoted(&failure.detail));
        }
        _ => {}
    }
    headers.push((name(b"Proxy-Status"), proxy_status.into_bytes().into()));
    if let Some(content_type) = content_type {
        return trailers_only::response(content_type, headers, trailers_only::status(failure));
    }
    headers.push((name(b"Content-Type"), name(b"text/plain; charset=utf-8")));
    headers.push((name(b"Cache-Control"), name(b"no-store")));
    let mut body = format!("{status} {}: {}\n", reason(status), kind.words());
    if let Ok(id) = std::str::from_utf8(request_id.as_bytes())
        && !id.is_empty()
    {
        let _ = writeln!(body, "request {id}");
    }
    Made {
        status,
        headers,
        body: body.into_bytes().into(),
    }
}

/// The trailers by which a call of gRPC ends that fails after its response has begun.
pub(crate) fn trailers_of_call(failure: &Failure) -> Fields {
    let mut trailers = Fields::default();
    for (field, value) in trailers_only::status(failure) {
        trailers.append(field, value.as_bytes());
    }
    trailers
}

fn name(text: &[u8]) -> Box<[u8]> {
    text.into()
}

/// The content of a quoted string of a structured field (RFC 9651 §3.3.3).
fn quoted(text: &str) -> String {
    text.chars()
        .filter(|character| (' '..='~').contains(character))
        .flat_map(|character| {
            let escape = matches!(character, '"' | '\\').then_some('\\');
            escape.into_iter().chain([character])
        })
        .collect()
}
