//! One worker's idle connections.
//!
//! A connection on which an upstream sent bytes that belong to no request must
//! not be reused: the next request would get them as its response, and every
//! later response would be off by one. Two rules guard against this. A
//! connection may be left unused for a while first (it rests), so that late
//! bytes are seen before the next request; and after an endpoint was seen to
//! send unsolicited bytes, its connections are not reused for a while (see
//! [`Endpoint::distrust`]).

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use ahash::{HashMap, HashMapExt as _};

use crate::endpoint::{Endpoint, EndpointId};
use crate::group::Group;

/// Idle connections of one worker, by endpoint. The connection that was used
/// last is reused first: it is the least likely to have been closed, and the
/// others can reach their idle timeout.
#[derive(Debug)]
pub struct Pool<C> {
    slots: HashMap<EndpointId, Slot<C>>,
}

#[derive(Debug)]
struct Slot<C> {
    /// Weak, so that an idle connection does not keep its endpoint alive.
    endpoint: Weak<Endpoint>,
    /// Connections that are ready for reuse, the newest last.
    idle: VecDeque<Idle<C>>,
    /// Connections that are resting, in the order in which their rest ends.
    resting: VecDeque<Idle<C>>,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    lease: Lease,
}

/// How long a connection rests after a response without the content that its
/// head announced (to a `HEAD`, or a 304), in milliseconds. A faulty upstream
/// that sends the content all the same may send it late.
const REST_MS: u64 = 100;

/// How many connections may rest, as a multiple of those kept. At this number a
/// busy endpoint does not need a new connection for each such request.
const RESTING: usize = 8;

/// When a kept connection may be reused, in milliseconds of the monotonic
/// clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The connection rests until then; 0 if it need not rest.
    rests_until_ms: u64,
    /// The connection is not reused from then on.
    until_ms: u64,
}

impl Lease {
    /// Reusable at once, until the upstream's idle timeout, or less if the
    /// upstream sent a shorter `Keep-Alive: timeout`.
    pub fn at_once(until_ms: u64) -> Self {
        Self {
            rests_until_ms: 0,
            until_ms,
        }
    }

    /// Reusable after a rest of `REST_MS`, until `until_ms`.
    pub fn after_a_rest(now_ms: u64, until_ms: u64) -> Self {
        Self {
            rests_until_ms: now_ms + REST_MS,
            until_ms,
        }
    }
}

impl<C> Pool<C> {
    /// An empty pool.
    pub fn new() -> Self {
        Self {
            slots: HashMap::new(),
        }
    }

    /// The newest connection to this endpoint that is not resting and not
    /// expired; none if the endpoint is distrusted. The caller must check
    /// whether the peer has closed it meanwhile.
    pub fn take(&mut self, endpoint: &Endpoint, now_ms: u64) -> Option<C> {
        let slot = self.slots.get_mut(&endpoint.id())?;
        let before = slot.len();
        if endpoint.is_distrusted(now_ms) {
            slot.idle.clear();
            slot.resting.clear();
        }
        let mut found = None;
        while let Some(idle) = slot.idle.pop_back().or_else(|| slot.rested(now_ms)) {
            if idle.lease.until_ms > now_ms {
                found = Some(idle.connection);
                break;
            }
        }
        let connections = &endpoint.connections;
        subtract_idle(endpoint, before - slot.len());
        if found.is_some() {
            connections.reused.fetch_add(1, Relaxed);
        }
        found
    }

    /// Keeps a connection for the time of its lease. If more than `keepalive`
    /// are kept, the oldest is closed. Resting connections are counted
    /// separately, and at most eight times as many are kept.
    pub fn put(&mut self, endpoint: &Arc<Endpoint>, connection: C, lease: Lease, keepalive: usize) {
        if keepalive == 0 {
            return;
        }
        let slot = self.slots.entry(endpoint.id()).or_insert_with(|| Slot {
            endpoint: Arc::downgrade(endpoint),
            idle: VecDeque::new(),
            resting: VecDeque::new(),
        });
        let idle = Idle { connection, lease };
        let mut closed = 0;
        if lease.rests_until_ms > 0 {
            if slot.resting.len() >= keepalive.saturating_mul(RESTING) {
                return;
            }
            slot.resting.push_back(idle);
        } else {
            while slot.idle.len() >= keepalive {
                slot.idle.pop_front();
                closed += 1;
            }
            slot.idle.push_back(idle);
        }
        endpoint.connections.idle.fetch_add(1, Relaxed);
        subtract_idle(endpoint, closed);
    }

    /// Closes expired connections, and connections whose endpoint is gone. Call
    /// it about every second. Returns how many it closed.
    pub fn sweep(&mut self, now_ms: u64) -> usize {
        let mut closed = 0;
        self.slots.retain(|_, slot| {
            let before = slot.len();
            let endpoint = slot.endpoint.upgrade();
            if endpoint.is_none() {
                slot.idle.clear();
                slot.resting.clear();
            }
            slot.idle.retain(|idle| idle.lease.until_ms > now_ms);
            slot.resting.retain(|idle| idle.lease.until_ms > now_ms);
            let gone = before - slot.len();
            closed += gone;
            if let Some(endpoint) = endpoint {
                subtract_idle(&endpoint, gone);
            }
            slot.len() > 0
        });
        closed
    }

    /// Closes an idle connection to one of these endpoints, the oldest of one of them.
    /// False if there is none.
    pub fn close_idle(&mut self, group: &Group) -> bool {
        let mut slots = self.slots.values_mut();
        slots.any(|slot| {
            let endpoint = slot.endpoint.upgrade();
            let endpoint = endpoint.filter(|endpoint| std::ptr::eq(&**endpoint.group(), group));
            endpoint.is_some_and(|endpoint| slot.close_oldest(&endpoint))
        })
    }

    /// Closes an idle connection to each endpoint for which some request waits because
    /// its upstream has as many connections as it may have.
    pub fn close_waited_for(&mut self) {
        for slot in self.slots.values_mut() {
            let endpoint = slot.endpoint.upgrade();
            let waited_for = endpoint.filter(|endpoint| endpoint.group().is_waited_for());
            if let Some(endpoint) = waited_for {
                slot.close_oldest(&endpoint);
            }
        }
    }

    /// The number of idle connections to all endpoints.
    pub fn len(&self) -> usize {
        self.slots.values().map(Slot::len).sum()
    }

    /// Whether there are no idle connections.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<C> Default for Pool<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Slot<C> {
    fn len(&self) -> usize {
        self.idle.len() + self.resting.len()
    }

    /// False if there is none.
    fn close_oldest(&mut self, endpoint: &Endpoint) -> bool {
        let oldest = self.idle.pop_front().or_else(|| self.resting.pop_front());
        subtract_idle(endpoint, usize::from(oldest.is_some()));
        oldest.is_some()
    }

    /// The connection whose rest ended first, if it has ended.
    fn rested(&mut self, now_ms: u64) -> Option<Idle<C>> {
        let front = self.resting.front()?;
        if front.lease.rests_until_ms > now_ms {
            return None;
        }
        self.resting.pop_front()
    }
}

impl<C> Drop for Slot<C> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            subtract_idle(&endpoint, self.len());
        }
    }
}

fn subtract_idle(endpoint: &Endpoint, count: usize) {
    if count > 0 {
        let idle = &endpoint.connections.idle;
        idle.fetch_sub(count as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests;
