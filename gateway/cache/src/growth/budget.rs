//! The memory that all bodies being received hold together. It is limited, apart from
//! the budget of the memory store.

use std::sync::atomic::{AtomicU64, Ordering};

/// The memory in use, and its limit.
#[derive(Debug, Default)]
pub(crate) struct FillBudget {
    held: AtomicU64,
    limit: AtomicU64,
    fills: AtomicU64,
}

impl FillBudget {
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn fills(&self) -> u64 {
        self.fills.load(Ordering::Relaxed)
    }

    /// Reserves memory; false if that would exceed the limit.
    pub(super) fn reserve(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(bytes).filter(|&sum| sum <= limit)
            })
            .is_ok()
    }

    pub(super) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Counts a body that begins.
    pub(super) fn begin(&self) {
        self.fills.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a body that has ended.
    pub(super) fn end(&self) {
        self.fills.fetch_sub(1, Ordering::Relaxed);
    }
}
