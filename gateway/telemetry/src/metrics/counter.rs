//! A counter whose every worker adds to a cache line of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// A count that only grows. One padded atomic per shard: two workers never
/// write to the same line, so an addition costs a few nanoseconds at any load.
#[derive(Debug)]
pub struct Counter {
    shards: Box<[CachePadded<AtomicU64>]>,
}

impl Counter {
    /// A counter at 0, with a shard for each of so many threads.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Adds `n` in the shard of the calling worker. A shard that does not exist
    /// counts in the last one: contended, but never lost.
    pub fn add(&self, shard: usize, n: u64) {
        if let Some(count) = self.shards.get(shard).or_else(|| self.shards.last()) {
            count.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Adds one in the shard of the calling worker.
    pub fn increment(&self, shard: usize) {
        self.add(shard, 1);
    }

    /// The sum over all shards. Shards are read one after another, so additions
    /// under way may or may not be in it.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.shards
            .iter()
            .fold(0, |sum, n| sum.wrapping_add(n.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn every_shard_counts_and_a_foreign_shard_is_not_lost() {
        let counter = Counter::new(2);
        counter.add(0, 3);
        counter.increment(1);
        counter.add(7, 10);
        assert_eq!(counter.value(), 14);
    }

    #[test]
    fn without_workers_there_is_still_one_shard() {
        let counter = Counter::new(0);
        counter.increment(0);
        assert_eq!(counter.value(), 1);
    }

    #[test]
    fn threads_on_one_shard_lose_nothing() {
        let counter = Counter::new(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| counter.increment(0)));
            }
        });
        assert_eq!(counter.value(), 40_000);
    }
}
