//! What one client address may take of a listener: connections, new connections in a second,
//! and requests in progress.
//!
//! The counts are those of all workers, and outlive reloads: each listener that has limits has
//! one table, which the [`crate::estate`] holds. Only what begins while a limit is configured
//! is counted, so that a listener without limits pays nothing; a new limit therefore does not
//! know the connections that were open before.
//!
//! **Memory.** A client has an entry while it has connections or requests, and for at most a
//! second afterwards if its rate is limited. So the table is as large as the number of
//! connections, which file descriptors bound, plus a fixed number of clients that have left. If
//! more leave within a second, they are forgotten at once, and may come back sooner: from an
//! attacker with so many addresses, limits by address do not protect.
//!
//! An IPv6 client is counted by its network of 64 bits, because that is the least that a
//! provider assigns, and each host in it may use any address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 64;
/// How many entries a shard may have before clients that have left are forgotten at once.
const MOST_REMEMBERED: usize = 4096;
/// How long a client may be remembered that has left: the longest time that it may have to
/// wait for its next connection.
const SECOND_MS: u64 = 1000;
const NANOS_PER_MS: u64 = 1_000_000;

/// The limits of a listener, and what its clients take at the moment.
#[derive(Clone, Debug)]
pub(crate) struct ClientLimits {
    pub(crate) connections: Option<NonZeroU32>,
    pub(crate) connections_per_second: Option<NonZeroU32>,
    pub(crate) requests: Option<NonZeroU32>,
    pub(crate) clients: Arc<Clients>,
}

/// The limit that a client has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    Connections,
    ConnectionsPerSecond,
    Requests,
}

impl ClientLimits {
    /// Counts a connection until the result is dropped; none if connections are not limited.
    /// `now_ms` is the monotonic clock that all workers share.
    ///
    /// # Errors
    /// The client has as many already, or too many are new.
    pub(crate) fn connect(
        self: &Rc<Self>,
        client: IpAddr,
        now_ms: u64,
    ) -> Result<Option<Share>, Excess> {
        if self.connections.is_none() && self.connections_per_second.is_none() {
            return Ok(None);
        }
        let client = counted_as(client);
        let mut shard = self.clients.shard(client);
        let taken = shard.of(client, now_ms);
        let result = taken.connect(self, now_ms);
        // A refused client has an entry for a reason, which is that it is over a limit.
        drop(shard);
        result.map(|()| Some(self.share(client, What::Connection)))
    }

    /// Counts a request until the result is dropped; none if requests are not limited.
    ///
    /// # Errors
    /// The client has as many in progress already.
    pub(crate) fn begin_request(
        self: &Rc<Self>,
        client: IpAddr,
        now_ms: u64,
    ) -> Result<Option<Share>, Excess> {
        let Some(most) = self.requests else {
            return Ok(None);
        };
        let client = counted_as(client);
        let mut shard = self.clients.shard(client);
        let taken = shard.of(client, now_ms);
        if taken.requests >= most.get() {
            return Err(Excess::Requests);
        }
        taken.requests += 1;
        drop(shard);
        Ok(Some(self.share(client, What::Request)))
    }

    fn share(self: &Rc<Self>, client: IpAddr, what: What) -> Share {
        Share {
            limits: Rc::clone(self),
            client,
            what,
        }
    }
}

/// What a client takes of a listener; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    /// Counted within one worker, unlike the table.
    limits: Rc<ClientLimits>,
    client: IpAddr,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Connection,
    Request,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut shard = self.limits.clients.shard(self.client);
        shard.give_back(self.client, self.what);
    }
}

/// The clients of a listener.
#[derive(Debug)]
pub(crate) struct Clients {
    hasher: RandomState,
    shards: [Padded; SHARDS],
}

/// Aligned so that no two locks share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

#[derive(Debug, Default)]
struct Shard {
    clients: HashMap<IpAddr, Taken>,
    /// When clients that have left are next removed.
    sweep_ms: u64,
}

/// What one client takes.
#[derive(Debug, Default)]
struct Taken {
    connections: u32,
    requests: u32,
    /// When the client may open as many connections at once as its rate allows in a second
    /// (the theoretical arrival time of the GCRA), in nanoseconds.
    rested_at: u64,
}

impl Clients {
    /// No clients. Memory is allocated as they come.
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Padded::default()),
        }
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "the remainder is below the number of shards"
    )]
    fn shard(&self, client: IpAddr) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(client);
        let Padded(shard) = &self.shards[hash as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many clients have an entry.
    #[cfg(test)]
    fn len(&self) -> usize {
        let lock = |Padded(shard): &Padded| shard.lock().unwrap().clients.len();
        self.shards.iter().map(lock).sum()
    }
}

impl Shard {
    /// The entry of a client, which may be new.
    fn of(&mut self, client: IpAddr, now_ms: u64) -> &mut Taken {
        if now_ms >= self.sweep_ms && !self.clients.contains_key(&client) {
            self.sweep(now_ms);
        }
        self.clients.entry(client).or_default()
    }

    /// Removes the clients that have left. This happens at most once a second, so that a flood
    /// of new clients does not pay for it each time.
    fn sweep(&mut self, now_ms: u64) {
        self.sweep_ms = now_ms + SECOND_MS;
        let now = nanoseconds(now_ms);
        self.clients
            .retain(|_, taken| taken.is_present() || taken.rested_at > now);
        if self.clients.capacity() > 4 * self.clients.len() {
            self.clients.shrink_to(2 * self.clients.len());
        }
    }

    fn give_back(&mut self, client: IpAddr, what: What) {
        let is_crowded = self.clients.len() > MOST_REMEMBERED;
        let Entry::Occupied(mut entry) = self.clients.entry(client) else {
            return;
        };
        let taken = entry.get_mut();
        let count = match what {
            What::Connection => &mut taken.connections,
            What::Request => &mut taken.requests,
        };
        *count = count.saturating_sub(1);
        let is_remembered = taken.rested_at > 0 && !is_crowded;
        if !taken.is_present() && !is_remembered {
            entry.remove();
        }
    }
}

impl Taken {
    fn is_present(&self) -> bool {
        self.connections > 0 || self.requests > 0
    }

    fn connect(&mut self, limits: &ClientLimits, now_ms: u64) -> Result<(), Excess> {
        if limits
            .connections
            .is_some_and(|most| self.connections >= most.get())
        {
            return Err(Excess::Connections);
        }
        if let Some(rate) = limits.connections_per_second {
            let second = nanoseconds(SECOND_MS);
            let now = nanoseconds(now_ms);
            let rested_at = self.rested_at.max(now) + second / u64::from(rate.get());
            if rested_at > now + second {
                return Err(Excess::ConnectionsPerSecond);
            }
            self.rested_at = rested_at;
        }
        self.connections += 1;
        Ok(())
    }
}

/// The address by which a client is counted.
fn counted_as(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
    }
}

fn nanoseconds(ms: u64) -> u64 {
    // Below the maximum by a wide margin, so that adding a second cannot overflow.
    ms.saturating_mul(NANOS_PER_MS).min(u64::MAX / 2)
}

#[cfg(test)]
mod tests;
