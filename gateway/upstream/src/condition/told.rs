//! What has been said of an endpoint, and what is said next.

use std::sync::{Mutex, PoisonError};

use super::ill::Ill;
use super::transition::{Shown, Transition};
use crate::endpoint::Endpoint;
use crate::health::PassiveHealth;

/// The shortest time between two messages of the log that an endpoint is down, in milliseconds.
/// One that fails now and then would otherwise fill the log.
const QUIET_MS: u64 = 10_000;

/// What has been said of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct ConditionCell(Mutex<Told>);

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    shown: Shown,
    since_ms: u64,
    /// The log has a message that the endpoint is down.
    is_logged: bool,
    /// When it was last said to be down.
    logged_ms: Option<u64>,
}

impl ConditionCell {
    /// Nothing is known of the endpoint from now on.
    pub(crate) fn forget(&self) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.shown = Shown::New;
        told.is_logged = false;
    }
}

impl Told {
    /// What is said from now on. Returns none if that is what was said before.
    fn after(self, ill: Option<&Ill>, now_ms: u64) -> Option<Self> {
        let shown = match ill {
            // Nothing is known, or what is known is said by the resolver.
            Some(Ill::Unknown | Ill::Unresolved) => return None,
            Some(Ill::Checks(_) | Ill::Requests(_)) => Shown::Down,
            None => Shown::Up,
        };
        if shown == self.shown {
            return None;
        }
        let is_quiet = self
            .logged_ms
            .is_some_and(|logged_ms| now_ms < logged_ms.saturating_add(QUIET_MS));
        let is_logged = shown == Shown::Down && !is_quiet;
        Some(Self {
            shown,
            since_ms: now_ms,
            is_logged,
            logged_ms: if is_logged {
                Some(now_ms)
            } else {
                self.logged_ms
            },
        })
    }
}

/// Says what has changed about an endpoint, if anything has. `rule` is what ejects it.
pub(crate) fn review(endpoint: &Endpoint, rule: Option<&PassiveHealth>, now_ms: u64) {
    let cell = endpoint.condition_cell();
    let mut told = cell.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Within the lock, so that of two changes the later one is said last.
    let ill = Ill::of(endpoint, rule);
    let Some(next) = told.after(ill.as_ref(), now_ms) else {
        return;
    };
    let before = std::mem::replace(&mut *told, next);
    let since_ms = ill.as_ref().and_then(Ill::since_ms);
    let transition = Transition {
        upstream: endpoint.upstream().into(),
        endpoint: endpoint.address().clone(),
        from: before.shown,
        lasted_ms: now_ms.saturating_sub(before.since_ms),
        failing_ms: since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms)),
        is_draining: endpoint.is_draining(),
        ill,
    };
    transition.log(next.is_logged || before.is_logged || before.shown == Shown::New);
    endpoint.group().observed().tell(&transition);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::FailingRequests;

    #[test]
    fn the_log_is_not_filled_by_one_that_fails_now_and_then() {
        let mut state = Told::default();
        let ill = Ill::Requests(FailingRequests {
            word: "reset",
            count: 1,
            since_ms: None,
            is_ejected: false,
        });
        let mut logged = Vec::new();
        for now_ms in 0..40_000 {
            let is_ill = now_ms % 100 == 0;
            let Some(next) = state.after(is_ill.then_some(&ill), now_ms) else {
                continue;
            };
            if next.is_logged || state.is_logged {
                logged.push((now_ms, next.shown));
            }
            state = next;
        }
        let down: Vec<u64> = logged
            .iter()
            .filter(|(_, shown)| *shown == Shown::Down)
            .map(|(now_ms, _)| *now_ms)
            .collect();
        assert_eq!(down, [0, 10_000, 20_000, 30_000]);
        assert_eq!(logged.len(), 8, "each is followed by its recovery");
    }
}
