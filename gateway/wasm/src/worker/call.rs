//! Calls the component: checks the breaker, creates and configures the instance if
//! necessary, and checks the verdict.

use std::rc::Rc;
use std::sync::Arc;

use wasmtime::component::ResourceAny;

use super::WorkerPolicy;
use crate::convert::{self, Reuse};
use crate::failure::{FailureKind, PolicyFailure};
use crate::host::{configure, new_instance};
use crate::input::{Now, Phase};
use crate::input_buffer::InputBuffer;
use crate::instance::Answer;
use crate::plan::Plan;
use crate::rules::Rules;
use crate::verdict::Verdict;

impl WorkerPolicy {
    /// Calls the policy for a verdict, unless the breaker is open.
    pub(super) fn ask(
        &mut self,
        phase: Phase,
        plan: &Plan,
        inputs: &InputBuffer,
        now: Now,
    ) -> Result<(Verdict, Reuse), PolicyFailure> {
        let policy = Arc::clone(&self.policy);
        let Some(permit) = policy.breaker.permit(now.monotonic_ms) else {
            self.counters.suspended.add_one();
            return Err(PolicyFailure::without_detail(FailureKind::BreakerOpen));
        };
        let result = self.call(phase, plan, inputs, now);
        match &result {
            Err(failure) if failure.kind.discards_instance() => {
                if permit.failed(now.monotonic_ms) {
                    policy.log_suspension();
                }
            }
            _ => permit.succeeded(),
        }
        if let Err(failure) = &result {
            self.note(failure);
        }
        result
    }

    fn call(
        &mut self,
        phase: Phase,
        plan: &Plan,
        inputs: &InputBuffer,
        now: Now,
    ) -> Result<(Verdict, Reuse), PolicyFailure> {
        let configured = self.configured()?;
        self.counters.calls.add_one();
        let policy = &self.policy;
        let position = policy.declaration.position(phase).unwrap_or_default();
        let mut place = self.slot.instance.borrow_mut();
        let Some(instance) = place.as_mut() else {
            return Err(PolicyFailure::without_detail(FailureKind::Trap));
        };
        let answer = inputs.with(|inputs| {
            let deadline = policy.spec().deadline;
            instance.log_as(policy.name());
            let borrower = policy.borrower();
            let caller = &self.host.caller;
            instance.ask(caller, deadline, position, configured, borrower, inputs)
        });
        let percent = policy.spec().breaker.share_percent;
        let ticks = instance.ticks();
        if ticks > 0
            && self
                .cpu_share
                .charge(ticks, self.host.caller.ticks(), percent)
        {
            tracing::warn!(
                policy = &**policy.name(),
                "the policy takes more than {percent} % of a worker's time and is suspended"
            );
            policy.breaker.open(now.monotonic_ms);
        }
        match answer {
            Ok(answer) => {
                if instance.should_be_recycled() {
                    self.counters.recycled.add_one();
                    *place = None;
                }
                drop(place);
                self.compile(phase, plan, answer)
            }
            Err(failure) => {
                if failure.kind.discards_instance() {
                    *place = None;
                }
                Err(failure)
            }
        }
    }

    pub(super) fn compile(
        &self,
        phase: Phase,
        plan: &Plan,
        answer: Answer,
    ) -> Result<(Verdict, Reuse), PolicyFailure> {
        let rules = Rules {
            phase,
            plan,
            variables: &self.policy.declaration.variables,
        };
        let (verdict, reuse) = convert::v0_1::verdict(answer.verdict, &rules)
            .map_err(|unusable| PolicyFailure::without_detail(unusable.into()))?;
        // A verdict that depends on a secret would outlive it.
        let depends = answer.impure || !answer.used.is_empty();
        let reuse = if depends { Reuse::Never } else { reuse };
        Ok((verdict, reuse))
    }

    /// The handle of this policy's configuration in the instance. Creates the instance
    /// and configures the policy in it if necessary.
    pub(super) fn configured(&mut self) -> Result<ResourceAny, PolicyFailure> {
        let slot = &self.slot;
        let mut place = slot.instance.borrow_mut();
        if let (Some(_), Some((generation, configured))) = (&*place, self.configured)
            && generation == slot.generation.get()
        {
            return Ok(configured);
        }
        let (policy, caller) = (&self.policy, &self.host.caller);
        if place.is_none() {
            slot.generation.set(slot.generation.get() + 1);
            *place = Some(new_instance(policy, caller)?);
        }
        let Some(instance) = place.as_mut() else {
            return Err(PolicyFailure::without_detail(FailureKind::Trap));
        };
        match configure(policy, instance, caller) {
            Ok(configured) => {
                self.configured = Some((slot.generation.get(), configured));
                Ok(configured)
            }
            Err(failure) => {
                if failure.kind.discards_instance() {
                    *place = None;
                }
                Err(failure)
            }
        }
    }

    pub(super) fn note(&self, failure: &PolicyFailure) {
        let counters = &self.counters;
        let counter = match failure.kind {
            FailureKind::Trap => &counters.traps,
            FailureKind::Deadline => &counters.overruns,
            FailureKind::Memory => &counters.memory,
            FailureKind::Error(_) => &counters.errors,
            FailureKind::BadVerdict(_) | FailureKind::EffectRefused(_) => &counters.bad_verdicts,
            FailureKind::BreakerOpen => &counters.suspended,
        };
        counter.add_one();
        self.policy.note_failure(failure);
    }
}

impl Drop for WorkerPolicy {
    /// Drops the configuration in the instance, so that an instance shared by many
    /// policies does not fill up over reloads.
    fn drop(&mut self) {
        let Some((generation, configured)) = self.configured.take() else {
            return;
        };
        if generation != self.slot.generation.get() {
            return;
        }
        let Ok(mut place) = self.slot.instance.try_borrow_mut() else {
            return;
        };
        // No other policy uses the instance: it is dropped as a whole.
        if Rc::strong_count(&self.slot) == 1 {
            *place = None;
            return;
        }
        let deadline = self.policy.spec().deadline;
        let released = place
            .as_mut()
            .map(|instance| instance.release(&self.host.caller, deadline, configured));
        if let Some(Err(failure)) = released {
            self.note(&failure);
            *place = None;
        }
    }
}
