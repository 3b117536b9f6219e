//! Tracks whether an endpoint's requests fail, since when and why, for the
//! operator.
//!
//! [`crate::health`] counts failures to eject endpoints. An endpoint that is
//! never ejected, because it is the only one or because `max_fails` is 0, has no
//! such health; it counts as down from a failure until the next success.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::health::{AttemptOutcome, Change};

/// The shortest time between two messages that the endpoint fails, in
/// milliseconds. An endpoint that fails now and then would otherwise fill the
/// log.
const QUIET_MS: u64 = 10_000;

/// A streak of failures without a success in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// When the first of them happened, in milliseconds on the caller's clock.
    pub since_ms: u64,
    /// The last failure's word, such as `refused`.
    pub why: &'static str,
}

/// The current failure streak of one endpoint, if there is one.
#[derive(Debug, Default)]
pub(crate) struct FailureStreak {
    /// A streak is in progress. Read for every request; the mutex is locked only
    /// while requests fail.
    fails: AtomicBool,
    run: Mutex<Run>,
}

#[derive(Debug, Default)]
struct Run {
    failing: Option<Failing>,
    /// A message was logged for this streak.
    is_logged: bool,
    /// When a message was last logged, for this or an earlier streak.
    logged_ms: Option<u64>,
}

impl FailureStreak {
    pub(crate) fn failing(&self) -> Option<Failing> {
        self.run().failing
    }

    /// Records an outcome. Returns the change to log: once per streak that the
    /// endpoint fails, and, if that was logged, that it has recovered.
    pub(crate) fn report(&self, outcome: AttemptOutcome, now_ms: u64) -> Option<Change> {
        match outcome {
            AttemptOutcome::Ok if !self.fails.load(Relaxed) => None,
            AttemptOutcome::Ok => {
                let mut run = self.run();
                self.fails.store(false, Relaxed);
                run.failing = None;
                std::mem::take(&mut run.is_logged).then_some(Change::Recovered)
            }
            AttemptOutcome::Failed(why) => {
                let mut run = self.run();
                self.fails.store(true, Relaxed);
                let since_ms = run.failing.map_or(now_ms, |failing| failing.since_ms);
                run.failing = Some(Failing { since_ms, why });
                let quiet = |logged_ms: u64| now_ms < logged_ms.saturating_add(QUIET_MS);
                if run.is_logged || run.logged_ms.is_some_and(quiet) {
                    return None;
                }
                run.is_logged = true;
                run.logged_ms = Some(now_ms);
                Some(Change::Failing)
            }
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
    fn a_failure_streak_is_logged_once_and_so_is_its_end() {
        let failure_streak = FailureStreak::default();
        let failing = |since_ms, why| Some(Failing { since_ms, why });
        for (now_ms, outcome, said, state) in [
            (1, OK, None, None),
            (2, REFUSED, Some(Change::Failing), failing(2, "refused")),
            (3, RESET, None, failing(2, "reset")),
            (50_000, REFUSED, None, failing(2, "refused")),
            (50_001, OK, Some(Change::Recovered), None),
            (50_002, OK, None, None),
            (
                50_003,
                RESET,
                Some(Change::Failing),
                failing(50_003, "reset"),
            ),
        ] {
            assert_eq!(failure_streak.report(outcome, now_ms), said, "at {now_ms}");
            assert_eq!(failure_streak.failing(), state, "at {now_ms}");
        }
    }

    /// An endpoint that fails now and then is not logged for each failure, but
    /// one that fails for good is logged eventually.
    #[test]
    fn what_changes_often_is_logged_seldom() {
        let failure_streak = FailureStreak::default();
        let said: Vec<(u64, Change)> = (0..40_000)
            .flat_map(|turn| {
                let outcome = if turn % 100 == 0 { RESET } else { OK };
                failure_streak
                    .report(outcome, turn)
                    .map(|change| (turn, change))
            })
            .collect();
        let failing = said.iter().filter(|(_, change)| *change == Change::Failing);
        let at: Vec<u64> = failing.map(|(turn, _)| *turn).collect();
        assert_eq!(at, [0, 10_000, 20_000, 30_000]);
        assert_eq!(
            said.len(),
            8,
            "each streak is followed by its recovery: {said:?}"
        );

        assert_eq!(failure_streak.report(REFUSED, 39_990), None);
        assert_eq!(
            failure_streak.report(REFUSED, 40_000),
            Some(Change::Failing)
        );
    }
}
