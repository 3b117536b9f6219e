//! The memory store: slots with a byte budget, evicted by Clock-PRO (`quick_cache`), which
//! also remembers the keys of recently evicted slots, its ghosts. The reasons are in
//! `docs/decisions/0008-cache-store.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, GuardResult};
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use crate::entry::{Entry, OVERHEAD};
use crate::hash::Identity;
use crate::key::Variance;

/// What a slot holds.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    Entry(Arc<Entry>),
    /// What the entries of a primary key vary on.
    Variance(Arc<Marker>),
    /// Nothing is stored for this key for a while.
    Pass(Arc<PassMarker>),
}

#[derive(Debug)]
pub(crate) struct Marker {
    pub(crate) primary: Box<[u8]>,
    pub(crate) variance: Variance,
}

#[derive(Debug)]
pub(crate) struct PassMarker {
    pub(crate) primary: Box<[u8]>,
    pub(crate) variant: Box<[u8]>,
    pub(crate) until_ms: u64,
}

impl Slot {
    /// Compares the whole key, since slots are found by a hash of it.
    pub(crate) fn is(&self, primary: &[u8], variant: &[u8]) -> bool {
        match self {
            Self::Entry(entry) => entry.is(primary, variant),
            Self::Variance(marker) => variant.is_empty() && *marker.primary == *primary,
            Self::Pass(marker) => *marker.primary == *primary && *marker.variant == *variant,
        }
    }

    fn weight(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.weight(),
            Self::Variance(marker) => {
                let names: usize = marker.variance.names().map(|name| name.len() + 32).sum();
                OVERHEAD + (marker.primary.len() + names) as u64
            }
            Self::Pass(marker) => OVERHEAD + (marker.primary.len() + marker.variant.len()) as u64,
        }
    }
}

/// A table of slots with a byte budget.
#[derive(Debug)]
pub(crate) struct Index {
    slots: Cache<u64, Slot, Weigh, Identity, Evictions>,
    evicted: Arc<AtomicU64>,
    replaced: AtomicU64,
}

/// The assumed mean weight of an object, which determines the number of ghosts. Too few
/// ghosts cost hits: with 4096 the hit ratio for small objects was 73 %, with 512 it was
/// 79 % (`examples/measure.rs`).
const AVERAGE: u64 = 512;

impl Index {
    /// `shards` is a hint; each shard must be able to hold some of the largest objects.
    /// Every slot weighs at least `least` bytes.
    pub(crate) fn new(bytes: u64, shards: usize, least: u64) -> Self {
        let evicted = Arc::new(AtomicU64::new(0));
        let items = usize::try_from(bytes / AVERAGE.max(least))
            .unwrap_or(usize::MAX)
            .max(1024);
        let mut options = OptionsBuilder::new();
        options
            .estimated_items_capacity(items)
            .weight_capacity(bytes)
            .shards(shards);
        let lifecycle = Evictions(Arc::clone(&evicted));
        let slots = match options.build() {
            Ok(options) => Cache::with_options(options, Weigh(least), Identity, lifecycle),
            // Unreachable: the builder has all that it requires.
            Err(_) => Cache::with(items, bytes, Weigh(least), Identity, lifecycle),
        };
        Self {
            slots,
            evicted,
            replaced: AtomicU64::new(0),
        }
    }

    pub(crate) fn find(&self, slot: u64, primary: &[u8], variant: &[u8]) -> Option<Slot> {
        self.slots
            .get(&slot)
            .filter(|found| found.is(primary, variant))
    }

    /// As `find`, but does not count as a use.
    pub(crate) fn peek(&self, slot: u64, primary: &[u8], variant: &[u8]) -> Option<Slot> {
        self.slots
            .peek(&slot)
            .filter(|found| found.is(primary, variant))
    }

    pub(crate) fn insert(&self, slot: u64, value: Slot) {
        // `quick_cache` reports a replaced value as evicted too.
        if self.slots.peek(&slot).is_some() {
            self.replaced.fetch_add(1, Ordering::Relaxed);
        }
        self.slots.insert(slot, value);
    }

    /// Inserts a value if the slot is empty or holds a `Pass` marker.
    pub(crate) fn insert_if_absent(&self, slot: u64, value: Slot) {
        match self
            .slots
            .get_value_or_guard(&slot, Some(std::time::Duration::ZERO))
        {
            GuardResult::Guard(guard) => drop(guard.insert(value)),
            GuardResult::Value(Slot::Pass(_)) => self.insert(slot, value),
            GuardResult::Value(Slot::Entry(_) | Slot::Variance(_)) | GuardResult::Timeout => {}
        }
    }

    /// Removes the value if `dead` is true for it, and returns it.
    pub(crate) fn remove_if(&self, slot: u64, dead: impl FnOnce(&Slot) -> bool) -> Option<Slot> {
        self.slots
            .remove_if(&slot, |value| dead(value))
            .map(|(_, value)| value)
    }

    /// All slots. Shards are locked one after the other, so that concurrent changes may be
    /// missed or seen twice.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Slot)> + '_ {
        self.slots.iter()
    }

    pub(crate) fn set_capacity(&self, bytes: u64) {
        self.slots.set_capacity(bytes);
    }

    /// The greatest weight of one object, in bytes.
    pub(crate) fn largest(&self) -> u64 {
        self.slots.shard_capacity() / 2
    }

    pub(crate) fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    pub(crate) fn weight(&self) -> u64 {
        self.slots.weight()
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.slots.capacity()
    }

    pub(crate) fn evicted(&self) -> u64 {
        let replaced = self.replaced.load(Ordering::Relaxed);
        self.evicted
            .load(Ordering::Relaxed)
            .saturating_sub(replaced)
    }
}

#[derive(Clone, Debug)]
struct Weigh(u64);

impl Weighter<u64, Slot> for Weigh {
    fn weight(&self, _: &u64, slot: &Slot) -> u64 {
        slot.weight().max(self.0)
    }
}

/// Counts evictions, and drops the evicted values after the lock is released.
#[derive(Clone, Debug)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<u64, Slot> for Evictions {
    type RequestState = Vec<Slot>;

    fn on_evict(&self, evicted: &mut Vec<Slot>, _: u64, slot: Slot) {
        self.0.fetch_add(1, Ordering::Relaxed);
        evicted.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(name: u64) -> Slot {
        Slot::Pass(Arc::new(PassMarker {
            primary: name.to_be_bytes().into(),
            variant: Box::default(),
            until_ms: 0,
        }))
    }

    #[test]
    fn what_makes_room_is_evicted_and_what_is_replaced_is_not() {
        let index = Index::new(1 << 20, 1, 0);
        for _ in 0..100 {
            index.insert(7, pass(7));
        }
        assert_eq!(index.evicted(), 0);
        for name in 0..10_000 {
            index.insert(name, pass(name));
        }
        assert!(index.len() < 10_000);
        assert_eq!(index.evicted(), 10_000 - index.len());
    }
}
