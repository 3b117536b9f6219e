//! Checks whether the component would still give a remembered verdict.

use std::sync::Arc;

use super::WorkerPolicy;
use crate::host::{configure, new_instance};
use crate::input::{Facts, Now, Phase};
use crate::verdict::Verdict;

impl WorkerPolicy {
    /// Asks again on a fresh instance and compares. The request at hand is
    /// answered with the remembered verdict either way.
    #[inline(never)]
    pub(super) fn sample(
        &mut self,
        phase: Phase,
        facts: &dyn Facts,
        now: Now,
        remembered: &Verdict,
    ) {
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
                let answer = inputs
                    .with(|inputs| instance.ask(caller, deadline, phase, configured, inputs))?;
                self.compile(phase, plan, answer)
            });
            match fresh {
                Ok((verdict, _)) if verdict == *remembered => {}
                Ok(_) => {
                    self.counters.mismatches.add_one();
                    policy.disable_reuse(&format!(
                        "in the phase `{}` the same inputs gave another verdict",
                        phase.name()
                    ));
                }
                // A failure says nothing about the verdict; it counts as one.
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
                            "a policy failed while a remembered verdict was compared with a fresh one"
                        );
                    }
                }
            }
        }
        self.inputs = inputs;
    }
}
