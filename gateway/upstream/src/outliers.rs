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
use standing::Standing;
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
