//! The scenarios for comparing builds of the gateway: one kind of request for each main path
//! through the code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::case;
use crate::compare::{self, Comparison, Plan};
use crate::contender::{self, Contender, known};
use crate::generator::Ask;
use crate::memory::{Footprint, KINDS};
use crate::process::Process;
use crate::tls::Over;

/// A kind of request, and the configuration that it is sent to.
pub(crate) struct Scenario {
    /// A short name, for tables, the selection of scenarios and the directory of a run.
    pub(crate) name: &'static str,
    /// The rows of contenders, and the name of the row to use.
    row: (&'static [known::Row], &'static str),
    /// What is sent.
    pub(crate) exchange: Exchange,
    /// Requests per second to each build; reduced if that is too much for the core.
    rate: f64,
    /// Keep-alive connections to each build.
    connections: usize,
}

/// What is sent and received.
pub(crate) enum Exchange {
    /// A request and a response, each with this many bytes of body.
    Request(fn() -> Ask, usize),
    /// A message of this length through a tunnel, which the upstream sends back.
    Tunnel,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Small enough for the buffer of a socket, as a nonblocking client needs.
const UPLOAD: usize = 128 * KIB;

/// All of them.
#[rustfmt::skip]
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "plain-1k", row: (known::PROXIES, "janua"), rate: 2000.0, connections: 32,
        exchange: Exchange::Request(|| Ask::plain("/1k", KIB), KIB) },
    Scenario { name: "plain-1m", row: (known::PROXIES, "janua"), rate: 100.0, connections: 16,
        exchange: Exchange::Request(|| Ask::plain("/1m", MIB), MIB) },
    Scenario { name: "upload-128k", row: (known::PROXIES, "janua"), rate: 500.0, connections: 16,
        exchange: Exchange::Request(|| Ask::upload("/upload", UPLOAD, 1), 1) },
    Scenario { name: "hit-1k", row: (known::CACHES, "janua"), rate: 3000.0, connections: 32,
        exchange: Exchange::Request(|| Ask::plain("/cached/1k", KIB), KIB) },
    Scenario { name: "file-1m", row: (known::FILES, "janua"), rate: 300.0, connections: 16,
        exchange: Exchange::Request(|| Ask::plain("/1m", MIB), MIB) },
    Scenario { name: "policies-5", row: (known::PROXIES, "janua-5"), rate: 2000.0, connections: 32,
        exchange: Exchange::Request(|| Ask::plain("/1k", KIB), KIB) },
    Scenario { name: "tls-1k", row: (known::TLS, "janua"), rate: 1500.0, connections: 32,
        exchange: Exchange::Request(|| Ask::plain("/1k", KIB).over(Over::Tls), KIB) },
    Scenario { name: "tls-new", row: (known::TLS, "janua"), rate: 300.0, connections: 16,
        exchange: Exchange::Request(|| Ask::plain("/1k", KIB).over(Over::NewTls), KIB) },
    Scenario { name: "tls-resumed", row: (known::TLS, "janua"), rate: 300.0, connections: 16,
        exchange: Exchange::Request(|| Ask::plain("/1k", KIB).over(Over::ResumedTls), KIB) },
    Scenario { name: "h2-1k", row: (known::HTTP2, "janua"), rate: 2000.0, connections: 16,
        exchange: Exchange::Request(|| Ask::plain("/1k", KIB).over(Over::Http2), KIB) },
    Scenario { name: "grpc-unary", row: (known::GRPC, "janua"), rate: 1500.0, connections: 16,
        exchange: Exchange::Request(|| Ask::call(1), 0) },
    Scenario { name: "tunnel", row: (known::PROXIES, "janua"), rate: 0.0, connections: 0,
        exchange: Exchange::Tunnel },
];

impl Scenario {
    /// True if `wanted` is empty or contains the scenario.
    pub(crate) fn is_wanted(&self, wanted: &[String]) -> bool {
        wanted.is_empty() || wanted.iter().any(|name| name == self.name)
    }

    /// The builds with the configuration of this scenario, and the directory of their run,
    /// which contains the files that they serve.
    ///
    /// # Errors
    /// A build does not exist, or the files cannot be written.
    pub(crate) fn prepare(
        &self,
        binaries: &[PathBuf],
        work: &Path,
    ) -> anyhow::Result<(Vec<Contender>, PathBuf)> {
        let (rows, name) = self.row;
        let row = rows.iter().find(|row| row.0 == name).context(name)?;
        let work = work.join("builds").join(self.name);
        case::write_files(&work.join("files"))?;
        Ok((contender::builds(row, binaries)?, work))
    }

    /// Compares the CPU time per request of builds; `None` for a tunnel, for which this
    /// program has no load generator.
    ///
    /// # Errors
    /// A build does not start, or no longer accepts connections.
    pub(crate) fn compare(
        &self,
        binaries: &[PathBuf],
        work: &Path,
        backend: &Process,
        window: Duration,
        rounds: usize,
    ) -> anyhow::Result<Option<Comparison>> {
        let Exchange::Request(ask, _) = self.exchange else {
            return Ok(None);
        };
        let (builds, work) = self.prepare(binaries, work)?;
        let started = builds.iter().map(|one| one.start(&work, backend.address));
        let running = started.collect::<anyhow::Result<Vec<_>>>()?;
        let plan = Plan {
            ask: ask(),
            rate: Some(self.rate),
            connections: self.connections,
            window,
            rounds,
        };
        compare::compare(&running, backend, &plan).map(Some)
    }
}

/// Measures the memory of builds as plain proxies, one after the other.
///
/// # Errors
/// A build does not start, or refuses connections.
pub(crate) fn footprints(
    binaries: &[PathBuf],
    work: &Path,
    backend: &Process,
) -> anyhow::Result<Vec<Footprint>> {
    let plain = SCENARIOS.first().context("no scenario")?;
    let (builds, work) = plain.prepare(binaries, work)?;
    let kind = KINDS.first().context("no kind of connections")?;
    let each = builds.iter();
    each.map(|one| kind.footprint(one, &work, backend))
        .collect()
}
