//! One endpoint, shared by all workers and kept across reloads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use tokio::sync::Notify;

use crate::address::Address;
use crate::health::{AttemptOutcome, Cell, Change, Health, PassiveHealth};
use crate::standing::{Failing, Standing};

/// For how long an endpoint that sent bytes unasked gets a new connection for
/// each request, in milliseconds.
pub const DISTRUST_MS: u64 = 60_000;

/// A number that no other endpoint of this process has or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(u64);

/// One endpoint of an upstream.
///
/// It lives as long as a snapshot or a request holds it. What may change by a
/// reload while the endpoint stays the same (weight, limits) is in
/// [`crate::Member`].
#[derive(Debug)]
pub struct Endpoint {
    id: EndpointId,
    upstream: Box<str>,
    address: Address,
    resolution: ArcSwap<Resolution>,
    /// The place of the address that was last connected to; tried first.
    pub(crate) preferred: AtomicUsize,
    /// Wakes the resolver: look now, or look no more.
    pub(crate) hurry: Arc<Notify>,
    /// Wakes who waits for the first answer of the resolver.
    answer: Notify,
    /// Written with every request.
    load: CachePadded<Load>,
    /// Read with every request, written seldom.
    shared: CachePadded<Shared>,
    /// Written with every connection.
    pub(crate) connections: CachePadded<Connections>,
}

#[derive(Debug, Default)]
struct Load {
    in_flight: AtomicU32,
    requests: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    health: Cell,
    standing: Standing,
    /// There is an address to connect to.
    resolved: AtomicBool,
    /// The resolver has said something, good or bad.
    answered: AtomicBool,
    failures: AtomicU64,
    /// See [`Endpoint::distrust`].
    distrusted_until_ms: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) opened: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) reused: AtomicU64,
    pub(crate) idle: AtomicU64,
}

/// What is known of an endpoint's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolution {
    /// The addresses in the order in which to try them; none for a Unix socket
    /// and for a name that was never resolved.
    pub addresses: Box<[SocketAddr]>,
    /// Why the last look-up failed, if it did; `addresses` are then those of
    /// the last one that succeeded.
    pub error: Option<String>,
}

/// An endpoint's numbers since it came to be, and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests on their way now.
    pub in_flight: u32,
    /// Requests sent here so far, also those that failed.
    pub requests: u64,
    /// Requests that were reported as failed.
    pub failures: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections that could not be opened.
    pub connect_failures: u64,
    /// Times that an idle connection was used again.
    pub reused: u64,
    /// Idle connections now, of all workers.
    pub idle: u64,
}

impl Endpoint {
    /// An endpoint of `upstream`. A name is unresolved at first.
    pub(crate) fn new(upstream: &str, address: Address) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let addresses: Box<[SocketAddr]> = match &address {
            Address::Ip(address) => Box::new([*address]),
            Address::Name { .. } | Address::Unix(_) => Box::default(),
        };
        let known = !matches!(address, Address::Name { .. });
        Self {
            id: EndpointId(NEXT.fetch_add(1, Relaxed)),
            upstream: upstream.into(),
            address,
            resolution: ArcSwap::from_pointee(Resolution {
                addresses,
                error: None,
            }),
            preferred: AtomicUsize::new(0),
            hurry: Arc::new(Notify::new()),
            answer: Notify::new(),
            load: CachePadded::default(),
            shared: CachePadded::new(Shared {
                health: Cell::new(),
                standing: Standing::default(),
                resolved: AtomicBool::new(known),
                answered: AtomicBool::new(known),
                failures: AtomicU64::new(0),
                distrusted_until_ms: AtomicU64::new(0),
            }),
            connections: CachePadded::default(),
        }
    }

    /// Its number.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// The name of its upstream.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Where it is, as configured.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What is known of its addresses.
    pub fn resolution(&self) -> Arc<Resolution> {
        self.resolution.load_full()
    }

    /// Whether there is an address to connect to.
    pub fn is_resolved(&self) -> bool {
        self.shared.resolved.load(Relaxed)
    }

    /// Its passive health.
    pub fn health(&self) -> Health {
        self.shared.health.load()
    }

    /// It sent bytes that no request had asked for: for [`DISTRUST_MS`] from now
    /// no connection to it is used for more than one request, by any worker.
    /// True if it was not distrusted before.
    pub fn distrust(&self, now_ms: u64) -> bool {
        let until = &self.shared.distrusted_until_ms;
        until.fetch_max(now_ms + DISTRUST_MS, Relaxed) <= now_ms
    }

    /// Whether [`Self::distrust`] holds.
    pub fn is_distrusted(&self, now_ms: u64) -> bool {
        self.shared.distrusted_until_ms.load(Relaxed) > now_ms
    }

    /// Since when and why every request to it has failed; none if the last one
    /// did not.
    pub fn failing(&self) -> Option<Failing> {
        self.shared.standing.failing()
    }

    /// Requests on their way now, of all workers.
    pub fn in_flight(&self) -> u32 {
        self.load.in_flight.load(Relaxed)
    }

    /// Its numbers. Each is exact, all together are no one moment's.
    pub fn counters(&self) -> Counters {
        Counters {
            in_flight: self.in_flight(),
            requests: self.load.requests.load(Relaxed),
            failures: self.shared.failures.load(Relaxed),
            opened: self.connections.opened.load(Relaxed),
            connect_failures: self.connections.failed.load(Relaxed),
            reused: self.connections.reused.load(Relaxed),
            idle: self.connections.idle.load(Relaxed),
        }
    }

    /// Waits until the resolver has looked its name up once, with or without
    /// success. At once for addresses that need no look-up.
    pub async fn answered(&self) {
        let answer = self.answer.notified();
        // Asked after `notified`, so that an answer between the two is not
        // missed.
        if !self.shared.answered.load(Acquire) {
            answer.await;
        }
    }

    /// Takes the resolver's answer in; the old addresses stay if it failed.
    pub(crate) fn set_resolution(&self, found: Result<Box<[SocketAddr]>, String>) {
        let resolution = match found {
            Ok(addresses) => Resolution {
                addresses,
                error: None,
            },
            Err(error) => Resolution {
                addresses: self.resolution.load().addresses.clone(),
                error: Some(error),
            },
        };
        let known = !resolution.addresses.is_empty();
        if **self.resolution.load() != resolution {
            self.resolution.store(Arc::new(resolution));
        }
        self.shared.resolved.store(known, Relaxed);
        self.shared.answered.store(true, Release);
        self.answer.notify_waiters();
    }

    pub(crate) fn health_cell(&self) -> &Cell {
        &self.shared.health
    }

    /// Counts a request in, unless `limit` of them are on their way.
    /// `rule` is the passive health to report by; none if it is off.
    pub(crate) fn enter(
        self: &Arc<Self>,
        limit: Option<u32>,
        rule: Option<PassiveHealth>,
    ) -> Option<InFlight> {
        let before = self.load.in_flight.fetch_add(1, Relaxed);
        if limit.is_some_and(|limit| before >= limit) {
            self.load.in_flight.fetch_sub(1, Relaxed);
            return None;
        }
        self.load.requests.fetch_add(1, Relaxed);
        Some(InFlight {
            endpoint: Arc::clone(self),
            rule,
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // The resolver finds it gone and stops refreshing its name.
        self.hurry.notify_one();
    }
}

/// A request on its way to an endpoint; dropping it counts it out. It holds no
/// part of a snapshot, so that a tunnel may keep it for days.
#[derive(Debug)]
pub struct InFlight {
    endpoint: Arc<Endpoint>,
    rule: Option<PassiveHealth>,
}

impl InFlight {
    /// The endpoint.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Says how the request went. Answers with the change of health that this
    /// made, if it made one, to be logged.
    pub fn report(&self, outcome: AttemptOutcome, now_ms: u64) -> Option<Change> {
        let shared = &self.endpoint.shared;
        if let AttemptOutcome::Failed(_) = outcome {
            shared.failures.fetch_add(1, Relaxed);
        }
        let change = shared.standing.report(outcome, now_ms);
        match &self.rule {
            Some(rule) => shared.health.report(outcome, now_ms, rule),
            None => change,
        }
    }
}

impl InFlight {
    /// Counts the request out as one that was never sent.
    pub(crate) fn forget(self) {
        self.endpoint.load.requests.fetch_sub(1, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.endpoint.load.in_flight.fetch_sub(1, Relaxed);
    }
}
