//! The policies of one worker: reuses cached verdicts and calls the component for
//! others.

mod call;
mod memos;
mod sample;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceAny;

use self::memos::{PhaseMemo, PhaseMemos, reuse_ms};
use crate::client::ClientKey;
use crate::convert::Reuse;
use crate::counters::Counters;
use crate::failure::{FailureKind, PolicyFailure};
use crate::host::{Slot, WorkerHost};
use crate::input::{Facts, Input, Now, Phase};
use crate::input_buffer::InputBuffer;
use crate::interner::{Interned, Interner};
use crate::key::KeyWriter;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::sampler::Sampler;
use crate::throttle::Throttle;
use crate::verdict::Verdict;

/// The result of asking a policy about an exchange.
#[derive(Debug)]
pub enum Decision {
    /// A verdict, to be carried out.
    Verdict {
        /// The verdict.
        verdict: Rc<Verdict>,
        /// Whether it was reused.
        reused: bool,
    },
    /// This declared input is not UTF-8: the request is answered 400.
    NotUtf8(Input),
    /// The call failed; [`Policy::on_error`] decides about the request.
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
    memos: PhaseMemos,
    sampler: Sampler,
    throttle: Throttle,
    /// The client whose call ended the last instance, if it was a call of this policy.
    debtor: Option<ClientKey>,
    /// The cost of the last call.
    cost: Duration,
    counters: Arc<Counters>,
    proceed: Rc<Verdict>,
}

impl WorkerPolicy {
    /// A policy on this worker, with empty memos and without an instance.
    pub fn new(policy: Arc<Policy>, host: Rc<WorkerHost>) -> Self {
        let budget = policy.spec().memo_bytes;
        // A quarter for shared verdicts, the rest for the memos.
        let verdicts = budget / 4;
        Self {
            memos: PhaseMemos::new(&policy, budget - verdicts),
            key: KeyWriter::new(&host.runtime.mac_key()),
            inputs: InputBuffer::default(),
            interner: Interner::new(verdicts),
            sampler: Sampler::new(policy.spec().sample),
            throttle: Throttle::new(&policy.spec().throttle),
            debtor: None,
            cost: Duration::ZERO,
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

    /// Creates and configures the instance now rather than at the first request.
    ///
    /// # Errors
    /// The failures of any call. The next request tries again.
    pub fn prepare(&mut self) -> Result<(), PolicyFailure> {
        self.configured().map(|_| ())
    }

    /// Decides about an exchange: reuses a verdict if possible, else calls the policy.
    /// Never waits. Takes tens of nanoseconds for a reused verdict, otherwise at most
    /// about the policy's deadline in CPU time.
    pub fn decide(&mut self, phase: Phase, facts: &dyn Facts, now: Now) -> Decision {
        // A hit does not clone the `Arc` of the policy: all workers would contend for its
        // reference count.
        let Some(plan) = self.policy.plan(phase) else {
            return Decision::Verdict {
                verdict: Rc::clone(&self.proceed),
                reused: true,
            };
        };
        let may_reuse = self.may_reuse();
        if may_reuse {
            let memo = self.memos.of(phase);
            if let Some(verdict) = memo.get(&mut self.key, plan, facts, now) {
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

    /// True if [`Self::decide`] would decide this very verdict from memory whatever the
    /// request is, because the policy asked for no inputs. It then counts as a decision.
    /// Otherwise `decide` has to be called.
    #[inline]
    pub fn repeats(&mut self, verdict: &Rc<Verdict>, phase: Phase, now: Now) -> bool {
        let is_remembered = match self.memos.of(phase) {
            PhaseMemo::Constant(Some((kept, expires_ms))) => {
                Rc::ptr_eq(kept, verdict) && now.monotonic_ms < *expires_ms
            }
            PhaseMemo::Constant(None) | PhaseMemo::Keyed(_) => false,
        };
        // To compare a verdict with a fresh one takes the request.
        if !is_remembered || !self.may_reuse() || self.sampler.is_due_next() {
            return false;
        }
        self.sampler.is_due();
        self.counters.hits.add_one();
        true
    }

    fn may_reuse(&self) -> bool {
        self.policy.spec().memo && !self.policy.is_reuse_disabled()
    }

    #[inline(never)]
    fn miss(&mut self, phase: Phase, facts: &dyn Facts, now: Now, may_reuse: bool) -> Decision {
        let policy = Arc::clone(&self.policy);
        let Some(plan) = policy.plan(phase) else {
            return Decision::Failed(PolicyFailure::without_detail(FailureKind::Trap));
        };
        self.counters.misses.add_one();
        let mut inputs = std::mem::take(&mut self.inputs);
        let decision = match inputs.fill(plan, facts, now) {
            Ok(()) => match self.ask(phase, plan, &inputs, facts.client(), now) {
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

    /// Caches a verdict for as long as it may be reused.
    fn keep(
        &mut self,
        phase: Phase,
        plan: &Plan,
        facts: &dyn Facts,
        now: Now,
        verdict: Verdict,
        reuse: Reuse,
    ) -> Rc<Verdict> {
        let Some(reuse_ms) = reuse_ms(reuse, self.policy.spec().max_reuse) else {
            return Rc::new(verdict);
        };
        let expires_ms = now.monotonic_ms.saturating_add(reuse_ms);
        let Interned { verdict, shared } = self.interner.intern(verdict);
        match self.memos.of(phase) {
            PhaseMemo::Constant(kept) => *kept = Some((Rc::clone(&verdict), expires_ms)),
            PhaseMemo::Keyed(memo) => {
                if let Some(key) = self.key.write(plan, facts) {
                    let extra = if shared { 0 } else { verdict.heap_bytes() };
                    memo.insert(key, Rc::clone(&verdict), extra, expires_ms);
                    let gauge = self.counters.memo(phase);
                    gauge.set(memo.is_paused(), memo.len(), memo.bytes());
                }
            }
        }
        verdict
    }
}

impl fmt::Debug for WorkerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPolicy")
            .field("policy", &self.policy.name())
            .finish_non_exhaustive()
    }
}
