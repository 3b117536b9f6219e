//! What bodies have in common, wherever they come from and wherever they go.

use std::future::Future as _;
use std::io;
use std::task::{Context, Poll};

use janua_http::failure::Kind;
use janua_http::{Failure, Fields, chunked};

use crate::wire::Reader;

/// How much is passed on in one turn, in bytes: then other connections of the
/// worker have theirs.
pub(crate) const TURN: u64 = 256 * 1024;

/// Where a body goes.
pub(crate) trait Receiver {
    /// Some bytes of it.
    fn data(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()>;
    /// Its end, and the trailers that stand behind it.
    fn end(&mut self, trailers: &Fields);
}

/// Why a body could not be passed on.
#[derive(Debug)]
pub(crate) enum TransferError {
    /// The sender's connection failed.
    Read(io::Error),
    /// The sender closed before the end.
    Incomplete,
    /// The sender broke the chunked coding.
    Malformed(&'static str),
    /// More bytes than the limit.
    TooLarge,
    /// The receiver's connection failed.
    Write(io::Error),
}

impl TransferError {
    /// As a failure while the request was received.
    pub(crate) fn of_request(self) -> Failure {
        match self {
            Self::Read(error) => Failure::with(Kind::ClientGone, error.kind().to_string()),
            Self::Incomplete => Failure::with(Kind::ClientGone, "closed in the middle of the body"),
            Self::Malformed(words) => Failure::with(Kind::BadRequest, words),
            Self::TooLarge => Kind::RequestBodyTooLarge.into(),
            Self::Write(error) => Failure::with(Kind::ConnectionReset, error.kind().to_string()),
        }
    }

    /// As a failure while the response was passed on.
    pub(crate) fn of_response(self) -> Failure {
        match self {
            Self::Read(error) => Failure::with(Kind::ResponseIncomplete, error.kind().to_string()),
            Self::Incomplete => Kind::ResponseIncomplete.into(),
            Self::Malformed(words) => Failure::with(Kind::ResponseMalformed, words),
            Self::TooLarge => Kind::Internal.into(),
            Self::Write(error) => Failure::with(Kind::ClientGone, error.kind().to_string()),
        }
    }
}

/// One poll's share of the worker, as long as which it may read on.
pub(crate) struct Turn {
    /// What the reader has received when it is over.
    end: u64,
}

impl Turn {
    /// A turn that begins now.
    pub(crate) fn begin(reader: &Reader) -> Self {
        Self {
            end: reader.received() + TURN,
        }
    }

    /// Pending once it is over. The task then goes on when the others have had
    /// their turn, and what came on other connections was looked at: a mere wake
    /// would come back before that.
    pub(crate) fn poll(&self, context: &mut Context<'_>, reader: &Reader) -> Poll<()> {
        if reader.received() < self.end {
            return Poll::Ready(());
        }
        let others = std::pin::pin!(tokio::task::yield_now());
        // Its first poll leaves the waker behind, to be woken in time.
        let _ = others.poll(context);
        Poll::Pending
    }
}

/// Which trailers are passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trailers {
    Pass,
    /// All but the field of this name, which the gateway sets itself in heads.
    PassBut(Box<str>),
    Drop,
}

impl Trailers {
    pub(crate) fn apply(&self, fields: &mut Fields) {
        fields.retain(|_, name, _| self.passes(name));
    }

    fn passes(&self, name: &[u8]) -> bool {
        match self {
            Self::Pass => true,
            Self::PassBut(own) => !name.eq_ignore_ascii_case(own.as_bytes()),
            Self::Drop => false,
        }
    }

    /// What a `Trailer` field with this value announces truthfully, if
    /// anything (RFC 9110 §6.6.2).
    pub(crate) fn announced(&self, value: &[u8]) -> Option<Vec<u8>> {
        chunked::announced(value, |name| self.passes(name))
    }
}
