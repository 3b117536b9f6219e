//! Responses to calls of gRPC that have no message: their trailers are in the head, and gRPC calls
//! them "Trailers-Only". The gateway makes them where it would otherwise send a text, which clients
//! would take for messages.

use janua_http::grpc_web::Call;
use janua_http::status::reason;
use janua_http::{Failure, RequestHead, grpc};

use crate::verdict::{Line, Made};

/// The fields by which a call ends.
pub(crate) type Status = [(&'static [u8], String); 2];

/// The status of a call that has failed in the gateway.
pub(crate) fn status(failure: &Failure) -> Status {
    lines(grpc::status(failure.kind), failure.kind.words())
}

/// The content type of responses to the call that the request is, if it is one. `grpc_web` is the
/// call that the request was before its translation.
pub(crate) fn content_type(request: &RequestHead, grpc_web: Option<Call>) -> Option<&'static str> {
    match grpc_web {
        Some(call) => Some(call.response.content_type()),
        None => grpc::is_call(&request.fields).then_some("application/grpc"),
    }
}

/// A response with this content type and these fields.
pub(crate) fn response(content_type: &str, mut headers: Vec<Line>, status: Status) -> Made {
    headers.push((
        b"Content-Type".as_slice().into(),
        content_type.as_bytes().into(),
    ));
    for (name, value) in status {
        headers.push((name.into(), value.into_bytes().into()));
    }
    Made {
        status: 200,
        headers,
        body: Box::default(),
    }
}

/// What a policy answers to a request: if that is a call, a failure of HTTP becomes one of gRPC,
/// with the policy's fields and without its body.
pub(crate) fn answer_of_policy(made: Made, request: &RequestHead, grpc_web: Option<Call>) -> Made {
    let content_type = content_type(request, grpc_web).filter(|_| made.status >= 400);
    let Some(content_type) = content_type else {
        return made;
    };
    let mut headers = made.headers;
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"content-type"));
    let status = lines(grpc::status_of_http(made.status), reason(made.status));
    response(content_type, headers, status)
}

fn lines(status: u8, message: &str) -> Status {
    [
        (b"grpc-status", status.to_string()),
        (b"grpc-message", grpc::message(message)),
    ]
}
