//! Runs the binary.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::settings::Settings;
use rustix::process::{Pid, Signal, kill_process};

/// The time limit for the process to exit after it was told to.
const END: Duration = crate::PATIENCE;

/// A finished command.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// What it wrote to the standard output.
    pub stdout: String,
    /// What it wrote to the standard error stream.
    pub stderr: String,
}

/// The gateway's binary, next to the tests' executable: `make test` builds it
/// first.
///
/// # Panics
/// If it does not exist.
#[must_use]
pub fn binary() -> PathBuf {
    let path = std::env::var_os("JANUA_BINARY")
        .map_or_else(|| target_directory().join("janua"), PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not there: build it with `cargo build -p janua`",
        path.display()
    );
    path
}

/// The component of a test policy, by the name of its file: `misbehave`.
///
/// # Panics
/// If it does not exist.
#[must_use]
pub fn component(name: &str) -> PathBuf {
    let target = target_directory();
    let folder = target.parent().unwrap().join("wasm32-wasip2/policy");
    let path = folder.join(name.replace('-', "_")).with_extension("wasm");
    assert!(
        path.is_file(),
        "{} is not there: build it with `make policies`",
        path.display()
    );
    path
}

/// Another file that `make` builds, by its path below the target directory:
/// `spa/a`. It may not exist.
#[must_use]
pub fn built(path: &str) -> PathBuf {
    target_directory().parent().unwrap().join(path)
}

/// Runs `janua` with these arguments until it exits, without blocking the other
/// tasks of the test.
pub async fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("the task ends").expect("it can be run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// `target/debug`: the tests' own executable is in `target/debug/deps`.
fn target_directory() -> PathBuf {
    let own = std::env::current_exe().expect("the test's executable has a path");
    own.parent()
        .and_then(Path::parent)
        .expect("it is in a folder")
        .to_owned()
}

/// `janua run` in a directory with a `janua.toml`.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    messages: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    pub(super) fn start(directory: &Path, settings: &Settings) -> Self {
        let messages = directory.join("messages");
        let output = || {
            File::options()
                .create(true)
                .append(true)
                .open(&messages)
                .unwrap()
        };
        let child = Self::command(settings.open_file_limit())
            .args(["run", "--config", "janua.toml"])
            .current_dir(directory)
            .env("NO_COLOR", "1")
            .envs(settings.variables().iter().cloned())
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .spawn()
            .expect("the gateway can be started");
        Self {
            child,
            messages,
            ended: None,
        }
    }

    /// The command for the binary with this limit of open files.
    fn command(open_files: Option<u64>) -> Command {
        let Some(limit) = open_files else {
            return Command::new(binary());
        };
        let mut command = Command::new("/bin/sh");
        let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(binary());
        command
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(super) fn signal(&self, signal: Signal) {
        assert!(self.ended.is_none(), "the gateway has ended already");
        // The process has not been waited for yet, so the id is still valid.
        kill_process(Pid::from_child(&self.child), signal).expect("it can be signalled");
    }

    pub(super) fn try_wait(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child can be waited for");
        }
        self.ended
    }

    pub(super) fn expect_running(&mut self) {
        if let Some(status) = self.try_wait() {
            panic!("the gateway ended: {status}");
        }
    }

    pub(super) fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("RssAnon in KiB")
    }

    /// Tells it to stop and waits; kills it after [`END`].
    fn end(&mut self) -> Result<(), String> {
        if self.try_wait().is_none() {
            self.signal(Signal::TERM);
        }
        let begin = Instant::now();
        loop {
            match self.try_wait() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("the gateway ended with {status}")),
                None if begin.elapsed() > END => break,
                None => std::thread::park_timeout(Duration::from_millis(5)),
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        Err(format!("the gateway did not end within {END:?} of SIGTERM"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that has waited for the exit checks the exit code itself.
        let ended = if self.ended.is_some() {
            Ok(())
        } else {
            self.end()
        };
        if std::thread::panicking() || ended.is_err() {
            let messages = std::fs::read_to_string(&self.messages).unwrap_or_default();
            eprintln!("--- the gateway's messages ---\n{messages}---");
        }
        if let Err(error) = ended
            && !std::thread::panicking()
        {
            panic!("{error}");
        }
    }
}
