//! The upload of a request to an upstream. Once it is complete, the client is
//! watched while it waits for the response.

use std::task::{Context, Poll, ready};

use janua_http::Failure;

use crate::body::{TransferError, client_gone};
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::wire::Reader;

/// How many bytes of the next request are buffered while this one is answered.
const READ_AHEAD: usize = 64 * 1024;

/// How far the upload of a request has progressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadState {
    Sending,
    /// The whole request has been sent.
    Sent,
    /// The whole request has been sent, and the client has closed its sending side.
    HalfClosed,
    /// The upstream accepts no more bytes. It may have responded before it closed.
    Broken,
}

/// A request that is being sent.
pub(crate) struct Upload<'a> {
    /// Supplies the body; none for a fetch of the cache, which has no body.
    incoming: Option<&'a mut Incoming>,
    outgoing: &'a mut Outgoing,
    state: &'a mut UploadState,
}

impl<'a> Upload<'a> {
    /// An upload whose head is already pending in `outgoing`.
    pub(crate) fn new(
        incoming: Option<&'a mut Incoming>,
        outgoing: &'a mut Outgoing,
        state: &'a mut UploadState,
    ) -> Self {
        Self {
            incoming,
            outgoing,
            state,
        }
    }

    /// True once the whole request has been read and sent.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, UploadState::Sent | UploadState::HalfClosed)
    }

    /// True if the client has closed its sending side.
    pub(crate) fn is_half_closed(&self) -> bool {
        *self.state == UploadState::HalfClosed
    }

    /// True if bytes that were read are still waiting to be sent to the upstream.
    pub(crate) fn is_stalled(&self) -> bool {
        self.outgoing.writer.backlog() > 0
    }

    /// The number of bytes transferred so far. Bytes of pipelined requests are not
    /// counted: they do not show that the client reads its response.
    pub(crate) fn progress(&self) -> u64 {
        let read = self.incoming.as_ref().map_or(0, |incoming| incoming.size());
        read + self.outgoing.writer.sent()
    }

    /// Continues the upload. Ready only with a failure that ends the exchange.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        if *self.state == UploadState::Sending {
            match self.poll_send(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => *self.state = UploadState::Sent,
                Poll::Ready(Err(TransferError::Write(_))) => *self.state = UploadState::Broken,
                Poll::Ready(Err(error)) => return Poll::Ready(error.of_request()),
            }
        }
        if *self.state == UploadState::Sent
            && let Some(incoming) = &mut self.incoming
        {
            match poll_closed(&mut incoming.reader, context) {
                Poll::Ready(Ok(())) => *self.state = UploadState::HalfClosed,
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

/// Watches a client that has sent its request: ready once it has closed its sending
/// side or reset the connection. Bytes of pipelined requests are buffered.
pub(crate) fn poll_closed(
    reader: &mut Reader,
    context: &mut Context<'_>,
) -> Poll<Result<(), Failure>> {
    while reader.buffered().len() < READ_AHEAD {
        match ready!(reader.poll_fill(context)) {
            Ok(0) => return reader.poll_gone(context).map_err(client_gone),
            Ok(_) => {}
            Err(error) => {
                return Poll::Ready(Err(client_gone(error)));
            }
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests;
