//! Where a process runs, and that it does not outlive us.
//!
//! Every process of a measurement is started through `janua-load launch`,
//! which ties it to one core and to the life of its parent, then becomes it.
//! Doing this in a step of its own needs no `unsafe` (a hook between fork and
//! exec would), and the kernel ends the process even when we are killed.

use std::ffi::OsString;
use std::io::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Ties the calling thread, and what it starts from now on, to one core.
///
/// # Errors
/// The core does not exist, or this process may not run there.
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    if core >= CpuSet::MAX_CPU {
        bail!("core {core}: no such core");
    }
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("core {core}"))
}

/// Raises the soft limit of open files to the hard one: a thousand idle
/// connections are two thousand descriptors in a proxy that dials for each.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // A refusal leaves the limit as it was; who needs more will say so.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// Becomes `command` on `core`; ends with SIGTERM once `parent` is gone.
///
/// # Errors
/// Returns only if the core, the parent or the program is not there.
pub(crate) fn launch(core: usize, parent: u32, command: &[OsString]) -> anyhow::Result<()> {
    pin(core)?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // The parent may have gone before the request above was made.
    let actual = getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    if actual != parent {
        bail!("the process that started this one is gone");
    }
    let Some((program, arguments)) = command.split_first() else {
        bail!("no program given");
    };
    let error: Error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| program.to_string_lossy().into_owned())
}
