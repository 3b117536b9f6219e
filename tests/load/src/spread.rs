//! Measures how few connections of HTTP/2 spread over the workers of a contender.
//!
//! Behind a CDN, a gateway has few connections that carry many requests each. A worker that has
//! accepted most of them is busy while others idle. Contenders have two workers here, and run one
//! after the other on both cores. The load comes in bursts that fill all connections, at a rate
//! that leaves the cores idle most of the time: so each connection makes the same work, and the
//! CPU time of a worker shows how many of them it has.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::compare::median;
use crate::contender::{Contender, Running};
use crate::generator::{Ask, Generator, Outcome, Pace, Target};
use crate::kernel::Threads;
use crate::process::Process;
use crate::tls::Over;

/// Name for the selection of cases.
pub(crate) const NAME: &str = "h2-fat";
/// Workers of each contender.
pub(crate) const WORKERS: usize = 2;
/// Connections to a contender at a time.
pub(crate) const CONNECTIONS: usize = 8;
/// Requests at once on each connection.
pub(crate) const STREAMS: usize = 32;
/// Time from one new connection to the next. By then the workers are idle again, so that which
/// of them accepts a connection does not depend on what else runs on the two cores.
pub(crate) const APART: Duration = Duration::from_millis(5);
/// Time from one burst to the next.
pub(crate) const EVERY: Duration = Duration::from_millis(50);
/// Rounds, each with new connections.
pub(crate) const ROUNDS: usize = 25;
/// Four bursts.
const ROUND: Duration = Duration::from_millis(200);
/// Bytes of body in each response.
const LENGTH: usize = 1024;

/// The result of one contender.
pub(crate) struct Spread {
    /// Name of the contender.
    pub(crate) name: &'static str,
    /// CPU time per request in microseconds, of all threads; median of the rounds.
    pub(crate) micros: f64,
    /// The part of the busier worker in the CPU time of both, 0.5 to 1; median of the rounds.
    pub(crate) busier: f64,
    /// The least and the greatest of the rounds.
    pub(crate) range: (f64, f64),
    /// The outcomes of all rounds together.
    pub(crate) outcome: Outcome,
}

/// Starts one contender alone with two workers, and measures it.
///
/// # Errors
/// The contender does not start, or refuses connections.
pub(crate) fn spread(
    contender: &Contender,
    work: &Path,
    backend: &Process,
) -> anyhow::Result<Spread> {
    let work = work.join(NAME);
    let contender = contender.clone().with_workers(WORKERS);
    let running = contender.start(&work, backend.address)?;
    // Warms up caches, allocators, and the connections to the upstream.
    round(&running)?;
    let rounds: anyhow::Result<Vec<Round>> = (0..ROUNDS).map(|_| round(&running)).collect();
    let rounds = rounds?;
    let mut outcome = Outcome::default();
    rounds.iter().for_each(|one| outcome.merge(&one.outcome));
    let micros: Vec<f64> = rounds.iter().map(Round::micros).collect();
    let shares: Vec<f64> = rounds.iter().map(Round::busier).collect();
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(Spread {
        name: contender.name,
        micros: median(&micros),
        busier: median(&shares),
        range: (least, shares.iter().copied().fold(0.0, f64::max)),
        outcome,
    })
}

/// One round.
struct Round {
    /// CPU time of each thread in nanoseconds, the greatest first.
    threads: Vec<u64>,
    outcome: Outcome,
}

/// Opens all connections, one after the other, and sends bursts on them.
fn round(running: &Running) -> anyhow::Result<Round> {
    let over = Over::Http2;
    let target = Target {
        address: running.address(over),
        ask: Ask::plain("/1k", LENGTH).over(over).together(STREAMS),
        connections: CONNECTIONS,
        pace: Pace::Bursts(EVERY),
    };
    let mut generator = Generator::connect_apart(&[target], APART)?;
    let before = Threads::of(running.process.id());
    let outcome = generator.run(ROUND)?.pop().context("no outcome")?;
    let used = Threads::of(running.process.id()).since(&before);
    Ok(Round {
        threads: used,
        outcome,
    })
}

impl Round {
    fn micros(&self) -> f64 {
        let requests = self.outcome.answered + self.outcome.failed();
        self.threads.iter().sum::<u64>() as f64 / 1e3 / requests.max(1) as f64
    }

    /// The part of the busiest thread in the time of the two busiest ones. The others, which only
    /// manage, hardly use any.
    fn busier(&self) -> f64 {
        let mut busiest = self.threads.iter().copied();
        let (first, second) = (busiest.next().unwrap_or(0), busiest.next().unwrap_or(0));
        first as f64 / (first + second).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busier_worker_is_found_among_all_threads() {
        for (threads, micros, busier) in [
            (vec![3_000_000, 1_000_000, 1000], 4001.0, 0.75),
            (vec![2_000_000, 2_000_000], 4000.0, 0.5),
            (vec![4_000_000], 4000.0, 1.0),
            (vec![], 0.0, 0.0),
        ] {
            let round = Round {
                threads,
                outcome: Outcome::default(),
            };
            assert_eq!((round.micros(), round.busier()), (micros, busier));
        }
    }
}
