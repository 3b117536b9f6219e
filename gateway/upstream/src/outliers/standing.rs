//! Whether an endpoint is ejected as an outlier, since when and how often.

use std::time::Duration;

use super::Outliers;
use crate::admission::{Admission, Entry};

/// No ejection is longer, unless `eject` itself is.
const LONGEST: Duration = Duration::from_secs(300);
/// More ejections do not make the next one longer. Bounds the time after which
/// good behaviour has made up for all of them.
const MOST_TIMES: u32 = 100;

/// Why an endpoint was ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EjectionReason {
    /// Connecting failed several times in a row.
    Connect,
    /// Connections were lost several times in a row, or what came was no
    /// response.
    Reset,
    /// No response came in time, several times in a row.
    Timeout,
    /// Several responses in a row were errors.
    Status,
    /// More of its requests fail than of those of the other endpoints.
    SuccessRate,
    /// It asked for it, by `Retry-After`.
    RetryAfter,
}

impl EjectionReason {
    /// The word for the log and the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Status => "5xx",
            Self::SuccessRate => "success_rate",
            Self::RetryAfter => "retry_after",
        }
    }
}

/// An ejection, for the operator. Times are in milliseconds on the caller's
/// clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// Why.
    pub why: EjectionReason,
    /// Since when.
    pub since_ms: u64,
    /// From this time on, one request may probe the endpoint.
    pub until_ms: u64,
    /// How many ejections count that have not been made up for, this one
    /// included.
    pub times: u32,
}

/// The standing of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    place: Place,
    /// How many ejections count.
    times: u32,
    /// Since when it behaves well, while it is in.
    good_since_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    In,
    Out(Ejection),
    /// A probe is in flight. If it has no result by `until_ms` of the ejection,
    /// another request may probe.
    Probing(Ejection),
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            place: Place::In,
            times: 0,
            good_since_ms: 0,
        }
    }
}

impl Standing {
    /// The ejection, until a probe has succeeded.
    pub(super) fn ejection(&self) -> Option<Ejection> {
        match self.place {
            Place::In => None,
            Place::Out(ejection) | Place::Probing(ejection) => Some(ejection),
        }
    }

    pub(super) fn admits(&self, now_ms: u64) -> Admission {
        match self.ejection() {
            None => Admission::OPEN,
            Some(ejection) if now_ms >= ejection.until_ms => Admission::for_good(Entry::Probe),
            Some(ejection) => Admission {
                entry: Entry::LastResort,
                until_ms: ejection.until_ms,
            },
        }
    }

    /// Ejects the endpoint, for longer each time.
    pub(super) fn eject(&mut self, why: EjectionReason, now_ms: u64, rule: &Outliers) {
        let times = self.times_left(now_ms, rule);
        self.times = times.saturating_add(1).min(MOST_TIMES);
        let length = rule.eject.saturating_mul(self.times);
        let length = length.min(LONGEST.max(rule.eject));
        self.put_out(why, now_ms, now_ms.saturating_add(millis(length)));
    }

    /// Leaves the endpoint alone for as long as it has asked for, or longer if it
    /// is ejected for longer. That is no misbehaviour, and counts as none.
    pub(super) fn pause(&mut self, length: Duration, now_ms: u64, rule: &Outliers) {
        self.times = self.times_left(now_ms, rule);
        let until_ms = now_ms.saturating_add(millis(length));
        match &mut self.place {
            Place::Out(ejection) => ejection.until_ms = ejection.until_ms.max(until_ms),
            Place::In | Place::Probing(_) => {
                self.put_out(EjectionReason::RetryAfter, now_ms, until_ms);
            }
        }
    }

    fn put_out(&mut self, why: EjectionReason, now_ms: u64, until_ms: u64) {
        let since_ms = self.ejection().map_or(now_ms, |ejection| ejection.since_ms);
        self.place = Place::Out(Ejection {
            why,
            since_ms,
            until_ms,
            times: self.times,
        });
    }

    /// Claims the probe; false if it is too early, or another request has claimed
    /// it.
    pub(super) fn claim(&mut self, now_ms: u64, rule: &Outliers) -> bool {
        let is_claimed = self.admits(now_ms).entry == Entry::Probe;
        if is_claimed {
            self.probe(now_ms, rule);
        }
        is_claimed
    }

    /// Gives a claimed probe back: the request was not sent.
    pub(super) fn unclaim(&mut self, now_ms: u64) {
        if let Place::Probing(ejection) = self.place {
            self.place = Place::Out(Ejection {
                until_ms: now_ms,
                ..ejection
            });
        }
    }

    /// Makes the result of the next request count although the endpoint is
    /// ejected. If there is none, the ejection is as long as it was.
    pub(super) fn probe(&mut self, now_ms: u64, rule: &Outliers) {
        if let Some(ejection) = self.ejection() {
            let until_ms = now_ms.saturating_add(millis(rule.eject));
            self.place = Place::Probing(Ejection {
                until_ms: until_ms.max(ejection.until_ms),
                ..ejection
            });
        }
    }

    /// Takes the result of a request into account that was sent while the endpoint
    /// was ejected. True if it gets requests again.
    pub(super) fn probed(
        &mut self,
        error: Option<EjectionReason>,
        now_ms: u64,
        rule: &Outliers,
    ) -> bool {
        match (self.place, error) {
            // Requests that were sent before the ejection tell nothing new.
            (Place::In | Place::Out(_), _) => false,
            (Place::Probing(_), None) => {
                self.readmit(now_ms);
                true
            }
            (Place::Probing(_), Some(why)) => {
                self.eject(why, now_ms, rule);
                false
            }
        }
    }

    /// Lets the endpoint get requests again.
    pub(super) fn readmit(&mut self, now_ms: u64) {
        self.place = Place::In;
        self.good_since_ms = now_ms;
    }

    /// How many ejections still count: each interval of good behaviour makes up for
    /// one.
    fn times_left(&self, now_ms: u64, rule: &Outliers) -> u32 {
        if self.ejection().is_some() {
            return self.times;
        }
        let good_ms = now_ms.saturating_sub(self.good_since_ms);
        let made_up_for = good_ms / millis(rule.interval).max(1);
        let made_up_for = u32::try_from(made_up_for).unwrap_or(u32::MAX);
        self.times.saturating_sub(made_up_for)
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests;
