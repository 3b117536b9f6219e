//! The clients: one visit of each kind, which checks every byte that it gets.

mod cached;
mod calls;
mod files;
mod fleet;
mod forwarded;
mod http2;
mod policies;
mod rude;
mod secure;
mod streams;

use crate::client::Visited;
use crate::scene::Scene;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Many requests over one connection.
    KeptAlive,
    /// A connection for each request.
    Fresh,
    /// Bodies with a length and in chunks, of which the upstream sends the digest.
    Uploads,
    /// Responses in chunks, with trailers.
    Chunked,
    /// Stored responses, and purges.
    Cached,
    /// Files: complete, ranges, conditions.
    Files,
    /// Responses that the gateway compresses.
    Compressed,
    /// Full and resumed handshakes.
    Handshakes,
    /// Handshakes with a certificate of the client.
    Mutual,
    /// Many requests over one connection with TLS.
    SecureKeptAlive,
    /// Several requests at once over a connection of HTTP/2.
    Http2,
    /// Calls of gRPC, several at once and streams of messages.
    Calls,
    /// A call of gRPC that outlives reloads.
    LongCall,
    /// Calls of gRPC-Web over HTTP/1.1.
    WebCalls,
    /// A WebSocket that outlives reloads.
    WebSocket,
    /// The same over TLS.
    SecureWebSocket,
    /// A stream of events.
    Events,
    /// A client that closes its sending side after the request.
    HalfClosed,
    /// A client that goes away in the middle of a response.
    Leaving,
    /// A client that reads slowly.
    Slow,
    /// A policy that traps, and another one of the same component.
    Traps,
    /// A session at an instance that comes and goes.
    Session,
    /// Requests that are divided, and copied.
    Split,
}

/// The kinds, their names, and how many clients of each there are.
pub(crate) const CLIENTS: [(Kind, &str, usize); 23] = [
    (Kind::KeptAlive, "kept alive", 2),
    (Kind::Fresh, "a connection for each request", 2),
    (Kind::Uploads, "uploads", 3),
    (Kind::Chunked, "chunked", 1),
    (Kind::Cached, "cached, purged", 3),
    (Kind::Files, "files", 2),
    (Kind::Compressed, "compressed", 1),
    (Kind::Handshakes, "TLS handshakes", 2),
    (Kind::Mutual, "client certificates", 1),
    (Kind::SecureKeptAlive, "kept alive, TLS", 1),
    (Kind::Http2, "HTTP/2", 2),
    (Kind::Calls, "gRPC", 2),
    (Kind::LongCall, "gRPC, a stream", 1),
    (Kind::WebCalls, "gRPC-Web", 1),
    (Kind::WebSocket, "WebSocket", 2),
    (Kind::SecureWebSocket, "WebSocket, TLS", 1),
    (Kind::Events, "event stream", 1),
    (Kind::HalfClosed, "half-closed", 1),
    (Kind::Leaving, "leaving", 1),
    (Kind::Slow, "slow reader", 1),
    (Kind::Traps, "traps", 1),
    (Kind::Session, "sessions", 2),
    (Kind::Split, "split, mirrored", 1),
];

impl Kind {
    /// The visit with this number, which differs from the one before it.
    pub(crate) async fn visit(self, scene: &Scene, number: usize) -> Visited {
        match self {
            Self::KeptAlive => forwarded::kept_alive(scene, number).await,
            Self::Fresh => forwarded::fresh(scene, number).await,
            Self::Uploads => forwarded::uploads(scene, number).await,
            Self::Chunked => forwarded::chunked(scene, number).await,
            Self::Cached => cached::visit(scene, number).await,
            Self::Files => files::visit(scene, number).await,
            Self::Compressed => files::compressed(scene, number).await,
            Self::Handshakes => secure::handshakes(scene, number).await,
            Self::Mutual => secure::mutual(scene, number).await,
            Self::SecureKeptAlive => secure::kept_alive(scene, number).await,
            Self::Http2 => http2::many(scene, number).await,
            Self::Calls => calls::several(scene, number).await,
            Self::LongCall => calls::long(scene).await,
            Self::WebCalls => calls::web(scene, number).await,
            Self::WebSocket => streams::web_socket(scene, false).await,
            Self::SecureWebSocket => streams::web_socket(scene, true).await,
            Self::Events => streams::events(scene, number).await,
            Self::HalfClosed => rude::half_closed(scene, number).await,
            Self::Leaving => rude::leaving(scene, number).await,
            Self::Slow => rude::slow(scene).await,
            Self::Traps => policies::traps(scene, number).await,
            Self::Session => fleet::session(scene, number).await,
            Self::Split => fleet::split(scene, number).await,
        }
    }
}

/// Lengths of bodies, around the limits that the gateway has: none, one segment, one record of
/// TLS, and more than a socket holds.
pub(super) fn length(number: usize) -> usize {
    const LENGTHS: [usize; 8] = [0, 1, 1000, 1460, 16_384, 16_385, 70_000, 200_000];
    LENGTHS[number % LENGTHS.len()]
}
