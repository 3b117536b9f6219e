//! The cache of sessions: bounded in bytes and in time.
//!
//! All sessions live equally long, so that the oldest is always the next to
//! expire: a queue in the order of arrival serves both bounds. Being used does
//! not keep a session, and it must not: a session of TLS 1.3 is used once.
//! Caches that learn what is popular would favour what is dead here.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Scope;

/// Session ids of TLS 1.2 and the identities that rustls makes for TLS 1.3 are
/// random and of this length.
type Key = [u8; 32];

/// Shards, each with its own lock and its part of the bytes, so that workers
/// seldom meet.
const SHARDS: usize = 16;

/// The bytes that a session takes besides its value: its two places, in the
/// table and in the queue, with what the allocator adds.
const OVERHEAD: usize = 256;

#[derive(Debug)]
pub(super) struct SessionCache {
    shards: [Mutex<Shard>; SHARDS],
    /// For each shard.
    max_bytes: AtomicUsize,
    lifetime_ms: AtomicU64,
}

#[derive(Default)]
struct Shard {
    sessions: HashMap<Key, Session>,
    /// In the order of arrival, with the number of the session; one that has
    /// been taken out or replaced is no longer in `sessions` with this number.
    order: VecDeque<(Key, u64)>,
    bytes: usize,
    next_number: u64,
}

struct Session {
    number: u64,
    scope: Scope,
    stored: Instant,
    value: Box<[u8]>,
}

impl SessionCache {
    /// A cache that holds nothing until it is resized.
    pub(super) fn new() -> Self {
        Self {
            shards: Default::default(),
            max_bytes: AtomicUsize::new(0),
            lifetime_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn resize(&self, bytes: usize, lifetime: Duration) {
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        self.lifetime_ms.store(lifetime_ms, Ordering::Relaxed);
        self.max_bytes.store(bytes / SHARDS, Ordering::Relaxed);
        for shard in &self.shards {
            lock(shard).shrink(bytes / SHARDS);
        }
    }

    /// False if it was not stored.
    pub(super) fn put(&self, scope: Scope, key: &[u8], value: Vec<u8>, now: Instant) -> bool {
        let max_bytes = self.max_bytes.load(Ordering::Relaxed);
        let Ok(key) = Key::try_from(key) else {
            return false;
        };
        if OVERHEAD + value.len() > max_bytes {
            return false;
        }
        let Some(mut shard) = self.shard(&key) else {
            return false;
        };
        shard.drop_expired(now, self.lifetime());
        // Without the room to grow that rustls leaves.
        shard.insert(key, scope, value.into(), now);
        shard.shrink(max_bytes);
        true
    }

    pub(super) fn get(&self, scope: Scope, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let key = Key::try_from(key).ok()?;
        let shard = self.shard(&key)?;
        let session = shard.sessions.get(&key)?;
        session
            .is_usable(scope, now, self.lifetime())
            .then(|| session.value.to_vec())
    }

    /// As [`SessionCache::get`], and it is gone.
    pub(super) fn take(&self, scope: Scope, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let key = Key::try_from(key).ok()?;
        let mut shard = self.shard(&key)?;
        let session = shard.sessions.get(&key)?;
        // Another scope's session stays for those who may resume it.
        if !session.is_usable(scope, now, self.lifetime()) {
            return None;
        }
        shard.remove(&key).map(Vec::from)
    }

    fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime_ms.load(Ordering::Relaxed))
    }

    /// Keys are random, so that any of their bytes chooses evenly.
    fn shard(&self, key: &Key) -> Option<MutexGuard<'_, Shard>> {
        let [first, ..] = *key;
        self.shards.get(usize::from(first) % SHARDS).map(lock)
    }
}

impl Shard {
    fn insert(&mut self, key: Key, scope: Scope, value: Box<[u8]>, now: Instant) {
        self.remove(&key);
        let number = self.next_number;
        self.next_number += 1;
        self.bytes += OVERHEAD + value.len();
        self.order.push_back((key, number));
        let session = Session {
            number,
            scope,
            stored: now,
            value,
        };
        self.sessions.insert(key, session);
        self.tidy();
    }

    fn remove(&mut self, key: &Key) -> Option<Box<[u8]>> {
        let session = self.sessions.remove(key)?;
        self.bytes = self.bytes.saturating_sub(OVERHEAD + session.value.len());
        Some(session.value)
    }

    fn drop_expired(&mut self, now: Instant, lifetime: Duration) {
        while let Some((key, number)) = self.order.front().copied() {
            let current = self.sessions.get(&key);
            match current.filter(|session| session.number == number) {
                Some(session) if !session.is_expired(now, lifetime) => return,
                Some(_) => {
                    self.remove(&key);
                }
                None => {}
            }
            self.order.pop_front();
        }
    }

    /// Drops the oldest until the rest fits.
    fn shrink(&mut self, max_bytes: usize) {
        while self.bytes > max_bytes {
            let Some((key, number)) = self.order.pop_front() else {
                return;
            };
            if self.is_current(&key, number) {
                self.remove(&key);
            }
        }
    }

    /// Forgets the places of sessions that are gone once they are the greater
    /// part of the queue, so that it stays in proportion.
    fn tidy(&mut self) {
        if self.order.len() > 2 * self.sessions.len() + 16 {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(key, number)| self.is_current(key, *number));
            self.order = order;
        }
    }

    fn is_current(&self, key: &Key, number: u64) -> bool {
        let session = self.sessions.get(key);
        session.is_some_and(|session| session.number == number)
    }
}

impl Session {
    fn is_usable(&self, scope: Scope, now: Instant, lifetime: Duration) -> bool {
        self.scope == scope && !self.is_expired(now, lifetime)
    }

    fn is_expired(&self, now: Instant, lifetime: Duration) -> bool {
        now.saturating_duration_since(self.stored) >= lifetime
    }
}

/// Nothing panics while a shard is locked, and a shard is whole at any time.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells no secrets.
impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard")
            .field("sessions", &self.sessions.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const ONE: Scope = [1; 32];
    const OTHER: Scope = [2; 32];

    /// All in one shard.
    fn key(number: u8) -> Key {
        let mut key = [0; 32];
        key[31] = number;
        key
    }

    fn cache(sessions: usize) -> SessionCache {
        let cache = SessionCache::new();
        cache.resize(sessions * (OVERHEAD + 100) * SHARDS, HOUR);
        cache
    }

    fn put(cache: &SessionCache, number: u8, now: Instant) -> bool {
        cache.put(ONE, &key(number), vec![number; 100], now)
    }

    #[test]
    fn a_session_is_read_many_times_and_taken_once() {
        let (cache, now) = (cache(4), Instant::now());
        assert!(put(&cache, 1, now));
        assert_eq!(cache.get(ONE, &key(1), now), Some(vec![1; 100]));
        assert_eq!(cache.get(ONE, &key(1), now), Some(vec![1; 100]));
        assert_eq!(cache.take(ONE, &key(1), now), Some(vec![1; 100]));
        assert_eq!(cache.take(ONE, &key(1), now), None);
        assert_eq!(cache.get(ONE, &key(1), now), None);
    }

    #[test]
    fn another_scope_neither_sees_a_session_nor_takes_it_away() {
        let (cache, now) = (cache(4), Instant::now());
        put(&cache, 1, now);
        assert_eq!(cache.get(OTHER, &key(1), now), None);
        assert_eq!(cache.take(OTHER, &key(1), now), None);
        assert!(cache.get(ONE, &key(1), now).is_some());
    }

    #[test]
    fn sessions_expire() {
        let (cache, now) = (cache(4), Instant::now());
        put(&cache, 1, now);
        let late = now + HOUR;
        assert!(
            cache
                .get(ONE, &key(1), late - Duration::from_millis(1))
                .is_some()
        );
        assert_eq!(cache.get(ONE, &key(1), late), None);
        assert_eq!(cache.take(ONE, &key(1), late), None);
        // The next to come clears it away.
        put(&cache, 2, late);
        assert_eq!(lock(&cache.shards[0]).sessions.len(), 1);
    }

    #[test]
    fn the_oldest_gives_way() {
        let (cache, now) = (cache(3), Instant::now());
        for number in 1..=4 {
            assert!(put(&cache, number, now));
        }
        assert_eq!(cache.get(ONE, &key(1), now), None);
        for number in 2..=4 {
            assert!(cache.get(ONE, &key(number), now).is_some());
        }
        cache.resize((OVERHEAD + 100) * SHARDS, HOUR);
        assert_eq!(cache.get(ONE, &key(3), now), None);
        assert!(cache.get(ONE, &key(4), now).is_some());
        cache.resize(0, HOUR);
        assert_eq!(cache.get(ONE, &key(4), now), None);
        assert!(!put(&cache, 5, now));
    }

    #[test]
    fn a_replaced_session_counts_once_and_is_the_youngest() {
        let (cache, now) = (cache(2), Instant::now());
        put(&cache, 1, now);
        put(&cache, 2, now);
        put(&cache, 1, now);
        put(&cache, 3, now);
        assert!(cache.get(ONE, &key(1), now).is_some());
        assert_eq!(cache.get(ONE, &key(2), now), None);
        assert_eq!(lock(&cache.shards[0]).bytes, 2 * (OVERHEAD + 100));
    }

    #[test]
    fn the_queue_stays_in_proportion_to_the_sessions() {
        let (cache, now) = (cache(100), Instant::now());
        put(&cache, 0, now);
        for _ in 0..1000 {
            put(&cache, 1, now);
            cache.take(ONE, &key(1), now);
        }
        let shard = lock(&cache.shards[0]);
        assert!(shard.order.len() <= 20, "{}", shard.order.len());
        assert_eq!(shard.bytes, OVERHEAD + 100);
    }

    #[test]
    fn keys_of_another_length_are_not_stored() {
        let (cache, now) = (cache(4), Instant::now());
        assert!(!cache.put(ONE, &[1; 16], vec![1], now));
        assert_eq!(cache.get(ONE, &[1; 16], now), None);
    }
}
