use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::allowance::Account;
use crate::verdict::{Annotation, Value};

/// Every key has the same hash.
#[derive(Clone, Debug, Default)]
struct Colliding;

impl BuildHasher for Colliding {
    type Hasher = Always;
    fn build_hasher(&self) -> Always {
        Always
    }
}

struct Always;

impl Hasher for Always {
    fn finish(&self) -> u64 {
        0x1234_5678_9abc_def0
    }
    fn write(&mut self, _: &[u8]) {}
}

fn verdict(of: &[u8]) -> Rc<Verdict> {
    Rc::new(Verdict {
        annotations: [Annotation {
            name: "note".into(),
            value: Value::Literal(format!("{of:?}").into_bytes().into()),
        }]
        .into(),
        ..Verdict::proceed()
    })
}

fn until(verdict: Rc<Verdict>, expires_ms: u64) -> Kept {
    Kept {
        verdict,
        expires_ms,
        asked_at: 0,
        tie: None,
    }
}

/// Decides as a policy that is a pure function of its inputs. Returns also whether the
/// verdict was found.
fn ask<S: BuildHasher>(memo: &mut Memo<S>, key: &[u8], now: u64) -> (Rc<Verdict>, bool) {
    if let Some(found) = memo.get(key, now) {
        return (Rc::clone(&found.verdict), true);
    }
    let fresh = verdict(key);
    memo.insert(key, until(Rc::clone(&fresh), u64::MAX), 0);
    (fresh, false)
}

fn allowance(account: &Arc<Account>) -> Rc<Allowance> {
    Rc::new(Allowance::new(Arc::clone(account)))
}

fn unlimited() -> Rc<Allowance> {
    allowance(&Arc::new(Account::new(usize::MAX)))
}

fn keyed(budget: usize) -> Memo {
    Memo::new(budget, ahash::RandomState::new(), unlimited())
}

impl<S: BuildHasher> Memo<S> {
    /// The sums and queues agree with the entries.
    fn check(&self) {
        let living: Vec<_> = self.entries.iter().flatten().collect();
        assert_eq!(self.bytes, living.iter().map(|e| e.bytes).sum::<usize>());
        let small = living.iter().filter(|e| e.in_small).map(|e| e.bytes);
        assert_eq!(self.small_bytes, small.sum::<usize>());
        assert_eq!(self.index.len(), living.len());
        assert_eq!(self.small.len() + self.main.len(), living.len());
        assert_eq!(self.free.len() + living.len(), self.entries.len());
        assert!(self.bytes <= self.budget);
        let ghost = self.ghost.slots.len() * size_of::<u32>();
        assert_eq!(self.allowance.used(), self.bytes + ghost);
    }
}

#[test]
fn remembers_until_it_expires() {
    let mut memo = keyed(100_000);
    memo.insert(b"k", until(verdict(b"k"), 100), 0);
    assert!(memo.get(b"k", 99).is_some());
    assert!(memo.get(b"k", 100).is_none());
    memo.insert(b"k", until(verdict(b"new"), 200), 0);
    assert_eq!(memo.get(b"k", 100), Some(&until(verdict(b"new"), 200)));
    assert_eq!(memo.len(), 1);
    memo.check();
}

#[test]
fn equal_hashes_do_not_cross() {
    let mut memo = Memo::new(1_000_000, Colliding, unlimited());
    for n in 0..500_u32 {
        assert!(!ask(&mut memo, &n.to_le_bytes(), 0).1);
    }
    for n in 0..500_u32 {
        let (found, reused) = ask(&mut memo, &n.to_le_bytes(), 0);
        assert!(reused);
        assert_eq!(found, verdict(&n.to_le_bytes()));
    }
    memo.check();
}

#[test]
fn stays_within_its_budget() {
    let mut memo = keyed(64 * 1024);
    for n in 0..20_000_u32 {
        ask(&mut memo, &n.to_le_bytes(), 0);
        if n % 97 == 0 {
            memo.check();
        }
    }
    assert!(memo.len() > 100, "most of the budget is used");
    let large = vec![0; 64 * 1024];
    memo.insert(&large, until(verdict(b""), u64::MAX), 0);
    assert!(memo.get(&large, 0).is_none());
    memo.check();
}

#[test]
fn random_keys_do_not_push_out_good_ones() {
    let mut memo = keyed(64 * 1024);
    let good: Vec<[u8; 8]> = (0..100_u64).map(u64::to_le_bytes).collect();
    for _ in 0..3 {
        good.iter().for_each(|key| {
            ask(&mut memo, key, 0);
        });
    }
    let mut hits = 0;
    for n in 0..100_000_u64 {
        ask(&mut memo, &(n + 1_000).to_be_bytes(), 0);
        if n % 10 == 0 {
            let key = &good[usize::try_from(n / 10 % 100).unwrap()];
            hits += u32::from(ask(&mut memo, key, 0).1);
        }
    }
    assert!(hits > 9_900, "{hits} of 10,000");
    memo.check();
}

#[test]
fn pauses_when_nothing_is_asked_for_again() {
    let mut memo = keyed(16 * 1024);
    let mut n = 0_u64;
    let mut fresh = |memo: &mut Memo| {
        n += 1;
        ask(memo, &n.to_le_bytes(), 0);
        n
    };
    while !memo.is_paused() {
        assert!(fresh(&mut memo) < 20_000, "it should have paused");
    }
    let kept = memo.len();
    assert!(!ask(&mut memo, b"new", 0).1);
    assert!(!ask(&mut memo, b"new", 0).1, "no new key is inserted");
    assert_eq!(memo.len(), kept);
    while memo.is_paused() {
        fresh(&mut memo);
    }
    ask(&mut memo, b"again", 0);
    assert!(ask(&mut memo, b"again", 0).1, "inserted after the pause");
}

/// Memos that may hold more than there is do with what is left.
#[test]
fn all_memos_together_stay_within_the_budget_of_the_process() {
    let account = Arc::new(Account::new(256 * 1024));
    let memo = |_| Memo::new(64 * 1024, ahash::RandomState::new(), allowance(&account));
    let mut memos: Vec<Memo> = (0..1_000).map(memo).collect();
    assert_eq!(account.status().bytes, 0, "empty memos take nothing");
    for n in 0..200_u32 {
        for memo in &mut memos {
            ask(memo, &n.to_le_bytes(), 0);
        }
        assert!(account.status().bytes <= 256 * 1024);
    }
    let kept: Vec<_> = memos.iter().filter(|memo| memo.len() > 0).collect();
    assert!(kept.len() > 100, "the first ones have their share");
    memos.iter().for_each(Memo::check);
    memos.truncate(0);
    assert_eq!(account.status().bytes, 0);
}

/// A small memo keeps what is asked for again, as a large one does.
#[test]
fn a_memo_without_memory_evicts_its_own_entries() {
    let account = Arc::new(Account::new(32 * 1024));
    let mut memo = Memo::new(1 << 20, ahash::RandomState::new(), allowance(&account));
    let good: Vec<[u8; 8]> = (0..50_u64).map(u64::to_le_bytes).collect();
    for _ in 0..3 {
        good.iter().for_each(|key| {
            ask(&mut memo, key, 0);
        });
    }
    let mut hits = 0;
    for n in 0..10_000_u64 {
        ask(&mut memo, &(n + 1_000).to_be_bytes(), 0);
        if n % 10 == 0 {
            let key = &good[usize::try_from(n / 10 % 50).unwrap()];
            hits += u32::from(ask(&mut memo, key, 0).1);
        }
    }
    assert!(hits > 900, "{hits} of 1,000");
    memo.check();
    // A verdict that has become too large is gone, and no old one is found.
    let other = allowance(&account);
    while other.take(64) {}
    let [key, ..] = good.as_slice() else {
        panic!("no key");
    };
    memo.insert(key, until(verdict(b"large"), u64::MAX), 4_000);
    assert!(memo.get(key, 0).is_none());
    memo.check();
}

proptest! {
    /// A pure policy decides with a memo as it does without, even if all hashes are
    /// equal.
    #[test]
    fn memo_on_is_memo_off(
        keys in prop::collection::vec(prop::collection::vec(0_u8..4, 0..6), 1..400),
        budget in 2_000_usize..20_000,
    ) {
        let mut keyed = keyed(budget);
        let mut colliding = Memo::new(budget, Colliding, unlimited());
        for key in &keys {
            prop_assert_eq!(ask(&mut keyed, key, 0).0, verdict(key));
            prop_assert_eq!(ask(&mut colliding, key, 0).0, verdict(key));
        }
        keyed.check();
        colliding.check();
    }

    /// No verdict is returned after it has expired, even if its key is inserted again.
    #[test]
    fn expiry_holds(
        steps in prop::collection::vec((0_u8..6, 0_u64..50, 1_u64..40), 1..300),
    ) {
        let mut memo = keyed(4_000);
        let mut model: HashMap<u8, u64> = HashMap::new();
        let mut now = 0;
        for (key, passed, lasts) in steps {
            now += passed;
            if memo.get(&[key], now).is_some() {
                prop_assert!(now < model[&key]);
            }
            memo.insert(&[key], until(verdict(&[key]), now + lasts), 0);
            model.insert(key, now + lasts);
        }
        memo.check();
    }
}
