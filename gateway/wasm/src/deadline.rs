//! CPU-time deadlines.
//!
//! One thread advances the engine's epoch about once a millisecond while calls
//! are being made, and sleeps when there have been none for a while. A running
//! call notices each tick and compares the CPU time of its own thread with its
//! budget: a thread that was preempted is not blamed for the time of others.
//! The clock is read only at a tick, so a short call pays no system call; a
//! budget is therefore exact to about a tick.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{EngineWeak, StoreContextMut, UpdateDeadline};

use crate::state::HostState;

const TICK: Duration = Duration::from_millis(1);
/// Ticks that found no call under way before the thread sleeps.
const IDLE_TICKS: u32 = 100;

/// The thread that ticks. Stops when dropped.
#[derive(Debug)]
pub(crate) struct Ticker(Arc<Shared>);

struct Shared {
    engine: EngineWeak,
    ticks: AtomicU64,
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

/// True while its worker is inside a call. Padded: each worker writes its own
/// line, and the ticker reads all of them.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Calling(AtomicBool);

/// A worker's handle of the ticker.
#[derive(Debug)]
pub(crate) struct Caller {
    ticker: Arc<Shared>,
    calling: Arc<Calling>,
}

impl Ticker {
    pub(crate) fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            engine,
            ticks: AtomicU64::new(0),
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
    /// Marks the start of a call. Sequentially consistent on both sides, so
    /// that the ticker cannot fall asleep over a call that has just begun.
    pub(crate) fn enter(&self) {
        self.calling.0.store(true, Ordering::SeqCst);
        if self.ticker.asleep.load(Ordering::SeqCst) {
            self.ticker.wake();
        }
    }

    /// Marks its end.
    pub(crate) fn leave(&self) {
        self.calling.0.store(false, Ordering::Release);
    }

    /// Ticks since the process began: about a millisecond each while calls are made.
    pub(crate) fn ticks(&self) -> u64 {
        self.ticker.ticks.load(Ordering::Relaxed)
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
            self.ticks.fetch_add(1, Ordering::Relaxed);
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

/// The budget of the call that is under way in one store.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    allowed_ns: u64,
    /// The thread's CPU time at the first tick of this call.
    started_ns: Option<u64>,
    ticks: u32,
}

impl Budget {
    pub(crate) fn begin(&mut self, allowed: Duration) {
        self.allowed_ns = u64::try_from(allowed.as_nanos()).unwrap_or(u64::MAX);
        self.started_ns = None;
        self.ticks = 0;
    }

    /// Ticks that fell into this call: its share of the time, sampled.
    pub(crate) fn ticks(&self) -> u32 {
        self.ticks
    }
}

/// The error that ends an overrunning call.
#[derive(Debug)]
pub(crate) struct OutOfTime;

impl std::fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("used up its CPU time")
    }
}

impl std::error::Error for OutOfTime {}

/// Called by wasmtime in the middle of a call, at each tick.
pub(crate) fn on_tick(
    mut store: StoreContextMut<'_, HostState>,
) -> wasmtime::Result<UpdateDeadline> {
    let budget = &mut store.data_mut().budget;
    budget.ticks = budget.ticks.saturating_add(1);
    let now = thread_cpu_ns();
    match budget.started_ns {
        None => budget.started_ns = Some(now),
        Some(started) if now.saturating_sub(started) >= budget.allowed_ns => {
            return Err(wasmtime::Error::new(OutOfTime));
        }
        Some(_) => {}
    }
    Ok(UpdateDeadline::Continue(1))
}

fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
