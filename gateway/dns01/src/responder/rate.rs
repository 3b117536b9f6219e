//! How many responses a client's network gets over UDP.
//!
//! The address of a datagram may be forged, so that its response hits somebody
//! else. As in the response rate limiting of BIND, a network that gets too many
//! is answered every second time with a truncated response, which is no larger
//! than the query and makes a real client ask again over TCP, and otherwise not
//! at all.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use super::network::Network;

/// Responses per second, and how many may come at once.
const PER_SECOND: u64 = 50;
const BURST: u64 = 100;

/// In this table networks share places by chance, of a hash that nobody else can
/// compute. So its memory is fixed, and nothing has to be evicted: whoever forges
/// many networks uses up the shares of others, whose clients then come by TCP.
const PLACES: usize = 4096;

/// A response costs this much of a share.
const COST: u64 = 1000;

/// What a query gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Answer,
    Truncated,
    Nothing,
}

/// The shares of all networks, at one socket.
#[derive(Debug)]
pub(super) struct Rate {
    hasher: RandomState,
    begun: Instant,
    places: Box<[Place]>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// In thousandths of a response.
    left: u64,
    /// In milliseconds since the beginning.
    counted: u64,
    /// Whether the next one over the limit is truncated rather than dropped.
    truncates: bool,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        let full = Place {
            left: BURST * COST,
            counted: 0,
            truncates: true,
        };
        Self {
            hasher: RandomState::new(),
            begun: now,
            places: vec![full; PLACES].into_boxed_slice(),
        }
    }

    /// Takes a response out of the share of the client's network.
    pub(super) fn take(&mut self, client: IpAddr, now: Instant) -> Share {
        let hash = self.hasher.hash_one(Network::of(client));
        let now = now.saturating_duration_since(self.begun).as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let index = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let Some(place) = self.places.get_mut(index) else {
            return Share::Nothing;
        };
        let passed = now.saturating_sub(place.counted);
        let gained = passed.saturating_mul(PER_SECOND * COST / 1000);
        place.left = place.left.saturating_add(gained).min(BURST * COST);
        place.counted = now;
        if let Some(left) = place.left.checked_sub(COST) {
            place.left = left;
            return Share::Answer;
        }
        place.truncates = !place.truncates;
        match place.truncates {
            true => Share::Nothing,
            false => Share::Truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_network_has_a_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let client = "192.0.2.1".parse().unwrap();
        let neighbour = "192.0.2.77".parse().unwrap();
        for n in 0..BURST {
            let asking = if n % 2 == 0 { client } else { neighbour };
            assert_eq!(rate.take(asking, start), Share::Answer, "{n}");
        }
        for _ in 0..10 {
            assert_eq!(rate.take(client, start), Share::Truncated);
            assert_eq!(rate.take(neighbour, start), Share::Nothing);
        }
        let mut answered = 0;
        for n in 1..=1000 {
            let now = start + Duration::from_millis(n);
            answered += u64::from(rate.take(client, now) == Share::Answer);
        }
        assert_eq!(answered, PER_SECOND);
        // It never has more than a burst.
        let later = start + Duration::from_secs(3600);
        for _ in 0..BURST {
            assert_eq!(rate.take(client, later), Share::Answer);
        }
        assert_eq!(rate.take(client, later), Share::Truncated);
    }

    #[test]
    fn other_networks_are_not_affected() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        for _ in 0..2 * BURST {
            rate.take("192.0.2.1".parse().unwrap(), now);
        }
        // One of these may share its place by chance.
        let others = (0..10).map(|n| IpAddr::from([198, 51, n, 1]));
        let answered = { others }.filter(|&other| rate.take(other, now) == Share::Answer);
        assert!(answered.count() >= 8);
    }
}
