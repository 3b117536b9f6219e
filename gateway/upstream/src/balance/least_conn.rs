//! The fewest requests in flight, relative to the weight.

use crate::random::Random;
use crate::tier::Candidate;

/// Up to so many candidates, all are compared; otherwise as many that are drawn at random, so
/// that a choice among a thousand does not read a thousand counts that all workers write.
pub(crate) const COMPARED: usize = 16;

/// The place of the candidate with the lowest load. Among equals, the one with the earliest turn
/// is chosen. `load` returns none for a candidate that must not be chosen.
pub(crate) fn choose(
    candidates: &[Candidate],
    random: &mut Random,
    load: impl Fn(&Candidate) -> Option<f64>,
    turn: impl Fn(&Candidate) -> u64,
) -> Option<usize> {
    if candidates.len() > COMPARED {
        let drawn = (0..COMPARED).map(|_| random.place(candidates.len()));
        let best = least(candidates, drawn, &load, &turn);
        if best.is_some() {
            return best;
        }
    }
    least(candidates, 0..candidates.len(), &load, &turn)
}

/// The one with the lowest load among these places.
pub(crate) fn least(
    candidates: &[Candidate],
    places: impl Iterator<Item = usize>,
    load: &impl Fn(&Candidate) -> Option<f64>,
    turn: &impl Fn(&Candidate) -> u64,
) -> Option<usize> {
    let mut best: Option<(usize, f64, u64)> = None;
    for place in places {
        let Some(candidate) = candidates.get(place) else {
            continue;
        };
        let Some(load) = load(candidate) else {
            continue;
        };
        let turn = turn(candidate);
        let is_better =
            best.is_none_or(|(_, least, first)| load < least || (load <= least && turn < first));
        if is_better {
            best = Some((place, load, turn));
        }
    }
    best.map(|(place, ..)| place)
}

/// The requests in flight relative to the weight. Equal fractions give equal results, because a
/// division is rounded correctly.
#[allow(
    clippy::cast_precision_loss,
    reason = "weights above 2^53 do not occur, and a lost bit would only break a tie"
)]
pub(crate) fn load(in_flight: u32, weight: u64) -> f64 {
    f64::from(in_flight) / weight as f64
}
