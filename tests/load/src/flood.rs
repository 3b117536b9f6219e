//! Measures how a client fares while another one floods a policy with keys that nobody knows,
//! each of which needs a call.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use crate::contender::Contender;
use crate::generator::{Ask, Generator, Outcome, Pace, Target};
use crate::process::Process;

/// The contender: every verdict is computed anew, so that the quiet client needs calls too.
pub(crate) const CONTENDER: &str = "janua-2-nomemo";

const QUIET: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const FLOODING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Keys that take turns: more than a memo of the default size holds.
const KEYS: usize = 50_000;
/// About so many bytes are used for them, so that there are fewer long ones.
const BYTES_OF_KEYS: usize = 64 << 20;

/// How much is sent.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Requests per second of the quiet client.
    pub(crate) quiet: f64,
    /// Requests per second of the flood.
    pub(crate) flood: f64,
    /// Bytes of each key of the flood.
    pub(crate) key: usize,
    /// Length of each half of a round.
    pub(crate) window: Duration,
    /// Rounds.
    pub(crate) rounds: usize,
}

/// The outcomes of all rounds.
#[derive(Default)]
pub(crate) struct Found {
    /// The quiet client alone.
    pub(crate) alone: Outcome,
    /// The quiet client beside the flood.
    pub(crate) beside: Outcome,
    /// The flood, all of whose requests are refused.
    pub(crate) flood: Outcome,
}

/// Starts the contender, and measures the quiet client by turns alone and beside the flood.
///
/// # Errors
/// It does not start, or the load cannot be made.
pub(crate) fn measure(
    contender: &Contender,
    work: &Path,
    backend: &Process,
    plan: Plan,
) -> anyhow::Result<Found> {
    let running = contender.start(work, backend.address)?;
    let target = |ask: Ask, rate| Target {
        address: running.process.address,
        ask,
        connections: 4,
        pace: Pace::PerSecond(rate),
    };
    let quiet = target(Ask::plain("/1k", 1024).from(QUIET), plan.quiet);
    let keys = KEYS.min(BYTES_OF_KEYS / plan.key.max(1));
    let unknown = Ask::plain("/1k", 1024).unknown_keys(keys, plan.key);
    let flood = target(unknown.from(FLOODING), plan.flood);
    let mut alone = Generator::connect(std::slice::from_ref(&quiet))?;
    let mut both = Generator::connect(&[quiet, flood])?;
    let mut found = Found::default();
    for _ in 0..plan.rounds {
        for outcome in alone.run(plan.window)? {
            found.alone.merge(&outcome);
        }
        for (outcome, of) in both
            .run(plan.window)?
            .iter()
            .zip([&mut found.beside, &mut found.flood])
        {
            of.merge(outcome);
        }
    }
    Ok(found)
}
