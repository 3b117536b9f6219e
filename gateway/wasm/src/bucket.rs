//! Token buckets, shared by all workers and kept across reloads.
//!
//! Each bucket uses the GCRA, whose state is one timestamp: the time at which the
//! bucket is full again. Limits are exact across workers: a take locks one of 64
//! shards for a short time. A bucket is found by a keyed 128-bit hash
//! (SipHash-2-4-128 with a random key per process) of the policy's name, the bucket's
//! name and the key. The key itself is not stored. Two keys share a bucket only if
//! their hashes collide, which is negligible.
//!
//! **Overflow.** The number of buckets is limited. Each policy that has buckets is
//! entitled to an equal share of them, and may have more as long as there is room. When
//! there is none, a new bucket of a policy with less than its share replaces one of a
//! policy with more; one of any other policy replaces a bucket of this policy. A flood of
//! invented keys therefore never displaces the buckets of another policy that is within its
//! share. Shares are counted in each shard: keys are spread evenly by their hash, which
//! nobody can predict.
//!
//! Within a policy, the fullest of the next few buckets is replaced, by the part of it
//! that is filled: a bucket of 10 a second and one of 1,000 a day are alike when both are
//! half full. Removing a full bucket has no effect on its client; removing the fullest one
//! returns the fewest tokens. A flood, whose buckets are nearly full, therefore replaces
//! its own buckets, and not the empty bucket of a client that is being limited. To replace
//! that one, a client would first have to empty all buckets around it.
//!
//! A policy is found by its name, so its buckets outlive reloads; when a configuration
//! without it becomes live, they are removed and others get its share.

mod rate;
mod table;

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use siphasher::sip128::{Hasher128, SipHasher24};

use self::rate::{NANOS_PER_MS, Rate};
use self::table::Table;
use crate::fingerprint::process_key;
use crate::verdict::TokenBucket;

const SHARDS: usize = 64;

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
pub struct BucketName {
    hasher: SipHasher24,
    /// The number of the policy.
    policy: usize,
}

/// All token buckets of the process.
#[derive(Debug)]
pub struct Buckets {
    key: [u8; 16],
    shards: Box<[Shard]>,
    policies: RwLock<Policies>,
}

/// Aligned so that no two locks share a cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Table>);

/// The numbers of the policies, which are as small as possible.
#[derive(Debug, Default)]
struct Policies {
    numbers: HashMap<Box<str>, usize>,
    /// Numbers of policies that no longer exist. A request that began before the reload may
    /// still hold one, and then takes from a bucket among those of the policy that has it
    /// now; their ids differ.
    free: Vec<usize>,
}

impl Buckets {
    /// No buckets. Memory is allocated as they come into use.
    pub fn new(options: &BucketOptions) -> Self {
        let each = options.capacity.div_ceil(SHARDS).max(1);
        let shard = |_| Shard(Mutex::new(Table::new(each)));
        Self {
            key: process_key(),
            shards: (0..SHARDS).map(shard).collect(),
            policies: RwLock::default(),
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
        BucketName {
            hasher,
            policy: self.number(policy),
        }
    }

    /// Takes so many tokens from the bucket of this name and key, if it holds as many. The
    /// absent key (`None`) has another bucket than the empty key. `now_ms` is the proxy's
    /// monotonic clock.
    pub fn take(
        &self,
        name: &BucketName,
        key: Option<&[u8]>,
        bucket: &TokenBucket,
        tokens: u32,
        now_ms: u64,
    ) -> TakeOutcome {
        let rate = Rate::new(bucket);
        let now = now_ms.saturating_mul(NANOS_PER_MS);
        let taken = self.with_full_at(name, key, &rate, now, |full_at| {
            rate.take(full_at, tokens, now)
        });
        match taken {
            Some(Ok(after)) => rate.taken(after, now),
            Some(Err(retry_after_ms)) => TakeOutcome::Refused { retry_after_ms },
            None => TakeOutcome::Refused { retry_after_ms: 0 },
        }
    }

    /// Takes so many tokens from the bucket of this name and key, even if it holds fewer: it
    /// then lacks at most `debt` tokens.
    pub fn charge(
        &self,
        name: &BucketName,
        key: Option<&[u8]>,
        bucket: &TokenBucket,
        (tokens, debt): (u32, u32),
        now_ms: u64,
    ) {
        let rate = Rate::new(bucket);
        let now = now_ms.saturating_mul(NANOS_PER_MS);
        self.with_full_at(name, key, &rate, now, |full_at| {
            Ok(rate.charge(full_at, tokens, debt, now))
        });
    }

    /// Replaces the timestamp of a bucket, unless `change` is an error.
    fn with_full_at(
        &self,
        name: &BucketName,
        key: Option<&[u8]>,
        rate: &Rate,
        now: u64,
        change: impl FnOnce(u64) -> Result<u64, u64>,
    ) -> Option<Result<u64, u64>> {
        let id = name.id(key);
        // The low bits of the first word select the shard; the second word is the hash
        // within it.
        let at = usize::try_from(id[0]).unwrap_or(0) % SHARDS;
        let mut table = self.shards.get(at)?.lock();
        let bucket = table.bucket(name.policy, id, rate.whole, now)?;
        let changed = change(bucket.full_at);
        if let Ok(after) = changed {
            bucket.full_at = after;
        }
        Some(changed)
    }

    /// Removes the buckets of all policies but these: they no longer exist. Waits for the
    /// locks of all shards, so it is not called on a worker.
    pub fn keep_only(&self, exists: impl Fn(&str) -> bool) {
        let mut policies = self
            .policies
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let Policies { numbers, free } = &mut *policies;
        let gone: Vec<usize> = numbers
            .extract_if(|name, _| !exists(name))
            .map(|(_, number)| number)
            .collect();
        for shard in &self.shards {
            let mut table = shard.lock();
            gone.iter().for_each(|&policy| table.remove(policy));
        }
        free.extend(gone);
    }

    /// The number of buckets.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether there are no buckets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn number(&self, policy: &str) -> usize {
        let known = self.policies.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.numbers.get(policy) {
            return *number;
        }
        drop(known);
        let mut known = self
            .policies
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let Policies { numbers, free } = &mut *known;
        let next = numbers.len() + free.len();
        let number = numbers.entry(policy.into());
        *number.or_insert_with(|| free.pop().unwrap_or(next))
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BucketName {
    fn id(&self, key: Option<&[u8]>) -> [u64; 2] {
        let mut hasher = self.hasher;
        hasher.write_u8(u8::from(key.is_some()));
        hasher.write(key.unwrap_or_default());
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }
}

#[cfg(test)]
mod tests;
