//! What an upstream knows about requests that are repeated, doubled or kept waiting.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::head_times::HeadTimes;
use crate::limits::{Limit, Place};
use crate::retry_budget::RetryBudget;
use crate::upstream::Upstream;

/// How many requests to one upstream may wait because no endpoint can be reached, unless it has a
/// limit of all that wait.
const MOST_HELD: u32 = 1_024;

/// What an upstream knows about such requests, over all workers.
#[derive(Debug, Default)]
pub struct Repeats {
    /// How many requests may still be sent again.
    pub budget: RetryBudget,
    /// How long its endpoints take to answer. Only requests that may be sent to two endpoints are
    /// recorded.
    pub head_times: HeadTimes,
    /// Requests that wait because no endpoint can be reached.
    held: AtomicU32,
}

impl Repeats {
    /// How many requests wait now because no endpoint can be reached.
    pub fn held(&self) -> u32 {
        self.held.load(Relaxed)
    }
}

/// A request that waits because no endpoint can be reached; dropping it decrements the count. It has
/// a place among all requests that wait ([`Limit::Pending`]), also while it opens a connection.
#[derive(Debug)]
pub struct Held(Place);

impl Held {
    /// Counts a request that waits; none if so many already do.
    pub fn enter(upstream: &Upstream) -> Option<Self> {
        let place = upstream.take_place(Limit::Pending).ok()?;
        let most = match upstream.limit(Limit::Pending) {
            Some(_) => u32::MAX,
            None => MOST_HELD,
        };
        let held = &place.group().repeats().held;
        let one_more = |held: u32| (held < most).then(|| held + 1);
        held.fetch_update(Relaxed, Relaxed, one_more).ok()?;
        Some(Self(place))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.group().repeats().held.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::Balance;
    use crate::limits::Limits;
    use crate::testing;
    use crate::upstream::UpstreamSpec;

    fn upstream(pending: Option<u32>) -> Upstream {
        testing::made(&UpstreamSpec {
            limits: Limits {
                pending,
                ..Limits::default()
            },
            ..testing::spec(Balance::RoundRobin, 1)
        })
    }

    /// How many of so many requests wait.
    fn held(upstream: &Upstream, count: usize) -> Vec<Held> {
        (0..count).filter_map(|_| Held::enter(upstream)).collect()
    }

    #[test]
    fn no_more_wait_than_may() {
        for (pending, most) in [(None, 1_024), (Some(2), 2), (Some(1_500), 1_500)] {
            let upstream = upstream(pending);
            let held = held(&upstream, 2_000);
            assert_eq!(held.len(), most);
            assert_eq!(upstream.group().repeats().held() as usize, most);
            drop(held);
            assert_eq!(upstream.group().repeats().held(), 0);
            assert_eq!(upstream.group().in_use(Limit::Pending), 0);
        }
    }

    #[test]
    fn those_who_wait_for_a_connection_count_too() {
        let upstream = upstream(Some(5));
        let connecting: Vec<Place> = (0..3)
            .map(|_| upstream.take_place(Limit::Pending).unwrap())
            .collect();
        let held = held(&upstream, 5);
        assert_eq!(held.len(), 2);
        assert_eq!(upstream.group().in_use(Limit::Pending), 5);
        assert!(upstream.take_place(Limit::Pending).is_err());
        drop(connecting);
        assert!(upstream.take_place(Limit::Pending).is_ok());
    }
}
