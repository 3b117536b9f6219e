//! A circuit breaker: suspends a policy that keeps failing. All workers share one
//! state.
//!
//! Traps, exceeded deadlines and exceeded memory limits count as failures: each
//! discards an instance. Returned errors and invalid verdicts do not count.
//!
//! One client must not be able to suspend a policy for the others. So the breaker opens
//! only if calls failed for at least `clients` different clients `within` a period, and
//! if at least half of the calls in it failed. Then no call is made for a `pause`. After
//! that calls are made again and counted from the start: if one of them were a probe that
//! decides, the client that it belongs to would decide for all. Verdicts from the memo
//! are used while the breaker is open.
//!
//! Time is an argument, in milliseconds of the proxy's clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::client::ClientKey;

/// When a policy is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BreakerOptions {
    /// The number of clients whose calls must have failed. 0: it is never suspended.
    pub clients: u32,
    /// The period in which failures are counted.
    pub within: Duration,
    /// How long no call is made.
    pub pause: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            clients: 5,
            within: Duration::from_secs(10),
            pause: Duration::from_secs(5),
        }
    }
}

/// The state of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// No call is made.
    Open {
        /// Milliseconds until calls are made again.
        for_ms: u64,
    },
}

#[derive(Debug)]
pub(crate) struct Breaker {
    options: BreakerOptions,
    /// The time in milliseconds from which calls are made. Relaxed reads suffice: one
    /// call too many or too few is harmless.
    open_until: AtomicU64,
    /// Calls since the last turn.
    calls: AtomicU64,
    /// When the next turn is due.
    turn_ms: AtomicU64,
    recent: Mutex<Recent>,
}

/// The failures of the last period. The numbers are those since the last turn and those
/// between the last two turns. They are taken together in proportion to how much of the
/// latter lies within the period, which needs no list of calls.
#[derive(Debug, Default)]
struct Recent {
    turned_ms: u64,
    failures: u64,
    /// Calls and failures between the last two turns.
    before: (u64, u64),
    /// Clients whose calls failed, with the time of the last failure, in its order. At
    /// most as many as open the breaker.
    clients: Vec<(ClientKey, u64)>,
}

impl Breaker {
    pub(crate) fn new(options: BreakerOptions) -> Self {
        Self {
            open_until: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            turn_ms: AtomicU64::new(millis(options.within)),
            options,
            recent: Mutex::default(),
        }
    }

    /// Whether calls are made.
    pub(crate) fn admits(&self, now_ms: u64) -> bool {
        now_ms >= self.open_until.load(Ordering::Relaxed)
    }

    /// Counts a call that did not fail.
    pub(crate) fn succeeded(&self, now_ms: u64) {
        if now_ms >= self.turn_ms.load(Ordering::Relaxed) {
            self.turn_if_due(&mut self.recent(), now_ms);
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that failed and discarded the instance. True if this opened the
    /// breaker.
    pub(crate) fn failed(&self, client: ClientKey, now_ms: u64) -> bool {
        let needed = usize::try_from(self.options.clients).unwrap_or(usize::MAX);
        // A call that began before the breaker opened on another worker says nothing new.
        if needed == 0 || !self.admits(now_ms) {
            return false;
        }
        let mut recent = self.recent();
        self.turn_if_due(&mut recent, now_ms);
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        recent.failures += 1;
        let within_ms = millis(self.options.within);
        recent.remember(client, now_ms, within_ms, needed);
        let left_ms = within_ms.saturating_sub(now_ms.saturating_sub(recent.turned_ms));
        let (calls_before, failures_before) = recent.before;
        let of_before = |count: u64| count.saturating_mul(left_ms) / within_ms.max(1);
        let calls = calls + of_before(calls_before);
        let failures = recent.failures + of_before(failures_before);
        if recent.clients.len() < needed || failures.saturating_mul(2) < calls {
            return false;
        }
        self.open(&mut recent, now_ms);
        true
    }

    /// How long no call is made after it opens.
    pub(crate) fn pause(&self) -> Duration {
        self.options.pause
    }

    pub(crate) fn state(&self, now_ms: u64) -> BreakerState {
        let until = self.open_until.load(Ordering::Relaxed);
        match until.saturating_sub(now_ms) {
            0 => BreakerState::Closed,
            for_ms => BreakerState::Open { for_ms },
        }
    }

    fn open(&self, recent: &mut Recent, now_ms: u64) {
        let until = now_ms.saturating_add(millis(self.options.pause));
        // Counted from the start when calls are made again.
        *recent = Recent {
            turned_ms: until,
            ..Recent::default()
        };
        self.calls.store(0, Ordering::Relaxed);
        let turn = until.saturating_add(millis(self.options.within));
        self.turn_ms.store(turn, Ordering::Relaxed);
        self.open_until.store(until, Ordering::Relaxed);
    }

    /// Once in a period the numbers begin anew, and those so far become those before.
    fn turn_if_due(&self, recent: &mut Recent, now_ms: u64) {
        let within_ms = millis(self.options.within).max(1);
        let periods = now_ms.saturating_sub(recent.turned_ms) / within_ms;
        if periods == 0 {
            return;
        }
        let calls = self.calls.swap(0, Ordering::Relaxed);
        let failures = std::mem::take(&mut recent.failures);
        // What was longer ago is of no interest.
        recent.before = if periods == 1 {
            (calls, failures)
        } else {
            (0, 0)
        };
        recent.turned_ms += periods * within_ms;
        let turn = recent.turned_ms.saturating_add(within_ms);
        self.turn_ms.store(turn, Ordering::Relaxed);
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn remember(&mut self, client: ClientKey, now_ms: u64, within_ms: u64, most: usize) {
        let oldest = now_ms.saturating_sub(within_ms);
        self.clients
            .retain(|(known, at)| *known != client && *at >= oldest);
        self.clients.push((client, now_ms));
        let excess = self.clients.len().saturating_sub(most);
        self.clients.drain(..excess);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn breaker() -> Breaker {
        Breaker::new(BreakerOptions::default())
    }

    fn client(number: u32) -> ClientKey {
        std::net::IpAddr::from(Ipv4Addr::from(number)).into()
    }

    /// Each row: when calls of different clients fail, in milliseconds, and whether the
    /// last one opens the breaker.
    #[test]
    fn opens_after_failures_of_five_clients_within_ten_seconds() {
        let table: &[(&[u64], bool)] = &[
            (&[0, 1, 2, 3], false),
            (&[0, 1, 2, 3, 4], true),
            (&[0, 1, 2, 3, 10_000], true),
            (&[0, 1, 2, 3, 10_001], false),
            (&[0, 5_000, 10_000, 15_000, 20_000, 25_000], false),
        ];
        for (moments, opens) in table {
            let breaker = breaker();
            let opened = moments
                .iter()
                .zip(0..)
                .fold(false, |_, (&at, number)| breaker.failed(client(number), at));
            assert_eq!(opened, *opens, "{moments:?}");
        }
    }

    #[test]
    fn few_clients_do_not_open_it_however_often_they_fail() {
        let breaker = breaker();
        assert!((0..10_000).all(|at| !breaker.failed(client(at % 4), at.into())));
        assert_eq!(breaker.recent().clients.len(), 4);
    }

    /// Each row: how many calls succeed before each failure, and whether the breaker
    /// opens within 40 seconds.
    #[test]
    fn opens_only_if_half_of_the_calls_fail() {
        for (between, opens) in [(0, true), (1, true), (2, false), (20, false)] {
            let breaker = breaker();
            let opened = (0..400).any(|number| {
                let now_ms = u64::from(number) * 100;
                (0..between).for_each(|_| breaker.succeeded(now_ms));
                breaker.failed(client(number), now_ms)
            });
            assert_eq!(opened, opens, "{between}");
        }
    }

    /// The calls of the last period count even if none of them failed, and those of long
    /// ago do not.
    #[test]
    fn calls_are_counted_before_the_first_failure() {
        let fails = |now_ms| {
            let breaker = breaker();
            for at in 0..20_000 {
                breaker.succeeded(at);
            }
            (0..8).any(|number| breaker.failed(client(number), now_ms))
        };
        assert!(!fails(20_001));
        assert!(!fails(27_000));
        assert!(fails(40_000));
    }

    #[test]
    fn after_the_pause_calls_count_from_the_start() {
        let breaker = breaker();
        for number in 0..5 {
            breaker.failed(client(number), 1_000);
        }
        assert!(!breaker.admits(5_999));
        assert_eq!(breaker.state(5_999), BreakerState::Open { for_ms: 1 });
        assert!(!breaker.failed(client(9), 2_000), "of an earlier call");
        assert!(breaker.admits(6_000));
        assert_eq!(breaker.state(6_000), BreakerState::Closed);
        for number in 0..4 {
            assert!(!breaker.failed(client(number), 6_001), "{number}");
        }
        assert!(breaker.failed(client(4), 6_001));
        assert!(!breaker.admits(6_002));
    }

    #[test]
    fn no_clients_option_never_opens() {
        let breaker = Breaker::new(BreakerOptions {
            clients: 0,
            ..BreakerOptions::default()
        });
        assert!((0..1_000).all(|at| !breaker.failed(client(at), at.into())));
    }
}
