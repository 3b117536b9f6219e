//! The metrics of a listener's connections.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use janua_telemetry::metrics::{Counter, Gauge, definitions};

use crate::worker::Worker;

/// The metrics of a listener's connections.
pub(crate) struct ListenerStats {
    pub(crate) name: Arc<str>,
    pub(crate) gauge: Arc<Gauge>,
    /// The number of open connections of all workers, for the limit.
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) accepted: Arc<Counter>,
    pub(crate) refused: Arc<Counter>,
}

impl ListenerStats {
    pub(crate) fn new(worker: &Worker, listener: usize) -> Option<Self> {
        let (name, open) = worker.estate.listener(listener)?;
        let registry = &worker.estate.metrics;
        Some(Self {
            name: Arc::clone(&name),
            gauge: registry.gauge(&definitions::CONNECTIONS, [&*name]),
            open,
            accepted: registry.counter(&definitions::CONNECTIONS_ACCEPTED, [&*name]),
            refused: registry.counter(&definitions::CONNECTIONS_REFUSED, [&*name, "limit"]),
        })
    }

    /// Counts a connection that was closed for a reason other than the limit.
    pub(crate) fn refuse(&self, worker: &Worker, reason: &'static str) {
        let labels = [&*self.name, reason];
        let registry = &worker.estate.metrics;
        let refused = registry.counter(&definitions::CONNECTIONS_REFUSED, labels);
        refused.increment(worker.index);
    }
}
