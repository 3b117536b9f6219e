//! Calls the component: checks the breaker and the CPU time, finds the policy's instance or a
//! spare one, or makes one if there is none, and checks the verdict.

use std::sync::Arc;

use super::WorkerPolicy;
use crate::budget;
use crate::client::ClientKey;
use crate::configured::Configured;
use crate::failure::{FailureKind, PolicyFailure};
use crate::host::{Place, Slot};
use crate::input::{Now, Phase};
use crate::input_buffer::InputBuffer;
use crate::plan::Plan;
use crate::policy::Checked;
use crate::throttle::Shed;

impl WorkerPolicy {
    /// Calls the policy for a verdict, unless the breaker is open or CPU time is short.
    pub(super) fn ask(
        &mut self,
        phase: Phase,
        plan: &Plan,
        inputs: &InputBuffer,
        client: ClientKey,
        now: Now,
    ) -> Result<Checked, PolicyFailure> {
        let policy = Arc::clone(&self.policy);
        let now_ms = now.monotonic_ms;
        if let Err(kind) = self.admit(client, now_ms) {
            let failure = PolicyFailure::without_detail(kind);
            self.count(&failure);
            return Err(failure);
        }
        let result = self
            .instance_ready(now_ms)
            .and_then(|()| self.call(phase, plan, inputs));
        let cost = std::mem::take(&mut self.cost);
        self.throttle.pay_call(client, cost, now_ms);
        match &result {
            Err(failure) if failure.kind.discards_instance() => {
                self.throttle.forfeit(client, now_ms);
                self.debtor = Some(client);
                if policy.breaker.failed(client, now_ms) {
                    policy.log_suspension();
                }
            }
            _ => policy.breaker.succeeded(now_ms),
        }
        if let Err(failure) = &result {
            self.note(failure);
        }
        result
    }

    /// Whether a call may be made. A refused one costs next to nothing.
    fn admit(&mut self, client: ClientKey, now_ms: u64) -> Result<(), FailureKind> {
        if !self.policy.breaker.admits(now_ms) {
            return Err(FailureKind::BreakerOpen);
        }
        self.throttle.admit(client, now_ms).map_err(|shed| {
            self.policy.log_shed(now_ms);
            match shed {
                Shed::Client => FailureKind::Throttled,
                Shed::All => FailureKind::Overloaded,
            }
        })
    }

    /// Has an instance, from the spare or by configuring one here. The client that has ended the
    /// last one pays, and not the one whose call needs the next one.
    fn instance_ready(&mut self, now_ms: u64) -> Result<(), PolicyFailure> {
        if self.is_configured() {
            return Ok(());
        }
        let (result, cost) = budget::exactly(|| self.configured().map(|_| ()));
        let debtor = self.debtor.take();
        self.throttle.pay_instance(debtor, cost, now_ms);
        result
    }

    fn is_configured(&self) -> bool {
        Slot::find(&self.slot.instances.borrow(), self.policy.id()).is_some()
    }

    fn call(
        &mut self,
        phase: Phase,
        plan: &Plan,
        inputs: &InputBuffer,
    ) -> Result<Checked, PolicyFailure> {
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
            instance.log_as(policy.speaker());
            let borrower = policy.borrower();
            let caller = &self.host.caller;
            instance.ask(caller, deadline, position, place.handle, borrower, inputs)
        });
        self.cost = instance.spent();
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
        self.count(failure);
        self.policy.note_failure(failure);
    }

    fn count(&self, failure: &PolicyFailure) {
        self.counters.count_failure(&failure.kind);
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
