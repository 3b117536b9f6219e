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

mod in_a_row;
mod rule;
mod standing;
mod success_rate;
mod sweep;
mod watch;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::upstream::{Member, Upstream};
pub use in_a_row::ErrorKind;
pub use rule::{ErrorLimits, Outliers, RetryAfter};
pub use standing::{Ejection, EjectionReason};
pub use success_rate::SuccessRate;
use success_rate::Tally;
pub(crate) use sweep::Sweep;
pub(crate) use watch::Watch;

/// A change of an endpoint's standing, for the log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// The index of the endpoint in the upstream.
    pub index: usize,
    /// Its ejection; none if it gets requests again.
    pub ejection: Option<Ejection>,
}

/// Why an endpoint is to get no requests for a while.
#[derive(Debug, Clone, Copy)]
enum Cause {
    /// It fails too much.
    Errors(EjectionReason),
    /// It has asked for it.
    Wish(Duration),
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
            let cause = Cause::Errors(error.into());
            shifts.extend(self.put_out(index, cause, now_ms));
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
        let length = length.min(self.outliers()?.retry_after?.longest);
        if length.is_zero() {
            return None;
        }
        self.put_out(index, Cause::Wish(length), now_ms)
    }

    /// Ejects an endpoint, unless too many are.
    fn put_out(&self, index: usize, cause: Cause, now_ms: u64) -> Option<Shift> {
        let rule = self.outliers()?;
        let member = self.members().get(index)?;
        let watch = member.endpoint.watch();
        if let Cause::Errors(_) = cause {
            watch.in_a_row.reset();
        }
        let group = self.group();
        let deciding = lock(&group.sweep.deciding);
        let has_reason = match cause {
            // If it is out, another worker has ejected it for the same errors.
            Cause::Errors(_) => !watch.is_out(),
            Cause::Wish(_) => self.has_another(index, now_ms),
        };
        if !has_reason || !self.has_room_for(index, rule) {
            return None;
        }
        let mut standing = lock(&watch.standing);
        let was_out = standing.ejection().is_some();
        match cause {
            Cause::Errors(why) => standing.eject(why, now_ms, rule),
            Cause::Wish(length) => standing.pause(length, now_ms, rule),
        }
        let ejection = standing.ejection();
        watch.is_out.store(ejection.is_some(), Relaxed);
        drop((standing, deciding));
        group.change();
        self.review(member, now_ms);
        (!was_out).then_some(Shift { index, ejection })
    }

    /// Whether an endpoint beside this one gets all requests.
    fn has_another(&self, index: usize, now_ms: u64) -> bool {
        let mut others = self.members().iter().enumerate();
        others.any(|(other, member)| {
            other != index && self.admission(member, now_ms).entry.is_eligible()
        })
    }

    /// Whether this endpoint may be ejected beside those that are. One that gets no requests for
    /// another reason does not count: nothing would probe it, and end its ejection, for as long
    /// as that lasts.
    fn has_room_for(&self, index: usize, rule: &Outliers) -> bool {
        let members = self.members();
        let share = members.len() * usize::from(rule.most) / 100;
        let counts = |member: &Member| {
            let endpoint = &member.endpoint;
            endpoint.watch().is_out()
                && endpoint.is_resolved()
                && endpoint.check_cell().state().admits()
                && !member.is_draining()
        };
        let others = members.iter().enumerate();
        let others = others.filter(|(other, member)| *other != index && counts(member));
        others.count() < share.max(1)
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
        let cause = Cause::Errors(EjectionReason::SuccessRate);
        low.into_iter()
            .filter_map(|index| self.put_out(index, cause, now_ms))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
