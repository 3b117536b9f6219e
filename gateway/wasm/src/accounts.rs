//! The CPU time that clients have recently used of one policy on one worker.
//!
//! What a client has used decays by half each second. So a client that uses a constant
//! share of the time has an account of [`SECONDS_KEPT`] times that share.
//!
//! **Memory.** The table has a fixed size and is allocated at the first charge. A client
//! is hashed, by a key that no client knows, to a set of eight accounts. If it has none of
//! them, what it used is first taken off the lightest account of the set, and only the
//! rest is its own. This is the summary of Misra and Gries, which keeps two promises:
//! - An account never shows more than its client has used. No client is taken for a
//!   heavier one.
//! - A client that uses more than a ninth of the time of its set has an account for as
//!   long as it does, however many others come and go: a flood of addresses wears off the
//!   light accounts, and neither grows the table nor drives out the heavy ones.

use std::time::Duration;

use crate::client::ClientKey;

const SETS: usize = 32;
const WAYS: usize = 8;
/// After this time all accounts are written anew, so that their scale stays a number.
const REBASE_MS: u64 = 500_000;

/// The sum of a constant share over all past seconds, each of which counts half of the
/// next.
pub(crate) const SECONDS_KEPT: f64 = std::f64::consts::LOG2_E;

#[derive(Debug)]
pub(crate) struct Accounts {
    hasher: ahash::RandomState,
    /// Empty before the first charge.
    sets: Box<[[Account; WAYS]]>,
    /// The time at which an account is worth its balance. Later, balances are worth less.
    base_ms: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    client: ClientKey,
    /// Seconds of CPU time at the time `base_ms`. Instead of letting all balances decay,
    /// what is added later is scaled up.
    balance: f64,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self {
            hasher: ahash::RandomState::new(),
            sets: Box::default(),
            base_ms: 0,
        }
    }

    /// What the client has recently used, in seconds.
    pub(crate) fn used(&self, client: ClientKey, now_ms: u64) -> f64 {
        let set = self.sets.get(self.set_of(client));
        let account = set
            .into_iter()
            .flatten()
            .find(|account| account.client == client);
        account.map_or(0.0, |account| account.balance / self.scale(now_ms))
    }

    /// Adds to what the client has used.
    pub(crate) fn charge(&mut self, client: ClientKey, cost: Duration, now_ms: u64) {
        if self.sets.is_empty() {
            self.sets = vec![[Account::default(); WAYS]; SETS].into();
            self.base_ms = now_ms;
        } else if now_ms.saturating_sub(self.base_ms) >= REBASE_MS {
            self.rebase(now_ms);
        }
        let amount = cost.as_secs_f64() * self.scale(now_ms);
        let place = self.set_of(client);
        let Some(set) = self.sets.get_mut(place) else {
            return;
        };
        if let Some(own) = set.iter_mut().find(|account| account.client == client) {
            own.balance += amount;
            return;
        }
        let lightest = set
            .iter_mut()
            .min_by(|one, other| one.balance.total_cmp(&other.balance));
        let Some(lightest) = lightest else {
            return;
        };
        lightest.balance -= amount;
        if lightest.balance < 0.0 {
            *lightest = Account {
                client,
                balance: -lightest.balance,
            };
        }
    }

    fn rebase(&mut self, now_ms: u64) {
        let scale = self.scale(now_ms);
        for account in self.sets.iter_mut().flatten() {
            account.balance /= scale;
        }
        self.base_ms = now_ms;
    }

    /// By how much a second of CPU time at `now_ms` counts more than one at `base_ms`.
    fn scale(&self, now_ms: u64) -> f64 {
        let since = now_ms.saturating_sub(self.base_ms);
        Duration::from_millis(since).as_secs_f64().exp2()
    }

    fn set_of(&self, client: ClientKey) -> usize {
        self.hasher.hash_one(client) as usize % SETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const MS: Duration = Duration::from_millis(1);

    fn client(number: u32) -> ClientKey {
        std::net::IpAddr::from(Ipv4Addr::from(number)).into()
    }

    fn is_near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= expected.abs() * 0.01
    }

    #[test]
    fn half_is_left_after_a_second() {
        let mut accounts = Accounts::new();
        assert_eq!(accounts.used(client(1), 7), 0.0);
        accounts.charge(client(1), 8 * MS, 5_000);
        for (now_ms, expected) in [(5_000, 0.008), (6_000, 0.004), (8_000, 0.001)] {
            assert!(is_near(accounts.used(client(1), now_ms), expected));
        }
        accounts.charge(client(1), 8 * MS, 6_000);
        assert!(is_near(accounts.used(client(1), 6_000), 0.012));
        assert_eq!(accounts.used(client(2), 6_000), 0.0);
    }

    #[test]
    fn a_constant_share_has_a_constant_account() {
        let mut accounts = Accounts::new();
        // For longer than a scale lasts.
        for now_ms in 0..2 * REBASE_MS / 10 {
            accounts.charge(client(1), MS, now_ms * 10);
        }
        let used = accounts.used(client(1), 2 * REBASE_MS);
        assert!(is_near(used, 0.1 * SECONDS_KEPT), "{used}");
        assert_eq!(accounts.used(client(1), u64::MAX), 0.0);
        accounts.charge(client(1), MS, u64::MAX);
        assert!(is_near(accounts.used(client(1), u64::MAX), 0.001));
    }

    /// Forty thousand new addresses a second beside one that uses 5 % of the time.
    #[test]
    fn a_flood_of_addresses_does_not_drive_out_a_heavy_client() {
        let mut accounts = Accounts::new();
        let heavy = client(0);
        let mut next = 1;
        for now_ms in 0..10_000 {
            accounts.charge(heavy, MS / 20, now_ms);
            for _ in 0..40 {
                accounts.charge(client(next), MS / 100, now_ms);
                next += 1;
            }
        }
        let used = accounts.used(heavy, 10_000);
        assert!(used > 0.04 * SECONDS_KEPT, "{used}");
        assert_eq!(accounts.sets.len(), SETS);
    }

    #[test]
    fn no_account_shows_more_than_was_used() {
        let mut accounts = Accounts::new();
        for number in 0..100_000 {
            accounts.charge(client(number), MS, 0);
        }
        let of = |number| accounts.used(client(number), 0);
        assert!((0..100_000).map(of).all(|used| used <= 0.001));
    }
}
