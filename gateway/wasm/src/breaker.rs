//! Stops asking a policy that keeps failing, one state for all workers.
//!
//! Closed: calls are made. After K failures within T it opens: no call is made
//! for a cool-down. Then one call is let through as a probe; it closes the
//! breaker or opens it again. A policy that ate more than its share of a
//! worker's second (`share`) is suspended by the same door. Answers from the
//! memo need no call and go on while it is open.
//!
//! What counts as a failure: a trap, an overrun, an overgrown memory, which
//! each cost an instance. A returned error or a bad verdict costs one call and
//! does not count, so that a client whose odd input a policy refuses cannot
//! shut the policy for everyone.
//!
//! Time is an argument, in milliseconds of the proxy's clock.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// When a policy is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BreakerOptions {
    /// Failures that open it. 0 turns this reason off.
    pub failures: u32,
    /// The window in which they are counted.
    pub within: Duration,
    /// How long no call is made.
    pub cool_down: Duration,
    /// The most of a worker's CPU second that its calls may take, in percent.
    /// 100 or more turns this reason off.
    pub share_percent: u32,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            within: Duration::from_secs(10),
            cool_down: Duration::from_secs(5),
            share_percent: 50,
        }
    }
}

/// What the breaker does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// No call is made for this many milliseconds more.
    Open {
        /// Milliseconds until a probe.
        for_ms: u64,
    },
    /// The next call is a probe, or one is under way.
    HalfOpen,
}

/// May this call be made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Yes.
    Call,
    /// Yes, and its end decides: report it by [`Breaker::succeeded`] or
    /// [`Breaker::failed`].
    Probe,
    /// No.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    options: BreakerOptions,
    /// 0 while closed, else the moment from which a probe may be made.
    /// Relaxed reads suffice: a call more or less around the edge is no harm.
    open_until: AtomicU64,
    probing: AtomicBool,
    /// The last failures. Locked only on a failure.
    recent: Mutex<VecDeque<u64>>,
}

impl Breaker {
    pub(crate) fn new(options: BreakerOptions) -> Self {
        Self {
            options,
            open_until: AtomicU64::new(0),
            probing: AtomicBool::new(false),
            recent: Mutex::new(VecDeque::new()),
        }
    }

    pub(crate) fn permit(&self, now_ms: u64) -> Permit {
        let open_until = self.open_until.load(Ordering::Relaxed);
        if open_until == 0 {
            return Permit::Call;
        }
        if now_ms < open_until || self.probing.swap(true, Ordering::AcqRel) {
            return Permit::Refused;
        }
        Permit::Probe
    }

    /// A probe ended well.
    pub(crate) fn succeeded(&self) {
        self.open_until.store(0, Ordering::Relaxed);
        self.probing.store(false, Ordering::Release);
    }

    /// A call failed in a way that cost its instance. True if this opened the breaker.
    pub(crate) fn failed(&self, permit: Permit, now_ms: u64) -> bool {
        if permit == Permit::Probe {
            self.open(now_ms);
            return true;
        }
        let needed = usize::try_from(self.options.failures).unwrap_or(usize::MAX);
        if needed == 0 {
            return false;
        }
        let mut recent = self
            .recent
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let oldest = now_ms.saturating_sub(millis(self.options.within));
        while recent.front().is_some_and(|&at| at < oldest) {
            recent.pop_front();
        }
        recent.push_back(now_ms);
        if recent.len() < needed {
            return false;
        }
        recent.clear();
        drop(recent);
        self.open(now_ms);
        true
    }

    /// Opens it at once: the policy ate more than its share.
    pub(crate) fn open(&self, now_ms: u64) {
        let until = now_ms.saturating_add(millis(self.options.cool_down)).max(1);
        self.open_until.store(until, Ordering::Relaxed);
        self.probing.store(false, Ordering::Release);
    }

    pub(crate) fn state(&self, now_ms: u64) -> BreakerState {
        match self.open_until.load(Ordering::Relaxed) {
            0 => BreakerState::Closed,
            until if now_ms < until => BreakerState::Open {
                for_ms: until - now_ms,
            },
            _ => BreakerState::HalfOpen,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerOptions::default())
    }

    /// (moment, what happens, state after it)
    #[test]
    fn opens_after_five_failures_within_ten_seconds() {
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
                .fold(false, |_, &at| breaker.failed(Permit::Call, at));
            assert_eq!(opened, *opens, "{moments:?}");
        }
    }

    #[test]
    fn one_probe_after_the_cool_down_decides() {
        let breaker = breaker();
        breaker.open(1_000);
        assert_eq!(breaker.permit(5_999), Permit::Refused);
        assert_eq!(breaker.state(5_999), BreakerState::Open { for_ms: 1 });
        assert_eq!(breaker.permit(6_000), Permit::Probe);
        assert_eq!(breaker.permit(6_000), Permit::Refused, "only one probe");
        assert!(breaker.failed(Permit::Probe, 6_001));
        assert_eq!(breaker.permit(6_002), Permit::Refused);
        assert_eq!(breaker.permit(11_001), Permit::Probe);
        breaker.succeeded();
        assert_eq!(breaker.permit(11_002), Permit::Call);
        assert_eq!(breaker.state(11_002), BreakerState::Closed);
    }

    #[test]
    fn no_failures_option_never_opens() {
        let breaker = Breaker::new(BreakerOptions {
            failures: 0,
            ..BreakerOptions::default()
        });
        assert!((0..1_000).all(|at| !breaker.failed(Permit::Call, at)));
    }
}
