//! What an upstream knows about requests that are repeated, doubled or kept waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::group::Group;
use crate::head_times::HeadTimes;
use crate::retry_budget::RetryBudget;

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

/// A request that waits because no endpoint can be reached; dropping it decrements the count.
#[derive(Debug)]
pub struct Held(Arc<Group>);

impl Held {
    /// Counts a request that waits; none if so many already do.
    pub fn enter(group: &Arc<Group>, most: u32) -> Option<Self> {
        let held = &group.repeats().held;
        let one_more = |held: u32| (held < most).then_some(held + 1);
        held.fetch_update(Relaxed, Relaxed, one_more).ok()?;
        Some(Self(Arc::clone(group)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.repeats().held.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_wait_than_may() {
        let group = Group::new("app");
        let held: Vec<_> = (0..3).filter_map(|_| Held::enter(&group, 2)).collect();
        assert_eq!((held.len(), group.repeats().held()), (2, 2));
        drop(held);
        assert_eq!(group.repeats().held(), 0);
    }
}
