//! Networks of one family as a sorted list of ranges, which is what a trie of their prefixes
//! comes down to. A look-up is a binary search in one array of addresses.

use std::fmt::Debug;

/// Stands for an address that is in no network.
const NOTHING: u32 = u32::MAX;

/// An address as a number.
pub(crate) trait Number: Copy + Ord + Debug {
    /// The last address.
    const LAST: Self;
    /// The one behind it; not called with the last one.
    fn next(self) -> Self;
}

impl Number for u32 {
    const LAST: Self = Self::MAX;

    fn next(self) -> Self {
        self.saturating_add(1)
    }
}

impl Number for u128 {
    const LAST: Self = Self::MAX;

    fn next(self) -> Self {
        self.saturating_add(1)
    }
}

/// A network: from its first to its last address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<A> {
    pub(crate) first: A,
    pub(crate) last: A,
    pub(crate) value: u32,
    /// Where it stands in the file.
    pub(crate) line: u32,
}

/// The addresses at which another value begins, with that value.
#[derive(Debug)]
pub(crate) struct Ranges<A> {
    starts: Box<[A]>,
    values: Box<[u32]>,
}

/// A network is there twice, with different values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Twice {
    pub(crate) first: u32,
    pub(crate) second: u32,
}

impl<A: Number> Ranges<A> {
    /// The ranges of these networks. Of several that contain an address, the smallest one
    /// counts.
    pub(crate) fn new(mut blocks: Vec<Block<A>>) -> Result<Self, Twice> {
        // Networks are disjoint or inside each other. So each one stands behind those that
        // contain it.
        blocks.sort_unstable_by(|a, b| {
            let widest_first = b.last.cmp(&a.last);
            a.first
                .cmp(&b.first)
                .then(widest_first)
                .then(a.line.cmp(&b.line))
        });
        let mut flat = Flat::default();
        // Those that contain the address that has been reached.
        let mut open: Vec<Block<A>> = Vec::new();
        for block in blocks {
            while let Some(inner) = open.pop_if(|inner| inner.last < block.first) {
                flat.leave(inner.last, open.last());
            }
            match open.last() {
                Some(same) if (same.first, same.last) == (block.first, block.last) => {
                    if same.value != block.value {
                        return Err(Twice {
                            first: same.line,
                            second: block.line,
                        });
                    }
                }
                _ => {
                    flat.begin(block.first, block.value);
                    open.push(block);
                }
            }
        }
        while let Some(inner) = open.pop() {
            flat.leave(inner.last, open.last());
        }
        Ok(Self {
            starts: flat.starts.into(),
            values: flat.values.into(),
        })
    }

    /// The value of the smallest network with this address.
    pub(crate) fn find(&self, address: A) -> Option<u32> {
        let behind = self.starts.partition_point(|start| *start <= address);
        let value = *self.values.get(behind.checked_sub(1)?)?;
        (value != NOTHING).then_some(value)
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.values)
    }
}

/// Ranges that are being made, in the order of their addresses.
struct Flat<A> {
    starts: Vec<A>,
    values: Vec<u32>,
}

impl<A> Default for Flat<A> {
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl<A: Number> Flat<A> {
    /// From this address on, the value is another one.
    fn begin(&mut self, start: A, value: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        // Neighbours with the same value are one range.
        if *self.values.last().unwrap_or(&NOTHING) != value {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// A network ends with this address, inside another one or in none.
    fn leave(&mut self, last: A, outer: Option<&Block<A>>) {
        if last < A::LAST {
            self.begin(last.next(), outer.map_or(NOTHING, |outer| outer.value));
        }
    }
}
