//! What happens on a client's connection before its first request: the PROXY header of a load
//! balancer in front, the limits of its client, and the TLS handshake.

use std::net::SocketAddr;
use std::time::Duration;

use janua_telemetry::metrics::definitions;
use tokio::net::TcpStream;

use crate::client::Peer;
use crate::client_limits::{Excess, Share};
use crate::handshake::{self, Accepted};
use crate::listener_stats::ListenerStats;
use crate::proxy_header::{self, HeaderError};
use crate::refusal::Refusal;
use crate::transport::{self, ReadHalf, WriteHalf};
use crate::worker::Worker;

/// A connection on which requests can be received.
pub(crate) struct Opened {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
    pub(crate) peer: Peer,
    /// Counts the connection among those of its client, if the listener limits them.
    pub(crate) share: Option<Share>,
}

/// Opens a connection for requests. None if the client did not do its part; that has been
/// counted and logged.
pub(crate) async fn open(
    worker: &Worker,
    stats: &ListenerStats,
    mut stream: TcpStream,
    address: SocketAddr,
    listener: usize,
) -> Option<Opened> {
    let local = worker.snapshot();
    let settings = local.listener(listener)?;
    let mut peer = Peer::new(address);
    peer.local = stream.local_addr().ok();
    let demands_header = settings.demands_proxy_header(peer.address);
    let (tls, head_timeout) = (settings.tls.clone(), settings.head_timeout);
    // A handshake may last, and must not keep an old snapshot alive.
    drop(local);
    let mut is_client = true;
    if demands_header {
        match read_proxy_header(worker, stats, &mut stream, &peer, head_timeout).await? {
            Some(client) => peer.speak_for(client),
            // A health check of the load balancer, or a client that it does not know.
            None => is_client = false,
        }
    }
    let share = match is_client {
        true => count(worker, stats, &peer, listener)?,
        false => None,
    };
    let Some(tls) = tls else {
        let (read, write) = transport::from_tcp(stream);
        return Some(Opened {
            read,
            write,
            peer,
            share,
        });
    };
    let registry = &worker.estate.metrics;
    match handshake::accept(stream, &tls, &worker.turns, &worker.estate.acme).await {
        Ok(Accepted::Client(accepted)) => {
            let (stream, facts) = *accepted;
            let labels = [&*stats.name, facts.version];
            let handshakes = registry.counter(&definitions::TLS_HANDSHAKES, labels);
            handshakes.increment(worker.index);
            peer.tls = Some(facts);
            let (read, write) = transport::from_tls(stream.into());
            Some(Opened {
                read,
                write,
                peer,
                share,
            })
        }
        Ok(Accepted::Authority) => {
            tracing::debug!(
                listener = &*stats.name,
                peer = &*peer.text,
                "an authority has checked a name by TLS-ALPN-01"
            );
            None
        }
        Err(error) => {
            let labels = [&*stats.name, error.reason()];
            let failures = registry.counter(&definitions::TLS_HANDSHAKE_FAILURES, labels);
            failures.increment(worker.index);
            tracing::debug!(
                listener = &*stats.name,
                peer = &*peer.text,
                "TLS handshake failed: {error}"
            );
            None
        }
    }
}

/// Reads the PROXY header of a load balancer: the client for which it has opened the
/// connection, or none. Outer none: the connection is to be closed.
async fn read_proxy_header(
    worker: &Worker,
    stats: &ListenerStats,
    stream: &mut TcpStream,
    peer: &Peer,
    timeout: Duration,
) -> Option<Option<SocketAddr>> {
    let read = tokio::time::timeout(timeout, proxy_header::read(stream)).await;
    if let Ok(Ok(client)) = read {
        return Some(client);
    }
    let why = match read {
        Ok(Err(HeaderError::Malformed(why))) => why,
        // Load balancers open connections only to see whether they can.
        Ok(Err(HeaderError::Unused)) => return None,
        Ok(Err(HeaderError::Io)) => {
            stats.count_refused(worker, Refusal::ProxyHeader);
            return None;
        }
        _ => "it did not come in time",
    };
    if let Some(refused) = stats.refuse(worker, Refusal::ProxyHeader) {
        tracing::warn!(
            listener = &*stats.name,
            peer = &*peer.text,
            refused,
            "connections closed: the PROXY header that `proxy_protocol` demands of this peer is missing or malformed: {why}"
        );
    }
    None
}

/// Counts a connection among those of its client, unless the peer is a trusted proxy, which
/// speaks for many. Outer none: the client is over a limit, and the connection is to be closed.
fn count(
    worker: &Worker,
    stats: &ListenerStats,
    peer: &Peer,
    listener: usize,
) -> Option<Option<Share>> {
    let local = worker.snapshot();
    let Some(limits) = local.client_limits(listener) else {
        return Some(None);
    };
    if local.listener(listener)?.trusts(peer.address) {
        return Some(None);
    }
    let now_ms = worker.clock.now().monotonic_ms;
    let excess = match limits.connect(peer.address, now_ms) {
        Ok(share) => return Some(share),
        Err(excess) => excess,
    };
    let (refusal, limit) = match excess {
        Excess::ConnectionsPerSecond => (Refusal::ClientRate, "connections_per_second"),
        _ => (Refusal::ClientConnections, "connections"),
    };
    if let Some(refused) = stats.refuse(worker, refusal) {
        tracing::warn!(
            listener = &*stats.name,
            client = &*peer.text,
            limit,
            refused,
            "a client is over a limit of `client_limits`; its further connections are closed"
        );
    }
    None
}
