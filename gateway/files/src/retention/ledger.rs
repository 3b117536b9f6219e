//! The list of retained files, and since when each is missing from the root. It
//! does not access the disk.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::directory::Identity;

/// The retained files, by path below the root.
#[derive(Default)]
pub(super) struct Ledger(HashMap<Box<[u8]>, Kept, ahash::RandomState>);

/// A file of the store.
struct Kept {
    stamp: Stamp,
    /// True if an earlier run of the gateway stored it, perhaps as a copy: then
    /// only length and modification time of the stamp can be compared with the
    /// original.
    is_inherited: bool,
    presence: Presence,
}

/// Whether a retained file is still in the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It was, when it was last checked.
    There,
    /// It has been missing since this time, in seconds since 1970.
    Gone(i64),
}

/// Identifies one version of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    identity: Identity,
    length: u64,
    modified: (i64, i64),
}

impl Ledger {
    /// The files that an earlier run left, and since when each is missing.
    pub(super) fn inherit(
        found: Vec<(Vec<u8>, Metadata)>,
        mut gone: HashMap<Vec<u8>, i64>,
    ) -> Self {
        let kept = found.into_iter().map(|(path, facts)| {
            let presence = gone.remove(&path).map_or(Presence::There, Presence::Gone);
            let kept = Kept {
                stamp: Stamp::of(&facts),
                is_inherited: true,
                presence,
            };
            (path.into(), kept)
        });
        Self(kept.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn presence(&self, path: &[u8]) -> Option<Presence> {
        self.0.get(path).map(|kept| kept.presence)
    }

    /// Whether exactly this version is retained under this path.
    pub(super) fn has(&self, path: &[u8], stamp: &Stamp) -> bool {
        self.0.get(path).is_some_and(|kept| kept.is(stamp))
    }

    pub(super) fn paths(&self) -> Vec<Box<[u8]>> {
        self.0.keys().cloned().collect()
    }

    /// Records a file that has just been stored.
    pub(super) fn insert(&mut self, path: &[u8], stamp: Stamp) {
        let kept = Kept {
            stamp,
            is_inherited: false,
            presence: Presence::There,
        };
        self.0.insert(path.into(), kept);
    }

    /// Records whether the root has a path; true if that changed.
    pub(super) fn note(&mut self, path: &[u8], is_there: bool, now: i64) -> bool {
        let Some(kept) = self.0.get_mut(path) else {
            return false;
        };
        if (kept.presence == Presence::There) == is_there {
            return false;
        }
        kept.presence = match is_there {
            true => Presence::There,
            false => Presence::Gone(now),
        };
        true
    }

    /// Removes and returns the entries that have been missing for more than `period`
    /// seconds.
    pub(super) fn take_over(&mut self, period: i64, now: i64) -> Vec<Box<[u8]>> {
        let over = self.0.extract_if(|_, kept| match kept.presence {
            Presence::There => false,
            Presence::Gone(since) => is_over(since, period, now),
        });
        over.map(|(path, _)| path).collect()
    }

    /// The missing files, and since when each is missing.
    pub(super) fn gone(&self) -> Vec<(Box<[u8]>, i64)> {
        let gone = self
            .0
            .iter()
            .filter_map(|(path, kept)| match kept.presence {
                Presence::There => None,
                Presence::Gone(since) => Some((path.clone(), since)),
            });
        gone.collect()
    }
}

/// Whether a file missing since `since` has been so for `period`; all in seconds. Both times
/// are rounded down, so that a difference of exactly `period` may be almost a second less.
pub(super) fn is_over(since: i64, period: i64, now: i64) -> bool {
    now.saturating_sub(since) > period
}

impl Kept {
    /// True if the retained file is the same version. The inode and change time
    /// are compared where they are known, because a build may give all files one
    /// modification time.
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
