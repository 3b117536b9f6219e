//! What a worker remembers of one policy, by phase.

use std::rc::Rc;
use std::time::Duration;

use crate::convert::Reuse;
use crate::input::{Facts, Now, Phase};
use crate::key::KeyWriter;
use crate::memo::Memo;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::verdict::Verdict;

/// A memory for each phase: the same inputs mean another verdict in another.
pub(super) struct PhaseMemos {
    request: PhaseMemo,
    fetched: PhaseMemo,
    missing: PhaseMemo,
    response: PhaseMemo,
}

/// What one phase remembers.
pub(super) enum PhaseMemo {
    /// The policy declared no inputs: one verdict, no key.
    Constant(Option<(Rc<Verdict>, u64)>),
    Keyed(Box<Memo>),
}

impl PhaseMemos {
    /// Empty ones that hold `keys` bytes together: each phase that the policy
    /// takes part in has an equal share.
    pub(super) fn new(policy: &Policy, keys: usize) -> Self {
        let phases = Phase::ALL
            .iter()
            .filter(|&&phase| policy.plan(phase).is_some())
            .count()
            .max(1);
        let memo = |phase| match policy.plan(phase) {
            Some(plan) if !plan.is_constant() => PhaseMemo::Keyed(Box::new(Memo::new(
                keys / phases,
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
    ) -> Option<Rc<Verdict>> {
        match self {
            Self::Constant(kept) => kept
                .as_ref()
                .filter(|(_, expires_ms)| now.monotonic_ms < *expires_ms)
                .map(|(verdict, _)| Rc::clone(verdict)),
            Self::Keyed(memo) => memo
                .get(key.write(plan, facts)?, now.monotonic_ms)
                .map(Rc::clone),
        }
    }
}

/// For how many milliseconds a verdict may be used again, or `None`.
pub(super) fn reuse_ms(reuse: Reuse, max: Option<Duration>) -> Option<u64> {
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
