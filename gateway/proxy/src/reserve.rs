//! File descriptors that are kept back from new clients, so that the clients who
//! are connected already can still be served.
//!
//! A gateway that accepts until its last descriptor is gone cannot connect to an
//! upstream any more, and answers everybody with an error. So an eighth of the
//! limit is taken at start and held, as nginx stops accepting when an eighth of its
//! connections is left. A connection to an upstream that finds no descriptor gives
//! one back and takes its place. Clients are accepted only while the whole reserve
//! is held: descriptors that become free go to it first.

use std::fs::File;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The most that is held: each costs a little of the kernel's memory.
const MOST: u64 = 1024;

/// How long nobody is accepted before it is tried again, if no connection has
/// been closed meanwhile: descriptors become free elsewhere too.
const PAUSE: Duration = Duration::from_millis(100);

/// How long after a warning there is no other.
const QUIET: Duration = Duration::from_secs(60);

/// The reserve of the process.
#[derive(Debug, Default)]
pub(crate) struct Reserve {
    held: Mutex<Held>,
    /// Nobody is accepted for want of descriptors.
    is_short: AtomicBool,
    /// Wakes those who wait to accept.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    files: Vec<File>,
    /// As many as there should be.
    whole: usize,
    /// When it was last said that there are none left.
    said: Option<Instant>,
}

impl Reserve {
    /// Takes its descriptors. With a limit so low that they are not there, it is
    /// as large as it can be.
    pub(crate) fn take(&self) {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let mut held = self.held();
        held.whole = usize::try_from((limit / 8).min(MOST)).unwrap_or_default();
        if !held.fill() {
            held.whole = held.files.len();
        }
    }

    /// Whether clients may be accepted: the whole reserve is held. What is missing
    /// is taken, as far as there are descriptors.
    pub(crate) fn is_whole(&self) -> bool {
        // Mostly nobody has taken anything.
        if !self.is_short.load(Relaxed) {
            return true;
        }
        // Under the lock, so that nobody takes one between the two.
        let mut held = self.held();
        let is_whole = held.fill();
        if is_whole {
            self.is_short.store(false, Relaxed);
        }
        is_whole
    }

    /// Gives a descriptor back for a connection to an upstream; false if there is
    /// none left.
    pub(crate) fn give(&self) -> bool {
        let mut held = self.held();
        let given = held.files.pop().is_some();
        self.is_short.store(true, Relaxed);
        held.say();
        given
    }

    /// No descriptor was left to accept a client with.
    pub(crate) fn run_out(&self) {
        self.is_short.store(true, Relaxed);
        self.held().say();
    }

    /// A connection was closed, so that a descriptor may be free.
    pub(crate) fn freed(&self) {
        if self.is_short.load(Relaxed) {
            self.freed.notify_waiters();
        }
    }

    /// Waits until a descriptor may be free.
    pub(crate) async fn wait(&self) {
        let _ = tokio::time::timeout(PAUSE, self.freed.notified()).await;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Takes what is missing; true once nothing is.
    fn fill(&mut self) -> bool {
        while self.files.len() < self.whole {
            match File::open("/dev/null") {
                Ok(file) => self.files.push(file),
                Err(_) => return false,
            }
        }
        true
    }

    /// Says that there are none left, but not at every client.
    fn say(&mut self) {
        if self.said.is_some_and(|said| said.elapsed() < QUIET) {
            return;
        }
        self.said = Some(Instant::now());
        let limit = getrlimit(Resource::Nofile).current;
        tracing::warn!(
            limit,
            "no file descriptors left; no new client is accepted until others leave. \
             Raise the limit of open files (LimitNOFILE=, ulimit -n)"
        );
    }
}

/// Whether a system call failed for want of descriptors, of the process or of the
/// machine.
pub(crate) fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}
