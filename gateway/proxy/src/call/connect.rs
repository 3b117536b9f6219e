//! Connections to endpoints: takes them from the pool, opens new ones, checks
//! them before use, and returns them to the pool.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use janua_http::failure::Kind;
use janua_http::{Failure, ResponseHead};
use janua_upstream::{AttemptOutcome, Change, ConnectError, Connection, Endpoint, Lease, Picked};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::{Call, shared};
use crate::attempts::Attempts;
use crate::client::Peer;
use crate::clock::Moment;
use crate::idle::Idle;
use crate::proxy_header;
use crate::reserve;
use crate::snapshot::Forwarding;
use crate::transport::{self, ReadHalf, WriteHalf};
use crate::upstream_connection::UpstreamConnection;
use crate::upstream_http2::Protocol;
use crate::worker::Worker;

/// Takes a connection from the pool that is still open and silent, or a stream of one that is
/// shared. `is_lost` tells that a connection from the pool was lost before.
pub(super) fn take(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &Picked,
    is_lost: bool,
    now: Moment,
) -> Option<Box<UpstreamConnection>> {
    if forwarding.protocol != Protocol::Http11 {
        let endpoint = picked.in_flight.endpoint();
        let stream = shared::take(worker, forwarding, endpoint, now.instant);
        if stream.is_some() || forwarding.protocol == Protocol::Http2 {
            return stream;
        }
    }
    if is_lost {
        return None;
    }
    take_single(worker, forwarding, picked, now.monotonic_ms)
}

fn take_single(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &Picked,
    now_ms: u64,
) -> Option<Box<UpstreamConnection>> {
    // Those that are kept were opened before a reload, without the header.
    if forwarding.proxy_header.is_some() {
        return None;
    }
    let mut pool = worker.pool.borrow_mut();
    loop {
        let kept = pool.take(picked.in_flight.endpoint(), now_ms)?;
        let is_usable = match (&kept.tls, &forwarding.tls) {
            (Some(opened), Some(wanted)) => opened.is_same(wanted),
            (None, None) => true,
            // It was opened before a reload turned TLS on or off.
            _ => false,
        };
        if !is_usable {
            continue;
        }
        match kept.idle_state() {
            Idle::Quiet => return Some(kept),
            Idle::Closed => {}
            Idle::Unsolicited => distrust(worker, forwarding, picked),
        }
    }
}

/// Checks that a connection is still idle before a request is sent on it.
///
/// # Errors
/// The upstream has closed the connection, or has sent bytes unsolicited.
pub(super) fn check_idle(
    call: &Call<'_>,
    picked: &Picked,
    connection: &UpstreamConnection,
) -> Result<(), Failure> {
    match connection.idle_state() {
        Idle::Quiet => Ok(()),
        Idle::Closed => Err(Kind::ConnectionReset.into()),
        Idle::Unsolicited => {
            distrust(call.worker, call.course.forwarding(), picked);
            Err(Failure::with(
                Kind::ConnectionReset,
                "the upstream sent bytes before the request",
            ))
        }
    }
}

/// Records that the endpoint has sent bytes that belong to no response. For a
/// while no connection to it is reused.
fn distrust(worker: &Worker, forwarding: &Forwarding, picked: &Picked) {
    forwarding
        .stats
        .count_unsolicited(worker.index, picked.index);
    let now_ms = worker.clock.now().monotonic_ms;
    if picked.in_flight.endpoint().distrust(now_ms) {
        tracing::warn!(
            upstream = forwarding.upstream.name(),
            endpoint = forwarding.stats.endpoint(picked.index),
            "endpoint sent bytes behind a complete response; for a minute each request gets a new connection"
        );
    }
}

/// Opens a new connection.
pub(super) async fn connect(
    call: &Call<'_>,
    picked: &Picked,
    attempts: &mut Attempts,
) -> Result<Box<UpstreamConnection>, Failure> {
    let forwarding = call.course.forwarding();
    if forwarding.protocol != Protocol::Http11 {
        // Boxed, so that other calls do not carry the room that it takes.
        return Box::pin(shared::open(call, picked, attempts)).await;
    }
    let begin = Instant::now();
    let endpoint = picked.in_flight.endpoint();
    let established = establish(call.worker, forwarding, endpoint, call.client).await;
    attempts.connected(begin.elapsed());
    let (Established::Http1(read, write) | Established::Http2(read, write)) = established?;
    let tls = forwarding.tls.clone();
    Ok(Box::new(UpstreamConnection::new((read, write), tls)))
}

/// A connection that was just opened.
pub(super) enum Established {
    Http1(ReadHalf, WriteHalf),
    /// The endpoint speaks HTTP/2, as far as is known in advance or by ALPN.
    Http2(ReadHalf, WriteHalf),
}

/// Opens a connection to an endpoint, for this client if the upstream is told its address.
pub(super) async fn establish(
    worker: &Worker,
    forwarding: &Forwarding,
    endpoint: &Endpoint,
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
        Ok(connection) => begin_stream(forwarding, client, endpoint, connection, deadline).await,
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
        Stream::Memory(read, write) => return Ok(in_cleartext(forwarding, (read, write))),
    };
    if let Some(version) = forwarding.proxy_header {
        let header = proxy_header::write(
            version,
            client.and_then(|client| client.ends()),
            client.and_then(|client| client.tls.as_ref()),
        );
        let written = match &mut connection {
            Connection::Tcp(stream) => stream.write_all(&header).await,
            Connection::Unix(stream) => stream.write_all(&header).await,
        };
        let lost =
            |error: std::io::Error| Failure::with(Kind::ConnectionReset, error.kind().to_string());
        written.map_err(lost)?;
    }
    match (connection, &forwarding.tls) {
        (Connection::Tcp(stream), Some(tls)) => {
            let connecting = tls.connect(stream, endpoint.address());
            match timeout_at(deadline, connecting).await {
                Ok(connected) => encrypted(forwarding, connected?),
                Err(_) => Err(Failure::with(
                    Kind::ConnectTimeout,
                    "the TLS handshake was not complete in time",
                )),
            }
        }
        (connection, _) => {
            let halves = transport::from_upstream(connection);
            Ok(in_cleartext(forwarding, halves))
        }
    }
}

fn in_cleartext(forwarding: &Forwarding, (read, write): (ReadHalf, WriteHalf)) -> Established {
    match forwarding.protocol {
        Protocol::Http11 | Protocol::Auto => Established::Http1(read, write),
        Protocol::Http2 => Established::Http2(read, write),
    }
}

fn encrypted(
    forwarding: &Forwarding,
    stream: TlsStream<TcpStream>,
) -> Result<Established, Failure> {
    let selects_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let (read, write) = transport::from_tls(stream.into());
    match forwarding.protocol {
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

/// Returns a connection to the pool, unless bytes follow its response or the
/// endpoint has recently sent such bytes.
pub(super) fn put(
    worker: &Worker,
    forwarding: &Forwarding,
    picked: &Picked,
    mut connection: Box<UpstreamConnection>,
    head: &ResponseHead,
    now: Moment,
) {
    // A stream carries one request, and its connection is shared already.
    if connection.stream().is_some() {
        return;
    }
    match Idle::of(connection.incoming.reader.buffered()) {
        Idle::Quiet => {}
        Idle::Closed => return,
        Idle::Unsolicited => return distrust(worker, forwarding, picked),
    }
    let now_ms = now.monotonic_ms;
    // The PROXY header of a connection names one client, whose requests alone may use it.
    let belongs_to_client = forwarding.proxy_header.is_some();
    if belongs_to_client || picked.in_flight.endpoint().is_distrusted(now_ms) {
        return;
    }
    connection.release_buffers();
    let own = forwarding.upstream.idle_timeout;
    // One second less than the upstream announces: a request that is sent just as
    // the upstream closes the connection is lost.
    let theirs = head.keep_alive_timeout.map(|seconds| {
        Duration::from_secs(u64::from(seconds)).saturating_sub(Duration::from_secs(1))
    });
    let lifetime = theirs.map_or(own, |theirs| theirs.min(own));
    let until_ms = now_ms + u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX / 2);
    let lease = if head.omits_body {
        Lease::after_a_rest(now_ms, until_ms)
    } else {
        Lease::at_once(until_ms)
    };
    let mut pool = worker.pool.borrow_mut();
    pool.put(
        picked.in_flight.endpoint(),
        connection,
        lease,
        forwarding.upstream.keepalive,
    );
}

/// Reports a failed attempt to the endpoint's passive health check and the metrics.
pub(super) fn report(worker: &Worker, forwarding: &Forwarding, picked: &Picked, failure: &Failure) {
    if failure.kind.fault() != janua_http::Fault::Upstream {
        return;
    }
    let now = worker.clock.now();
    let word = failure.kind.word();
    let outcome = AttemptOutcome::Failed(word);
    let change = picked.in_flight.report(outcome, now.monotonic_ms);
    forwarding
        .stats
        .count_failure(worker.index, picked.index, failure.kind);
    let upstream = forwarding.upstream.name();
    let endpoint = forwarding.stats.endpoint(picked.index);
    match change {
        Some(Change::Ejected) => {
            tracing::warn!(upstream, endpoint, failure = word, "endpoint held back");
        }
        Some(Change::Failing) => tracing::warn!(
            upstream,
            endpoint,
            failure = word,
            "endpoint is down; requests are still sent to it"
        ),
        Some(Change::Recovered) | None => {}
    }
}
