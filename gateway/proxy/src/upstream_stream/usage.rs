//! How many streams a connection has, and since when it has none.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use janua_upstream::Group;
use tokio::time::Instant;

/// The use of a connection.
pub(crate) struct Usage {
    streams: Cell<usize>,
    /// When the connection was last taken into use, or out of use.
    changed: Cell<Instant>,
    /// What its upstream shares, and the worker that it belongs to: its requests may wait for a
    /// stream.
    owner: (Arc<Group>, usize),
}

impl Usage {
    /// That of a connection that was just opened.
    pub(crate) fn new(group: &Arc<Group>, worker: usize) -> Self {
        Self {
            streams: Cell::new(0),
            changed: Cell::new(Instant::now()),
            owner: (Arc::clone(group), worker),
        }
    }

    /// How many streams there are.
    pub(crate) fn streams(&self) -> usize {
        self.streams.get()
    }

    /// When the connection was last taken into use, or out of use.
    pub(crate) fn changed(&self) -> Instant {
        self.changed.get()
    }

    fn change(&self, streams: usize) {
        // The clock is read only where it matters.
        if streams == 0 || self.streams.get() == 0 {
            self.changed.set(Instant::now());
        }
        self.streams.set(streams);
    }
}

/// Counts a stream for as long as it lives.
pub(crate) struct StreamShare(Rc<Usage>);

impl StreamShare {
    /// Counts one more stream.
    pub(crate) fn new(usage: &Rc<Usage>) -> Self {
        usage.change(usage.streams() + 1);
        Self(Rc::clone(usage))
    }
}

impl Drop for StreamShare {
    fn drop(&mut self) {
        self.0.change(self.0.streams().saturating_sub(1));
        let (group, worker) = &self.0.owner;
        group.connection_has_room(*worker);
    }
}
