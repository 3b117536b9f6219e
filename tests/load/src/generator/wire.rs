//! A connection of either version of HTTP, or of a WebSocket.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;

use super::Target;
use super::ask::Body;
use super::connection::{self, Connection, Step};
use super::multiplexed::Multiplexed;
use super::outcome::Failure;
use super::socket::Socket;
use crate::http2::Finished;

/// A connection, with one request at a time or with several.
pub(super) enum Wire {
    Single(Connection),
    Multiplexed(Multiplexed),
    Socket(Socket),
}

impl Wire {
    /// Connects to the target; see [`connection::open`].
    pub(super) fn dial(target: &Target, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let (stream, session) = connection::open(target.address, target.ask.source, tls)?;
        Ok(if let Some((path, expected)) = target.ask.socket() {
            Self::Socket(Socket::open(stream, path, expected)?)
        } else if target.ask.over.is_http2() {
            let payload = target.ask.payload();
            Self::Multiplexed(Multiplexed::new(stream, session, payload))
        } else {
            Self::Single(Connection::new(stream, session))
        })
    }

    /// The socket.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Single(connection) => &connection.stream,
            Self::Multiplexed(connection) => &connection.stream,
            Self::Socket(connection) => &connection.stream,
        }
    }

    /// True while no request can be sent yet.
    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Self::Single(connection) => connection.is_handshaking(),
            Self::Multiplexed(connection) => connection.handshaking,
            Self::Socket(connection) => connection.is_opening(),
        }
    }

    /// The number of requests under way.
    pub(super) fn busy(&self) -> usize {
        match self {
            Self::Single(connection) => connection.busy().into(),
            Self::Multiplexed(connection) => connection.busy(),
            Self::Socket(connection) => connection.busy().into(),
        }
    }

    /// Sends a request, or leaves that to [`flush`](Self::flush).
    pub(super) fn send(&mut self, request: &[u8], due: Instant) -> Result<(), Failure> {
        match self {
            Self::Single(connection) => return connection.send(request, due),
            Self::Multiplexed(connection) => connection.ask(request, due),
            Self::Socket(connection) => return connection.send(request, due),
        }
        Ok(())
    }

    /// Sends what waits for further requests. If that fails, all requests under way are given
    /// up.
    pub(super) fn flush(&mut self, finished: &mut Vec<Finished>) -> Step {
        if let Self::Multiplexed(connection) = self
            && connection.flush().is_err()
        {
            return connection.end(Failure::Reset, finished);
        }
        Step::Waits
    }

    /// Reads what has come. Requests of a connection that carries several are appended when they
    /// have finished.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        body: Body,
        finished: &mut Vec<Finished>,
    ) -> Step {
        match self {
            Self::Single(connection) => connection.receive(scratch, body),
            Self::Multiplexed(connection) => connection.receive(scratch, finished),
            Self::Socket(connection) => connection.receive(scratch),
        }
    }
}
