//! The flights that have not landed yet, in shards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use tokio::sync::watch;

use super::Landed;
use crate::key::Key;

/// Far more than there are workers, so that two workers seldom need one lock.
const SHARDS: usize = 64;

/// All flights.
#[derive(Debug)]
pub(crate) struct Flights<F> {
    shards: Box<[Shard<F>]>,
}

#[derive(Debug)]
struct Shard<F> {
    /// How many flights have landed. A request that looked its key up before the last
    /// landing must look again. Changed under the lock, read without it.
    landed: AtomicU64,
    flights: Mutex<HashTable<Pending<F>>>,
}

#[derive(Debug)]
struct Pending<F> {
    flight: Arc<Flight>,
    receiver: watch::Receiver<Option<Landed<F>>>,
}

/// What a flight is for.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) primary: Box<[u8]>,
    /// Empty while it is not known what the key varies on.
    pub(crate) variant: Box<[u8]>,
    slot: u64,
    shard: u64,
}

/// The leader's part of a flight.
#[derive(Debug)]
pub(crate) struct Ticket<F> {
    pub(crate) flight: Arc<Flight>,
    /// Taken when it lands.
    sender: Option<watch::Sender<Option<Landed<F>>>>,
}

/// The result of joining the flight of a key.
pub(crate) enum Boarded<F> {
    First(Ticket<F>),
    Waits(watch::Receiver<Option<Landed<F>>>),
    Again,
}

impl<F> Flights<F> {
    pub(crate) fn new() -> Self {
        let shard = || Shard {
            landed: AtomicU64::new(0),
            flights: Mutex::new(HashTable::new()),
        };
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
        }
    }

    /// How many flights have landed in the shard of this key. Read before a lookup.
    pub(crate) fn landed(&self, primary: u64) -> u64 {
        self.shard(primary)
            .map_or(0, |shard| shard.landed.load(Ordering::Acquire))
    }

    /// How many flights have not landed yet.
    pub(crate) fn pending(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| lock(&shard.flights).len())
            .sum()
    }

    /// Joins the flight of a key that was looked up, or begins it.
    pub(crate) fn board(&self, key: &Key) -> Boarded<F> {
        let Some(shard) = self.shard(key.lookup.primary) else {
            return Boarded::Again;
        };
        let mut flights = lock(&shard.flights);
        let slot = key.lookup.slot;
        let known = flights.find(slot, |other| {
            *other.flight.primary == *key.primary.0 && *other.flight.variant == *key.variant.0
        });
        if let Some(known) = known {
            return Boarded::Waits(known.receiver.clone());
        }
        if shard.landed.load(Ordering::Acquire) != key.lookup.landed {
            return Boarded::Again;
        }
        let flight = Arc::new(Flight {
            primary: key.primary.0.as_slice().into(),
            variant: key.variant.0.as_slice().into(),
            slot,
            shard: key.lookup.primary,
        });
        let (sender, receiver) = watch::channel(None);
        flights.insert_unique(
            slot,
            Pending {
                flight: Arc::clone(&flight),
                receiver,
            },
            |other| other.flight.slot,
        );
        Boarded::First(Ticket {
            flight,
            sender: Some(sender),
        })
    }

    /// Ends a flight and tells its waiters. The response must be in the index
    /// already. Calling it again has no effect.
    pub(crate) fn land(&self, ticket: &mut Ticket<F>, landed: Option<Landed<F>>) {
        let Some(sender) = ticket.sender.take() else {
            return;
        };
        if let Some(shard) = self.shard(ticket.flight.shard) {
            let mut flights = lock(&shard.flights);
            if matches!(landed, Some(Landed::Entry(_) | Landed::Pass)) {
                shard.landed.fetch_add(1, Ordering::Release);
            }
            let own = flights.find_entry(ticket.flight.slot, |other| {
                Arc::ptr_eq(&other.flight, &ticket.flight)
            });
            if let Ok(own) = own {
                own.remove();
            }
        }
        if landed.is_some() {
            sender.send_replace(landed);
        }
    }

    fn shard(&self, primary: u64) -> Option<&Shard<F>> {
        let index = usize::try_from(primary % SHARDS as u64).ok()?;
        self.shards.get(index)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
