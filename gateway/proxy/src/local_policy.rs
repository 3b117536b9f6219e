//! A policy on one worker, and what of its latest verdicts was prepared.
//!
//! Most policies decide the same about most requests. Whatever of a verdict does not depend
//! on the request is then worked out once, and not for each request.

use std::cell::RefCell;
use std::rc::Rc;

use janua_http::fields::{ConstantEdits, is_field_value};
use janua_wasm::{Buckets, Edit, Effect, Now, Outcome, Phase, Plan, Value, Verdict, WorkerPolicy};

use crate::quotas::Quota;

/// The largest size of all values of a verdict together, in bytes. A verdict may repeat an
/// input thousands of times, so that without a bound a request of 30 KB took more than a
/// gigabyte.
pub(crate) const MAX_VALUES: usize = 256 * 1024;

/// A policy on one worker.
pub(crate) struct LocalPolicy {
    pub(crate) worker: RefCell<WorkerPolicy>,
    /// The latest verdict of each phase.
    latest: [RefCell<Option<Latest>>; Phase::ALL.len()],
    /// Whether the policy decides without looking at the request, in each phase.
    is_constant: [bool; Phase::ALL.len()],
}

/// The latest verdict of a phase.
struct Latest {
    verdict: Rc<Verdict>,
    /// None before it has come a second time: verdicts that differ from request to request
    /// are not worth the work.
    prepared: Option<Rc<Prepared>>,
}

/// What of a verdict is the same for every request.
pub(crate) struct Prepared {
    /// All of its edits, if none depends on the request.
    pub(crate) edits: Option<ConstantEdits>,
    /// One of its values depends on the request, or its literals are larger than values may
    /// be. Other literals need no rendering.
    pub(crate) needs_rendering: bool,
    /// There is nothing to do but to make these edits.
    is_only_edits: bool,
    /// The quotas of its takes, in order.
    pub(crate) quotas: Vec<Quota>,
}

impl LocalPolicy {
    pub(crate) fn new(worker: WorkerPolicy) -> Self {
        let mut is_constant = [false; Phase::ALL.len()];
        for phase in Phase::ALL {
            let plan = worker.policy().plan(phase);
            if let Some(slot) = is_constant.get_mut(phase as usize) {
                *slot = plan.is_some_and(Plan::is_constant);
            }
        }
        Self {
            worker: RefCell::new(worker),
            latest: [const { RefCell::new(None) }; Phase::ALL.len()],
            is_constant,
        }
    }

    /// What was prepared of a verdict, if it was the latest one before too.
    pub(crate) fn prepared(
        &self,
        phase: Phase,
        verdict: &Rc<Verdict>,
        buckets: &Buckets,
    ) -> Option<Rc<Prepared>> {
        let mut latest = self.latest.get(phase as usize)?.borrow_mut();
        match &mut *latest {
            Some(latest) if Rc::ptr_eq(&latest.verdict, verdict) => {
                let prepared = latest.prepared.get_or_insert_with(|| {
                    let worker = self.worker.borrow();
                    Rc::new(Prepared::new(verdict, worker.policy().name(), buckets))
                });
                Some(Rc::clone(prepared))
            }
            _ => {
                *latest = Some(Latest {
                    verdict: Rc::clone(verdict),
                    prepared: None,
                });
                None
            }
        }
    }

    /// Whether the policy decides without looking at the request in this phase.
    #[inline]
    pub(crate) fn is_constant(&self, phase: Phase) -> bool {
        self.is_constant.get(phase as usize) == Some(&true)
    }

    /// Passes edits to `edit` if the policy decides without looking at the request, and
    /// decides to make these edits and to do nothing else. Otherwise, which is false, it has
    /// to be asked.
    pub(crate) fn edits_always(
        &self,
        phase: Phase,
        now: Now,
        edit: impl FnOnce(&ConstantEdits),
    ) -> bool {
        let Some(latest) = self.latest.get(phase as usize) else {
            return false;
        };
        let latest = latest.borrow();
        if let Some(Latest { verdict, prepared }) = &*latest
            && let Some(prepared) = prepared
            && let Some(edits) = prepared.only_edits()
            && self.worker.borrow_mut().repeats(verdict, phase, now)
        {
            edit(edits);
            return true;
        }
        false
    }
}

impl Prepared {
    /// The edits, if there is nothing else to do.
    pub(crate) fn only_edits(&self) -> Option<&ConstantEdits> {
        self.edits.as_ref().filter(|_| self.is_only_edits)
    }

    pub(crate) fn new(verdict: &Verdict, policy: &str, buckets: &Buckets) -> Self {
        let mut has_variables = false;
        let mut literals = 0;
        verdict.for_each_value(|_, value| match value {
            Value::Parts(_) => has_variables = true,
            Value::Literal(text) => literals += text.len(),
        });
        let is_too_large = literals > MAX_VALUES;
        let edits = constant(&verdict.edits).filter(|_| !is_too_large);
        let quotas = verdict.effects.iter().filter_map(|effect| match effect {
            Effect::Take(take) => Some(Quota::new(policy, &take.bucket, buckets)),
            _ => None,
        });
        Self {
            is_only_edits: edits.is_some()
                && verdict.effects.is_empty()
                && verdict.outcome == Outcome::Proceed
                && verdict.response_edits.is_empty()
                && verdict.annotations.is_empty(),
            edits,
            needs_rendering: has_variables || is_too_large,
            quotas: quotas.collect(),
        }
    }
}

/// The edits, if none depends on the request.
fn constant(edits: &[Edit]) -> Option<ConstantEdits> {
    let mut constant = ConstantEdits::default();
    for edit in edits {
        match edit {
            Edit::SetHeader {
                name,
                value: Value::Literal(value),
            } if is_field_value(value) => constant.set(name.as_bytes(), value),
            Edit::RemoveHeader(name) => constant.remove(name.as_bytes()),
            _ => return None,
        }
    }
    Some(constant)
}

#[cfg(test)]
mod tests {
    use janua_wasm::{Annotation, BucketOptions, Part};

    use super::*;

    fn verdict(edits: Vec<Edit>) -> Verdict {
        Verdict {
            edits: edits.into(),
            ..Verdict::proceed()
        }
    }

    fn set(value: Value) -> Edit {
        Edit::SetHeader {
            name: "x-a".into(),
            value,
        }
    }

    #[test]
    fn only_what_is_constant_is_prepared() {
        let literal = || Value::Literal(b"1"[..].into());
        let variable = || Value::Parts([Part::Input(0)].into());
        let unfit = Value::Literal(b"a\nb"[..].into());
        let removed = || Edit::RemoveHeader("x-a".into());
        let buckets = Buckets::new(&BucketOptions { capacity: 64 });
        let large = || set(Value::Literal([b'a'; 8 * 1024][..].into()));
        for (edits, is_constant, needs_rendering) in [
            (vec![], true, false),
            (vec![set(literal()), set(literal())], true, false),
            (vec![set(literal()), set(variable())], false, true),
            (vec![removed(), set(literal())], true, false),
            (vec![set(unfit)], false, false),
            (vec![Edit::SetStatus(404)], false, false),
            ((0..32).map(|_| large()).collect(), true, false),
            ((0..33).map(|_| large()).collect(), false, true),
        ] {
            let verdict = verdict(edits);
            let prepared = Prepared::new(&verdict, "policy", &buckets);
            assert_eq!(prepared.edits.is_some(), is_constant, "{verdict:?}");
            assert_eq!(prepared.is_only_edits, is_constant, "{verdict:?}");
            assert_eq!(prepared.needs_rendering, needs_rendering, "{verdict:?}");
        }
        let more = [
            Verdict {
                annotations: [Annotation {
                    name: "note".into(),
                    value: literal(),
                }]
                .into(),
                ..Verdict::proceed()
            },
            Verdict {
                response_edits: [removed()].into(),
                ..Verdict::proceed()
            },
            Verdict {
                effects: [Effect::CacheTag(literal())].into(),
                ..Verdict::proceed()
            },
            Verdict {
                outcome: Outcome::Serve(literal()),
                ..Verdict::proceed()
            },
        ];
        for verdict in more {
            let prepared = Prepared::new(&verdict, "policy", &buckets);
            assert!(
                prepared.edits.is_some() && !prepared.is_only_edits,
                "{verdict:?}"
            );
        }
    }
}
