//! Compares a reused verdict with a fresh one, off the workers.

use std::sync::Arc;

use crate::capabilities::Used;
use crate::configured::Configured;
use crate::deadline::Caller;
use crate::failure::{FailureKind, PolicyFailure};
use crate::family::Family;
use crate::input::Phase;
use crate::input_buffer::InputBuffer;
use crate::memo::Kept;
use crate::policy::{Checked, Policy};
use crate::verdict::Verdict;

/// After this many samples an instance is replaced, so that what it has seen says nothing
/// about what a fresh one would decide.
const MAX_SAMPLES: u32 = 64;

/// A verdict that was reused, with what it was made of.
pub(crate) struct Sample {
    turn: Turn,
    phase: Phase,
    inputs: InputBuffer,
    reused: Verdict,
    /// The resources that it depends on.
    used: Vec<Used>,
    now_ms: u64,
}

/// The turn of a policy: it has one sample in the queue at most, so that the samples of a
/// slow one do not keep the others from being compared.
pub(crate) struct Turn(Arc<Policy>);

impl Turn {
    /// None while another sample of the policy is waiting.
    pub(crate) fn claim(policy: &Arc<Policy>) -> Option<Self> {
        policy.claim_sample().then(|| Self(Arc::clone(policy)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.release_sample();
    }
}

impl Sample {
    pub(crate) fn new(
        turn: Turn,
        phase: Phase,
        inputs: InputBuffer,
        reused: &Kept,
        now_ms: u64,
    ) -> Self {
        Self {
            turn,
            phase,
            inputs,
            reused: Verdict::clone(&reused.verdict),
            used: reused.tie.as_ref().map_or_else(Vec::new, |tie| tie.used()),
            now_ms,
        }
    }

    pub(crate) fn family(&self) -> &Arc<Family> {
        self.turn.0.family()
    }

    /// Asks a spare instance of the policy, or a new one, and compares the verdicts. True
    /// if spares are to be made afterwards.
    pub(crate) fn compare(self, caller: &Caller) -> bool {
        let policy = &self.turn.0;
        let family = policy.family();
        let spare = family.take_spare(policy.id());
        let mut is_wanted = spare.is_none();
        let fresh = match spare.map_or_else(|| fresh(policy, caller), Ok) {
            Ok(mut spare) => {
                let fresh = self.ask(&mut spare, caller);
                spare.samples += 1;
                let may_stay = match &fresh {
                    Err(failure) => !failure.kind.discards_instance(),
                    Ok(_) => !spare.instance.should_be_recycled(),
                };
                if may_stay && spare.samples < MAX_SAMPLES {
                    family.put_spare(spare);
                } else {
                    is_wanted = true;
                }
                fresh
            }
            Err(failure) => {
                is_wanted = false;
                Err(failure)
            }
        };
        match fresh {
            Ok(fresh) if fresh.verdict == self.reused => {}
            // The reused verdict is not reused any more.
            Ok(_) if !policy.resources_are_as(&self.used) => {}
            Ok(_) => {
                policy.background().mismatches.add_one();
                policy.disable_reuse(&format!(
                    "in the phase `{}` the same inputs gave another verdict",
                    self.phase.name()
                ));
            }
            Err(failure) => self.failed(&failure),
        }
        is_wanted
    }

    fn ask(&self, spare: &mut Configured, caller: &Caller) -> Result<Checked, PolicyFailure> {
        let policy = &self.turn.0;
        let missing = || PolicyFailure::without_detail(FailureKind::Trap);
        let configured = spare.handle(policy.id()).ok_or_else(missing)?;
        let plan = policy.plan(self.phase).ok_or_else(missing)?;
        let position = policy
            .declaration
            .position(self.phase)
            .ok_or_else(missing)?;
        let deadline = policy.spec().deadline;
        let instance = &mut spare.instance;
        instance.log_as(policy.speaker());
        let borrower = policy.borrower();
        let answer = self.inputs.with(|inputs| {
            instance.ask(caller, deadline, position, configured, borrower, inputs)
        })?;
        policy.checked(self.phase, plan, answer)
    }

    /// A failure does not mean that the verdict is wrong. It does not count for the breaker,
    /// because it is no client's.
    fn failed(&self, failure: &PolicyFailure) {
        let policy = &self.turn.0;
        policy.background().count_failure(&failure.kind);
        policy.note_failure(failure);
        if let Some(unreported) = policy.admit_failure(self.now_ms) {
            tracing::warn!(
                policy = &**policy.name(),
                phase = self.phase.name(),
                error = failure.to_string().as_str(),
                unreported,
                "the policy failed while a reused verdict was compared with a fresh one"
            );
        }
    }
}

fn fresh(policy: &Policy, caller: &Caller) -> Result<Configured, PolicyFailure> {
    let mut instance = Configured::new(policy, caller)?;
    instance.add(policy, caller)?;
    Ok(instance)
}
