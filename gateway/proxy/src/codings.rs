//! What is being coded on all workers, and the memory that it may take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use janua_cache::{Made, Makings};
use janua_compress::Coding;
use janua_files::Pool;
use janua_telemetry::metrics::{Counter, Registry, definitions};

use crate::representation::Representation;

/// Bodies that are coded at one time; beyond them what is asked for is sent as
/// it is.
pub(crate) const MAX_UNDERWAY: usize = 256;
/// What bodies that are being coded may hold together, in bytes of the result.
const MAX_HELD: u64 = 64 * 1024 * 1024;

/// The kinds of bodies, as metrics name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Passing,
    Stored,
    File,
}

const OF: [&str; 3] = ["passing", "stored", "file"];

/// What is coded now, and what that holds.
pub(crate) struct Codings {
    underway: Mutex<Vec<Underway>>,
    pub(crate) makings: Makings,
    /// For bodies at hand, which may take seconds; apart from the pool of disks,
    /// which would then stand still, and from that of streams. Neither queue has
    /// a bound of its own: bodies have [`MAX_UNDERWAY`], and a stream waits for
    /// its only job.
    pub(crate) bodies: Pool,
    pub(crate) streams: Pool,
    /// What the encoders of streams hold, in bytes.
    held: Arc<AtomicU64>,
    registry: Arc<Registry>,
    counts: [[OnceLock<Arc<Counter>>; Coding::ALL.len()]; OF.len()],
    skipped: OnceLock<Arc<Counter>>,
}

pub(crate) struct Underway {
    pub(crate) of: Representation,
    pub(crate) coding: Coding,
    pub(crate) made: Made,
}

/// A share of the memory for streams.
pub(crate) struct Hold {
    held: Arc<AtomicU64>,
    bytes: u64,
}

impl Codings {
    pub(crate) fn new(registry: &Arc<Registry>, workers: usize) -> Self {
        Self {
            underway: Mutex::default(),
            makings: Makings::new(MAX_HELD),
            bodies: Pool::new(workers, usize::MAX).named("janua-code"),
            streams: Pool::new(workers, usize::MAX).named("janua-code"),
            held: Arc::default(),
            registry: Arc::clone(registry),
            counts: [const { [const { OnceLock::new() }; Coding::ALL.len()] }; OF.len()],
            skipped: OnceLock::new(),
        }
    }

    /// Takes memory for a stream, as long as all together have at most `limit`.
    pub(crate) fn hold(&self, bytes: u64, limit: u64) -> Option<Hold> {
        let more = |held: u64| held.checked_add(bytes).filter(|&sum| sum <= limit);
        let order = Ordering::Relaxed;
        self.held.fetch_update(order, order, more).ok()?;
        Some(Hold {
            held: Arc::clone(&self.held),
            bytes,
        })
    }

    /// Counts one that begins.
    pub(crate) fn count(&self, shard: usize, of: Of, coding: Coding) {
        let place = Coding::ALL.iter().position(|known| *known == coding);
        let slots = self.counts.get(of as usize);
        if let (Some(slots), Some(place)) = (slots, place)
            && let (Some(slot), Some(word)) = (slots.get(place), OF.get(of as usize))
        {
            let labels = [*word, coding.token()];
            slot.get_or_init(|| self.registry.counter(&definitions::COMPRESSIONS, labels))
                .increment(shard);
        }
    }

    /// Counts one for which there was no memory.
    pub(crate) fn count_skipped(&self, shard: usize) {
        let skipped = &definitions::COMPRESSIONS_SKIPPED;
        let slot = self
            .skipped
            .get_or_init(|| self.registry.counter(skipped, []));
        slot.increment(shard);
    }

    pub(crate) fn underway(&self) -> MutexGuard<'_, Vec<Underway>> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
