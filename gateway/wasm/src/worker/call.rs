//! Calls the component: checks the breaker and the CPU time, creates and configures the
//! instance if necessary, and checks the verdict.

use std::rc::Rc;
use std::sync::Arc;

use wasmtime::component::ResourceAny;

use super::WorkerPolicy;
use crate::client::ClientKey;
use crate::convert::{self, Reuse};
use crate::cost::{self, Stopwatch};
use crate::failure::{FailureKind, PolicyFailure};
use crate::host::{configure, new_instance};
use crate::input::{Now, Phase};
use crate::input_buffer::InputBuffer;
use crate::instance::Answer;
use crate::plan::Plan;
use crate::rules::Rules;
use crate::throttle::Shed;
use crate::verdict::Verdict;

impl WorkerPolicy {
    /// Calls the policy for a verdict, unless the breaker is open or CPU time is short.
    pub(super) fn ask(
        &mut self,
        phase: Phase,
        plan: &Plan,
        inputs: &InputBuffer,
        client: ClientKey,
        now: Now,
    ) -> Result<(Verdict, Reuse), PolicyFailure> {
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

    /// Creates and configures the instance if necessary. The client that has ended the
    /// last one pays, and not the one whose call needs the next one.
    fn instance_ready(&mut self, now_ms: u64) -> Result<(), PolicyFailure> {
        if self.is_configured() {
            return Ok(());
        }
        let (result, cost) = cost::exactly(|| self.configured().map(|_| ()));
        let debtor = self.debtor.take();
        self.throttle.pay_instance(debtor, cost, now_ms);
        result
    }

    fn is_configured(&self) -> bool {
        let generation = self.slot.generation.get();
        self.slot.instance.borrow().is_some()
            && matches!(self.configured, Some((of, _)) if of == generation)
    }

    fn call(
        &mut self,
        phase: Phase,
        plan: &Plan,
        inputs: &InputBuffer,
    ) -> Result<(Verdict, Reuse), PolicyFailure> {
        let configured = self.configured()?;
        self.counters.calls.add_one();
        let policy = &self.policy;
        let mut place = self.slot.instance.borrow_mut();
        let Some(instance) = place.as_mut() else {
            return Err(PolicyFailure::without_detail(FailureKind::Trap));
        };
        let stopwatch = Stopwatch::start();
        let answer = inputs.with(|inputs| {
            let deadline = policy.spec().deadline;
            instance.log_as(policy.name());
            instance.ask(&self.host.caller, deadline, phase, configured, inputs)
        });
        self.cost = stopwatch.stop(instance.since_first_tick());
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
        let grants = &self.policy.grants;
        let rules = Rules {
            phase,
            plan,
            grants,
        };
        let (verdict, reuse) = convert::v0_1::verdict(answer.verdict, &rules)
            .map_err(|unusable| PolicyFailure::without_detail(unusable.into()))?;
        let reuse = if answer.impure { Reuse::Never } else { reuse };
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
        self.count(failure);
        self.policy.note_failure(failure);
    }

    fn count(&self, failure: &PolicyFailure) {
        let counters = &self.counters;
        let counter = match failure.kind {
            FailureKind::Trap => &counters.traps,
            FailureKind::Deadline => &counters.overruns,
            FailureKind::Memory => &counters.memory,
            FailureKind::Error(_) => &counters.errors,
            FailureKind::BadVerdict(_) | FailureKind::EffectRefused(_) => &counters.bad_verdicts,
            FailureKind::BreakerOpen => &counters.suspended,
            FailureKind::Throttled => &counters.throttled,
            FailureKind::Overloaded => &counters.overloaded,
        };
        counter.add_one();
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
