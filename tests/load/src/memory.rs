//! Memory at rest, memory for each idle connection, and time to start.
//!
//! Each contender runs alone here: processes of the same program share pages,
//! and PSS divides those among them.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::client;
use crate::contender::Contender;
use crate::kernel::Memory;
use crate::process::{Process, pause};

/// Idle connections that are opened; each has made one request.
pub(crate) const IDLE_CONNECTIONS: usize = 2000;
/// Requests beforehand, so that what is made once is not counted as growth.
const WARM_UP: usize = 64;
/// Time for a contender to come to rest.
const SETTLE: Duration = Duration::from_millis(300);

/// What a contender takes.
pub(crate) struct Footprint {
    /// Who.
    pub(crate) name: &'static str,
    /// From the start to the first right answer.
    pub(crate) started_in: Duration,
    /// After its first requests, with no connection open.
    pub(crate) idle: Memory,
    /// Growth of PSS for each idle keep-alive connection, in KiB.
    pub(crate) per_connection: f64,
}

/// Starts one contender alone and measures it.
///
/// # Errors
/// It does not start, or refuses connections.
pub(crate) fn footprint(
    contender: &Contender,
    work: &Path,
    backend: &Process,
) -> anyhow::Result<Footprint> {
    let running = contender.start(work, backend.address)?;
    let root = running.process.id();
    let open = |count: usize| -> anyhow::Result<Vec<client::Answer>> {
        let all = (0..count).map(|_| client::get(running.process.address, "/1k"));
        all.collect::<anyhow::Result<_>>().context(contender.name)
    };
    drop(open(WARM_UP)?);
    pause(SETTLE);
    let idle = Memory::of(root);
    let connections = open(IDLE_CONNECTIONS)?;
    pause(SETTLE);
    let loaded = Memory::of(root);
    drop(connections);
    let growth = loaded.pss as f64 - idle.pss as f64;
    Ok(Footprint {
        name: contender.name,
        started_in: running.process.started_in,
        idle,
        per_connection: growth / IDLE_CONNECTIONS as f64,
    })
}
