//! The memos of one policy on one worker: one for each phase.

use std::time::Duration;

use crate::convert::Reuse;
use crate::input::{Facts, Now, Phase};
use crate::key::KeyWriter;
use crate::memo::{Kept, Memo};
use crate::plan::Plan;
use crate::policy::Policy;

/// A memo for each phase, because the same inputs lead to other verdicts in another
/// phase.
pub(super) struct PhaseMemos {
    request: PhaseMemo,
    fetched: PhaseMemo,
    missing: PhaseMemo,
    response: PhaseMemo,
}

/// The memo of one phase.
pub(super) enum PhaseMemo {
    /// The memo key is empty, so there is one verdict.
    Constant(Option<Kept>),
    Keyed(Box<Memo>),
}

impl PhaseMemos {
    /// Empty memos for at most `budget` bytes in total, divided equally among the phases
    /// in which the policy is called.
    pub(super) fn new(policy: &Policy, budget: usize) -> Self {
        let phases = Phase::ALL
            .iter()
            .filter(|&&phase| policy.plan(phase).is_some())
            .count()
            .max(1);
        let memo = |phase| match policy.plan(phase) {
            Some(plan) if !plan.is_constant() => PhaseMemo::Keyed(Box::new(Memo::new(
                budget / phases,
                ahash::RandomState::new(),
            ))),
            _ => PhaseMemo::Constant(None),
        };
        Self {
            request: memo(Phase::Request),
            fetched: memo(Phase::Fetched),
            missing: memo(Phase::Missing),
            response: memo(Phase::Response),
        }
    }

    #[inline]
    pub(super) fn of(&mut self, phase: Phase) -> &mut PhaseMemo {
        match phase {
            Phase::Request => &mut self.request,
            Phase::Fetched => &mut self.fetched,
            Phase::Missing => &mut self.missing,
            Phase::Response => &mut self.response,
        }
    }
}

impl PhaseMemo {
    #[inline]
    pub(super) fn get(
        &mut self,
        key: &mut KeyWriter,
        plan: &Plan,
        facts: &dyn Facts,
        now: Now,
    ) -> Option<&Kept> {
        match self {
            Self::Constant(kept) => kept
                .as_ref()
                .filter(|kept| now.monotonic_ms < kept.expires_ms),
            Self::Keyed(memo) => memo.get(key.write(plan, facts)?, now.monotonic_ms),
        }
    }
}

/// For how many milliseconds a verdict may be reused. `None` if it may not.
pub(super) fn reuse_ms(reuse: Reuse, max: Option<Duration>) -> Option<u64> {
    let allowed = match reuse {
        Reuse::Never | Reuse::Seconds(0) => return None,
        Reuse::UntilReload => u64::MAX,
        Reuse::Seconds(seconds) => u64::from(seconds) * 1_000,
    };
    let most = max.map_or(u64::MAX, |max| {
        u64::try_from(max.as_millis()).unwrap_or(u64::MAX)
    });
    Some(allowed.min(most)).filter(|&ms| ms > 0)
}
