//! A name that needs a certificate, and when something is to be done for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use janua_tls::Certificate;

use crate::attempt::host;
use crate::failure::Failure;
use crate::record::{Failed, Renewal};
use crate::schedule::{Life, Window, backoff};
use crate::status::{EventState, NameStatus, State};

const DAY: i64 = 24 * 60 * 60;
/// A limit of the authority may last for days; asking once a day costs little.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// What somebody was last told of its end, and when.
    pub(crate) alarmed: Option<(EventState, i64)>,
    /// When the last certificate was issued.
    issued: Option<Instant>,
    /// How many in a row were issued although their predecessors were almost new.
    haste: u32,
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
            alarmed: None,
            issued: None,
            haste: 0,
        }
    }

    /// Whether a certificate is to be ordered, apart from how soon.
    pub(crate) fn needs_order(&self, wall: i64) -> bool {
        self.held.as_ref().is_none_or(|held| {
            held.is_revoked || wall >= held.renewal.at || held.life().is_late(wall)
        })
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

    /// What is known of failures before a restart. Their waits are over, unless the authority
    /// wanted to be left alone.
    pub(crate) fn remember(&mut self, failed: &Failed, now: Now) {
        self.failures = failed.failures;
        let wait = failed.until.map(|until| until - now.wall);
        let wait = wait.and_then(|wait| u64::try_from(wait).ok());
        let longest = LONGEST_WISH.as_secs();
        self.not_before = wait.and_then(|wait| {
            let wait = Duration::from_secs(wait.min(longest));
            now.monotonic.checked_add(wait)
        });
    }

    /// An order has failed.
    pub(crate) fn fail(&mut self, failure: Failure, now: Now, random: f64) {
        self.failures = self.failures.saturating_add(1);
        let mut wait = backoff(self.failures, random);
        let wanted = failure.retry_after.unwrap_or_default();
        wait = wait.max(wanted.min(LONGEST_WISH));
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
        self.alarmed = None;
        self.missing.clear();
    }

    /// The certificate was issued because it was due. If the next is due while this one is
    /// almost new, a clock is wrong, or the authority does not know what it wants; it must
    /// not be asked for one certificate after the other. Returns how often in a row that was
    /// so.
    pub(crate) fn note_issue(&mut self, now: Now, random: f64) -> u32 {
        let quarter = self.held.as_ref().map(|held| held.life().length() / 4);
        let quarter = u64::try_from(quarter.unwrap_or_default()).unwrap_or_default();
        let is_young = |issued| now.monotonic.duration_since(issued).as_secs() < quarter;
        let is_hasty = self.issued.is_some_and(is_young) || self.needs_order(now.wall);
        self.issued = Some(now.monotonic);
        self.haste = match is_hasty {
            true => self.haste.saturating_add(1),
            false => 0,
        };
        if is_hasty {
            let wait = backoff(self.haste, random);
            self.not_before = now.monotonic.checked_add(wait);
        }
        self.haste
    }

    /// Another authority, or the same with other settings, may be able to do what could not
    /// be done before.
    pub(crate) fn begin_anew(&mut self) {
        self.not_before = None;
        self.issued = None;
        self.haste = 0;
    }

    /// The clock has jumped, which may have been the reason why orders failed. What the
    /// authority wants to be waited for does not depend on it.
    pub(crate) fn forgive(&mut self) {
        let failure = self.last_failure.as_ref();
        let is_limited = failure.is_some_and(|(_, failure)| failure.retry_after.is_some());
        if !is_limited && self.haste == 0 {
            self.not_before = None;
        }
    }

    /// Whether operators are to be told now that it fails: once, then once a day.
    pub(crate) fn is_to_be_told(&self, wall: i64) -> bool {
        self.told.is_none_or(|told| (wall - told).abs() >= DAY)
    }

    /// What operators are to be told now of the end of the certificate, which could not be
    /// renewed: once when it comes near, once when it is there, and then once a day.
    pub(crate) fn alarm(&self, wall: i64) -> Option<EventState> {
        let life = self.held.as_ref()?.life();
        if self.failures == 0 || !life.is_alarming(wall) {
            return None;
        }
        let state = match life.is_over(wall) {
            true => EventState::Expired,
            false => EventState::Expiring,
        };
        let is_new = self
            .alarmed
            .is_none_or(|(told, at)| told != state || (wall - at).abs() >= DAY);
        is_new.then_some(state)
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
    /// The same certificate, as one that is shown only until another is there.
    pub(crate) fn on_loan(&self, wall: i64) -> Self {
        Self {
            certificate: Arc::clone(&self.certificate),
            issuer: self.issuer.clone(),
            directory: self.directory.clone(),
            renewal: Renewal {
                fingerprint: self.renewal.fingerprint.clone(),
                at: wall,
                ..Renewal::default()
            },
            ask_at: None,
            look_at: None,
            unsaved: self.unsaved.clone(),
            is_revoked: self.is_revoked,
        }
    }

    pub(crate) fn life(&self) -> Life {
        life(&self.certificate)
    }

    /// The host of the authority that has issued it.
    pub(crate) fn issuer_host(&self) -> &str {
        host(&self.directory)
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
mod tests;
