//! The cache's own thread. It removes purged entries (a sweep) and does all writing
//! to the disk, in small steps, so that neither task waits for the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::disk::{OpenError, Upkeep};
use crate::purge::PurgeState;
use crate::store::Store;
use crate::store::index::{Index, Slot};

/// The thread. It is stopped and joined when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    signals: Arc<Signals>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Signals {
    requested: Mutex<Requested>,
    woken: Condvar,
    sweeping: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Requested {
    stop: bool,
    /// There is something to do.
    work: bool,
    sweep: Option<Urgency>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// After a purge by a person or a deploy: its memory should be freed soon.
    Soon,
    /// After an invalidation: it is enough that the recorded purges do not pile up.
    Later,
}

/// How long an invalidation may wait for its sweep.
const LATER: Duration = Duration::from_secs(30);

/// Sweeps after invalidations take at most `1 / SHARE` of a core's time.
const SHARE: u32 = 10;

/// How long the thread sleeps between looks at the queue. Workers add to the queue
/// without waking the thread, since that would cost them a system call.
const PAUSE: Duration = Duration::from_millis(100);

/// How long it sleeps if there is no disk to write to.
const IDLE: Duration = Duration::from_secs(5);

impl Background {
    pub(crate) fn start(store: &Arc<Store>) -> Result<Self, OpenError> {
        let signals = Arc::new(Signals::default());
        if store.purges.lines() > 0 {
            // Purges from before a restart: the purged files are still on the disk.
            signals.lock().sweep = Some(Urgency::Soon);
        }
        let work = Work {
            store: Arc::clone(store),
            signals: Arc::clone(&signals),
            upkeep: Upkeep::default(),
            swept: None,
        };
        let thread = std::thread::Builder::new()
            .name("janua-cache".into())
            .spawn(move || work.run())
            .map_err(OpenError::Thread)?;
        Ok(Self {
            signals,
            thread: Some(thread),
        })
    }

    /// There is something to do.
    pub(crate) fn wake(&self) {
        self.signals.lock().work = true;
        self.signals.woken.notify_one();
    }

    pub(crate) fn sweep(&self) {
        self.signals.lock().sweep = Some(Urgency::Soon);
        self.signals.woken.notify_one();
    }

    pub(crate) fn sweep_later(&self) {
        self.signals.lock().sweep.get_or_insert(Urgency::Later);
    }

    pub(crate) fn is_sweeping(&self) -> bool {
        self.signals.sweeping.load(Ordering::Relaxed)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.signals.lock().stop = true;
        self.signals.woken.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Signals {
    fn lock(&self) -> MutexGuard<'_, Requested> {
        self.requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own state.
struct Work {
    store: Arc<Store>,
    signals: Arc<Signals>,
    upkeep: Upkeep,
    /// When the last sweep ended, and how long it took.
    swept: Option<(Instant, Duration)>,
}

impl Work {
    fn run(mut self) {
        let mut busy = true;
        loop {
            let requested = self.wait(busy);
            if requested.stop {
                // Write what is queued, so that it is found after a restart.
                if let Some(disk) = &self.store.disk {
                    self.upkeep.drain(disk, |_| ());
                }
                return;
            }
            busy = self.write();
            if requested.sweep.is_some_and(|urgency| self.is_due(urgency)) && self.has_scanned() {
                self.signals.lock().sweep = None;
                self.sweep();
            }
        }
    }

    /// Sleeps unless there is something to do.
    fn wait(&self, busy: bool) -> Requested {
        let mut requested = self.signals.lock();
        if !busy && !requested.work && !requested.stop {
            let waits = self.store.disk.is_some() || requested.sweep.is_some();
            let pause = if waits { PAUSE } else { IDLE };
            requested = match self.signals.woken.wait_timeout(requested, pause) {
                Ok((requested, _)) => requested,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        requested.work = false;
        *requested
    }

    /// Does some of the writing to the disk; true if more is queued.
    fn write(&mut self) -> bool {
        let Some(disk) = &self.store.disk else {
            return false;
        };
        let store = &self.store;
        self.upkeep
            .step(disk, |entry| store.close_older_file(entry))
    }

    fn has_scanned(&self) -> bool {
        self.store.disk.is_none() || self.upkeep.has_scanned()
    }

    fn is_due(&self, urgency: Urgency) -> bool {
        let Some((ended, took)) = self.swept else {
            return urgency == Urgency::Soon || self.store.purges.lines() > 1024;
        };
        let urgency = match self.store.purges.are_many() {
            true => Urgency::Soon,
            false => urgency,
        };
        ended.elapsed()
            >= match urgency {
                Urgency::Soon => took * 2,
                Urgency::Later => (took * SHARE).max(LATER),
            }
    }

    /// Compares every entry with the recorded purges, removes the purged ones, and
    /// then forgets those purges.
    fn sweep(&mut self) {
        let began = Instant::now();
        self.signals.sweeping.store(true, Ordering::Relaxed);
        let number = self.store.purges.newest();
        sweep_index(&self.store, &self.store.index);
        sweep_index(&self.store, &self.store.opened);
        if self.sweep_disk(number) {
            self.store.purges.clear(number);
        } else {
            // The purges stay recorded and in effect; a later sweep tries again.
            self.signals.lock().sweep.get_or_insert(Urgency::Later);
        }
        self.signals.sweeping.store(false, Ordering::Relaxed);
        self.swept = Some((Instant::now(), began.elapsed()));
    }

    fn sweep_disk(&mut self, number: u64) -> bool {
        let Some(disk) = &self.store.disk else {
            return true;
        };
        let mut end = Some(usize::MAX);
        while let Some(from) = end {
            let store = &self.store;
            self.upkeep
                .step(disk, |entry| store.close_older_file(entry));
            end = self.upkeep.sweep(disk, from);
            if self.signals.lock().stop {
                return false;
            }
        }
        // Files that were about to be overwritten were not compared: overwrite them now.
        let store = &self.store;
        self.upkeep
            .drain(disk, |entry| store.close_older_file(entry));
        self.upkeep.swept(disk, number)
    }
}

fn sweep_index(store: &Store, index: &Index) {
    for (slot, found) in index.iter() {
        if let Slot::Entry(entry) = found
            && entry.purge_state(&store.purges) == PurgeState::Dead
        {
            index.remove_if(
                slot,
                |found| matches!(found, Slot::Entry(found) if Arc::ptr_eq(found, &entry)),
            );
        }
    }
}
