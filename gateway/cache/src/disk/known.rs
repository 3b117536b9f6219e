//! The files that are known to exist, with size and last use, for lookups and eviction.
//! Their content is read on request only.

use std::collections::HashMap;

/// The files of the folder. Each takes about 70 bytes of memory.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles {
    files: Vec<KnownFile>,
    places: HashMap<u128, u32, ahash::RandomState>,
    bytes: u64,
    /// Counts the uses of files.
    clock: u64,
    /// True once the folder has been scanned: a file that is not listed does not exist.
    complete: bool,
}

#[derive(Clone, Copy, Debug)]
struct KnownFile {
    name: u128,
    /// Bytes on the disk, in whole blocks.
    size: u64,
    /// The clock at the last use; for a file that was only scanned its modification time,
    /// in seconds since the Unix epoch.
    used: u64,
}

/// The block size of common file systems, in bytes.
const BLOCK: u64 = 4096;

/// How many files are sampled to find one that has not been used for long.
const SAMPLE: usize = 16;

/// The clock starts here, above the modification time (in seconds) of every file: a
/// file that was used since the start counts as newer than one that was only scanned.
const FIRST_USE: u64 = 1 << 40;

impl KnownFiles {
    /// True unless it is certain that there is no such file.
    pub(crate) fn may_hold(&self, name: u128) -> bool {
        !self.complete || self.places.contains_key(&name)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// Adds a file that has just been written.
    pub(crate) fn insert(&mut self, name: u128, size: u64) {
        let used = self.tick();
        self.put(name, size, used);
    }

    /// Adds a file that a scan has found. A known one has been written since and is newer.
    pub(crate) fn found(&mut self, name: u128, size: u64, changed_s: u64) {
        if !self.places.contains_key(&name) {
            self.put(name, size, changed_s.min(FIRST_USE - 1));
        }
    }

    pub(crate) fn used(&mut self, name: u128) {
        let used = self.tick();
        if let Some(file) = self.place(name) {
            file.used = used;
        }
    }

    /// Forgets a file; true if it was known.
    pub(crate) fn remove(&mut self, name: u128) -> bool {
        let Some(place) = self.places.remove(&name) else {
            return false;
        };
        let place = place as usize;
        if place >= self.files.len() {
            return false;
        }
        let file = self.files.swap_remove(place);
        self.bytes = self.bytes.saturating_sub(file.size);
        if let Some(moved) = self.files.get(place) {
            self.places.insert(moved.name, index(place));
        }
        true
    }

    /// The least recently used file of a random sample.
    pub(crate) fn victim(&self) -> Option<u128> {
        (0..SAMPLE)
            .filter_map(|_| {
                let chance = fastrand::usize(0..self.files.len().max(1));
                self.files.get(chance)
            })
            .min_by_key(|file| file.used)
            .map(|file| file.name)
    }

    /// Up to `count` names before a place, and the place to continue from. A walk goes
    /// backwards, because the removal of a file moves the last one into its place.
    pub(crate) fn names_before(&self, end: usize, count: usize) -> (usize, Vec<u128>) {
        let end = end.min(self.files.len());
        let start = end.saturating_sub(count);
        let names = self.files.get(start..end).unwrap_or_default();
        (start, names.iter().map(|file| file.name).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn put(&mut self, name: u128, size: u64, used: u64) {
        let size = on_disk(size);
        let known = KnownFile { name, size, used };
        let before = match self.place(name) {
            Some(file) => std::mem::replace(file, known).size,
            None => {
                self.places.insert(name, index(self.files.len()));
                self.files.push(known);
                0
            }
        };
        self.bytes = self.bytes.saturating_sub(before) + size;
    }

    fn place(&mut self, name: u128) -> Option<&mut KnownFile> {
        let place = *self.places.get(&name)?;
        self.files.get_mut(place as usize)
    }

    fn tick(&mut self) -> u64 {
        self.clock = self.clock.max(FIRST_USE) + 1;
        self.clock
    }
}

/// The space that a file takes, since it takes whole blocks: a million small files can take
/// ten times their bytes.
pub(super) fn on_disk(size: u64) -> u64 {
    size.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// Does not saturate in practice: no folder holds 2^32 files.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_places_follow_inserts_and_removals() {
        let mut known = KnownFiles::default();
        for name in 0..100 {
            known.insert(name, 10);
        }
        known.insert(5, 4097);
        assert_eq!((known.len(), known.bytes()), (100, 101 * BLOCK));
        for name in 0..50 {
            assert!(known.remove(name));
        }
        assert!(!known.remove(7));
        assert_eq!((known.len(), known.bytes()), (50, 50 * BLOCK));
        known.complete();
        for name in 0..100 {
            assert_eq!(known.may_hold(name), name >= 50);
        }
    }

    #[test]
    fn the_victim_was_not_used_lately() {
        let mut known = KnownFiles::default();
        for name in 0..1000 {
            known.found(name, 1, 1_700_000_000 + name as u64);
        }
        for name in 500..1000 {
            known.used(name);
        }
        let late = (0..200).filter(|_| known.victim().unwrap() >= 500).count();
        assert!(late <= 1, "{late} of 200 victims were used lately");
        assert_eq!(KnownFiles::default().victim(), None);
    }
}
