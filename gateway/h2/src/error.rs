//! Error codes, and what goes wrong with a connection or a stream.

use crate::abuse::Abuse;

/// An error code of HTTP/2 (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u32);

#[allow(missing_docs, reason = "RFC 9113 §7 describes each")]
impl Code {
    pub const NO_ERROR: Self = Self(0);
    pub const PROTOCOL_ERROR: Self = Self(1);
    pub const INTERNAL_ERROR: Self = Self(2);
    pub const FLOW_CONTROL_ERROR: Self = Self(3);
    pub const SETTINGS_TIMEOUT: Self = Self(4);
    pub const STREAM_CLOSED: Self = Self(5);
    pub const FRAME_SIZE_ERROR: Self = Self(6);
    pub const REFUSED_STREAM: Self = Self(7);
    pub const CANCEL: Self = Self(8);
    pub const COMPRESSION_ERROR: Self = Self(9);
    pub const CONNECT_ERROR: Self = Self(10);
    pub const ENHANCE_YOUR_CALM: Self = Self(11);
    pub const INADEQUATE_SECURITY: Self = Self(12);
    pub const HTTP_1_1_REQUIRED: Self = Self(13);
}

/// Why a connection cannot be used any more. Unless it is [`Self::NotHttp2`], a `GOAWAY` with
/// the code has been queued: write the output, and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionError {
    /// The client does not begin with the preface of HTTP/2 (RFC 9113 §3.4). Nothing that it
    /// could understand is queued.
    NotHttp2,
    /// The client has violated the protocol, for this reason.
    Protocol(Code, &'static str),
    /// The client has exceeded a limit.
    Abuse(Abuse),
    /// The gateway has ended the connection by [`Connection::go_away`](crate::Connection::go_away).
    Ended(Code),
}

impl ConnectionError {
    /// The code in `GOAWAY`.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::NotHttp2 => Code::PROTOCOL_ERROR,
            Self::Protocol(code, _) | Self::Ended(code) => code,
            Self::Abuse(_) => Code::ENHANCE_YOUR_CALM,
        }
    }

    /// A description for the log, and for the debug data of `GOAWAY`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NotHttp2 => "no preface of HTTP/2",
            Self::Protocol(_, words) => words,
            Self::Abuse(abuse) => abuse.name(),
            Self::Ended(_) => "",
        }
    }
}

/// Why a stream cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The client has reset it.
    Reset(Code),
    /// The client has violated the protocol, and the stream was reset with this code.
    Violation(Code),
    /// The client has not opened a window for longer than
    /// [`Limits::stall_ms`](crate::Limits::stall_ms).
    Stalled,
    /// The connection has failed or was closed.
    Disconnected,
    /// The gateway itself has reset the stream, has already ended the response, or has released
    /// the key.
    Ended,
}
