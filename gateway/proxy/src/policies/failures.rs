//! Failures of policies in the gateway's log. A policy that fails on each request
//! leaves one line a second, with the number of those that are not shown; what
//! is written goes through the log's queue, so that no worker waits for it.

use std::rc::Rc;
use std::sync::Arc;

use janua_http::failure::Kind;
use janua_wasm::{FailureKind, OnError, Phase, Policy, PolicyFailure};

use crate::worker::Worker;

/// What a request fails with that is refused for this failure.
pub(super) fn kind_of(failure: &PolicyFailure) -> Kind {
    match failure.kind {
        FailureKind::Throttled => Kind::PolicyThrottled,
        FailureKind::Overloaded => Kind::PolicyOverloaded,
        _ => Kind::PolicyFailed,
    }
}

/// Whether a request is refused because of a failure, with this `on_error` of the policy's use.
pub(super) fn is_denied(
    policy: &Policy,
    failure: &PolicyFailure,
    phase: Phase,
    on_error: Option<OnError>,
) -> bool {
    let may_respond = policy.may_respond(phase);
    failure.kind.always_denies(may_respond)
        || match on_error {
            Some(on_error) => on_error == OnError::Deny,
            None => phase == Phase::Request || may_respond,
        }
}

/// Logs a failure, or counts it and has the count said a second later.
pub(super) fn log(
    policy: &Arc<Policy>,
    failure: &PolicyFailure,
    phase: Phase,
    (site, route): (&str, &str),
    is_denied: bool,
    worker: &Rc<Worker>,
) {
    // It was not asked. Why, and after which failures, has been said.
    if failure.kind.is_shed() {
        return;
    }
    // Not the exchange's moment: a slow call lies between.
    let now_ms = worker.clock.now().monotonic_ms;
    let line = Line {
        error: failure.to_string(),
        phase,
        site: site.into(),
        route: route.into(),
        is_denied,
    };
    if let Some(unreported) = policy.admit_failure(now_ms) {
        line.write(policy, unreported);
    } else if let Some(wait) = policy.claim_failure_summary() {
        let (policy, worker) = (Arc::clone(policy), Rc::clone(worker));
        tokio::task::spawn_local(async move {
            tokio::time::sleep(wait).await;
            let failures = policy.failure_summary(worker.clock.now().monotonic_ms);
            if failures > 0 {
                line.summarise(&policy, failures);
            }
        });
    }
}

/// What is said of a failure.
struct Line {
    error: String,
    phase: Phase,
    site: Box<str>,
    route: Box<str>,
    is_denied: bool,
}

impl Line {
    fn write(&self, policy: &Policy, unreported: u64) {
        tracing::warn!(
            policy = &**policy.name(),
            phase = self.phase.name(),
            site = &*self.site,
            route = &*self.route,
            error = self.error.as_str(),
            unreported,
            "a policy failed and the request {}",
            if self.is_denied {
                "was denied"
            } else {
                "went on without it"
            }
        );
    }

    fn summarise(&self, policy: &Policy, failures: u64) {
        tracing::warn!(
            policy = &**policy.name(),
            phase = self.phase.name(),
            site = &*self.site,
            route = &*self.route,
            error = self.error.as_str(),
            failures,
            "a policy failed repeatedly; the error is that of the first failure without a line of its own"
        );
    }
}
