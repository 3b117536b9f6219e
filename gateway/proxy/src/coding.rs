//! What the process codes: each body that is kept once, however many ask for it
//! at one time, and of what passes through as much as there is memory for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use janua_cache::{FillReader, Made, Making, Makings};
use janua_compress::Coding;
use janua_files::{Pool, Variant};
use janua_telemetry::metrics::{Counter, Registry, definitions};

use crate::estate::Estate;
use crate::represent::Representation;

/// Bodies that are coded at one time; beyond them what is asked for is sent as
/// it is.
const MAX_UNDERWAY: usize = 256;
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
    makings: Makings,
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

struct Underway {
    of: Representation,
    coding: Coding,
    made: Made,
}

/// A body in a coding, for one who asks.
pub(crate) enum Coded<T> {
    /// Made before.
    Kept(Bytes),
    /// Being made.
    Reader(FillReader),
    /// To be made, by the one who asked, with what that one has for it.
    Maker(Maker, T),
    /// It is better sent as it is.
    Plain,
}

/// What was made before.
pub(crate) enum Kept {
    Bytes(Bytes),
    /// It did not become shorter: the body is sent as it is.
    Pointless,
}

/// The right to make one: nobody else does meanwhile.
pub(crate) struct Maker {
    estate: Arc<Estate>,
    of: Representation,
    coding: Coding,
    /// None once it is finished.
    making: Option<Making>,
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

    fn underway(&self) -> MutexGuard<'_, Vec<Underway>> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> From<Kept> for Coded<T> {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Bytes(bytes) => Self::Kept(bytes),
            Kept::Pointless => Self::Plain,
        }
    }
}

/// Looks for a body in a coding: made, being made, or to be made; then `start`
/// says with what, or that it cannot be. Nobody else finds it before that: what
/// is begun is made.
pub(crate) fn join<T>(
    estate: &Arc<Estate>,
    of: &Representation,
    coding: Coding,
    start: impl FnOnce() -> Option<T>,
) -> Coded<T> {
    if let Some(kept) = of.kept(estate, coding) {
        return kept.into();
    }
    let mut underway = estate.codings.underway();
    let same = |other: &&Underway| other.coding == coding && other.of.is_same(of);
    if let Some(other) = underway.iter().find(same) {
        return other.made.reader().map_or(Coded::Plain, Coded::Reader);
    }
    // It may have been finished since; and what is kept is kept before it is
    // taken from the list.
    if let Some(kept) = of.current(estate).kept(estate, coding) {
        return kept.into();
    }
    if underway.len() >= MAX_UNDERWAY {
        return Coded::Plain;
    }
    let Some((making, started)) = estate.codings.makings.begin().zip(start()) else {
        return Coded::Plain;
    };
    underway.push(Underway {
        of: of.clone(),
        coding,
        made: making.made(),
    });
    let maker = Maker {
        estate: Arc::clone(estate),
        of: of.clone(),
        coding,
        making: Some(making),
    };
    Coded::Maker(maker, started)
}

impl Maker {
    /// The one who makes it reads it too.
    pub(crate) fn reader(&self) -> Option<FillReader> {
        self.making.as_ref()?.made().reader()
    }

    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.making {
            Some(making) => making.poll_ready(context),
            None => Poll::Ready(()),
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.making.as_ref().is_some_and(Making::is_wanted)
    }

    /// Appends what is coded so far, and leaves nothing.
    pub(crate) fn write(&mut self, coded: &mut Vec<u8>) {
        if let Some(making) = &mut self.making {
            making.write(Bytes::copy_from_slice(coded));
        }
        coded.clear();
    }

    /// It is whole; keeps it for those who come, if it is dense enough for that.
    pub(crate) fn finish(mut self, is_dense: bool) -> Option<Bytes> {
        let whole = self.making.take()?.finish()?;
        if !is_dense {
            return Some(whole);
        }
        let _underway = self.estate.codings.underway();
        let is_shorter = self
            .of
            .length()
            .is_none_or(|length| (whole.len() as u64) < length);
        match &self.of {
            Representation::File(opened) => {
                let variant = match is_shorter {
                    true => Variant::Made(whole.clone()),
                    false => Variant::Pointless,
                };
                self.estate.files.keep_variant(opened, self.coding, variant);
            }
            Representation::Entry(entry) => {
                let kept = if is_shorter {
                    whole.clone()
                } else {
                    Bytes::new()
                };
                self.estate.cache.encoded(entry, self.coding, kept);
            }
        }
        Some(whole)
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let mut underway = self.estate.codings.underway();
        underway.retain(|one| one.coding != self.coding || !one.of.is_same(&self.of));
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
