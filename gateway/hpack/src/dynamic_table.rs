//! The dynamic table: fields of earlier blocks, the newest first (RFC 7541 §2.3.2 and §4).
//!
//! Names and values of all entries are stored in one arena, each entry in one piece behind the
//! older one. Removed entries leave unused bytes at its front. Once those are as many as are in
//! use, the others are moved there, so that each byte is moved once on average. The arena grows
//! with its content: the table of a connection that indexes little takes little memory.

use std::collections::VecDeque;
use std::ops::Range;

use crate::ENTRY_OVERHEAD;

/// So many unused bytes are never worth a move.
const MIN_UNUSED: usize = 256;

/// No table is larger, whatever was agreed upon; offsets in it have 32 bits.
const MAX_SIZE: usize = 1 << 28;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The bytes that were ever stored before it. It wraps around, as does `DynamicTable::moved`.
    start: u32,
    name: u32,
    value: u32,
}

impl Entry {
    fn cost(self) -> usize {
        self.name as usize + self.value as usize + ENTRY_OVERHEAD
    }
}

/// The name of a new entry.
#[derive(Clone, Copy)]
pub(crate) enum Name<'a> {
    /// These bytes.
    Given(&'a [u8]),
    /// That of the entry at this place, which may be removed for the new one (RFC 7541 §4.4).
    Of(usize),
}

#[derive(Debug)]
pub(crate) struct DynamicTable {
    arena: Vec<u8>,
    /// The bytes that were ever removed from the front of the arena.
    moved: u32,
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max_size: usize,
}

impl DynamicTable {
    /// An empty table, which takes no memory yet.
    pub(crate) fn new(max_size: usize) -> Self {
        Self {
            arena: Vec::new(),
            moved: 0,
            entries: VecDeque::new(),
            size: 0,
            max_size: max_size.min(MAX_SIZE),
        }
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The size of all entries (RFC 7541 §4.1), in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The most that the size may be, in bytes.
    pub(crate) fn max_size(&self) -> usize {
        self.max_size
    }

    /// The memory that the table takes, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The entry at this place, as name and value. The newest one has the place 0.
    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<(&[u8], &[u8])> {
        let entry = *self.entries.get(place)?;
        let start = self.offset(entry);
        let end = start + entry.name as usize + entry.value as usize;
        self.arena
            .get(start..end)?
            .split_at_checked(entry.name as usize)
    }

    /// Adds an entry, and removes the oldest ones until there is room for it. One that is larger
    /// than the whole table leaves it empty, which is no error (RFC 7541 §4.4).
    pub(crate) fn insert(&mut self, name: Name<'_>, value: &[u8]) {
        let copied = match name {
            Name::Given(_) => None,
            Name::Of(place) => self.name_range(place),
        };
        let name_len = match (name, &copied) {
            (Name::Given(name), _) => name.len(),
            (Name::Of(_), copied) => copied.as_ref().map_or(0, ExactSizeIterator::len),
        };
        let cost = name_len + value.len() + ENTRY_OVERHEAD;
        self.evict(self.max_size.saturating_sub(cost));
        if cost <= self.max_size {
            // The bytes of a removed entry are still there, and so is the name that is copied.
            let start = self.moved.wrapping_add(self.arena.len() as u32);
            match (name, copied) {
                (Name::Given(name), _) => self.arena.extend_from_slice(name),
                (Name::Of(_), copied) => self.arena.extend_from_within(copied.unwrap_or(0..0)),
            }
            self.arena.extend_from_slice(value);
            self.entries.push_front(Entry {
                start,
                name: name_len as u32,
                value: value.len() as u32,
            });
            self.size += cost;
        }
        self.compact();
    }

    /// Changes the most that the size may be, and removes the oldest entries until it is not
    /// more (RFC 7541 §4.3).
    pub(crate) fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size.min(MAX_SIZE);
        self.evict(self.max_size);
        self.compact();
    }

    /// Where the name of the entry at this place is stored.
    fn name_range(&self, place: usize) -> Option<Range<usize>> {
        let entry = *self.entries.get(place)?;
        let start = self.offset(entry);
        Some(start..start + entry.name as usize)
    }

    fn offset(&self, entry: Entry) -> usize {
        entry.start.wrapping_sub(self.moved) as usize
    }

    /// Removes the oldest entries until the size is at most this.
    fn evict(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_back() else {
                return;
            };
            self.size -= oldest.cost();
        }
    }

    fn compact(&mut self) {
        let unused = match self.entries.back() {
            Some(&oldest) => self.offset(oldest),
            None => self.arena.len(),
        };
        if unused >= MIN_UNUSED.max(self.arena.len() - unused) {
            self.arena.drain(..unused);
            self.moved = self.moved.wrapping_add(unused as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same rules with owned strings.
    #[derive(Default)]
    struct Model {
        entries: VecDeque<(Vec<u8>, Vec<u8>)>,
        max_size: usize,
    }

    impl Model {
        fn size(&self) -> usize {
            let cost = |(name, value): &(Vec<u8>, Vec<u8>)| name.len() + value.len() + 32;
            self.entries.iter().map(cost).sum()
        }

        fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
            self.entries.push_front((name, value));
            self.set_max_size(self.max_size);
        }

        fn set_max_size(&mut self, max_size: usize) {
            self.max_size = max_size;
            while self.size() > max_size {
                self.entries.pop_back();
            }
        }
    }

    #[test]
    fn entries_are_those_of_a_simpler_table() {
        let mut random = fastrand::Rng::with_seed(2);
        let mut table = DynamicTable::new(4096);
        // The offsets wrap around during the test.
        table.moved = u32::MAX - 100_000;
        let mut model = Model::default();
        model.set_max_size(4096);
        for _ in 0..20_000 {
            if random.u8(..) == 0 {
                let max_size = random.usize(..=4096);
                table.set_max_size(max_size);
                model.set_max_size(max_size);
            }
            let longest = if random.u8(..) == 0 { 5000 } else { 80 };
            let mut text = || -> Vec<u8> {
                let length = random.usize(..=longest);
                std::iter::repeat_with(|| random.u8(..))
                    .take(length)
                    .collect()
            };
            let (name, value) = (text(), text());
            let place = random.usize(..200);
            match model.entries.get(place) {
                Some((name, _)) => {
                    table.insert(Name::Of(place), &value);
                    model.insert(name.clone(), value);
                }
                None => {
                    table.insert(Name::Given(&name), &value);
                    model.insert(name, value);
                }
            }
            assert_eq!(table.size(), model.size());
            assert_eq!(table.len(), model.entries.len());
            for (place, (name, value)) in model.entries.iter().enumerate() {
                assert_eq!(table.get(place), Some((&**name, &**value)));
            }
            assert_eq!(table.get(table.len()), None);
            assert!(table.arena.len() <= 2 * 4096 + MIN_UNUSED);
        }
        assert!(
            table.moved < u32::MAX / 2,
            "the offsets did not wrap around"
        );
    }
}
