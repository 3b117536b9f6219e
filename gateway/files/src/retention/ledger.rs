//! What is kept of a root, and since when it is gone from there. Touches no disk.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::directory::Identity;

/// What is kept, by its path below the root.
#[derive(Default)]
pub(super) struct Ledger(HashMap<Box<[u8]>, Kept, ahash::RandomState>);

/// A file of the store.
struct Kept {
    stamp: Stamp,
    /// True if a run before this one made it, perhaps as a copy: then the stamp
    /// is the copy's, and tells length and time alone.
    is_inherited: bool,
    standing: Standing,
}

/// Whether a file that is kept is still in the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As far as anybody has looked.
    There,
    /// Since so many seconds after 1970.
    Gone(i64),
}

/// Which content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    identity: Identity,
    length: u64,
    modified: (i64, i64),
}

impl Ledger {
    /// What a run before this one has left, and since when each is gone.
    pub(super) fn inherit(
        found: Vec<(Vec<u8>, Metadata)>,
        mut gone: HashMap<Vec<u8>, i64>,
    ) -> Self {
        let kept = found.into_iter().map(|(path, facts)| {
            let standing = gone.remove(&path).map_or(Standing::There, Standing::Gone);
            let kept = Kept {
                stamp: Stamp::of(&facts),
                is_inherited: true,
                standing,
            };
            (path.into(), kept)
        });
        Self(kept.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn standing(&self, path: &[u8]) -> Option<Standing> {
        self.0.get(path).map(|kept| kept.standing)
    }

    /// Whether this very content is kept under this path.
    pub(super) fn has(&self, path: &[u8], stamp: &Stamp) -> bool {
        self.0.get(path).is_some_and(|kept| kept.is(stamp))
    }

    pub(super) fn paths(&self) -> Vec<Box<[u8]>> {
        self.0.keys().cloned().collect()
    }

    /// What was kept just now.
    pub(super) fn insert(&mut self, path: &[u8], stamp: Stamp) {
        let kept = Kept {
            stamp,
            is_inherited: false,
            standing: Standing::There,
        };
        self.0.insert(path.into(), kept);
    }

    /// Notes whether the root has a path; true if that is news.
    pub(super) fn note(&mut self, path: &[u8], is_there: bool, now: i64) -> bool {
        let Some(kept) = self.0.get_mut(path) else {
            return false;
        };
        if (kept.standing == Standing::There) == is_there {
            return false;
        }
        kept.standing = match is_there {
            true => Standing::There,
            false => Standing::Gone(now),
        };
        true
    }

    /// Takes out what is gone for so many seconds.
    pub(super) fn take_over(&mut self, period: i64, now: i64) -> Vec<Box<[u8]>> {
        let over = self.0.extract_if(|_, kept| match kept.standing {
            Standing::There => false,
            Standing::Gone(since) => is_over(since, period, now),
        });
        over.map(|(path, _)| path).collect()
    }

    /// What is gone, and since when.
    pub(super) fn gone(&self) -> Vec<(Box<[u8]>, i64)> {
        let gone = self
            .0
            .iter()
            .filter_map(|(path, kept)| match kept.standing {
                Standing::There => None,
                Standing::Gone(since) => Some((path.clone(), since)),
            });
        gone.collect()
    }
}

/// Whether what is gone since then has been so for long enough; all in seconds.
pub(super) fn is_over(since: i64, period: i64, now: i64) -> bool {
    now.saturating_sub(since) >= period
}

impl Kept {
    /// True if it is what the root has. Length and time alone are not asked where
    /// more is known: builds may give each file the same time.
    fn is(&self, stamp: &Stamp) -> bool {
        let own = &self.stamp;
        own == stamp
            || (self.is_inherited && (own.length, own.modified) == (stamp.length, stamp.modified))
    }
}

impl Stamp {
    pub(crate) fn of(facts: &Metadata) -> Self {
        Self {
            identity: Identity::of(facts),
            length: facts.len(),
            modified: (facts.mtime(), facts.mtime_nsec()),
        }
    }
}
