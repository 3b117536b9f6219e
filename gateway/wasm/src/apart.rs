//! Compiles components in a process of its own: the parent's side.
//!
//! A component is the work of somebody else, and the compiler's time, memory and stack
//! depend on it. So this program starts itself once more (`apart/child.rs`), with limits. The
//! component is its input. Its output is a byte when the structure has been checked, and then
//! the compiled code with its checksum; or else a sentence that says why not. However the
//! child dies, the component is refused and the gateway continues.

mod child;
mod ending;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::artefact::Artefact;
use crate::component::LoadError;
use crate::structure::MAX_SIZE;

pub use child::compile_component;
use ending::Ending;

/// What the child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Reads the component, and checks its structure and its imports and exports.
    Structure,
    /// Validates it and generates code.
    Code,
}

/// The byte that the child writes after the first stage.
const CHECKED: u8 = b'v';

/// The limits of a stage.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// In bytes.
    memory: u64,
    /// The CPU time of all threads, in seconds.
    cpu: u64,
    /// The time by the clock, which is longer: the child is nice, and the machine busy.
    time: Duration,
}

impl Stage {
    /// The largest honest component, CPython, takes 1 ms of the first stage. Of the second it
    /// takes 18 s and 450 MB in a debug build.
    fn limits(self) -> Limits {
        match self {
            Self::Structure => Limits {
                memory: 512 << 20,
                cpu: 5,
                time: Duration::from_secs(15),
            },
            Self::Code => Limits {
                memory: 2 << 30,
                cpu: 90,
                time: Duration::from_secs(180),
            },
        }
    }
}

/// The largest compiled component, in bytes. That of CPython has 70 MB.
const MAX_ARTEFACT: usize = 512 << 20;
/// The most that is kept of what the child says when it dies.
const MAX_WORDS: usize = 64 << 10;
/// How long it takes until a stop is noticed.
const TICK: Duration = Duration::from_millis(100);
/// How much nicer than the gateway a child is, unless it is urgent.
const NICE: u8 = 10;
/// Threads of one child. More would only need more memory.
const MAX_THREADS: usize = 8;
/// The stack of each of them: that of the compiler grows with the nesting of blocks.
const THREAD_STACK: usize = 8 << 20;

/// Starts the processes that compile.
#[derive(Debug)]
pub struct Apart {
    program: PathBuf,
    /// What precedes the number of this process on the command line.
    arguments: Vec<String>,
    stopped: AtomicBool,
    /// Whether nobody is served who would have to wait.
    is_urgent: AtomicBool,
    /// How many children there may still be.
    free: Mutex<usize>,
    freed: Condvar,
}

impl Apart {
    /// `program` with these arguments, and after them the id of this process and a niceness,
    /// must call [`compile_component`] with these two. There are as many such processes at once as the
    /// machine has cores.
    pub fn new(program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            stopped: AtomicBool::new(false),
            is_urgent: AtomicBool::new(false),
            free: Mutex::new(cores()),
            freed: Condvar::new(),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_urgent(&self, is_urgent: bool) {
        self.is_urgent.store(is_urgent, Ordering::Relaxed);
    }

    pub(crate) fn compile(&self, bytes: &[u8]) -> Result<Artefact, LoadError> {
        // Before it is copied.
        if bytes.len() > MAX_SIZE {
            let (n, limit) = (bytes.len(), MAX_SIZE);
            return Err(LoadError::Structure(format!(
                "it has {n} bytes, and at most {limit} are allowed"
            )));
        }
        let _place = self.place();
        let failed = |error: io::Error| {
            LoadError::Died(format!(
                "the process that compiles components failed, which is not the fault of the component: {error}"
            ))
        };
        let words = scratch().map_err(failed)?;
        let mut running = Running(self.spawn(bytes, &words).map_err(failed)?);
        let mut output = Vec::new();
        let mut stage = Stage::Structure;
        let ending = match self.read(&mut running.0, &mut stage, &mut output) {
            Ok(None) => Ending::Exit(running.end().map_err(failed)?),
            Ok(Some(ending)) => ending,
            Err(error) => return Err(failed(error)),
        };
        let mut said = vec![0; MAX_WORDS];
        let length = words.read_at(&mut said, 0).unwrap_or(0);
        said.truncate(length);
        ending.outcome(stage, output, &String::from_utf8_lossy(&said))
    }

    fn spawn(&self, bytes: &[u8], words: &File) -> io::Result<Child> {
        // A file, so that the child can be read from without being written to meanwhile.
        let mut input = scratch()?;
        input.write_all(bytes)?;
        input.rewind()?;
        let nice = match self.is_urgent.load(Ordering::Relaxed) {
            true => 0,
            false => NICE,
        };
        Command::new(&self.program)
            .arg0("janua")
            .args(&self.arguments)
            .arg(std::process::id().to_string())
            .arg(nice.to_string())
            // Secrets of the gateway are no business of the child.
            .env_clear()
            .env("RAYON_NUM_THREADS", cores().min(MAX_THREADS).to_string())
            // Its allocator would take a GiB at once, which counts although it is unused.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .env("RUST_MIN_STACK", THREAD_STACK.to_string())
            .stdin(Stdio::from(input))
            .stdout(Stdio::piped())
            .stderr(Stdio::from(words.try_clone()?))
            .spawn()
    }

    /// Reads the output until it ends (`None`), or until the child must be ended.
    fn read(
        &self,
        child: &mut Child,
        stage: &mut Stage,
        output: &mut Vec<u8>,
    ) -> io::Result<Option<Ending>> {
        let Some(pipe) = &mut child.stdout else {
            return Ok(None);
        };
        let mut deadline = Instant::now() + stage.limits().time;
        let mut part = vec![0; 256 << 10];
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(Some(Ending::Stopped));
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
            if let (Stage::Structure, [CHECKED, rest @ ..]) = (*stage, read) {
                *stage = Stage::Code;
                deadline = Instant::now() + stage.limits().time;
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

/// A child that does not outlive this value.
struct Running(Child);

impl Running {
    fn end(&mut self) -> io::Result<std::process::ExitStatus> {
        // If its output ended because it has exited, this changes nothing.
        let _ = self.0.kill();
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// A file in memory.
fn scratch() -> io::Result<File> {
    Ok(File::from(memfd_create("janua", MemfdFlags::CLOEXEC)?))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests;
