//! The identifier of a request, which appears in the head for the upstream, in the access
//! log, and in the body of an error response.

/// An identifier of 1 to 64 characters; empty until it is assigned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId {
    bytes: [u8; Self::MAX_LENGTH],
    length: usize,
}

impl RequestId {
    const MAX_LENGTH: usize = 64;

    /// An identifier of 128 bits in hexadecimal, like nginx's `$request_id`.
    pub(crate) fn new(bits: u128) -> Self {
        let mut id = Self {
            length: 32,
            ..Self::default()
        };
        let bits = bits.to_le_bytes();
        let (digits, _) = id.bytes.as_chunks_mut();
        let (words, _) = bits.as_chunks();
        for (eight, word) in digits.iter_mut().zip(words) {
            *eight = hexadecimal(u32::from_le_bytes(*word));
        }
        id
    }

    /// An identifier that a trusted proxy assigned, such as a UUID or a trace ID. None if it
    /// is too long or contains characters that are not allowed.
    pub(crate) fn given(text: &[u8]) -> Option<Self> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
        let mut id = Self {
            length: text.len(),
            ..Self::default()
        };
        if text.is_empty() || !text.iter().all(is_plain) {
            return None;
        }
        id.bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(id)
    }

    /// Its characters.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The eight hexadecimal digits of a number, the lowest first, worked out all at once:
/// random identifiers are made for each request.
fn hexadecimal(bits: u32) -> [u8; 8] {
    // One digit to a byte.
    let mut digits = u64::from(bits);
    digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff;
    digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff;
    digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f;
    // A 1 in the byte of each digit from 10 on: only there, adding 6 carries to the next bit.
    let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let to_letter = u64::from(b'a' - b'0' - 10);
    (digits + 0x3030_3030_3030_3030 + letters * to_letter).to_le_bytes()
}

impl Default for RequestId {
    fn default() -> Self {
        Self {
            bytes: [0; Self::MAX_LENGTH],
            length: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for (bits, expected) in [
            (0xabc, b"cba00000000000000000000000000000"),
            (
                0x0123_4567_89ab_cdef_fedc_ba98_7654_3210,
                b"0123456789abcdeffedcba9876543210",
            ),
        ] {
            assert_eq!(RequestId::new(bits).as_bytes(), expected);
        }
        for (text, accepted) in [
            ("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            let id = RequestId::given(text.as_bytes());
            assert_eq!(id.is_some(), accepted, "{text}");
            assert!(id.is_none_or(|id| id.as_bytes() == text.as_bytes()));
        }
    }
}
