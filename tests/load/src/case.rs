//! TLS, HTTP/2, gRPC, WebSockets, files, cache hits and compression: what is measured, and for which contenders.
//!
//! The contenders of a [`Group`] are started together, each with one configuration. The
//! [`Case`]s of the group are then measured one after the other as in [`compare`].

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::client;
use crate::compare::{self, Comparison, Plan};
use crate::contender::{self, Contender, known};
use crate::generator::Ask;
use crate::process::Process;
use crate::tls::Over;

/// Contenders that are started together, and the measurements with them.
pub(crate) struct Group {
    /// A short name, for the selection of cases and for the directory of a run.
    pub(crate) name: &'static str,
    rows: &'static [known::Row],
    cases: &'static [Case],
}

/// One measurement.
pub(crate) struct Case {
    /// A short name, for the selection of cases.
    pub(crate) name: &'static str,
    /// The heading of its table.
    pub(crate) title: &'static str,
    /// An explanation of the table.
    pub(crate) about: &'static str,
    ask: fn() -> Ask,
    /// Requests per second to each contender; reduced if that is too much for the core. If
    /// `None`, each connection or stream sends the next request as soon as it has the response.
    rate: Option<f64>,
    /// Keep-alive connections to each contender.
    connections: usize,
    /// True if all requests must be cache hits, so that none reaches the backend.
    hits: bool,
}

/// The result of a case.
pub(crate) struct Finding {
    /// The case.
    pub(crate) case: &'static Case,
    /// The figures.
    pub(crate) comparison: Comparison,
    /// Requests that reached the backend, if all had to be cache hits.
    pub(crate) leaked: Option<u64>,
}

/// A group whose cases were measured.
pub(crate) struct Measured {
    /// The contenders that were measured.
    pub(crate) contenders: Vec<Contender>,
    /// The contenders that are not installed.
    pub(crate) absent: Vec<&'static str>,
    /// The contenders that did not start, and the reasons.
    pub(crate) refused: Vec<String>,
    /// The results, in the order of the group's cases.
    pub(crate) findings: Vec<Finding>,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Messages each way in a call of the streaming case.
const MESSAGES: u8 = 100;
/// Objects in the disk case: many more than a memory store of 2 MiB holds.
const OBJECTS: usize = 64;
/// The longest correct gzip response, in bytes. The document has 100 KiB, and is compressed
/// far below this.
const COMPRESSED_LIMIT: usize = 50 * KIB;

/// The groups in the order of the page.
#[rustfmt::skip]
pub(crate) const GROUPS: &[Group] = &[
    Group { name: "tls", rows: known::TLS, cases: &[
        Case { name: "tls-1k", title: "TLS, 1 KiB", about: "TLS 1.3 on kept connections, a certificate with a key of ECDSA P-256.",
            ask: || Ask::plain("/1k", KIB).over(Over::Tls), rate: Some(1500.0), connections: 32, hits: false },
        Case { name: "tls-1m", title: "TLS, 1 MiB", about: "TLS 1.3 on kept connections.",
            ask: || Ask::plain("/1m", MIB).over(Over::Tls), rate: Some(60.0), connections: 8, hits: false },
        Case { name: "tls-new", title: "TLS, a new connection for each request", about: "A full handshake each time. Connections are opened ahead, so that latency leaves the handshake out.",
            ask: || Ask::plain("/1k", KIB).over(Over::NewTls), rate: Some(300.0), connections: 16, hits: false },
        Case { name: "tls-resumed", title: "TLS, a resumed connection for each request", about: "A session is resumed each time; opened ahead too.",
            ask: || Ask::plain("/1k", KIB).over(Over::ResumedTls), rate: Some(300.0), connections: 16, hits: false },
    ] },
    Group { name: "h2", rows: known::HTTP2, cases: &[
        Case { name: "h2-1k", title: "HTTP/2, 1 KiB", about: "Cleartext, 16 connections that carry up to 16 requests at once.",
            ask: || Ask::plain("/1k", KIB).over(Over::Http2), rate: Some(1500.0), connections: 16, hits: false },
        Case { name: "h2-tls-1k", title: "HTTP/2 over TLS, 1 KiB", about: "The same with TLS 1.3.",
            ask: || Ask::plain("/1k", KIB).over(Over::Http2Tls), rate: Some(1500.0), connections: 16, hits: false },
        Case { name: "h2-saturated", title: "HTTP/2, 1 KiB, saturated", about: "Cleartext, 16 connections with 16 requests each at any time.",
            ask: || Ask::plain("/1k", KIB).over(Over::Http2), rate: None, connections: 16, hits: false },
    ] },
    Group { name: "grpc", rows: known::GRPC, cases: &[
        Case { name: "grpc-unary", title: "gRPC, unary calls", about: "HTTP/2 in cleartext on both sides, 16 connections that carry up to 16 calls at once. A message of 100 bytes each way. The answer and `grpc-status: 0` are verified for each call.",
            ask: || Ask::call(1), rate: Some(1500.0), connections: 16, hits: false },
        Case { name: "grpc-saturated", title: "gRPC, unary calls, saturated", about: "The same with 16 calls on each connection at any time.",
            ask: || Ask::call(1), rate: None, connections: 16, hits: false },
        Case { name: "grpc-stream", title: "gRPC, streams in both directions", about: "A call carries 100 messages of 100 bytes each way, each of which the client sends once the answer to the one before has come. CPU and latency are those of the whole call, so that a message in both directions takes a hundredth. All answers and `grpc-status: 0` are verified.",
            ask: || Ask::call(MESSAGES), rate: Some(60.0), connections: 16, hits: false },
    ] },
    Group { name: "websocket", rows: known::WEBSOCKETS, cases: &[
        Case { name: "websocket-echo", title: "WebSocket, echo", about: "Kept connections of HTTP/1.1 that are upgraded. A message of 100 bytes, and the same one that comes back, count as a request. All answers are verified.",
            ask: || Ask::message("/websocket", 100), rate: Some(2000.0), connections: 32, hits: false },
    ] },
    Group { name: "static", rows: known::FILES, cases: &[
        Case { name: "static-1k", title: "File, 1 KiB", about: "The same file again and again.",
            ask: || Ask::plain("/1k", KIB), rate: Some(6000.0), connections: 32, hits: false },
        Case { name: "static-100k", title: "File, 100 KiB", about: "",
            ask: || Ask::plain("/100k", 100 * KIB), rate: Some(2500.0), connections: 32, hits: false },
        Case { name: "static-10m", title: "File, 10 MiB", about: "Cleartext, where `sendfile` copies nothing into the process.",
            ask: || Ask::plain("/10m", 10 * MIB), rate: Some(60.0), connections: 8, hits: false },
    ] },
    Group { name: "hit", rows: known::CACHES, cases: &[
        Case { name: "hit-1k", title: "Cache hit, 1 KiB", about: "From memory.",
            ask: || Ask::plain("/cached/1k", KIB), rate: Some(5000.0), connections: 32, hits: true },
        Case { name: "hit-100k", title: "Cache hit, 100 KiB", about: "From memory.",
            ask: || Ask::plain("/cached/100k", 100 * KIB), rate: Some(2000.0), connections: 32, hits: true },
    ] },
    Group { name: "disk", rows: known::DISKS, cases: &[
        Case { name: "disk-1m", title: "Cache hit, 1 MiB, from disk",
            about: "64 objects in turn. The files are warm: what is measured is the way out of a file, not a disk.",
            ask: || Ask::plain("/cached/1m", MIB).of_objects(OBJECTS), rate: Some(300.0), connections: 16, hits: true },
    ] },
    Group { name: "gzip", rows: known::COMPRESSORS, cases: &[
        Case { name: "gzip-100k", title: "JSON of 100 KiB, compressed for each request", about: "gzip at level 5, nothing stored.",
            ask: || Ask::encoded("/json", "gzip", COMPRESSED_LIMIT), rate: Some(250.0), connections: 16, hits: false },
    ] },
    Group { name: "gzip-hit", rows: known::COMPRESSING_CACHES, cases: &[
        Case { name: "gzip-hit-100k", title: "JSON of 100 KiB, compressed and cached", about: "",
            ask: || Ask::encoded("/cached/json", "gzip", COMPRESSED_LIMIT), rate: Some(250.0), connections: 16, hits: true },
    ] },
];

impl Group {
    /// True if `wanted` is empty, or contains the group or one of its cases.
    pub(crate) fn is_wanted(&self, wanted: &[String]) -> bool {
        self.cases.iter().any(|case| self.wants(case, wanted))
    }

    fn wants(&self, case: &Case, wanted: &[String]) -> bool {
        let named = |name: &str| wanted.iter().any(|one| one == name);
        wanted.is_empty() || named(self.name) || named(case.name)
    }

    /// Starts the contenders and measures the wanted cases. `only` contains names of
    /// contenders; empty means all.
    ///
    /// # Errors
    /// No contender starts, or all connections to one are refused later.
    pub(crate) fn measure(&self, wanted: &[String], order: &Order<'_>) -> anyhow::Result<Measured> {
        let (contenders, absent) = contender::installed(self.rows, order.only, order.janua);
        let work = order.work.join(self.name);
        fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
        write_files(&work.join("files"))?;
        let mut running = Vec::new();
        let mut refused = Vec::new();
        for one in &contenders {
            match one.start(&work, order.backend.address) {
                Ok(started) => running.push(started),
                Err(error) => {
                    eprintln!("left out: {error:#}");
                    let first = format!("{error}");
                    refused.push(first);
                }
            }
        }
        if running.is_empty() {
            bail!("{}: no contender runs", self.name);
        }
        let mut findings = Vec::new();
        for case in self.cases.iter().filter(|case| self.wants(case, wanted)) {
            eprintln!("bench: {}", case.name);
            let plan = Plan {
                ask: (case.ask)(),
                rate: case.rate,
                connections: case.connections,
                window: order.window,
                rounds: order.rounds,
            };
            let mut before = 0;
            let comparison = compare::compare_from(&running, order.backend, &plan, || {
                before = requests(order.backend)?;
                Ok(())
            })?;
            let after = requests(order.backend)?;
            findings.push(Finding {
                case,
                comparison,
                leaked: case.hits.then(|| after.saturating_sub(before)),
            });
        }
        Ok(Measured {
            contenders,
            absent,
            refused,
            findings,
        })
    }
}

/// Options that are the same for all cases.
pub(crate) struct Order<'a> {
    /// Names of contenders; all if empty.
    pub(crate) only: &'a [String],
    /// The gateway's binary.
    pub(crate) janua: &'a Path,
    /// Directory for configurations, files and logs.
    pub(crate) work: PathBuf,
    /// The shared upstream.
    pub(crate) backend: &'a Process,
    /// Length of a round.
    pub(crate) window: Duration,
    /// Rounds; the median counts.
    pub(crate) rounds: usize,
}

/// Writes the files of the group `static`, and `/1k`, which shows that a contender is
/// ready.
pub(crate) fn write_files(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, length) in [
        ("1k", KIB),
        ("100k", 100 * KIB),
        ("1m", MIB),
        ("10m", 10 * MIB),
    ] {
        fs::write(directory.join(name), vec![0; length])
            .with_context(|| directory.display().to_string())?;
    }
    Ok(())
}

/// How many requests the backend has received.
fn requests(backend: &Process) -> anyhow::Result<u64> {
    let answer = client::get(backend.address, "/requests")?;
    Ok(String::from_utf8_lossy(&answer.body).parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_chosen_by_their_name_or_their_group() {
        let chosen = |wanted: &[&str]| -> Vec<&str> {
            let wanted: Vec<String> = wanted.iter().map(|&name| name.to_owned()).collect();
            let groups = GROUPS.iter().filter(|group| group.is_wanted(&wanted));
            groups
                .flat_map(|group| {
                    let cases = group.cases.iter();
                    cases.filter(|case| group.wants(case, &wanted))
                })
                .map(|case| case.name)
                .collect()
        };
        assert_eq!(chosen(&["static-10m", "gzip"]), ["static-10m", "gzip-100k"]);
        assert_eq!(chosen(&["hit"]), ["hit-1k", "hit-100k"]);
        assert_eq!(chosen(&["h2"]), ["h2-1k", "h2-tls-1k", "h2-saturated"]);
        let grpc = ["grpc-unary", "grpc-saturated", "grpc-stream"];
        assert_eq!(chosen(&["grpc"]), grpc);
        assert_eq!(chosen(&["nothing"]), [""; 0]);
        assert_eq!(chosen(&[]).len(), 19);
    }
}
