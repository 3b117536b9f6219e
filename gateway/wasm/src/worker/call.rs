//! Calls the component: checks the breaker, finds the policy's instance or a spare one, or
//! makes one if there is none, and checks the verdict.

use std::sync::Arc;

use super::WorkerPolicy;
use crate::configured::Configured;
use crate::convert::Reuse;
use crate::failure::{FailureKind, PolicyFailure};
use crate::host::{Place, Slot};
use crate::input::{Now, Phase};
use crate::input_buffer::InputBuffer;
use crate::plan::Plan;
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
        let place = self.configured()?;
        self.counters.calls.add_one();
        let policy = &self.policy;
        let position = policy.declaration.position(phase).unwrap_or_default();
        let mut instances = self.slot.instances.borrow_mut();
        let Some(configured) = instances.get_mut(place.instance) else {
            return Err(PolicyFailure::without_detail(FailureKind::Trap));
        };
        let instance = &mut configured.instance;
        let answer = inputs.with(|inputs| {
            let deadline = policy.spec().deadline;
            instance.log_as(policy.name());
            instance.ask(&self.host.caller, deadline, position, place.handle, inputs)
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
        // The next call takes a spare.
        match answer {
            Ok(answer) => {
                if instance.should_be_recycled() {
                    self.counters.recycled.add_one();
                    self.host.discard([instances.remove(place.instance)]);
                }
                drop(instances);
                policy.checked(phase, plan, answer)
            }
            Err(failure) => {
                if failure.kind.discards_instance() {
                    self.host.discard([instances.remove(place.instance)]);
                }
                Err(failure)
            }
        }
    }

    /// Where this policy is configured. If its instance was lost, a spare takes its place,
    /// for which no guest code runs. If there is no spare either, the policy is configured
    /// here, while the request waits.
    pub(super) fn configured(&mut self) -> Result<Place, PolicyFailure> {
        let (slot, policy) = (&self.slot, &self.policy);
        let find = || Slot::find(&slot.instances.borrow(), policy.id());
        if let Some(place) = find() {
            return Ok(place);
        }
        let family = policy.family();
        if let Some(spare) = family.take_spare(policy.id()) {
            self.counters.spares.add_one();
            self.host.discard(slot.adopt(spare));
        } else {
            self.counters.configured.add_one();
            self.configure()?;
        }
        self.host.runtime.workshop().stock(family);
        find().ok_or_else(|| PolicyFailure::without_detail(FailureKind::Trap))
    }

    /// Configures this policy on the worker, in an instance apart from those that were
    /// prepared: a policy that fails while it is configured takes none of these with it.
    fn configure(&self) -> Result<(), PolicyFailure> {
        let (policy, caller) = (&self.policy, &self.host.caller);
        let mut instances = self.slot.instances.borrow_mut();
        let own = instances.iter().position(|it| it.is_of_worker);
        let own = match own {
            Some(own) => own,
            None => {
                let mut new = Configured::new(policy, caller)?;
                new.is_of_worker = true;
                instances.push(new);
                instances.len() - 1
            }
        };
        let Some(configured) = instances.get_mut(own) else {
            return Err(PolicyFailure::without_detail(FailureKind::Trap));
        };
        configured
            .add(policy, caller)
            .map(|_| ())
            .inspect_err(|failure| {
                if failure.kind.discards_instance() {
                    self.host.discard([instances.remove(own)]);
                }
            })
    }

    fn note(&self, failure: &PolicyFailure) {
        self.counters.count_failure(&failure.kind);
        self.policy.note_failure(failure);
    }
}

impl Drop for WorkerPolicy {
    /// Forgets the configuration without a call of the guest, for a reload may drop
    /// thousands. Its memory is freed with the instance: the policies that a reload adds
    /// come with instances of their own, and now and then with new ones for all others.
    fn drop(&mut self) {
        self.host.discard(self.slot.forget(self.policy.id()));
    }
}
