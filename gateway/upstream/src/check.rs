//! What active health checks know of an endpoint.
//!
//! The checks themselves are made elsewhere; their results are recorded here
//! ([`Upstream::record_check`]). `fall` failures in a row take an endpoint out, and `rise` passes in
//! a row bring it back. A new endpoint of an upstream with checks gets nothing before its first
//! pass, which suffices; one that was in use before its upstream had checks stays in use until they
//! fail.
//!
//! The decisions are pure functions of [`Checks`]. [`CheckCell`] holds one, and beside it the state
//! alone, which requests read without a lock.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::endpoint::Endpoint;
use crate::upstream::Upstream;

/// How many results in a row change the state of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckRule {
    /// Passes that bring an endpoint back.
    pub rise: u32,
    /// Failures that take it out.
    pub fall: u32,
    /// How long no request must have failed, in milliseconds, for a passed check to say more
    /// about an endpoint than the requests that failed last.
    pub silence_ms: u64,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckResult {
    /// The endpoint works.
    Passed,
    /// It does not.
    Failed(CheckFailure),
}

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFailure {
    /// The failure's word, such as `refused` or `status`.
    pub word: &'static str,
    /// The status of the response, if that is what failed.
    pub status: Option<u16>,
    /// What is known beyond that, for the operator; may be empty.
    pub detail: Arc<str>,
}

/// Whether an endpoint gets requests, as far as active checks decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckState {
    /// It gets requests; no check has decided about it.
    #[default]
    Unchecked,
    /// It is new, and gets no requests before its first pass.
    Waiting,
    /// It gets requests.
    Up,
    /// It gets none.
    Down,
}

/// What active checks know of an endpoint. Times are in milliseconds on the caller's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// Whether it gets requests.
    pub state: CheckState,
    /// Results in a row that contradict the state.
    pub contrary: u32,
    /// The failures since the last time that it was up without any.
    pub failing: Option<CheckFailing>,
    /// When the last check ended.
    pub checked_ms: Option<u64>,
    /// The endpoint is asked for something else than before, so that a single pass suffices.
    pub is_fresh: bool,
    /// Somebody has replaced the endpoint, and waits for it.
    pub is_awaited: bool,
}

/// Failed checks without a recovery in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFailing {
    /// Why the last one failed.
    pub failure: CheckFailure,
    /// How many there were.
    pub count: u32,
    /// When the first of them ended.
    pub since_ms: u64,
}

impl CheckState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Waiting => "waiting",
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// Whether it gets requests.
    pub(crate) fn admits(self) -> bool {
        matches!(self, Self::Unchecked | Self::Up)
    }
}

impl Checks {
    /// Of an endpoint that is new in an upstream with checks.
    const NEW: Self = Self {
        state: CheckState::Waiting,
        contrary: 0,
        failing: None,
        checked_ms: None,
        is_fresh: true,
        is_awaited: false,
    };

    /// After a check that ended now.
    pub(crate) fn after(mut self, result: CheckResult, rule: &CheckRule, now_ms: u64) -> Self {
        self.checked_ms = Some(now_ms);
        match result {
            CheckResult::Passed => self.after_pass(rule),
            CheckResult::Failed(failure) => self.after_failure(failure, rule, now_ms),
        }
    }

    fn after_pass(mut self, rule: &CheckRule) -> Self {
        let passes = self.contrary.saturating_add(1);
        let suffices = match self.state {
            CheckState::Down => self.is_fresh || passes >= rule.rise,
            CheckState::Unchecked | CheckState::Waiting | CheckState::Up => true,
        };
        if !suffices {
            self.contrary = passes;
            return self;
        }
        Self {
            state: CheckState::Up,
            contrary: 0,
            failing: None,
            checked_ms: self.checked_ms,
            is_fresh: false,
            is_awaited: false,
        }
    }

    fn after_failure(mut self, failure: CheckFailure, rule: &CheckRule, now_ms: u64) -> Self {
        let (count, since_ms) = match &self.failing {
            Some(failing) => (failing.count.saturating_add(1), failing.since_ms),
            None => (1, now_ms),
        };
        self.failing = Some(CheckFailing {
            failure,
            count,
            since_ms,
        });
        match self.state {
            // It contradicts the hope that the endpoint is about to work.
            CheckState::Waiting => self.contrary = self.contrary.saturating_add(1),
            CheckState::Down => self.contrary = 0,
            CheckState::Unchecked | CheckState::Up => {
                self.contrary = self.contrary.saturating_add(1);
                if self.contrary >= rule.fall {
                    self.state = CheckState::Down;
                    self.contrary = 0;
                    self.is_fresh = false;
                }
            }
        }
        self
    }
}

/// What checks know of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct CheckCell {
    /// The state of `checks`, for requests. 0 is `Unchecked`.
    state: AtomicU8,
    checks: Mutex<Checks>,
}

impl CheckCell {
    pub(crate) fn state(&self) -> CheckState {
        let state = self.state.load(Relaxed);
        let states = [CheckState::Waiting, CheckState::Up, CheckState::Down];
        let found = states.into_iter().find(|known| *known as u8 == state);
        found.unwrap_or(CheckState::Unchecked)
    }

    pub(crate) fn load(&self) -> Checks {
        self.checks().clone()
    }

    /// Replaces what is known. Returns whether the state is another one, on which it depends which
    /// requests the endpoint gets.
    fn update(&self, next: impl FnOnce(Checks) -> Checks) -> bool {
        let mut checks = self.checks();
        let before = checks.state;
        *checks = next(std::mem::take(&mut *checks));
        self.state.store(checks.state as u8, Relaxed);
        before != checks.state
    }

    fn checks(&self) -> MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Endpoint {
    /// What active checks know of it.
    pub fn checks(&self) -> Checks {
        self.check_cell().load()
    }

    /// It is asked for something else from now on: if it is down, a single pass brings it back.
    pub fn restart_checks(&self) {
        self.check_cell().update(|checks| Checks {
            contrary: 0,
            is_fresh: true,
            ..checks
        });
    }

    /// It gets nothing before a check has passed: somebody has replaced it, and waits for it.
    pub fn await_replacement(&self) {
        self.condition_cell().forget();
        let awaited = Checks {
            is_awaited: true,
            ..Checks::NEW
        };
        if self.check_cell().update(|_| awaited) {
            self.group().change();
        }
    }

    /// It gets nothing before a check has passed: it is new in an upstream with checks, or it
    /// has left its upstream, and could come back.
    pub fn await_first_pass(&self) {
        self.condition_cell().forget();
        if self.check_cell().update(|_| Checks::NEW) {
            self.group().change();
        }
    }
}

impl Upstream {
    /// Records the result of a check that has ended now. A passed one also brings back an
    /// endpoint that was ejected for failures of requests.
    pub fn record_check(&self, index: usize, result: CheckResult, rule: &CheckRule, now_ms: u64) {
        let Some(member) = self.members().get(index) else {
            return;
        };
        let endpoint = &member.endpoint;
        let has_passed = result == CheckResult::Passed;
        let cell = endpoint.check_cell();
        let mut has_recovered = false;
        let mut changes = cell.update(|before| {
            // One whose first check passes is as cold as all others were at the start.
            let had_failed = !before.state.admits() && before.failing.is_some();
            let after = before.after(result, rule, now_ms);
            has_recovered = had_failed && after.state.admits();
            after
        });
        if has_passed && cell.state() == CheckState::Up {
            let was_ejected = endpoint.readmit(rule.silence_ms, now_ms);
            has_recovered |= was_ejected;
            changes |= was_ejected;
        }
        if has_recovered {
            endpoint.rises();
        } else if changes {
            self.group().change();
        }
        self.review(member, now_ms);
    }

    /// Its endpoints are not checked any more: all get requests.
    pub fn forget_checks(&self, now_ms: u64) {
        for member in self.members() {
            let endpoint = &member.endpoint;
            if endpoint.check_cell().state() == CheckState::Unchecked {
                continue;
            }
            if endpoint.check_cell().update(|_| Checks::default()) {
                self.group().change();
            }
            self.review(member, now_ms);
        }
    }
}

#[cfg(test)]
mod tests;
