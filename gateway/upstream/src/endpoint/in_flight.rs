//! A request in flight to an endpoint, and what its outcome means for the endpoint.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Endpoint;
use crate::condition;
use crate::eligibility::Probe;
use crate::health::{AttemptOutcome, Change, PassiveHealth};

/// A request in flight to an endpoint; dropping it decrements the count. It
/// holds no part of a snapshot, so that a tunnel may keep it for days.
#[derive(Debug)]
pub struct InFlight {
    endpoint: Arc<Endpoint>,
    rule: Option<PassiveHealth>,
    observes: bool,
    probe: Probe,
}

impl InFlight {
    /// A request that its endpoint and the endpoint's group have counted. `rule` is the passive
    /// health check that its outcome is reported to; none if it is off. `observes` tells whether
    /// it matters how long the response takes.
    pub(crate) fn new(
        endpoint: &Arc<Endpoint>,
        rule: Option<PassiveHealth>,
        observes: bool,
        probe: Probe,
    ) -> Self {
        Self {
            endpoint: Arc::clone(endpoint),
            rule,
            observes,
            probe,
        }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Reports that nothing is sent for a reason that says nothing about the endpoint. If this
    /// request was to show whether an ejected endpoint works again, another one may. A request
    /// that is given up later keeps that place for a while: its endpoint may be one that never
    /// answers, on which clients would lose their patience one after the other.
    pub fn withdraw(&self, now_ms: u64) {
        self.endpoint.unclaim(self.probe, now_ms);
    }

    /// Reports how long it took from the sending of the request until the head of the response,
    /// which is received now.
    pub fn responded(&self, took: Duration, now_ms: u64) {
        if self.observes {
            self.endpoint.load.latency.observe(took, now_ms);
        }
    }

    /// Reports the outcome of the request. Returns the change of health that
    /// this caused, if any. What it means for the endpoint has been logged then.
    pub fn report(&self, outcome: AttemptOutcome, now_ms: u64) -> Option<Change> {
        let shared = &self.endpoint.shared;
        let has_failed = matches!(outcome, AttemptOutcome::Failed(_));
        if has_failed {
            shared.failures.fetch_add(1, Relaxed);
            if self.observes {
                self.endpoint.load.latency.fail(now_ms);
            }
        }
        let streak = shared.failure_streak.report(outcome, now_ms);
        let change = match &self.rule {
            None => streak,
            Some(rule) => self.report_health(outcome, rule, now_ms),
        };
        if has_failed || streak.is_some() || change.is_some() {
            condition::review(&self.endpoint, self.rule.as_ref(), now_ms);
        }
        change
    }

    fn report_health(
        &self,
        outcome: AttemptOutcome,
        rule: &PassiveHealth,
        now_ms: u64,
    ) -> Option<Change> {
        let endpoint = &self.endpoint;
        let (before, after) = endpoint.shared.health.report(outcome, now_ms, rule)?;
        let change = Change::between(before, after);
        if change == Some(Change::Recovered) {
            endpoint.rises();
        } else if before.admission(now_ms).entry != after.admission(now_ms).entry {
            // Also if a probe fails so late that another one could have followed: nobody may take
            // the endpoint for one that is to be probed now.
            endpoint.group.change();
        }
        change
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.endpoint.load.in_flight.fetch_sub(1, Relaxed);
        self.endpoint.group.leave();
    }
}
