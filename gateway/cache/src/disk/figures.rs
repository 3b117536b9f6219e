//! The figures of the disk store.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Disk, lock};

/// Figures of the disk store. Counters count since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFigures {
    /// Number of known files.
    pub objects: u64,
    /// Space that they take, in bytes.
    pub bytes: u64,
    /// Space that they may take, in bytes.
    pub budget: u64,
    /// Files deleted to stay within the budget.
    pub evictions: u64,
    /// Files written.
    pub writes: u64,
    /// Entries loaded from files.
    pub loads: u64,
    /// Responses not written because the queue was full.
    pub dropped: u64,
    /// Failed writes, for example because the disk is full.
    pub failed: u64,
    /// Damaged files, which were deleted.
    pub corrupt: u64,
    /// Files that are kept open to serve responses from.
    pub opened: u64,
    /// True until all files of the folder are known.
    pub scanning: bool,
}

impl Disk {
    pub(crate) fn figures(&self) -> DiskFigures {
        let (objects, bytes, scanning) = {
            let known = lock(&self.known);
            (known.len() as u64, known.bytes(), !known.is_complete())
        };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DiskFigures {
            objects,
            bytes,
            budget: count(&self.budget),
            evictions: count(&self.counts.evictions),
            writes: count(&self.counts.writes),
            loads: count(&self.counts.loads),
            dropped: count(&self.counts.dropped),
            failed: count(&self.counts.failed),
            corrupt: count(&self.counts.corrupt),
            opened: 0,
            scanning,
        }
    }
}
