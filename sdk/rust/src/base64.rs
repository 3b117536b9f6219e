//! Base64 (RFC 4648 §4), as the gateway writes inputs that may hold any bytes.

/// The bytes, or nothing if the text is no base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let mut pending: u32 = 0;
    let mut bits = 0;
    for character in text.bytes() {
        let six = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        pending = pending << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(pending >> bits & 0xff).unwrap_or_default());
        }
    }
    Some(bytes)
}

/// The bytes as base64, for simulated exchanges.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let all = (0..3).fold(0, |all, index| {
            all << 8 | group.get(index).map_or(0, |byte| usize::from(*byte))
        });
        for index in 0..4 {
            let digit = DIGITS.get(all >> (18 - 6 * index) & 63);
            text.push(match digit {
                Some(digit) if index <= group.len() => char::from(*digit),
                _ => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn both_directions() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"\xff\xfe\0\x10", "//4AEA=="),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).unwrap(), bytes);
        }
        assert_eq!(decode("a b"), None);
        let all: Vec<u8> = (0..=255).cycle().take(1 << 16).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
    }
}
