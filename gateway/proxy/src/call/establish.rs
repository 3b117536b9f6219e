//! Opens a connection to an endpoint: connects, sends the PROXY header and performs the TLS
//! handshake, as far as the upstream wants them.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_upstream::{ConnectError, Connection, Endpoint};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use crate::client::Peer;
use crate::proxy_header;
use crate::reserve;
use crate::snapshot::Forwarding;
use crate::transport::{self, ReadHalf, WriteHalf};
use crate::upstream_http2::Protocol;
use crate::worker::Worker;

/// A connection that was just opened.
pub(super) enum Established {
    Http1(ReadHalf, WriteHalf),
    /// The endpoint speaks HTTP/2, as far as is known in advance or by ALPN.
    Http2(ReadHalf, WriteHalf),
}

/// Opens a connection to an endpoint, in the upstream's protocol or in HTTP/1.1 for a request that
/// needs it, and for this client if the upstream is told its address.
pub(super) async fn establish(
    worker: &Worker,
    forwarding: &Forwarding,
    endpoint: &Endpoint,
    protocol: Protocol,
    client: Option<&Rc<Peer>>,
) -> Result<Established, Failure> {
    let begin = worker.clock.now();
    let within = forwarding.upstream.connect_timeout;
    let deadline = begin.instant + within;
    let mut connected = endpoint_connection(endpoint, within).await;
    while is_out_of_descriptors(&connected) && worker.estate.reserve.give() {
        connected = endpoint_connection(endpoint, within).await;
    }
    let connected = match connected {
        Ok(connection) => {
            begin_stream(forwarding, client, endpoint, protocol, connection, deadline).await
        }
        Err(error) => Err(connect_failure(error)),
    };
    let took = begin.instant.elapsed();
    forwarding.stats.connect.observe(worker.index, took);
    if connected.is_ok() {
        forwarding.stats.opened.increment(worker.index);
    }
    connected
}

async fn endpoint_connection(
    endpoint: &Endpoint,
    within: Duration,
) -> Result<Stream, ConnectError> {
    #[cfg(test)]
    if let Some(connected) = crate::testing::connect(endpoint, within).await {
        return connected.map(|(read, write)| Stream::Memory(read, write));
    }
    let (connection, _) = endpoint.connect(within).await?;
    Ok(Stream::Socket(connection))
}

/// A connection before the first byte.
enum Stream {
    Socket(Connection),
    #[cfg(test)]
    Memory(ReadHalf, WriteHalf),
}

/// Sends the PROXY header and performs the TLS handshake, as far as the upstream wants them.
async fn begin_stream(
    forwarding: &Forwarding,
    client: Option<&Rc<Peer>>,
    endpoint: &Endpoint,
    protocol: Protocol,
    stream: Stream,
    deadline: Instant,
) -> Result<Established, Failure> {
    #[cfg_attr(
        not(test),
        expect(
            clippy::infallible_destructuring_match,
            reason = "tests have another kind"
        )
    )]
    let mut connection = match stream {
        Stream::Socket(connection) => connection,
        #[cfg(test)]
        Stream::Memory(read, write) => return Ok(in_cleartext(protocol, (read, write))),
    };
    if let Some(version) = forwarding.proxy_header {
        let header = proxy_header::write(
            version,
            client.and_then(|client| client.ends()),
            client.and_then(|client| client.tls.as_ref()),
        );
        let written = connection.write_all(&header).await;
        let lost =
            |error: std::io::Error| Failure::with(Kind::ConnectionReset, error.kind().to_string());
        written.map_err(lost)?;
    }
    let Some(tls) = &forwarding.tls else {
        let halves = transport::from_upstream(connection);
        return Ok(in_cleartext(protocol, halves));
    };
    let connecting = tls.connect(connection, endpoint.address(), protocol);
    match timeout_at(deadline, connecting).await {
        Ok(connected) => encrypted(protocol, connected?),
        Err(_) => Err(Failure::with(
            Kind::ConnectTimeout,
            "the TLS handshake was not complete in time",
        )),
    }
}

fn in_cleartext(protocol: Protocol, (read, write): (ReadHalf, WriteHalf)) -> Established {
    match protocol {
        Protocol::Http11 | Protocol::Auto => Established::Http1(read, write),
        Protocol::Http2 => Established::Http2(read, write),
    }
}

fn encrypted(protocol: Protocol, stream: TlsStream<Connection>) -> Result<Established, Failure> {
    let selects_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let (read, write) = transport::from_tls(stream.into());
    match protocol {
        _ if selects_http2 => Ok(Established::Http2(read, write)),
        Protocol::Http11 | Protocol::Auto => Ok(Established::Http1(read, write)),
        Protocol::Http2 => {
            let words = "it did not select `h2` by ALPN";
            Err(Failure::with(Kind::NoHttp2, words))
        }
    }
}

fn connect_failure(error: ConnectError) -> Failure {
    match error {
        ConnectError::Unresolved => Kind::Dns.into(),
        ConnectError::Refused => Kind::ConnectionRefused.into(),
        ConnectError::Timeout => Kind::ConnectTimeout.into(),
        ConnectError::Unreachable => Kind::Unreachable.into(),
        // A local shortage says nothing about the endpoint's health.
        ConnectError::Other(error) if reserve::is_out_of_descriptors(&error) => {
            Failure::with(Kind::Internal, "no file descriptors left")
        }
        ConnectError::Other(error) if error.kind() == ErrorKind::AddrNotAvailable => {
            Failure::with(Kind::Internal, "no local port left")
        }
        ConnectError::Other(error) => Failure::with(Kind::Unreachable, error.to_string()),
    }
}

fn is_out_of_descriptors<T>(connected: &Result<T, ConnectError>) -> bool {
    matches!(connected, Err(ConnectError::Other(error)) if reserve::is_out_of_descriptors(error))
}
