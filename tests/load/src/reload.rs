//! Requests that fail while a contender is reloaded, again and again, under
//! as much load as its connections bear.

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

/// What became of the requests.
pub(crate) struct Survival {
    /// Who.
    pub(crate) name: &'static str,
    /// Requests and failures.
    pub(crate) outcome: Outcome,
    /// Reloads that were asked for and not refused.
    pub(crate) reloads: usize,
    /// The slowest reload, as far as the answers show when it took effect.
    pub(crate) slowest: Option<Duration>,
    /// What went wrong with reloading itself.
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
        // In pieces, since only the other thread knows when it is done.
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

/// Waits until a new connection gets an answer of the new configuration;
/// false if answers do not show it.
fn take_effect(running: &Running, turn: &str) -> anyhow::Result<bool> {
    if !running.contender.shows_turn() {
        return Ok(false);
    }
    let limit = Instant::now() + TAKE_LIMIT;
    loop {
        // A refusal here is the load's to count.
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
