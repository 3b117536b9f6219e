//! The ticks at which calls are interrupted.
//!
//! A ticker thread increments the engine's epoch about once a millisecond while calls
//! are made, and sleeps when there have been none for a while. At each tick wasmtime
//! interrupts a running call, which compares what it has used with its `budget`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::EngineWeak;

/// The time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// After this many ticks without a call, the thread sleeps.
const IDLE_TICKS: u32 = 100;

/// The ticker thread. Stops when dropped.
#[derive(Debug)]
pub(crate) struct Ticker(Arc<Shared>);

struct Shared {
    engine: EngineWeak,
    asleep: AtomicBool,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
    callers: Mutex<Vec<Weak<Calling>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// True while the worker is inside a call. Aligned so that no two workers write to the
/// same cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Calling(AtomicBool);

/// A worker's handle of the ticker.
#[derive(Debug)]
pub(crate) struct Caller {
    ticker: Arc<Shared>,
    calling: Arc<Calling>,
}

/// The thread is inside a call.
#[must_use]
pub(crate) struct Inside<'a>(&'a Calling);

impl Ticker {
    pub(crate) fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            engine,
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            thread: OnceLock::new(),
            callers: Mutex::default(),
        });
        let of_thread = Arc::clone(&shared);
        let handle = thread::Builder::new()
            .name("janua-ticker".into())
            .spawn(move || of_thread.run())?;
        let _ = shared.thread.set(handle.thread().clone());
        Ok(Self(shared))
    }

    pub(crate) fn caller(&self) -> Caller {
        let calling = Arc::new(Calling::default());
        self.0.callers().push(Arc::downgrade(&calling));
        Caller {
            ticker: Arc::clone(&self.0),
            calling,
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
        self.0.wake();
    }
}

impl Caller {
    /// Marks the thread as inside a call, until the guard is dropped. The thread is inside
    /// one call at a time: one that waits is not under way. Sequentially consistent, as are
    /// the accesses of the ticker, so that it cannot fall asleep just after a call has begun.
    pub(crate) fn enter(&self) -> Inside<'_> {
        self.calling.0.store(true, Ordering::SeqCst);
        if self.ticker.asleep.load(Ordering::SeqCst) {
            self.ticker.wake();
        }
        Inside(&self.calling)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

impl Shared {
    fn run(&self) {
        let mut idle = 0;
        while !self.stop.load(Ordering::SeqCst) {
            thread::park_timeout(TICK);
            let Some(engine) = self.engine.upgrade() else {
                return;
            };
            engine.increment_epoch();
            idle = if self.any_call_under_way() {
                0
            } else {
                idle + 1
            };
            if idle >= IDLE_TICKS {
                idle = 0;
                self.asleep.store(true, Ordering::SeqCst);
                if !self.any_call_under_way() && !self.stop.load(Ordering::SeqCst) {
                    drop(engine);
                    thread::park();
                }
                self.asleep.store(false, Ordering::SeqCst);
            }
        }
    }

    fn any_call_under_way(&self) -> bool {
        let mut any = false;
        self.callers().retain(|caller| {
            let caller = caller.upgrade();
            any |= caller
                .as_ref()
                .is_some_and(|calling| calling.0.load(Ordering::SeqCst));
            caller.is_some()
        });
        any
    }

    fn callers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Calling>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}
