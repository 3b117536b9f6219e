//! The better of two that are drawn at random, in proportion to their weights.
//!
//! It avoids the worst endpoints nearly as well as a comparison of all, at the cost of two, and
//! workers that know nothing of each other do not all choose the same one.

use super::least_conn;
use crate::random::Random;
use crate::tier::Candidate;

/// How often two are drawn that cannot be chosen, before all are looked at.
const DRAWS: usize = 4;

/// The ends of intervals as long as the weights, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Intervals(Vec<u64>);

impl Intervals {
    /// The intervals of these weights.
    pub(crate) fn new(weights: impl Iterator<Item = u64>) -> Self {
        let ends = weights.scan(0_u64, |end, weight| {
            *end = end.saturating_add(weight);
            Some(*end)
        });
        Self(ends.collect())
    }

    /// The sum of all weights.
    pub(crate) fn total(&self) -> u64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// The place of the interval with this point; none if the point is behind all of them.
    pub(crate) fn find(&self, point: u64) -> Option<usize> {
        let place = self.0.partition_point(|end| *end <= point);
        (place < self.0.len()).then_some(place)
    }

    fn bounds(&self, place: usize) -> (u64, u64) {
        let end = |place: usize| self.0.get(place).copied().unwrap_or_default();
        (place.checked_sub(1).map_or(0, end), end(place))
    }

    /// Draws two different places; one if there is only one.
    fn two(&self, random: &mut Random) -> Option<(usize, Option<usize>)> {
        let first = self.find(random.below(self.total()))?;
        let (start, end) = self.bounds(first);
        let rest = self.total() - (end - start);
        if rest == 0 {
            return Some((first, None));
        }
        // A point in the intervals without the first one.
        let point = random.below(rest);
        let behind = if point >= start { end - start } else { 0 };
        Some((first, self.find(point + behind)))
    }
}

/// The place of the chosen candidate. `cost` returns none for one that must not be chosen.
pub(crate) fn choose(
    candidates: &[Candidate],
    intervals: &Intervals,
    random: &mut Random,
    cost: impl Fn(&Candidate) -> Option<f64>,
) -> Option<usize> {
    let cost_at = |place: usize| candidates.get(place).and_then(&cost);
    for _ in 0..DRAWS {
        let (first, second) = intervals.two(random)?;
        let costs = (cost_at(first), second.and_then(cost_at));
        match (costs, second) {
            ((Some(one), Some(other)), Some(second)) if other < one => return Some(second),
            ((Some(_), _), _) => return Some(first),
            ((None, Some(_)), Some(second)) => return Some(second),
            _ => {}
        }
    }
    least_conn::least(candidates, 0..candidates.len(), &cost, &|_| 0)
}
