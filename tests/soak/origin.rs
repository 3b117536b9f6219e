//! The upstreams. What they answer can be computed from the request, so that the clients check
//! each byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use janua_tests::{Endpoint, Received, Reply, Upstream, Visit, Wire};
use sha2::{Digest as _, Sha256};

use crate::coded::text;
use crate::scene::{LONGEST, content};

/// The time between two events of a stream.
const BETWEEN_EVENTS: Duration = Duration::from_millis(10);
/// The events of a stream.
pub(crate) const EVENTS: usize = 50;

const ACCEPT: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";

/// An endpoint of the pair, with the name that it gives in `X-Endpoint`.
pub(crate) async fn endpoint(
    at: Endpoint,
    name: &'static str,
    version: Arc<AtomicU64>,
) -> Upstream {
    Upstream::at(at, move |mut visit: Visit| {
        let version = Arc::clone(&version);
        async move {
            while let Ok(request) = visit.wire.receive_request().await {
                let reply = answer(&request, &version).header("X-Endpoint", name);
                let bytes = reply.to_bytes(&request.method);
                if visit.wire.try_send(bytes).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// The upstream that lives: what must not end before its client wants it to.
pub(crate) async fn steady() -> Upstream {
    let version = Arc::new(AtomicU64::new(0));
    Upstream::raw(move |mut visit: Visit| {
        let version = Arc::clone(&version);
        async move {
            while let Ok(request) = visit.wire.receive_request().await {
                match request.target.as_str() {
                    "/ws" => return echo(&mut visit.wire).await,
                    "/events" => events(&mut visit.wire).await,
                    _ => {
                        let bytes = answer(&request, &version).to_bytes(&request.method);
                        let _ = visit.wire.try_send(bytes).await;
                    }
                }
            }
        }
    })
    .await
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(request: &Received, version: &AtomicU64) -> Reply {
    let parts: Vec<&str> = request.target.trim_start_matches('/').split('/').collect();
    let size = |text: &str| text.parse().unwrap_or(0).min(LONGEST);
    match *parts.as_slice() {
        [_, "bytes", length] => Reply::ok(&content()[..size(length)]),
        [_, "chunked", length] => {
            let body = &content()[..size(length)];
            let chunks: Vec<&[u8]> = body.chunks(1000).collect();
            Reply::chunked(&chunks, &[("X-Digest", &digest(body))])
        }
        [_, "digest"] => Reply::ok(format!("{} {}", request.body.len(), digest(&request.body))),
        ["cached", key] => {
            let version = version.fetch_add(1, SeqCst) + 1;
            let mut body = format!("{key} {version}\n").into_bytes();
            let length = key.bytes().map(usize::from).sum::<usize>() * 37;
            body.extend_from_slice(&content()[..length]);
            Reply::ok(body)
                .header("Cache-Control", "max-age=60")
                .header("Cache-Tag", key)
        }
        ["text", length] => Reply::ok(text(size(length))).header("Content-Type", "text/plain"),
        _ => Reply::ok(request.target.clone()),
    }
}

async fn echo(wire: &mut Wire) {
    if wire.try_send(ACCEPT).await.is_err() {
        return;
    }
    while let Ok(some) = wire.take_some().await {
        if some.is_empty() || wire.try_send(&some).await.is_err() {
            return;
        }
    }
}

async fn events(wire: &mut Wire) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut sent = wire.try_send(head).await;
    for n in 0..EVENTS {
        if sent.is_err() {
            return;
        }
        tokio::time::sleep(BETWEEN_EVENTS).await;
        let event = format!("data: {n}\n\n");
        sent = wire
            .try_send(format!("{:x}\r\n{event}\r\n", event.len()))
            .await;
    }
    let _ = wire.try_send("0\r\n\r\n").await;
}
