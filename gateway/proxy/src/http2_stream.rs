//! A stream of a client's HTTP/2 connection, which carries one request and its response.
//!
//! It is the two halves of a byte stream, as a connection of HTTP/1 is, so that bodies pass through
//! the same code. What it has beyond one are heads, and ends with trailers.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use janua_h2::{Code, Connection, StreamError, StreamKey};
use janua_http::fields::Known;
use janua_http::{Fields, Length, ResponseHead};

use crate::clock::{Clock, Moment};
use crate::file_part;

/// How many bytes of a file are read at once: the payload of one frame.
const FILE_READ: usize = 16 * 1024;

/// A stream. Dropping it resets whatever is unfinished.
pub(crate) struct Http2Stream {
    connection: Rc<RefCell<Connection>>,
    key: StreamKey,
    /// The end of the request has been read.
    has_ended: Cell<bool>,
    /// The trailers of the response, once all of its body has been passed on.
    trailers: RefCell<Option<Fields>>,
}

impl Http2Stream {
    pub(crate) fn new(connection: Rc<RefCell<Connection>>, key: StreamKey) -> Self {
        Self {
            connection,
            key,
            has_ended: Cell::new(false),
            trailers: RefCell::new(None),
        }
    }

    /// Reads some bytes of the request's body; 0 at its end.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.has_ended.get() {
            return Poll::Ready(Ok(0));
        }
        let mut connection = self.connection.borrow_mut();
        let count = ready!(connection.poll_data(self.key, context, buffer)).map_err(io_error)?;
        self.has_ended.set(count == 0);
        Poll::Ready(Ok(count))
    }

    /// The trailers of the request, after the end of its body.
    pub(crate) fn take_trailers(&self) -> Fields {
        let trailers = self.connection.borrow_mut().take_trailers(self.key);
        trailers.unwrap_or_default()
    }

    /// Ready once the client has reset the stream, or is gone.
    pub(crate) fn poll_reset(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut connection = self.connection.borrow_mut();
        // After the end of the request this is ready only if the stream has failed.
        let polled = ready!(connection.poll_data(self.key, context, &mut [0]));
        Poll::Ready(polled.map(drop).map_err(io_error))
    }

    /// Queues an interim response.
    pub(crate) fn send_interim(&self, status: u16, fields: &Fields) {
        let mut connection = self.connection.borrow_mut();
        // An error shows when the body is sent.
        let _ = connection.send_head(self.key, status, fields.iter(), false);
    }

    /// Queues the head of the response. A body of this length follows.
    pub(crate) fn send_head(&self, head: &ResponseHead, length: Length, clock: (&Clock, Moment)) {
        let mut connection = self.connection.borrow_mut();
        let mut date = Vec::new();
        if head.fields.known(Known::Date).next().is_none() {
            clock.0.write_date(clock.1, &mut date);
        }
        let date = (!date.is_empty()).then_some((Known::Date, &b"date"[..], &*date));
        let fields = head.fields.iter().chain(date);
        let _ = connection.send_head(self.key, head.status, fields, length.is_empty());
        if let Length::Exactly(bytes) = length {
            connection.expect_length(self.key, bytes);
        }
    }

    /// Sends some bytes of the response's body, the second slice after the first.
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut connection = self.connection.borrow_mut();
        let sent = ready!(connection.poll_send(self.key, context, first, second));
        Poll::Ready(sent.map_err(io_error))
    }

    /// Sends some bytes of a file, at most `count` from `offset` on; 0 at its end.
    pub(crate) fn poll_send_file(
        &self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        file_part::send(file, offset, count.min(FILE_READ), |part| {
            self.poll_write(context, part, &[])
        })
    }

    /// All of the response's body has been passed on; these trailers follow.
    pub(crate) fn end(&self, trailers: &Fields) {
        if trailers.is_empty() {
            self.connection.borrow_mut().set_ending(self.key);
        }
        *self.trailers.borrow_mut() = Some(trailers.clone());
    }

    /// Ends the response, if its end has been announced by [`Self::end`].
    pub(crate) fn poll_flush(&self) -> Poll<io::Result<()>> {
        let mut trailers = self.trailers.borrow_mut();
        if let Some(fields) = &*trailers {
            let mut connection = self.connection.borrow_mut();
            let fields = Some(fields).filter(|fields| !fields.is_empty());
            ready!(connection.poll_finish(self.key, fields)).map_err(io_error)?;
            *trailers = None;
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the response.
    pub(crate) fn poll_shutdown(&self) -> Poll<io::Result<()>> {
        let finished = self.connection.borrow_mut().poll_finish(self.key, None);
        finished.map_err(io_error)
    }

    /// Resets the stream, so that the client does not take what it got for the whole.
    pub(crate) fn reset(&self) {
        self.reset_with(Code::INTERNAL_ERROR);
    }

    /// Refuses the request, which nobody has processed: the client may repeat it elsewhere
    /// (RFC 9113 §8.7).
    pub(crate) fn refuse(&self) {
        self.reset_with(Code::REFUSED_STREAM);
    }

    fn reset_with(&self, code: Code) {
        self.connection.borrow_mut().reset(self.key, code);
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        self.connection.borrow_mut().release(self.key);
    }
}

fn io_error(error: StreamError) -> io::Error {
    let kind = match error {
        StreamError::Reset(_) => io::ErrorKind::ConnectionReset,
        StreamError::Violation(_) => io::ErrorKind::InvalidData,
        StreamError::Stalled => io::ErrorKind::TimedOut,
        StreamError::Disconnected => io::ErrorKind::ConnectionAborted,
        StreamError::Ended => io::ErrorKind::BrokenPipe,
    };
    kind.into()
}
