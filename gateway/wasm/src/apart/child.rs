//! Compiles components in a process of its own: the child's side.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use rustix::process::set_parent_process_death_signal;
use rustix::process::{Resource, Rlimit, Signal, getppid, getrlimit, nice, setrlimit};
use rustix::thread::set_no_new_privs;

use super::CHECKED;
use super::limits::{CompileLimits, MAX_WORDS, Stage};
use crate::compiler;
use crate::engine::engine;
use crate::structure::MAX_SIZE;

/// The stack of the thread that compiles. Reading, validating and linking recurse to a depth
/// that wasmtime limits.
const STACK: usize = 64 << 20;

/// What the process that compiles is told about its limits.
#[derive(Debug, Clone, Copy)]
pub struct Confinement {
    /// The id of the process that waits for it.
    pub parent: u32,
    /// What is added to its niceness.
    pub niceness: u8,
    /// The memory for generating code, in bytes.
    pub memory: u64,
    /// The CPU time for generating code, in seconds.
    pub cpu: u64,
}

/// The whole work of the process that compiles one component: reads it from the standard
/// input, and writes the result to the standard output.
pub fn compile_component(confinement: Confinement) -> ExitCode {
    let done = confinement.begin().and_then(|()| {
        let work = move || work(confinement);
        let worker = std::thread::Builder::new().stack_size(STACK).spawn(work)?;
        let ended = worker.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("the compiler has panicked")))
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            // The parent reads it and says it.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(FAILED)
        }
    }
}

/// The exit code of a child that has refused the component, and of one that has failed.
pub(super) const REFUSED: u8 = 3;
pub(super) const FAILED: u8 = 4;

impl Confinement {
    /// Sets the limits of the first stage, and what is to hold for both.
    fn begin(self) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have ended before.
        let is_orphan =
            getppid().is_none_or(|id| u32::try_from(id.as_raw_nonzero().get()) != Ok(self.parent));
        if is_orphan {
            return Err(io::Error::other("the gateway has ended"));
        }
        set_no_new_privs(true)?;
        // Not essential: some systems do not allow it.
        let _ = nice(i32::from(self.niceness));
        limit(Resource::Core, 0, 0)?;
        limit(Resource::Fsize, MAX_WORDS as u64, MAX_WORDS as u64)?;
        let (first, last) = self.stages();
        limit(Resource::Data, first.memory, first.memory.max(last.memory))?;
        limit(Resource::Cpu, first.cpu, first.cpu + last.cpu + 1)
    }

    /// Raises the limits to those of the second stage.
    fn proceed(self) -> io::Result<()> {
        let (first, last) = self.stages();
        limit(Resource::Data, last.memory, last.memory)?;
        let cpu = first.cpu + last.cpu;
        limit(Resource::Cpu, cpu, cpu + 1)
    }

    fn stages(self) -> (CompileLimits, CompileLimits) {
        let code = CompileLimits {
            memory: self.memory,
            cpu: self.cpu,
            ..CompileLimits::default()
        };
        (Stage::Structure.limits(code), Stage::Code.limits(code))
    }
}

/// Sets a limit, or leaves it if it is already lower for good.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let present = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let new = Rlimit {
        current: Some(soft.min(present)),
        maximum: Some(hard.min(present)),
    };
    Ok(setrlimit(resource, new)?)
}

fn work(confinement: Confinement) -> io::Result<ExitCode> {
    let mut bytes = Vec::new();
    let input = io::stdin().lock();
    input.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes)?;
    let mut output = io::stdout().lock();
    if let Err(refusal) = compiler::check(&bytes) {
        write!(output, "{refusal}")?;
        return Ok(ExitCode::from(REFUSED));
    }
    confinement.proceed()?;
    output.write_all(&[CHECKED])?;
    output.flush()?;
    let engine = engine().map_err(|error| io::Error::other(format!("{error:#}")))?;
    match compiler::generate(&engine, &bytes) {
        Ok(artefact) => {
            output.write_all(artefact.bytes())?;
            output.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            write!(output, "{refusal}")?;
            output.flush()?;
            Ok(ExitCode::from(REFUSED))
        }
    }
}
