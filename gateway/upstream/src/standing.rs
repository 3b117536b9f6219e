//! Whether an endpoint's requests fail, since when and why: what an operator is
//! told.
//!
//! [`crate::health`] decides which endpoints are held back, and counts for that.
//! An endpoint that is never held back, because it is the only one or because
//! `max_fails` is 0, has no such health; it counts as down from a failure to the
//! next success.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::health::{AttemptOutcome, Change};

/// How long after it was said that an endpoint fails it is not said again. One
/// that fails now and then would fill the log.
const QUIET_MS: u64 = 10_000;

/// A run of failures without a success in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// When the first of them came, in milliseconds on the caller's clock.
    pub since_ms: u64,
    /// The last failure's word, such as `refused`.
    pub why: &'static str,
}

/// The standing of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// There is a run of failures. Read with every request; the rest only while
    /// requests fail.
    fails: AtomicBool,
    run: Mutex<Run>,
}

#[derive(Debug, Default)]
struct Run {
    failing: Option<Failing>,
    /// It was said of this run that the endpoint fails.
    is_said: bool,
    /// When that was last said, of this run or of an earlier one.
    said_ms: Option<u64>,
}

impl Standing {
    pub(crate) fn failing(&self) -> Option<Failing> {
        self.run().failing
    }

    /// Takes an outcome in. Answers with what is to be said of it: once that the
    /// endpoint fails, and if that was said, once that it is back.
    pub(crate) fn report(&self, outcome: AttemptOutcome, now_ms: u64) -> Option<Change> {
        match outcome {
            AttemptOutcome::Ok if !self.fails.load(Relaxed) => None,
            AttemptOutcome::Ok => {
                let mut run = self.run();
                self.fails.store(false, Relaxed);
                run.failing = None;
                std::mem::take(&mut run.is_said).then_some(Change::Recovered)
            }
            AttemptOutcome::Failed(why) => {
                let mut run = self.run();
                self.fails.store(true, Relaxed);
                let since_ms = run.failing.map_or(now_ms, |failing| failing.since_ms);
                run.failing = Some(Failing { since_ms, why });
                let quiet = |said_ms: u64| now_ms < said_ms.saturating_add(QUIET_MS);
                if run.is_said || run.said_ms.is_some_and(quiet) {
                    return None;
                }
                run.is_said = true;
                run.said_ms = Some(now_ms);
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
    fn a_run_of_failures_is_said_once_and_so_is_its_end() {
        let standing = Standing::default();
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
            assert_eq!(standing.report(outcome, now_ms), said, "at {now_ms}");
            assert_eq!(standing.failing(), state, "at {now_ms}");
        }
    }

    /// An endpoint that fails now and then is not said to at each failure; but
    /// one that has come to fail for good is, in the end.
    #[test]
    fn what_changes_often_is_said_seldom() {
        let standing = Standing::default();
        let said: Vec<(u64, Change)> = (0..40_000)
            .flat_map(|turn| {
                let outcome = if turn % 100 == 0 { RESET } else { OK };
                standing.report(outcome, turn).map(|change| (turn, change))
            })
            .collect();
        let failing = said.iter().filter(|(_, change)| *change == Change::Failing);
        let at: Vec<u64> = failing.map(|(turn, _)| *turn).collect();
        assert_eq!(at, [0, 10_000, 20_000, 30_000]);
        assert_eq!(said.len(), 8, "each is followed by its end: {said:?}");

        assert_eq!(standing.report(REFUSED, 39_990), None);
        assert_eq!(standing.report(REFUSED, 40_000), Some(Change::Failing));
    }
}
