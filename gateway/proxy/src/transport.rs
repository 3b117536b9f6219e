//! The byte streams that a connection may run over, split into their halves.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use janua_upstream::Connection;
use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, tcp, unix};

/// The half that is read.
pub(crate) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
}

/// The half that is written.
pub(crate) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
}

/// Splits an accepted connection.
pub(crate) fn from_tcp(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
}

/// Splits a connection to an upstream.
pub(crate) fn from_upstream(connection: Connection) -> (ReadHalf, WriteHalf) {
    match connection {
        Connection::Tcp(stream) => from_tcp(stream),
        Connection::Unix(stream) => {
            let (read, write) = stream.into_split();
            (ReadHalf::Unix(read), WriteHalf::Unix(write))
        }
    }
}

impl ReadHalf {
    /// Reads some bytes; none means that the peer has closed its side.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let polled = match self {
            Self::Tcp(half) => Pin::new(half).poll_read(context, &mut buffer),
            Self::Unix(half) => Pin::new(half).poll_read(context, &mut buffer),
        };
        polled.map_ok(|()| buffer.filled().len())
    }

    /// Ready once there is something to read, or the end. Takes no memory
    /// and reads nothing, so that an idle connection costs little.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let polled = match self {
            Self::Tcp(half) => half.as_ref().poll_read_ready(context),
            Self::Unix(half) => half.as_ref().poll_read_ready(context),
        };
        polled.map(drop)
    }

    /// True if nothing has come and the peer has not closed: an idle
    /// connection that may be used again. Mostly a look at a flag; a system
    /// call only if the runtime was told of an event.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        if self.poll_readable(&mut context).is_pending() {
            return true;
        }
        let mut byte = [0];
        let read = match self {
            Self::Tcp(half) => half.try_read(&mut byte),
            Self::Unix(half) => half.try_read(&mut byte),
        };
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl WriteHalf {
    /// Writes some of the bytes, the second slice after the first.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        if second.is_empty() {
            return match self {
                Self::Tcp(half) => Pin::new(half).poll_write(context, first),
                Self::Unix(half) => Pin::new(half).poll_write(context, first),
            };
        }
        let slices = [io::IoSlice::new(first), io::IoSlice::new(second)];
        match self {
            Self::Tcp(half) => Pin::new(half).poll_write_vectored(context, &slices),
            Self::Unix(half) => Pin::new(half).poll_write_vectored(context, &slices),
        }
    }

    /// Writes some of the bytes, and says to the kernel that more will follow
    /// at once, so that they need not leave in a packet of their own.
    pub(crate) fn poll_write_more(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(half) => poll_io(context, half.as_ref(), |stream| {
                rustix::net::send(stream, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)
            }),
            Self::Unix(_) => self.poll_write(context, bytes, &[]),
        }
    }

    /// Sends at most `count` bytes of a file from `offset` on, without their
    /// passing through this process.
    pub(crate) fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        mut offset: u64,
        count: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(half) => poll_io(context, half.as_ref(), |stream| {
                rustix::fs::sendfile(stream, file, Some(&mut offset), count)
            }),
            // Clients come over TCP.
            Self::Unix(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Has the connection reset when its other half is dropped, instead of
    /// ended in order.
    pub(crate) fn reset(self) {
        // A Unix socket knows no reset; clients come over TCP.
        if let Self::Tcp(half) = self {
            let _ = half.as_ref().set_zero_linger();
            // Dropped, it would say first that nothing more comes.
            half.forget();
        }
    }

    /// Says to the peer that nothing more will come.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(context),
            Self::Unix(half) => Pin::new(half).poll_shutdown(context),
        }
    }
}

/// A system call on a socket that the runtime watches.
fn poll_io<T>(
    context: &mut Context<'_>,
    stream: &TcpStream,
    mut call: impl FnMut(&TcpStream) -> rustix::io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        ready!(stream.poll_write_ready(context))?;
        match stream.try_io(Interest::WRITABLE, || Ok(call(stream)?)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, UnixStream};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_quiet_until_the_other_side_speaks_or_closes() {
        let (unix, mut other) = UnixStream::pair().unwrap();
        let (half, _write) = from_upstream(Connection::Unix(unix));
        assert!(half.is_quiet());
        other.write_all(b"x").await.unwrap();
        loud(&half).await;

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        let (half, _write) = from_upstream(Connection::Tcp(stream));
        assert!(half.is_quiet());
        drop(other);
        loud(&half).await;
    }

    /// Waits until the event loop has heard of it.
    async fn loud(half: &ReadHalf) {
        for _ in 0..100 {
            if !half.is_quiet() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("still quiet");
    }
}
