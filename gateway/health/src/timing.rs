//! When the next check follows.

use std::time::Duration;

use janua_upstream::{CheckRule, CheckState, Checks};

/// How often an endpoint is checked, and how many results decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The time from one check to the next.
    pub interval: Duration,
    /// The same, while a change is about to be decided: from the first result that contradicts
    /// the state of the endpoint.
    pub edge_interval: Duration,
    /// The same, for an endpoint that is up and gets no requests.
    pub idle_interval: Duration,
    /// The time limit of a whole check.
    pub timeout: Duration,
    /// How many results in a row change the state.
    pub rule: CheckRule,
}

/// How long an endpoint that somebody waits for may take to start, with checks at short intervals.
const START: Duration = Duration::from_secs(120);

/// By how much intervals are varied: a tenth in both directions.
const JITTER: f64 = 0.1;

impl Timing {
    /// How long to wait after a check whose result has been recorded in `checks`. `is_idle`: no
    /// request was sent to the endpoint since the check before. `random` is a number from 0 to 1,
    /// which keeps the checks of many endpoints, and of many gateways, from being made at the same
    /// moment for ever.
    #[must_use]
    pub fn wait(&self, checks: &Checks, is_idle: bool, random: f64) -> Duration {
        let is_at_edge = match checks.state {
            // It may be about to start.
            CheckState::Waiting => {
                let is_starting = || self.edge_interval.saturating_mul(checks.contrary) < START;
                checks.contrary < self.rule.fall || (checks.is_awaited && is_starting())
            }
            CheckState::Unchecked | CheckState::Up | CheckState::Down => checks.contrary > 0,
        };
        let interval = if is_at_edge {
            self.edge_interval
        } else if is_idle && checks.state == CheckState::Up {
            self.idle_interval
        } else {
            self.interval
        };
        interval.mul_f64(1.0 + JITTER * (2.0 * random - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        interval: Duration::from_secs(10),
        edge_interval: Duration::from_secs(1),
        idle_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(2),
        rule: CheckRule {
            rise: 2,
            fall: 3,
            silence_ms: 10_000,
        },
    };

    #[test]
    fn the_interval_follows_the_state() {
        for (state, contrary, is_idle, seconds) in [
            (CheckState::Up, 0, false, 10),
            (CheckState::Up, 0, true, 60),
            (CheckState::Up, 1, true, 1),
            (CheckState::Up, 2, false, 1),
            // An endpoint that is down gets no requests, and is not idle for that.
            (CheckState::Down, 0, true, 10),
            (CheckState::Down, 1, true, 1),
            // A new one may be about to start, but not for ever.
            (CheckState::Waiting, 1, true, 1),
            (CheckState::Waiting, 2, true, 1),
            (CheckState::Waiting, 3, true, 10),
            (CheckState::Waiting, 90, true, 10),
            (CheckState::Unchecked, 1, false, 1),
        ] {
            let checks = Checks {
                state,
                contrary,
                ..Checks::default()
            };
            let wait = TIMING.wait(&checks, is_idle, 0.5);
            assert_eq!(wait, Duration::from_secs(seconds), "{state:?} {contrary}");
        }
    }

    /// Whoever has replaced an endpoint waits for it, however long its interval is.
    #[test]
    fn one_that_is_awaited_is_checked_often_for_a_while() {
        for (contrary, is_awaited, seconds) in [
            (3, false, 10),
            (3, true, 1),
            (119, true, 1),
            (120, true, 10),
        ] {
            let checks = Checks {
                state: CheckState::Waiting,
                contrary,
                is_awaited,
                ..Checks::default()
            };
            let wait = TIMING.wait(&checks, true, 0.5);
            assert_eq!(
                wait,
                Duration::from_secs(seconds),
                "{contrary} {is_awaited}"
            );
        }
    }

    #[test]
    fn it_is_varied_by_a_tenth() {
        let checks = Checks {
            state: CheckState::Up,
            ..Checks::default()
        };
        for (random, ms) in [(0.0, 9_000), (0.25, 9_500), (1.0, 11_000)] {
            let wait = TIMING.wait(&checks, false, random);
            assert_eq!(wait.as_millis(), ms, "{random}");
        }
    }
}
