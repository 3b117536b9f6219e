//! A value that goes up and down.

use std::sync::atomic::{AtomicI64, Ordering};

use crossbeam_utils::CachePadded;

/// An integer that goes up and down, sharded like a
/// [`Counter`](super::Counter). One worker may count a connection when it opens
/// and another when it closes; only the sum is meaningful.
#[derive(Debug)]
pub struct Gauge {
    shards: Box<[CachePadded<AtomicI64>]>,
}

impl Gauge {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Adds `n`, which may be negative, in the shard of the calling worker.
    pub fn add(&self, shard: usize, n: i64) {
        if let Some(value) = self.shards.get(shard).or_else(|| self.shards.last()) {
            value.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// The sum over all shards.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.shards
            .iter()
            .fold(0, |sum, n| sum.wrapping_add(n.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::Gauge;

    #[test]
    fn an_increment_and_a_decrement_on_different_shards_cancel_out() {
        let gauge = Gauge::new(2);
        gauge.add(0, 1);
        gauge.add(1, -1);
        gauge.add(9, 5);
        assert_eq!(gauge.value(), 5);
    }
}
