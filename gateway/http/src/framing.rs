//! How the end of a body is told (RFC 9112 §6.3).

/// The framing of one message's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Everything until the connection closes. Responses only.
    UntilClose,
}

impl Framing {
    /// The number of bytes, if it is known before they come.
    #[must_use]
    pub fn length(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Length(length) => Some(length),
            Self::Chunked | Self::UntilClose => None,
        }
    }

    /// True if no byte of body follows the head.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.length() == Some(0)
    }
}
