//! What is watched of one endpoint: its errors, its requests, and its standing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use super::in_a_row::{ErrorKind, InARow};
use super::lock;
use super::rule::Outliers;
use super::standing::{Ejection, Standing};
use super::success_rate::Tally;
use crate::admission::Admission;

/// What is watched of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The endpoint is ejected. Read for every request.
    pub(super) is_out: AtomicBool,
    pub(super) in_a_row: InARow,
    /// Since the interval began.
    requests: AtomicU32,
    errors: AtomicU32,
    pub(super) standing: Mutex<Standing>,
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
        // Otherwise each passed check would end a row of errors, and good behaviour would begin
        // anew with it and make up for nothing.
        if standing.ejection().is_none() {
            return false;
        }
        standing.readmit(now_ms);
        self.forget();
        true
    }

    pub(super) fn forget(&self) {
        self.is_out.store(false, Relaxed);
        self.in_a_row.reset();
        self.requests.store(0, Relaxed);
        self.errors.store(0, Relaxed);
    }

    pub(super) fn tally(&self, error: Option<ErrorKind>) {
        self.requests.fetch_add(1, Relaxed);
        if error.is_some() {
            self.errors.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn take_tally(&self, index: usize) -> Tally {
        Tally {
            index,
            requests: self.requests.swap(0, Relaxed),
            errors: self.errors.swap(0, Relaxed),
        }
    }
}
