//! What bodies on their way in hold, all together: beside the budget of what is
//! stored, and bounded like it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What all fills together hold, and may hold.
#[derive(Debug, Default)]
pub(crate) struct GrowingBytes {
    held: AtomicU64,
    limit: AtomicU64,
    fills: AtomicU64,
}

impl GrowingBytes {
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn fills(&self) -> u64 {
        self.fills.load(Ordering::Relaxed)
    }

    /// Takes so many bytes; false, and none, if that is too much.
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

    /// A fill begins.
    pub(super) fn begin(&self) {
        self.fills.fetch_add(1, Ordering::Relaxed);
    }

    /// A fill is gone.
    pub(super) fn end(&self) {
        self.fills.fetch_sub(1, Ordering::Relaxed);
    }
}
