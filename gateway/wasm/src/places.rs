//! Limits of concurrency: how many exchanges of a policy and key are under way, over all
//! workers.
//!
//! A place is taken for one exchange and given back when its [`Place`] is dropped, so a
//! table holds no more keys than there are exchanges. Keys are hashed with a random key of
//! the process and not stored, as those of the token buckets.

use std::hash::Hasher;
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::fingerprint::process_key;

const SHARDS: usize = 64;

/// The places of all policies. Clones share them.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key: [u8; 16],
    shards: Box<[Shard]>,
}

/// How many places are taken, by the hash of policy, limit and key. Aligned so that no two
/// locks share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<HashMap<u128, u32, ahash::RandomState>>);

/// A place that an exchange has taken. Dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    places: Places,
    id: u128,
}

impl Places {
    /// No place is taken.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            key: process_key(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }))
    }

    /// Takes one of `most` places of this policy, limit and key. `None` if all are taken. The
    /// absent key has other places than the empty key.
    pub fn take(&self, policy: &str, limit: &str, key: Option<&[u8]>, most: u32) -> Option<Place> {
        let id = self.id(policy, limit, key);
        let mut taken = self
            .shard(id)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(id).or_insert(0);
        if *count >= most {
            if *count == 0 {
                taken.remove(&id);
            }
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Place {
            places: self.clone(),
            id,
        })
    }

    /// The number of keys of which places are taken.
    pub fn len(&self) -> usize {
        let shards = self.0.shards.iter();
        shards
            .map(|Shard(taken)| taken.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Whether no place is taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn id(&self, policy: &str, limit: &str, key: Option<&[u8]>) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.0.key);
        // With lengths, so that different names hash different bytes.
        for name in [policy, limit] {
            hasher.write(&(name.len() as u64).to_le_bytes());
            hasher.write(name.as_bytes());
        }
        hasher.write_u8(u8::from(key.is_some()));
        hasher.write(key.unwrap_or_default());
        hasher.finish128().as_u128()
    }

    fn shard(&self, id: u128) -> Option<&Mutex<HashMap<u128, u32, ahash::RandomState>>> {
        let at = usize::try_from(id % SHARDS as u128).ok()?;
        self.0.shards.get(at).map(|Shard(taken)| taken)
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(taken) = self.places.shard(self.id) else {
            return;
        };
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let places = Places::new();
        let first = places.take("a", "", Some(b"ann"), 2);
        let second = places.take("a", "", Some(b"ann"), 2);
        assert!(first.is_some() && second.is_some());
        assert!(places.take("a", "", Some(b"ann"), 2).is_none());
        drop(first);
        let third = places.take("a", "", Some(b"ann"), 2);
        assert!(third.is_some());
        drop((second, third));
        assert!(places.is_empty());
    }

    #[test]
    fn policies_limits_and_keys_have_places_of_their_own() {
        let places = Places::new();
        let taken: Vec<_> = [
            ("a", "b", Some(&b"c"[..])),
            ("ab", "", Some(b"c")),
            ("a", "bc", Some(b"")),
            ("a", "bc", None),
            ("a", "", Some(b"bc")),
        ]
        .into_iter()
        .map(|(policy, limit, key)| places.take(policy, limit, key, 1))
        .collect();
        assert!(taken.iter().all(Option::is_some));
        assert_eq!(places.len(), taken.len());
    }

    #[test]
    fn workers_share_them() {
        let places = Places::new();
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let taken = (0..50).filter_map(|_| places.take("a", "", None, 100));
                        taken.collect::<Vec<_>>()
                    })
                })
                .collect();
            let taken: Vec<_> = threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect();
            taken.len()
        });
        // Those that a thread has taken are given back only at the end.
        assert_eq!(taken, 100);
        assert!(places.is_empty());
    }
}
