//! Purges. Each is recorded as one line in a small table, however many entries it reaches.
//!
//! Purges are numbered. An entry remembers the number of the newest purge that it has been
//! compared with, its *level*. A lookup compares the level with the number of the newest
//! purge; only if there has been a purge since, it compares the entry with the tables, and
//! the entry remembers the result. So a purge of a hundred thousand objects costs one
//! insertion and takes effect at the next lookup of each of them, and without purges a hit
//! costs one comparison of numbers.
//!
//! A sweep in the background then compares every entry with the recorded purges, removes
//! the purged ones, and clears these lines. An entry whose level is older than the cleared
//! lines can no longer be compared and counts as purged: a response whose fetch began
//! before a purge and ends after its sweep is fetched again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

mod tables;

use tables::Tables;

/// Which entries a purge reaches. Hosts are compared without letter case, and a host without
/// a port reaches every port. Paths, queries and tags are compared byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One address, with all variants.
    Url {
        /// `http` or `https`.
        scheme: &'a [u8],
        /// Host and port.
        host: &'a [u8],
        /// Normalised path.
        path: &'a [u8],
        /// The query; `None` for every query of the path. An entry whose query was edited
        /// for the key is reached by each query of its path.
        query: Option<&'a [u8]>,
    },
    /// Every path of a host that begins with these bytes, with either scheme.
    Prefix {
        /// Host and port.
        host: &'a [u8],
        /// Beginning of the normalised path.
        path: &'a [u8],
    },
    /// Every path of a host, with either scheme.
    Host(&'a [u8]),
    /// All entries with a tag. Tags are case-sensitive.
    Tag(&'a [u8]),
    /// Everything.
    All,
}

/// What a purge does to the entries that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Makes them stale: they are validated before they are used again, and may be served
    /// stale where their terms allow it (RFC 5861).
    Soft {
        /// The time of the purge, in milliseconds since the Unix epoch.
        now_ms: u64,
    },
    /// Removes them.
    Hard,
}

/// The effect of all purges so far on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PurgeState {
    /// Not purged.
    Live,
    /// Purged softly: stale since this time, in milliseconds since the Unix epoch.
    Stale { at_ms: u64 },
    /// Purged: the entry must not be used.
    Dead,
}

impl PurgeState {
    /// The combined effect of earlier purges and later ones.
    pub(crate) fn and(self, later: Self) -> Self {
        match (self, later) {
            (_, Self::Dead) | (Self::Dead, _) => Self::Dead,
            (Self::Live, later) => later,
            (stale, _) => stale,
        }
    }
}

/// The parts of an entry that purges are compared with.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) primary: &'a [u8],
    /// Length-prefixed tags, one after the other.
    pub(crate) tags: &'a [u8],
}

/// The recorded purges that no sweep has carried out yet.
#[derive(Debug)]
pub(crate) struct Purges {
    /// The number before the first purge of this process.
    base: u64,
    newest: AtomicU64,
    tables: RwLock<Tables>,
    hasher: ahash::RandomState,
}

impl Purges {
    /// New purges are numbered from `base + 1`; all up to `cleared` have been swept.
    pub(crate) fn new(base: u64, cleared: u64) -> Self {
        Self {
            base,
            newest: AtomicU64::new(base),
            tables: RwLock::new(Tables::cleared_to(cleared)),
            hasher: ahash::RandomState::new(),
        }
    }

    /// Number of the newest purge. It is the level of a response that is fetched from
    /// now on.
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// How many purges there were since the start.
    pub(crate) fn counted(&self) -> u64 {
        self.newest() - self.base
    }

    /// Number up to which all purges have been swept.
    pub(crate) fn cleared(&self) -> u64 {
        self.read().cleared()
    }

    /// How many lines the tables have, which the next sweep clears.
    pub(crate) fn lines(&self) -> usize {
        self.read().lines()
    }

    /// True if there are so many lines that the sweep should not be put off.
    pub(crate) fn are_many(&self) -> bool {
        self.read().are_many()
    }

    /// Records a purge and returns its number. It affects every lookup that begins
    /// after the return.
    pub(crate) fn record(&self, scope: &Scope<'_>, purge: Purge) -> u64 {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let number = self.newest.load(Ordering::Relaxed) + 1;
        tables.insert(&self.hasher, scope, purge, number);
        self.newest.store(number, Ordering::Release);
        number
    }

    /// Records a purge again that was recorded before a restart.
    pub(crate) fn replay(&self, scope: &Scope<'_>, purge: Purge, number: u64) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(&self.hasher, scope, purge, number);
        self.newest.fetch_max(number, Ordering::Release);
    }

    /// What the purges after `level` do to an entry, and the level up to which it has
    /// been compared now.
    pub(crate) fn compare(&self, level: u64, subject: &Subject<'_>) -> (PurgeState, u64) {
        if level >= self.newest() {
            return (PurgeState::Live, level);
        }
        let tables = self.read();
        // Under the lock the newest number matches the tables.
        let newest = self.newest();
        (tables.compare(&self.hasher, level, subject), newest)
    }

    /// Forgets all lines up to `number`, once a sweep has carried them out.
    pub(crate) fn clear(&self, number: u64) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.clear(number);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
