//! A TLS connection whose two directions are used as separate halves.
//!
//! Both directions share the state of the connection, so both halves own the stream. They
//! belong to one worker and borrow it for one poll.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{self, ConnectionCommon};

use crate::file_part;
use crate::idle::Idle;

/// How many bytes of a file are read and encrypted at once: four records of TLS.
const FILE_READ: usize = 64 * 1024;

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

    /// Ready once there are bytes to read, or the peer has closed. What the peer sends for TLS
    /// itself (tickets, new keys) is processed here, and is nothing to read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut stream = self.0.borrow_mut();
        loop {
            let (socket, state) = stream.get_ref();
            if !state.wants_read() {
                return Poll::Ready(());
            }
            // After an error, the read that follows fails.
            if ready!(socket.poll_read_ready(context)).is_err() {
                return Poll::Ready(());
            }
            match decrypt(&mut stream, |socket, buffer| socket.try_read(buffer)) {
                Ok(Arrived::Nothing) => {}
                Ok(Arrived::Bytes | Arrived::End) | Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// What the peer of an idle connection has done. Like [`crate::idle::peek`], this asks the socket
    /// itself. What the peer has sent for TLS itself is no reason to give up a connection:
    /// tickets may follow a handshake or a response at any time.
    pub(crate) fn idle_state(&self) -> Idle {
        let mut stream = self.0.borrow_mut();
        let arrived = decrypt(&mut stream, |socket, buffer| {
            Ok(recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
        });
        match arrived {
            Ok(Arrived::Nothing) => Idle::Quiet,
            Ok(Arrived::End) | Err(_) => Idle::Closed,
            Ok(Arrived::Bytes) => match &mut *stream {
                tokio_rustls::TlsStream::Client(stream) => front(stream.get_mut().1.reader()),
                tokio_rustls::TlsStream::Server(stream) => front(stream.get_mut().1.reader()),
            },
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
        file_part::send(file, offset, count.min(FILE_READ), |part| {
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

/// What has arrived on a connection.
enum Arrived {
    /// Nothing for the reader.
    Nothing,
    /// Bytes to read.
    Bytes,
    /// The end of the connection, said or not.
    End,
}

/// Reads with `read`, which does not wait, and decrypts, until there is something for the
/// reader, or nothing more has arrived.
fn decrypt(
    stream: &mut tokio_rustls::TlsStream<TcpStream>,
    read: impl FnMut(&TcpStream, &mut [u8]) -> io::Result<usize>,
) -> io::Result<Arrived> {
    match stream {
        tokio_rustls::TlsStream::Client(stream) => {
            let (socket, connection) = stream.get_mut();
            decrypt_from(socket, connection, read)
        }
        tokio_rustls::TlsStream::Server(stream) => {
            let (socket, connection) = stream.get_mut();
            decrypt_from(socket, connection, read)
        }
    }
}

fn decrypt_from<T>(
    socket: &TcpStream,
    connection: &mut ConnectionCommon<T>,
    read: impl FnMut(&TcpStream, &mut [u8]) -> io::Result<usize>,
) -> io::Result<Arrived> {
    let mut reading = Reading { socket, read };
    while connection.wants_read() {
        match connection.read_tls(&mut reading) {
            Ok(0) => return Ok(Arrived::End),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Arrived::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let processed = connection.process_new_packets();
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
    match connection.reader().into_first_chunk() {
        Ok([]) => Ok(Arrived::End),
        Ok(_) => Ok(Arrived::Bytes),
        Err(error) => Err(error),
    }
}

/// A socket that is read without waiting.
struct Reading<'a, F> {
    socket: &'a TcpStream,
    read: F,
}

impl<F: FnMut(&TcpStream, &mut [u8]) -> io::Result<usize>> io::Read for Reading<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.read)(self.socket, buffer)
    }
}

/// Interprets the decrypted bytes that have arrived on an idle connection.
fn front(reader: rustls::Reader<'_>) -> Idle {
    reader.into_first_chunk().map_or(Idle::Closed, Idle::of)
}
