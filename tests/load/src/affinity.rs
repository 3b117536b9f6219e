//! Pins processes to a core, and ends them together with this program.
//!
//! Every process of a measurement is started through `janua-load launch`, which pins itself
//! to its cores, asks the kernel for a signal when its parent ends, and then executes the
//! program. A hook between fork and exec would need `unsafe`. The kernel ends the process
//! even if this program is killed.

use std::ffi::OsString;
use std::io::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Pins the calling thread, and threads and processes that it starts later, to these cores.
///
/// # Errors
/// There is no such core, or this process may run on none of them.
pub(crate) fn pin(cores: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        if core >= CpuSet::MAX_CPU {
            bail!("core {core}: no such core");
        }
        set.set(core);
    }
    sched_setaffinity(None, &set).with_context(|| format!("cores {cores:?}"))
}

/// Raises the soft limit of open files to the hard limit. A thousand idle connections may
/// need two thousand descriptors in a proxy.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // If that fails, the limit is unchanged, and a later error tells if it is too low.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// Executes `command` on `cores` in place of this process; it gets SIGTERM once `parent` has
/// ended.
///
/// # Errors
/// Returns only if the cores, the parent or the program does not exist.
pub(crate) fn launch(cores: &[usize], parent: u32, command: &[OsString]) -> anyhow::Result<()> {
    pin(cores)?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // The parent may have ended before the call above.
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
