//! The byte streams of connections, TCP or Unix sockets, split into two halves.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use janua_upstream::{ConnectError, Connection, Endpoint};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, tcp, unix};

/// The reading half of a stream.
pub(crate) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    #[cfg(test)]
    Memory(crate::testing::PipeReader),
}

/// The writing half of a stream.
pub(crate) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    #[cfg(test)]
    Memory(crate::testing::PipeWriter),
}

/// What the peer of an idle connection has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing: the connection can be used again.
    Quiet,
    /// It has closed the connection, or the connection failed.
    Closed,
    /// It has sent bytes that belong to no response.
    Unsolicited,
}

impl Idle {
    /// Interprets the bytes that have arrived on an idle connection.
    pub(crate) fn of(unsolicited: &[u8]) -> Self {
        // Some servers send a 408 when they close an idle connection (RFC 9110 §15.5.9).
        let is_timeout = [b"HTTP/1.1 408", b"HTTP/1.0 408"]
            .iter()
            .any(|start| unsolicited.starts_with(*start));
        match unsolicited {
            [] => Self::Quiet,
            _ if is_timeout => Self::Closed,
            _ => Self::Unsolicited,
        }
    }
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

/// Connects to an endpoint, within this time.
///
/// # Errors
/// See [`Endpoint::connect`].
pub(crate) async fn connect(
    endpoint: &Endpoint,
    within: Duration,
) -> Result<(ReadHalf, WriteHalf), ConnectError> {
    #[cfg(test)]
    if let Some(connected) = crate::testing::connect(endpoint, within).await {
        return connected;
    }
    let (connection, _) = endpoint.connect(within).await?;
    Ok(from_upstream(connection))
}

impl ReadHalf {
    /// Reads some bytes; 0 means that the peer has closed its sending side.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let polled = match self {
            Self::Tcp(half) => Pin::new(half).poll_read(context, &mut buffer),
            Self::Unix(half) => Pin::new(half).poll_read(context, &mut buffer),
            #[cfg(test)]
            Self::Memory(half) => return half.poll_read(context, buffer.initialize_unfilled()),
        };
        polled.map_ok(|()| buffer.filled().len())
    }

    /// Ready once there are bytes to read, or the peer has closed. It reads nothing and needs
    /// no buffer, so that an idle connection costs little.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let polled = match self {
            Self::Tcp(half) => half.as_ref().poll_read_ready(context),
            Self::Unix(half) => half.as_ref().poll_read_ready(context),
            #[cfg(test)]
            Self::Memory(half) => half.poll_readable(context).map(Ok),
        };
        polled.map(drop)
    }

    /// What the peer has done on an idle connection. This peeks at the socket itself: the
    /// runtime learns about received bytes only when it next polls the kernel, and bytes
    /// that are already there must not be taken for the next response.
    pub(crate) fn idle_state(&self) -> Idle {
        let mut front = [0; 12];
        loop {
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            let peeked = match self {
                Self::Tcp(half) => recv(half.as_ref(), &mut front, flags),
                Self::Unix(half) => recv(half.as_ref(), &mut front, flags),
                #[cfg(test)]
                Self::Memory(half) => {
                    let front = half.peek(front.len());
                    return front.map_or(Idle::Closed, |front| Idle::of(&front));
                }
            };
            return match peeked {
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Idle::Quiet,
                Err(_) | Ok((_, 0)) => Idle::Closed,
                Ok((count, _)) => Idle::of(front.get(..count).unwrap_or_default()),
            };
        }
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
                #[cfg(test)]
                Self::Memory(half) => half.poll_write(context, first),
            };
        }
        let slices = [io::IoSlice::new(first), io::IoSlice::new(second)];
        match self {
            Self::Tcp(half) => Pin::new(half).poll_write_vectored(context, &slices),
            Self::Unix(half) => Pin::new(half).poll_write_vectored(context, &slices),
            #[cfg(test)]
            Self::Memory(half) => half.poll_write(context, &[first, second].concat()),
        }
    }

    /// Writes some of the bytes, and tells the kernel that more will follow (`MSG_MORE`), so
    /// that it need not send them in a packet of their own.
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
            #[cfg(test)]
            Self::Memory(half) => half.poll_write(context, bytes),
        }
    }

    /// Sends at most `count` bytes of a file from `offset` on, without copying them into this
    /// process (`sendfile`).
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
            // Not needed: files are sent to clients, which connect over TCP.
            Self::Unix(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
            #[cfg(test)]
            Self::Memory(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Makes the connection end with a reset, instead of an orderly close, when its other half
    /// is dropped.
    pub(crate) fn reset(self) {
        match self {
            Self::Tcp(half) => {
                let _ = half.as_ref().set_zero_linger();
                // Dropping the half would first shut down the connection in an orderly way.
                half.forget();
            }
            // Unix sockets have no reset, and clients connect over TCP.
            Self::Unix(_) => {}
            #[cfg(test)]
            Self::Memory(mut half) => half.reset(),
        }
    }

    /// Closes the writing direction of the connection.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(context),
            Self::Unix(half) => Pin::new(half).poll_shutdown(context),
            #[cfg(test)]
            Self::Memory(half) => {
                half.close();
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// Performs a non-blocking system call on a socket that the runtime polls.
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
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, UnixStream};

    use super::*;

    async fn tcp() -> (ReadHalf, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        (from_upstream(Connection::Tcp(stream)).0, other)
    }

    /// On loopback what was written, or that it was closed, is there at once.
    /// The runtime has not heard of it: nothing here awaits it.
    #[tokio::test]
    async fn a_look_sees_what_has_come_before_the_runtime_hears_of_it() {
        for (sent, expected) in [
            (&b"HTTP/1.1 200 OK"[..], Idle::Unsolicited),
            (b"x", Idle::Unsolicited),
            (b"HTTP/1.1 408 Request Timeout\r\n", Idle::Closed),
        ] {
            let (half, mut other) = tcp().await;
            assert_eq!(half.idle_state(), Idle::Quiet);
            other.try_write(sent).unwrap();
            assert_eq!(half.idle_state(), expected);
            other.shutdown().await.unwrap();
        }
        let (half, other) = tcp().await;
        drop(other);
        assert_eq!(half.idle_state(), Idle::Closed);

        let (unix, mut other) = UnixStream::pair().unwrap();
        let (half, _write) = from_upstream(Connection::Unix(unix));
        assert_eq!(half.idle_state(), Idle::Quiet);
        other.write_all(b"x").await.unwrap();
        assert_eq!(half.idle_state(), Idle::Unsolicited);
    }
}
