//! What the disk store tells of itself.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Disk, lock};

/// Figures of the disk store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFigures {
    /// Files.
    pub objects: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// What they may take.
    pub budget: u64,
    /// Deleted for lack of room.
    pub evictions: u64,
    /// Written.
    pub writes: u64,
    /// Read back.
    pub loads: u64,
    /// Not written, because too much waited to be written.
    pub dropped: u64,
    /// Writes that failed, a full disk included.
    pub failed: u64,
    /// Files that were found broken, and deleted.
    pub corrupt: u64,
    /// Open files that are served from.
    pub opened: u64,
    /// True while the folder is still scanned for what is there.
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
