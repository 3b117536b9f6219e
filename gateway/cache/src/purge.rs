//! Purges: each is a line in a small table, whatever it reaches.
//!
//! Purges are numbered. An entry remembers the number up to which it has been
//! judged (its *level*); a lookup compares that with the newest number and, only
//! if a purge has come since, asks the tables once and remembers the answer. So
//! a purge of a hundred thousand objects costs one insertion, acts on the next
//! lookup of each of them, and in the steady state a hit pays one comparison.
//!
//! A sweep in the background then judges every entry, frees what is dead, and
//! clears the lines it has carried out. What turns up later with a level from
//! before the cleared lines can no longer be judged, and is taken as dead: a
//! fetch that straddles a purge and its whole sweep is fetched once more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

mod tables;

use tables::Tables;

/// What a purge reaches. Hosts compare in lower case, and one without a port
/// reaches every port; paths, queries and tags compare byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One address, in every variant.
    Url {
        /// `http` or `https`.
        scheme: &'a [u8],
        /// Host and port.
        host: &'a [u8],
        /// Normalised path.
        path: &'a [u8],
        /// One query; `None` is every query of the path. An entry whose query
        /// was edited for the key is reached by each query of its path.
        query: Option<&'a [u8]>,
    },
    /// Every path of a host that begins with these bytes, of either scheme.
    Prefix {
        /// Host and port.
        host: &'a [u8],
        /// Beginning of the normalised path.
        path: &'a [u8],
    },
    /// All of a host, of either scheme.
    Host(&'a [u8]),
    /// All that carry a tag. Tags tell letter cases apart.
    Tag(&'a [u8]),
    /// Everything.
    All,
}

/// How much a purge takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Stale: it is validated before it is used again, and may serve where a
    /// stale response may (RFC 5861).
    Soft {
        /// Stale since now, in milliseconds since the Unix epoch.
        now_ms: u64,
    },
    /// Gone.
    Hard,
}

/// What all purges so far did to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Live,
    /// Stale since this time, in milliseconds since the Unix epoch.
    Stale {
        at_ms: u64,
    },
    Dead,
}

impl Standing {
    /// The combined effect of earlier purges and later ones.
    pub(crate) fn and(self, later: Self) -> Self {
        match (self, later) {
            (_, Self::Dead) | (Self::Dead, _) => Self::Dead,
            (Self::Live, later) => later,
            (stale, _) => stale,
        }
    }
}

/// What of an entry purges are compared with.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) primary: &'a [u8],
    /// Length-prefixed, one after the other.
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

    /// How many table lines wait for a sweep.
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
    pub(crate) fn judge(&self, level: u64, subject: &Subject<'_>) -> (Standing, u64) {
        if level >= self.newest() {
            return (Standing::Live, level);
        }
        let tables = self.read();
        // Under the lock the newest number and the lines belong together.
        let newest = self.newest();
        (tables.judge(&self.hasher, level, subject), newest)
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
