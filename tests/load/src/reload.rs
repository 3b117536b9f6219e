//! Counts the requests that fail while a contender is reloaded repeatedly under saturating
//! load.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::client;
use crate::contender::{Contender, Running};
use crate::generator::{Ask, Generator, Outcome, Pace, Target};
use crate::process::{Process, pause};

/// Reloads in a run.
pub(crate) const RELOADS: usize = 20;
/// Keep-alive connections during the run.
pub(crate) const CONNECTIONS: usize = 64;
const PAUSE: Duration = Duration::from_millis(250);
const TAKE_LIMIT: Duration = Duration::from_secs(10);

/// The result of one contender.
pub(crate) struct Survival {
    /// Name of the contender.
    pub(crate) name: &'static str,
    /// Requests and failures.
    pub(crate) outcome: Outcome,
    /// Number of accepted reloads.
    pub(crate) reloads: usize,
    /// The slowest reload; `None` if responses do not tell the configuration in use.
    pub(crate) slowest: Option<Duration>,
    /// The error of a failed reload.
    pub(crate) trouble: Option<String>,
}

/// Starts one contender alone and reloads it under load.
///
/// # Errors
/// It does not start, or the load cannot be made.
pub(crate) fn survive(
    contender: &Contender,
    work: &Path,
    backend: &Process,
) -> anyhow::Result<Option<Survival>> {
    if !contender.reloads() {
        return Ok(None);
    }
    let running = contender.start(work, backend.address)?;
    let target = Target {
        address: running.process.address,
        ask: Ask::plain("/1k", 1024),
        connections: CONNECTIONS,
        pace: Pace::Closed,
    };
    let mut generator = Generator::connect(&[target])?;
    let mut survival = Survival {
        name: contender.name,
        outcome: Outcome::default(),
        reloads: 0,
        slowest: None,
        trouble: None,
    };
    let outcomes = std::thread::scope(|scope| {
        let reloads = scope.spawn(|| reload_repeatedly(&running, &mut survival));
        let mut outcomes = Vec::new();
        // In short runs, since only the other thread knows when the reloads are done.
        while !reloads.is_finished() {
            outcomes.extend(generator.run(PAUSE)?);
        }
        outcomes.extend(generator.run(PAUSE * 2)?);
        anyhow::Ok(outcomes)
    })?;
    for outcome in &outcomes {
        survival.outcome.merge(outcome);
    }
    Ok(Some(survival))
}

fn reload_repeatedly(running: &Running, survival: &mut Survival) {
    for number in 0..RELOADS {
        let turn = if number % 2 == 0 { "b" } else { "a" };
        let began = Instant::now();
        let done = running
            .reload(turn)
            .and_then(|()| take_effect(running, turn));
        match done {
            Ok(shown) => {
                survival.reloads += 1;
                if shown {
                    survival.slowest = survival.slowest.max(Some(began.elapsed()));
                }
            }
            Err(error) => survival.trouble = Some(format!("{error:#}")),
        }
        pause(PAUSE);
    }
}

/// Waits until a new connection gets a response by the new configuration; false if responses
/// do not tell the configuration in use.
fn take_effect(running: &Running, turn: &str) -> anyhow::Result<bool> {
    if !running.contender.shows_turn() {
        return Ok(false);
    }
    let limit = Instant::now() + TAKE_LIMIT;
    loop {
        // Failed requests are counted by the load.
        if let Ok(answer) = client::get(running.process.address, "/1k")
            && answer.turn.as_deref() == Some(turn)
        {
            return Ok(true);
        }
        if Instant::now() > limit {
            bail!("a reload did not take effect within {TAKE_LIMIT:?}");
        }
        pause(Duration::from_millis(2));
    }
}
