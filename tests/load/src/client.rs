//! A plain, blocking client: one request, and connections kept idle.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustls::ClientConfig;

use crate::generator::{API_KEY, Ask};
use crate::http2::{Conversation, STREAMS};
use crate::tls::{self, Over};

const LIMIT: Duration = Duration::from_secs(5);

/// A response.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The value of `X-Turn`, which tells the configuration that is in use.
    pub(crate) turn: Option<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// The connection, which stays open until the response is dropped.
    pub(crate) connection: Connection,
}

/// A connection in clear text or with TLS.
pub(crate) enum Connection {
    /// In clear text.
    Clear(TcpStream),
    /// With TLS.
    Tls(tls::Stream),
}

impl Connection {
    /// Connects, and performs the handshake if there is a configuration of TLS. Neither this
    /// nor a later reading waits longer than `limit`.
    ///
    /// # Errors
    /// The connection is refused, or the handshake fails.
    pub(crate) fn open(
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, limit)?;
        socket.set_read_timeout(Some(limit))?;
        socket.set_nodelay(true)?;
        Ok(match tls {
            None => Self::Clear(socket),
            Some(config) => Self::Tls(tls::Stream::open(socket, config)?),
        })
    }

    /// True if the server has not closed it. What has been received is dropped, so that the
    /// connection is of no further use.
    pub(crate) fn is_open(&self) -> bool {
        let mut socket = match self {
            Self::Clear(stream) => stream,
            Self::Tls(stream) => stream.socket(),
        };
        let mut dropped = [0; 1024];
        // A connection that blocks would wait for the next bytes.
        socket.set_nonblocking(true).is_ok()
            && loop {
                match socket.read(&mut dropped) {
                    Ok(0) => break false,
                    Ok(_) => {}
                    Err(error) => break error.kind() == ErrorKind::WouldBlock,
                }
            }
    }

    /// True if it has agreed with the server to HTTP/2, or needs no agreement.
    fn may_speak_http2(&self) -> bool {
        match self {
            Self::Clear(_) => true,
            Self::Tls(stream) => stream.speaks_http2(),
        }
    }

    /// Sends all bytes.
    ///
    /// # Errors
    /// The connection fails.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes),
        }
    }

    /// Reads some bytes; 0 at the end.
    ///
    /// # Errors
    /// The connection fails, or nothing comes in time.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

/// A connection of HTTP/2 that repeats one request.
pub(crate) struct Multiplexed {
    connection: Connection,
    conversation: Conversation,
    block: Vec<u8>,
    buffer: Vec<u8>,
}

impl Multiplexed {
    /// Opens a connection to this address.
    ///
    /// # Errors
    /// As those of [`Connection::open`], or the server does not agree to HTTP/2.
    pub(crate) fn open(address: SocketAddr, ask: &Ask, limit: Duration) -> anyhow::Result<Self> {
        let connection = Connection::open(address, ask.over.config()?.as_ref(), limit)?;
        if !connection.may_speak_http2() {
            bail!("no agreement to HTTP/2");
        }
        Ok(Self {
            connection,
            conversation: Conversation::new(ask.payload()),
            block: ask.requests().pop().context("no request")?,
            buffer: vec![0; 32 * 1024],
        })
    }

    /// Sends so many requests, as many at once as a connection carries, and waits for the
    /// responses.
    ///
    /// # Errors
    /// The connection fails, or a response is not the expected one.
    pub(crate) fn ask(&mut self, mut requests: usize) -> anyhow::Result<()> {
        let mut finished = Vec::new();
        while requests > 0 {
            let together = requests.min(STREAMS);
            requests -= together;
            for _ in 0..together {
                self.conversation.ask(&self.block, Instant::now());
            }
            finished.clear();
            while finished.len() < together {
                self.flush()?;
                let read = self.connection.read(&mut self.buffer)?;
                if read == 0 {
                    bail!("closed within the answer");
                }
                let came = self.buffer.get(..read).unwrap_or_default();
                if let Err(failure) = self.conversation.take(came, &mut finished) {
                    bail!("{failure:?}");
                }
            }
            if let Some(failure) = finished.iter().find_map(|one| one.wrong) {
                bail!("{failure:?}");
            }
        }
        // The server's settings may have come together with the response. It closes a connection
        // that does not acknowledge them.
        self.flush()
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let out = std::mem::take(&mut self.conversation.out);
        if !out.is_empty() {
            self.connection.write_all(&out)?;
        }
        Ok(())
    }

    /// The connection, without what the requests needed.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }
}

/// Sends one request on a new connection, reads the complete response, and returns the
/// connection. The response must have `length` bytes of body.
///
/// # Errors
/// The connection fails, or the response is another one.
pub(crate) fn open_used(
    over: Over,
    address: SocketAddr,
    path: &str,
    length: usize,
) -> anyhow::Result<Connection> {
    if over.is_http2() {
        let ask = Ask::plain(path, length).over(over);
        let mut client = Multiplexed::open(address, &ask, LIMIT)?;
        client.ask(1)?;
        return Ok(client.into_connection());
    }
    let answer = get_over(over, address, path)?;
    if answer.status != 200 || answer.body.len() != length {
        bail!(
            "answered {} with {} bytes",
            answer.status,
            answer.body.len()
        );
    }
    Ok(answer.connection)
}

/// Sends one request on a new connection, and reads the complete response.
///
/// # Errors
/// The connection fails, or the response is not HTTP/1.1 with a `Content-Length`.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    get_over(Over::Cleartext, address, path)
}

/// The same, in clear text or over TLS.
///
/// # Errors
/// As those of [`get`], or the handshake fails.
fn get_over(over: Over, address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let mut connection = Connection::open(address, over.config()?.as_ref(), LIMIT)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: load.example\r\nX-Api-Key: {API_KEY}\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut came = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = connection.read(&mut chunk)?;
        if read == 0 {
            bail!("closed within the answer");
        }
        came.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(end) = response.parse(&came)? else {
            continue;
        };
        let status = response.code.context("no status")?;
        let length: usize = fields
            .iter()
            .find(|line| line.name.eq_ignore_ascii_case("content-length"))
            .and_then(|line| str::from_utf8(line.value).ok()?.parse().ok())
            .context("no Content-Length")?;
        if came.len() >= end + length {
            let mut lines = fields.iter();
            let turn = lines.find(|line| line.name.eq_ignore_ascii_case("x-turn"));
            return Ok(Answer {
                status,
                turn: turn.map(|line| String::from_utf8_lossy(line.value).into_owned()),
                body: came.split_off(end),
                connection,
            });
        }
    }
}
