//! The lookup cache: the result of looking up each path, and when it was
//! obtained.
//!
//! It is bounded by weight and evicts by how often entries are used rather than
//! how recently (`quick_cache`, S3-FIFO), so that a crawler that visits
//! everything, or a scan for files that do not exist, does not displace what is
//! used often.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use ahash::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

use crate::coding::Wanted;
use crate::lookup::Lookup;
use crate::opened::Body;

/// The estimated overhead of an entry besides path and content, in bytes: key,
/// value, the cache's own data, and the allocations for the opened file.
const OVERHEAD: u64 = 512;
/// The number of shards. Each has its own lock and its own share of the weight;
/// more would gain nothing on today's machines.
const SHARDS: usize = 16;

/// A path of one root, for clients that get the same response for it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) root: u64,
    pub(crate) wanted: Wanted,
    pub(crate) path: Box<[u8]>,
}

/// The same key, borrowed, so that a hit allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyRef<'a> {
    pub(crate) root: u64,
    pub(crate) wanted: Wanted,
    pub(crate) path: &'a [u8],
}

/// A cached lookup.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) lookup: Lookup,
    /// When the lookup was requested, in milliseconds on the callers' clock.
    pub(crate) looked_up: u64,
    /// The generation of the root: it counts the directories that had the
    /// root's path.
    pub(crate) generation: u64,
}

pub(crate) struct Entries(Cache<Key, Entry, Weight, RandomState>);

#[derive(Clone, Copy, Debug)]
struct Weight {
    /// The weight of an open file: the memory limit divided by the limit of
    /// open files.
    file: u64,
}

impl Entries {
    /// A cache for this many bytes and this many open files.
    pub(crate) fn new(memory: u64, open_files: u64) -> Self {
        let weight = Weight {
            file: memory / open_files.max(1),
        };
        let mut options = OptionsBuilder::new();
        options
            .shards(SHARDS)
            .weight_capacity(memory)
            // Assumes small files; the table grows if they are even smaller.
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

    /// Gets an entry without counting it as a use.
    pub(crate) fn peek(&self, key: KeyRef<'_>) -> Option<Entry> {
        self.0.peek(&key)
    }

    pub(crate) fn insert(&self, key: Key, entry: Entry) {
        self.0.insert(key, entry);
    }

    /// Drops all entries that were not looked up after a given time, and
    /// thereby closes the files that they hold open.
    pub(crate) fn sweep(&self, before: u64) {
        self.0.retain(|_, entry| entry.looked_up > before);
    }

    /// Drops all entries that hold a file open; false if there were none.
    pub(crate) fn close_files(&self) -> bool {
        let is_any = Cell::new(false);
        self.0.retain(|_, entry| {
            let is_open = entry.lookup.holds_a_file();
            is_any.set(is_any.get() || is_open);
            !is_open
        });
        is_any.get()
    }

    /// Drops a root's entries from generations before this one.
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
