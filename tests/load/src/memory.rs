//! Measures idle memory, memory for each idle connection, and the time to start.
//!
//! Each contender runs alone, because processes of the same program share pages, which PSS
//! divides among them.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::client;
use crate::contender::Contender;
use crate::kernel::Memory;
use crate::process::{Process, pause};
use crate::tls::Over;

/// Number of idle connections; each has sent one request.
pub(crate) const IDLE_CONNECTIONS: usize = 2000;
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

/// Starts one contender alone and measures it.
///
/// # Errors
/// The contender does not start, or refuses connections.
pub(crate) fn footprint(
    contender: &Contender,
    work: &Path,
    backend: &Process,
) -> anyhow::Result<Footprint> {
    let running = contender.start(work, backend.address)?;
    let root = running.process.id();
    let over = contender.over();
    let address = running.address(over);
    let open = |count: usize| -> anyhow::Result<Vec<client::Answer>> {
        let all = (0..count).map(|_| client::get_over(over, address, "/1k"));
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
        name: match over {
            Over::Cleartext => contender.name.to_owned(),
            _ => format!("{}, TLS", contender.name),
        },
        started_in: running.process.started_in,
        idle,
        per_connection: growth / IDLE_CONNECTIONS as f64,
    })
}
