//! The store of the process, shared by all workers.
//!
//! Lookups have two levels. The slot of a primary key holds its only entry, or the names
//! of the fields that its entries vary on; then each entry has a slot of its own. So a
//! response without `Vary` costs one lookup, one with `Vary` two, and each variant is
//! evicted by its own use. Entries evicted from memory may still be on the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::disk::Disk;
use crate::entry::{Body, Entry, NewEntry};
use crate::growth::{FillBudget, Growth};
use crate::hash::KeyHasher;
use crate::key::{Parts, Variance};
use crate::purge::{PurgeState, Purges};

pub(crate) mod index;

use index::{Index, Marker, PassMarker, Slot};

/// Why a response was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The body is larger than `max_object`.
    TooLarge,
    /// The bodies that are being received together use up their memory.
    Full,
    /// The cache is off.
    Off,
    /// The head, the key or the list in `Vary` exceeds a fixed limit.
    OverLimit,
}

/// What all parts of the cache share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) hasher: KeyHasher,
    pub(crate) index: Index,
    /// Entries whose body is an open file; their number is limited.
    pub(crate) opened: Index,
    pub(crate) purges: Arc<Purges>,
    pub(crate) fill_budget: Arc<FillBudget>,
    pub(crate) disk: Option<Disk>,
    max_object: AtomicU64,
    /// The memory budget; 0 turns the cache off.
    memory: AtomicU64,
}

/// The most files that are kept open; each takes a file descriptor.
const MAX_OPENED: u64 = 1024;

/// The memory for compressed forms of open files, in bytes: a quarter of the memory
/// budget, in addition to it, and at least a kilobyte for each file.
fn opened_bytes(memory: u64) -> u64 {
    (memory / 4).clamp(MAX_OPENED * 1024, 64 << 20)
}

/// The most bytes of key and head together.
const MAX_TEXT: usize = 256 * 1024;

/// The most field names that one response may list in `Vary`.
const MAX_NAMES: usize = 64;

impl Store {
    pub(crate) fn new(
        memory: u64,
        max_object: u64,
        purges: Arc<Purges>,
        disk: Option<Disk>,
    ) -> Self {
        let fill_budget = Arc::new(FillBudget::default());
        // A shard must hold a few of the largest objects.
        let shards = (memory / max_object.saturating_mul(4).max(1 << 20)).clamp(1, 64);
        let shards = usize::try_from(shards).unwrap_or(1);
        let store = Self {
            hasher: KeyHasher::new(),
            index: Index::new(memory, shards, 0),
            // Each entry weighs at least as much as limits the number to `MAX_OPENED`.
            opened: Index::new(opened_bytes(memory), 4, opened_bytes(memory) / MAX_OPENED),
            purges,
            fill_budget,
            disk,
            max_object: AtomicU64::new(0),
            memory: AtomicU64::new(0),
        };
        store.set_limits(memory, max_object);
        store
    }

    pub(crate) fn set_limits(&self, memory: u64, max_object: u64) {
        self.index.set_capacity(memory);
        self.memory.store(memory, Ordering::Relaxed);
        let largest = max_object.min(self.index.largest());
        self.max_object.store(largest, Ordering::Relaxed);
        // In addition to the budget, so that a full store can still receive new bodies.
        self.fill_budget.set_limit((memory / 4).max(4 * largest));
    }

    pub(crate) fn is_off(&self) -> bool {
        self.memory.load(Ordering::Relaxed) == 0
    }

    /// Largest body that is stored, in bytes.
    pub(crate) fn max_object(&self) -> u64 {
        self.max_object.load(Ordering::Relaxed)
    }

    pub(crate) fn admits(&self, length: Option<u64>) -> Result<(), Refused> {
        if self.is_off() {
            return Err(Refused::Off);
        }
        match length {
            Some(length) if length > self.max_object() => Err(Refused::TooLarge),
            _ => Ok(()),
        }
    }

    /// Stores a new response.
    pub(crate) fn publish(
        &self,
        primary: &[u8],
        new: NewEntry<'_>,
        variance: &Variance,
        variant: &mut dyn FnMut(&Variance, &mut Parts),
        body: Body,
        level: u64,
    ) -> Result<Arc<Entry>, Refused> {
        let mut values = Parts::default();
        if !variance.is_none() {
            let variance = self.vary(primary, variance)?;
            variance.begin(&mut values);
            variant(&variance, &mut values);
        }
        let entry = Arc::new(Entry::new(primary, &values.0, new, body, level));
        if entry.text_len() > MAX_TEXT {
            return Err(Refused::OverLimit);
        }
        self.insert(&entry);
        Ok(entry)
    }

    /// Records what the entries of a key vary on: the union of what all of them have named
    /// so far. Returns that union.
    pub(crate) fn vary(&self, primary: &[u8], variance: &Variance) -> Result<Variance, Refused> {
        let slot = self.hasher.slot(primary, b"");
        let variance = match self.index.peek(slot, primary, b"") {
            Some(Slot::Variance(known)) if known.variance == *variance => {
                return Ok(variance.clone());
            }
            Some(Slot::Variance(known)) => known.variance.union(variance),
            _ => variance.clone(),
        };
        if variance.names().count() > MAX_NAMES {
            return Err(Refused::OverLimit);
        }
        self.mark(primary, &variance);
        if let Some(disk) = &self.disk {
            disk.write_variance(primary, &variance);
        }
        Ok(variance)
    }

    pub(crate) fn mark(&self, primary: &[u8], variance: &Variance) {
        let marker = Marker {
            primary: primary.into(),
            variance: variance.clone(),
        };
        let slot = self.hasher.slot(primary, b"");
        self.index.insert(slot, Slot::Variance(Arc::new(marker)));
    }

    pub(crate) fn insert(&self, entry: &Arc<Entry>) {
        let slot = self.hasher.slot(entry.primary(), entry.variant());
        let table = match entry.body() {
            Body::File { .. } => &self.opened,
            Body::Bytes(_) | Body::Growing(_) => {
                // The entry in memory is newer than the open file of the same key.
                self.opened.remove_if(slot, |_| true);
                &self.index
            }
        };
        table.insert(slot, Slot::Entry(Arc::clone(entry)));
    }

    /// Leaves a marker that nothing is stored for this key for a while.
    pub(crate) fn pass(&self, primary: &[u8], variant: &[u8], until_ms: u64) {
        let slot = self.hasher.slot(primary, variant);
        // This slot leads to the variants of the key: do not overwrite it.
        if let Some(Slot::Variance(_)) = self.index.peek(slot, primary, variant) {
            return;
        }
        let marker = PassMarker {
            primary: primary.into(),
            variant: variant.into(),
            until_ms,
        };
        self.index.insert(slot, Slot::Pass(Arc::new(marker)));
    }

    /// Called when the file of an entry has been written: closes the open file of an older
    /// entry of the same key.
    pub(crate) fn close_older_file(&self, entry: &Arc<Entry>) {
        let slot = self.hasher.slot(entry.primary(), entry.variant());
        self.opened.remove_if(
            slot,
            |found| !matches!(found, Slot::Entry(found) if Arc::ptr_eq(found, entry)),
        );
    }

    /// The entry of a key, if its body is in memory or its file is open.
    pub(crate) fn in_memory(&self, primary: &[u8], variant: &[u8]) -> Option<Arc<Entry>> {
        let slot = self.hasher.slot(primary, variant);
        [&self.index, &self.opened].into_iter().find_map(|table| {
            match table.peek(slot, primary, variant) {
                Some(Slot::Entry(entry)) => self.unless_purged(entry, slot),
                _ => None,
            }
        })
    }

    /// Adds an entry that was loaded from the disk, unless memory has a newer one.
    pub(crate) fn insert_loaded(&self, entry: &Arc<Entry>) {
        let slot = self.hasher.slot(entry.primary(), entry.variant());
        match entry.body() {
            Body::File { .. } => self.opened.insert(slot, Slot::Entry(Arc::clone(entry))),
            Body::Bytes(_) | Body::Growing(_) => {
                self.index
                    .insert_if_absent(slot, Slot::Entry(Arc::clone(entry)));
            }
        }
    }

    /// The newest entry of the same key if it has the same body; otherwise `entry`.
    pub(crate) fn current(&self, entry: &Arc<Entry>) -> Arc<Entry> {
        match self.in_memory(entry.primary(), entry.variant()) {
            Some(current) if current.body().is_same(entry.body()) => current,
            _ => Arc::clone(entry),
        }
    }

    /// Replaces `old` by `new`, if `old` is still stored and `new` is not too large.
    pub(crate) fn replace(&self, old: &Arc<Entry>, new: &Arc<Entry>) {
        let slot = self.hasher.slot(old.primary(), old.variant());
        let table = match old.body() {
            Body::File { .. } => &self.opened,
            Body::Bytes(_) | Body::Growing(_) => &self.index,
        };
        if new.weight() > table.largest() {
            return;
        }
        let is_still_stored = matches!(
            table.peek(slot, old.primary(), old.variant()),
            Some(Slot::Entry(found)) if Arc::ptr_eq(&found, old)
        );
        if is_still_stored {
            table.insert(slot, Slot::Entry(Arc::clone(new)));
        }
    }

    /// Removes an entry from the index, unless another has replaced it.
    pub(crate) fn forget(&self, entry: &Arc<Entry>) {
        let slot = self.hasher.slot(entry.primary(), entry.variant());
        for table in [&self.index, &self.opened] {
            table.remove_if(
                slot,
                |found| matches!(found, Slot::Entry(found) if Arc::ptr_eq(found, entry)),
            );
        }
    }

    /// Stores the entry again once its body is complete.
    pub(crate) fn complete(
        &self,
        entry: &Arc<Entry>,
        growth: &Arc<Growth>,
        whole: Bytes,
    ) -> Arc<Entry> {
        let slot = self.hasher.slot(entry.primary(), entry.variant());
        // A revalidation may have replaced the entry; the new one has the same body.
        let current = match self.index.peek(slot, entry.primary(), entry.variant()) {
            Some(Slot::Entry(current)) if current.body().is_growing_as(growth) => current,
            Some(Slot::Entry(_) | Slot::Pass(_) | Slot::Variance(_)) => {
                return Arc::new(entry.with_body(Body::Bytes(whole)));
            }
            None => Arc::clone(entry),
        };
        let complete = Arc::new(current.with_body(Body::Bytes(whole)));
        self.insert(&complete);
        self.write_to_disk(&complete);
        complete
    }

    /// Hands an entry to the disk, if there is one.
    pub(crate) fn write_to_disk(&self, entry: &Arc<Entry>) {
        if let Some(disk) = &self.disk {
            disk.write(entry);
        }
    }

    /// Returns the entry, or removes it from the index if a purge has reached it.
    pub(crate) fn unless_purged(&self, entry: Arc<Entry>, slot: u64) -> Option<Arc<Entry>> {
        if entry.purge_state(&self.purges) == PurgeState::Dead {
            for table in [&self.index, &self.opened] {
                table.remove_if(
                    slot,
                    |found| matches!(found, Slot::Entry(found) if Arc::ptr_eq(found, &entry)),
                );
            }
            return None;
        }
        Some(entry)
    }
}
