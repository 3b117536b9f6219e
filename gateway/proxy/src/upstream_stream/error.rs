//! Why a stream of an upstream's connection has failed.

use std::io;

use h2::Reason;
use janua_http::failure::Kind;
use janua_http::{Failure, HeadError};

/// Why a stream has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamError {
    /// The upstream says that it has not processed the request, because it closes the connection:
    /// the request may be repeated (RFC 9113 §8.7).
    Unprocessed,
    /// The same, because it has too much to do.
    Refused,
    /// The upstream has reset the stream, with this code.
    Reset(Reason),
    /// The head of the response is not one that the gateway accepts.
    Head(HeadError),
    /// The response violates HTTP/2.
    Malformed,
    /// The connection has failed.
    Lost,
}

impl StreamError {
    /// The meaning of the library's error. Only what the upstream has said is believed: the library
    /// refuses streams for reasons of its own.
    pub(super) fn of(error: &h2::Error) -> Self {
        let is_remote = error.is_remote();
        match error.reason() {
            _ if error.is_go_away() && is_remote => Self::Unprocessed,
            Some(Reason::REFUSED_STREAM) if error.is_reset() && is_remote => Self::Refused,
            Some(reason) if error.is_reset() && is_remote => Self::Reset(reason),
            // This is how the library drops a head that is larger than was announced.
            Some(Reason::REFUSED_STREAM) if error.is_reset() => Self::Head(HeadError::TooLarge),
            Some(_) if error.is_reset() => Self::Malformed,
            _ => Self::Lost,
        }
    }

    /// True if the request cannot have been processed.
    pub(crate) fn is_unprocessed(self) -> bool {
        matches!(self, Self::Unprocessed | Self::Refused)
    }

    /// The failure of a request whose response has not begun.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Unprocessed => {
                Failure::with(Kind::ConnectionReset, "the upstream closes the connection")
            }
            Self::Refused => {
                Failure::with(Kind::ConnectionReset, "the upstream refused the stream")
            }
            Self::Reset(reason) => {
                let words = reason.description();
                Failure::with(Kind::ConnectionReset, format!("stream reset: {words}"))
            }
            Self::Head(HeadError::TooLarge | HeadError::TooManyFields) => {
                Kind::ResponseHeadTooLarge.into()
            }
            Self::Head(error) => Failure::with(Kind::ResponseMalformed, error.words()),
            Self::Malformed => Failure::with(Kind::ResponseMalformed, "the stream violates HTTP/2"),
            Self::Lost => Kind::ConnectionReset.into(),
        }
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Unprocessed | StreamError::Refused | StreamError::Reset(_) => {
                io::ErrorKind::ConnectionReset
            }
            StreamError::Head(_) | StreamError::Malformed => io::ErrorKind::InvalidData,
            StreamError::Lost => io::ErrorKind::ConnectionAborted,
        };
        kind.into()
    }
}
