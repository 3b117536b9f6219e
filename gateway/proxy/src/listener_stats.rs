//! The metrics of a listener's connections.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use janua_telemetry::metrics::{Counter, Gauge, definitions};

use crate::refusal::{Refusal, RefusalLog};
use crate::worker::Worker;

/// The metrics of a listener's connections.
pub(crate) struct ListenerStats {
    pub(crate) name: Arc<str>,
    pub(crate) gauge: Arc<Gauge>,
    /// The number of open connections of all workers, for the limit.
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) accepted: Arc<Counter>,
    /// Messages about refused connections, of all workers.
    refusals: Arc<RefusalLog>,
    /// By [`Refusal`].
    refused: [Arc<Counter>; Refusal::ALL.len()],
}

impl ListenerStats {
    pub(crate) fn new(worker: &Worker, listener: usize) -> Option<Self> {
        let (name, open, refusals) = worker.estate.listener(listener)?;
        let registry = &worker.estate.metrics;
        Some(Self {
            name: Arc::clone(&name),
            gauge: registry.gauge(&definitions::CONNECTIONS, [&*name]),
            open,
            refusals,
            accepted: registry.counter(&definitions::CONNECTIONS_ACCEPTED, [&*name]),
            refused: Refusal::ALL.map(|refusal| {
                registry.counter(&definitions::CONNECTIONS_REFUSED, [&*name, refusal.word()])
            }),
        })
    }

    /// Counts a connection that is closed by the gateway.
    pub(crate) fn count_refused(&self, worker: &Worker, refusal: Refusal) {
        if let Some(refused) = self.refused.get(refusal as usize) {
            refused.increment(worker.index);
        }
    }

    /// The same. Returns how many have been refused for this reason since the last message about
    /// it, if it is time for another one.
    pub(crate) fn refuse(&self, worker: &Worker, refusal: Refusal) -> Option<u64> {
        self.count_refused(worker, refusal);
        let now_ms = worker.clock.now().monotonic_ms;
        self.refusals.record(refusal, now_ms)
    }
}
