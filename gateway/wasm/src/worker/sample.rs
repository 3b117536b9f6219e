//! Chooses a reused verdict to be compared with a fresh one in the workshop.

use super::WorkerPolicy;
use crate::input::{Facts, Now, Phase};
use crate::memo::Kept;
use crate::sample::{Sample, Turn};

impl WorkerPolicy {
    /// Has a reused verdict compared with a fresh one. The current request uses the cached
    /// verdict in any case, and does not wait. The policy is told the time at which it made the
    /// verdict: at another time it may decide otherwise.
    #[inline(never)]
    pub(super) fn sample(&mut self, phase: Phase, facts: &dyn Facts, now: Now, reused: &Kept) {
        let policy = &self.policy;
        let admits = policy.breaker.admits(now.monotonic_ms);
        let Some(plan) = policy.plan(phase).filter(|_| admits) else {
            return;
        };
        let Some(turn) = Turn::claim(policy) else {
            self.counters.samples_dropped.add_one();
            return;
        };
        let then = Now {
            unix_seconds: reused.asked_at,
            ..now
        };
        if self.inputs.fill(phase, plan, facts, then).is_err() {
            return;
        }
        let inputs = std::mem::take(&mut self.inputs);
        let sample = Sample::new(turn, phase, inputs, reused, now.monotonic_ms);
        let counter = match self.host.runtime.workshop().sample(sample) {
            true => &self.counters.samples,
            false => &self.counters.samples_dropped,
        };
        counter.add_one();
    }
}
