//! Remembers the effect of the purges so far on an entry, so that a hit has to compare
//! only one number (see [`Purges`]).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::purge::{PurgeState, Purges, Subject};

/// The number of the newest purge that the entry was compared with (its level), and the
/// result.
#[derive(Debug)]
pub(super) struct PurgeMemo {
    /// The level in the upper 62 bits, and the kind of the purge state in the lower two.
    packed: AtomicU64,
    /// When a soft purge has made it stale, in milliseconds since the Unix epoch.
    purged_ms: AtomicU64,
}

impl PurgeMemo {
    pub(super) fn new(level: u64, purge_state: PurgeState) -> Self {
        Self {
            packed: AtomicU64::new(pack(level, purge_state)),
            purged_ms: AtomicU64::new(match purge_state {
                PurgeState::Stale { at_ms } => at_ms,
                PurgeState::Live | PurgeState::Dead => 0,
            }),
        }
    }

    /// The remembered level and result.
    pub(super) fn get(&self) -> (u64, PurgeState) {
        self.unpack(self.packed.load(Ordering::Acquire))
    }

    /// Compares the entry with the purges since the remembered level.
    pub(super) fn after(&self, purges: &Purges, subject: &Subject<'_>) -> PurgeState {
        let packed = self.packed.load(Ordering::Acquire);
        let (level, purge_state) = self.unpack(packed);
        if purge_state == PurgeState::Dead || level >= purges.newest() {
            return purge_state;
        }
        let (now, level) = purges.compare(level, subject);
        let purge_state = purge_state.and(now);
        if let PurgeState::Stale { at_ms } = purge_state {
            self.purged_ms.store(at_ms, Ordering::Release);
        }
        // If another thread was faster, its result is the same or newer: keep that.
        let _ = self.packed.compare_exchange(
            packed,
            pack(level, purge_state),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        purge_state
    }

    fn unpack(&self, packed: u64) -> (u64, PurgeState) {
        let purge_state = match packed & 3 {
            0 => PurgeState::Live,
            1 => PurgeState::Stale {
                at_ms: self.purged_ms.load(Ordering::Acquire),
            },
            _ => PurgeState::Dead,
        };
        (packed >> 2, purge_state)
    }
}

impl Clone for PurgeMemo {
    fn clone(&self) -> Self {
        Self {
            packed: AtomicU64::new(self.packed.load(Ordering::Acquire)),
            purged_ms: AtomicU64::new(self.purged_ms.load(Ordering::Acquire)),
        }
    }
}

fn pack(level: u64, purge_state: PurgeState) -> u64 {
    (level << 2)
        | match purge_state {
            PurgeState::Live => 0,
            PurgeState::Stale { .. } => 1,
            PurgeState::Dead => 2,
        }
}
