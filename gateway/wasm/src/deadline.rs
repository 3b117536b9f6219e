//! Limits on the CPU time of calls.
//!
//! A ticker thread increments the engine's epoch about once a millisecond while calls
//! are made, and sleeps when there have been none for a while. At each tick wasmtime
//! interrupts a running call, which compares the CPU time of its thread with its
//! budget. The time in which the thread is preempted does not count. The clock is read
//! only at ticks: a short call makes no system call, and a budget is exact to about one
//! tick.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{EngineWeak, StoreContextMut, UpdateDeadline};

use crate::state::HostState;

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
    /// Marks the start of a call. Sequentially consistent, as are the accesses of the
    /// ticker, so that it cannot fall asleep just after a call has begun.
    pub(crate) fn enter(&self) {
        self.calling.0.store(true, Ordering::SeqCst);
        if self.ticker.asleep.load(Ordering::SeqCst) {
            self.ticker.wake();
        }
    }

    /// Marks the end of a call.
    pub(crate) fn leave(&self) {
        self.calling.0.store(false, Ordering::Release);
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

/// The CPU-time budget of the current call in a store.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    allowed_ns: u64,
    /// The thread's CPU time at the first tick of the call.
    started_ns: Option<u64>,
}

impl Budget {
    pub(crate) fn begin(&mut self, allowed: Duration) {
        self.allowed_ns = u64::try_from(allowed.as_nanos()).unwrap_or(u64::MAX);
        self.started_ns = None;
    }

    /// The thread's CPU time since the first tick of the call. None without a tick: then
    /// no clock is read.
    pub(crate) fn since_first_tick(&self) -> Option<Duration> {
        let started_ns = self.started_ns?;
        Some(thread_cpu().saturating_sub(Duration::from_nanos(started_ns)))
    }
}

/// The error that ends a call that exceeds its budget.
#[derive(Debug)]
pub(crate) struct OutOfTime;

impl std::fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("used up its CPU time")
    }
}

impl std::error::Error for OutOfTime {}

/// Wasmtime calls this at each tick that falls into a call.
pub(crate) fn on_tick(
    mut store: StoreContextMut<'_, HostState>,
) -> wasmtime::Result<UpdateDeadline> {
    let budget = &mut store.data_mut().budget;
    let now = u64::try_from(thread_cpu().as_nanos()).unwrap_or(u64::MAX);
    match budget.started_ns {
        None => budget.started_ns = Some(now),
        Some(started) if now.saturating_sub(started) >= budget.allowed_ns => {
            return Err(wasmtime::Error::new(OutOfTime));
        }
        Some(_) => {}
    }
    Ok(UpdateDeadline::Continue(1))
}

/// The CPU time of this thread. A system call.
pub(crate) fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
