//! The encodings under way on all workers, and the limits on their memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use janua_cache::{DerivedBodies, DerivedBody};
use janua_compress::Coding;
use janua_files::Pool;
use janua_telemetry::metrics::{Counter, Registry, definitions};

use crate::representation::Representation;

/// The most representations that are encoded at the same time; further ones are sent
/// without a coding.
pub(crate) const MAX_UNDERWAY: usize = 256;
/// The most memory for results that are not finished yet, in bytes.
const MAX_HELD: u64 = 64 * 1024 * 1024;

/// The kinds of bodies that metrics distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Passing,
    Stored,
    File,
}

const BODY_KINDS: [&str; 3] = ["passing", "stored", "file"];

/// The state of content coding, shared by all workers.
pub(crate) struct Codings {
    underway: Mutex<Vec<Underway>>,
    pub(crate) results: DerivedBodies,
    /// Encodes complete bodies, which may take seconds. So they have a pool of their own:
    /// in the pool for disk access or in that for streams they would delay the other
    /// jobs. The queues need no limit: complete bodies are limited by [`MAX_UNDERWAY`],
    /// and a stream has one job at a time.
    pub(crate) bodies: Pool,
    pub(crate) streams: Pool,
    /// Memory of the encoders of streams, in bytes.
    held: Arc<AtomicU64>,
    registry: Arc<Registry>,
    counts: [[OnceLock<Arc<Counter>>; Coding::ALL.len()]; BODY_KINDS.len()],
    skipped: OnceLock<Arc<Counter>>,
}

pub(crate) struct Underway {
    pub(crate) of: Representation,
    pub(crate) coding: Coding,
    pub(crate) result: DerivedBody,
}

/// Memory reserved for a stream, given back on drop.
pub(crate) struct Hold {
    held: Arc<AtomicU64>,
    bytes: u64,
}

impl Codings {
    pub(crate) fn new(registry: &Arc<Registry>, workers: usize) -> Self {
        Self {
            underway: Mutex::default(),
            results: DerivedBodies::new(MAX_HELD),
            bodies: Pool::new(workers, usize::MAX).named("janua-code"),
            streams: Pool::new(workers, usize::MAX).named("janua-code"),
            held: Arc::default(),
            registry: Arc::clone(registry),
            counts: [const { [const { OnceLock::new() }; Coding::ALL.len()] }; BODY_KINDS.len()],
            skipped: OnceLock::new(),
        }
    }

    /// Reserves memory for a stream, unless all streams together would exceed `limit`.
    pub(crate) fn hold(&self, bytes: u64, limit: u64) -> Option<Hold> {
        let more = |held: u64| held.checked_add(bytes).filter(|&sum| sum <= limit);
        let order = Ordering::Relaxed;
        self.held.fetch_update(order, order, more).ok()?;
        Some(Hold {
            held: Arc::clone(&self.held),
            bytes,
        })
    }

    /// Counts an encoding that begins.
    pub(crate) fn count(&self, shard: usize, kind: BodyKind, coding: Coding) {
        let place = Coding::ALL.iter().position(|known| *known == coding);
        let slots = self.counts.get(kind as usize);
        if let (Some(slots), Some(place)) = (slots, place)
            && let (Some(slot), Some(word)) = (slots.get(place), BODY_KINDS.get(kind as usize))
        {
            let labels = [*word, coding.token()];
            slot.get_or_init(|| self.registry.counter(&definitions::COMPRESSIONS, labels))
                .increment(shard);
        }
    }

    /// Counts a body that was not encoded for lack of memory.
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
