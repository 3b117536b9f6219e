//! Measures idle memory, memory for each idle connection, and the time to start.
//!
//! Each contender runs alone, because processes of the same program share pages, which PSS
//! divides among them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::client;
use crate::contender::{Contender, known};
use crate::kernel::Memory;
use crate::process::{Process, pause};
use crate::tls::Over;

/// Number of idle connections; each has sent one request.
pub(crate) const IDLE_CONNECTIONS: usize = 2000;
/// The same for HTTP/2, where a connection is a greater part of what a contender keeps.
pub(crate) const IDLE_HTTP2_CONNECTIONS: usize = 10_000;
/// Bytes of body in each response.
const LENGTH: usize = 1024;
/// Requests of the warm-up, so that what is allocated only once is not counted as growth.
const WARM_UP: usize = 64;
/// Time for a contender to become idle.
const SETTLE: Duration = Duration::from_millis(300);

/// The memory and start time of a contender.
pub(crate) struct Footprint {
    /// Name of the contender.
    pub(crate) name: String,
    /// Time from the start to the first correct response.
    pub(crate) started_in: Duration,
    /// Memory after the warm-up, without open connections.
    pub(crate) idle: Memory,
    /// Growth of PSS for each idle keep-alive connection, in KiB.
    pub(crate) per_connection: f64,
}

/// A kind of idle connections.
pub(crate) struct Kind {
    /// A short name, for the selection.
    pub(crate) name: &'static str,
    /// The contenders.
    pub(crate) rows: &'static [known::Row],
    over: Over,
    /// What is added to a contender's name.
    label: &'static str,
    connections: usize,
}

/// The kinds in the order of the page.
#[rustfmt::skip]
pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "cleartext", rows: known::PROXIES, over: Over::Cleartext, label: "", connections: IDLE_CONNECTIONS },
    Kind { name: "tls", rows: known::TLS, over: Over::Tls, label: ", TLS", connections: IDLE_CONNECTIONS },
    Kind { name: "h2", rows: known::HTTP2, over: Over::Http2, label: ", HTTP/2", connections: IDLE_HTTP2_CONNECTIONS },
    Kind { name: "h2-tls", rows: known::HTTP2, over: Over::Http2Tls, label: ", HTTP/2 over TLS", connections: IDLE_HTTP2_CONNECTIONS },
];

impl Kind {
    /// True if `wanted` is empty or contains the kind.
    pub(crate) fn is_wanted(&self, wanted: &[String]) -> bool {
        wanted.is_empty() || wanted.iter().any(|name| name == self.name)
    }

    /// Starts one contender alone and measures it.
    ///
    /// # Errors
    /// The contender does not start, or refuses connections.
    pub(crate) fn footprint(
        &self,
        contender: &Contender,
        work: &Path,
        backend: &Process,
    ) -> anyhow::Result<Footprint> {
        let work = work.join("memory").join(self.name);
        let running = contender.start(&work, backend.address)?;
        let root = running.process.id();
        let address = running.address(self.over);
        let open = |count: usize| -> anyhow::Result<Vec<client::Connection>> {
            let all = (0..count).map(|_| client::open_used(self.over, address, "/1k", LENGTH));
            all.collect::<anyhow::Result<_>>().context(contender.name)
        };
        drop(open(WARM_UP)?);
        pause(SETTLE);
        let idle = Memory::of(root);
        let connections = open(self.connections)?;
        pause(SETTLE);
        let loaded = Memory::of(root);
        let closed = connections.iter().filter(|one| !one.is_open()).count();
        if closed > 0 {
            bail!("{}: {closed} idle connections were closed", contender.name);
        }
        drop(connections);
        let growth = loaded.pss as f64 - idle.pss as f64;
        Ok(Footprint {
            name: format!("{}{}", contender.name, self.label),
            started_in: running.process.started_in,
            idle,
            per_connection: growth / self.connections as f64,
        })
    }
}
