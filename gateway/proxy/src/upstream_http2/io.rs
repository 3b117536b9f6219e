//! The halves of a connection as one stream, as the library wants it.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::{ReadHalf, WriteHalf};

/// A connection that counts what it receives.
pub(super) struct Io {
    read: ReadHalf,
    write: WriteHalf,
    received: Rc<Cell<u64>>,
}

impl Io {
    pub(super) fn new(read: ReadHalf, write: WriteHalf, received: Rc<Cell<u64>>) -> Self {
        Self {
            read,
            write,
            received,
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.read.poll_read_into(context, buffer))?;
        let count = buffer.filled().len() - before;
        self.received.set(self.received.get() + count as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write.poll_write(context, bytes, &[])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().map(|slice| &**slice);
        let mut next = || filled.find(|bytes| !bytes.is_empty()).unwrap_or_default();
        let (first, second) = (next(), next());
        self.write.poll_write(context, first, second)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_shutdown(context)
    }
}
