//! Weighted round robin, in which a turn costs the same with three and with a thousand endpoints.
//!
//! Each endpoint has its turns at equal distances on a virtual time, inversely to its weight, and
//! whoever is next on that time is chosen (earliest deadline first). The first turns are spread,
//! so that the endpoints of small weight do not follow one another: weights 5, 1, 1 never give
//! more than four turns in a row to the first. nginx's smooth weighted round robin gives such an
//! order as well, but goes through all endpoints for each turn.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// The distance between two turns of an endpoint with the smallest weight there is.
const ROUND: u64 = 1 << 48;

/// The next turns of some candidates.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    heap: BinaryHeap<Reverse<Turn>>,
    /// Space for those that are passed over, kept to save the allocation.
    passed: Vec<Turn>,
}

/// When it is the turn of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub(crate) at: u64,
    /// The candidate's place in its tier.
    pub(crate) place: usize,
    /// The distance to its next turn.
    pub(crate) stride: u64,
}

/// The distance between two turns of an endpoint with this weight.
pub(crate) fn stride(weight: u64) -> u64 {
    ROUND / weight.max(1)
}

impl Turns {
    /// These turns, in any order.
    pub(crate) fn new(turns: Vec<Turn>) -> Self {
        Self {
            heap: turns.into_iter().map(Reverse).collect(),
            passed: Vec::new(),
        }
    }

    /// The place of the first candidate that is usable, and when its turn was. Those before it
    /// lose their turn, so that they are not chosen several times in a row afterwards.
    pub(crate) fn next(&mut self, usable: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
        let mut chosen = None;
        while let Some(mut first) = self.heap.peek_mut() {
            if usable(first.0.place) {
                chosen = Some((first.0.place, first.0.at));
                first.0.at += first.0.stride;
                break;
            }
            self.passed.push(PeekMut::pop(first).0);
        }
        for mut turn in self.passed.drain(..) {
            if chosen.is_some() {
                turn.at += turn.stride;
            }
            self.heap.push(Reverse(turn));
        }
        chosen
    }

    /// All turns, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Turn> {
        self.heap.iter().map(|Reverse(turn)| turn)
    }
}
