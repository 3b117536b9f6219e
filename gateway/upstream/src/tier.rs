//! Which endpoints of an upstream may be chosen: worked out when something changes, and not for
//! each request.
//!
//! A tier is a set of endpoints that are equally good. A request goes to the first tier that has
//! an endpoint for it.

use crate::admission::Entry;
use crate::balance::round_robin::Turns;
use crate::tried::Tried;
use crate::upstream::Upstream;

/// What a weight of 1 counts, so that fractions of it can be expressed.
pub(crate) const UNIT: u64 = 256;

/// Endpoints that are equally good.
#[derive(Debug, Default)]
pub(crate) struct Tier {
    pub(crate) candidates: Vec<Candidate>,
    /// The indexes of the candidates.
    pub(crate) indexes: Tried,
    /// All endpoints are ejected, and are tried all the same.
    pub(crate) is_last_resort: bool,
    /// Their turns in round robin.
    pub(crate) turns: Turns,
}

/// An endpoint that may be chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Its index in the upstream.
    pub(crate) index: usize,
    /// Its weight now, in units of 1 / [`UNIT`]; at least 1.
    pub(crate) weight: u64,
}

/// The tiers of an upstream at this time, and when time alone changes them.
pub(crate) fn tiers(upstream: &Upstream, now_ms: u64) -> (Vec<Tier>, u64) {
    let mut until_ms = u64::MAX;
    let mut eligible = Tier::default();
    let mut last_resort = Tier {
        is_last_resort: true,
        ..Tier::default()
    };
    for (index, member) in upstream.members().iter().enumerate() {
        let admission = upstream.admission(member, now_ms);
        until_ms = until_ms.min(admission.until_ms);
        let candidate = Candidate {
            index,
            weight: u64::from(member.current_weight()).max(1) * UNIT,
        };
        match admission.entry {
            Entry::Open | Entry::Probe => eligible.push(candidate),
            Entry::LastResort => last_resort.push(candidate),
            Entry::Sessions | Entry::Closed => {}
        }
    }
    let mut tiers = Vec::new();
    if !eligible.candidates.is_empty() {
        tiers.push(eligible);
    } else if !last_resort.candidates.is_empty() {
        tiers.push(last_resort);
    }
    (tiers, until_ms)
}

impl Tier {
    fn push(&mut self, candidate: Candidate) {
        self.indexes.insert(candidate.index);
        self.candidates.push(candidate);
    }
}
