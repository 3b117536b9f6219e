//! What happens on a client's connection before its first request: the PROXY header of a load
//! balancer in front, and the TLS handshake.

use std::net::SocketAddr;

use janua_telemetry::metrics::definitions;
use tokio::net::TcpStream;

use crate::client::Peer;
use crate::handshake;
use crate::listener_stats::ListenerStats;
use crate::proxy_header::{self, HeaderError};
use crate::transport::{self, ReadHalf, WriteHalf};
use crate::worker::Worker;

/// A connection on which requests can be received.
pub(crate) struct Opened {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
    pub(crate) peer: Peer,
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
    if demands_header {
        let reading = proxy_header::read(&mut stream);
        match tokio::time::timeout(head_timeout, reading).await {
            Ok(Ok(Some(client))) => peer.speak_for(client),
            Ok(Ok(None)) => {}
            Ok(Err(HeaderError::Malformed(why))) => {
                stats.refuse(worker, "proxy_header");
                tracing::warn!(
                    listener = &*stats.name,
                    peer = &*peer.text,
                    "connection closed: the PROXY header that `proxy_protocol` demands of this peer is missing or malformed: {why}"
                );
                return None;
            }
            Ok(Err(HeaderError::Io)) | Err(_) => {
                stats.refuse(worker, "proxy_header");
                return None;
            }
        }
    }
    let Some(tls) = tls else {
        let (read, write) = transport::from_tcp(stream);
        return Some(Opened { read, write, peer });
    };
    let registry = &worker.estate.metrics;
    match handshake::accept(stream, &tls).await {
        Ok((stream, facts)) => {
            let labels = [&*stats.name, facts.version];
            let handshakes = registry.counter(&definitions::TLS_HANDSHAKES, labels);
            handshakes.increment(worker.index);
            peer.tls = Some(facts);
            let (read, write) = transport::from_tls(stream.into());
            Some(Opened { read, write, peer })
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
