//! A circuit breaker: suspends a policy that keeps failing. All workers share one
//! state.
//!
//! While the breaker is closed, calls are made. It opens after `failures` failures
//! within a period, and no call is made during a cool-down. Then one call is made as a
//! probe, which closes the breaker or opens it again. The breaker also opens if a
//! policy uses more than its share of a worker's CPU time (`cpu_share`). Verdicts from
//! the memo are used while it is open.
//!
//! Traps, exceeded deadlines and exceeded memory limits count as failures: each
//! discards an instance. Returned errors and invalid verdicts do not count, so that a
//! client whose input makes a policy fail in this way cannot suspend it for everyone.
//!
//! Time is an argument, in milliseconds of the proxy's clock.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// When a policy is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BreakerOptions {
    /// The number of failures that opens the breaker. 0 turns this off.
    pub failures: u32,
    /// The period in which failures are counted.
    pub within: Duration,
    /// How long no call is made.
    pub cool_down: Duration,
    /// The largest share of a worker's time that calls may use, in percent. 100 or more
    /// turns this off.
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

/// The state of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// No call is made.
    Open {
        /// Milliseconds until the next call, which is a probe.
        for_ms: u64,
    },
    /// The next call is a probe, or one is under way.
    HalfOpen,
}

/// Permission to make one call. The result of a probe must be reported; if its permit
/// is dropped without a report, the next call becomes the probe.
#[derive(Debug)]
#[must_use = "the permit of a probe must be held until the call ends"]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    /// The `open_until` that this call is the probe of.
    probe_of: Option<u64>,
}

impl Permit<'_> {
    /// Reports success. A probe closes the breaker, unless it was opened again in the
    /// meantime.
    pub(crate) fn succeeded(self) {
        if let Some(open_until) = self.probe_of {
            let open = &self.breaker.open_until;
            let _ = open.compare_exchange(open_until, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Reports a failure that discards the instance. True if this opened the breaker.
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
    /// 0 while closed, else the time in milliseconds from which a probe may be made.
    /// Relaxed reads suffice: one call too many or too few is harmless.
    open_until: AtomicU64,
    /// Whether a probe is under way. Reset when its [`Permit`] is dropped.
    probing: AtomicBool,
    /// When the last failures happened, in milliseconds.
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

    /// Permission for a call on behalf of a request. `None` while calls are suspended.
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
        // An earlier probe may have ended between the load and the swap. Then its
        // result counts, and this permit is dropped.
        (self.open_until.load(Ordering::Acquire) == open_until).then_some(permit)
    }

    /// Whether the breaker is closed. For calls not made on behalf of a request, which
    /// must not be the probe.
    pub(crate) fn is_closed(&self) -> bool {
        self.open_until.load(Ordering::Relaxed) == 0
    }

    /// Counts a failure of a call that was not a probe. True if this opened the breaker.
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

    /// Opens the breaker at once.
    pub(crate) fn open(&self, now_ms: u64) {
        let until = now_ms.saturating_add(millis(self.options.cool_down)).max(1);
        self.open_until.store(until, Ordering::Release);
    }

    /// How long no call is made after it opens.
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

    /// Each row: when failures happen, in milliseconds, and whether the last one opens
    /// the breaker.
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
    fn a_probe_without_a_report_is_repeated() {
        let breaker = breaker();
        breaker.open(1_000);
        drop(breaker.permit(6_000));
        assert!(!breaker.is_closed());
        assert!(is_probe(&breaker.permit(6_000)));
    }

    /// While a probe is under way, the breaker can open again: because of a call that
    /// began earlier, or because of the CPU time of the probe.
    #[test]
    fn a_probe_does_not_close_a_breaker_that_was_opened_again() {
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
