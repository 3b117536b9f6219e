//! Passive health checks: how failures of requests change an endpoint's health.
//!
//! As in nginx, `max_fails` failures within `fail_timeout` eject an endpoint,
//! which then gets no requests for `fail_timeout`. After that, one request
//! probes it: if it succeeds, the endpoint is healthy again; if it fails, the
//! endpoint stays ejected for another `fail_timeout`.
//!
//! The decisions are pure functions of [`Health`]. [`Cell`] holds a `Health` in
//! one atomic word, so that all workers see the same state and only one request
//! probes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::admission::{Admission, Entry};

/// When failures eject an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassiveHealth {
    /// Failures within `fail_timeout` that eject the endpoint; 0 disables
    /// ejection. More than 16,383 are as many.
    pub max_fails: u32,
    /// The period over which failures are counted, and the duration of an
    /// ejection.
    pub fail_timeout: Duration,
}

impl Default for PassiveHealth {
    /// The defaults of nginx: one failure, ten seconds.
    fn default() -> Self {
        Self {
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
        }
    }
}

/// The outcome of one attempt at an endpoint, as far as health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The endpoint responded.
    Ok,
    /// It did not respond, not in time, or with what counts as a failure. Holds
    /// the failure's word, such as `refused`.
    Failed(&'static str),
}

/// A change of health that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Failures ejected the endpoint.
    Ejected,
    /// Its requests fail, but it still gets requests, because it is the only
    /// endpoint or ejection is disabled.
    Failing,
    /// It responds again.
    Recovered,
}

/// An endpoint's health. Times are in milliseconds on the caller's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It gets requests.
    Healthy {
        /// Failures since `since_ms`, within one `fail_timeout`.
        fails: u32,
        /// Time of the first of these failures.
        since_ms: u64,
    },
    /// It gets no requests.
    Ejected {
        /// From this time on, one request may probe it.
        until_ms: u64,
    },
    /// A probe is in flight.
    Probing {
        /// If the probe has no result by this time, another request may probe.
        until_ms: u64,
    },
}

impl Health {
    /// The initial health of an endpoint.
    pub(crate) const NEW: Self = Self::Healthy {
        fails: 0,
        since_ms: 0,
    };

    /// Which requests it admits.
    pub(crate) fn admission(self, now_ms: u64) -> Admission {
        match self {
            Self::Healthy { .. } => Admission::OPEN,
            Self::Ejected { until_ms } | Self::Probing { until_ms } if now_ms >= until_ms => {
                Admission::for_good(Entry::Probe)
            }
            Self::Ejected { until_ms } | Self::Probing { until_ms } => Admission {
                entry: Entry::LastResort,
                until_ms,
            },
        }
    }

    /// The health after an attempt with this outcome.
    pub(crate) fn after(self, outcome: AttemptOutcome, now_ms: u64, rule: &PassiveHealth) -> Self {
        let window = window_ms(rule);
        match (self, outcome) {
            // A success does not reset the count: failures of one request in
            // ten must add up.
            (Self::Healthy { .. }, AttemptOutcome::Ok) => self,
            (Self::Healthy { fails, since_ms }, AttemptOutcome::Failed(_)) => {
                let old = now_ms > since_ms.saturating_add(window) || fails == 0;
                let (fails, since_ms) = if old {
                    (1, now_ms)
                } else {
                    (fails.saturating_add(1), since_ms)
                };
                if rule.max_fails > 0 && fails >= rule.max_fails.min(MOST_FAILS) {
                    let until_ms = now_ms.saturating_add(window);
                    Self::Ejected { until_ms }
                } else {
                    Self::Healthy { fails, since_ms }
                }
            }
            // Requests sent before the ejection give no new information.
            (Self::Ejected { .. }, _) => self,
            (Self::Probing { .. }, AttemptOutcome::Ok) => Self::NEW,
            (Self::Probing { .. }, AttemptOutcome::Failed(_)) => Self::Ejected {
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
/// No more failures are counted.
const MOST_FAILS: u32 = (1 << 14) - 1;
const STATE_SHIFT: u32 = 62;

impl Cell {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(pack(Health::NEW)))
    }

    pub(crate) fn load(&self) -> Health {
        unpack(self.0.load(Relaxed))
    }

    /// Claims the probe; false if another request has claimed it first.
    pub(crate) fn claim(&self, now_ms: u64, rule: &PassiveHealth) -> bool {
        let old = self.0.load(Relaxed);
        let until_ms = now_ms.saturating_add(window_ms(rule));
        unpack(old).admission(now_ms).entry == Entry::Probe
            && self
                .0
                .compare_exchange(old, pack(Health::Probing { until_ms }), Relaxed, Relaxed)
                .is_ok()
    }

    /// Gives a claimed probe back: the request was not sent.
    pub(crate) fn unclaim(&self, now_ms: u64) {
        let ejected = pack(Health::Ejected { until_ms: now_ms });
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            matches!(unpack(word), Health::Probing { .. }).then_some(ejected)
        });
    }

    /// Makes the next outcome count although the endpoint is ejected: a request
    /// is sent to it because all endpoints are.
    pub(crate) fn try_anyway(&self, now_ms: u64, rule: &PassiveHealth) {
        let until_ms = now_ms.saturating_add(window_ms(rule));
        let probing = pack(Health::Probing { until_ms });
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            matches!(unpack(word), Health::Ejected { .. }).then_some(probing)
        });
    }

    /// Ends an ejection. True if there was one.
    pub(crate) fn readmit(&self) -> bool {
        let readmitted = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let is_ejected = !matches!(unpack(word), Health::Healthy { .. });
            is_ejected.then(|| pack(Health::NEW))
        });
        readmitted.is_ok()
    }

    /// The health before and after an outcome; none if it changes nothing.
    pub(crate) fn report(
        &self,
        outcome: AttemptOutcome,
        now_ms: u64,
        rule: &PassiveHealth,
    ) -> Option<(Health, Health)> {
        let old = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let next = pack(unpack(word).after(outcome, now_ms, rule));
            (next != word).then_some(next)
        });
        let before = unpack(old.ok()?);
        Some((before, before.after(outcome, now_ms, rule)))
    }
}

impl Change {
    /// What a change of health means for the operator, if anything.
    pub(crate) fn between(before: Health, after: Health) -> Option<Self> {
        match (before, after) {
            (Health::Healthy { .. }, Health::Ejected { .. }) => Some(Self::Ejected),
            (Health::Probing { .. }, Health::Healthy { .. }) => Some(Self::Recovered),
            _ => None,
        }
    }
}

fn pack(health: Health) -> u64 {
    let (state, fails, time) = match health {
        Health::Healthy { fails, since_ms } => (0, u64::from(fails).min(FAILS_MASK), since_ms),
        Health::Ejected { until_ms } => (1, 0, until_ms),
        Health::Probing { until_ms } => (2, 0, until_ms),
    };
    state << STATE_SHIFT | fails << TIME_BITS | time.min(TIME_MASK)
}

fn unpack(word: u64) -> Health {
    let time = word & TIME_MASK;
    match word >> STATE_SHIFT {
        0 => Health::Healthy {
            // The count has fourteen bits, so it always fits.
            fails: u32::try_from(word >> TIME_BITS & FAILS_MASK).unwrap_or(u32::MAX),
            since_ms: time,
        },
        1 => Health::Ejected { until_ms: time },
        _ => Health::Probing { until_ms: time },
    }
}

#[cfg(test)]
mod tests;
