//! What builds of the gateway are held against each other with: a request of each kind
//! that takes a way of its own through the code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::case;
use crate::compare::{self, Comparison, Plan};
use crate::contender::{self, Contender, known};
use crate::generator::Ask;
use crate::memory::{self, Footprint};
use crate::process::Process;

/// A kind of request, and the configuration that it is sent to.
pub(crate) struct Scenario {
    /// A short name, for tables, the choice of scenarios and the directory of a run.
    pub(crate) name: &'static str,
    /// The rows of contenders, and which of them.
    row: (&'static [known::Row], &'static str),
    /// What is sent.
    pub(crate) exchange: Exchange,
    /// Requests a second to each build, lowered if the core cannot bear it.
    rate: f64,
    /// Keep-alive connections to each build.
    connections: usize,
}

/// What is sent, and what comes back.
pub(crate) enum Exchange {
    /// A request and a response with so many bytes of body.
    Request(fn() -> Ask, usize),
    /// A message through a tunnel, which the upstream sends back.
    Tunnel,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Fits into a socket's buffer, which a nonblocking client needs.
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
    Scenario { name: "tunnel", row: (known::PROXIES, "janua"), rate: 0.0, connections: 0,
        exchange: Exchange::Tunnel },
];

impl Scenario {
    /// Whether it is among `wanted`; all are if nothing is named.
    pub(crate) fn is_wanted(&self, wanted: &[String]) -> bool {
        wanted.is_empty() || wanted.iter().any(|name| name == self.name)
    }

    /// The builds in this scenario's configuration, and the directory of their run,
    /// in which the files are that they may have to serve.
    ///
    /// # Errors
    /// A build is not there, or the files cannot be written.
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

    /// CPU per request of builds beside each other; none for a tunnel, whose load this
    /// program cannot make.
    ///
    /// # Errors
    /// A build does not start, or takes no connections any more.
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

/// Memory of builds, plain proxies each, one after the other.
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
    let each = builds.iter();
    each.map(|one| memory::footprint(one, &work, backend))
        .collect()
}
