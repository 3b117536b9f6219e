//! Which endpoints of an upstream may be chosen: worked out when something changes, and not for
//! each request.
//!
//! A tier is a set of endpoints that are equally good. A request goes to the first tier that has
//! an endpoint for it.

use crate::admission::Entry;
use crate::balance::round_robin::Turns;
use crate::balance::two::Intervals;
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
    /// The sum of the candidates' weights.
    pub(crate) total: u64,
    /// Too many endpoints are ejected, and all are tried all the same.
    pub(crate) is_last_resort: bool,
    /// From which two are drawn, if that is the balance.
    pub(crate) intervals: Intervals,
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

/// The tiers of an upstream at this time, and when time alone changes them:
///
/// 1. endpoints in the gateway's zone, while at least half of those there are eligible,
/// 2. all that are eligible and no backups,
/// 3. backups,
/// 4. if nobody is eligible, those that are tried all the same.
///
/// If fewer are eligible than the panic threshold wants, where backups count for those they stand
/// in for, all endpoints are tried: those that are no backups together with the eligible backups,
/// which are at least as good, and then the other backups.
pub(crate) fn tiers(upstream: &Upstream, now_ms: u64) -> (Vec<Tier>, u64) {
    let mut until_ms = u64::MAX;
    let [mut local, mut primaries, mut backups] = [(); 3].map(|()| Tier::default());
    let mut last_resort = [(); 2].map(|()| Tier {
        is_last_resort: true,
        ..Tier::default()
    });
    // The weight of all endpoints in the zone that are not to become idle, and of those of them
    // that are eligible.
    let (mut in_zone, mut up_in_zone) = (0, 0);
    for (index, member) in upstream.members().iter().enumerate() {
        let admission = upstream.admission(member, now_ms);
        until_ms = until_ms.min(admission.until_ms);
        let whole = u64::from(member.current_weight()).max(1) * UNIT;
        let is_of_zone = member.is_local && !member.is_backup && !member.is_draining();
        if is_of_zone {
            in_zone += whole;
        }
        match admission.entry {
            Entry::Open | Entry::Probe => {
                let (weight, grows_ms) = upstream.weight(member, now_ms);
                until_ms = until_ms.min(grows_ms);
                let candidate = Candidate { index, weight };
                if is_of_zone {
                    up_in_zone += whole;
                }
                if member.is_backup {
                    backups.push(candidate);
                } else {
                    primaries.push(candidate);
                    if member.is_local {
                        local.push(candidate);
                    }
                }
            }
            Entry::LastResort => {
                let [primaries, backups] = &mut last_resort;
                let tier = if member.is_backup { backups } else { primaries };
                tier.push(Candidate {
                    index,
                    weight: whole,
                });
            }
            Entry::Sessions | Entry::Closed => {}
        }
    }
    let eligible = primaries.candidates.len() + backups.candidates.len();
    let [first, _] = &mut last_resort;
    let all = primaries.candidates.len() + first.candidates.len();
    if upstream.panic().is_on(eligible, all) {
        first.append(std::mem::take(&mut primaries));
        first.append(std::mem::take(&mut backups));
        local = Tier::default();
    }
    let is_enough =
        up_in_zone * 2 >= in_zone && local.candidates.len() < primaries.candidates.len();
    let mut tiers = Vec::new();
    if is_enough {
        tiers.push(local);
    }
    tiers.extend([primaries, backups]);
    tiers.retain(|tier| !tier.candidates.is_empty());
    if tiers.is_empty() {
        let left = last_resort.into_iter();
        tiers.extend(left.filter(|tier| !tier.candidates.is_empty()));
    }
    (tiers, until_ms)
}

impl Tier {
    fn append(&mut self, other: Self) {
        for candidate in other.candidates {
            self.push(candidate);
        }
    }

    fn push(&mut self, candidate: Candidate) {
        self.indexes.insert(candidate.index);
        self.total = self.total.saturating_add(candidate.weight);
        self.candidates.push(candidate);
    }
}
