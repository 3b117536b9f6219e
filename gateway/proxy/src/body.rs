//! What all streamed bodies have in common: receivers, transfer errors, trailers, and a
//! limit on how long one body occupies a worker.

use std::future::Future as _;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use janua_http::failure::Kind;
use janua_http::{Failure, Fields, chunked};

use crate::wire::Reader;

/// How many bytes of a body are transferred before other tasks of the worker run.
pub(crate) const TURN: u64 = 256 * 1024;

/// The receiver of a body.
pub(crate) trait Receiver {
    /// How many bytes to read for it at once. What it cannot send yet is buffered.
    fn appetite(&self) -> usize {
        usize::MAX
    }

    /// Receives the next bytes of the body.
    fn data(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()>;
    /// Receives the end of the body, and its trailers.
    fn end(&mut self, trailers: &Fields);
}

/// Why a body could not be transferred.
#[derive(Debug)]
pub(crate) enum TransferError {
    /// The sender's connection failed.
    Read(io::Error),
    /// The sender closed before the end.
    Incomplete,
    /// The sender violated the chunked coding.
    Malformed(&'static str),
    /// More bytes than the limit.
    TooLarge,
    /// The sender is slower than the minimum rate.
    TooSlow,
    /// The receiver's connection failed.
    Write(io::Error),
}

/// The failure of a client's connection while it was read or written.
pub(crate) fn client_gone(error: io::Error) -> Failure {
    Failure::with(Kind::ClientGone, error.kind().to_string())
}

impl TransferError {
    /// The failure if the body is that of a request.
    pub(crate) fn of_request(self) -> Failure {
        match self {
            Self::Read(error) => client_gone(error),
            Self::Incomplete => Failure::with(Kind::ClientGone, "closed in the middle of the body"),
            Self::Malformed(words) => Failure::with(Kind::BadRequest, words),
            Self::TooLarge => Kind::RequestBodyTooLarge.into(),
            Self::TooSlow => Failure::with(Kind::RequestTimeout, "the body is sent too slowly"),
            Self::Write(error) => Failure::with(Kind::ConnectionReset, error.kind().to_string()),
        }
    }

    /// The failure if the body is that of a response.
    pub(crate) fn of_response(self) -> Failure {
        match self {
            Self::Read(error) => Failure::with(Kind::ResponseIncomplete, error.kind().to_string()),
            Self::Incomplete => Kind::ResponseIncomplete.into(),
            Self::Malformed(words) => Failure::with(Kind::ResponseMalformed, words),
            // Neither is limited for responses.
            Self::TooLarge | Self::TooSlow => Kind::Internal.into(),
            Self::Write(error) => client_gone(error),
        }
    }
}

/// The share of the worker's time that one poll may use, measured in bytes read.
pub(crate) struct Turn {
    /// The number of bytes received at which the turn ends.
    end: u64,
}

impl Turn {
    /// Begins a turn.
    pub(crate) fn begin(reader: &Reader) -> Self {
        Self {
            end: reader.received() + TURN,
        }
    }

    /// Pending once the turn is over. The task continues after the other tasks have run and
    /// the sockets have been polled; just waking the task would run it before that.
    pub(crate) fn poll(&self, context: &mut Context<'_>, reader: &Reader) -> Poll<()> {
        if reader.received() < self.end {
            return Poll::Ready(());
        }
        let others = std::pin::pin!(tokio::task::yield_now());
        // The first poll registers the waker with the runtime.
        let _ = others.poll(context);
        Poll::Pending
    }
}

/// Which trailers are forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trailers {
    Pass,
    /// All except the fields of these names, which clients must not set.
    PassBut(Arc<[Box<str>]>),
    Drop,
}

impl Trailers {
    pub(crate) fn apply(&self, fields: &mut Fields) {
        fields.retain(|_, name, _| self.passes(name));
    }

    fn passes(&self, name: &[u8]) -> bool {
        match self {
            Self::Pass => true,
            Self::PassBut(refused) => !refused
                .iter()
                .any(|refused| name.eq_ignore_ascii_case(refused.as_bytes())),
            Self::Drop => false,
        }
    }

    /// The value of `Trailer` reduced to the trailers that are forwarded; none if no name
    /// is left (RFC 9110 §6.6.2).
    pub(crate) fn announced(&self, value: &[u8]) -> Option<Vec<u8>> {
        chunked::announced(value, |name| self.passes(name))
    }
}
