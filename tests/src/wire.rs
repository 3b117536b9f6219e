//! A connection under full control of a test, on either side: bytes are sent
//! exactly as given, and messages are parsed strictly by RFC 9112.

mod read;
mod stream;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use crate::http2::Near;
use crate::message::{ReadError, Request, Response};
use crate::tls::Handshake;
pub(crate) use stream::Stream;

/// A connection, and bytes already read from it.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    buffer: Vec<u8>,
    patience: Duration,
    handshake: Option<Handshake>,
}

impl Wire {
    /// Connects to a TCP address.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await;
        Self::from(stream.unwrap_or_else(|error| panic!("connecting to {address}: {error}")))
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// If nothing listens there.
    pub async fn connect_unix(path: &Path) -> std::io::Result<Self> {
        UnixStream::connect(path).await.map(Self::from)
    }

    /// The time limit of one read; [`crate::PATIENCE`] by default.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// If the peer does not accept the bytes.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        // TLS may have encrypted what the socket has not accepted yet.
        self.stream.flush().await
    }

    /// Sends bytes, which must succeed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes)
            .await
            .expect("the peer takes what is sent");
    }

    /// Sends a request and reads its response, both of which must succeed.
    pub async fn exchange(&mut self, request: &Request) -> Response {
        self.send(request.to_bytes()).await;
        self.receive(request.method()).await
    }

    /// What the TLS handshake established.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        self.handshake.as_ref().expect("the connection has TLS")
    }

    /// Sends a KeyUpdate of TLS 1.3, which the peer has to answer with its own.
    pub async fn update_keys(&mut self) {
        let updated = self.try_update_keys().await;
        updated.expect("the peer takes the message");
    }

    /// The same.
    ///
    /// # Errors
    /// If the peer does not accept the message.
    pub async fn try_update_keys(&mut self) -> std::io::Result<()> {
        let Stream::Tls(stream) = &mut self.stream else {
            panic!("the connection has no TLS");
        };
        let updated = match &mut **stream {
            TlsStream::Client(stream) => stream.get_mut().1.refresh_traffic_keys(),
            TlsStream::Server(stream) => stream.get_mut().1.refresh_traffic_keys(),
        };
        updated.expect("the connection has TLS 1.3");
        self.stream.flush().await
    }

    /// Closes the sending side of TCP without the `close_notify` of TLS, as somebody on the way
    /// can do.
    pub fn truncate(&self) {
        let stream = self.stream.tcp().expect("the connection has TLS");
        let socket = socket2::SockRef::from(stream);
        socket.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Closes the sending side.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Aborts the connection with a reset.
    pub fn reset(self) {
        self.reset_on_drop();
    }

    /// Makes the end of this connection a reset, once it is dropped.
    pub fn reset_on_drop(&self) {
        self.stream
            .with_socket(|socket| socket.set_linger(Some(Duration::ZERO)).unwrap());
        if let Stream::Adapted(near) = &self.stream {
            near.abort_on_drop();
        }
    }

    /// Sets the size of the socket's receive buffer in bytes. With a small one,
    /// the effect of a client that does not read is visible sooner.
    pub fn set_receive_buffer(&self, size: usize) {
        self.stream
            .with_socket(|socket| socket.set_recv_buffer_size(size).unwrap());
    }

    /// Reads until at least `size` bytes are there, and returns these.
    ///
    /// # Errors
    /// If the connection ends, or nothing arrives in time.
    pub async fn take(&mut self, size: usize) -> Result<Vec<u8>, ReadError> {
        while self.buffer.len() < size {
            self.fill("the bytes that were waited for").await?;
        }
        let rest = self.buffer.split_off(size);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// Reads until `needle` has arrived, and returns everything up to its end.
    ///
    /// # Errors
    /// If the connection ends, or nothing arrives in time.
    pub async fn take_until(&mut self, needle: &[u8]) -> Result<Vec<u8>, ReadError> {
        let mut from = 0;
        loop {
            let found = self.buffer[from..]
                .windows(needle.len())
                .position(|window| window == needle);
            if let Some(at) = found {
                return self.take(from + at + needle.len()).await;
            }
            from = self.buffer.len().saturating_sub(needle.len() - 1);
            self.fill("what was waited for").await?;
        }
    }

    /// Returns the bytes that are there or arrive next; empty at the end of the
    /// stream.
    ///
    /// # Errors
    /// If the connection is reset, or nothing arrives in time.
    pub async fn take_some(&mut self) -> Result<Vec<u8>, ReadError> {
        if self.buffer.is_empty() {
            match self.fill("a read").await {
                Ok(()) => {}
                Err(ReadError::Closed) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Sends back what it receives, until the peer closes or resets the connection.
    pub async fn echo(&mut self) {
        while let Ok(some) = self.take_some().await {
            if some.is_empty() || self.try_send(&some).await.is_err() {
                return;
            }
        }
    }

    /// Returns everything until the peer closes the connection.
    ///
    /// # Errors
    /// If the connection is reset, or nothing arrives in time.
    pub async fn take_rest(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut all = Vec::new();
        loop {
            let some = self.take_some().await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&some);
        }
    }

    /// Whether the peer has closed or reset the connection, with nothing left
    /// to read.
    pub async fn is_closed(&mut self) -> bool {
        match self.take_some().await {
            Ok(rest) => rest.is_empty(),
            Err(error) => matches!(error, ReadError::Incomplete(_)),
        }
    }

    /// Whether nothing, not even a close, arrives within this time.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        let patience = std::mem::replace(&mut self.patience, time);
        let silent = self.fill("silence").await == Err(ReadError::TimedOut);
        self.patience = patience;
        silent && self.buffer.is_empty()
    }

    /// Reads more bytes into the buffer. If the connection ends before the
    /// first byte of a message, the error is [`ReadError::Closed`].
    async fn fill(&mut self, what: &str) -> Result<(), ReadError> {
        match timeout(self.patience, self.stream.read_buf(&mut self.buffer)).await {
            Err(_) => Err(ReadError::TimedOut),
            Ok(Err(error)) => Err(ReadError::Incomplete(format!("{what}: {error}"))),
            Ok(Ok(0)) if self.buffer.is_empty() => Err(ReadError::Closed),
            Ok(Ok(0)) => Err(ReadError::Incomplete(what.to_owned())),
            Ok(Ok(_)) => Ok(()),
        }
    }
}

impl From<TcpStream> for Wire {
    fn from(stream: TcpStream) -> Self {
        // With Nagle's algorithm, writes that a test makes separately might be
        // merged.
        let _ = stream.set_nodelay(true);
        Self::over(Stream::Tcp(stream))
    }
}

impl From<UnixStream> for Wire {
    fn from(stream: UnixStream) -> Self {
        Self::over(Stream::Unix(stream))
    }
}

impl Wire {
    pub(crate) fn over_tls(stream: TlsStream<TcpStream>, handshake: Handshake) -> Self {
        let mut wire = Self::over(Stream::Tls(Box::new(stream)));
        wire.handshake = Some(handshake);
        wire
    }

    /// The TCP connection below, from which nothing has been read.
    ///
    /// # Panics
    /// If it is another kind of connection, or something has been read.
    #[must_use]
    pub fn into_tcp(self) -> TcpStream {
        assert!(self.buffer.is_empty(), "something has been read");
        match self.stream {
            Stream::Tcp(stream) => stream,
            _ => panic!("the connection is not of TCP alone"),
        }
    }

    /// The end of a connection whose other end speaks HTTP/2, established with this handshake.
    pub(crate) fn adapted(near: Near, handshake: Option<Handshake>) -> Self {
        let mut wire = Self::over(Stream::Adapted(near));
        wire.handshake = handshake;
        wire
    }

    /// What the TLS handshake established; none without TLS.
    pub(crate) fn optional_handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// The same for a library that speaks a protocol of its own.
    #[must_use]
    pub fn into_io(self) -> impl AsyncRead + AsyncWrite + Unpin + Send + use<> {
        self.into_stream()
    }

    /// The connection, from which nothing has been read.
    pub(crate) fn into_stream(self) -> Stream {
        assert!(self.buffer.is_empty(), "something has been read");
        self.stream
    }

    fn over(stream: Stream) -> Self {
        Self {
            handshake: None,
            stream,
            buffer: Vec::new(),
            patience: crate::PATIENCE,
        }
    }
}
