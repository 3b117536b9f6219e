//! A worker's own handle on a policy, and what its last verdicts come to.
//!
//! Most policies decide the same about most requests. What does not depend on
//! the request is then worked out once, and not for each of them.

use std::cell::RefCell;
use std::rc::Rc;

use janua_http::fields::{ConstantLines, is_field_value};
use janua_wasm::{Edit, Phase, Value, Verdict, WorkerPolicy};

/// A policy on this worker.
pub(crate) struct LocalPolicy {
    pub(crate) worker: RefCell<WorkerPolicy>,
    /// By phase.
    last: [RefCell<Option<Last>>; 4],
}

/// The last verdict of a phase.
struct Last {
    verdict: Rc<Verdict>,
    /// None before it has come a second time: verdicts that differ from request
    /// to request are not worth the work.
    prepared: Option<Rc<Prepared>>,
}

/// A verdict, as far as it comes to the same for every request.
pub(crate) struct Prepared {
    /// Its edits, if all they do is to set fields to values that never change.
    pub(crate) lines: Option<ConstantLines>,
    /// A value of it points at the request.
    pub(crate) has_variables: bool,
}

impl LocalPolicy {
    pub(crate) fn new(worker: WorkerPolicy) -> Self {
        Self {
            worker: RefCell::new(worker),
            last: [const { RefCell::new(None) }; 4],
        }
    }

    /// What a verdict comes to, if it is the one that came last time too.
    pub(crate) fn prepared(&self, phase: Phase, verdict: &Rc<Verdict>) -> Option<Rc<Prepared>> {
        let mut last = self.last.get(phase as usize)?.borrow_mut();
        match &mut *last {
            Some(last) if Rc::ptr_eq(&last.verdict, verdict) => {
                let prepared = last
                    .prepared
                    .get_or_insert_with(|| Rc::new(Prepared::new(verdict)));
                Some(Rc::clone(prepared))
            }
            _ => {
                *last = Some(Last {
                    verdict: Rc::clone(verdict),
                    prepared: None,
                });
                None
            }
        }
    }
}

impl Prepared {
    pub(crate) fn new(verdict: &Verdict) -> Self {
        let mut has_variables = false;
        verdict.for_each_value(|value| has_variables |= matches!(value, Value::Parts(_)));
        let lines: Option<Vec<_>> = verdict.edits.iter().map(constant).collect();
        Self {
            lines: lines.map(ConstantLines::new),
            has_variables,
        }
    }
}

/// The line that an edit sets, if it sets one to a value that never changes.
fn constant(edit: &Edit) -> Option<(&[u8], &[u8])> {
    match edit {
        Edit::SetHeader {
            name,
            value: Value::Literal(value),
        } if is_field_value(value) => Some((name.as_bytes(), value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use janua_wasm::Part;

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
    fn only_constant_lines_are_prepared() {
        let literal = || Value::Literal(b"1"[..].into());
        let variable = || Value::Parts([Part::Input(0)].into());
        let unfit = Value::Literal(b"a\nb"[..].into());
        for (edits, has_lines, has_variables) in [
            (vec![], true, false),
            (vec![set(literal()), set(literal())], true, false),
            (vec![set(literal()), set(variable())], false, true),
            (vec![Edit::RemoveHeader("x-a".into())], false, false),
            (vec![set(unfit)], false, false),
        ] {
            let prepared = Prepared::new(&verdict(edits.clone()));
            assert_eq!(prepared.lines.is_some(), has_lines, "{edits:?}");
            assert_eq!(prepared.has_variables, has_variables, "{edits:?}");
        }
    }
}
