//! Passive health: what an endpoint's failures say about it.
//!
//! `max_fails` failures within `fail_timeout` put an endpoint out for
//! `fail_timeout`: the same time counts the failures and keeps it out, as in
//! nginx. After that one request probes it; its success brings the endpoint
//! back, its failure keeps it out for another `fail_timeout`.
//!
//! The decisions are functions over [`Health`]; [`Cell`] holds one in an atomic
//! word, so that all workers see one state and no two probe at once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// When failures put an endpoint out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassiveHealth {
    /// Failures within `fail_timeout` that put the endpoint out; 0 never does.
    pub max_fails: u32,
    /// The time that failures are counted over, and the time out.
    pub fail_timeout: Duration,
}

impl Default for PassiveHealth {
    /// nginx's: one failure, ten seconds.
    fn default() -> Self {
        Self {
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
        }
    }
}

/// How a request at an endpoint went, as far as the endpoint's health goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It answered.
    Ok,
    /// It did not, or not in time, or with what counts as a failure; in the
    /// failure's word, such as `refused`.
    Failed(&'static str),
}

/// A change of health that an operator wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Failures put the endpoint out.
    Ejected,
    /// It fails, and is given requests all the same: there is no other, or the
    /// configuration holds none back.
    Failing,
    /// It answers again.
    Recovered,
}

/// An endpoint's health. Times are in milliseconds on the caller's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It takes requests.
    In {
        /// Failures since `since_ms`, within one `fail_timeout`.
        fails: u32,
        /// When the first of them came.
        since_ms: u64,
    },
    /// It takes none.
    Out {
        /// From then on, one request may probe it.
        until_ms: u64,
    },
    /// A request is on its way to find out.
    Probing {
        /// If nothing was heard of it by then, another may.
        until_ms: u64,
    },
}

/// Whether a request may go to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Yes,
    /// As the one probe, which must be claimed with [`Cell::claim`].
    Probe,
    No,
}

impl Health {
    /// Of an endpoint of which nothing is known.
    pub(crate) const NEW: Self = Self::In {
        fails: 0,
        since_ms: 0,
    };

    pub(crate) fn admits(self, now_ms: u64) -> Admission {
        match self {
            Self::In { .. } => Admission::Yes,
            Self::Out { until_ms } | Self::Probing { until_ms } if now_ms >= until_ms => {
                Admission::Probe
            }
            Self::Out { .. } | Self::Probing { .. } => Admission::No,
        }
    }

    /// The health after a request went this way.
    pub(crate) fn after(self, outcome: AttemptOutcome, now_ms: u64, rule: &PassiveHealth) -> Self {
        let window = window_ms(rule);
        match (self, outcome) {
            // Successes do not wipe out failures: one in ten requests failing
            // must add up.
            (Self::In { .. }, AttemptOutcome::Ok) => self,
            (Self::In { fails, since_ms }, AttemptOutcome::Failed(_)) => {
                let old = now_ms > since_ms.saturating_add(window) || fails == 0;
                let (fails, since_ms) = if old {
                    (1, now_ms)
                } else {
                    (fails.saturating_add(1), since_ms)
                };
                if rule.max_fails > 0 && fails >= rule.max_fails {
                    let until_ms = now_ms.saturating_add(window);
                    Self::Out { until_ms }
                } else {
                    Self::In { fails, since_ms }
                }
            }
            // Requests from before it went out say nothing new.
            (Self::Out { .. }, _) => self,
            (Self::Probing { .. }, AttemptOutcome::Ok) => Self::NEW,
            (Self::Probing { .. }, AttemptOutcome::Failed(_)) => Self::Out {
                until_ms: now_ms.saturating_add(window),
            },
        }
    }
}

fn window_ms(rule: &PassiveHealth) -> u64 {
    u64::try_from(rule.fail_timeout.as_millis()).unwrap_or(TIME_MASK)
}

/// A [`Health`] in one atomic word: two bits of state, fourteen of failures,
/// forty-eight of time.
#[derive(Debug)]
pub(crate) struct Cell(AtomicU64);

const TIME_BITS: u32 = 48;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const FAILS_MASK: u64 = (1 << 14) - 1;
const STATE_SHIFT: u32 = 62;

impl Cell {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(pack(Health::NEW)))
    }

    pub(crate) fn load(&self) -> Health {
        unpack(self.0.load(Relaxed))
    }

    /// Takes the probe; false if another request was faster.
    pub(crate) fn claim(&self, now_ms: u64, rule: &PassiveHealth) -> bool {
        let old = self.0.load(Relaxed);
        let until_ms = now_ms.saturating_add(window_ms(rule));
        unpack(old).admits(now_ms) == Admission::Probe
            && self
                .0
                .compare_exchange(old, pack(Health::Probing { until_ms }), Relaxed, Relaxed)
                .is_ok()
    }

    /// Makes the next outcome count although the endpoint is out: it is tried
    /// for want of a better one.
    pub(crate) fn try_anyway(&self, now_ms: u64, rule: &PassiveHealth) {
        let until_ms = now_ms.saturating_add(window_ms(rule));
        let probing = pack(Health::Probing { until_ms });
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            matches!(unpack(word), Health::Out { .. }).then_some(probing)
        });
    }

    pub(crate) fn report(
        &self,
        outcome: AttemptOutcome,
        now_ms: u64,
        rule: &PassiveHealth,
    ) -> Option<Change> {
        let old = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let next = pack(unpack(word).after(outcome, now_ms, rule));
            (next != word).then_some(next)
        });
        let before = unpack(old.ok()?);
        let after = before.after(outcome, now_ms, rule);
        match (before, after) {
            (Health::In { .. }, Health::Out { .. }) => Some(Change::Ejected),
            (Health::Probing { .. }, Health::In { .. }) => Some(Change::Recovered),
            _ => None,
        }
    }
}

fn pack(health: Health) -> u64 {
    let (state, fails, time) = match health {
        Health::In { fails, since_ms } => (0, u64::from(fails).min(FAILS_MASK), since_ms),
        Health::Out { until_ms } => (1, 0, until_ms),
        Health::Probing { until_ms } => (2, 0, until_ms),
    };
    state << STATE_SHIFT | fails << TIME_BITS | time.min(TIME_MASK)
}

fn unpack(word: u64) -> Health {
    let time = word & TIME_MASK;
    match word >> STATE_SHIFT {
        0 => Health::In {
            // Fourteen bits always fit.
            fails: u32::try_from(word >> TIME_BITS & FAILS_MASK).unwrap_or(u32::MAX),
            since_ms: time,
        },
        1 => Health::Out { until_ms: time },
        _ => Health::Probing { until_ms: time },
    }
}

#[cfg(test)]
mod tests;
