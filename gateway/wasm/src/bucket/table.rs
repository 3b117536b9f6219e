//! The buckets of one shard, partitioned by policy.
//!
//! Each policy has an index and a list of its own, so that to find a bucket, and to choose
//! one to replace, only buckets of its policy are looked at.

use hashbrown::HashTable;

/// How many buckets are compared to find one to replace.
const EXAMINED: usize = 32;
/// Lists of at most this many buckets are not made smaller.
const SMALL: usize = 64;

/// The buckets of a shard.
#[derive(Debug)]
pub(super) struct Table {
    /// By the number of the policy.
    partitions: Vec<Partition>,
    capacity: usize,
    /// The number of buckets of all policies.
    len: usize,
    /// The number of policies that have buckets.
    policies: usize,
    /// The policy from which the last bucket was taken away for another one.
    lender: usize,
}

/// The buckets of one policy.
#[derive(Debug, Default)]
struct Partition {
    index: HashTable<u32>,
    buckets: Vec<Bucket>,
    /// Where the next search for a bucket to replace begins.
    hand: usize,
}

/// A bucket, in 32 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    id: [u64; 2],
    /// When it is full again, in nanoseconds (the GCRA's theoretical arrival time).
    pub(super) full_at: u64,
    /// The time in which it fills up from empty to full, in nanoseconds.
    whole: u64,
}

impl Table {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            partitions: Vec::new(),
            capacity,
            len: 0,
            policies: 0,
            lender: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A bucket of this policy, which takes `whole` to fill up. A new one is full.
    pub(super) fn bucket(
        &mut self,
        policy: usize,
        id: [u64; 2],
        whole: u64,
        now: u64,
    ) -> Option<&mut Bucket> {
        let found = self.partitions.get(policy).and_then(|own| own.find(id));
        let at = match found {
            Some(at) => at as usize,
            None => self.place(policy, id, whole, now)?,
        };
        let bucket = self.partitions.get_mut(policy)?.buckets.get_mut(at)?;
        // The settings of the policy have changed: nobody waits longer than they require.
        if bucket.whole != whole {
            bucket.full_at = bucket.full_at.min(now.saturating_add(whole));
            bucket.whole = whole;
        }
        Some(bucket)
    }

    /// Removes all buckets of a policy.
    pub(super) fn remove(&mut self, policy: usize) {
        if let Some(partition) = self.partitions.get_mut(policy) {
            let gone = std::mem::take(partition).buckets.len();
            self.len -= gone;
            self.policies -= usize::from(gone > 0);
        }
    }

    /// Adds a bucket, and removes another one if the table is full: of a policy with more
    /// than its share, if this one has less, and otherwise of this policy.
    fn place(&mut self, policy: usize, id: [u64; 2], whole: u64, now: u64) -> Option<usize> {
        if self.partitions.len() <= policy {
            self.partitions.resize_with(policy + 1, Partition::default);
        }
        let own = self.partitions.get(policy)?.buckets.len();
        let policies = self.policies + usize::from(own == 0);
        if self.len >= self.capacity {
            let share = (self.capacity / policies).max(1);
            // If there are more policies than buckets, a lender may have no more than the
            // share.
            let lender = match own < share {
                true => self.lender(share),
                false => policy,
            };
            let lender = self.partitions.get_mut(lender)?;
            lender.remove_fullest(now);
            self.policies -= usize::from(lender.buckets.is_empty());
            self.len -= 1;
        }
        let own = self.partitions.get_mut(policy)?;
        self.policies += usize::from(own.buckets.is_empty());
        self.len += 1;
        Some(own.add(Bucket {
            id,
            full_at: now,
            whole,
        }))
    }

    /// A policy with more buckets than its share: the last one, if it still has more, and
    /// otherwise the one with the most. All policies are looked at only once the last lender
    /// has returned all that it had borrowed.
    fn lender(&mut self, share: usize) -> usize {
        let len = |partition: &Partition| partition.buckets.len();
        if self.partitions.get(self.lender).map_or(0, len) <= share {
            let most = self.partitions.iter().enumerate();
            self.lender = most
                .max_by_key(|(_, partition)| len(partition))
                .map_or(0, |(at, _)| at);
        }
        self.lender
    }
}

impl Partition {
    fn find(&self, id: [u64; 2]) -> Option<u32> {
        let is_same = |&at: &u32| self.buckets.get(at as usize).is_some_and(|b| b.id == id);
        self.index.find(id[1], is_same).copied()
    }

    fn add(&mut self, bucket: Bucket) -> usize {
        let at = self.buckets.len();
        self.buckets.push(bucket);
        let buckets = &self.buckets;
        let hash = |&at: &u32| buckets.get(at as usize).map_or(0, |b| b.id[1]);
        let position = u32::try_from(at).unwrap_or(u32::MAX);
        self.index.insert_unique(bucket.id[1], position, hash);
        at
    }

    fn remove_fullest(&mut self, now: u64) {
        let at = self.fullest(now);
        let last = self.buckets.len().saturating_sub(1);
        let (Some(gone), Some(moved)) = (self.buckets.get(at), self.buckets.get(last)) else {
            return;
        };
        let (gone, moved) = (gone.id[1], moved.id[1]);
        if let Ok(entry) = self.index.find_entry(gone, |&other| other as usize == at) {
            entry.remove();
        }
        // The last bucket takes the place.
        if at != last
            && let Some(position) = self.index.find_mut(moved, |&other| other as usize == last)
        {
            *position = u32::try_from(at).unwrap_or(u32::MAX);
        }
        self.buckets.swap_remove(at);
        self.shrink();
    }

    /// The position of the fullest of the next few buckets, by the part of it that is
    /// filled.
    fn fullest(&mut self, now: u64) -> usize {
        let len = self.buckets.len().max(1);
        let mut hand = self.hand % len;
        // Absent tokens, and how many it can hold. The first bucket is fuller than this.
        let (mut best, mut best_missing, mut best_whole) = (hand, u64::MAX, 1);
        for _ in 0..EXAMINED.min(len) {
            let Some(bucket) = self.buckets.get(hand) else {
                break;
            };
            let missing = bucket.full_at.saturating_sub(now);
            // missing / whole < best_missing / best_whole
            if u128::from(missing) * u128::from(best_whole)
                < u128::from(best_missing) * u128::from(bucket.whole)
            {
                (best, best_missing, best_whole) = (hand, missing, bucket.whole);
            }
            hand = if hand + 1 == len { 0 } else { hand + 1 };
            if missing == 0 {
                break;
            }
        }
        self.hand = hand;
        best
    }

    /// Frees memory of a policy that has returned most of what it had borrowed.
    fn shrink(&mut self) {
        let len = self.buckets.len();
        if self.buckets.capacity() > SMALL.max(4 * len) {
            self.buckets.shrink_to(2 * len);
            let buckets = &self.buckets;
            let hash = |&at: &u32| buckets.get(at as usize).map_or(0, |b| b.id[1]);
            self.index.shrink_to(2 * len, hash);
        }
    }
}
