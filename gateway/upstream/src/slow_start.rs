//! Slow start: an endpoint that has come up gets a growing share of the requests.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The share that it begins with, as a divisor.
const FIRST: u64 = 10;

/// It has been up from the beginning.
const EVER: u64 = 0;
/// It has come up since the last request.
const JUST_NOW: u64 = u64::MAX;

/// When an endpoint has come up, in milliseconds. It takes effect with the next request, whose
/// time is that of the rise: who lets an endpoint rise need not know the time, and an endpoint
/// that nobody asks does not become warm.
#[derive(Debug)]
pub(crate) struct Rise(AtomicU64);

impl Rise {
    /// Of an endpoint that is as warm as the others.
    pub(crate) fn ever() -> Self {
        Self(AtomicU64::new(EVER))
    }

    /// Lets the slow start begin.
    pub(crate) fn now(&self) {
        self.0.store(JUST_NOW, Relaxed);
    }

    /// The weight at this time, and until when it is that; `u64::MAX` for good.
    pub(crate) fn weight(&self, whole: u64, slow_start_ms: u64, now_ms: u64) -> (u64, u64) {
        let since_ms = match self.0.load(Relaxed) {
            EVER => return (whole, u64::MAX),
            // Also without a slow start, which a later reload may add.
            JUST_NOW => {
                let now_ms = now_ms.max(EVER + 1);
                let set = self.0.compare_exchange(JUST_NOW, now_ms, Relaxed, Relaxed);
                set.map_or_else(|since_ms| since_ms, |_| now_ms)
            }
            since_ms => since_ms,
        };
        let up_ms = now_ms.saturating_sub(since_ms);
        if up_ms >= slow_start_ms {
            return (whole, u64::MAX);
        }
        let share = u128::from(whole) * u128::from(up_ms) / u128::from(slow_start_ms);
        let share = u64::try_from(share).unwrap_or(whole);
        let step_ms = (slow_start_ms / 20).clamp(50, 1_000);
        (share.max(whole / FIRST).max(1), now_ms + step_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_from_a_tenth() {
        let rise = Rise::ever();
        assert_eq!(rise.weight(1000, 30_000, 5), (1000, u64::MAX));
        rise.now();
        assert_eq!(rise.weight(1000, 30_000, 5_000), (100, 6_000));
        assert_eq!(rise.weight(1000, 30_000, 20_000), (500, 21_000));
        assert_eq!(rise.weight(1000, 30_000, 35_000), (1000, u64::MAX));
        assert_eq!(rise.weight(1000, 0, 20_000), (1000, u64::MAX));
        rise.now();
        assert_eq!(rise.weight(1, 100, 50_000), (1, 50_050), "never 0");
    }

    #[test]
    fn one_that_came_up_before_there_was_a_slow_start_is_warm() {
        let rise = Rise::ever();
        rise.now();
        assert_eq!(rise.weight(1000, 0, 20_000), (1000, u64::MAX));
        assert_eq!(rise.weight(1000, 30_000, 60_000), (1000, u64::MAX));
    }
}
