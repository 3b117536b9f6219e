//! Translates a request of HTTP/2 for another protocol (RFC 8441) into that of HTTP/1.1 which
//! means the same (RFC 9110 §7.8), so that nothing behind it depends on the version.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use janua_http::fields::Known;
use janua_http::{Framing, RequestHead};

/// The name of the field with the key of a WebSocket's handshake.
const KEY: &[u8] = b"sec-websocket-key";

/// Translates the head. HTTP/1.1 has a handshake for WebSockets in which the client sends a
/// random key, and HTTP/2 has none, so that the gateway makes up the key.
pub(super) fn translate(request: &mut RequestHead, random: u128) {
    let Some(protocol) = request.protocol.clone() else {
        return;
    };
    request.method.clear();
    request.method.extend_from_slice(b"GET");
    request.upgrade = true;
    // What follows the head belongs to the other protocol.
    request.framing = Framing::None;
    request.fields.remove(b"content-length");
    request.fields.append_known(Known::Upgrade, &protocol);
    if protocol.eq_ignore_ascii_case(b"websocket") {
        let key = BASE64_STANDARD.encode(random.to_ne_bytes());
        request.fields.set(KEY, key.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_websocket() {
        let mut request = RequestHead {
            method: b"CONNECT".to_vec(),
            protocol: Some(b"websocket".to_vec()),
            framing: Framing::Stream(None),
            ..RequestHead::default()
        };
        request.fields.append(b"sec-websocket-version", b"13");
        translate(&mut request, 7);
        assert_eq!(request.method, b"GET");
        assert_eq!(request.framing, Framing::None);
        assert!(request.upgrade);
        assert_eq!(request.fields.get(b"upgrade"), Some(&b"websocket"[..]));
        let key = request.fields.get(KEY).unwrap();
        assert_eq!(BASE64_STANDARD.decode(key).unwrap().len(), 16);
    }
}
