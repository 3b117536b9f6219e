//! Compiles components in a process of its own: the parent's side.
//!
//! A component is the work of somebody else, and the compiler's time, memory and stack
//! depend on it. So this program starts itself once more (`apart/child.rs`), with limits. The
//! component is its input. Its output is a byte when the structure has been checked, and then
//! the compiled code with its checksum; or else a sentence that says why not. However the
//! child dies, the component is refused and the gateway continues.

mod child;
mod ending;
mod limits;
mod running;

use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::ChildStdout;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::artefact::Artefact;
use crate::component::LoadError;
use crate::structure::{Fault, check_size};

pub use child::{Confinement, compile_component};
use ending::Ending;
pub use limits::CompileLimits;
pub(crate) use limits::MAX_ARTEFACT;
use limits::{MAX_WORDS, Stage};
use running::{Running, scratch};

/// The byte that the child writes after the first stage. No sentence begins with it.
const CHECKED: u8 = 6;
/// How long it takes until a stop is noticed.
const TICK: Duration = Duration::from_millis(100);

/// Starts the processes that compile.
#[derive(Debug)]
pub struct Apart {
    program: PathBuf,
    /// What precedes the number of this process on the command line.
    arguments: Vec<String>,
    limits: CompileLimits,
    stopped: AtomicBool,
    /// Set when nobody waits any more for what is being compiled.
    abandoned: Mutex<Option<Arc<AtomicBool>>>,
    /// Whether nobody is served who would have to wait.
    is_urgent: AtomicBool,
    /// How many children there may still be.
    free: Mutex<usize>,
    freed: Condvar,
}

impl Apart {
    /// `program` with these arguments, and after them the numbers of a [`Confinement`] in
    /// their order, must call [`compile_component`] with these. There are as many such
    /// processes at once as the machine has cores.
    pub fn new(program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            limits: CompileLimits::default(),
            stopped: AtomicBool::new(false),
            abandoned: Mutex::new(None),
            is_urgent: AtomicBool::new(false),
            free: Mutex::new(cores()),
            freed: Condvar::new(),
        }
    }

    /// With other limits for generating code.
    #[must_use]
    pub fn with_limits(mut self, limits: CompileLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_urgent(&self, is_urgent: bool) {
        self.is_urgent.store(is_urgent, Ordering::Relaxed);
    }

    /// Compilations that begin from now on end when this is set.
    pub(crate) fn set_abandoned(&self, abandoned: Option<Arc<AtomicBool>>) {
        *self
            .abandoned
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = abandoned;
    }

    pub(crate) fn compile(&self, bytes: &[u8]) -> Result<Artefact, LoadError> {
        // Before it is copied.
        check_size(bytes.len() as u64).map_err(Fault::refusal)?;
        let abandoned = self.abandoned.lock();
        let abandoned = abandoned.unwrap_or_else(PoisonError::into_inner).clone();
        let interruption = || self.interruption(abandoned.as_deref());
        let _place = self.place();
        if let Some(ending) = interruption() {
            return ending.outcome(Stage::Structure, self.limits, Vec::new(), "");
        }
        let failed = |error: io::Error| {
            LoadError::Died(format!(
                "the process that compiles components failed, which is not the fault of the component: {error}"
            ))
        };
        let words = scratch().map_err(failed)?;
        let is_urgent = self.is_urgent.load(Ordering::Relaxed);
        let mut running = Running::start(self, bytes, &words, is_urgent).map_err(failed)?;
        let mut output = Vec::new();
        let mut stage = Stage::Structure;
        let read = match running.output() {
            Some(pipe) => self.read(pipe, interruption, &mut stage, &mut output),
            None => Ok(None),
        };
        let ending = match read.map_err(failed)? {
            None => Ending::Exit(running.end().map_err(failed)?),
            Some(ending) => ending,
        };
        drop(running);
        let mut said = vec![0; MAX_WORDS];
        let length = words.read_at(&mut said, 0).unwrap_or(0);
        said.truncate(length);
        let said = String::from_utf8_lossy(&said);
        ending.outcome(stage, self.limits, output, &said)
    }

    /// Why a child must end although it has reached no limit.
    fn interruption(&self, abandoned: Option<&AtomicBool>) -> Option<Ending> {
        if self.stopped.load(Ordering::Relaxed) {
            return Some(Ending::Stopped);
        }
        let is_abandoned = abandoned.is_some_and(|set| set.load(Ordering::Relaxed));
        is_abandoned.then_some(Ending::Abandoned)
    }

    /// Reads the output until it ends (`None`), or until the child must be ended.
    fn read(
        &self,
        pipe: &mut ChildStdout,
        interruption: impl Fn() -> Option<Ending>,
        stage: &mut Stage,
        output: &mut Vec<u8>,
    ) -> io::Result<Option<Ending>> {
        let until = |stage: Stage| Instant::now() + stage.limits(self.limits).time;
        let mut deadline = until(*stage);
        let mut part = vec![0; 256 << 10];
        loop {
            if let Some(ending) = interruption() {
                return Ok(Some(ending));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Some(Ending::Late));
            }
            let tick = left.min(TICK).try_into().ok();
            match poll(&mut [PollFd::new(&*pipe, PollFlags::IN)], tick.as_ref()) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            let length = pipe.read(&mut part)?;
            let mut read = part.get(..length).unwrap_or_default();
            if read.is_empty() {
                return Ok(None);
            }
            if let (Stage::Structure, true, [CHECKED, rest @ ..]) =
                (*stage, output.is_empty(), read)
            {
                *stage = Stage::Code;
                deadline = until(*stage);
                read = rest;
            }
            if output.len() + read.len() > MAX_ARTEFACT {
                return Ok(Some(Ending::Large));
            }
            output.extend_from_slice(read);
        }
    }

    /// Waits until there may be one child more.
    fn place(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        Place(self)
    }
}

/// The right to one child.
struct Place<'a>(&'a Apart);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests;
