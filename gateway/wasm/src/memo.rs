//! A cache of verdicts by key, limited in bytes: by a budget of its own, and by what is left of
//! that of the process (`allowance`). An empty memo has no memory on the heap.
//!
//! Keys are compared in full: with hashes alone, a client could bypass an
//! authentication policy through a collision. Eviction is S3-FIFO: a new key
//! enters a small queue (a tenth of the budget) and moves to the main queue only
//! if it is looked up again before it reaches the front. Keys that are used once
//! therefore evict only each other. The ghost list (keys that recently left the
//! small queue) is a table of fingerprints in which a new one overwrites the old
//! one in its slot; a false match merely admits a key to the main queue.
//!
//! If fewer than one lookup in a hundred hits while the memo is full, no new key
//! is inserted for a while: inserting would cost more than it saves.
//!
//! Alternatives considered: quick_cache and moka are made for sharing between
//! threads (locks or atomics on a hit); in lru, a scan evicts every entry.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::rc::Rc;

use hashbrown::HashTable;

use crate::allowance::Allowance;
use crate::capabilities::{Resources, Tie};
use crate::verdict::Verdict;

/// The bytes of an entry apart from its key: the entry itself and its positions in the
/// index and a queue.
const OVERHEAD: usize = size_of::<Option<Entry>>() + 16;
/// The small queue may hold the budget divided by this.
const SMALL_PART: usize = 10;
/// The count of uses stops here. Each use is one more round in the main queue.
const MAX_USES: u8 = 3;
/// After this many entries, the next one is evicted even if it was used.
const MAX_STEPS: u32 = 64;

/// The hasher `S` is randomly keyed, except in tests.
#[derive(Debug)]
pub(crate) struct Memo<S = ahash::RandomState> {
    hasher: S,
    index: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    ghost: Ghost,
    admission: Admission,
    allowance: Rc<Allowance>,
    budget: usize,
    bytes: usize,
    small_bytes: usize,
}

/// A verdict that is reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) verdict: Rc<Verdict>,
    /// When it expires, in milliseconds.
    pub(crate) expires_ms: u64,
    /// The input `now` of the call that made it, in seconds of Unix time.
    pub(crate) asked_at: u64,
    /// The resources that it depends on, if any.
    pub(crate) tie: Option<Rc<Tie>>,
}

impl Kept {
    /// Whether the resources that it depends on are as they were.
    #[inline]
    pub(crate) fn holds(&self, resources: &Resources) -> bool {
        self.tie.as_ref().is_none_or(|tie| tie.holds(resources))
    }
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    key: Box<[u8]>,
    kept: Kept,
    bytes: usize,
    uses: u8,
    in_small: bool,
}

impl<S: BuildHasher> Memo<S> {
    pub(crate) fn new(budget: usize, hasher: S, allowance: Rc<Allowance>) -> Self {
        let ghost = Ghost::new(budget / 128);
        Self {
            hasher,
            index: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            admission: Admission::default(),
            allowance,
            budget: budget.saturating_sub(ghost.size()),
            ghost,
            bytes: 0,
            small_bytes: 0,
        }
    }

    /// The verdict stored under this key, if it has not expired.
    #[inline]
    pub(crate) fn get(&mut self, key: &[u8], now_ms: u64) -> Option<&Kept> {
        let hash = self.hasher.hash_one(key);
        let found = self
            .find(hash, key)
            .and_then(|at| self.entries.get_mut(at as usize)?.as_mut())
            .filter(|entry| now_ms < entry.kept.expires_ms);
        self.admission.looked_up(found.is_some());
        found.map(|entry| {
            entry.uses = (entry.uses + 1).min(MAX_USES);
            &entry.kept
        })
    }

    /// Stores a verdict until it expires, unless it is too large or new keys are
    /// not inserted at present. It may be evicted earlier. `extra` is the size of the
    /// verdict in bytes, or 0 if the interner counts it.
    pub(crate) fn insert(&mut self, key: &[u8], kept: Kept, extra: usize) {
        let hash = self.hasher.hash_one(key);
        let bytes = OVERHEAD + key.len() + extra;
        if let Some(at) = self.find(hash, key) {
            self.replace(at, kept, bytes);
            return;
        }
        if bytes > self.budget / SMALL_PART || !self.admission.is_open() {
            return;
        }
        while self.bytes + bytes > self.budget {
            self.admission.filled();
            self.evict();
        }
        // Others have what is left of the memory for all memos.
        while !self.allowance.take(bytes) {
            if self.index.is_empty() {
                return;
            }
            self.admission.filled();
            self.evict();
        }
        let in_small = !self.ghost.take(hash);
        let at = self.place(Entry {
            hash,
            key: key.into(),
            kept,
            bytes,
            uses: 0,
            in_small,
        });
        self.bytes += bytes;
        if in_small {
            self.small_bytes += bytes;
            self.small.push_back(at);
        } else {
            self.main.push_back(at);
        }
        let entries = &self.entries;
        self.index
            .insert_unique(hash, at, |&at| entry(entries, at).map_or(0, |e| e.hash));
    }

    /// Whether no new key is inserted at present.
    pub(crate) fn is_paused(&self) -> bool {
        self.admission.paused > 0
    }

    /// The number of entries, expired ones included.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index
            .find(hash, |&at| {
                entry(&self.entries, at).is_some_and(|entry| *entry.key == *key)
            })
            .copied()
    }

    fn replace(&mut self, at: u32, kept: Kept, bytes: usize) {
        let Some(Some(entry)) = self.entries.get_mut(at as usize) else {
            return;
        };
        // Without memory for the new verdict there is none, until the entry is evicted.
        if bytes > entry.bytes && !self.allowance.take(bytes - entry.bytes) {
            entry.kept.expires_ms = 0;
            return;
        }
        self.allowance.give(entry.bytes.saturating_sub(bytes));
        self.bytes = self.bytes - entry.bytes + bytes;
        if entry.in_small {
            self.small_bytes = self.small_bytes - entry.bytes + bytes;
        }
        entry.kept = kept;
        entry.bytes = bytes;
        while self.bytes > self.budget {
            self.evict();
        }
    }

    fn place(&mut self, entry: Entry) -> u32 {
        if let Some(at) = self.free.pop()
            && let Some(slot) = self.entries.get_mut(at as usize)
        {
            *slot = Some(entry);
            return at;
        }
        self.entries.push(Some(entry));
        u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
    }

    /// Evicts one entry.
    fn evict(&mut self) {
        for step in 0.. {
            let must = step >= MAX_STEPS;
            // A part of what is there: the process may allow less than the budget.
            let from_small = self.main.is_empty() || self.small_bytes >= self.bytes / SMALL_PART;
            let queue = if from_small {
                &mut self.small
            } else {
                &mut self.main
            };
            let Some(at) = queue.pop_front() else {
                // Both queues are empty.
                self.bytes = 0;
                self.small_bytes = 0;
                return;
            };
            let Some(Some(entry)) = self.entries.get_mut(at as usize) else {
                continue;
            };
            if entry.uses > 0 && !must {
                if from_small {
                    self.small_bytes -= entry.bytes;
                    entry.in_small = false;
                    entry.uses = 0;
                } else {
                    entry.uses -= 1;
                }
                self.main.push_back(at);
                continue;
            }
            if from_small {
                self.small_bytes -= entry.bytes;
                self.ghost.put(entry.hash, &self.allowance);
            }
            self.remove(at);
            return;
        }
    }

    fn remove(&mut self, at: u32) {
        let Some(entry) = self.entries.get_mut(at as usize).and_then(Option::take) else {
            return;
        };
        self.bytes -= entry.bytes;
        self.allowance.give(entry.bytes);
        if let Ok(found) = self.index.find_entry(entry.hash, |&other| other == at) {
            found.remove();
        }
        self.free.push(at);
    }
}

fn entry(entries: &[Option<Entry>], at: u32) -> Option<&Entry> {
    entries.get(at as usize)?.as_ref()
}

/// Fingerprints of keys that recently left the small queue.
#[derive(Debug)]
struct Ghost {
    /// Empty until the first key leaves, which happens in full memos only.
    slots: Box<[u32]>,
    len: usize,
}

impl Ghost {
    fn new(len: usize) -> Self {
        Self {
            slots: Box::default(),
            len: len.max(1).next_power_of_two(),
        }
    }

    /// The size in bytes.
    fn size(&self) -> usize {
        self.len * size_of::<u32>()
    }

    fn put(&mut self, hash: u64, allowance: &Allowance) {
        if self.slots.is_empty() && allowance.take(self.size()) {
            self.slots = vec![0; self.len].into();
        }
        if let Some(slot) = self.slot(hash) {
            *slot = fingerprint(hash);
        }
    }

    /// Removes the fingerprint. Returns whether it was there.
    fn take(&mut self, hash: u64) -> bool {
        self.slot(hash)
            .is_some_and(|slot| *slot == fingerprint(hash) && std::mem::take(slot) != 0)
    }

    fn slot(&mut self, hash: u64) -> Option<&mut u32> {
        let mask = self.len - 1;
        self.slots
            .get_mut(usize::try_from(hash).unwrap_or(0) & mask)
    }
}

/// The upper half of the hash. Never 0, which marks an empty slot.
fn fingerprint(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0).max(1)
}

/// The hit ratio is measured over this many lookups.
const WINDOW: u32 = 10_000;
/// With fewer hits in a window, inserting is paused.
const MIN_HITS: u32 = WINDOW / 100;
/// The length of a pause, in lookups.
const PAUSE_LOOKUPS: u32 = 100_000;

/// Decides whether new keys are inserted, by the hit ratio.
#[derive(Debug, Default)]
struct Admission {
    full: bool,
    lookups: u32,
    hits: u32,
    /// Lookups left in the pause; 0 if there is none.
    paused: u32,
}

impl Admission {
    #[inline]
    fn looked_up(&mut self, hit: bool) {
        if self.paused > 0 {
            self.paused -= 1;
            return;
        }
        if !self.full {
            return;
        }
        self.lookups += 1;
        self.hits += u32::from(hit);
        if self.lookups >= WINDOW {
            if self.hits < MIN_HITS {
                self.paused = PAUSE_LOOKUPS;
            }
            self.lookups = 0;
            self.hits = 0;
        }
    }

    fn filled(&mut self) {
        self.full = true;
    }

    fn is_open(&self) -> bool {
        self.paused == 0
    }
}

#[cfg(test)]
mod tests;
