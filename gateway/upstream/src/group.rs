//! What all endpoints of an upstream share, over all workers and reloads.

use std::collections::HashSet;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;

use crate::adaptive::Adaptive;
use crate::address::Address;
use crate::condition::Observed;
use crate::limits::{Limit, Uses};
use crate::outliers::Sweep;
use crate::repeats::Repeats;
use crate::waiting::Waiting;

/// The state of one upstream that belongs to no single endpoint. It is found again by the
/// upstream's name, so that it outlives reloads.
#[derive(Debug)]
pub struct Group {
    name: Box<str>,
    /// Read for every request, written rarely.
    changes: CachePadded<AtomicU64>,
    /// The endpoints that an operator has taken out, also those that a reload has removed: one
    /// that comes back is still out.
    drained: Mutex<HashSet<Address>>,
    /// What is in use of the upstream, for its limits. Written for every request.
    pub(crate) uses: CachePadded<Uses>,
    /// Requests that wait for a connection.
    pub(crate) waiting: Waiting,
    /// The limit that is found from latency.
    pub(crate) adaptive: CachePadded<Adaptive>,
    /// When outliers are looked for.
    pub(crate) sweep: CachePadded<Sweep>,
    /// Who is told when an endpoint goes down or comes back.
    observed: Arc<Observed>,
    repeats: Repeats,
}

impl Group {
    /// The state of an upstream that has had no request yet.
    #[cfg(test)]
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Self::observed_by(name, Arc::default())
    }

    /// The same, of whose endpoints an observer is told.
    pub(crate) fn observed_by(name: &str, observed: Arc<Observed>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            changes: CachePadded::default(),
            drained: Mutex::default(),
            uses: CachePadded::default(),
            waiting: Waiting::default(),
            adaptive: CachePadded::default(),
            sweep: CachePadded::default(),
            observed,
            repeats: Repeats::default(),
        })
    }

    /// The name of the upstream.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known about requests that are repeated, doubled or kept waiting.
    pub fn repeats(&self) -> &Repeats {
        &self.repeats
    }

    /// Requests in flight now to any of its endpoints, in all workers.
    pub fn in_flight(&self) -> u64 {
        self.in_use(Limit::Requests)
    }

    /// Tells the workers that [`crate::Upstream::admission`] gives a new answer for some endpoint:
    /// each of them works out anew which endpoints it may choose, before its next request. What
    /// decides about the admission must have been stored before. A change that comes with time
    /// alone is not reported: [`crate::Admission::until_ms`] announces it.
    pub fn change(&self) {
        self.changes.fetch_add(1, Release);
    }

    /// Who is told when an endpoint goes down or comes back.
    pub(crate) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The number of changes so far.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    pub(crate) fn is_drained(&self, address: &Address) -> bool {
        self.drained().contains(address)
    }

    /// Whether there is something that is to be remembered although no endpoint is left.
    pub(crate) fn has_drained(&self) -> bool {
        !self.drained().is_empty()
    }

    pub(crate) fn remember_drained(&self, address: &Address, is_drained: bool) {
        let mut drained = self.drained();
        if is_drained {
            drained.insert(address.clone());
        } else {
            drained.remove(address);
        }
    }

    fn drained(&self) -> MutexGuard<'_, HashSet<Address>> {
        self.drained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
