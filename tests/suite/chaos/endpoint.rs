//! Three endpoints, each a process of its own: they are killed, stopped, started again, and told
//! to misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use janua_tests::{Http2Client, Port, Request, Wire};
use rustix::process::{Pid, Signal, kill_process};

/// The names that endpoints give in `X-Endpoint`.
pub(crate) const NAMES: [&str; 3] = ["one", "two", "three"];

/// An endpoint with a port of its own, which it keeps while its process is dead.
pub(crate) struct Endpoint {
    name: &'static str,
    http: &'static str,
    port: Port,
    journal: PathBuf,
    process: Option<Process>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Starts all three, which speak this version of HTTP, with their journals in this directory.
pub(crate) fn three(directory: &Path, http: &'static str) -> [Endpoint; 3] {
    NAMES.map(|name| {
        let mut endpoint = Endpoint {
            name,
            http,
            port: Port::reserve(),
            journal: directory.join(name),
            process: None,
        };
        endpoint.start("well");
        endpoint
    })
}

impl Endpoint {
    /// The address in the form used by the configuration.
    pub(crate) fn address(&self) -> String {
        self.port.endpoint()
    }

    /// Starts its process, which behaves in this way, and waits until it listens. It must be called
    /// on a thread that lives as long as the process is to live.
    pub(crate) fn start(&mut self, behaviour: &str) {
        assert!(self.process.is_none(), "{} runs", self.name);
        let mut child = Command::new(env!("CARGO_BIN_EXE_janua-test-endpoint"))
            .args([self.name, &self.address()])
            .arg(&self.journal)
            .args([behaviour, self.http])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the endpoint can be started");
        let mut process = Process {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        process.expect("ready");
        self.process = Some(process);
    }

    /// From now on it behaves in this way: see `endpoint/main.rs`.
    pub(crate) fn behave(&mut self, behaviour: &str) {
        let process = self.process.as_mut().expect("it runs");
        writeln!(process.input, "{behaviour}").expect("it listens to its input");
        process.expect("ok");
    }

    /// Kills it, as the kernel does when memory is short, and waits for its end.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.child.kill().expect("it can be killed");
        process.child.wait().expect("it can be waited for");
    }

    /// Stops it, as a debugger or a full disk does: the kernel still accepts connections for it.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        // It has not been waited for yet, so that the id is still its own.
        kill_process(Pid::from_child(&process.child), signal).expect("it can be signalled");
    }

    /// Waits until it has read what had been sent to it while it could not, if it runs.
    pub(crate) async fn has_read_all(&self) {
        if self.process.is_none() {
            return;
        }
        // It takes turns among its connections.
        for _ in 0..3 {
            let wire = Wire::connect(self.port.address()).await;
            let request = Request::get("/health");
            let response = match self.http {
                "2" => Http2Client::over(wire).await.send(&request).await,
                _ => { wire }.exchange(&request).await,
            };
            assert_eq!(response.status, 200);
        }
    }

    /// How often it has received each request: a method and a path.
    pub(crate) fn received(&self) -> BTreeMap<String, usize> {
        let text = std::fs::read_to_string(&self.journal).unwrap_or_default();
        let mut received = BTreeMap::new();
        for line in text.lines() {
            *received.entry(line.to_owned()).or_default() += 1;
        }
        received
    }
}

impl Process {
    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it says something");
        assert_eq!(line.trim_end(), word);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
