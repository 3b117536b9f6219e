//! A decision for whoever writes a policy: made as for any exchange, and with it what the
//! policy was told, under which key the verdict is remembered, and what the calls cost.

use std::sync::Arc;
use std::time::Duration;

use tracing::subscriber::{NoSubscriber, with_default};

use super::WorkerPolicy;
use super::memos::{PhaseMemo, reuse_ms};
use crate::budget;
use crate::failure::{FailureKind, PolicyFailure};
use crate::host::Slot;
use crate::input::{Facts, Input, Now, Phase};
use crate::key::KeyPart;
use crate::plan::Plan;
use crate::policy::Checked;
use crate::worker::Decision;

/// A decision and how it came about.
#[derive(Debug)]
pub struct Trial {
    /// What [`WorkerPolicy::decide`] decided.
    pub decision: Decision,
    /// The values of the plan's inputs, as the policy got them. Empty if it could not be asked.
    pub inputs: Vec<Option<String>>,
    /// The parts of the memo key. None if there is no key: it would be too long.
    pub key: Option<Vec<(Input, KeyPart)>>,
    /// The CPU time that it took to make and configure an instance. None if there was one.
    pub instance: Option<Duration>,
    /// The CPU time of the decision.
    pub first: Duration,
    /// A second call with the same inputs; none if the first one gave no verdict.
    pub second: Option<Second>,
    /// For how many milliseconds the verdict is kept in memory; `u64::MAX` until a reload.
    /// None if it is not kept.
    pub kept_ms: Option<u64>,
    /// The linear memory and the tables of the instance, in bytes. None if it was discarded.
    pub memory: Option<usize>,
}

/// How a second call went. Its verdict is never used.
#[derive(Debug)]
pub struct Second {
    /// Its CPU time.
    pub cost: Duration,
    /// Why it gave no verdict, or whether it gave the same one and for how many milliseconds
    /// that may be reused.
    pub result: Result<Same, PolicyFailure>,
}

/// A second verdict.
#[derive(Debug, Clone, Copy)]
pub struct Same {
    /// Whether it equals the first one.
    pub is_same: bool,
    /// For how many milliseconds it may be reused; `u64::MAX` until a reload. None if it says
    /// that it may not, or if the call has read a clock or random numbers.
    pub reuse_ms: Option<u64>,
}

impl WorkerPolicy {
    /// Decides, and calls the policy once more for the same inputs. What it writes to the log
    /// in the second call is dropped.
    pub fn trial(&mut self, phase: Phase, facts: &dyn Facts, now: Now) -> Trial {
        let policy = Arc::clone(&self.policy);
        let had_instance = self.memory().is_some();
        // If this fails, the decision fails in the same way, and says so.
        let (prepared, instance) = budget::exactly(|| self.prepare());
        let plan = policy.plan(phase);
        let inputs = plan.map(|plan| self.told(phase, plan, facts, now));
        let key = plan.and_then(|plan| {
            let key = self.key.write(plan, facts)?;
            Some(KeyPart::all(plan, key))
        });
        let (decision, first) = budget::exactly(|| self.decide(phase, facts, now));
        let kept_ms = plan.and_then(|plan| self.kept_ms(phase, plan, facts, now));
        let second = match (&decision, plan) {
            (Decision::Verdict { verdict, .. }, Some(plan)) => {
                let (asked, cost) = with_default(NoSubscriber::default(), || {
                    budget::exactly(|| self.ask_again(phase, plan, facts, now))
                });
                let result = asked.map(|again| Same {
                    is_same: again.verdict == **verdict,
                    reuse_ms: reuse_ms(again.reuse, policy.spec().max_reuse, now),
                });
                Some(Second { cost, result })
            }
            _ => None,
        };
        Trial {
            decision,
            inputs: inputs.unwrap_or_default(),
            key,
            instance: (!had_instance && prepared.is_ok()).then_some(instance),
            first,
            second,
            kept_ms,
            memory: self.memory(),
        }
    }

    fn told(
        &mut self,
        phase: Phase,
        plan: &Plan,
        facts: &dyn Facts,
        now: Now,
    ) -> Vec<Option<String>> {
        if self.inputs.fill(phase, plan, facts, now).is_err() {
            return Vec::new();
        }
        let owned = |inputs: &[Option<&str>]| {
            let inputs = inputs.iter();
            inputs.map(|input| input.map(str::to_owned)).collect()
        };
        self.inputs.with(owned)
    }

    fn kept_ms(&mut self, phase: Phase, plan: &Plan, facts: &dyn Facts, now: Now) -> Option<u64> {
        let memo = self.memos.of(phase);
        let kept = memo.and_then(|memo: &mut PhaseMemo| memo.get(&mut self.key, plan, facts, now));
        kept.map(|kept| match kept.expires_ms {
            u64::MAX => u64::MAX,
            expires_ms => expires_ms.saturating_sub(now.monotonic_ms),
        })
    }

    fn ask_again(
        &mut self,
        phase: Phase,
        plan: &Plan,
        facts: &dyn Facts,
        now: Now,
    ) -> Result<Checked, PolicyFailure> {
        let mut inputs = std::mem::take(&mut self.inputs);
        let asked = match inputs.fill(phase, plan, facts, now) {
            Ok(()) => self.ask(phase, plan, &inputs, facts.client(), now),
            Err(_) => Err(PolicyFailure::without_detail(FailureKind::Trap)),
        };
        self.inputs = inputs;
        asked
    }

    /// The memory of the instance that this policy is configured in.
    fn memory(&self) -> Option<usize> {
        let instances = self.slot.instances.borrow();
        let place = Slot::find(&instances, self.policy.id())?;
        let configured = instances.get(place.instance)?;
        Some(configured.instance.memory())
    }
}
