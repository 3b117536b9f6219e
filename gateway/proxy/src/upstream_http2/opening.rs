//! A connection that is being opened, and that several requests may wait for.

use std::cell::RefCell;

use janua_http::Failure;
use janua_upstream::Place;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Sharing;
use crate::transport::{ReadHalf, WriteHalf};

/// What opening a connection has led to.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    /// The connection is in the pool.
    Shared,
    /// The endpoint has selected HTTP/1.1: the connection is for one of those who wait.
    Single,
    Failed(Failure),
}

/// A connection of HTTP/1.1, and its place among the connections of the upstream.
pub(crate) type Single = ((ReadHalf, WriteHalf), Place);

/// A connection that is being opened.
pub(crate) struct Opening {
    pub(super) sharing: Sharing,
    pub(super) begun: Instant,
    opened: RefCell<Option<Opened>>,
    /// A connection of HTTP/1.1.
    single: RefCell<Option<Single>>,
    ended: Notify,
}

impl Opening {
    pub(super) fn new(sharing: Sharing, now: Instant) -> Self {
        Self {
            sharing,
            begun: now,
            opened: RefCell::new(None),
            single: RefCell::new(None),
            ended: Notify::new(),
        }
    }

    /// Waits until the connection is open, or cannot be opened.
    pub(crate) async fn ended(&self) -> Opened {
        loop {
            if let Some(opened) = &*self.opened.borrow() {
                return opened.clone();
            }
            self.ended.notified().await;
        }
    }

    /// The connection of HTTP/1.1, for the first who asks.
    pub(crate) fn take_single(&self) -> Option<Single> {
        self.single.take()
    }

    /// Tells those who wait that a connection of HTTP/1.1 was opened.
    pub(super) fn end_single(&self, single: Single) {
        *self.single.borrow_mut() = Some(single);
        self.end(Opened::Single);
    }

    /// Tells those who wait what has become of it.
    pub(super) fn end(&self, opened: Opened) {
        *self.opened.borrow_mut() = Some(opened);
        self.ended.notify_waiters();
    }
}
