//! The memory that the memos of the process may take together.
//!
//! Each memo has a limit of its own, but there is one for each policy, worker and phase: the
//! limits of thousands of policies add up to more than a machine has. So what memos hold is
//! also drawn from one account of the process. The memos of a policy on a worker draw on it in
//! chunks, when a verdict is inserted and never when one is found. If nothing is left, a memo
//! evicts its own entries, or does not insert: what others hold stays theirs.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// The smallest and the largest chunk, in bytes. In between it is an eighth of what is used
/// already: many policies may have a few verdicts each, and few have many.
const CHUNKS: [usize; 2] = [1024, 64 * 1024];

/// The account of the process.
#[derive(Debug)]
pub(crate) struct Account {
    budget: usize,
    drawn: AtomicUsize,
}

/// The memory for reusable verdicts, over all policies and workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemosStatus {
    /// The bytes that are taken, in chunks.
    pub bytes: u64,
    /// The most bytes that may be taken.
    pub budget: u64,
}

impl Account {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            budget,
            drawn: AtomicUsize::new(0),
        }
    }

    pub(crate) fn status(&self) -> MemosStatus {
        MemosStatus {
            bytes: self.drawn.load(Relaxed) as u64,
            budget: self.budget as u64,
        }
    }

    fn draw(&self, bytes: usize) -> bool {
        let more = |drawn: usize| drawn.checked_add(bytes).filter(|&sum| sum <= self.budget);
        self.drawn.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    fn put_back(&self, bytes: usize) {
        self.drawn.fetch_sub(bytes, Relaxed);
    }
}

/// What the memos of one policy on one worker have drawn.
#[derive(Debug)]
pub(crate) struct Allowance {
    account: Arc<Account>,
    drawn: Cell<usize>,
    used: Cell<usize>,
}

impl Allowance {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self {
            account,
            drawn: Cell::new(0),
            used: Cell::new(0),
        }
    }

    /// The bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Takes memory into use. False if there is not enough.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let Some(used) = self.used.get().checked_add(bytes) else {
            return false;
        };
        let missing = used.saturating_sub(self.drawn.get());
        if missing > 0 {
            let drawn = [self.chunk().max(missing), missing]
                .into_iter()
                .find(|&bytes| self.account.draw(bytes));
            let Some(drawn) = drawn else {
                return false;
            };
            self.drawn.set(self.drawn.get() + drawn);
        }
        self.used.set(used);
        true
    }

    /// Gives memory back that was taken.
    pub(crate) fn give(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
        let spare = self.drawn.get() - self.used.get();
        let kept = self.chunk();
        // Not at once: the next verdict may need it.
        if spare > 2 * kept {
            self.drawn.set(self.used.get() + kept);
            self.account.put_back(spare - kept);
        }
    }

    fn chunk(&self) -> usize {
        let [least, most] = CHUNKS;
        (self.used.get() / 8).clamp(least, most)
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.account.put_back(self.drawn.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_drawn_in_chunks_and_put_back() {
        let account = Arc::new(Account::new(10_000));
        let one = Allowance::new(Arc::clone(&account));
        assert_eq!(account.status().bytes, 0, "nothing before it is used");
        assert!(one.take(100) && one.take(900));
        assert_eq!(account.status().bytes, 1024);
        assert!(one.take(5_000));
        let other = Allowance::new(Arc::clone(&account));
        assert!(!other.take(9_000));
        assert!(other.take(1_000));
        let before = account.status().bytes;
        one.give(5_500);
        assert!(account.status().bytes < before);
        assert_eq!(one.used(), 500);
        assert!(other.take(6_000));
        drop((one, other));
        assert_eq!(account.status().bytes, 0);
    }

    #[test]
    fn the_last_bytes_can_be_taken() {
        let account = Arc::new(Account::new(100));
        let one = Allowance::new(Arc::clone(&account));
        assert!(one.take(100), "less than a chunk is left");
        assert!(!one.take(1));
        one.give(1);
        assert!(one.take(1));
        assert!(!one.take(usize::MAX));
    }
}
