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
    pub(crate) fn new(mut bits: u128) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut id = Self {
            length: 32,
            ..Self::default()
        };
        for byte in id.bytes.iter_mut().take(32) {
            *byte = DIGITS.get((bits & 15) as usize).copied().unwrap_or(b'0');
            bits >>= 4;
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
        assert_eq!(
            RequestId::new(0xabc).as_bytes(),
            b"cba00000000000000000000000000000"
        );
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
