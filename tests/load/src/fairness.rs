//! Measures how few requests meet the one slow endpoint of a hundred.
//!
//! Each contender runs alone, with as many workers as may disagree about where requests are in
//! flight. In turn, each endpoint gets a hundredth of the requests, so that the slowest hundredth
//! are those at the slow one; a balance that looks at what endpoints do sends it fewer.

use anyhow::Context;

use crate::backend::{Fleet, member};
use crate::case::Order;
use crate::compare;
use crate::contender::{self, Contender, known};
use crate::generator::{Ask, Generator, Outcome, Pace, Target};
use crate::process::Process;

/// Name for the selection of cases.
pub(crate) const NAME: &str = "fairness";
/// Endpoints, of which the last one is slow.
pub(crate) const ENDPOINTS: u16 = 100;
/// How late the slow one answers, in milliseconds.
pub(crate) const DELAY: u64 = 200;
/// Workers of each contender.
pub(crate) const WORKERS: usize = 4;
/// Requests per second.
pub(crate) const RATE: f64 = 2000.0;
const CONNECTIONS: usize = 128;

/// The result of one contender.
pub(crate) struct Fairness {
    /// The contender.
    pub(crate) contender: Contender,
    /// The outcomes of all rounds together.
    pub(crate) outcome: Outcome,
}

impl Fairness {
    /// The share of requests that the slow endpoint has answered, 0 to 1.
    pub(crate) fn slow(&self) -> f64 {
        let micros = u32::try_from(DELAY * 1000).unwrap_or(u32::MAX);
        self.outcome.share_from(micros)
    }
}

/// Measures all contenders, one after the other. One that does not start is reported and left out.
///
/// # Errors
/// The backend does not start.
pub(crate) fn measure(order: &Order<'_>) -> anyhow::Result<Vec<Fairness>> {
    let fleet = Fleet {
        addresses: ENDPOINTS,
        slow: 1,
        delay: DELAY,
    };
    let backend = compare::start_fleet(&order.work.join(NAME), "fleet", &fleet)?;
    let (contenders, _) = contender::installed(known::BALANCES, order.only, order.janua);
    let mut found = Vec::new();
    for contender in contenders {
        eprintln!("bench: {NAME}: {}", contender.name);
        match one(contender, order, &backend) {
            Ok(one) => found.push(one),
            Err(error) => eprintln!("left out: {error:#}"),
        }
    }
    Ok(found)
}

fn one(contender: Contender, order: &Order<'_>, backend: &Process) -> anyhow::Result<Fairness> {
    let endpoints = (0..ENDPOINTS).map(|number| member(backend.address, number));
    let contender = contender
        .with_endpoints(endpoints.collect())
        .with_workers(WORKERS);
    let running = contender.start(&order.work.join(NAME), backend.address)?;
    let target = Target {
        address: running.process.address,
        ask: Ask::plain("/1k", 1024),
        connections: CONNECTIONS,
        pace: Pace::PerSecond(RATE),
    };
    let mut generator = Generator::connect(&[target])?;
    // Opens the connections to the endpoints, and lets balances learn.
    generator.run(order.window / 2)?;
    let mut outcome = Outcome::default();
    for _ in 0..order.rounds.max(1) {
        let round = generator.run(order.window)?.pop().context("no outcome")?;
        outcome.merge(&round);
    }
    Ok(Fairness { contender, outcome })
}
