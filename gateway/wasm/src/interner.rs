//! Shares equal verdicts, so that the memo holds each only once. The number and size of
//! shared verdicts are limited, because random keys can lead to random verdicts.

use std::rc::Rc;

use ahash::RandomState;
use hashbrown::HashTable;

use crate::allowance::Allowance;
use crate::verdict::Verdict;

/// The maximum number of shared verdicts.
const MAX_VERDICTS: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Interner {
    hasher: RandomState,
    verdicts: HashTable<Rc<Verdict>>,
    allowance: Rc<Allowance>,
    bytes: usize,
    budget: usize,
}

/// A verdict, and whether the interner counts its size. If not, the memo does.
pub(crate) struct Interned {
    pub(crate) verdict: Rc<Verdict>,
    pub(crate) shared: bool,
}

impl Interner {
    pub(crate) fn new(budget: usize, allowance: Rc<Allowance>) -> Self {
        Self {
            hasher: RandomState::new(),
            verdicts: HashTable::new(),
            allowance,
            bytes: 0,
            budget,
        }
    }

    pub(crate) fn intern(&mut self, verdict: Verdict) -> Interned {
        let hash = self.hasher.hash_one(&verdict);
        if let Some(found) = self.verdicts.find(hash, |other| **other == verdict) {
            return Interned {
                verdict: Rc::clone(found),
                shared: true,
            };
        }
        let bytes = verdict.heap_bytes();
        let verdict = Rc::new(verdict);
        if !self.has_room(bytes) {
            self.sweep();
        }
        let shared = self.has_room(bytes) && self.allowance.take(bytes);
        if shared {
            self.bytes += bytes;
            let hasher = &self.hasher;
            self.verdicts
                .insert_unique(hash, Rc::clone(&verdict), |v| hasher.hash_one(v));
        }
        Interned { verdict, shared }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.verdicts.len() < MAX_VERDICTS && self.bytes + bytes <= self.budget
    }

    /// Drops the verdicts that are no longer used elsewhere.
    fn sweep(&mut self) {
        let before = self.bytes;
        let bytes = &mut self.bytes;
        self.verdicts.retain(|verdict| {
            let held = Rc::strong_count(verdict) > 1;
            if !held {
                *bytes -= verdict.heap_bytes();
            }
            held
        });
        self.allowance.give(before - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::allowance::Account;
    use crate::verdict::{Annotation, Value};

    fn bounded(budget: usize, all: usize) -> Interner {
        let account = Arc::new(Account::new(all));
        Interner::new(budget, Rc::new(Allowance::new(account)))
    }

    fn verdict(note: usize) -> Verdict {
        Verdict {
            annotations: [Annotation {
                name: "note".into(),
                value: Value::Literal(note.to_string().into_bytes().into()),
            }]
            .into(),
            ..Verdict::proceed()
        }
    }

    #[test]
    fn equal_verdicts_are_one() {
        let mut interner = bounded(10_000, usize::MAX);
        let a = interner.intern(verdict(1));
        let b = interner.intern(verdict(1));
        let c = interner.intern(verdict(2));
        assert!(Rc::ptr_eq(&a.verdict, &b.verdict));
        assert!(!Rc::ptr_eq(&a.verdict, &c.verdict));
    }

    #[test]
    fn is_limited_and_drops_unused_verdicts() {
        let mut interner = bounded(usize::MAX, usize::MAX);
        let held: Vec<_> = (0..MAX_VERDICTS)
            .map(|n| interner.intern(verdict(n)))
            .collect();
        assert!(held.iter().all(|interned| interned.shared));
        assert!(
            !interner.intern(verdict(5_000)).shared,
            "all verdicts are in use"
        );
        drop(held);
        assert!(interner.intern(verdict(5_001)).shared);
        assert_eq!(interner.verdicts.len(), 1);
        let mut tiny = bounded(1, usize::MAX);
        assert!(!tiny.intern(verdict(1)).shared);
        assert_eq!(tiny.bytes, 0);
        let mut poor = bounded(usize::MAX, 1);
        assert!(!poor.intern(verdict(1)).shared);
        assert_eq!(poor.allowance.used(), 0);
    }
}
