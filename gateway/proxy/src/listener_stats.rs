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
    /// By [`Refusal`].
    refused: [Arc<Counter>; Refusal::ALL.len()],
}

/// Why a connection was closed before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The listener has as many connections as it may.
    Limit,
    /// Its client has as many connections as it may.
    ClientConnections,
    /// Its client has opened too many connections in the last second.
    ClientRate,
    /// The PROXY header is missing or malformed.
    ProxyHeader,
}

impl Refusal {
    const ALL: [Self; 4] = [
        Self::Limit,
        Self::ClientConnections,
        Self::ClientRate,
        Self::ProxyHeader,
    ];

    /// The reason in metrics.
    fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::ClientConnections => "client_connections",
            Self::ClientRate => "client_rate",
            Self::ProxyHeader => "proxy_header",
        }
    }
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
            refused: Refusal::ALL.map(|refusal| {
                registry.counter(&definitions::CONNECTIONS_REFUSED, [&*name, refusal.word()])
            }),
        })
    }

    /// Counts a connection that is closed before its first request.
    pub(crate) fn refuse(&self, worker: &Worker, refusal: Refusal) {
        if let Some(refused) = self.refused.get(refusal as usize) {
            refused.increment(worker.index);
        }
    }
}
