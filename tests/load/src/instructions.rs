//! Instructions per request of builds of the gateway, counted by valgrind.
//!
//! On a shared machine, times vary by tens of percent, but the instructions of a request in
//! user code hardly vary. One connection (or, where that is measured, a new one each time) sends
//! one request after the other, so that the result does not depend on what arrives together.
//! With HTTP/2, one connection sends as many requests as it can carry together, and the next ones
//! when all of them have their responses. The kernel, caches of the processor and the cost of
//! waking up are not included.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::ClientConfig;

use crate::client::{Connection, Multiplexed};
use crate::compare::median;
use crate::contender::{Contender, Running};
use crate::process::Process;
use crate::scenario::{Exchange, SCENARIOS, Scenario};
use crate::tls::Over;

/// The result of a build in a scenario.
pub(crate) struct Counted {
    /// The scenario's name.
    pub(crate) scenario: &'static str,
    /// Name of the build.
    pub(crate) build: String,
    /// Instructions per request, median of the rounds.
    pub(crate) instructions: f64,
    /// The least and the greatest of the rounds.
    pub(crate) spread: (f64, f64),
    /// The median divided by that of the first build.
    pub(crate) ratio: f64,
}

/// Requests of the warm-up, which fills memos, pools and buffers.
const WARM_UP: usize = 200;
/// Requests of a round. A request with a body of megabytes takes as many instructions as
/// hundreds of small ones.
const REQUESTS: usize = 500;
const ROUNDS: usize = 3;
/// How long a response may take: valgrind makes a program about fifty times slower.
const LIMIT: Duration = Duration::from_secs(60);
const MESSAGE: &[u8] = &[b'm'; 64];
const UPGRADE: &[u8] = b"GET /tunnel HTTP/1.1\r\nHost: load.example\r\nConnection: Upgrade\r\n\
    Upgrade: echo\r\n\r\n";

/// Counts the wanted scenarios for all builds. A scenario that fails under valgrind is
/// reported and left out.
///
/// # Errors
/// valgrind is not installed, a build does not exist, or nothing could be counted.
pub(crate) fn count(
    binaries: &[PathBuf],
    wanted: &[String],
    work: &Path,
    backend: &Process,
) -> anyhow::Result<Vec<Counted>> {
    for tool in ["valgrind", "vgdb"] {
        let found = Command::new(tool).arg("--version").output();
        found.with_context(|| format!("{tool} is needed: install the package valgrind"))?;
    }
    let mut all = Vec::new();
    for scenario in SCENARIOS.iter().filter(|one| one.is_wanted(wanted)) {
        let (builds, work) = scenario.prepare(binaries, work)?;
        let mut first = None;
        for (build, binary) in builds.iter().zip(binaries) {
            let binary = binary.display().to_string();
            eprintln!("instructions: {}, {binary}", scenario.name);
            let rounds = match rounds(scenario, build, &work, backend) {
                Ok(rounds) => rounds,
                Err(error) => {
                    eprintln!("left out: {}, {binary}: {error:#}", scenario.name);
                    continue;
                }
            };
            let instructions = median(&rounds);
            let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
            all.push(Counted {
                scenario: scenario.name,
                build: binary,
                instructions,
                spread: (least, rounds.iter().copied().fold(0.0, f64::max)),
                ratio: instructions / *first.get_or_insert(instructions),
            });
        }
    }
    if all.is_empty() {
        bail!("nothing was counted");
    }
    Ok(all)
}

/// Instructions per request in each round.
fn rounds(
    scenario: &Scenario,
    build: &Contender,
    work: &Path,
    backend: &Process,
) -> anyhow::Result<Vec<f64>> {
    // First started without valgrind, to compile the policies and keep the result.
    drop(build.start(work, backend.address)?);
    let out = work.join(format!("{}.callgrind", build.name));
    let mut tool: Vec<OsString> = Vec::new();
    // Policies are machine code that is generated at run time, or loaded from a file that
    // valgrind does not know.
    for word in ["valgrind", "--tool=callgrind", "--smc-check=all-non-file"] {
        tool.push(word.into());
    }
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(fs::canonicalize(work)?.join(out.file_name().unwrap_or_default()));
    tool.push(file);
    let running = build.start_under(&tool, work, backend.address)?;

    let mut client = Client::connect(&running, &scenario.exchange)?;
    client.ask(WARM_UP)?;
    dump(&running)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        client.ask(REQUESTS)?;
        dump(&running)?;
        // Dumps are numbered from 1; the first one is that of start and warm-up.
        let mut name = out.clone().into_os_string();
        name.push(format!(".{}", round + 2));
        rounds.push(total(Path::new(&name))? / REQUESTS as f64);
    }
    Ok(rounds)
}

/// Lets valgrind write the counts so far, and reset them.
fn dump(running: &Running) -> anyhow::Result<()> {
    let mut command = Command::new("vgdb");
    command
        .arg(format!("--pid={}", running.process.id()))
        .arg("dump");
    let output = command.output().context("vgdb")?;
    if !output.status.success() {
        bail!("vgdb: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The number of instructions in a dump.
fn total(file: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    total_of(&text).with_context(|| format!("{} has no total", file.display()))
}

fn total_of(dump: &str) -> Option<f64> {
    let mut lines = dump.lines();
    let value = lines.find_map(|line| line.strip_prefix("totals: "))?;
    value.trim().parse().ok()
}

/// Repeats the same request.
enum Client {
    Single(Single),
    Multiplexed(Multiplexed),
}

impl Client {
    fn connect(running: &Running, exchange: &Exchange) -> anyhow::Result<Self> {
        if let Exchange::Request(ask, _) = exchange
            && let ask = ask()
            && ask.over.is_http2()
        {
            let address = running.address(ask.over);
            return Multiplexed::open(address, &ask, LIMIT).map(Self::Multiplexed);
        }
        Single::connect(running, exchange).map(Self::Single)
    }

    fn ask(&mut self, requests: usize) -> anyhow::Result<()> {
        match self {
            Self::Single(client) => (0..requests).try_for_each(|_| client.ask()),
            Self::Multiplexed(client) => client.ask(requests),
        }
    }
}

/// Sends one request after the other, on one connection or each time on a new one.
struct Single {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    is_new_each_time: bool,
    connection: Connection,
    request: Vec<u8>,
    /// Bytes of body in a response; `None` in a tunnel, which returns the message.
    body: Option<usize>,
    buffer: Vec<u8>,
}

impl Single {
    fn connect(running: &Running, exchange: &Exchange) -> anyhow::Result<Self> {
        let ask = match exchange {
            Exchange::Request(ask, _) => Some(ask()),
            Exchange::Tunnel => None,
        };
        let over = ask.as_ref().map_or(Over::Cleartext, |ask| ask.over);
        let (address, tls) = (running.address(over), over.config()?);
        let mut this = Self {
            connection: Connection::open(address, tls.as_ref(), LIMIT)?,
            address,
            tls,
            is_new_each_time: over.is_new_each_time(),
            request: Vec::new(),
            body: None,
            buffer: vec![0; 256 * 1024],
        };
        match exchange {
            Exchange::Request(ask, body) => {
                this.request = ask().requests().pop().context("no request")?;
                this.body = Some(*body);
            }
            Exchange::Tunnel => {
                this.connection.write_all(UPGRADE)?;
                let (status, rest) = this.head()?;
                if status != 101 || rest != 0 {
                    bail!("the upgrade is answered {status}");
                }
                this.request = MESSAGE.to_vec();
            }
        }
        Ok(this)
    }

    fn ask(&mut self) -> anyhow::Result<()> {
        if self.is_new_each_time {
            self.connection = Connection::open(self.address, self.tls.as_ref(), LIMIT)?;
        }
        self.connection.write_all(&self.request)?;
        let Some(body) = self.body else {
            return self.echo();
        };
        let (status, mut came) = self.head()?;
        while came < body {
            match self.connection.read(&mut self.buffer)? {
                0 => bail!("closed within the answer"),
                more => came += more,
            }
        }
        if status != 200 || came != body {
            bail!("answered {status} with {came} bytes of body");
        }
        Ok(())
    }

    /// Reads the message that comes back through a tunnel.
    fn echo(&mut self) -> anyhow::Result<()> {
        let mut came = 0;
        while came < MESSAGE.len() {
            let free = self.buffer.get_mut(came..MESSAGE.len());
            match self.connection.read(free.unwrap_or_default())? {
                0 => bail!("closed within the tunnel"),
                more => came += more,
            }
        }
        if self.buffer.get(..came) != Some(MESSAGE) {
            bail!("another message came back");
        }
        Ok(())
    }

    /// Reads a head. Returns its status, and the bytes of the body received with it.
    fn head(&mut self) -> anyhow::Result<(u16, usize)> {
        let mut came = 0;
        loop {
            let free = self.buffer.get_mut(came..).unwrap_or_default();
            match self.connection.read(free)? {
                0 => bail!("closed within a head"),
                more => came += more,
            }
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut fields);
            let all = self.buffer.get(..came).unwrap_or_default();
            if let httparse::Status::Complete(end) = response.parse(all)? {
                return Ok((response.code.context("no status")?, came - end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_dumps_are_read() {
        let dump = "# callgrind format\nevents: Ir\nfn=(1) f\n1 20\n\ntotals: 12345\n";
        assert_eq!(total_of(dump), Some(12345.0));
        assert_eq!(total_of("events: Ir\n"), None);
    }
}
