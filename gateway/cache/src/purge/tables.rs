//! The recorded purges in tables by address, prefix, host and tag, and how an entry
//! is compared with them.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};

use super::{Purge, PurgeState, Scope, Subject};
use crate::hash::Identity;
use crate::key::{Address, PartsReader};

/// The most lines of each table. Beyond them a purge of a URL or a prefix is widened to its
/// host, and that of a host or a tag to everything. Sweeps keep the tables far smaller.
pub(super) const MAX_URLS: usize = 1 << 18;
/// Above this number of URLs a sweep is due at once: any client that may send unsafe
/// requests adds lines, and must not be able to widen purges.
const MANY_URLS: usize = MAX_URLS / 8;
pub(super) const MAX_PREFIXES: usize = 256;
pub(super) const MAX_HOSTS: usize = 4096;
pub(super) const MAX_TAGS: usize = 1 << 16;

/// The tables of recorded purges.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// All lines up to this number have been swept and cleared.
    cleared: u64,
    urls: HashMap<u64, Mark, Identity>,
    hosts: HashMap<u64, Mark, Identity>,
    tags: HashMap<u64, Mark, Identity>,
    prefixes: Vec<Prefix>,
    all: Mark,
}

/// The numbers of the newest purges of one scope; 0 for none.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    hard: u64,
    soft: u64,
    /// Time of the soft purge, in milliseconds since the Unix epoch.
    soft_ms: u64,
}

#[derive(Debug)]
struct Prefix {
    host: Box<[u8]>,
    path: Box<[u8]>,
    mark: Mark,
}

impl Tables {
    /// Empty tables; all purges up to this number have been swept.
    pub(super) fn cleared_to(number: u64) -> Self {
        Self {
            cleared: number,
            ..Self::default()
        }
    }

    pub(super) fn cleared(&self) -> u64 {
        self.cleared
    }

    /// The number of lines.
    pub(super) fn lines(&self) -> usize {
        self.urls.len()
            + self.hosts.len()
            + self.tags.len()
            + self.prefixes.len()
            + usize::from(!self.all.is_empty())
    }

    /// True if a sweep should begin at once.
    pub(super) fn are_many(&self) -> bool {
        self.urls.len() > MANY_URLS
    }

    /// Removes the purges up to a number.
    pub(super) fn clear(&mut self, number: u64) {
        self.cleared = self.cleared.max(number);
        for table in [&mut self.urls, &mut self.hosts, &mut self.tags] {
            table.retain(|_, mark| mark.keeps_after(number));
            table.shrink_to(1024);
        }
        self.prefixes
            .retain_mut(|prefix| prefix.mark.keeps_after(number));
        self.all.keeps_after(number);
    }

    pub(super) fn insert(
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

    pub(super) fn compare(
        &self,
        hasher: &ahash::RandomState,
        level: u64,
        subject: &Subject<'_>,
    ) -> PurgeState {
        if level < self.cleared {
            return PurgeState::Dead;
        }
        let Some(address) = Address::of(subject.primary) else {
            return PurgeState::Dead;
        };
        let mut newest = self.all;
        if !self.hosts.is_empty() {
            for host in [address.host, without_port(address.host)] {
                newest.join(self.hosts.get(&hash(hasher, &[host])));
            }
        }
        if !self.urls.is_empty() {
            for host in [address.host, without_port(address.host)] {
                let url = Url::new(hasher, address.scheme, host, address.path);
                for line in url.lines_of_entry(&address).into_iter().flatten() {
                    newest.join(self.urls.get(&line));
                }
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
            PurgeState::Dead
        } else if newest.soft > level {
            PurgeState::Stale {
                at_ms: newest.soft_ms,
            }
        } else {
            PurgeState::Live
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

    /// Removes the purges up to this number; true if one is left.
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

/// The keys of the lines for purges of one path.
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

/// A collision of this seeded hash would purge too much, never too little.
fn hash(hasher: &ahash::RandomState, parts: &[&[u8]]) -> u64 {
    let mut state = hasher.build_hasher();
    for part in parts {
        state.write_usize(part.len());
        state.write(part);
    }
    state.finish()
}

/// `[::1]:80` → `[::1]`; a host without a port as it is.
pub(super) fn without_port(host: &[u8]) -> &[u8] {
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
