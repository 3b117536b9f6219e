//! The messages of the gRPC health protocol, and the text of `grpc-message`.
//!
//! The two messages have one field each, so that they are encoded and read here: the request has
//! a string `service = 1`, the response an enum `status = 1`, in which 1 means `SERVING`.

use bytes::{BufMut as _, Bytes, BytesMut};

/// A request about this service, with the prefix of a message: not compressed, and its length.
#[must_use]
pub fn request(service: &str) -> Bytes {
    let mut body = BytesMut::new();
    if !service.is_empty() {
        body.put_u8(0x0a);
        put_varint(&mut body, service.len());
        body.put_slice(service.as_bytes());
    }
    let mut message = BytesMut::with_capacity(5 + body.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    message.put(body);
    message.freeze()
}

/// The status that a response with this body has; none if it is no response. 1 is `SERVING`.
#[must_use]
pub fn serving_status(body: &[u8]) -> Option<u64> {
    let (prefix, mut message) = body.split_at_checked(5)?;
    let (compressed, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        match (key >> 3, key & 7) {
            // No field has this number.
            (0, _) => return None,
            (1, 0) => status = take_varint(&mut message)?,
            (_, 0) => drop(take_varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

/// The text of `grpc-message`, which is percent-encoded.
#[must_use]
pub fn decoded(message: &[u8]) -> String {
    let mut rest = message;
    let mut text = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%');
        // What reads numbers would take a sign too.
        let escaped = escaped.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match escaped {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
        text.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn put_varint(out: &mut BytesMut, mut number: usize) {
    while number >= 0x80 {
        // Seven bits always fit.
        out.put_u8(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.put_u8(u8::try_from(number).unwrap_or_default());
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_messages() {
        assert_eq!(&request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = request(&"x".repeat(200));
        assert_eq!(&long[..8], [0, 0, 0, 0, 203, 0x0a, 0xc8, 1]);
        assert_eq!(long.len(), 208);
    }

    /// Whatever an endpoint sends, there is a conclusion; and what comes after a complete message
    /// makes it invalid.
    #[test]
    fn any_bytes_are_read() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let length = random.usize(..24);
            let mut message: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            // Often small numbers, which are fields and lengths.
            for byte in &mut message {
                if random.bool() {
                    *byte &= 0x1a;
                }
            }
            let prefix = [0, 0, 0, 0, u8::try_from(length).unwrap()];
            let mut body = [&prefix[..], &message].concat();
            let status = serving_status(&body);
            let with_field = [&message[..], &[8, 1]].concat();
            if status.is_some() {
                let prefix = [0, 0, 0, 0, u8::try_from(with_field.len()).unwrap()];
                let serving = serving_status(&[&prefix[..], &with_field].concat());
                assert_eq!(serving, Some(1), "{message:?}");
            }
            body.push(0);
            assert_eq!(serving_status(&body), None);
        }
    }

    #[test]
    fn messages_are_decoded() {
        for (sent, text) in [
            ("", ""),
            ("plain", "plain"),
            ("a%20b%25", "a b%"),
            ("caf%C3%A9", "caf\u{e9}"),
            ("%", "%"),
            ("%2", "%2"),
            ("%zz%41", "%zzA"),
            ("%+9", "%+9"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decoded(sent.as_bytes()), text, "{sent}");
        }
    }

    #[test]
    fn responses_are_read() {
        for (message, expected) in [
            (&[][..], Some(0)),
            (&[8, 1], Some(1)),
            (&[8, 2], Some(2)),
            (&[8, 0x80, 1], Some(128)),
            // Fields of later versions of the protocol are skipped.
            (&[18, 2, b'o', b'k', 8, 1], Some(1)),
            (&[25, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1], Some(1)),
            (&[21, 0, 0, 0, 0, 8, 1, 24, 7], Some(1)),
            // The last value counts.
            (&[8, 1, 8, 2], Some(2)),
            (&[8], None),
            (&[8, 0x80], None),
            (&[18, 9, 1], None),
            (
                &[18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                None,
            ),
            (
                &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                None,
            ),
            (&[11, 8, 1], None),
            (&[0, 0, 8, 1], None),
        ] {
            let mut body = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
            body.extend_from_slice(message);
            assert_eq!(serving_status(&body), expected, "{message:?}");
        }
        for body in [
            &b""[..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 2, 8, 1, 0],
        ] {
            assert_eq!(serving_status(body), None, "{body:?}");
        }
    }
}
