//! Compares a reused verdict with a fresh one.

use std::sync::Arc;

use super::WorkerPolicy;
use crate::host::{configure, new_instance};
use crate::input::{Facts, Now, Phase};
use crate::verdict::Verdict;

impl WorkerPolicy {
    /// Calls the policy on a new instance and compares the verdicts. The current request
    /// uses the cached verdict in any case.
    #[inline(never)]
    pub(super) fn sample(&mut self, phase: Phase, facts: &dyn Facts, now: Now, reused: &Verdict) {
        let policy = Arc::clone(&self.policy);
        let Some(plan) = policy.plan(phase) else {
            return;
        };
        let mut inputs = std::mem::take(&mut self.inputs);
        if policy.breaker.is_closed() && inputs.fill(plan, facts, now).is_ok() {
            self.counters.samples.add_one();
            let caller = &self.host.caller;
            let fresh = new_instance(&policy, caller).and_then(|mut instance| {
                let configured = configure(&policy, &mut instance, caller)?;
                let deadline = policy.spec().deadline;
                let position = policy.declaration.position(phase).unwrap_or_default();
                let borrower = policy.borrower();
                let answer = inputs.with(|inputs| {
                    instance.ask(caller, deadline, position, configured, borrower, inputs)
                })?;
                self.compile(phase, plan, answer)
            });
            match fresh {
                Ok((verdict, _)) if verdict == *reused => {}
                Ok(_) => {
                    self.counters.mismatches.add_one();
                    policy.disable_reuse(&format!(
                        "in the phase `{}` the same inputs gave another verdict",
                        phase.name()
                    ));
                }
                // A failure does not mean that the verdict is wrong, but it counts for
                // the breaker.
                Err(failure) => {
                    if failure.kind.discards_instance()
                        && policy.breaker.count_failure(now.monotonic_ms)
                    {
                        policy.log_suspension();
                    }
                    self.note(&failure);
                    if let Some(unreported) = policy.failures.admit(now.monotonic_ms) {
                        tracing::warn!(
                            policy = &**policy.name(),
                            phase = phase.name(),
                            error = failure.to_string().as_str(),
                            unreported,
                            "the policy failed while a reused verdict was compared with a fresh one"
                        );
                    }
                }
            }
        }
        self.inputs = inputs;
    }
}
