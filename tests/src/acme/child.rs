//! A server of another project as a child process.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A process that ends with this, or with the thread of the test that started it, and what it
/// has written. If the test fails, that is printed.
#[derive(Debug)]
pub(super) struct Child {
    name: &'static str,
    process: std::process::Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Child {
    /// Starts a program of the Debian package `pebble`.
    pub(super) fn start(
        name: &'static str,
        directory: &Path,
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Self {
        let program = installed(name);
        // Dropping ends it; this also does if the tests are killed, or abort.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().cloned())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process =
            process.unwrap_or_else(|error| panic!("setpriv (of util-linux) for {name}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(process.stdout.take().unwrap(), &lines);
        collect(process.stderr.take().unwrap(), &lines);
        Self {
            name,
            process,
            lines,
        }
    }

    /// What it has written so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Fails the test if it has ended.
    pub(super) fn expect_running(&mut self) {
        if let Some(status) = self.process.try_wait().expect("a child can be waited for") {
            let (name, lines) = (self.name, self.lines().join("\n"));
            panic!("{name} ended: {status}\n{lines}");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let (name, lines) = (self.name, self.lines().join("\n"));
            eprintln!("--- what {name} wrote ---\n{lines}\n---");
        }
    }
}

/// Reads until the process ends, so that it never waits for somebody to read.
fn collect(output: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            lines.lock().unwrap().push(line);
        }
    });
}

/// The path of a program. A test that needs it must not pass without it.
fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!("`{name}` is not installed, and tests of automatic certificates need it: apt-get install pebble")
    })
}
