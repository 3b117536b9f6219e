//! Stops asking a policy that keeps failing, one state for all workers.
//!
//! Closed: calls are made. After K failures within T it opens: no call is made
//! for a cool-down. Then one call is let through as a probe; it closes the
//! breaker or opens it again. A policy that ate more than its share of a
//! worker's second (`cpu_share`) is suspended in the same way. Verdicts from the
//! memo need no call and are used while it is open.
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

/// Permission to make one call. The result of a probe must be reported; if its permit
/// is dropped without a report, the next call becomes the probe.
#[derive(Debug)]
#[must_use = "dropped at once, a probe is given back before it was made"]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    /// The `open_until` that this call is the probe of.
    probe_of: Option<u64>,
}

impl Permit<'_> {
    /// The call ended well: a probe closes the breaker, unless the breaker was
    /// opened anew in the meantime.
    pub(crate) fn succeeded(self) {
        if let Some(open_until) = self.probe_of {
            let open = &self.breaker.open_until;
            let _ = open.compare_exchange(open_until, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// The call failed in a way that cost its instance. True if this opened the breaker.
    pub(crate) fn failed(self, now_ms: u64) -> bool {
        match self.probe_of {
            Some(_) => {
                self.breaker.open(now_ms);
                true
            }
            None => self.breaker.count_failure(now_ms),
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe_of.is_some() {
            self.breaker.probing.store(false, Ordering::Release);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Breaker {
    options: BreakerOptions,
    /// 0 while closed, else the moment from which a probe may be made.
    /// Relaxed reads suffice: a call more or less around the edge is no harm.
    open_until: AtomicU64,
    /// Whether a probe is under way. Only its [`Permit`] takes this back.
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

    /// Permission for a call that answers a request; `None` while calls are suspended.
    pub(crate) fn permit(&self, now_ms: u64) -> Option<Permit<'_>> {
        let open_until = self.open_until.load(Ordering::Relaxed);
        if open_until == 0 {
            return Some(Permit {
                breaker: self,
                probe_of: None,
            });
        }
        if now_ms < open_until || self.probing.swap(true, Ordering::AcqRel) {
            return None;
        }
        let permit = Permit {
            breaker: self,
            probe_of: Some(open_until),
        };
        // An earlier probe may have ended between the load and the swap. Its result
        // stands, and this permit is returned.
        (self.open_until.load(Ordering::Acquire) == open_until).then_some(permit)
    }

    /// Whether the breaker is closed. For calls that no request waits for: they leave
    /// the probe to a call of a request.
    pub(crate) fn is_closed(&self) -> bool {
        self.open_until.load(Ordering::Relaxed) == 0
    }

    /// Counts a failure of a call that was no probe. True if this opened the breaker.
    pub(crate) fn count_failure(&self, now_ms: u64) -> bool {
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
        self.open_until.store(until, Ordering::Release);
    }

    /// How long no call is made once it opens.
    pub(crate) fn cool_down(&self) -> Duration {
        self.options.cool_down
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
                .fold(false, |_, &at| breaker.count_failure(at));
            assert_eq!(opened, *opens, "{moments:?}");
        }
    }

    fn is_probe(permit: &Option<Permit<'_>>) -> bool {
        permit
            .as_ref()
            .is_some_and(|permit| permit.probe_of.is_some())
    }

    #[test]
    fn one_probe_after_the_cool_down_decides() {
        let breaker = breaker();
        breaker.open(1_000);
        assert!(breaker.permit(5_999).is_none());
        assert_eq!(breaker.state(5_999), BreakerState::Open { for_ms: 1 });
        let probe = breaker.permit(6_000);
        assert!(is_probe(&probe));
        assert!(breaker.permit(6_000).is_none(), "only one probe");
        assert!(probe.unwrap().failed(6_001));
        assert!(breaker.permit(6_002).is_none());
        let probe = breaker.permit(11_001);
        assert!(is_probe(&probe));
        probe.unwrap().succeeded();
        let call = breaker.permit(11_002);
        assert!(call.is_some() && !is_probe(&call));
        assert_eq!(breaker.state(11_002), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_says_nothing_is_given_back() {
        let breaker = breaker();
        breaker.open(1_000);
        drop(breaker.permit(6_000));
        assert!(!breaker.is_closed());
        assert!(is_probe(&breaker.permit(6_000)));
    }

    /// A call that began before it opened fails while a probe is under way, or
    /// the probe itself takes too much time.
    #[test]
    fn a_probe_does_not_close_what_was_opened_anew() {
        let breaker = breaker();
        breaker.open(1_000);
        let probe = breaker.permit(6_000);
        breaker.open(6_001);
        assert!(breaker.permit(11_001).is_none(), "still only one probe");
        probe.unwrap().succeeded();
        assert!(!breaker.is_closed());
        assert!(is_probe(&breaker.permit(11_001)));
    }

    #[test]
    fn no_failures_option_never_opens() {
        let breaker = Breaker::new(BreakerOptions {
            failures: 0,
            ..BreakerOptions::default()
        });
        assert!((0..1_000).all(|at| !breaker.count_failure(at)));
    }
}
