//! Limits the log lines about failures of a policy: the first failure is logged at once,
//! then at most one line in an interval for all workers together. The failures in between
//! are counted; their number is logged with the next line, or by a summary after an
//! interval.
//!
//! Time is an argument, in milliseconds of the proxy's clock.

use std::sync::{Mutex, PoisonError};

/// The shortest time between two lines about failed calls of one policy, in milliseconds.
pub(crate) const INTERVAL_MS: u64 = 1_000;
/// The same about calls that were not made.
pub(crate) const SHED_INTERVAL_MS: u64 = 10_000;

#[derive(Debug)]
pub(crate) struct FailureLog {
    interval_ms: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the last line was written.
    written_ms: Option<u64>,
    /// The number of failures since then.
    unreported: u64,
    /// Whether a caller has undertaken to log the summary.
    summary_is_due: bool,
}

impl FailureLog {
    pub(crate) fn new(interval_ms: u64) -> Self {
        Self {
            interval_ms,
            state: Mutex::default(),
        }
    }

    /// Records a failure. `Some` if it is to be logged now, with the number of earlier
    /// ones that were not logged.
    pub(crate) fn admit(&self, now_ms: u64) -> Option<u64> {
        let mut state = self.state();
        let is_early = state
            .written_ms
            .is_some_and(|written| now_ms < written.saturating_add(self.interval_ms));
        if is_early {
            state.unreported += 1;
            return None;
        }
        state.written_ms = Some(now_ms);
        Some(std::mem::take(&mut state.unreported))
    }

    /// True for one caller after failures that were not logged: it must log the
    /// [`summary`](Self::summary) after an interval.
    pub(crate) fn claim_summary(&self) -> bool {
        let mut state = self.state();
        let is_mine = state.unreported > 0 && !state.summary_is_due;
        state.summary_is_due |= is_mine;
        is_mine
    }

    /// The number of failures not logged yet. 0 if a line has reported them meanwhile.
    pub(crate) fn summary(&self, now_ms: u64) -> u64 {
        let mut state = self.state();
        state.summary_is_due = false;
        if state.unreported > 0 {
            state.written_ms = Some(now_ms);
        }
        std::mem::take(&mut state.unreported)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_at_once_then_one_line_a_second_with_the_count() {
        let log = FailureLog::new(INTERVAL_MS);
        assert_eq!(log.admit(5_000), Some(0));
        assert!(!log.claim_summary(), "all failures were logged");
        assert_eq!(log.admit(5_000), None);
        assert!(log.claim_summary());
        assert_eq!(log.admit(5_999), None);
        assert!(!log.claim_summary(), "one summary is due already");
        assert_eq!(log.admit(6_000), Some(2));
        assert_eq!(log.summary(6_001), 0, "the line reported them");
        assert_eq!(log.admit(6_500), None);
        assert!(log.claim_summary());
        assert_eq!(log.summary(7_500), 1);
        assert_eq!(log.admit(8_000), None, "the summary was a line");
    }
}
