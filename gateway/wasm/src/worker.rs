//! The policies of one worker: reuses cached verdicts and calls the component for
//! others.

mod call;
mod memos;
mod sample;
mod trial;

pub use trial::{Same, Second, Trial};

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::memos::{Constant, PhaseMemo, PhaseMemos, reuse_ms};
use crate::allowance::Allowance;
use crate::capabilities::{Tie, Used};
use crate::client::ClientKey;
use crate::convert::Reuse;
use crate::counters::Counters;
use crate::failure::{FailureKind, PolicyFailure};
use crate::host::{Slot, WorkerHost};
use crate::input::{Facts, Now, Phase};
use crate::input_buffer::{BadInput, InputBuffer};
use crate::interner::{Interned, Interner};
use crate::key::KeyWriter;
use crate::memo::Kept;
use crate::plan::Plan;
use crate::policy::{Checked, Policy};
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
    /// A declared input cannot be passed to the policy: the request is answered 400.
    BadInput(BadInput),
    /// The call failed; [`Policy::on_error`] decides about the request.
    Failed(PolicyFailure),
}

/// One policy on one worker.
pub struct WorkerPolicy {
    policy: Arc<Policy>,
    host: Rc<WorkerHost>,
    slot: Rc<Slot>,
    key: KeyWriter,
    inputs: InputBuffer,
    interner: Interner,
    memos: PhaseMemos,
    /// What both of them use.
    allowance: Rc<Allowance>,
    sampler: Sampler,
    throttle: Throttle,
    /// That of the verdict that was made last.
    last_tie: Option<Rc<Tie>>,
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
        let allowance = Rc::new(host.runtime.allowance());
        Self {
            memos: PhaseMemos::new(&policy, budget - verdicts, &allowance),
            key: KeyWriter::new(&host.runtime.mac_key()),
            inputs: InputBuffer::default(),
            interner: Interner::new(verdicts, Rc::clone(&allowance)),
            allowance,
            sampler: Sampler::new(policy.spec().sample),
            throttle: Throttle::new(&policy.spec().throttle),
            last_tie: None,
            debtor: None,
            cost: Duration::ZERO,
            counters: policy.counters.join(),
            slot: host.slot(&policy),
            proceed: Rc::new(Verdict::proceed()),
            policy,
            host,
        }
    }

    /// The policy.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Creates and configures an instance on this thread, unless the policy has one.
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
            let found = memo.and_then(|memo| memo.get(&mut self.key, plan, facts, now));
            let resources = self.host.runtime.resources();
            if let Some(kept) = found.filter(|kept| kept.holds(resources)) {
                let verdict = Rc::clone(&kept.verdict);
                self.counters.hits.add_one();
                if self.sampler.is_due() {
                    let kept = kept.clone();
                    self.sample(phase, facts, now, &kept);
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
            Some(PhaseMemo::Constant(Some(Constant { kept, .. }))) => {
                Rc::ptr_eq(&kept.verdict, verdict)
                    && now.monotonic_ms < kept.expires_ms
                    && kept.holds(self.host.runtime.resources())
            }
            _ => false,
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
        let filled = inputs.fill(phase, plan, facts, now);
        if let Some(lost) = inputs.lost() {
            policy.log_lost(lost, now.monotonic_ms);
        }
        let decision = match filled {
            Ok(()) => match self.ask(phase, plan, &inputs, facts.client(), now) {
                Ok(mut fresh) => {
                    if !may_reuse {
                        fresh.reuse = Reuse::Never;
                    }
                    Decision::Verdict {
                        verdict: self.keep(phase, plan, facts, now, fresh),
                        reused: false,
                    }
                }
                Err(failure) => Decision::Failed(failure),
            },
            Err(bad) => Decision::BadInput(bad),
        };
        inputs.shrink();
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
        fresh: Checked,
    ) -> Rc<Verdict> {
        let Some(reuse_ms) = reuse_ms(fresh.reuse, self.policy.spec().max_reuse, now) else {
            return Rc::new(fresh.verdict);
        };
        let tie = self.tie(fresh.used);
        let expires_ms = now.monotonic_ms.saturating_add(reuse_ms);
        let Interned { verdict, shared } = self.interner.intern(fresh.verdict);
        let extra = if shared { 0 } else { verdict.heap_bytes() };
        let kept = Kept {
            verdict: Rc::clone(&verdict),
            expires_ms,
            asked_at: now.unix_seconds,
            tie,
        };
        match self.memos.of(phase) {
            Some(PhaseMemo::Constant(constant)) => {
                *constant = Constant::replace(constant.take(), kept, extra, &self.allowance);
            }
            Some(PhaseMemo::Keyed(memo)) => {
                if let Some(key) = self.key.write(plan, facts) {
                    memo.insert(key, kept, extra);
                    if let Some(gauge) = self.counters.memo(phase) {
                        gauge.set(memo.is_paused(), memo.len());
                    }
                }
            }
            None => {}
        }
        self.counters.set_memo_bytes(self.allowance.used());
        verdict
    }

    /// The tie of a verdict to the resources that its call has used. Verdicts that were made
    /// with the same state share one, and most are.
    fn tie(&mut self, used: Vec<Used>) -> Option<Rc<Tie>> {
        match &self.last_tie {
            Some(last) if last.is_as(&used) => Some(Rc::clone(last)),
            _ => {
                let tie = Rc::new(Tie::new(used)?);
                self.last_tie = Some(Rc::clone(&tie));
                Some(tie)
            }
        }
    }
}

impl fmt::Debug for WorkerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPolicy")
            .field("policy", &self.policy.name())
            .finish_non_exhaustive()
    }
}
