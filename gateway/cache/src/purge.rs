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

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::key::{Address, PartsReader};
use crate::store::hash::Identity;

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

/// How an entry stands after all purges so far.
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
    /// After one judgement and a later one.
    pub(crate) fn and(self, later: Self) -> Self {
        match (self, later) {
            (_, Self::Dead) | (Self::Dead, _) => Self::Dead,
            (Self::Live, later) => later,
            (stale, _) => stale,
        }
    }
}

/// What of an entry the tables are asked about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) primary: &'a [u8],
    /// Length-prefixed, one after the other.
    pub(crate) tags: &'a [u8],
}

/// Above these numbers of lines a purge is widened: a URL or a prefix to its
/// host, a host or a tag to everything. Sweeps keep the tables far below them.
const MAX_URLS: usize = 1 << 17;
const MAX_PREFIXES: usize = 256;
const MAX_HOSTS: usize = 4096;
const MAX_TAGS: usize = 1 << 16;

/// The purges that no sweep has carried out yet.
#[derive(Debug)]
pub(crate) struct Purges {
    /// Number that counting began with.
    base: u64,
    newest: AtomicU64,
    tables: RwLock<Tables>,
    hasher: ahash::RandomState,
}

#[derive(Debug, Default)]
struct Tables {
    /// All lines up to this number have been swept and cleared.
    cleared: u64,
    urls: HashMap<u64, Mark, Identity>,
    hosts: HashMap<u64, Mark, Identity>,
    tags: HashMap<u64, Mark, Identity>,
    prefixes: Vec<Prefix>,
    all: Mark,
}

/// The numbers of the newest purges of one scope; 0 is none.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    hard: u64,
    soft: u64,
    /// When the soft one came.
    soft_ms: u64,
}

#[derive(Debug)]
struct Prefix {
    host: Box<[u8]>,
    path: Box<[u8]>,
    mark: Mark,
}

impl Purges {
    /// Numbers go on from `base`; all up to `cleared` have been swept.
    pub(crate) fn new(base: u64, cleared: u64) -> Self {
        Self {
            base,
            newest: AtomicU64::new(base),
            tables: RwLock::new(Tables {
                cleared,
                ..Tables::default()
            }),
            hasher: ahash::RandomState::new(),
        }
    }

    /// Number of the newest purge: the level of what is asked for from now on.
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// How many purges there were since the start.
    pub(crate) fn counted(&self) -> u64 {
        self.newest() - self.base
    }

    /// Number up to which all purges have been swept.
    pub(crate) fn cleared(&self) -> u64 {
        self.read().cleared
    }

    /// How many lines wait for a sweep.
    pub(crate) fn lines(&self) -> usize {
        let tables = self.read();
        tables.urls.len()
            + tables.hosts.len()
            + tables.tags.len()
            + tables.prefixes.len()
            + usize::from(!tables.all.is_empty())
    }

    /// Records a purge and returns its number. It acts on every lookup that
    /// begins after the return.
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

    /// How something of this level stands, and the level it has now.
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
        let tables = &mut *tables;
        tables.cleared = tables.cleared.max(number);
        for table in [&mut tables.urls, &mut tables.hosts, &mut tables.tags] {
            table.retain(|_, mark| mark.keeps_after(number));
            table.shrink_to(1024);
        }
        tables
            .prefixes
            .retain_mut(|prefix| prefix.mark.keeps_after(number));
        tables.all.keeps_after(number);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn insert(
        &mut self,
        hasher: &ahash::RandomState,
        scope: &Scope<'_>,
        purge: Purge,
        number: u64,
    ) {
        match *scope {
            Scope::Url {
                scheme,
                host,
                path,
                query,
            } => {
                if self.urls.len() + 2 > MAX_URLS {
                    return self.insert(hasher, &Scope::Host(host), purge, number);
                }
                let url = Url::new(hasher, scheme, &host.to_ascii_lowercase(), path);
                for line in url.lines_of_purge(query).into_iter().flatten() {
                    self.urls.entry(line).or_default().set(purge, number);
                }
            }
            Scope::Prefix { host, path } => {
                let host = host.to_ascii_lowercase();
                let known = self
                    .prefixes
                    .iter_mut()
                    .find(|prefix| *prefix.host == *host && *prefix.path == *path);
                if let Some(prefix) = known {
                    return prefix.mark.set(purge, number);
                }
                if self.prefixes.len() >= MAX_PREFIXES {
                    return self.insert(hasher, &Scope::Host(&host), purge, number);
                }
                let mut mark = Mark::default();
                mark.set(purge, number);
                self.prefixes.push(Prefix {
                    host: host.into(),
                    path: path.into(),
                    mark,
                });
            }
            Scope::Host(host) => {
                if self.hosts.len() >= MAX_HOSTS {
                    return self.all.set(purge, number);
                }
                let line = hash(hasher, &[&host.to_ascii_lowercase()]);
                self.hosts.entry(line).or_default().set(purge, number);
            }
            Scope::Tag(tag) => {
                if self.tags.len() >= MAX_TAGS {
                    return self.all.set(purge, number);
                }
                let line = hash(hasher, &[tag]);
                self.tags.entry(line).or_default().set(purge, number);
            }
            Scope::All => self.all.set(purge, number),
        }
    }

    fn judge(&self, hasher: &ahash::RandomState, level: u64, subject: &Subject<'_>) -> Standing {
        if level < self.cleared {
            return Standing::Dead;
        }
        let Some(address) = Address::of(subject.primary) else {
            return Standing::Dead;
        };
        let mut newest = self.all;
        if !self.hosts.is_empty() {
            for host in [address.host, without_port(address.host)] {
                newest.join(self.hosts.get(&hash(hasher, &[host])));
            }
        }
        if !self.urls.is_empty() {
            let url = Url::new(hasher, address.scheme, address.host, address.path);
            for line in url.lines_of_entry(&address).into_iter().flatten() {
                newest.join(self.urls.get(&line));
            }
        }
        for prefix in &self.prefixes {
            if prefix.reaches(&address) {
                newest.join(Some(&prefix.mark));
            }
        }
        if !self.tags.is_empty() {
            for tag in PartsReader(subject.tags).flatten() {
                newest.join(self.tags.get(&hash(hasher, &[tag])));
            }
        }
        if newest.hard > level {
            Standing::Dead
        } else if newest.soft > level {
            Standing::Stale {
                at_ms: newest.soft_ms,
            }
        } else {
            Standing::Live
        }
    }
}

impl Mark {
    fn set(&mut self, purge: Purge, number: u64) {
        match purge {
            Purge::Hard => self.hard = self.hard.max(number),
            Purge::Soft { now_ms } if number > self.soft => {
                self.soft = number;
                self.soft_ms = now_ms;
            }
            Purge::Soft { .. } => {}
        }
    }

    fn join(&mut self, other: Option<&Self>) {
        if let Some(other) = other {
            self.hard = self.hard.max(other.hard);
            if other.soft > self.soft {
                self.soft = other.soft;
                self.soft_ms = other.soft_ms;
            }
        }
    }

    /// Drops the numbers up to this one; true if another is left.
    fn keeps_after(&mut self, number: u64) -> bool {
        for own in [&mut self.hard, &mut self.soft] {
            if *own <= number {
                *own = 0;
            }
        }
        !self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.hard == 0 && self.soft == 0
    }
}

impl Prefix {
    fn reaches(&self, address: &Address<'_>) -> bool {
        (address.host == &*self.host || without_port(address.host) == &*self.host)
            && address.path.starts_with(&self.path)
    }
}

/// The lines under which purges of one path are kept.
struct Url<'a> {
    hasher: &'a ahash::RandomState,
    path: u64,
}

impl<'a> Url<'a> {
    fn new(hasher: &'a ahash::RandomState, scheme: &[u8], host: &[u8], path: &[u8]) -> Self {
        Self {
            hasher,
            path: hash(hasher, &[scheme, host, path]),
        }
    }

    fn every_query(&self) -> u64 {
        hash(self.hasher, &[b"every", &self.path.to_ne_bytes()])
    }

    fn edited_queries(&self) -> u64 {
        hash(self.hasher, &[b"edited", &self.path.to_ne_bytes()])
    }

    fn query(&self, query: &[u8]) -> u64 {
        hash(self.hasher, &[b"query", &self.path.to_ne_bytes(), query])
    }

    fn lines_of_purge(&self, query: Option<&[u8]>) -> [Option<u64>; 2] {
        match query {
            None => [Some(self.every_query()), None],
            Some(query) => [Some(self.query(query)), Some(self.edited_queries())],
        }
    }

    fn lines_of_entry(&self, address: &Address<'_>) -> [Option<u64>; 3] {
        [
            Some(self.every_query()),
            address.query.map(|query| self.query(query)),
            address.query_edited.then(|| self.edited_queries()),
        ]
    }
}

/// A chance collision of this keyed hash would purge too much, never too little.
fn hash(hasher: &ahash::RandomState, parts: &[&[u8]]) -> u64 {
    let mut state = hasher.build_hasher();
    for part in parts {
        state.write_usize(part.len());
        state.write(part);
    }
    state.finish()
}

/// `[::1]:80` → `[::1]`; a host without a port as it is.
fn without_port(host: &[u8]) -> &[u8] {
    let digits = host
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match host.get(..host.len() - digits) {
        Some([name @ .., b':']) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests;
