//! One worker's idle connections.
//!
//! A connection that an upstream put bytes on which no request had asked for is
//! dangerous: whoever sends the next request over it would get them as the
//! response, and so would all who follow. Two rules are about that here. A
//! connection may be made to rest first, so that what comes late is seen before
//! it is used again; and an endpoint that was caught is not kept connections to
//! for a while (see [`Endpoint::distrust`]).

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use ahash::{HashMap, HashMapExt as _};

use crate::endpoint::{Endpoint, EndpointId};

/// Idle connections of one worker, by endpoint. The one used last is used
/// next: it is the least likely to have been closed, and the others may grow
/// old and go.
#[derive(Debug)]
pub struct Pool<C> {
    slots: HashMap<EndpointId, Slot<C>>,
}

#[derive(Debug)]
struct Slot<C> {
    /// Weak, so that a connection does not keep its endpoint.
    endpoint: Weak<Endpoint>,
    /// The newest is last.
    idle: VecDeque<Idle<C>>,
    /// Those that rest first, in the order in which they have rested.
    resting: VecDeque<Idle<C>>,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    lease: Lease,
}

/// How long a connection rests after a response whose body was left out (to a
/// `HEAD`, a 304), in milliseconds: an upstream that sends it all the same may
/// send it late.
const REST_MS: u64 = 100;

/// How many connections may rest for each that is kept. With so many as requests
/// come in a rest, a busy endpoint needs no new connection for each of them.
const RESTING: usize = 8;

/// When a kept connection may be used, in milliseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Until then it rests; 0 if it need not.
    rests_until_ms: u64,
    /// From then on it is not used any more.
    until_ms: u64,
}

impl Lease {
    /// From now on, until the upstream's idle timeout is over, or less if the
    /// upstream said `Keep-Alive: timeout`.
    pub fn at_once(until_ms: u64) -> Self {
        Self {
            rests_until_ms: 0,
            until_ms,
        }
    }

    /// The same, once it has rested.
    pub fn after_a_rest(now_ms: u64, until_ms: u64) -> Self {
        Self {
            rests_until_ms: now_ms + REST_MS,
            until_ms,
        }
    }
}

impl<C> Pool<C> {
    /// Without connections.
    pub fn new() -> Self {
        Self {
            slots: HashMap::new(),
        }
    }

    /// The newest connection to this endpoint that has rested and not expired;
    /// none if the endpoint is distrusted. Whether the other side has closed it
    /// in the meantime is for the caller to see.
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

    /// Keeps a connection for as long as its lease says. Beyond `keepalive`
    /// connections the oldest is closed; those that rest are not counted among
    /// them, and beyond eight times as many no more are kept.
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

    /// Closes what has expired, and every connection to an endpoint that is
    /// gone. Call it every second or so. Answers how many it closed.
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

    /// Idle connections, to all endpoints.
    pub fn len(&self) -> usize {
        self.slots.values().map(Slot::len).sum()
    }

    /// Whether there are none.
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

    /// The one that has rested for longest, if it has for long enough.
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
