//! A counter in which every worker has its own cache line.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// A monotonic counter with one padded atomic per shard. No two workers write
/// to the same cache line, so an addition costs a few nanoseconds at any load.
#[derive(Debug)]
pub struct Counter {
    shards: Box<[CachePadded<AtomicU64>]>,
}

impl Counter {
    /// A counter at 0 with this many shards, one per thread.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Adds `n` in the shard of the calling worker. An unknown shard is counted
    /// in the last one: this may contend, but loses nothing.
    pub fn add(&self, shard: usize, n: u64) {
        if let Some(count) = self.shards.get(shard).or_else(|| self.shards.last()) {
            count.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Adds one in the shard of the calling worker.
    pub fn increment(&self, shard: usize) {
        self.add(shard, 1);
    }

    /// The sum over all shards. Shards are read one after another, so
    /// concurrent additions may or may not be included.
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
