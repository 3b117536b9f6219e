//! A worker's side of the policies: remembers verdicts, and asks the component
//! when it does not know.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceAny;

use crate::breaker::Permit;
use crate::convert::{self, Reuse};
use crate::counters::Counters;
use crate::failure::{FailureKind, PolicyFailure};
use crate::handover::InputBuffer;
use crate::host::{Slot, WorkerHost, configure, new_instance};
use crate::input::{Facts, Input, Now, Phase};
use crate::interner::{Interned, Interner};
use crate::key::KeyWriter;
use crate::memo::Memo;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::rules::Rules;
use crate::sampler::Sampler;
use crate::share::Share;
use crate::verdict::Verdict;

/// What came of asking a policy.
#[derive(Debug)]
pub enum Decision {
    /// A verdict, to be carried out.
    Verdict {
        /// The verdict.
        verdict: Rc<Verdict>,
        /// Whether it was remembered.
        reused: bool,
    },
    /// This declared input is not UTF-8: the request is answered 400.
    NotUtf8(Input),
    /// There is none; [`Policy::on_error`] decides about the request.
    Failed(PolicyFailure),
}

/// One policy on one worker.
pub struct WorkerPolicy {
    policy: Arc<Policy>,
    host: Rc<WorkerHost>,
    slot: Rc<Slot>,
    configured: Option<(u64, ResourceAny)>,
    key: KeyWriter,
    inputs: InputBuffer,
    interner: Interner,
    request: PhaseMemory,
    response: PhaseMemory,
    sampler: Sampler,
    share: Share,
    counters: Arc<Counters>,
    proceed: Rc<Verdict>,
}

/// What one phase remembers.
enum PhaseMemory {
    /// The policy declared no inputs: one verdict, no key.
    Constant(Option<(Rc<Verdict>, u64)>),
    Keyed(Box<Memo>),
}

impl WorkerPolicy {
    /// A policy on this worker, with nothing remembered and no instance yet.
    pub fn new(policy: Arc<Policy>, host: Rc<WorkerHost>) -> Self {
        let budget = policy.spec().memo_bytes;
        // A quarter for verdicts, the rest for keys, half of that a phase if
        // it takes part in both.
        let phases = [Phase::Request, Phase::Response]
            .iter()
            .filter(|&&phase| policy.plan(phase).is_some())
            .count()
            .max(1);
        let keys = (budget - budget / 4) / phases;
        let memory = |phase| match policy.plan(phase) {
            Some(plan) if !plan.is_constant() => {
                PhaseMemory::Keyed(Box::new(Memo::new(keys, ahash::RandomState::new())))
            }
            _ => PhaseMemory::Constant(None),
        };
        Self {
            request: memory(Phase::Request),
            response: memory(Phase::Response),
            key: KeyWriter::new(&host.runtime.mac_key()),
            inputs: InputBuffer::default(),
            interner: Interner::new(budget / 4),
            sampler: Sampler::new(policy.spec().sample),
            share: Share::default(),
            counters: policy.counters.join(),
            slot: host.slot(&policy),
            configured: None,
            proceed: Rc::new(Verdict::proceed()),
            policy,
            host,
        }
    }

    /// The policy.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Makes the instance and configures it now rather than at the first
    /// request.
    ///
    /// # Errors
    /// As for any call; the next request tries again.
    pub fn prepare(&mut self) -> Result<(), PolicyFailure> {
        self.configured().map(|_| ())
    }

    /// Decides about an exchange: from memory if the policy allows, else by
    /// asking it. Never waits; takes tens of nanoseconds from memory, and at
    /// most about the policy's deadline of CPU time otherwise.
    pub fn decide(&mut self, phase: Phase, facts: &dyn Facts, now: Now) -> Decision {
        // No handle of the policy is cloned before a hit has been returned: its
        // reference count is shared by all workers.
        let Some(plan) = self.policy.plan(phase) else {
            return Decision::Verdict {
                verdict: Rc::clone(&self.proceed),
                reused: true,
            };
        };
        let may_reuse = self.policy.spec().memo && !self.policy.is_reuse_off();
        if may_reuse {
            let memory = memory(&mut self.request, &mut self.response, phase);
            if let Some(verdict) = memory.recall(&mut self.key, plan, facts, now) {
                self.counters.hits.add_one();
                if self.sampler.is_due() {
                    self.sample(phase, facts, now, &verdict);
                }
                return Decision::Verdict {
                    verdict,
                    reused: true,
                };
            }
        }
        self.miss(phase, facts, now, may_reuse)
    }

    #[inline(never)]
    fn miss(&mut self, phase: Phase, facts: &dyn Facts, now: Now, may_reuse: bool) -> Decision {
        let policy = Arc::clone(&self.policy);
        let Some(plan) = policy.plan(phase) else {
            return Decision::Failed(PolicyFailure::plain(FailureKind::Trap));
        };
        self.counters.misses.add_one();
        let mut inputs = std::mem::take(&mut self.inputs);
        let decision = match inputs.fill(plan, facts, now) {
            Ok(()) => match self.ask(phase, plan, &inputs, now) {
                Ok((verdict, reuse)) => {
                    let reuse = if may_reuse { reuse } else { Reuse::Never };
                    Decision::Verdict {
                        verdict: self.keep(phase, plan, facts, now, verdict, reuse),
                        reused: false,
                    }
                }
                Err(failure) => Decision::Failed(failure),
            },
            Err(input) => Decision::NotUtf8(input),
        };
        self.inputs = inputs;
        decision
    }

    /// Keeps a verdict for as long as was said.
    fn keep(
        &mut self,
        phase: Phase,
        plan: &Plan,
        facts: &dyn Facts,
        now: Now,
        verdict: Verdict,
        reuse: Reuse,
    ) -> Rc<Verdict> {
        let Some(lasts_ms) = lasts_ms(reuse, self.policy.spec().max_reuse) else {
            return Rc::new(verdict);
        };
        let expires_ms = now.monotonic_ms.saturating_add(lasts_ms);
        let Interned { verdict, shared } = self.interner.intern(verdict);
        match memory(&mut self.request, &mut self.response, phase) {
            PhaseMemory::Constant(kept) => *kept = Some((Rc::clone(&verdict), expires_ms)),
            PhaseMemory::Keyed(memo) => {
                if let Some(key) = self.key.write(plan, facts) {
                    let extra = if shared { 0 } else { verdict.heap_bytes() };
                    memo.remember(key, Rc::clone(&verdict), extra, expires_ms);
                    let [request, response] = &self.counters.memos;
                    let gauge = if phase == Phase::Request {
                        request
                    } else {
                        response
                    };
                    gauge.set(memo.is_paused(), memo.len(), memo.bytes());
                }
            }
        }
        verdict
    }

    /// Asks the component, unless the breaker is open.
    fn ask(
        &mut self,
        phase: Phase,
        plan: &Plan,
        inputs: &InputBuffer,
        now: Now,
    ) -> Result<(Verdict, Reuse), PolicyFailure> {
        let permit = self.policy.breaker.permit(now.monotonic_ms);
        if permit == Permit::Refused {
            self.counters.suspended.add_one();
            return Err(PolicyFailure::plain(FailureKind::BreakerOpen));
        }
        let result = self.call(phase, plan, inputs, now);
        match &result {
            Err(failure) if failure.kind.ends_the_instance() => {
                self.policy.breaker.failed(permit, now.monotonic_ms);
            }
            _ if permit == Permit::Probe => self.policy.breaker.succeeded(),
            _ => {}
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
        let mut place = self.slot.instance.borrow_mut();
        let Some(instance) = place.as_mut() else {
            return Err(PolicyFailure::plain(FailureKind::Trap));
        };
        let answer = inputs.with(|inputs| {
            let deadline = policy.spec().deadline;
            instance.speak_as(policy.name());
            instance.ask(&self.host.caller, deadline, phase, configured, inputs)
        });
        let percent = policy.spec().breaker.share_percent;
        let ticks = instance.ticks();
        if ticks > 0 && self.share.charge(ticks, self.host.caller.ticks(), percent) {
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
                if failure.kind.ends_the_instance() {
                    *place = None;
                }
                Err(failure)
            }
        }
    }

    fn compile(
        &self,
        phase: Phase,
        plan: &Plan,
        answer: crate::instance::Answer,
    ) -> Result<(Verdict, Reuse), PolicyFailure> {
        let grants = &self.policy.grants;
        let rules = Rules {
            phase,
            plan,
            grants,
        };
        let (verdict, reuse) = convert::v0_1::verdict(answer.verdict, &rules)
            .map_err(|why| PolicyFailure::plain(FailureKind::BadVerdict(why)))?;
        let reuse = if answer.impure { Reuse::Never } else { reuse };
        Ok((verdict, reuse))
    }

    /// The handle of this policy's configuration in the living instance; makes
    /// and configures what is missing.
    fn configured(&mut self) -> Result<ResourceAny, PolicyFailure> {
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
            return Err(PolicyFailure::plain(FailureKind::Trap));
        };
        match configure(policy, instance, caller) {
            Ok(configured) => {
                self.configured = Some((slot.generation.get(), configured));
                Ok(configured)
            }
            Err(failure) => {
                if failure.kind.ends_the_instance() {
                    *place = None;
                }
                Err(failure)
            }
        }
    }

    /// Asks again on a fresh instance and compares. The request at hand is
    /// answered with the remembered verdict either way.
    #[inline(never)]
    fn sample(&mut self, phase: Phase, facts: &dyn Facts, now: Now, remembered: &Verdict) {
        let policy = Arc::clone(&self.policy);
        let Some(plan) = policy.plan(phase) else {
            return;
        };
        let mut inputs = std::mem::take(&mut self.inputs);
        if inputs.fill(plan, facts, now).is_ok()
            && policy.breaker.permit(now.monotonic_ms) == Permit::Call
        {
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
                    self.counters.lies.add_one();
                    policy.turn_reuse_off(&format!(
                        "in the phase `{}` the same inputs gave another verdict",
                        phase.name()
                    ));
                }
                // A failure says nothing about the verdict; it counts as one.
                Err(failure) => {
                    if failure.kind.ends_the_instance() {
                        policy.breaker.failed(Permit::Call, now.monotonic_ms);
                    }
                    self.note(&failure);
                }
            }
        }
        self.inputs = inputs;
    }

    fn note(&self, failure: &PolicyFailure) {
        let counters = &self.counters;
        let counter = match failure.kind {
            FailureKind::Trap => &counters.traps,
            FailureKind::Deadline => &counters.overruns,
            FailureKind::Memory => &counters.memory,
            FailureKind::Error(_) => &counters.errors,
            FailureKind::BadVerdict(_) => &counters.bad_verdicts,
            FailureKind::BreakerOpen => &counters.suspended,
        };
        counter.add_one();
        self.policy.note_failure(failure);
    }
}

impl Drop for WorkerPolicy {
    /// Gives the configuration back, so that an instance shared by many does
    /// not fill up over reloads.
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
        // Nobody else holds the slot: the instance goes as a whole.
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

impl PhaseMemory {
    #[inline]
    fn recall(
        &mut self,
        key: &mut KeyWriter,
        plan: &Plan,
        facts: &dyn Facts,
        now: Now,
    ) -> Option<Rc<Verdict>> {
        match self {
            Self::Constant(kept) => kept
                .as_ref()
                .filter(|(_, expires_ms)| now.monotonic_ms < *expires_ms)
                .map(|(verdict, _)| Rc::clone(verdict)),
            Self::Keyed(memo) => memo
                .recall(key.write(plan, facts)?, now.monotonic_ms)
                .map(Rc::clone),
        }
    }
}

fn memory<'a>(
    request: &'a mut PhaseMemory,
    response: &'a mut PhaseMemory,
    phase: Phase,
) -> &'a mut PhaseMemory {
    match phase {
        Phase::Request | Phase::Fetched | Phase::Missing => request,
        Phase::Response => response,
    }
}

/// For how many milliseconds a verdict may be used again, or `None`.
fn lasts_ms(reuse: Reuse, max: Option<Duration>) -> Option<u64> {
    let said = match reuse {
        Reuse::Never | Reuse::Seconds(0) => return None,
        Reuse::UntilReload => u64::MAX,
        Reuse::Seconds(seconds) => u64::from(seconds) * 1_000,
    };
    let most = max.map_or(u64::MAX, |max| {
        u64::try_from(max.as_millis()).unwrap_or(u64::MAX)
    });
    Some(said.min(most)).filter(|&ms| ms > 0)
}

impl fmt::Debug for WorkerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPolicy")
            .field("policy", &self.policy.name())
            .finish_non_exhaustive()
    }
}
