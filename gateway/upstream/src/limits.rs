//! Circuit limits: how much of an upstream may be used at once, over all workers
//! and reloads.
//!
//! A request that would exceed a limit is answered at once, before anything of
//! its body is read: what waits for an overloaded upstream only adds to its load.
//! Each use is a [`Place`], which counts for as long as it exists, so that no
//! count can be wrong after a request has ended in whatever way. They belong to
//! the [`Group`] and not to a snapshot: after a reload the old ones still count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::adaptive::AdaptiveRule;
use crate::group::Group;

/// The limits of an upstream; none means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// See [`Limit::Requests`].
    pub requests: Option<u32>,
    /// See [`Limit::Pending`].
    pub pending: Option<u32>,
    /// See [`Limit::Connections`].
    pub connections: Option<u32>,
    /// See [`Limit::Retries`].
    pub retries: Option<u32>,
    /// See [`Limit::Adaptive`].
    pub adaptive: Option<AdaptiveRule>,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Requests in flight, from the choice of an endpoint to the end of the
    /// response's body, or of the tunnel.
    Requests,
    /// Requests that wait for a connection, or for an endpoint.
    Pending,
    /// Open connections, idle ones included.
    Connections,
    /// Requests that are sent again.
    Retries,
    /// Requests whose response has not begun. The limit is found from how long
    /// that takes.
    Adaptive,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::Pending,
        Self::Connections,
        Self::Retries,
        Self::Adaptive,
    ];

    /// The word for the log and the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Pending => "pending",
            Self::Connections => "connections",
            Self::Retries => "retries",
            Self::Adaptive => "adaptive",
        }
    }
}

/// How much of each is in use.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    pending: AtomicU32,
    connections: AtomicU32,
    retries: AtomicU32,
    unanswered: AtomicU32,
}

/// A place within a limit. Dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    group: Arc<Group>,
    of: Limit,
    /// How many places were taken when it was, this one included.
    taken: u32,
}

impl Group {
    /// Takes a place. `limit` is the most that there may be; none for no limit.
    ///
    /// # Errors
    /// All are taken.
    pub fn take_place(self: &Arc<Self>, of: Limit, limit: Option<u32>) -> Result<Place, Limit> {
        let used = self.uses.of(of);
        let before = used.fetch_add(1, Relaxed);
        if limit.is_some_and(|limit| before >= limit) {
            used.fetch_sub(1, Relaxed);
            return Err(of);
        }
        Ok(Place {
            group: Arc::clone(self),
            of,
            taken: before.saturating_add(1),
        })
    }

    /// How many places are taken.
    pub fn places(&self, of: Limit) -> u64 {
        match of {
            Limit::Requests => self.in_flight(),
            _ => u64::from(self.uses.of(of).load(Relaxed)),
        }
    }
}

impl Uses {
    fn of(&self, limit: Limit) -> &AtomicU32 {
        match limit {
            // Requests in flight are counted by the group itself.
            Limit::Requests | Limit::Pending => &self.pending,
            Limit::Connections => &self.connections,
            Limit::Retries => &self.retries,
            Limit::Adaptive => &self.unanswered,
        }
    }
}

impl Place {
    /// How many places were taken when it was, this one included.
    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }

    /// The group of the upstream.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.group.uses.of(self.of).fetch_sub(1, Relaxed);
        if self.of == Limit::Connections {
            self.group.waiting.closed();
        }
    }
}
