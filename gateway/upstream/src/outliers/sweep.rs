//! What is known about the outliers of an upstream as a whole.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::rule::{ErrorLimits, Outliers};

/// What is watched of all endpoints of an upstream.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// When the interval is over; 0 before the first.
    at_ms: AtomicU64,
    /// How many failures in a row eject an endpoint; 0 if outliers are not looked for. Without
    /// that, ejections from before a reload mean nothing.
    failures: AtomicU32,
    /// Held while it is decided whether one more may be ejected.
    pub(super) deciding: Mutex<()>,
}

impl Sweep {
    /// Outliers are looked for by this rule, or are not any more.
    pub(crate) fn follow(&self, rule: Option<&Outliers>) {
        let failures = rule.map_or(0, |rule| {
            let ErrorLimits {
                connect,
                reset,
                timeout,
                ..
            } = rule.errors;
            let ejecting = [connect, reset, timeout].into_iter().filter(|it| *it > 0);
            ejecting.min().unwrap_or(1)
        });
        if self.failures.load(Relaxed) != failures {
            self.failures.store(failures, Relaxed);
        }
    }

    /// How many failures in a row eject an endpoint; none if outliers are not looked for.
    pub(crate) fn failures(&self) -> Option<u32> {
        Some(self.failures.load(Relaxed)).filter(|failures| *failures > 0)
    }

    /// True for one request after the end of each interval.
    pub(super) fn is_due(&self, now_ms: u64, interval: Duration) -> bool {
        let at_ms = self.at_ms.load(Relaxed);
        if now_ms < at_ms {
            return false;
        }
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX / 2);
        let next_ms = now_ms.saturating_add(interval_ms.max(1));
        let is_claimed = self
            .at_ms
            .compare_exchange(at_ms, next_ms, Relaxed, Relaxed)
            .is_ok();
        is_claimed && at_ms > 0
    }
}
