//! Load balancing: chooses the next endpoint among several.
//!
//! This is nginx's smooth weighted round robin: in each turn every endpoint's
//! credit grows by its weight, the endpoint with the most credit is chosen, and
//! the sum of all weights is subtracted from its credit. Weights 5, 1, 1 give
//! the order a a b a c a a instead of a a a a a b c. Each worker goes through
//! the endpoints independently, from a random start, because otherwise all
//! workers would begin with the first endpoint.

use std::hash::{BuildHasher as _, RandomState};

/// How an upstream spreads its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// Weighted round robin.
    #[default]
    RoundRobin,
    /// To the endpoint with the fewest requests in flight relative to its
    /// weight, counted over all workers; round robin among equals.
    LeastConn,
}

/// The credit that one unit of weight adds. It is more than 1 so that a random
/// start can lie between two turns.
const UNIT: i64 = 1 << 16;

/// The position of one worker in the round robin of one upstream. Keep one for
/// each upstream of a snapshot; it adapts to the number of endpoints.
#[derive(Debug)]
pub struct Cursor {
    /// The credit of each endpoint.
    credit: Vec<i64>,
    seed: u64,
    /// Space for [`Cursor::candidates`], kept to save the allocation.
    candidates: Vec<Candidate>,
}

/// An endpoint that may be chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) index: usize,
    pub(crate) weight: u32,
    pub(crate) in_flight: u32,
}

impl Cursor {
    /// A cursor with a random start.
    pub fn new() -> Self {
        Self::from_seed(RandomState::new().hash_one(0))
    }

    /// A cursor whose start is derived from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self {
            credit: Vec::new(),
            seed,
            candidates: Vec::new(),
        }
    }

    /// Chooses one of `candidates`; none if there are none.
    pub(crate) fn choose(
        &mut self,
        balance: Balance,
        len: usize,
        candidates: impl Iterator<Item = Candidate>,
    ) -> Option<usize> {
        self.fit(len);
        let mut among = std::mem::take(&mut self.candidates);
        among.clear();
        // Copied once, because other workers change the counts meanwhile.
        among.extend(candidates);
        match balance {
            Balance::RoundRobin => {}
            Balance::LeastConn => keep_least_loaded(&mut among),
        }
        let chosen = self.turn(&among);
        self.candidates = among;
        chosen
    }

    fn turn(&mut self, among: &[Candidate]) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for candidate in among {
            let gain = i64::from(candidate.weight) * UNIT;
            let credit = self.credit.get_mut(candidate.index)?;
            *credit = credit.saturating_add(gain);
            total += gain;
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((candidate.index, *credit));
            }
        }
        let (index, _) = best?;
        let credit = self.credit.get_mut(index)?;
        *credit = credit.saturating_sub(total);
        Some(index)
    }

    /// Resets the cursor if the number of endpoints has changed.
    fn fit(&mut self, len: usize) {
        if self.credit.len() != len {
            let seed = &mut self.seed;
            let start = |_| (random(seed) % UNIT.unsigned_abs()).cast_signed();
            self.credit = (0..len).map(start).collect();
        }
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps only the candidates with the lowest load: requests in flight per
/// weight.
fn keep_least_loaded(among: &mut Vec<Candidate>) {
    // Compares a/b with c/d as a*d with c*b, which needs no rounding.
    let load = |a: &Candidate, b: &Candidate| {
        let (a, b) = (
            u64::from(a.in_flight) * u64::from(b.weight),
            u64::from(b.in_flight) * u64::from(a.weight),
        );
        a.cmp(&b)
    };
    if let Some(least) = among.iter().copied().min_by(load) {
        among.retain(|candidate| load(candidate, &least).is_eq());
    }
}

/// The next number of splitmix64.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The endpoints to which one request has already been sent, as indexes into
/// the upstream's members.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    low: u64,
    /// Bits for indexes from 64 on; rarely needed, and not allocated until
    /// then.
    high: Vec<u64>,
}

impl Tried {
    /// No endpoint was tried yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks the endpoint with this index as tried.
    pub fn insert(&mut self, index: usize) {
        let bit = 1 << (index % 64);
        match (index / 64).checked_sub(1) {
            None => self.low |= bit,
            Some(word) => {
                if self.high.len() <= word {
                    self.high.resize(word + 1, 0);
                }
                if let Some(word) = self.high.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    /// Whether the endpoint with this index was tried.
    pub fn contains(&self, index: usize) -> bool {
        let word = match (index / 64).checked_sub(1) {
            None => self.low,
            Some(word) => self.high.get(word).copied().unwrap_or_default(),
        };
        word & 1 << (index % 64) != 0
    }

    /// How many endpoints were tried.
    pub fn count(&self) -> u32 {
        self.low.count_ones() + self.high.iter().map(|word| word.count_ones()).sum::<u32>()
    }
}

#[cfg(test)]
mod tests;
