//! File descriptors that are kept back from new clients, so that the clients who
//! are connected already can still be served.
//!
//! A gateway that accepts clients until no descriptor is left can no longer connect to
//! upstreams, and answers every request with an error. So an eighth of the limit is
//! reserved at start, just as nginx stops accepting when an eighth of its connections is
//! left. A connection to an upstream that finds no descriptor uses one of the reserve.
//! Clients are accepted only while the reserve is complete: descriptors that become free
//! refill it first.

use std::fs::File;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The most descriptors that are reserved: each costs a little kernel memory.
const MAX_RESERVED: u64 = 1024;

/// How long accepting pauses before the reserve is checked again, if no connection is
/// closed meanwhile: descriptors also become free elsewhere.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The shortest time between two warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The reserve of the process.
#[derive(Debug, Default)]
pub(crate) struct Reserve {
    held: Mutex<Held>,
    /// The reserve is incomplete, so that no client is accepted.
    is_short: AtomicBool,
    /// Wakes the tasks that wait to accept.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    files: Vec<File>,
    /// How many descriptors the complete reserve has.
    target: usize,
    /// When the last warning was logged.
    warned_at: Option<Instant>,
}

impl Reserve {
    /// Opens the descriptors of the reserve. If the limit is too low, the reserve is as large
    /// as possible.
    pub(crate) fn take(&self) {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let mut held = self.held();
        held.target = usize::try_from((limit / 8).min(MAX_RESERVED)).unwrap_or_default();
        if !held.fill() {
            held.target = held.files.len();
        }
    }

    /// Whether the reserve is complete, so that clients may be accepted. Refills it as far as
    /// there are descriptors.
    pub(crate) fn is_complete(&self) -> bool {
        // The usual case: nothing has been taken.
        if !self.is_short.load(Relaxed) {
            return true;
        }
        // Under the lock, so that no descriptor is taken before the flag is cleared.
        let mut held = self.held();
        let is_complete = held.fill();
        if is_complete {
            self.is_short.store(false, Relaxed);
        }
        is_complete
    }

    /// Releases a descriptor for another use; false if none is left.
    pub(crate) fn give(&self) -> bool {
        let mut held = self.held();
        let given = held.files.pop().is_some();
        self.is_short.store(true, Relaxed);
        held.warn();
        given
    }

    /// Records that no descriptor was left to accept a client.
    pub(crate) fn run_out(&self) {
        self.is_short.store(true, Relaxed);
        self.held().warn();
    }

    /// Records that a connection was closed, so that a descriptor may be free.
    pub(crate) fn freed(&self) {
        if self.is_short.load(Relaxed) {
            self.freed.notify_waiters();
        }
    }

    /// Waits until a descriptor may be free.
    pub(crate) async fn wait(&self) {
        let _ = tokio::time::timeout(RETRY_INTERVAL, self.freed.notified()).await;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Opens the missing descriptors; true once none is missing.
    fn fill(&mut self) -> bool {
        while self.files.len() < self.target {
            match File::open("/dev/null") {
                Ok(file) => self.files.push(file),
                Err(_) => return false,
            }
        }
        true
    }

    /// Logs that no descriptors are left, at a limited rate.
    fn warn(&mut self) {
        if self
            .warned_at
            .is_some_and(|at| at.elapsed() < WARNING_INTERVAL)
        {
            return;
        }
        self.warned_at = Some(Instant::now());
        let limit = getrlimit(Resource::Nofile).current;
        tracing::warn!(
            limit,
            "no file descriptors left; no new client is accepted until others leave. \
             Raise the limit of open files (LimitNOFILE=, ulimit -n)"
        );
    }
}

/// True if a system call failed because the process or the system has no file descriptors
/// left.
pub(crate) fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}
