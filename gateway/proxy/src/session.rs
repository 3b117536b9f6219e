//! A client's HTTP/1 connection, which carries one request after another, or one stream of an
//! HTTP/2 connection, which carries one request. Each exchange borrows its two directions as a
//! [`crate::downstream::Downstream`], which is all that `life` knows about the protocol.

use std::rc::Rc;

use janua_http::HeadError;
use tokio::time::Instant;

use crate::client::Peer;
use crate::deadline::Deadline;
use crate::heads::Heads;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::snapshot::Listener;

/// A client's connection, or a stream of one.
pub(crate) struct Session {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    pub(crate) deadline: Deadline,
    pub(crate) peer: Rc<Peer>,
    /// The index of the listener in snapshots.
    pub(crate) listener: usize,
    /// How many requests have been received.
    pub(crate) requests: u64,
    /// When the connection was opened.
    pub(crate) opened: Instant,
    /// The request of an HTTP/2 stream, which exists only once its head has arrived.
    pub(crate) arrived: Option<Arrived>,
}

/// A request whose head has arrived.
pub(crate) struct Arrived {
    pub(crate) heads: Box<Heads>,
    /// Whether the head is one that the gateway accepts.
    pub(crate) result: Result<(), HeadError>,
}

impl Session {
    /// True if the request that is being received is the last that the listener allows on a
    /// connection.
    pub(crate) fn is_exhausted(&self, listener: &Listener) -> bool {
        listener
            .max_requests
            .is_some_and(|most| self.requests >= most)
    }

    /// When the connection is too old for further requests; none if it may last.
    pub(crate) fn expires_at(&self, listener: &Listener) -> Option<Instant> {
        listener.max_age.map(|age| self.opened + age)
    }
}
