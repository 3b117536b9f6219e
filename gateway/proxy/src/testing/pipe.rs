//! A byte stream in memory, in place of a socket.
//!
//! `tokio::io::duplex` would do, but cannot be looked at without reading, as a
//! kept connection is, and knows no reset.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// One direction.
struct Pipe {
    bytes: VecDeque<u8>,
    /// How many bytes may wait to be read.
    capacity: usize,
    end: End,
    /// Nobody reads any more.
    is_abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Whether more comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    Reset,
}

/// The half that is read.
pub(crate) struct PipeReader(Rc<RefCell<Pipe>>);

/// The half that is written.
pub(crate) struct PipeWriter(Rc<RefCell<Pipe>>);

/// Both ends of a stream, each with the half that is read and the half that is
/// written. In either direction so many bytes may wait to be read.
pub(crate) fn stream(capacity: usize) -> [(PipeReader, PipeWriter); 2] {
    let (to_one, from_two) = pipe(capacity);
    let (to_two, from_one) = pipe(capacity);
    [(to_one, from_one), (to_two, from_two)]
}

fn pipe(capacity: usize) -> (PipeReader, PipeWriter) {
    let pipe = Rc::new(RefCell::new(Pipe {
        bytes: VecDeque::new(),
        capacity,
        end: End::Open,
        is_abandoned: false,
        reader: None,
        writer: None,
    }));
    (PipeReader(Rc::clone(&pipe)), PipeWriter(pipe))
}

impl PipeReader {
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.borrow_mut();
        // A reset takes what has not been read with it, as the kernel's does.
        if pipe.end == End::Reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if pipe.bytes.is_empty() && pipe.end == End::Open {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = pipe.bytes.len().min(buffer.len());
        for (byte, from) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            *byte = from;
        }
        pipe.writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.0.borrow_mut();
        if pipe.bytes.is_empty() && pipe.end == End::Open {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// The first bytes that wait; none if the stream has ended or failed.
    pub(crate) fn peek(&self, most: usize) -> Option<Vec<u8>> {
        let pipe = self.0.borrow();
        match pipe.end {
            End::Reset => None,
            End::Closed if pipe.bytes.is_empty() => None,
            End::Open | End::Closed => Some(pipe.bytes.iter().copied().take(most).collect()),
        }
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.is_abandoned = true;
        pipe.writer.take().into_iter().for_each(Waker::wake);
    }
}

impl PipeWriter {
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.borrow_mut();
        if pipe.is_abandoned || pipe.end != End::Open {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(pipe.capacity - pipe.bytes.len());
        if count == 0 && !bytes.is_empty() {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        pipe.bytes.extend(&bytes[..count]);
        pipe.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    /// Nothing more comes.
    pub(crate) fn close(&mut self) {
        self.end(End::Closed);
    }

    /// Whoever reads gets an error.
    pub(crate) fn reset(&mut self) {
        self.end(End::Reset);
    }

    fn end(&mut self, end: End) {
        let mut pipe = self.0.borrow_mut();
        if pipe.end == End::Open {
            pipe.end = end;
            pipe.reader.take().into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.close();
    }
}
