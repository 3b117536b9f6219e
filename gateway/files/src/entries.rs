//! The cache of looks: what each path came to, and when.
//!
//! Bounded by weight, and evicted by how often entries are asked for rather than
//! how recently (`quick_cache`, S3-FIFO), so that a crawler that walks through
//! everything, or a scan for what is not there, does not push out what is hot.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use ahash::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

use crate::coding::Wanted;
use crate::lookup::Lookup;
use crate::opened::Body;

/// What an entry takes besides path and content, in bytes: key, value, the
/// cache's own, and the allocations of what was opened.
const OVERHEAD: u64 = 512;
/// More is not gained by more locks on machines of today's size, and each has
/// its own share of the weight.
const SHARDS: usize = 16;

/// A path of one root, for clients that get the same of it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) root: u64,
    pub(crate) wanted: Wanted,
    pub(crate) path: Box<[u8]>,
}

/// The same, borrowed, so that a hit allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyRef<'a> {
    pub(crate) root: u64,
    pub(crate) wanted: Wanted,
    pub(crate) path: &'a [u8],
}

/// What a look found.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) lookup: Lookup,
    /// When it was asked for, in milliseconds of the callers' clock.
    pub(crate) looked: u64,
    /// Which of the directories that the root has been.
    pub(crate) generation: u64,
}

pub(crate) struct Entries(Cache<Key, Entry, Weight, RandomState>);

#[derive(Clone, Copy, Debug)]
struct Weight {
    /// What an open file weighs: the budget divided by how many may be open.
    file: u64,
}

impl Entries {
    /// Room for so many bytes, and so many open files.
    pub(crate) fn new(memory: u64, open_files: u64) -> Self {
        let weight = Weight {
            file: memory / open_files.max(1),
        };
        let mut options = OptionsBuilder::new();
        options
            .shards(SHARDS)
            .weight_capacity(memory)
            // Small files; the table grows if they are smaller still.
            .estimated_items_capacity(usize::try_from(memory / 16_384).unwrap_or(1024));
        let cache = match options.build() {
            Ok(options) => Cache::with_options(
                options,
                weight,
                RandomState::new(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Cache::with(
                1024,
                memory,
                weight,
                RandomState::new(),
                DefaultLifecycle::default(),
            ),
        };
        Self(cache)
    }

    pub(crate) fn get(&self, key: KeyRef<'_>) -> Option<Entry> {
        self.0.get(&key)
    }

    /// Without making it hotter.
    pub(crate) fn peek(&self, key: KeyRef<'_>) -> Option<Entry> {
        self.0.peek(&key)
    }

    pub(crate) fn insert(&self, key: Key, entry: Entry) {
        self.0.insert(key, entry);
    }

    /// Drops all that were not looked up after a time, and so the files that
    /// they hold open.
    pub(crate) fn sweep(&self, before: u64) {
        self.0.retain(|_, entry| entry.looked > before);
    }

    /// Drops all that hold a file open; false if there were none.
    pub(crate) fn close_files(&self) -> bool {
        let is_any = Cell::new(false);
        self.0.retain(|_, entry| {
            let is_open = entry.lookup.holds_a_file();
            is_any.set(is_any.get() || is_open);
            !is_open
        });
        is_any.get()
    }

    /// Drops what a root has of directories before this one.
    pub(crate) fn forget(&self, root: u64, generation: u64) {
        self.0
            .retain(|key, entry| key.root != root || entry.generation >= generation);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.0.weight()
    }
}

impl Key {
    pub(crate) fn as_ref(&self) -> KeyRef<'_> {
        KeyRef {
            root: self.root,
            wanted: self.wanted,
            path: &self.path,
        }
    }
}

impl KeyRef<'_> {
    pub(crate) fn to_key(self) -> Key {
        Key {
            root: self.root,
            wanted: self.wanted,
            path: self.path.into(),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.as_ref()
    }
}

impl Weighter<Key, Entry> for Weight {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let held = match &entry.lookup {
            Lookup::File(opened) => match &opened.body {
                Body::Memory(content) => content.len() as u64,
                Body::File(_) => self.file,
            },
            Lookup::Listing(page) => page.len() as u64,
            _ => 0,
        };
        OVERHEAD + key.path.len() as u64 + held
    }
}
