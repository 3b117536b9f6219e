//! What gives a client's requests: a connection of HTTP/1, one after another.
//! Each borrows its two sides as a [`crate::downstream::Downstream`], which is all
//! that the life of a request knows of the protocol.

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
    /// The listener's place in the snapshots.
    pub(crate) listener: usize,
    /// How many requests it has sent.
    pub(crate) requests: u64,
}
