//! A name that needs a certificate, and when something is to be done for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use janua_tls::Certificate;

use crate::failure::Failure;
use crate::record::Renewal;
use crate::schedule::{Life, Window, backoff};
use crate::status::{NameStatus, State};

/// The two clocks: what certificates say, and what cannot jump.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Seconds since 1970.
    pub(crate) wall: i64,
    pub(crate) monotonic: Instant,
}

/// A name that needs a certificate.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) authority: String,
    pub(crate) name: String,
    /// The URL that decides about it, if it is there only because a client asked.
    pub(crate) ask: Option<String>,
    pub(crate) held: Option<Held>,
    /// How many orders in a row have failed.
    pub(crate) failures: u32,
    pub(crate) last_failure: Option<(i64, Failure)>,
    /// No order before this moment.
    pub(crate) not_before: Option<Instant>,
    /// An order is in progress.
    pub(crate) is_busy: bool,
    /// What is missing in the DNS.
    pub(crate) missing: Vec<String>,
    /// When somebody was last told that it fails, in seconds since 1970.
    pub(crate) told: Option<i64>,
}

/// A certificate that is served.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) certificate: Arc<Certificate>,
    /// The name and the directory of the authority that has issued it.
    pub(crate) issuer: String,
    pub(crate) directory: String,
    pub(crate) renewal: Renewal,
    /// When the authority is asked again when to renew.
    pub(crate) ask_at: Option<Instant>,
    /// When it is looked again whether it is revoked.
    pub(crate) look_at: Option<Instant>,
    /// Chain and key, if they could not be stored yet.
    pub(crate) unsaved: Option<Vec<u8>>,
    pub(crate) is_revoked: bool,
}

impl Subject {
    pub(crate) fn new(authority: &str, name: &str, ask: Option<&str>) -> Self {
        Self {
            authority: authority.to_owned(),
            name: name.to_owned(),
            ask: ask.map(str::to_owned),
            held: None,
            failures: 0,
            last_failure: None,
            not_before: None,
            is_busy: false,
            missing: Vec::new(),
            told: None,
        }
    }

    /// Whether a certificate is to be ordered, apart from how soon.
    pub(crate) fn needs_order(&self, wall: i64) -> bool {
        self.held
            .as_ref()
            .is_none_or(|held| held.is_revoked || wall >= held.renewal.at)
    }

    /// Whether one is to be ordered now.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        let has_waited = self.not_before.is_none_or(|moment| now.monotonic >= moment);
        !self.is_busy && has_waited && self.needs_order(now.wall)
    }

    /// Whether the authority is to be asked now when to renew.
    pub(crate) fn is_to_be_asked_about(&self, now: Now) -> bool {
        let Some(held) = &self.held else {
            return false;
        };
        let is_time = held.ask_at.is_none_or(|moment| now.monotonic >= moment);
        is_time && !held.is_revoked && !held.life().is_late(now.wall)
    }

    /// An order has failed.
    pub(crate) fn fail(&mut self, failure: Failure, now: Now, random: f64) {
        self.failures = self.failures.saturating_add(1);
        let mut wait = backoff(self.failures, random);
        // A limit of the authority may last for days; asking once a day costs little.
        let wanted = failure.retry_after.unwrap_or_default();
        wait = wait.max(wanted.min(Duration::from_secs(24 * 60 * 60)));
        // With little life left, it is tried at least every half hour.
        if let Some(held) = &self.held
            && held.life().is_late(now.wall)
            && wanted.is_zero()
        {
            wait = wait.min(Duration::from_secs(30 * 60));
        }
        self.not_before = now.monotonic.checked_add(wait);
        self.last_failure = Some((now.wall, failure));
    }

    /// There is a new certificate.
    pub(crate) fn succeed(&mut self, held: Held) {
        self.held = Some(held);
        self.failures = 0;
        self.last_failure = None;
        self.not_before = None;
        self.told = None;
        self.missing.clear();
    }

    /// Whether operators are to be told now that it fails: once, then once a day.
    pub(crate) fn is_to_be_told(&self, wall: i64) -> bool {
        self.told
            .is_none_or(|told| (wall - told).abs() >= 24 * 60 * 60)
    }

    pub(crate) fn status(&self, now: Now, records: Vec<String>) -> NameStatus {
        let held = self.held.as_ref();
        let state = match held {
            Some(held) if held.is_revoked => State::Revoked,
            _ if self.failures > 0 => State::Failing,
            None => State::Pending,
            Some(_) if self.is_busy || self.needs_order(now.wall) => State::Renewing,
            Some(_) => State::Valid,
        };
        let until = |moment: Instant| {
            let wait = moment.saturating_duration_since(now.monotonic).as_secs();
            now.wall.saturating_add_unsigned(wait)
        };
        let waits = !self.is_busy && self.failures > 0;
        NameStatus {
            authority: self.authority.clone(),
            name: self.name.clone(),
            state,
            certificate: held.map(|held| Arc::clone(&held.certificate)),
            issuer: held.map(|held| held.issuer.clone()),
            on_demand: self.ask.is_some(),
            renew_at: held.map(|held| held.renewal.at),
            window: held.and_then(|held| held.renewal.window),
            explanation: held.and_then(|held| held.renewal.explanation.clone()),
            failures: self.failures,
            last_failure: self.last_failure.clone(),
            next_attempt: self.not_before.filter(|_| waits).map(until),
            records,
            missing: self.missing.clone(),
        }
    }
}

impl Held {
    pub(crate) fn life(&self) -> Life {
        life(&self.certificate)
    }

    /// The host of the authority that has issued it.
    pub(crate) fn issuer_host(&self) -> &str {
        let rest = self.directory.split_once("://");
        let rest = rest.map_or(self.directory.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// Chooses the moment of renewal in a window of the authority. It stays the same while
    /// the window does. Returns whether it has changed.
    pub(crate) fn set_window(
        &mut self,
        window: Window,
        explanation: Option<String>,
        random: f64,
    ) -> bool {
        if self.renewal.window == Some(window) {
            return false;
        }
        self.renewal.window = Some(window);
        self.renewal.at = self.life().renewal_within(window, random);
        self.renewal.explanation = explanation;
        true
    }
}

pub(crate) fn life(certificate: &Certificate) -> Life {
    let facts = certificate.facts();
    Life {
        from: facts.not_before,
        until: facts.not_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;
    const NOW: i64 = 1_790_000_000;

    fn now() -> Now {
        Now {
            wall: NOW,
            monotonic: Instant::now(),
        }
    }

    impl Now {
        fn later(self, seconds: i64) -> Self {
            let wait = Duration::from_secs(seconds.unsigned_abs());
            Self {
                wall: self.wall + seconds,
                monotonic: self.monotonic + wait,
            }
        }
    }

    /// With a certificate for a bit more than a year, to be renewed in ten days.
    fn subject() -> Subject {
        let certificate = janua_tls::self_signed::in_memory(&["a.example".to_owned()], NOW);
        let mut subject = Subject::new("default", "a.example", None);
        subject.succeed(Held {
            certificate: Arc::new(certificate.unwrap()),
            issuer: "default".to_owned(),
            directory: String::new(),
            renewal: Renewal {
                at: NOW + 10 * DAY,
                ..Renewal::default()
            },
            ask_at: None,
            look_at: None,
            unsaved: None,
            is_revoked: false,
        });
        subject
    }

    #[test]
    fn without_a_certificate_one_is_ordered_at_once() {
        let subject = Subject::new("default", "a.example", None);
        assert!(subject.is_due(now()));
        assert!(!subject.is_to_be_asked_about(now()));
        assert_eq!(subject.status(now(), Vec::new()).state, State::Pending);
    }

    #[test]
    fn it_is_renewed_at_its_moment_or_when_it_is_revoked() {
        let mut subject = subject();
        let now = now();
        assert!(!subject.is_due(now.later(10 * DAY - 1)));
        assert!(subject.is_due(now.later(10 * DAY)));
        subject.held.as_mut().unwrap().is_revoked = true;
        assert!(subject.is_due(now));
        assert_eq!(subject.status(now, Vec::new()).state, State::Revoked);
    }

    #[test]
    fn a_clock_that_jumps_orders_nothing_twice() {
        let mut subject = subject();
        let now = now();
        // It jumps ten years ahead: due, but failures wait by the clock that cannot jump.
        let ahead = Now {
            wall: now.wall + 3650 * DAY,
            ..now
        };
        assert!(subject.is_due(ahead));
        subject.fail(Failure::new("unreachable", "no"), ahead, 0.0);
        assert!(!subject.is_due(ahead));
        // And back again: nothing is due.
        let back = Now {
            wall: now.wall - 3650 * DAY,
            monotonic: now.monotonic + Duration::from_secs(3600),
        };
        assert!(!subject.is_due(back));
    }

    #[test]
    fn failures_wait_longer_and_as_long_as_the_authority_wants() {
        let mut subject = Subject::new("default", "a.example", None);
        let now = now();
        subject.fail(Failure::new("dns", "no"), now, 0.0);
        assert!(!subject.is_due(now.later(59)) && subject.is_due(now.later(60)));
        subject.fail(Failure::new("dns", "no"), now, 0.0);
        assert!(!subject.is_due(now.later(119)) && subject.is_due(now.later(120)));
        let limited = Failure {
            retry_after: Some(Duration::from_secs(7200)),
            ..Failure::new("rateLimited", "no")
        };
        subject.fail(limited.clone(), now, 0.0);
        assert!(!subject.is_due(now.later(7199)) && subject.is_due(now.later(7200)));
        let for_ever = Failure {
            retry_after: Some(Duration::MAX),
            ..limited
        };
        subject.fail(for_ever, now, 0.0);
        assert!(subject.is_due(now.later(DAY)));
        let status = subject.status(now, Vec::new());
        assert_eq!((status.state, status.failures), (State::Failing, 4));
        assert_eq!(status.next_attempt, Some(NOW + DAY));
    }

    #[test]
    fn with_little_life_left_it_is_tried_often() {
        let mut subject = subject();
        subject.failures = 20;
        let late = now().later(390 * DAY);
        subject.fail(Failure::new("dns", "no"), late, 0.0);
        assert!(subject.is_due(late.later(HOUR / 2)));
        assert!(!subject.is_to_be_asked_about(late));
    }

    #[test]
    fn the_moment_stays_while_the_window_does() {
        let mut subject = subject();
        let held = subject.held.as_mut().unwrap();
        let window = Window {
            start: NOW,
            end: NOW + 1000,
        };
        assert!(held.set_window(window, None, 0.5));
        assert_eq!(held.renewal.at, NOW + 500);
        assert!(!held.set_window(window, None, 0.9));
        assert_eq!(held.renewal.at, NOW + 500);
    }
}
