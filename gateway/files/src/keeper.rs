//! A background thread that periodically retains files and drops cached lookups
//! that are no longer used.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::entries::Entries;
use crate::opened::unix_now;
use crate::root;

/// How often unused cached lookups are dropped. A deleted file that is held
/// open occupies disk space until then.
const SWEEP: Duration = Duration::from_secs(30);

/// Owns the thread, which starts with the first root and ends when this is
/// dropped.
pub(crate) struct Keeper {
    bell: Arc<Bell>,
    interval: Option<Duration>,
    entries: Weak<Entries>,
    latest: Arc<AtomicU64>,
}

/// Wakes the thread early.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    ring: Condvar,
}

#[derive(Default)]
struct State {
    roots: Vec<Weak<root::Inner>>,
    is_running: bool,
    is_rung: bool,
    is_closed: bool,
}

impl Keeper {
    pub(crate) fn new(
        interval: Option<Duration>,
        entries: &Arc<Entries>,
        latest: &Arc<AtomicU64>,
    ) -> Self {
        Self {
            bell: Arc::default(),
            interval,
            entries: Arc::downgrade(entries),
            latest: Arc::clone(latest),
        }
    }

    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Maintains a root from now on, for as long as it exists.
    pub(crate) fn add(&self, root: &Arc<root::Inner>) -> io::Result<()> {
        let mut state = self.bell.lock();
        if !state.is_running {
            let round = Round {
                bell: Arc::clone(&self.bell),
                // Capped so that adding it to an `Instant` cannot overflow.
                interval: self.interval.unwrap_or(SWEEP).min(SWEEP),
                entries: Weak::clone(&self.entries),
                latest: Arc::clone(&self.latest),
                mark: 0,
            };
            thread::Builder::new()
                .name("janua-files".to_owned())
                .spawn(move || round.run())?;
            state.is_running = true;
        }
        if root.retention.is_some() && self.interval.is_some() {
            state.roots.push(Arc::downgrade(root));
            drop(state);
            self.bell.ring();
        }
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.bell.lock().is_closed = true;
        self.bell.ring.notify_all();
    }
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.lock().is_rung = true;
        self.ring.notify_all();
    }

    /// Waits until woken or until the time is over, and returns the roots;
    /// false means that the thread must end.
    fn wait(&self, interval: Duration) -> Option<Vec<Arc<root::Inner>>> {
        let mut state = self.lock();
        state.roots.retain(|root| root.strong_count() > 0);
        let interval = if state.roots.is_empty() {
            SWEEP
        } else {
            interval
        };
        let until = Instant::now() + interval;
        while !state.is_rung && !state.is_closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.ring.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.is_rung = false;
        (!state.is_closed).then(|| state.roots.iter().filter_map(Weak::upgrade).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of the thread.
struct Round {
    bell: Arc<Bell>,
    interval: Duration,
    entries: Weak<Entries>,
    latest: Arc<AtomicU64>,
    /// The latest lookup time at the previous sweep.
    mark: u64,
}

impl Round {
    fn run(mut self) {
        let mut swept = Instant::now();
        while let Some(roots) = self.bell.wait(self.interval) {
            for root in roots {
                root.retain(unix_now());
            }
            if swept.elapsed() >= SWEEP {
                self.sweep();
                swept = Instant::now();
            }
        }
    }

    fn sweep(&mut self) {
        if let Some(entries) = self.entries.upgrade() {
            entries.sweep(self.mark);
        }
        self.mark = self.latest.load(Ordering::Relaxed);
    }
}
