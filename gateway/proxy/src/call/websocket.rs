//! A WebSocket to an upstream that speaks HTTP/2 (RFC 8441): an extended CONNECT takes the place of
//! the handshake of HTTP/1.1, so that everything else may take it for one.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Request};
use janua_http::failure::Kind;
use janua_http::{Failure, Length, RequestHead, ResponseHead};

use super::Call;
use crate::upstream_stream::UpstreamStream;

const KEY: &str = "sec-websocket-key";
const ACCEPT: &[u8] = b"sec-websocket-accept";
/// What a server of WebSockets appends to the key before it computes its digest (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// True if the request asks for a WebSocket in a form that HTTP/2 has too. Another protocol is
/// optional (RFC 9110 §7.8), so that a request for one is answered without it.
pub(super) fn is_asked_for(call: &Call<'_>) -> bool {
    let protocol = call.hop.upgrade.as_deref();
    protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
        && call.head.method == b"GET"
        && Length::from(call.head.framing).is_empty()
}

/// Makes a request the extended CONNECT for a WebSocket.
///
/// # Errors
/// The upstream does not support this, or the handshake of the client is not complete.
pub(super) fn translate(request: &mut Request<()>, stream: &UpstreamStream) -> Result<(), Failure> {
    if !stream.supports_extended_connect() {
        let words = "it does not support WebSockets over HTTP/2 (RFC 8441)";
        return Err(Failure::with(Kind::NoUpgrade, words));
    }
    // HTTP/2 has no key, and the one who translates answers for it (RFC 8441 §5).
    if request.headers_mut().remove(KEY).is_none() {
        let words = "a WebSocket needs `Sec-WebSocket-Key`";
        return Err(Failure::with(Kind::BadRequest, words));
    }
    *request.method_mut() = Method::CONNECT;
    let protocol = h2::ext::Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    Ok(())
}

/// Makes a response that accepts the WebSocket what it is in HTTP/1.1.
pub(super) fn accept(request: &RequestHead, response: &mut ResponseHead) {
    response.status = 101;
    response.reason.clear();
    if let Some(key) = request.fields.get(KEY.as_bytes()) {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
        let accept = BASE64_STANDARD.encode(digest);
        response.fields.set(ACCEPT, accept.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 §1.3.
    #[test]
    fn the_key_is_confirmed() {
        let mut request = RequestHead::default();
        request
            .fields
            .append(b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==");
        let mut response = ResponseHead {
            status: 200,
            ..ResponseHead::default()
        };
        accept(&request, &mut response);
        assert_eq!(response.status, 101);
        assert_eq!(
            response.fields.get(ACCEPT),
            Some(&b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="[..])
        );
    }
}
