//! What a process that compiles may use.

use std::time::Duration;

/// What the child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Reads the component, and checks its structure and its imports and exports.
    Structure,
    /// Validates it and generates code.
    Code,
}

/// The limits of a process that compiles.
#[derive(Debug, Clone, Copy)]
pub struct CompileLimits {
    /// In bytes.
    pub memory: u64,
    /// The CPU time of all threads, in seconds.
    pub cpu: u64,
    /// The time by the clock, which is longer: the process is nice, and the machine busy.
    pub time: Duration,
}

/// Of the first stage. The largest honest component, CPython, takes 1 ms of it.
const STRUCTURE: CompileLimits = CompileLimits {
    memory: 512 << 20,
    cpu: 5,
    time: Duration::from_secs(15),
};

/// What generating code may use. CPython takes 18 s and 450 MB in a debug build.
impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            cpu: 90,
            time: Duration::from_secs(180),
        }
    }
}

impl Stage {
    /// The limits of this stage, if `code` are those of the second.
    pub(super) fn limits(self, code: CompileLimits) -> CompileLimits {
        match self {
            Self::Structure => STRUCTURE,
            Self::Code => code,
        }
    }
}

/// The largest compiled component, in bytes. That of CPython has 70 MB.
pub(crate) const MAX_ARTEFACT: usize = 512 << 20;
/// The most that is kept of what the child says when it dies.
pub(super) const MAX_WORDS: usize = 64 << 10;
