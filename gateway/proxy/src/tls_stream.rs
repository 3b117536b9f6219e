//! A TLS connection whose two directions are used as separate halves.
//!
//! Both directions share the state of the connection, so both halves own the stream. They
//! belong to one worker and borrow it for one poll.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use janua_upstream::Connection;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{self, ConnectionCommon};
use tokio_rustls::{client, server};

use crate::file_part;
use crate::idle::Idle;

/// How many bytes of a file are read and encrypted at once: four records of TLS.
const FILE_READ: usize = 64 * 1024;

/// A TLS connection after its handshake.
pub(crate) struct TlsStream(RefCell<Side>);

/// The side that the gateway is.
enum Side {
    /// The server of its clients.
    Server(server::TlsStream<TcpStream>),
    /// The client of an upstream, which may have a Unix socket.
    Client(client::TlsStream<Connection>),
}

impl From<server::TlsStream<TcpStream>> for TlsStream {
    fn from(stream: server::TlsStream<TcpStream>) -> Self {
        Self(RefCell::new(Side::Server(stream)))
    }
}

impl From<client::TlsStream<Connection>> for TlsStream {
    fn from(stream: client::TlsStream<Connection>) -> Self {
        Self(RefCell::new(Side::Client(stream)))
    }
}

/// Does the same on either side.
macro_rules! each {
    ($side:expr, $stream:ident => $call:expr) => {
        match $side {
            Side::Server($stream) => $call,
            Side::Client($stream) => $call,
        }
    };
}

impl TlsStream {
    /// Reads some bytes; 0 means that the peer has closed its sending side, and said so: a
    /// connection that ends without `close_notify` is an error, because anybody on the path
    /// can end it (RFC 8446 §6.1).
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&mut *self.0.borrow_mut(), stream => Pin::new(stream).poll_read(context, buffer))
    }

    /// Ready once there are bytes to read, or the peer has closed. What the peer sends for TLS
    /// itself (tickets, new keys) is processed here, and is nothing to read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        each!(&mut *self.0.borrow_mut(), stream => {
            let (socket, connection) = stream.get_mut();
            poll_readable(context, socket, connection)
        })
    }

    /// What the peer of an idle connection has done. Like [`crate::idle::peek`], this asks the socket
    /// itself. What the peer has sent for TLS itself is no reason to give up a connection:
    /// tickets may follow a handshake or a response at any time.
    pub(crate) fn idle_state(&self) -> Idle {
        each!(&mut *self.0.borrow_mut(), stream => {
            let (socket, connection) = stream.get_mut();
            idle_state(socket, connection)
        })
    }

    /// Encrypts and sends some of the bytes, the second slice after the first. Encrypted bytes
    /// that the socket does not accept are kept: see [`Self::poll_flush`].
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let slices = [IoSlice::new(first), IoSlice::new(second)];
        each!(&mut *self.0.borrow_mut(), stream => {
            Pin::new(stream).poll_write_vectored(context, &slices)
        })
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
        each!(&*self.0.borrow(), stream => stream.get_ref().1.wants_write())
    }

    /// Sends all encrypted bytes.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self.0.borrow_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    /// Sends `close_notify`, and closes the sending side.
    pub(crate) fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self.0.borrow_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }

    /// Makes the connection end with a reset when it is dropped. Unix sockets have none.
    pub(crate) fn reset(&self) {
        let side = self.0.borrow();
        let stream = match &*side {
            Side::Server(stream) => stream.get_ref().0,
            Side::Client(stream) => match stream.get_ref().0 {
                Connection::Tcp(stream) => stream,
                Connection::Unix(_) => return,
            },
        };
        let _ = stream.set_zero_linger();
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

/// The socket below, as far as it is read past the library.
trait Socket: AsFd {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Socket for TcpStream {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(context)
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer)
    }
}

impl Socket for Connection {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(context)
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer)
    }
}

fn poll_readable<T>(
    context: &mut Context<'_>,
    socket: &impl Socket,
    connection: &mut ConnectionCommon<T>,
) -> Poll<()> {
    loop {
        if !connection.wants_read() {
            return Poll::Ready(());
        }
        // After an error, the read that follows fails.
        if ready!(socket.poll_read_ready(context)).is_err() {
            return Poll::Ready(());
        }
        match decrypt(connection, |buffer| socket.try_read(buffer)) {
            Ok(Arrived::Nothing) => {}
            Ok(Arrived::Bytes | Arrived::End) | Err(_) => return Poll::Ready(()),
        }
    }
}

fn idle_state<T>(socket: &impl Socket, connection: &mut ConnectionCommon<T>) -> Idle {
    let arrived = decrypt(connection, |buffer| {
        Ok(recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
    });
    match arrived {
        Ok(Arrived::Nothing) => Idle::Quiet,
        Ok(Arrived::End) | Err(_) => Idle::Closed,
        Ok(Arrived::Bytes) => front(connection.reader()),
    }
}

/// Reads with `read`, which does not wait, and decrypts, until there is something for the
/// reader, or nothing more has arrived.
fn decrypt<T>(
    connection: &mut ConnectionCommon<T>,
    read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> io::Result<Arrived> {
    let mut reading = Reading(read);
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
struct Reading<F>(F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> io::Read for Reading<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.0)(buffer)
    }
}

/// Interprets the decrypted bytes that have arrived on an idle connection.
fn front(reader: rustls::Reader<'_>) -> Idle {
    reader.into_first_chunk().map_or(Idle::Closed, Idle::of)
}
