//! Which failures of a policy are logged: the first one at once, then at most a
//! line a second, for all workers together. What is left out is counted, and
//! said with the next line or by a summary when the second is over.
//!
//! Time is an argument, in milliseconds of the proxy's clock.

use std::sync::{Mutex, PoisonError};

/// Milliseconds between two lines about one policy.
pub(crate) const INTERVAL_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub(crate) struct FailureLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the last line was written.
    written_ms: Option<u64>,
    /// Failures since then without a line.
    unreported: u64,
    /// Somebody is going to ask for the summary.
    summary_is_due: bool,
}

impl FailureLog {
    /// Takes in a failure. `Some` if it is to be logged now, with the number of
    /// earlier ones that were not.
    pub(crate) fn admit(&self, now_ms: u64) -> Option<u64> {
        let mut state = self.state();
        let is_early = state
            .written_ms
            .is_some_and(|written| now_ms < written.saturating_add(INTERVAL_MS));
        if is_early {
            state.unreported += 1;
            return None;
        }
        state.written_ms = Some(now_ms);
        Some(std::mem::take(&mut state.unreported))
    }

    /// True for one caller after failures were left out: it is to ask for the
    /// [`summary`](Self::summary) in a second.
    pub(crate) fn claim_summary(&self) -> bool {
        let mut state = self.state();
        let is_mine = state.unreported > 0 && !state.summary_is_due;
        state.summary_is_due |= is_mine;
        is_mine
    }

    /// How many failures no line has told of. 0 if a line has done so meanwhile.
    pub(crate) fn summary(&self, now_ms: u64) -> u64 {
        let mut state = self.state();
        state.summary_is_due = false;
        if state.unreported > 0 {
            state.written_ms = Some(now_ms);
        }
        std::mem::take(&mut state.unreported)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_at_once_then_one_line_a_second_with_the_count() {
        let log = FailureLog::default();
        assert_eq!(log.admit(5_000), Some(0));
        assert!(!log.claim_summary(), "nothing was left out");
        assert_eq!(log.admit(5_000), None);
        assert!(log.claim_summary());
        assert_eq!(log.admit(5_999), None);
        assert!(!log.claim_summary(), "one summary is due already");
        assert_eq!(log.admit(6_000), Some(2));
        assert_eq!(log.summary(6_001), 0, "the line has said it");
        assert_eq!(log.admit(6_500), None);
        assert!(log.claim_summary());
        assert_eq!(log.summary(7_500), 1);
        assert_eq!(log.admit(8_000), None, "the summary was a line");
    }
}
