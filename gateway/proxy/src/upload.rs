//! A request on its way to an upstream, and then an eye on the client that
//! waits for the response.

use std::task::{Context, Poll, ready};

use janua_http::Failure;
use janua_http::failure::Kind;

use crate::body::TransferError;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::wire::Reader;

/// How much of the next request is taken in while this one is answered.
const READ_AHEAD: usize = 64 * 1024;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Sending,
    /// All is sent.
    Sent,
    /// All is sent and the client has closed its side.
    HalfClosed,
    /// The upstream takes no more. It may have answered before it closed.
    Broken,
}

/// The request on its way up.
pub(crate) struct Upload<'a> {
    /// Where its body comes from; none for a request that no client waits for,
    /// which has no body.
    incoming: Option<&'a mut Incoming>,
    outgoing: &'a mut Outgoing,
    state: &'a mut State,
}

impl<'a> Upload<'a> {
    /// The request's body, behind its head that is pending.
    pub(crate) fn new(
        incoming: Option<&'a mut Incoming>,
        outgoing: &'a mut Outgoing,
        state: &'a mut State,
    ) -> Self {
        Self {
            incoming,
            outgoing,
            state,
        }
    }

    /// True once the whole request has been read and sent.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Sent | State::HalfClosed)
    }

    /// True if the client has closed its side.
    pub(crate) fn is_half_closed(&self) -> bool {
        *self.state == State::HalfClosed
    }

    /// True if the upstream has not taken yet all that was read.
    pub(crate) fn is_stalled(&self) -> bool {
        self.outgoing.writer.backlog() > 0
    }

    /// Bytes that have moved so far. What the client sends ahead of its turn is
    /// not among them: it is no sign that it takes its response.
    pub(crate) fn progress(&self) -> u64 {
        let read = self.incoming.as_ref().map_or(0, |incoming| incoming.size());
        read + self.outgoing.writer.sent()
    }

    /// Goes on; ready only if the exchange cannot be completed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        if *self.state == State::Sending {
            match self.poll_send(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => *self.state = State::Sent,
                Poll::Ready(Err(TransferError::Write(_))) => *self.state = State::Broken,
                Poll::Ready(Err(error)) => return Poll::Ready(error.of_request()),
            }
        }
        if *self.state == State::Sent
            && let Some(incoming) = &mut self.incoming
        {
            match poll_closed(&mut incoming.reader, context) {
                Poll::Ready(Ok(())) => *self.state = State::HalfClosed,
                Poll::Ready(Err(failure)) => return Poll::Ready(failure),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransferError>> {
        match &mut self.incoming {
            Some(incoming) => incoming.poll_pass(context, self.outgoing),
            None => self
                .outgoing
                .writer
                .poll_flush(context)
                .map_err(TransferError::Write),
        }
    }
}

/// An eye on a client that has sent its request: ready once it has closed its
/// side, or reset. What it sends meanwhile is kept for its turn.
pub(crate) fn poll_closed(
    reader: &mut Reader,
    context: &mut Context<'_>,
) -> Poll<Result<(), Failure>> {
    while reader.buffered().len() < READ_AHEAD {
        match ready!(reader.poll_fill(context)) {
            Ok(0) => return Poll::Ready(Ok(())),
            Ok(_) => {}
            Err(error) => {
                let gone = Failure::with(Kind::ClientGone, error.kind().to_string());
                return Poll::Ready(Err(gone));
            }
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests;
