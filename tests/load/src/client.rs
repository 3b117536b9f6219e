//! A plain, blocking client: one request, and connections kept idle.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::ClientConfig;

use crate::generator::API_KEY;
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
    /// Keeps the connection open until the response is dropped.
    _connection: Connection,
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
pub(crate) fn get_over(over: Over, address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
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
                _connection: connection,
            });
        }
    }
}
