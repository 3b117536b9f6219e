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
    /// ejected.
    pub(super) fn probe(&mut self, now_ms: u64, rule: &Outliers) {
        if let Some(ejection) = self.ejection() {
            self.place = Place::Probing(Ejection {
                until_ms: now_ms.saturating_add(millis(rule.eject)),
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
mod tests {
    use super::*;

    const RULE: Outliers = Outliers {
        interval: Duration::from_secs(10),
        eject: Duration::from_secs(30),
        ..Outliers::DEFAULT
    };
    const RESET: EjectionReason = EjectionReason::Reset;

    #[test]
    fn an_ejection_ends_with_one_successful_probe() {
        let mut standing = Standing::default();
        assert_eq!(standing.admits(0).entry, Entry::Open);
        standing.eject(RESET, 1_000, &RULE);
        assert_eq!(standing.admits(30_999).entry, Entry::LastResort);
        assert!(!standing.claim(30_999, &RULE));
        assert!(!standing.probed(None, 30_999, &RULE), "an earlier request");

        assert_eq!(standing.admits(31_000).entry, Entry::Probe);
        assert!(standing.claim(31_000, &RULE));
        assert!(!standing.claim(31_001, &RULE), "there is one probe");
        assert_eq!(standing.admits(31_001).entry, Entry::LastResort);
        let ejection = standing.ejection().unwrap();
        assert_eq!((ejection.why, ejection.since_ms), (RESET, 1_000));

        assert!(standing.probed(None, 31_002, &RULE));
        assert_eq!(standing.admits(31_002).entry, Entry::Open);
        assert_eq!(standing.ejection(), None);
    }

    #[test]
    fn a_probe_that_was_not_sent_is_given_back_and_one_without_a_result_is_repeated() {
        let mut standing = Standing::default();
        standing.eject(RESET, 0, &RULE);
        assert!(standing.claim(30_000, &RULE));
        standing.unclaim(30_001);
        assert!(standing.claim(30_001, &RULE));
        assert_eq!(standing.admits(60_000).entry, Entry::LastResort);
        assert!(standing.claim(60_001, &RULE));
    }

    #[test]
    fn each_ejection_is_longer_and_good_behaviour_makes_up_for_them() {
        let mut standing = Standing::default();
        let mut now_ms = 1_000_000;
        let mut lengths = Vec::new();
        for _ in 0..12 {
            standing.eject(RESET, now_ms, &RULE);
            let ejection = standing.ejection().unwrap();
            lengths.push((ejection.until_ms - now_ms) / 1000);
            now_ms = ejection.until_ms;
            assert!(standing.claim(now_ms, &RULE));
            assert!(standing.probed(None, now_ms, &RULE));
        }
        let expected = [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300];
        assert_eq!(lengths, expected);
        // 12 ejections: 9 intervals leave 3 of them, to which the next is added.
        standing.eject(RESET, now_ms + 9 * 10_000, &RULE);
        assert_eq!(standing.ejection().unwrap().times, 4);
        standing.readmit(now_ms);
        standing.eject(RESET, now_ms + 3_600_000, &RULE);
        assert_eq!(standing.ejection().unwrap().times, 1);
    }

    #[test]
    fn a_probe_that_fails_makes_the_ejection_longer_from_then_on() {
        let mut standing = Standing::default();
        standing.eject(RESET, 0, &RULE);
        assert!(standing.claim(30_000, &RULE));
        let timeout = Some(EjectionReason::Timeout);
        assert!(!standing.probed(timeout, 31_000, &RULE));
        let ejection = standing.ejection().unwrap();
        assert_eq!(ejection.until_ms, 31_000 + 60_000);
        assert_eq!(ejection.why, EjectionReason::Timeout);
        assert_eq!(ejection.since_ms, 0, "it has been out all the time");
    }

    #[test]
    fn no_ejection_is_longer_than_five_minutes_or_than_the_first() {
        for (eject, longest) in [(30, 300), (200, 300), (900, 900)] {
            let rule = Outliers {
                eject: Duration::from_secs(eject),
                ..RULE
            };
            let mut standing = Standing::default();
            for _ in 0..1000 {
                standing.eject(RESET, 0, &rule);
            }
            let until_ms = standing.ejection().unwrap().until_ms;
            assert_eq!(until_ms, longest * 1000, "{eject}");
        }
    }

    #[test]
    fn a_pause_counts_as_no_ejection_and_never_shortens_one() {
        let mut standing = Standing::default();
        standing.pause(Duration::from_secs(5), 0, &RULE);
        let ejection = standing.ejection().unwrap();
        assert_eq!(ejection.until_ms, 5_000);
        assert_eq!(
            (ejection.why, ejection.times),
            (EjectionReason::RetryAfter, 0)
        );
        standing.pause(Duration::from_secs(1), 1_000, &RULE);
        assert_eq!(standing.ejection().unwrap().until_ms, 5_000);
        standing.pause(Duration::from_secs(20), 1_000, &RULE);
        assert_eq!(standing.ejection().unwrap().until_ms, 21_000);
        // A probe that is answered with it again is a pause again.
        assert!(standing.claim(21_000, &RULE));
        standing.pause(Duration::from_secs(20), 21_000, &RULE);
        assert_eq!(standing.admits(40_999).entry, Entry::LastResort);
        assert_eq!(standing.ejection().unwrap().times, 0);
    }
}
