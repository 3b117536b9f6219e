//! The byte streams of connections, split into two halves: TCP, Unix sockets, TLS over
//! either, and the streams of HTTP/2, of which there are those of clients and those of upstreams.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use janua_http::Fields;
use janua_upstream::Connection;
use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, tcp, unix};

use crate::http2_stream::Http2Stream;
use crate::idle::{Idle, peek};
use crate::tls_stream::TlsStream;
use crate::upstream_stream::UpstreamStream;

/// The reading half of a stream.
pub(crate) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    Tls(Rc<TlsStream>),
    Unix(unix::OwnedReadHalf),
    Http2(Rc<Http2Stream>),
    Upstream(Rc<UpstreamStream>),
    /// Of nobody: nothing comes, and nobody leaves.
    Nobody,
    #[cfg(test)]
    Memory(crate::testing::PipeReader),
}

/// The writing half of a stream.
pub(crate) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    Tls(Rc<TlsStream>),
    Unix(unix::OwnedWriteHalf),
    Http2(Rc<Http2Stream>),
    Upstream(Rc<UpstreamStream>),
    #[cfg(test)]
    Memory(crate::testing::PipeWriter),
}

/// Splits an accepted connection.
pub(crate) fn from_tcp(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
}

/// Splits a TLS connection.
pub(crate) fn from_tls(stream: TlsStream) -> (ReadHalf, WriteHalf) {
    let stream = Rc::new(stream);
    (ReadHalf::Tls(Rc::clone(&stream)), WriteHalf::Tls(stream))
}

/// Splits a stream of an HTTP/2 connection.
pub(crate) fn from_http2(stream: Http2Stream) -> (ReadHalf, WriteHalf) {
    let stream = Rc::new(stream);
    (
        ReadHalf::Http2(Rc::clone(&stream)),
        WriteHalf::Http2(stream),
    )
}

/// Splits a stream of an upstream's HTTP/2 connection.
pub(crate) fn from_upstream_stream(stream: UpstreamStream) -> (ReadHalf, WriteHalf) {
    let stream = Rc::new(stream);
    (
        ReadHalf::Upstream(Rc::clone(&stream)),
        WriteHalf::Upstream(stream),
    )
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
    /// Reads some bytes; 0 means that the peer has closed its sending side.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let polled = self.poll_read_into(context, &mut buffer);
        polled.map_ok(|()| buffer.filled().len())
    }

    /// Reads some bytes into a buffer that need not be initialized; none mean that the peer has
    /// closed its sending side.
    pub(crate) fn poll_read_into(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = match self {
            Self::Tcp(half) => return Pin::new(half).poll_read(context, buffer),
            Self::Tls(stream) => return stream.poll_read(context, buffer),
            Self::Unix(half) => return Pin::new(half).poll_read(context, buffer),
            Self::Http2(stream) => stream.poll_read(context, buffer.initialize_unfilled()),
            Self::Upstream(stream) => stream.poll_read(context, buffer.initialize_unfilled()),
            // There is nothing that could wake the task.
            Self::Nobody => return Poll::Pending,
            #[cfg(test)]
            Self::Memory(half) => half.poll_read(context, buffer.initialize_unfilled()),
        };
        polled.map_ok(|count| buffer.advance(count))
    }

    /// Ready once there are bytes to read, or the peer has closed. It reads nothing and needs
    /// no buffer, so that an idle connection costs little.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let polled = match self {
            Self::Tcp(half) => half.as_ref().poll_read_ready(context),
            Self::Tls(stream) => stream.poll_readable(context).map(Ok),
            Self::Unix(half) => half.as_ref().poll_read_ready(context),
            // Its request has arrived, and it carries no other.
            Self::Http2(_) | Self::Upstream(_) => Poll::Ready(Ok(())),
            Self::Nobody => Poll::Pending,
            #[cfg(test)]
            Self::Memory(half) => half.poll_readable(context).map(Ok),
        };
        polled.map(drop)
    }

    /// After all bytes of the peer: ready once it is known to be gone. The end of an HTTP/2 stream
    /// is the end of the request and no more, so that only a reset tells; elsewhere a client
    /// that has closed its sending side may be gone.
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Http2(stream) => stream.poll_reset(context),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// The HTTP/2 stream of a client, if it is one.
    pub(crate) fn http2(&self) -> Option<&Http2Stream> {
        match self {
            Self::Http2(stream) => Some(stream),
            _ => None,
        }
    }

    /// The HTTP/2 stream of an upstream, if it is one.
    pub(crate) fn upstream(&self) -> Option<&UpstreamStream> {
        match self {
            Self::Upstream(stream) => Some(stream),
            _ => None,
        }
    }

    /// The trailers after the end of an HTTP/2 stream; none if it is not one.
    pub(crate) fn take_trailers(&self) -> Option<Fields> {
        match self {
            Self::Http2(stream) => Some(stream.take_trailers()),
            Self::Upstream(stream) => Some(stream.take_trailers()),
            _ => None,
        }
    }

    /// What the peer of an idle connection has done.
    pub(crate) fn idle_state(&self) -> Idle {
        match self {
            Self::Tcp(half) => peek(half.as_ref()),
            Self::Tls(stream) => stream.idle_state(),
            Self::Unix(half) => peek(half.as_ref()),
            Self::Http2(_) => Idle::Closed,
            Self::Upstream(stream) => stream.idle_state(),
            Self::Nobody => Idle::Quiet,
            #[cfg(test)]
            Self::Memory(half) => {
                let front = half.peek(12);
                front.map_or(Idle::Closed, |front| Idle::of(&front))
            }
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
                Self::Tls(stream) => stream.poll_write(context, first, second),
                Self::Unix(half) => Pin::new(half).poll_write(context, first),
                Self::Http2(stream) => stream.poll_write(context, first, second),
                Self::Upstream(stream) => stream.poll_write(context, first, second),
                #[cfg(test)]
                Self::Memory(half) => half.poll_write(context, first),
            };
        }
        let slices = [io::IoSlice::new(first), io::IoSlice::new(second)];
        match self {
            Self::Tcp(half) => Pin::new(half).poll_write_vectored(context, &slices),
            Self::Tls(stream) => stream.poll_write(context, first, second),
            Self::Unix(half) => Pin::new(half).poll_write_vectored(context, &slices),
            Self::Http2(stream) => stream.poll_write(context, first, second),
            Self::Upstream(stream) => stream.poll_write(context, first, second),
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
            Self::Tls(_) | Self::Unix(_) | Self::Http2(_) | Self::Upstream(_) => {
                self.poll_write(context, bytes, &[])
            }
            #[cfg(test)]
            Self::Memory(half) => half.poll_write(context, bytes),
        }
    }

    /// Sends at most `count` bytes of a file from `offset` on. Over TCP they are not copied into
    /// this process (`sendfile`); over TLS they have to be encrypted.
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
            Self::Tls(stream) => stream.poll_send_file(context, file, offset, count),
            Self::Http2(stream) => stream.poll_send_file(context, file, offset, count),
            // Not needed: files are sent to clients, which connect over TCP.
            Self::Unix(_) | Self::Upstream(_) => {
                Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
            }
            #[cfg(test)]
            Self::Memory(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// True if bytes were accepted that are not sent yet: those that TLS has encrypted.
    pub(crate) fn holds_bytes(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.holds_bytes(),
            _ => false,
        }
    }

    /// Sends the bytes that it holds.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(stream) => stream.poll_flush(context),
            Self::Http2(stream) => stream.poll_flush(),
            Self::Upstream(stream) => Poll::Ready(stream.flush()),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// The HTTP/2 stream of a client, if it is one.
    pub(crate) fn http2(&self) -> Option<&Http2Stream> {
        match self {
            Self::Http2(stream) => Some(stream),
            _ => None,
        }
    }

    /// True if it is an HTTP/2 stream.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Http2(_) | Self::Upstream(_))
    }

    /// True if it is an HTTP/2 stream of an upstream.
    pub(crate) fn is_upstream(&self) -> bool {
        matches!(self, Self::Upstream(_))
    }

    /// All of the body has been passed on to an HTTP/2 stream, and these trailers follow.
    pub(crate) fn end(&self, trailers: &Fields) {
        match self {
            Self::Http2(stream) => stream.end(trailers),
            Self::Upstream(stream) => stream.end(trailers),
            _ => {}
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
            Self::Tls(stream) => stream.reset(),
            Self::Http2(stream) => stream.reset(),
            Self::Upstream(stream) => stream.reset(),
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
            Self::Tls(stream) => stream.poll_shutdown(context),
            Self::Unix(half) => Pin::new(half).poll_shutdown(context),
            Self::Http2(stream) => stream.poll_shutdown(),
            Self::Upstream(stream) => Poll::Ready(stream.shutdown()),
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
