//! Durations, counted in fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;

/// The upper bounds of the buckets, as written in the label `le` (in seconds)
/// and as compared. A larger duration is counted in `+Inf` only.
pub const BUCKETS: [(&str, Duration); 11] = [
    ("0.005", Duration::from_millis(5)),
    ("0.01", Duration::from_millis(10)),
    ("0.025", Duration::from_millis(25)),
    ("0.05", Duration::from_millis(50)),
    ("0.1", Duration::from_millis(100)),
    ("0.25", Duration::from_millis(250)),
    ("0.5", Duration::from_millis(500)),
    ("1", Duration::from_secs(1)),
    ("2.5", Duration::from_millis(2500)),
    ("5", Duration::from_secs(5)),
    ("10", Duration::from_secs(10)),
];

/// Observed durations, with one shard per worker, as in a
/// [`Counter`](super::Counter). An observation costs two additions.
#[derive(Debug)]
pub struct Histogram {
    shards: Box<[CachePadded<Shard>]>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Observations per bucket, not cumulative; the last one is `+Inf`.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    /// In nanoseconds: it overflows after 584 years.
    sum: AtomicU64,
}

/// The sums over all shards of a histogram.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Observations at or below each bound, cumulative, `+Inf` last.
    pub(super) cumulative: [u64; BUCKETS.len() + 1],
    pub(super) sum: Duration,
}

impl Histogram {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Counts one observation in the shard of the calling worker.
    pub fn observe(&self, shard: usize, duration: Duration) {
        let Some(shard) = self.shards.get(shard).or_else(|| self.shards.last()) else {
            return;
        };
        let bucket = BUCKETS.partition_point(|(_, bound)| *bound < duration);
        if let Some(bucket) = shard.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        shard.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.totals().cumulative.last().copied().unwrap_or(0)
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.shards {
            for (total, bucket) in totals.cumulative.iter_mut().zip(&shard.buckets) {
                *total += bucket.load(Ordering::Relaxed);
            }
            totals.sum += Duration::from_nanos(shard.sum.load(Ordering::Relaxed));
        }
        let mut running = 0;
        for total in &mut totals.cumulative {
            running += *total;
            *total = running;
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BUCKETS, Histogram};

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        // (microseconds, index of the first bucket that holds it)
        let table = [
            (0, 0),
            (5_000, 0),
            (5_001, 1),
            (10_000, 1),
            (1_000_000, 7),
            (10_000_000, 10),
            (10_000_001, 11),
            (3_600_000_000, 11),
        ];
        for (micros, first) in table {
            let histogram = Histogram::new(1);
            histogram.observe(0, Duration::from_micros(micros));
            let cumulative = histogram.totals().cumulative;
            let found = cumulative.iter().position(|n| *n == 1);
            assert_eq!(found, Some(first), "{micros} µs in {cumulative:?}");
            assert_eq!(cumulative[BUCKETS.len()], 1);
        }
    }

    #[test]
    fn shards_are_added_up() {
        let histogram = Histogram::new(2);
        histogram.observe(0, Duration::from_millis(1));
        histogram.observe(1, Duration::from_millis(30));
        histogram.observe(5, Duration::from_secs(20));
        let totals = histogram.totals();
        assert_eq!(totals.cumulative, [1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3]);
        assert_eq!(totals.sum, Duration::from_millis(20_031));
        assert_eq!(histogram.count(), 3);
    }

    #[test]
    fn the_written_bounds_are_the_compared_ones() {
        for (written, bound) in BUCKETS {
            assert_eq!(written.parse::<f64>().unwrap(), bound.as_secs_f64());
        }
        assert!(BUCKETS.is_sorted_by_key(|(_, bound)| *bound));
    }
}
