//! Outlier detection: ejects endpoints whose requests fail while those of others
//! do not.
//!
//! It differs from passive health checks ([`crate::health`]) in that it looks at
//! the upstream as a whole:
//!
//! - Errors are counted by their kind, and only in a row: an endpoint that fails
//!   one request in ten stays, unless the others fail none
//!   ([`success_rate`]).
//! - Responses with an error status count too.
//! - At most a share of the endpoints is ejected at once, so that whoever can
//!   provoke errors cannot take the upstream down.
//! - Each further ejection of an endpoint is longer ([`standing`]).
//!
//! An endpoint that answers with `Retry-After` is left alone for that time, within
//! the same share.
//!
//! Success rates are compared by the request that finds the interval over, so
//! that no thread is needed: without requests there is nothing to compare.

mod standing;
mod success_rate;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::admission::Admission;
use crate::upstream::{Member, Upstream};
use standing::Standing;
pub use standing::{Ejection, EjectionReason};
pub use success_rate::SuccessRate;
use success_rate::Tally;

/// When endpoints are ejected as outliers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outliers {
    /// How many errors in a row eject an endpoint.
    pub errors: ErrorLimits,
    /// The period over which success rates are compared, and after which good
    /// behaviour makes up for one ejection.
    pub interval: Duration,
    /// The length of the first ejection.
    pub eject: Duration,
    /// At most this share of the endpoints is ejected at once, in percent; but
    /// always one may be.
    pub most: u8,
    /// None if success rates are not compared.
    pub success_rate: Option<SuccessRate>,
    /// Which `Retry-After` is heeded; none if none is.
    pub retry_after: Option<RetryAfter>,
}

/// Which wishes of endpoints are heeded that nothing be sent to them for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter {
    /// Those in responses with status 503, which are about the endpoint.
    pub on_503: bool,
    /// Those in responses with status 429, which are about whoever has sent the
    /// request, unless the endpoint takes the gateway for its only client.
    pub on_429: bool,
    /// No endpoint is left alone for longer.
    pub longest: Duration,
}

impl RetryAfter {
    /// What an endpoint says of itself, for five minutes.
    pub const DEFAULT: Self = Self {
        on_503: true,
        on_429: false,
        longest: Duration::from_secs(300),
    };

    /// Whether the field is heeded in a response with this status.
    pub fn heeds(&self, status: u16) -> bool {
        match status {
            503 => self.on_503,
            429 => self.on_429,
            _ => false,
        }
    }
}

impl Outliers {
    /// The numbers of Envoy.
    pub const DEFAULT: Self = Self {
        errors: ErrorLimits {
            connect: 5,
            reset: 5,
            timeout: 5,
            status: 5,
        },
        interval: Duration::from_secs(10),
        eject: Duration::from_secs(30),
        most: 10,
        success_rate: Some(SuccessRate::DEFAULT),
        retry_after: Some(RetryAfter::DEFAULT),
    };
}

/// How many errors of a kind in a row eject an endpoint; 0: none do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorLimits {
    /// Failures to connect.
    pub connect: u32,
    /// Lost connections and malformed responses.
    pub reset: u32,
    /// Responses that did not come in time.
    pub timeout: u32,
    /// Responses with an error status.
    pub status: u32,
}

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The endpoint could not be connected to.
    Connect,
    /// The connection was lost, or what came was no response.
    Reset,
    /// No response came in time.
    Timeout,
    /// The response has an error status.
    Status,
}

/// A change of an endpoint's standing, for the log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// The index of the endpoint in the upstream.
    pub index: usize,
    /// Its ejection; none if it gets requests again.
    pub ejection: Option<Ejection>,
}

/// What is watched of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The endpoint is ejected. Read for every request.
    is_out: AtomicBool,
    in_a_row: InARow,
    /// Since the interval began.
    requests: AtomicU32,
    errors: AtomicU32,
    standing: Mutex<Standing>,
}

/// What is watched of all endpoints of an upstream.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// When the interval is over; 0 before the first.
    at_ms: AtomicU64,
    /// How many failures in a row eject an endpoint; 0 if outliers are not looked for. Without
    /// that, ejections from before a reload mean nothing.
    failures: AtomicU32,
    /// Held while it is decided whether one more may be ejected.
    deciding: Mutex<()>,
}

impl Upstream {
    /// Takes the outcome of a request into account: none if the endpoint has
    /// answered it well. Returns what has changed, mostly nothing.
    pub fn observe(&self, index: usize, error: Option<ErrorKind>, now_ms: u64) -> Vec<Shift> {
        let mut shifts = Vec::new();
        let (Some(rule), Some(member)) = (self.outliers(), self.members().get(index)) else {
            return shifts;
        };
        let watch = member.endpoint.watch();
        watch.tally(error);
        if watch.is_out() {
            shifts.extend(self.probed(index, error, now_ms));
        } else if let Some(error) = watch.in_a_row.count(error, &rule.errors) {
            let eject = |standing: &mut Standing| standing.eject(error.into(), now_ms, rule);
            shifts.extend(self.put_out(index, now_ms, eject));
        }
        let sweep = &self.group().sweep;
        if sweep.is_due(now_ms, rule.interval) {
            shifts.extend(self.compare(now_ms));
        }
        shifts
    }

    /// Leaves an endpoint alone for the time that it has asked for by
    /// `Retry-After`, as long as others are eligible.
    pub fn pause(&self, index: usize, length: Duration, now_ms: u64) -> Option<Shift> {
        let rule = self.outliers()?;
        let length = length.min(rule.retry_after?.longest);
        if length.is_zero() {
            return None;
        }
        let others = self.members().iter().enumerate();
        let mut others = others.filter(|(other, _)| *other != index);
        let is_eligible = |member: &Member| self.admission(member, now_ms).entry.is_eligible();
        if !others.any(|(_, member)| is_eligible(member)) {
            return None;
        }
        self.put_out(index, now_ms, |standing| {
            standing.pause(length, now_ms, rule)
        })
    }

    /// Ejects an endpoint, unless too many are.
    fn put_out(
        &self,
        index: usize,
        now_ms: u64,
        put_out: impl FnOnce(&mut Standing),
    ) -> Option<Shift> {
        let rule = self.outliers()?;
        let member = self.members().get(index)?;
        let watch = member.endpoint.watch();
        watch.in_a_row.reset();
        let group = self.group();
        group.sweep.follow(Some(rule));
        let deciding = lock(&group.sweep.deciding);
        let members = self.members();
        let share = members.len() * usize::from(rule.most) / 100;
        let others = members.iter().enumerate();
        let others =
            others.filter(|(other, member)| *other != index && member.endpoint.watch().is_out());
        if others.count() >= share.max(1) {
            return None;
        }
        let mut standing = lock(&watch.standing);
        let was_out = standing.ejection().is_some();
        put_out(&mut standing);
        let ejection = standing.ejection();
        watch.is_out.store(ejection.is_some(), Relaxed);
        drop((standing, deciding));
        group.change();
        self.review(member, now_ms);
        (!was_out).then_some(Shift { index, ejection })
    }

    /// Takes the outcome of a request to an ejected endpoint into account.
    fn probed(&self, index: usize, error: Option<ErrorKind>, now_ms: u64) -> Option<Shift> {
        let rule = self.outliers()?;
        let member = self.members().get(index)?;
        let watch = member.endpoint.watch();
        let is_back = {
            let mut standing = lock(&watch.standing);
            let before = *standing;
            let is_back = standing.probed(error.map(Into::into), now_ms, rule);
            if is_back {
                watch.forget();
            }
            if *standing == before {
                return None;
            }
            is_back
        };
        match is_back {
            true => member.endpoint.rises(),
            false => self.group().change(),
        }
        self.review(member, now_ms);
        is_back.then_some(Shift {
            index,
            ejection: None,
        })
    }

    /// Compares the success rates of the interval that is over.
    fn compare(&self, now_ms: u64) -> Vec<Shift> {
        let members = self.members().iter().enumerate();
        let tallies: Vec<Tally> = members
            .filter_map(|(index, member)| {
                let tally = member.endpoint.watch().take_tally(index);
                (!member.endpoint.watch().is_out()).then_some(tally)
            })
            .collect();
        let Some(rule) = self.outliers() else {
            return Vec::new();
        };
        let Some(by_rate) = &rule.success_rate else {
            return Vec::new();
        };
        let low = success_rate::outliers(&tallies, by_rate);
        let eject = |standing: &mut Standing| {
            standing.eject(EjectionReason::SuccessRate, now_ms, rule);
        };
        low.into_iter()
            .filter_map(|index| self.put_out(index, now_ms, eject))
            .collect()
    }
}

impl Watch {
    /// Whether the endpoint is ejected.
    pub(crate) fn is_out(&self) -> bool {
        self.is_out.load(Relaxed)
    }

    /// Its ejection, if there is one.
    pub(crate) fn ejection(&self) -> Option<Ejection> {
        if !self.is_out() {
            return None;
        }
        lock(&self.standing).ejection()
    }

    pub(crate) fn admits(&self, now_ms: u64) -> Admission {
        if !self.is_out() {
            return Admission::OPEN;
        }
        lock(&self.standing).admits(now_ms)
    }

    /// Claims the probe; false if another request has claimed it first.
    pub(crate) fn claim(&self, now_ms: u64, rule: &Outliers) -> bool {
        lock(&self.standing).claim(now_ms, rule)
    }

    /// Gives a claimed probe back.
    pub(crate) fn unclaim(&self, now_ms: u64) {
        lock(&self.standing).unclaim(now_ms);
    }

    /// Makes the result of the next request count although the endpoint is ejected.
    pub(crate) fn try_anyway(&self, now_ms: u64, rule: &Outliers) {
        if self.is_out() {
            lock(&self.standing).probe(now_ms, rule);
        }
    }

    /// Lets the endpoint get requests again, for example because an active check
    /// has succeeded. True if it did not.
    pub(crate) fn readmit(&self, now_ms: u64) -> bool {
        let mut standing = lock(&self.standing);
        let was_out = standing.ejection().is_some();
        standing.readmit(now_ms);
        self.forget();
        was_out
    }

    fn forget(&self) {
        self.is_out.store(false, Relaxed);
        self.in_a_row.reset();
        self.requests.store(0, Relaxed);
        self.errors.store(0, Relaxed);
    }

    fn tally(&self, error: Option<ErrorKind>) {
        self.requests.fetch_add(1, Relaxed);
        if error.is_some() {
            self.errors.fetch_add(1, Relaxed);
        }
    }

    fn take_tally(&self, index: usize) -> Tally {
        Tally {
            index,
            requests: self.requests.swap(0, Relaxed),
            errors: self.errors.swap(0, Relaxed),
        }
    }
}

impl Sweep {
    /// Outliers are looked for by this rule, or are not any more.
    pub(crate) fn follow(&self, rule: Option<&Outliers>) {
        let failures = rule.map_or(0, |rule| {
            let ErrorLimits {
                connect,
                reset,
                timeout,
                ..
            } = rule.errors;
            let ejecting = [connect, reset, timeout].into_iter().filter(|it| *it > 0);
            ejecting.min().unwrap_or(1)
        });
        if self.failures.load(Relaxed) != failures {
            self.failures.store(failures, Relaxed);
        }
    }

    /// How many failures in a row eject an endpoint; none if outliers are not looked for.
    pub(crate) fn failures(&self) -> Option<u32> {
        Some(self.failures.load(Relaxed)).filter(|failures| *failures > 0)
    }

    /// True for one request after the end of each interval.
    fn is_due(&self, now_ms: u64, interval: Duration) -> bool {
        let at_ms = self.at_ms.load(Relaxed);
        if now_ms < at_ms {
            return false;
        }
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX / 2);
        let next_ms = now_ms.saturating_add(interval_ms.max(1));
        let is_claimed = self
            .at_ms
            .compare_exchange(at_ms, next_ms, Relaxed, Relaxed)
            .is_ok();
        is_claimed && at_ms > 0
    }
}

/// Errors in a row, by kind: four numbers of 16 bits in one word.
#[derive(Debug, Default)]
struct InARow(AtomicU64);

const BITS: u32 = 16;
const MASK: u64 = (1 << BITS) - 1;

impl InARow {
    /// Counts the outcome of a request. Returns the error if it is one too many.
    fn count(&self, error: Option<ErrorKind>, limits: &ErrorLimits) -> Option<ErrorKind> {
        let Some(error) = error else {
            // The usual case writes nothing.
            if self.0.load(Relaxed) != 0 {
                self.reset();
            }
            return None;
        };
        let (place, limit) = match error {
            ErrorKind::Connect => (0, limits.connect),
            ErrorKind::Reset => (1, limits.reset),
            ErrorKind::Timeout => (2, limits.timeout),
            ErrorKind::Status => (3, limits.status),
        };
        let shift = place * BITS;
        let next = |word: u64| {
            let count = (word >> shift & MASK).saturating_add(1).min(MASK);
            // A response shows that it can be connected to and answers in time.
            let others = match error {
                ErrorKind::Status => 0,
                _ => word & !(MASK << shift),
            };
            Some(others | count << shift)
        };
        let before = self.0.fetch_update(Relaxed, Relaxed, next);
        let before = before.unwrap_or_else(|word| word);
        let count = (before >> shift & MASK) + 1;
        (limit > 0 && count >= u64::from(limit).min(MASK)).then_some(error)
    }

    fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

impl From<ErrorKind> for EjectionReason {
    fn from(error: ErrorKind) -> Self {
        match error {
            ErrorKind::Connect => Self::Connect,
            ErrorKind::Reset => Self::Reset,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Status => Self::Status,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
