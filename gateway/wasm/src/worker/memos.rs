//! The memos of one policy on one worker: one for each phase.

use std::rc::Rc;
use std::time::Duration;

use crate::allowance::Allowance;
use crate::convert::Reuse;
use crate::input::{Facts, Now, Phase};
use crate::key::KeyWriter;
use crate::memo::{Kept, Memo};
use crate::plan::Plan;
use crate::policy::Policy;

/// A memo for each phase, because the same inputs lead to other verdicts in another
/// phase.
pub(super) struct PhaseMemos([PhaseMemo; Phase::ALL.len()]);

/// A constant verdict of up to this size is kept even if there is no memory left for memos: a
/// call for each request would cost more.
const ALWAYS_KEPT: usize = 1024;

/// The memo of one phase.
pub(super) enum PhaseMemo {
    /// The memo key is empty, so there is one verdict.
    Constant(Option<Constant>),
    Keyed(Box<Memo>),
}

/// The verdict of a phase without inputs.
pub(super) struct Constant {
    pub(super) kept: Kept,
    /// The size that was taken from the allowance; 0 if the interner counts it.
    bytes: usize,
}

impl PhaseMemos {
    /// Empty memos for at most `budget` bytes in total, divided equally among the phases
    /// in which the policy is called.
    pub(super) fn new(policy: &Policy, budget: usize, allowance: &Rc<Allowance>) -> Self {
        let phases = Phase::ALL
            .iter()
            .filter(|&&phase| policy.plan(phase).is_some())
            .count()
            .max(1);
        let memo = |phase| match policy.plan(phase) {
            Some(plan) if !plan.is_constant() => PhaseMemo::Keyed(Box::new(Memo::new(
                budget / phases,
                ahash::RandomState::new(),
                Rc::clone(allowance),
            ))),
            _ => PhaseMemo::Constant(None),
        };
        Self(Phase::ALL.map(memo))
    }

    #[inline]
    pub(super) fn of(&mut self, phase: Phase) -> Option<&mut PhaseMemo> {
        self.0.get_mut(phase as usize)
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
            Self::Constant(constant) => constant
                .as_ref()
                .map(|constant| &constant.kept)
                .filter(|kept| now.monotonic_ms < kept.expires_ms),
            Self::Keyed(memo) => memo.get(key.write(plan, facts)?, now.monotonic_ms),
        }
    }
}

impl Constant {
    /// Keeps a verdict instead of the one that was kept before. None if there is no memory for
    /// it. `bytes` is its size, or 0 if the interner counts it.
    pub(super) fn replace(
        old: Option<Self>,
        kept: Kept,
        bytes: usize,
        allowance: &Allowance,
    ) -> Option<Self> {
        allowance.give(old.map_or(0, |old| old.bytes));
        let bytes = match bytes <= ALWAYS_KEPT {
            true => 0,
            false => bytes,
        };
        allowance.take(bytes).then_some(Self { kept, bytes })
    }
}

/// For how many milliseconds a verdict may be reused. `None` if it may not.
pub(super) fn reuse_ms(reuse: Reuse, max: Option<Duration>, now: Now) -> Option<u64> {
    let allowed = match reuse {
        Reuse::Never => return None,
        Reuse::UntilReload => u64::MAX,
        Reuse::Seconds(seconds) => u64::from(seconds) * 1_000,
        // The current second may be nearly over: what remains is rounded down.
        Reuse::Until(moment) => moment
            .saturating_sub(now.unix_seconds)
            .saturating_sub(1)
            .saturating_mul(1_000),
    };
    let most = max.map_or(u64::MAX, |max| {
        u64::try_from(max.as_millis()).unwrap_or(u64::MAX)
    });
    Some(allowed.min(most)).filter(|&ms| ms > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_reused_for_as_long_as_it_and_the_operator_say() {
        let now = Now {
            monotonic_ms: 5,
            unix_seconds: 1_000,
        };
        let minute = Some(Duration::from_secs(60));
        for (reuse, max, expected) in [
            (Reuse::Never, None, None),
            (Reuse::Seconds(0), None, None),
            (Reuse::Seconds(2), None, Some(2_000)),
            (Reuse::Seconds(120), minute, Some(60_000)),
            (Reuse::UntilReload, None, Some(u64::MAX)),
            (Reuse::UntilReload, minute, Some(60_000)),
            (Reuse::UntilReload, Some(Duration::ZERO), None),
            (Reuse::Until(999), None, None),
            (Reuse::Until(1_001), None, None),
            (Reuse::Until(1_003), None, Some(2_000)),
            (Reuse::Until(u64::MAX), minute, Some(60_000)),
        ] {
            assert_eq!(reuse_ms(reuse, max, now), expected, "{reuse:?}, {max:?}");
        }
    }
}
