//! Consistent hashing on a ring.
//!
//! Each endpoint has points on the ring, in proportion to its weight, at hashes of its address. A
//! value belongs to the endpoint with the next point. The ring has the points of all endpoints,
//! whether they are up or not: a value whose endpoint is down goes to the next one, and comes back
//! with its endpoint; no other value moves. The hashes are the same in every process, so that
//! several gateways choose alike.
//!
//! Rings were chosen over Maglev's tables, by which also a few values of other endpoints move, and
//! over rendezvous hashing, which looks at every endpoint for each request.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// The points of an endpoint with a weight of 1. The shares differ by about 1 / √POINTS.
const POINTS: u64 = 160;

/// The most points of a ring, unless it has more endpoints than that.
const MOST: u64 = 1 << 17;

/// After so many points of endpoints that cannot be used, round robin chooses.
const WALKED: usize = 4096;

/// The points of an upstream's endpoints.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// Sorted by the first.
    points: Box<[(u64, u32)]>,
    /// The weight of each endpoint for which the ring was made.
    weights: Box<[u32]>,
}

impl Ring {
    /// The ring of endpoints with these addresses and weights. A weight of 0 gives no point.
    pub(crate) fn new<'a>(endpoints: impl Iterator<Item = (&'a str, u32)> + Clone) -> Self {
        let weights: Box<[u32]> = endpoints.clone().map(|(_, weight)| weight).collect();
        let all: u64 = weights
            .iter()
            .map(|weight| u64::from(*weight) * POINTS)
            .sum();
        // Halved, and not fitted to the bound: half of the points stay where they are.
        let halvings = (0..64).find(|halvings| all >> halvings <= MOST);
        let halvings = halvings.unwrap_or_default();
        let mut points = Vec::new();
        for ((address, weight), index) in endpoints.zip(0_u32..) {
            let count = (u64::from(weight) * POINTS) >> halvings;
            let count = if weight > 0 { count.max(1) } else { 0 };
            points.extend((0..count).map(|number| (point(address, number), index)));
        }
        points.sort_unstable();
        Self {
            points: points.into(),
            weights,
        }
    }

    /// Whether the ring is that of these weights.
    pub(crate) fn has(&self, weights: impl Iterator<Item = u32>) -> bool {
        weights.eq(self.weights.iter().copied())
    }

    /// The endpoint that a value belongs to, or the next one that is usable.
    pub(crate) fn choose(&self, value: u64, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.points.partition_point(|(at, _)| *at < value);
        let (before, behind) = self.points.split_at_checked(start)?;
        let mut walk = behind.iter().chain(before).take(WALKED);
        walk.find_map(|(_, index)| {
            let index = *index as usize;
            usable(index).then_some(index)
        })
    }
}

fn point(address: &str, number: u64) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(address.as_bytes());
    hasher.write_u8(0);
    hasher.write_u64(number.to_le());
    hasher.finish()
}

#[cfg(test)]
mod tests;
