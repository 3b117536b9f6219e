//! A process that compiles: how it is started, and that it ends.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use super::{Apart, cores};

/// How much nicer than the gateway a child is, unless it is urgent.
const NICE: u8 = 10;
/// Threads of one child. More would only need more memory.
const MAX_THREADS: usize = 8;
/// The stack of each of them: that of the compiler grows with the nesting of blocks.
const THREAD_STACK: usize = 8 << 20;

/// A child that does not outlive this value.
pub(super) struct Running(Child);

impl Running {
    /// Starts a child that compiles `bytes`, and writes to `words` if it dies.
    pub(super) fn start(
        apart: &Apart,
        bytes: &[u8],
        words: &File,
        is_urgent: bool,
    ) -> io::Result<Self> {
        // A file, so that the child can be read from without being written to meanwhile.
        let mut input = scratch()?;
        input.write_all(bytes)?;
        input.rewind()?;
        let nice = match is_urgent {
            true => 0,
            false => NICE,
        };
        let numbers = [
            u64::from(std::process::id()),
            u64::from(nice),
            apart.limits.memory,
            apart.limits.cpu,
        ];
        Command::new(&apart.program)
            .arg0("janua")
            .args(&apart.arguments)
            .args(numbers.map(|number| number.to_string()))
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
            .map(Self)
    }

    /// What it writes.
    pub(super) fn output(&mut self) -> Option<&mut ChildStdout> {
        self.0.stdout.as_mut()
    }

    /// Ends it, if it has not ended by itself.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
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
pub(super) fn scratch() -> io::Result<File> {
    Ok(File::from(memfd_create("janua", MemfdFlags::CLOEXEC)?))
}
