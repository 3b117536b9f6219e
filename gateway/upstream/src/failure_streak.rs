//! Tracks whether an endpoint's requests fail, since when and why, for the
//! operator.
//!
//! [`crate::health`] counts failures to eject endpoints. An endpoint that is
//! never ejected, because it is the only one or because `max_fails` is 0, has no
//! such health; it counts as down from a failure until the next success. So does one whose
//! requests all fail, but too seldom for an ejection.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::health::{AttemptOutcome, Change};

/// A streak of failures without a success in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// When the first of them happened, in milliseconds on the caller's clock.
    pub since_ms: u64,
    /// When the last one happened.
    pub last_ms: u64,
    /// How many there were.
    pub count: u32,
    /// The last failure's word, such as `refused`.
    pub why: &'static str,
}

/// The current failure streak of one endpoint, if there is one.
#[derive(Debug, Default)]
pub(crate) struct FailureStreak {
    /// The length of the streak in progress. Read for every request; the mutex is locked only
    /// while requests fail.
    count: AtomicU32,
    run: Mutex<Run>,
}

#[derive(Debug, Default)]
struct Run {
    failing: Option<Failing>,
    /// The word of the last failure, also after a success.
    last_word: Option<&'static str>,
}

impl FailureStreak {
    pub(crate) fn failing(&self) -> Option<Failing> {
        self.run().failing
    }

    /// The failures so far; 0 after a success.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    pub(crate) fn last_word(&self) -> Option<&'static str> {
        self.run().last_word
    }

    /// Records an outcome. Returns that a streak has begun, or that it has ended.
    pub(crate) fn report(&self, outcome: AttemptOutcome, now_ms: u64) -> Option<Change> {
        match outcome {
            AttemptOutcome::Ok if self.count() == 0 => None,
            AttemptOutcome::Ok => {
                let mut run = self.run();
                self.count.store(0, Relaxed);
                run.failing.take().map(|_| Change::Recovered)
            }
            AttemptOutcome::Failed(why) => {
                let mut run = self.run();
                let before = run.failing;
                let count = before.map_or(0, |failing| failing.count).saturating_add(1);
                run.failing = Some(Failing {
                    since_ms: before.map_or(now_ms, |failing| failing.since_ms),
                    last_ms: now_ms,
                    count,
                    why,
                });
                run.last_word = Some(why);
                self.count.store(count, Relaxed);
                before.is_none().then_some(Change::Failing)
            }
        }
    }

    /// Ends the streak if its last failure is at least as old as `silence_ms`.
    pub(crate) fn forgive(&self, silence_ms: u64, now_ms: u64) {
        if self.count() == 0 {
            return;
        }
        let mut run = self.run();
        let is_old = |failing: Failing| now_ms >= failing.last_ms.saturating_add(silence_ms);
        if run.failing.is_some_and(is_old) {
            run.failing = None;
            self.count.store(0, Relaxed);
        }
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: AttemptOutcome = AttemptOutcome::Ok;
    const REFUSED: AttemptOutcome = AttemptOutcome::Failed("refused");
    const RESET: AttemptOutcome = AttemptOutcome::Failed("reset");

    #[test]
    fn a_streak_begins_once_and_ends_once() {
        let streak = FailureStreak::default();
        let failing = |since_ms, last_ms, count, why| {
            Some(Failing {
                since_ms,
                last_ms,
                count,
                why,
            })
        };
        let begins = Some(Change::Failing);
        for (now_ms, outcome, said, state) in [
            (1, OK, None, None),
            (2, REFUSED, begins, failing(2, 2, 1, "refused")),
            (3, RESET, None, failing(2, 3, 2, "reset")),
            (50, REFUSED, None, failing(2, 50, 3, "refused")),
            (51, OK, Some(Change::Recovered), None),
            (52, OK, None, None),
            (53, RESET, begins, failing(53, 53, 1, "reset")),
        ] {
            assert_eq!(streak.report(outcome, now_ms), said, "at {now_ms}");
            assert_eq!(streak.failing(), state, "at {now_ms}");
            assert_eq!(streak.count(), state.map_or(0, |state| state.count));
        }
        assert_eq!(streak.last_word(), Some("reset"));
    }

    #[test]
    fn old_failures_are_forgiven_and_recent_ones_are_not() {
        let streak = FailureStreak::default();
        streak.report(REFUSED, 100);
        streak.forgive(50, 149);
        assert_eq!(streak.count(), 1);
        streak.forgive(50, 150);
        assert_eq!((streak.count(), streak.failing()), (0, None));
        assert_eq!(streak.report(OK, 151), None, "it has ended already");
        assert_eq!(streak.last_word(), Some("refused"));
    }
}
