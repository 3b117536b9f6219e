//! Token buckets, shared by all workers and kept across reloads.
//!
//! Each bucket uses the GCRA, whose state is one timestamp: the time at which the
//! bucket is full again. Limits are exact across workers: a take locks one of 64
//! shards for a short time. A bucket is found by a keyed 128-bit hash
//! (SipHash-2-4-128 with a random key per process) of the policy's name, the bucket's
//! name and the key. The key itself is not stored. Two keys share a bucket only if
//! their hashes collide, which is negligible.
//!
//! **Overflow.** The number of buckets is limited. When a shard is full, a new bucket
//! replaces the fullest of the next few existing ones. Removing a full bucket has no
//! effect on its client; removing the fullest one returns the fewest tokens.
//! A flood of invented keys, whose buckets are nearly full, therefore replaces other
//! invented keys, and not the empty bucket of a client that is being limited. To
//! replace that one, a client would first have to empty all buckets around it.

use std::hash::Hasher;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::fingerprint::process_key;
use crate::verdict::Take;

const SHARDS: usize = 64;
/// How many buckets are compared to find one to replace.
const EXAMINED: usize = 32;
const NANOS_PER_MS: u64 = 1_000_000;

/// The limit on the number of buckets.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    /// The maximum number of buckets, rounded up to a multiple of 64. Each takes about
    /// 40 bytes.
    pub capacity: usize,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
        }
    }
}

/// The result of a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeOutcome {
    /// The tokens were taken.
    Taken {
        /// Whole tokens left.
        remaining: u64,
        /// Milliseconds until the bucket is full again.
        reset_ms: u64,
    },
    /// There were not enough tokens, and none was taken.
    Refused {
        /// Milliseconds until the same take would succeed.
        retry_after_ms: u64,
    },
}

/// The name of buckets: the hash of everything but the key, so that a request only adds
/// the key to it. It belongs to the [`Buckets`] that made it.
#[derive(Debug, Clone, Copy)]
pub struct BucketName(SipHasher24);

/// All token buckets of the process.
#[derive(Debug)]
pub struct Buckets {
    key: [u8; 16],
    shards: Box<[Shard]>,
}

/// Aligned so that no two locks share a cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Table>);

#[derive(Debug)]
struct Table {
    index: HashTable<u32>,
    buckets: Vec<Bucket>,
    capacity: usize,
    /// Where the next search for a bucket to replace begins.
    hand: usize,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    id: [u64; 2],
    /// When it is full again, in nanoseconds (the GCRA's theoretical arrival time).
    full_at: u64,
}

impl Buckets {
    /// No buckets. Memory is allocated as they come into use.
    pub fn new(options: &BucketOptions) -> Self {
        let each = options.capacity.div_ceil(SHARDS).max(1);
        Self {
            key: process_key(),
            shards: (0..SHARDS)
                .map(|_| {
                    Shard(Mutex::new(Table {
                        index: HashTable::new(),
                        buckets: Vec::new(),
                        capacity: each,
                        hand: 0,
                    }))
                })
                .collect(),
        }
    }

    /// The buckets of a policy with this name of a bucket, one for each key.
    pub fn named(&self, policy: &str, bucket: &str) -> BucketName {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        // With lengths, so that different pairs hash different bytes.
        hasher.write(&(policy.len() as u64).to_le_bytes());
        hasher.write(policy.as_bytes());
        hasher.write(&(bucket.len() as u64).to_le_bytes());
        hasher.write(bucket.as_bytes());
        BucketName(hasher)
    }

    /// Takes `take.cost` tokens from the bucket of this name and key, if it holds as many.
    /// The absent key (`None`) has another bucket than the empty key. `now_ms` is the proxy's
    /// monotonic clock.
    pub fn take(
        &self,
        name: &BucketName,
        key: Option<&[u8]>,
        take: &Take,
        now_ms: u64,
    ) -> TakeOutcome {
        let id = name.id(key);
        let rate = Rate::new(take);
        let now = now_ms.saturating_mul(NANOS_PER_MS);
        // The low bits of the first word select the shard; the second word is the hash
        // within it.
        let at = usize::try_from(id[0]).unwrap_or(0) % SHARDS;
        let Some(Shard(table)) = self.shards.get(at) else {
            return TakeOutcome::Refused { retry_after_ms: 0 };
        };
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = table.full_at(id, now);
        match rate.take(*full_at, now) {
            Ok(after) => {
                *full_at = after;
                drop(table);
                rate.taken(after, now)
            }
            Err(retry_after_ms) => TakeOutcome::Refused { retry_after_ms },
        }
    }

    /// The number of buckets.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|Shard(table)| {
                let table = table.lock().unwrap_or_else(PoisonError::into_inner);
                table.buckets.len()
            })
            .sum()
    }

    /// Whether there are no buckets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl BucketName {
    fn id(&self, key: Option<&[u8]>) -> [u64; 2] {
        let mut hasher = self.0;
        hasher.write_u8(u8::from(key.is_some()));
        hasher.write(key.unwrap_or_default());
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }
}

impl Table {
    /// The timestamp of a bucket. A new bucket is full.
    fn full_at(&mut self, id: [u64; 2], now: u64) -> &mut u64 {
        let found = self
            .index
            .find(id[1], |&at| same(&self.buckets, at, id))
            .copied();
        let at = found.unwrap_or_else(|| self.place(id, now));
        // `at` comes from the index, which only holds positions of `buckets`.
        #[allow(
            clippy::indexing_slicing,
            reason = "the index holds valid positions only"
        )]
        &mut self.buckets[at as usize].full_at
    }

    fn place(&mut self, id: [u64; 2], now: u64) -> u32 {
        let fresh = Bucket { id, full_at: now };
        let at = if self.buckets.len() < self.capacity {
            self.buckets.push(fresh);
            self.buckets.len() - 1
        } else {
            let at = self.fullest(now);
            if let Some(old) = self.buckets.get_mut(at) {
                let gone = std::mem::replace(old, fresh);
                if let Ok(entry) = self
                    .index
                    .find_entry(gone.id[1], |&other| other as usize == at)
                {
                    entry.remove();
                }
            }
            at
        };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let buckets = &self.buckets;
        self.index.insert_unique(id[1], at, |&other| {
            buckets.get(other as usize).map_or(0, |b| b.id[1])
        });
        at
    }

    /// The position of the fullest of the next few buckets.
    fn fullest(&mut self, now: u64) -> usize {
        let mut best = self.hand % self.buckets.len().max(1);
        let mut best_full_at = u64::MAX;
        for _ in 0..EXAMINED {
            self.hand = (self.hand + 1) % self.buckets.len().max(1);
            let Some(bucket) = self.buckets.get(self.hand) else {
                break;
            };
            if bucket.full_at < best_full_at {
                (best, best_full_at) = (self.hand, bucket.full_at);
            }
            if bucket.full_at <= now {
                break;
            }
        }
        best
    }
}

fn same(buckets: &[Bucket], at: u32, id: [u64; 2]) -> bool {
    buckets.get(at as usize).is_some_and(|b| b.id == id)
}

/// The arithmetic of a take. Tokens are expressed as the time in which they are added,
/// in nanoseconds.
struct Rate {
    /// One token.
    interval: u64,
    /// A full bucket: `burst + 1` tokens.
    whole: u64,
    /// The cost of the take.
    cost: u64,
}

impl Rate {
    fn new(take: &Take) -> Self {
        let period = u64::from(take.period_ms).saturating_mul(NANOS_PER_MS);
        let interval = (period / u64::from(take.tokens.max(1))).max(1);
        Self {
            interval,
            whole: interval.saturating_mul(u64::from(take.burst) + 1),
            cost: interval.saturating_mul(u64::from(take.cost)),
        }
    }

    /// The new timestamp. An error is the number of milliseconds until the take would
    /// succeed.
    fn take(&self, full_at: u64, now: u64) -> Result<u64, u64> {
        let after = full_at
            .clamp(now, now.saturating_add(self.whole))
            .saturating_add(self.cost);
        let over = (after - now).saturating_sub(self.whole);
        if over == 0 {
            Ok(after)
        } else {
            Err(over.div_ceil(NANOS_PER_MS))
        }
    }

    fn taken(&self, after: u64, now: u64) -> TakeOutcome {
        let missing = after - now;
        TakeOutcome::Taken {
            remaining: (self.whole - missing) / self.interval,
            reset_ms: missing.div_ceil(NANOS_PER_MS),
        }
    }
}

#[cfg(test)]
mod tests;
