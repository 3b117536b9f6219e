//! A TLS connection whose two directions are used as separate halves.
//!
//! Both directions share the state of the connection, so both halves own the stream. They
//! belong to one worker and borrow it for one poll.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::idle::{Idle, peek};

/// How many bytes of a file are read and encrypted at once: four records of TLS.
const FILE_READ: usize = 64 * 1024;

thread_local! {
    // One for each worker. A poll borrows it for one read of a file.
    static FILE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A TLS connection after its handshake.
pub(crate) struct TlsStream(RefCell<tokio_rustls::TlsStream<TcpStream>>);

impl TlsStream {
    pub(crate) fn new(stream: tokio_rustls::TlsStream<TcpStream>) -> Self {
        Self(RefCell::new(stream))
    }

    /// Reads some bytes; 0 means that the peer has closed its sending side, and said so: a
    /// connection that ends without `close_notify` is an error, because anybody on the path
    /// can end it (RFC 8446 §6.1).
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(context, buffer)
    }

    /// Ready once the peer has sent something or closed. What it has sent may be a message of
    /// TLS itself, so that a read may still have to wait.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let stream = self.0.borrow();
        let (socket, state) = stream.get_ref();
        if !state.wants_read() {
            // Decrypted bytes are waiting.
            return Poll::Ready(());
        }
        socket.poll_read_ready(context).map(drop)
    }

    /// What the peer of an idle connection has done. Bytes that have arrived cannot be
    /// decrypted here, and are most likely the end of the connection: it is not reused.
    pub(crate) fn idle_state(&self) -> Idle {
        let stream = self.0.borrow();
        let (socket, state) = stream.get_ref();
        if !state.wants_read() {
            return Idle::Unsolicited;
        }
        match peek(socket) {
            Idle::Quiet => Idle::Quiet,
            Idle::Closed | Idle::Unsolicited => Idle::Closed,
        }
    }

    /// Encrypts and sends some of the bytes, the second slice after the first. Encrypted bytes
    /// that the socket does not accept are kept: see [`Self::poll_flush`].
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.0.borrow_mut();
        let slices = [IoSlice::new(first), IoSlice::new(second)];
        Pin::new(&mut *stream).poll_write_vectored(context, &slices)
    }

    /// Encrypts and sends some bytes of a file, at most `count` from `offset` on; 0 at its end.
    pub(crate) fn poll_send_file(
        &self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        FILE_BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(FILE_READ, 0);
            let part = buffer.get_mut(..count.min(FILE_READ)).unwrap_or_default();
            let read = file.read_at(part, offset)?;
            let part = part.get(..read).unwrap_or_default();
            if part.is_empty() {
                return Poll::Ready(Ok(0));
            }
            self.poll_write(context, part, &[])
        })
    }

    /// True if encrypted bytes are not sent yet.
    pub(crate) fn holds_bytes(&self) -> bool {
        self.0.borrow().get_ref().1.wants_write()
    }

    /// Sends all encrypted bytes.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(context)
    }

    /// Sends `close_notify`, and closes the sending side.
    pub(crate) fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(context)
    }

    /// Makes the connection end with a reset when it is dropped.
    pub(crate) fn reset(&self) {
        let _ = self.0.borrow().get_ref().0.set_zero_linger();
    }
}
