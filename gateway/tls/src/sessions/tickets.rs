//! Tickets (RFC 5077): sessions that the client keeps, encrypted by a key that
//! the gateway alone has, and changes.
//!
//! A ticket is the id of its key, a nonce, and the session encrypted with
//! AES-256-GCM-SIV, which stays safe should a random nonce ever repeat
//! (RFC 8452). The scope is authenticated with it, so that one pair of keys
//! serves all scopes, and a ticket of one fails in every other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use super::Scope;

const ID_LEN: usize = 8;

/// A ticket lives for at most two rotations, and for at most seven days
/// (RFC 8446, section 4.6.1).
const MAX_ROTATION_S: u64 = 7 * 24 * 60 * 60 / 2;

/// The present key and the one before, which only opens.
#[derive(Debug)]
pub(super) struct TicketKeys {
    pair: RwLock<Pair>,
    rotation_s: AtomicU64,
}

#[derive(Debug)]
struct Pair {
    current: Key,
    previous: Option<Key>,
    /// When `current` was made, in seconds since 1970.
    made: u64,
}

struct Key {
    id: [u8; ID_LEN],
    cipher: RandomizedNonceKey,
}

impl TicketKeys {
    /// None if there are no random numbers. `now` is in seconds since 1970, as
    /// everywhere here.
    pub(super) fn new(now: u64) -> Option<Self> {
        let pair = Pair {
            current: Key::random()?,
            previous: None,
            made: now,
        };
        Some(Self {
            pair: RwLock::new(pair),
            rotation_s: AtomicU64::new(MAX_ROTATION_S),
        })
    }

    pub(super) fn set_rotation(&self, rotation: Duration) {
        let seconds = rotation.as_secs().clamp(1, MAX_ROTATION_S);
        self.rotation_s.store(seconds, Ordering::Relaxed);
    }

    /// How long a client may keep a ticket, in seconds.
    pub(super) fn lifetime(&self) -> u32 {
        let rotation = self.rotation_s.load(Ordering::Relaxed);
        u32::try_from(2 * rotation).unwrap_or(u32::MAX)
    }

    /// A ticket; none if the system has no random numbers.
    pub(super) fn seal(&self, scope: Scope, plain: &[u8], now: u64) -> Option<Vec<u8>> {
        self.rotate(now)?;
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        pair.current.seal(scope, plain)
    }

    /// The session of a ticket; none if it is too old, of another scope, or not
    /// one of ours.
    pub(super) fn open(&self, scope: Scope, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        self.rotate(now)?;
        let (id, rest) = ticket.split_at_checked(ID_LEN)?;
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        let keys = [Some(&pair.current), pair.previous.as_ref()];
        let key = keys.into_iter().flatten().find(|key| key.id == id)?;
        key.open(scope, rest)
    }

    /// Changes the key if it is time. None if that needs random numbers and
    /// there are none.
    fn rotate(&self, now: u64) -> Option<()> {
        let rotation = self.rotation_s.load(Ordering::Relaxed);
        let is_due = |pair: &Pair| now.saturating_sub(pair.made) >= rotation;
        if !is_due(&self.pair.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(());
        }
        let next = Key::random()?;
        let mut pair = self.pair.write().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have been faster.
        if is_due(&pair) {
            // A key that nobody replaced in time has outlived its tickets.
            let is_stale = now.saturating_sub(pair.made) >= 2 * rotation;
            let current = std::mem::replace(&mut pair.current, next);
            pair.previous = (!is_stale).then_some(current);
            pair.made = now;
        }
        Some(())
    }
}

impl Key {
    fn random() -> Option<Self> {
        let mut id = [0; ID_LEN];
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut id).ok()?;
        aws_lc_rs::rand::fill(&mut secret).ok()?;
        let cipher = RandomizedNonceKey::new(&AES_256_GCM_SIV, &secret).ok()?;
        Some(Self { id, cipher })
    }

    fn seal(&self, scope: Scope, plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .cipher
            .seal_in_place_append_tag(Aad::from(scope), &mut sealed)
            .ok()?;
        let mut ticket = Vec::with_capacity(ID_LEN + NONCE_LEN + sealed.len());
        ticket.extend(self.id);
        ticket.extend(nonce.as_ref());
        ticket.extend(sealed);
        Some(ticket)
    }

    fn open(&self, scope: Scope, rest: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .cipher
            .open_in_place(nonce, Aad::from(scope), &mut sealed)
            .ok()?;
        Some(plain.to_vec())
    }
}

/// Tells no secrets.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Scope = [1; 32];
    const OTHER: Scope = [2; 32];
    const HOUR: u64 = 60 * 60;

    fn keys() -> TicketKeys {
        let keys = TicketKeys::new(0).unwrap();
        keys.set_rotation(Duration::from_hours(1));
        keys
    }

    #[test]
    fn a_ticket_opens_in_its_scope_only() {
        let keys = keys();
        let ticket = keys.seal(ONE, b"session", 0).unwrap();
        assert_eq!(keys.open(ONE, &ticket, 0).unwrap(), b"session");
        assert_eq!(keys.open(OTHER, &ticket, 0), None);
        assert_ne!(keys.seal(ONE, b"session", 0).unwrap(), ticket);
    }

    #[test]
    fn what_is_not_a_ticket_does_not_open() {
        let keys = keys();
        let ticket = keys.seal(ONE, b"session", 0).unwrap();
        for place in 0..ticket.len() {
            assert_eq!(keys.open(ONE, &ticket[..place], 0), None);
            let mut changed = ticket.clone();
            changed[place] ^= 1;
            assert_eq!(keys.open(ONE, &changed, 0), None);
        }
        assert_eq!(self::keys().open(ONE, &ticket, 0), None);
    }

    #[test]
    fn the_key_changes_and_the_previous_one_still_opens() {
        let keys = keys();
        let first = keys.seal(ONE, b"first", HOUR - 1).unwrap();
        let second = keys.seal(ONE, b"second", HOUR).unwrap();
        assert_ne!(first[..ID_LEN], second[..ID_LEN]);
        assert_eq!(keys.open(ONE, &first, 2 * HOUR - 1).unwrap(), b"first");
        assert_eq!(keys.open(ONE, &first, 2 * HOUR), None);
        assert_eq!(keys.open(ONE, &second, 2 * HOUR).unwrap(), b"second");
    }

    #[test]
    fn a_key_that_nobody_used_for_long_does_not_open_what_has_expired() {
        let keys = keys();
        let ticket = keys.seal(ONE, b"session", 0).unwrap();
        assert_eq!(keys.open(ONE, &ticket, 2 * HOUR), None);
    }

    #[test]
    fn a_clock_that_is_set_back_changes_nothing() {
        let keys = TicketKeys::new(10 * HOUR).unwrap();
        let ticket = keys.seal(ONE, b"session", 10 * HOUR).unwrap();
        assert_eq!(keys.open(ONE, &ticket, HOUR).unwrap(), b"session");
    }

    #[test]
    fn no_ticket_lives_for_more_than_seven_days() {
        let keys = keys();
        assert_eq!(keys.lifetime(), 7200);
        keys.set_rotation(Duration::from_hours(1000));
        assert_eq!(keys.lifetime(), 604_800);
    }
}
