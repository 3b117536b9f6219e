//! Connects to an endpoint by trying its addresses in turn.
//!
//! The addresses are tried one after another, not in parallel as in Happy
//! Eyeballs (RFC 8305): upstreams are nearby, and the address of the last
//! successful connection is tried first, so that an address family that does
//! not work costs time once and not with every connection.

use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::address::Address;
use crate::connection::Connection;
use crate::endpoint::Endpoint;

/// The address to which a connection was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// Over TCP.
    Ip(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// Why connecting to an endpoint failed. With several addresses, the reason for
/// the last one tried that says something about the endpoint.
#[derive(Debug)]
pub enum ConnectError {
    /// The endpoint's name has no address.
    Unresolved,
    /// The connection was refused: nothing listens at the address.
    Refused,
    /// The connection was not established within the time limit.
    Timeout,
    /// The network or host is unreachable.
    Unreachable,
    /// Any other error, such as too many open file descriptors.
    Other(io::Error),
}

impl Endpoint {
    /// Connects, with `within` as the limit over all addresses. An address that
    /// is not the last gets only an equal share of the remaining time, so that
    /// one which drops packets leaves time for the others.
    ///
    /// # Errors
    /// The reason for the last address tried that says something about the
    /// endpoint. The resolver is then asked to resolve the name again before
    /// its TTL expires.
    pub async fn connect(&self, within: Duration) -> Result<(Connection, Remote), ConnectError> {
        let connected = match self.address() {
            Address::Unix(path) => {
                let stream = limited(Instant::now() + within, UnixStream::connect(path)).await;
                stream.map(|s| (Connection::Unix(s), Remote::Unix(path.clone())))
            }
            Address::Ip(_) | Address::Name { .. } | Address::Resolved { .. } => {
                self.connect_tcp(within).await
            }
        };
        match &connected {
            Ok(_) => self.connections.opened.fetch_add(1, Relaxed),
            Err(_) => {
                self.wake_resolver.notify_one();
                self.connections.failed.fetch_add(1, Relaxed)
            }
        };
        connected
    }

    /// Connects for a health check: as for a request, but to another port if there is one, and
    /// without an effect on what requests do and on what is counted about them.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_for_check(
        &self,
        within: Duration,
        port: Option<u16>,
    ) -> Result<Connection, ConnectError> {
        let connected = match self.address() {
            Address::Unix(path) => {
                let stream = limited(Instant::now() + within, UnixStream::connect(path)).await;
                stream.map(Connection::Unix)
            }
            Address::Ip(_) | Address::Name { .. } | Address::Resolved { .. } => {
                let connected = self.connect_in_turn(within, port).await;
                connected.map(|(stream, _, _)| Connection::Tcp(stream))
            }
        };
        if connected.is_err() {
            self.wake_resolver.notify_one();
        }
        connected
    }

    async fn connect_tcp(&self, within: Duration) -> Result<(Connection, Remote), ConnectError> {
        let (stream, address, place) = self.connect_in_turn(within, None).await?;
        self.preferred.store(place, Relaxed);
        Ok((Connection::Tcp(stream), Remote::Ip(address)))
    }

    /// The connection, the address, and its index.
    async fn connect_in_turn(
        &self,
        within: Duration,
        port: Option<u16>,
    ) -> Result<(TcpStream, SocketAddr, usize), ConnectError> {
        let resolution = self.resolution();
        let count = resolution.addresses.len();
        let deadline = Instant::now() + within;
        let first = self.preferred.load(Relaxed);
        let mut error = None;
        for turn in 0..count {
            let place = (first + turn) % count;
            let Some(&address) = resolution.addresses.get(place) else {
                break;
            };
            let address = port.map_or(address, |port| SocketAddr::new(address.ip(), port));
            let left = u32::try_from(count - turn).unwrap_or(u32::MAX);
            let share = Instant::now() + deadline.duration_since(Instant::now()) / left;
            match limited(share, TcpStream::connect(address)).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(ConnectError::from)?;
                    return Ok((stream, address, place));
                }
                Err(why) => error = Some(why.after(error)),
            }
        }
        Err(error.unwrap_or(ConnectError::Unresolved))
    }
}

impl ConnectError {
    /// The reason that counts, after an earlier one for another address. On a machine without
    /// IPv6, `localhost` has an address that cannot be connected from: that says nothing of the
    /// endpoint, and must not hide that the other address refuses.
    fn after(self, earlier: Option<Self>) -> Self {
        match (&self, earlier) {
            (Self::Other(error), Some(earlier)) if error.kind() == ErrorKind::AddrNotAvailable => {
                earlier
            }
            _ => self,
        }
    }
}

async fn limited<T>(
    deadline: Instant,
    connecting: impl Future<Output = io::Result<T>>,
) -> Result<T, ConnectError> {
    match timeout_at(deadline, connecting).await {
        Ok(connected) => connected.map_err(ConnectError::from),
        Err(_) => Err(ConnectError::Timeout),
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The file of a Unix socket does not exist, so nothing listens
            // there.
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => Self::Refused,
            ErrorKind::TimedOut => Self::Timeout,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
                Self::Unreachable
            }
            _ => Self::Other(error),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("its name has no address"),
            Self::Refused => f.write_str("connection refused"),
            Self::Timeout => f.write_str("connecting took too long"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
