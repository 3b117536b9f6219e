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

/// How long a body is, as far as that is known before it comes, whatever the
/// protocol that carries it. How a connection of HTTP/1 marks its end is
/// [`Framing`]'s matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// There is no body.
    #[default]
    None,
    /// Exactly this many bytes.
    Exactly(u64),
    /// Nobody knows before its end.
    Open,
}

impl Length {
    /// The number of bytes, if it is known before they come.
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
            Framing::Length(length) => Self::Exactly(length),
            Framing::Chunked | Framing::UntilClose => Self::Open,
        }
    }
}
