//! Remembers the effect of the purges so far on an entry, so that a hit has to compare
//! only one number (see [`Purges`]).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::purge::{Purges, Standing, Subject};

/// The number of the newest purge that the entry was compared with (its level), and the
/// result.
#[derive(Debug)]
pub(super) struct Judged {
    /// The level in the upper 62 bits, and the kind of the standing in the lower two.
    packed: AtomicU64,
    /// When a soft purge has made it stale, in milliseconds since the Unix epoch.
    purged_ms: AtomicU64,
}

impl Judged {
    pub(super) fn new(level: u64, standing: Standing) -> Self {
        Self {
            packed: AtomicU64::new(pack(level, standing)),
            purged_ms: AtomicU64::new(match standing {
                Standing::Stale { at_ms } => at_ms,
                Standing::Live | Standing::Dead => 0,
            }),
        }
    }

    /// The remembered level and result.
    pub(super) fn get(&self) -> (u64, Standing) {
        self.unpack(self.packed.load(Ordering::Acquire))
    }

    /// Compares the entry with the purges since the remembered level.
    pub(super) fn after(&self, purges: &Purges, subject: &Subject<'_>) -> Standing {
        let packed = self.packed.load(Ordering::Acquire);
        let (level, standing) = self.unpack(packed);
        if standing == Standing::Dead || level >= purges.newest() {
            return standing;
        }
        let (now, level) = purges.judge(level, subject);
        let standing = standing.and(now);
        if let Standing::Stale { at_ms } = standing {
            self.purged_ms.store(at_ms, Ordering::Release);
        }
        // If another thread was faster, its result is the same or newer: keep that.
        let _ = self.packed.compare_exchange(
            packed,
            pack(level, standing),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        standing
    }

    fn unpack(&self, packed: u64) -> (u64, Standing) {
        let standing = match packed & 3 {
            0 => Standing::Live,
            1 => Standing::Stale {
                at_ms: self.purged_ms.load(Ordering::Acquire),
            },
            _ => Standing::Dead,
        };
        (packed >> 2, standing)
    }
}

impl Clone for Judged {
    fn clone(&self) -> Self {
        Self {
            packed: AtomicU64::new(self.packed.load(Ordering::Acquire)),
            purged_ms: AtomicU64::new(self.purged_ms.load(Ordering::Acquire)),
        }
    }
}

fn pack(level: u64, standing: Standing) -> u64 {
    (level << 2)
        | match standing {
            Standing::Live => 0,
            Standing::Stale { .. } => 1,
            Standing::Dead => 2,
        }
}
