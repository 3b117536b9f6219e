//! Messages of WebSockets (RFC 6455), as far as the measurements need them: binary ones in one
//! short frame.
//!
//! The client uses one key and one mask for all connections and messages, because no proxy looks
//! at them and new ones would only make the load more expensive.

/// The client's part of the opening handshake, without the request line and `Host`.
pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// The server's proof that it has understood this key (RFC 6455 §1.3).
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A binary message in one frame.
const BINARY: u8 = 0x82;
/// The second byte of a masked frame has this bit above the length.
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The longest payload whose length takes no further bytes.
const LONGEST: usize = 125;

/// The other side has sent something else than a short binary message.
#[derive(Debug)]
pub(crate) struct Malformed;

/// A message of this many bytes, at most 125, as a client sends it and as a server sends it back.
pub(crate) fn message(length: usize) -> (Vec<u8>, Vec<u8>) {
    debug_assert!(length <= LONGEST);
    let payload: Vec<u8> = (0..length.min(LONGEST) as u8).collect();
    let length = payload.len() as u8;
    let masked = payload.iter().zip(MASK.iter().cycle());
    let masked: Vec<u8> = masked.map(|(byte, mask)| byte ^ mask).collect();
    let sent = [&[BINARY, MASKED | length], &MASK[..], &masked].concat();
    (sent, [&[BINARY, length][..], &payload].concat())
}

/// Removes the complete messages of a client from what has come, and returns them as a server
/// sends them back.
///
/// # Errors
/// A message is not masked, or not a short binary one.
pub(crate) fn echo(came: &mut Vec<u8>) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    let mut rest = came.as_slice();
    while let Some((&[first, second], after)) = rest.split_first_chunk() {
        let length = usize::from(second & !MASKED);
        if first != BINARY || second & MASKED == 0 || length > LONGEST {
            return Err(Malformed);
        }
        let Some((mask, after)) = after.split_first_chunk::<4>() else {
            break;
        };
        let Some((payload, after)) = after.split_at_checked(length) else {
            break;
        };
        out.extend_from_slice(&[BINARY, second & !MASKED]);
        let clear = payload.iter().zip(mask.iter().cycle());
        out.extend(clear.map(|(byte, mask)| byte ^ mask));
        rest = after;
    }
    let left = rest.len();
    came.drain(..came.len() - left);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_however_they_are_cut() {
        let (sent, expected) = message(100);
        assert_eq!((sent.len(), expected.len()), (106, 102));
        assert_ne!(sent[6..], expected[2..]);
        let both = [sent.as_slice(), &sent].concat();
        for step in [1, 50, 106, both.len()] {
            let (mut came, mut out) = (Vec::new(), Vec::new());
            for piece in both.chunks(step) {
                came.extend_from_slice(piece);
                out.extend(echo(&mut came).unwrap());
            }
            assert_eq!(out, [expected.as_slice(), &expected].concat(), "{step}");
            assert!(came.is_empty());
        }
    }

    #[test]
    fn the_example_of_the_standard_is_read() {
        // RFC 6455 §5.7: "Hello", masked; there as text.
        let mut came = b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec();
        assert_eq!(echo(&mut came).unwrap(), b"\x82\x05Hello");
    }

    #[test]
    fn other_frames_are_refused() {
        for wrong in [
            &b"\x82\x05Hello"[..], // not masked
            b"\x88\x80\x37\xfa\x21\x3d",
            b"\x02\x81\x37\xfa\x21\x3d\x00",
            b"\x82\xfe\x01\x00",
        ] {
            assert!(echo(&mut wrong.to_vec()).is_err(), "{wrong:?}");
        }
    }
}
