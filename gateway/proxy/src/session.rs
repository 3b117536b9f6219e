//! A client's HTTP/1 connection, which carries one request after another. Each exchange
//! borrows its two directions as a [`crate::downstream::Downstream`], which is all that
//! `life` knows about the protocol.

use std::rc::Rc;

use crate::client::Peer;
use crate::deadline::Deadline;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;

/// A client's connection.
pub(crate) struct Session {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    pub(crate) deadline: Deadline,
    pub(crate) peer: Rc<Peer>,
    /// The index of the listener in snapshots.
    pub(crate) listener: usize,
    /// How many requests have been received.
    pub(crate) requests: u64,
}
