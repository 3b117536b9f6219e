//! A process that this program starts and ends.

use std::ffi::OsString;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::client;
use crate::kernel;

/// How long a process may take until its first response.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to end by itself, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// What to start, and where.
pub(crate) struct Launch {
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// Environment variables in addition to those of this program.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// The cores that it is pinned to.
    pub(crate) cores: Vec<usize>,
    /// The address that it will listen on.
    pub(crate) address: SocketAddr,
}

/// A running process; dropping it ends it.
pub(crate) struct Process {
    child: Child,
    /// The address that it listens on.
    pub(crate) address: SocketAddr,
    /// Time from the start to the first correct response.
    pub(crate) started_in: Duration,
}

impl Process {
    /// Starts a process whose output goes to `log`, and waits until it answers `GET /1k`.
    ///
    /// # Errors
    /// It cannot be started, ends, does not answer in time, or another process
    /// holds its port. The message ends with the last lines of the log.
    pub(crate) fn start(launch: &Launch, log: &Path) -> anyhow::Result<Self> {
        let ourselves = std::env::current_exe().context("own path")?;
        let output = File::create(log).with_context(|| log.display().to_string())?;
        let began = Instant::now();
        let cores: Vec<String> = launch.cores.iter().map(usize::to_string).collect();
        let child = Command::new(ourselves)
            .arg("launch")
            .args(["--core", &cores.join(",")])
            .args(["--parent", &std::process::id().to_string()])
            .arg("--")
            .args(&launch.command)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut this = Self {
            child,
            address: launch.address,
            started_in: Duration::ZERO,
        };
        this.wait_until_ready().with_context(|| {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines
                .get(lines.len().saturating_sub(15)..)
                .unwrap_or_default()
                .join("\n")
        })?;
        this.started_in = began.elapsed();
        if !kernel::listens(this.id(), this.address) {
            bail!("{} is held by a process that is not ours", this.address);
        }
        Ok(this)
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let limit = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended at once: {status}");
            }
            match client::get(self.address, "/1k") {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) if Instant::now() > limit => bail!("answers {}", answer.status),
                Err(error) if Instant::now() > limit => return Err(error.context("no answer")),
                Ok(_) | Err(_) => pause(Duration::from_millis(1)),
            }
        }
    }

    /// The process id; its descendants are found from it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process itself.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process id")?, signal)?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A killed master process may leave workers behind.
        let descendants = kernel::tree(self.id());
        // If this fails, the process has ended already.
        let _ = self.signal(Signal::TERM);
        let limit = Instant::now() + STOP_LIMIT;
        while Instant::now() < limit {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause(Duration::from_millis(5));
        }
        for pid in descendants {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.child.wait();
    }
}

/// Blocks this thread, which has nothing else to do.
#[allow(
    clippy::disallowed_methods,
    reason = "the ban is for a gateway's workers; this program has none"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// None is free.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?)
}
