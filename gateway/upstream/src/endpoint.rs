//! One endpoint, shared by all workers and kept across reloads.

mod in_flight;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use tokio::sync::Notify;

use crate::address::Address;
use crate::check::CheckCell;
use crate::condition::ConditionCell;
use crate::failure_streak::{Failing, FailureStreak};
use crate::group::Group;
use crate::health::{Cell, Health};
use crate::latency::Latency;
use crate::outliers::{Ejection, Watch};
use crate::slow_start::Rise;
pub use in_flight::InFlight;

/// How long connections to an endpoint are not reused after it sent unsolicited
/// bytes, in milliseconds.
pub const DISTRUST_MS: u64 = 60_000;

/// A number that identifies an endpoint for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(u64);

/// One endpoint of an upstream.
///
/// It lives as long as a snapshot or a request refers to it. Settings that a
/// reload may change without replacing the endpoint (weight, limits) are in
/// [`crate::Member`].
#[derive(Debug)]
pub struct Endpoint {
    id: EndpointId,
    group: Arc<Group>,
    address: Address,
    resolution: ArcSwap<Resolution>,
    /// The index of the address of the last successful connection; it is tried
    /// first.
    pub(crate) preferred: AtomicUsize,
    /// Wakes the resolver's task for this endpoint, or for the name of which it
    /// is an address, to resolve the name again or to end.
    pub(crate) wake_resolver: Arc<Notify>,
    /// Wakes tasks that wait for the first result of the resolver.
    answer: Notify,
    /// Written for every request.
    load: CachePadded<Load>,
    /// Read for every request, written rarely.
    shared: CachePadded<Shared>,
    /// Written for every connection.
    pub(crate) connections: CachePadded<Connections>,
    /// Whether it is an outlier. Written for every request, if outliers are looked for.
    watch: CachePadded<Watch>,
}

#[derive(Debug, Default)]
struct Load {
    in_flight: AtomicU32,
    requests: AtomicU64,
    latency: Latency,
}

#[derive(Debug)]
struct Shared {
    health: Cell,
    failure_streak: FailureStreak,
    checks: CheckCell,
    condition: ConditionCell,
    /// There is at least one address to connect to.
    resolved: AtomicBool,
    /// The resolver has reported a result, success or failure.
    answered: AtomicBool,
    failures: AtomicU64,
    /// See [`Endpoint::distrust`].
    distrusted_until_ms: AtomicU64,
    /// See [`Endpoint::drain`].
    is_draining: AtomicBool,
    /// See [`Endpoint::set_weight`]; negative if there is none.
    commanded_weight: AtomicI64,
    rise: Rise,
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) opened: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) reused: AtomicU64,
    pub(crate) idle: AtomicU64,
}

/// The result of resolving an endpoint's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolution {
    /// The addresses in the order in which to try them. Empty for a Unix socket
    /// and for a name that was never resolved.
    pub addresses: Box<[SocketAddr]>,
    /// Why the last look-up failed, if it did; `addresses` are then those of
    /// the last successful look-up.
    pub error: Option<String>,
}

/// An endpoint's counters since its creation, and its current gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests in flight now.
    pub in_flight: u32,
    /// Requests sent to the endpoint so far, including failed ones.
    pub requests: u64,
    /// Requests reported as failed.
    pub failures: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections that could not be opened.
    pub connect_failures: u64,
    /// How often an idle connection was reused.
    pub reused: u64,
    /// Idle connections now, in all workers.
    pub idle: u64,
}

impl Endpoint {
    /// An endpoint of this upstream. A host name is unresolved at first.
    pub(crate) fn new(group: &Arc<Group>, address: Address) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let addresses: Box<[SocketAddr]> = match &address {
            Address::Ip(address) | Address::Resolved { at: address, .. } => Box::new([*address]),
            Address::Name { .. } | Address::Unix(_) => Box::default(),
        };
        let known = !matches!(address, Address::Name { .. });
        let is_draining = group.is_drained(&address);
        Self {
            id: EndpointId(NEXT.fetch_add(1, Relaxed)),
            group: Arc::clone(group),
            address,
            resolution: ArcSwap::from_pointee(Resolution {
                addresses,
                error: None,
            }),
            preferred: AtomicUsize::new(0),
            wake_resolver: Arc::new(Notify::new()),
            answer: Notify::new(),
            load: CachePadded::default(),
            shared: CachePadded::new(Shared {
                health: Cell::new(),
                failure_streak: FailureStreak::default(),
                checks: CheckCell::default(),
                condition: ConditionCell::default(),
                resolved: AtomicBool::new(known),
                answered: AtomicBool::new(known),
                failures: AtomicU64::new(0),
                distrusted_until_ms: AtomicU64::new(0),
                is_draining: AtomicBool::new(is_draining),
                commanded_weight: AtomicI64::new(-1),
                rise: Rise::ever(),
            }),
            connections: CachePadded::default(),
            watch: CachePadded::default(),
        }
    }

    /// The endpoint's identifier.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// The name of its upstream.
    pub fn upstream(&self) -> &str {
        self.group.name()
    }

    /// What it shares with the other endpoints of its upstream.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Takes the endpoint out, or lets it in again. While it is draining, it gets only requests of
    /// its sessions. This outlives reloads, also such as remove the endpoint for a while, but not
    /// the process.
    pub fn drain(&self, is_draining: bool) {
        self.group.remember_drained(&self.address, is_draining);
        let was_draining = self.shared.is_draining.swap(is_draining, Relaxed);
        if was_draining && !is_draining {
            self.rises();
        } else if was_draining != is_draining {
            self.group.change();
        }
    }

    /// Whether [`Self::drain`] has taken it out.
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining.load(Relaxed)
    }

    /// Replaces the configured weight until the next reload. With a weight of 0 the endpoint gets
    /// only requests of its sessions.
    pub fn set_weight(&self, weight: Option<u32>) {
        let weight = weight.map_or(-1, i64::from);
        if self.shared.commanded_weight.swap(weight, Relaxed) != weight {
            self.group.change();
        }
    }

    /// The weight that replaces the configured one, if any.
    pub fn commanded_weight(&self) -> Option<u32> {
        u32::try_from(self.shared.commanded_weight.load(Relaxed)).ok()
    }

    /// Its address, as configured.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The latest result of resolving its name.
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

    /// Records that the endpoint sent unsolicited bytes. For [`DISTRUST_MS`]
    /// from now, all workers use each connection to it for one request only.
    /// True if the endpoint was not distrusted before.
    pub fn distrust(&self, now_ms: u64) -> bool {
        let until = &self.shared.distrusted_until_ms;
        until.fetch_max(now_ms + DISTRUST_MS, Relaxed) <= now_ms
    }

    /// Whether [`Self::distrust`] is in effect.
    pub fn is_distrusted(&self, now_ms: u64) -> bool {
        self.shared.distrusted_until_ms.load(Relaxed) > now_ms
    }

    /// Since when, and why, every request to it has failed; none if the last
    /// request succeeded.
    pub fn failing(&self) -> Option<Failing> {
        self.shared.failure_streak.failing()
    }

    /// Its ejection as an outlier, if there is one.
    pub fn ejection(&self) -> Option<Ejection> {
        self.group.sweep.failures()?;
        self.watch.ejection()
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// How many requests have failed since the last success.
    pub(crate) fn failures_in_a_row(&self) -> u32 {
        self.shared.failure_streak.count()
    }

    /// The word of the last failure of a request, whatever came after it.
    pub(crate) fn last_failure(&self) -> Option<&'static str> {
        self.shared.failure_streak.last_word()
    }

    /// A check has passed: an ejection ends, and failures that are older than `silence_ms` say
    /// nothing any more. True if it was ejected.
    pub(crate) fn readmit(&self, silence_ms: u64, now_ms: u64) -> bool {
        self.shared.failure_streak.forgive(silence_ms, now_ms);
        let was_outlier = self.watch.readmit(now_ms);
        self.shared.health.readmit() || was_outlier
    }

    pub(crate) fn check_cell(&self) -> &CheckCell {
        &self.shared.checks
    }

    pub(crate) fn condition_cell(&self) -> &ConditionCell {
        &self.shared.condition
    }

    /// Records that the endpoint has come up while the gateway runs: its share of the requests grows
    /// from now on, if its upstream has a slow start.
    pub fn rises(&self) {
        self.shared.rise.now();
        self.group.change();
    }

    pub(crate) fn rise(&self) -> &Rise {
        &self.shared.rise
    }

    /// How long the next response is expected to take, in microseconds.
    pub(crate) fn cost(&self, now_ms: u64) -> f64 {
        f64::from(self.load.latency.cost(self.in_flight(), now_ms))
    }

    /// Requests in flight now, in all workers.
    pub fn in_flight(&self) -> u32 {
        self.load.in_flight.load(Relaxed)
    }

    /// Its counters. Each is exact, but they are not read at one instant.
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

    /// Waits until the resolver has looked the name up once, successfully or
    /// not. Returns at once for addresses that need no look-up.
    pub async fn answered(&self) {
        let answer = self.answer.notified();
        // Checked after `notified` is registered, so that a result in between
        // is not missed.
        if !self.shared.answered.load(Acquire) {
            answer.await;
        }
    }

    /// Stores the resolver's result; after a failure the old addresses are
    /// kept.
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
        if self.shared.resolved.swap(known, Relaxed) != known {
            self.group.change();
        }
        self.shared.answered.store(true, Release);
        self.answer.notify_waiters();
    }

    pub(crate) fn health_cell(&self) -> &Cell {
        &self.shared.health
    }

    /// Counts a request as in flight, unless `limit` requests already are.
    pub(crate) fn enter(&self, limit: Option<u32>) -> bool {
        let in_flight = &self.load.in_flight;
        let has_entered = match limit {
            None => {
                in_flight.fetch_add(1, Relaxed);
                true
            }
            // One that is refused is never counted: it would take the last place from another.
            Some(limit) => {
                let one_more = |count: u32| (count < limit).then(|| count + 1);
                in_flight.fetch_update(Relaxed, Relaxed, one_more).is_ok()
            }
        };
        if has_entered {
            self.load.requests.fetch_add(1, Relaxed);
        }
        has_entered
    }

    /// Undoes that for a request that is not sent.
    pub(crate) fn retract(&self) {
        self.load.in_flight.fetch_sub(1, Relaxed);
        self.load.requests.fetch_sub(1, Relaxed);
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // The resolver's task finds the endpoint gone and stops refreshing its
        // name. That of an endpoint that is one of several of a name goes on.
        if matches!(self.address, Address::Name { .. }) {
            self.wake_resolver.notify_one();
        }
    }
}
