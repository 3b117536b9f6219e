//! The flights that are in the air, in shards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use tokio::sync::watch;

use super::Landed;
use crate::key::Key;

/// A power of two: far more than workers, so that they seldom meet.
const SHARDS: usize = 64;

/// All flights.
#[derive(Debug)]
pub(crate) struct Flights<F> {
    shards: Box<[Shard<F>]>,
}

#[derive(Debug)]
struct Shard<F> {
    /// How many have landed: whoever looked before must look again. Changes
    /// under the lock, and is read by every lookup without it.
    landed: AtomicU64,
    flights: Mutex<HashTable<InTheAir<F>>>,
}

#[derive(Debug)]
struct InTheAir<F> {
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

/// What came of boarding.
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

    /// How many have landed where this key's would; read before a lookup.
    pub(crate) fn landed(&self, primary: u64) -> u64 {
        self.shard(primary)
            .map_or(0, |shard| shard.landed.load(Ordering::Acquire))
    }

    pub(crate) fn in_the_air(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| lock(&shard.flights).len())
            .sum()
    }

    /// Boards the flight of a key that was looked up.
    pub(crate) fn board(&self, key: &Key) -> Boarded<F> {
        let Some(shard) = self.shard(key.place.primary) else {
            return Boarded::Again;
        };
        let mut flights = lock(&shard.flights);
        let slot = key.place.slot;
        let known = flights.find(slot, |other| {
            *other.flight.primary == *key.primary.0 && *other.flight.variant == *key.variant.0
        });
        if let Some(known) = known {
            return Boarded::Waits(known.receiver.clone());
        }
        if shard.landed.load(Ordering::Acquire) != key.place.landed {
            return Boarded::Again;
        }
        let flight = Arc::new(Flight {
            primary: key.primary.0.as_slice().into(),
            variant: key.variant.0.as_slice().into(),
            slot,
            shard: key.place.primary,
        });
        let (sender, receiver) = watch::channel(None);
        flights.insert_unique(
            slot,
            InTheAir {
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

    /// Takes a flight out of the air and tells its waiters; what landed must be
    /// in the index by now. Does nothing the second time.
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
