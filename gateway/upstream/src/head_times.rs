//! How long the endpoints of an upstream take to answer: an estimate of quantiles of recent times
//! to the head of a response, for requests that are sent to a second endpoint when the first is
//! late.
//!
//! Times are counted in classes whose bounds grow by at most a quarter, so that a quantile is
//! no more than that too high. Two periods are kept, of which the older one is forgotten when a
//! new one begins.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How long a period is, in milliseconds.
const PERIOD_MS: u64 = 10_000;
/// Times are not told apart below 64 microseconds.
const LEAST_BITS: u32 = 6;
/// Classes for each doubling of the time.
const STEPS: usize = 4;
/// Classes up to about a minute.
const CLASSES: usize = 80;
/// Fewer times than this tell nothing.
const LEAST_TIMES: u64 = 100;

/// The times of one upstream, over all workers.
#[derive(Debug)]
pub struct HeadTimes {
    /// The number of the current period.
    period: AtomicU64,
    current: [AtomicU32; CLASSES],
    before: [AtomicU32; CLASSES],
}

impl Default for HeadTimes {
    fn default() -> Self {
        Self {
            period: AtomicU64::new(0),
            current: [const { AtomicU32::new(0) }; CLASSES],
            before: [const { AtomicU32::new(0) }; CLASSES],
        }
    }
}

impl HeadTimes {
    /// Records that an endpoint took this long.
    pub fn record(&self, took: Duration, now_ms: u64) {
        self.advance(now_ms / PERIOD_MS);
        if let Some(count) = self.current.get(class(took)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The time in which this share of recent requests was answered, in percent; none as long as
    /// there are too few of them.
    pub fn quantile(&self, percent: u8) -> Option<Duration> {
        let counts = self.current.iter().zip(&self.before);
        let counts = counts
            .map(|(now, before)| u64::from(now.load(Relaxed)) + u64::from(before.load(Relaxed)));
        let total: u64 = counts.clone().sum();
        if total < LEAST_TIMES {
            return None;
        }
        let wanted = (total * u64::from(percent)).div_ceil(100);
        let mut so_far = 0;
        let mut counts = counts;
        let class = counts.position(|count| {
            so_far += count;
            so_far >= wanted
        });
        // Other workers may count meanwhile, so that the sum is not reached.
        Some(bound(class.unwrap_or(CLASSES - 1)))
    }

    /// Begins a new period, if that is due. Of the workers that find out, one does it; times that
    /// the others record meanwhile may be lost.
    fn advance(&self, period: u64) {
        let known = self.period.load(Relaxed);
        if period <= known
            || self
                .period
                .compare_exchange(known, period, Relaxed, Relaxed)
                .is_err()
        {
            return;
        }
        let is_next = period == known + 1;
        for (now, before) in self.current.iter().zip(&self.before) {
            let count = now.swap(0, Relaxed);
            before.store(if is_next { count } else { 0 }, Relaxed);
        }
    }
}

/// The class of a time.
fn class(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let bits = micros.checked_ilog2().unwrap_or(0);
    let Some(doublings) = bits.checked_sub(LEAST_BITS) else {
        return 0;
    };
    // The two bits after the first one.
    let step = usize::try_from((micros >> (bits - 2)) & 3).unwrap_or(0);
    (doublings as usize * STEPS + step).min(CLASSES - 1)
}

/// The time above all of a class.
fn bound(class: usize) -> Duration {
    let doublings = u32::try_from(class / STEPS).unwrap_or(0);
    let step = (class % STEPS) as u64;
    Duration::from_micros((STEPS as u64 + step + 1) << (LEAST_BITS - 2 + doublings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_the_times_below_its_bound() {
        for micros in [
            0, 1, 63, 64, 79, 80, 100, 127, 128, 1_000, 5_000, 999_999, 60_000_000,
        ] {
            let class = class(Duration::from_micros(micros));
            assert!(bound(class) > Duration::from_micros(micros), "{micros}");
            if class > 0 {
                assert!(
                    bound(class - 1) <= Duration::from_micros(micros),
                    "{micros}"
                );
            }
        }
        assert_eq!(class(Duration::from_secs(86_400)), CLASSES - 1);
        assert_eq!(class(Duration::MAX), CLASSES - 1);
    }

    #[test]
    fn a_quantile_is_close_to_the_true_one() {
        let times = HeadTimes::default();
        assert_eq!(times.quantile(95), None);
        // 1 to 1,000 ms, evenly.
        for millis in 1..=1_000 {
            times.record(Duration::from_millis(millis), 50_000);
        }
        for percent in [50, 90, 95, 99] {
            let exact = Duration::from_millis(u64::from(percent) * 10);
            let found = times.quantile(percent).unwrap();
            assert!(found >= exact, "p{percent}: {found:?}");
            assert!(found <= exact.mul_f64(1.26), "p{percent}: {found:?}");
        }
    }

    #[test]
    fn a_few_slow_ones_do_not_count_for_most() {
        let times = HeadTimes::default();
        for n in 0..1_000 {
            let millis = if n % 100 == 0 { 2_000 } else { 5 };
            times.record(Duration::from_millis(millis), 0);
        }
        assert!(times.quantile(95).unwrap() < Duration::from_millis(7));
    }

    #[test]
    fn old_times_are_forgotten() {
        let times = HeadTimes::default();
        let record = |millis, now_ms| {
            for _ in 0..200 {
                times.record(Duration::from_millis(millis), now_ms);
            }
        };
        record(1_000, 0);
        record(10, 10_000);
        assert!(
            times.quantile(95).unwrap() > Duration::from_millis(900),
            "both count"
        );
        record(10, 20_000);
        assert!(times.quantile(95).unwrap() < Duration::from_millis(13));
        // After a pause only what comes then counts.
        record(500, 500_000);
        assert!(times.quantile(50).unwrap() > Duration::from_millis(400));
    }

    #[test]
    fn workers_may_count_at_once() {
        let times = HeadTimes::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..10_000_u64 {
                        times.record(Duration::from_millis(1 + n % 10), n);
                    }
                });
            }
        });
        let total: u32 = times.current.iter().map(|count| count.load(Relaxed)).sum();
        assert_eq!(total, 40_000);
    }
}
