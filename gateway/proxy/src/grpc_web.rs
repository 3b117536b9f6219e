//! Translates calls of gRPC-Web to gRPC, on the routes that say so.
//!
//! The head of such a request is translated as soon as its route is known, so that everything after
//! that, including the policies, sees a call of gRPC. The bodies are translated as they pass: that
//! of the request where it is read ([`crate::incoming`]), that of the response where it is written
//! ([`crate::outgoing`]).

use janua_http::failure::Kind;
use janua_http::grpc_web::{Call, Encoder};
use janua_http::{Failure, Fields};

use crate::exchange::{Exchange, Matched};
use crate::heads::Heads;

/// Makes the request one of gRPC if it is one of gRPC-Web and its route translates it.
pub(crate) fn translate_request(exchange: &mut Exchange, matched: &Matched) {
    if !matched.route().translates_grpc_web {
        return;
    }
    let Some(call) = Call::of(&exchange.heads.request) else {
        return;
    };
    call.translate_request(&mut exchange.heads.request.fields);
    exchange.hop.takes_trailers = true;
    exchange.grpc_web = Some(call);
}

/// Makes the head of an upstream's response one of gRPC-Web if the request was one, and prepares
/// the translation of its body. What is not a response of gRPC is left as it is.
///
/// # Errors
/// The body has a content coding, so that no trailers can be appended to it.
pub(crate) fn translate_response(exchange: &mut Exchange) -> Result<(), Failure> {
    let Some(call) = exchange.grpc_web else {
        return Ok(());
    };
    let Heads { response, .. } = &mut *exchange.heads;
    if !call.translate_response(&mut response.fields) {
        return Ok(());
    }
    if is_coded(&response.fields) {
        let words = "a response of gRPC with a content coding";
        return Err(Failure::with(Kind::ResponseMalformed, words));
    }
    let encoder = Encoder::new(call.response, &response.fields);
    exchange.encoder = Some(Box::new(encoder));
    Ok(())
}

fn is_coded(response: &Fields) -> bool {
    response
        .get_all(b"content-encoding")
        .any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}
