//! How the end of a body is determined (RFC 9112 §6.3, RFC 9113 §8.1).

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
    /// All bytes until the connection is closed; in responses only.
    UntilClose,
    /// All bytes until the stream ends (RFC 9113 §8.1), and exactly this many if the head
    /// declares a length.
    Stream(Option<u64>),
}

impl Framing {
    /// The number of bytes, if it is known in advance.
    #[must_use]
    pub fn length(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Length(length) => Some(length),
            Self::Chunked | Self::UntilClose => None,
            Self::Stream(length) => length,
        }
    }

    /// True if no byte of body follows the head.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.length() == Some(0)
    }
}

/// The length of a body as far as it is known in advance, independent of the protocol. How
/// the protocol marks the end of the body is described by [`Framing`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// There is no body.
    #[default]
    None,
    /// Exactly this many bytes.
    Exactly(u64),
    /// The length is unknown until the end of the body.
    Open,
}

impl Length {
    /// The number of bytes, if it is known in advance.
    #[must_use]
    pub fn known(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Exactly(length) => Some(length),
            Self::Open => None,
        }
    }

    /// True if no byte of body follows the head.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.known() == Some(0)
    }
}

impl From<Framing> for Length {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::None,
            Framing::Length(length) | Framing::Stream(Some(length)) => Self::Exactly(length),
            Framing::Stream(None) | Framing::Chunked | Framing::UntilClose => Self::Open,
        }
    }
}
