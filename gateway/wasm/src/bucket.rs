//! Token buckets, shared by all workers and kept across reloads.
//!
//! Each is a GCRA: one timestamp, the moment at which the bucket will be full
//! again. Exact across workers: a take is one short critical section on one of
//! 64 shards, and nothing waits inside it. A bucket is found by a keyed
//! 128-bit hash (SipHash-2-4-128, a key of its own for each process) of the
//! policy's name, the bucket's name and the key; the key itself is not kept.
//! Two keys that share a bucket would take a collision of 128 bits under a key
//! that nobody sees.
//!
//! **Overflow.** The number of buckets is bounded. When a shard is full, a new
//! key looks at the next few in turn and takes the place of the one that is
//! closest to full: one that is full is forgotten without loss, and otherwise
//! the least is forgiven. So a flood of invented keys, whose buckets are nearly
//! full, pushes out other invented keys and not the exhausted bucket of a
//! client that is being held back; to push that out, one would have to exhaust
//! every other bucket around it first.

use std::hash::Hasher;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::fingerprint::process_key;
use crate::verdict::Take;

const SHARDS: usize = 64;
/// How many buckets a new key looks at when its shard is full.
const EXAMINED: usize = 32;
const NANOS_PER_MS: u64 = 1_000_000;

/// How many buckets there may be.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    /// The most buckets in all, rounded up to a multiple of 64. About 40 bytes each.
    pub capacity: usize,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
        }
    }
}

/// What became of a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeOutcome {
    /// The tokens were there.
    Taken {
        /// Whole tokens left.
        remaining: u64,
        /// Milliseconds until the bucket is full again.
        reset_ms: u64,
    },
    /// They were not, and nothing was taken.
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

/// Padded, so that two shards' locks do not share a cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Table>);

#[derive(Debug)]
struct Table {
    index: HashTable<u32>,
    buckets: Vec<Bucket>,
    capacity: usize,
    /// Where the next search for a place begins.
    hand: usize,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    id: [u64; 2],
    /// When it is full again, in nanoseconds (GCRA's theoretical arrival time).
    full_at: u64,
}

impl Buckets {
    /// Empty; memory is taken as buckets come into use.
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
        // Lengths first, so that no two pairs are written alike.
        hasher.write(&(policy.len() as u64).to_le_bytes());
        hasher.write(policy.as_bytes());
        hasher.write(&(bucket.len() as u64).to_le_bytes());
        hasher.write(bucket.as_bytes());
        BucketName(hasher)
    }

    /// Takes `take.cost` tokens from the bucket of this name and key, if they
    /// are there. An absent key (`None`) has a bucket of its own, apart from the
    /// empty key. `now_ms` is the proxy's monotonic clock.
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
        // The low bits of the first word choose the shard, the second hashes within it.
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

    /// How many buckets are kept now.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|Shard(table)| {
                let table = table.lock().unwrap_or_else(PoisonError::into_inner);
                table.buckets.len()
            })
            .sum()
    }

    /// Whether none is kept.
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
    /// The timestamp of a bucket, made full if it is new.
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

    /// Of the next few, the one that is closest to full.
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

/// The arithmetic of one take, in nanoseconds.
struct Rate {
    /// One token.
    interval: u64,
    /// A whole bucket: `burst + 1` tokens.
    whole: u64,
    /// What this take costs.
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

    /// The new timestamp, or the milliseconds to wait.
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
