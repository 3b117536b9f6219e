//! Compares the CPU time per request of contenders, at the same time and the same rate.
//!
//! They share one core and one run, so that other work on the machine affects all of them
//! equally: on a shared machine absolute figures varied by a factor of three within an hour,
//! while the ratios were stable.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::backend::Fleet;
use crate::contender::{Contender, LOAD_CORE, PROXY_CORE, Running};
use crate::generator::{Ask, Generator, Outcome, Pace, Target};
use crate::kernel::{self, Cpu};
use crate::process::{self, Launch, Process};

/// The greatest share of the contenders' core that is used; with more, they would wait for
/// each other.
const BUSY_LIMIT: f64 = 0.7;
/// The baseline of the ratios: the first of these that takes part.
const MEASURES: &[&str] = &["nginx", "before"];
const WARM_UP: Duration = Duration::from_secs(2);

/// What is requested, how often and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The request.
    pub(crate) ask: Ask,
    /// The most requests per second to each contender. If `None`, each connection sends the
    /// next request as soon as it has the response.
    pub(crate) rate: Option<f64>,
    /// Keep-alive connections to each contender.
    pub(crate) connections: usize,
    /// Length of a round.
    pub(crate) window: Duration,
    /// Number of rounds; the result is their median.
    pub(crate) rounds: usize,
}

/// The length of the responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Size {
    /// 1 KiB.
    #[value(name = "1k")]
    Small,
    /// 1 MiB.
    #[value(name = "1m")]
    Large,
}

impl Size {
    /// The request that the backend answers with this length.
    pub(crate) fn ask(self) -> Ask {
        match self {
            Self::Small => Ask::plain("/1k", 1024),
            Self::Large => Ask::plain("/1m", 1024 * 1024),
        }
    }
}

/// The result of a comparison.
pub(crate) struct Comparison {
    /// The actual rate, which may be lower than planned; `None` if each response was
    /// followed by the next request.
    pub(crate) rate: Option<f64>,
    /// The baseline of the ratios.
    pub(crate) measure: &'static str,
    /// One line for each contender, in the given order.
    pub(crate) lines: Vec<Line>,
    /// Share of the contenders' core that they used, 0 to 1.
    pub(crate) proxy_core: f64,
    /// Share of that core that other work on the machine used.
    pub(crate) elsewhere: f64,
    /// Share of the other core that backend and load used.
    pub(crate) load_core: f64,
}

/// One contender's result.
pub(crate) struct Line {
    /// Name of the contender.
    pub(crate) name: &'static str,
    /// CPU time per request, user and system, in microseconds; median of the rounds.
    pub(crate) micros: f64,
    /// The same divided by that of the baseline in the same round; median of the rounds.
    pub(crate) ratio: Option<f64>,
    /// The least and the greatest ratio of the rounds.
    pub(crate) spread: Option<(f64, f64)>,
    /// The part of it in user code, in microseconds; sampled, so only approximate.
    pub(crate) user_micros: f64,
    /// The outcomes of all rounds together.
    pub(crate) outcome: Outcome,
}

/// Starts the backend on the core of the load.
///
/// # Errors
/// See [`Process::start`].
pub(crate) fn start_backend(work: &Path) -> anyhow::Result<Process> {
    start_fleet(work, "backend", &Fleet::ONE)
}

/// Starts another backend with so many endpoints, and a log of this name.
///
/// # Errors
/// See [`Process::start`].
pub(crate) fn start_fleet(work: &Path, name: &str, fleet: &Fleet) -> anyhow::Result<Process> {
    std::fs::create_dir_all(work).with_context(|| work.display().to_string())?;
    let address = process::free_address()?;
    let mut command = vec![
        std::env::current_exe()?.into_os_string(),
        "backend".into(),
        "--address".into(),
        address.to_string().into(),
    ];
    command.extend(fleet.arguments().into_iter().map(OsString::from));
    let launch = Launch {
        command,
        environment: Vec::new(),
        cores: vec![LOAD_CORE],
        address,
    };
    let log = work.join(name).with_extension("log");
    Process::start(&launch, &log).context("the backend does not start")
}

/// Starts all contenders. One that does not start is reported and left out.
pub(crate) fn start_all(contenders: &[Contender], work: &Path, backend: &Process) -> Vec<Running> {
    let mut running = Vec::new();
    for contender in contenders {
        match contender.start(work, backend.address) {
            Ok(started) => running.push(started),
            Err(error) => eprintln!("left out: {error:#}"),
        }
    }
    running
}

/// Compares running contenders.
///
/// # Errors
/// A contender no longer accepts connections.
pub(crate) fn compare(
    running: &[Running],
    backend: &Process,
    plan: &Plan,
) -> anyhow::Result<Comparison> {
    compare_from(running, backend, plan, || Ok(()))
}

/// As [`compare`]; `warm` is called between the warm-up and the measured rounds.
///
/// # Errors
/// As [`compare`], or `warm` fails.
pub(crate) fn compare_from(
    running: &[Running],
    backend: &Process,
    plan: &Plan,
    warm: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Comparison> {
    let targets: Vec<Target> = running.iter().map(|one| target(one, plan)).collect();
    let mut generator = Generator::connect(&targets)?;
    let mut rate = plan.rate;
    // Warms up caches, branch predictors, allocators and pools, and adapts the rate to the
    // machine, in two steps.
    for _ in 0..2 {
        let (usage, _) = round(&mut generator, running, WARM_UP)?;
        let used: f64 = usage.iter().map(|cpu| cpu.nanos as f64 / 1e9).sum();
        let share = used / WARM_UP.as_secs_f64();
        if let Some(rate) = &mut rate
            && share > BUSY_LIMIT
        {
            *rate *= BUSY_LIMIT * 0.95 / share;
            generator.set_rate(*rate);
        }
    }

    warm()?;
    let mut rounds = Vec::new();
    let began = Instant::now();
    let busy = kernel::core_busy(PROXY_CORE);
    let ours = Cpu::alone(std::process::id()).nanos;
    let behind = Cpu::of(backend.id());
    for _ in 0..plan.rounds.max(1) {
        rounds.push(round(&mut generator, running, plan.window)?);
    }
    let elapsed = began.elapsed().as_secs_f64();
    let busy = kernel::core_busy(PROXY_CORE)
        .saturating_sub(busy)
        .as_secs_f64()
        / elapsed;
    let all = rounds.iter().flat_map(|(usage, _)| usage);
    let proxies = all.map(|cpu| cpu.nanos as f64 / 1e9).sum::<f64>() / elapsed;
    let load = Cpu::alone(std::process::id()).nanos.saturating_sub(ours)
        + Cpu::of(backend.id()).since(behind).nanos;

    let mut measures = MEASURES.iter().copied();
    let measure = measures.find(|name| running.iter().any(|one| one.contender.name == *name));
    let measure = measure.unwrap_or("nginx");
    Ok(Comparison {
        rate,
        measure,
        lines: lines(running, &rounds, measure),
        proxy_core: proxies,
        elsewhere: (busy - proxies).max(0.0),
        load_core: load as f64 / 1e9 / elapsed,
    })
}

/// CPU time and outcomes of all contenders in one round, in their order.
type Round = (Vec<Cpu>, Vec<Outcome>);

fn target(one: &Running, plan: &Plan) -> Target {
    Target {
        address: one.address(plan.ask.over),
        ask: plan.ask.clone(),
        connections: plan.connections,
        pace: plan.rate.map_or(Pace::Closed, Pace::PerSecond),
    }
}

fn round(
    generator: &mut Generator,
    running: &[Running],
    window: Duration,
) -> anyhow::Result<Round> {
    let read = || -> Vec<Cpu> {
        running
            .iter()
            .map(|one| Cpu::of(one.process.id()))
            .collect()
    };
    let before = read();
    let outcomes = generator.run(window)?;
    let after = read();
    let used = after
        .into_iter()
        .zip(before)
        .map(|(after, before)| after.since(before));
    Ok((used.collect(), outcomes))
}

fn lines(running: &[Running], rounds: &[Round], measure: &str) -> Vec<Line> {
    let per_round: Vec<Vec<f64>> = (0..running.len())
        .map(|index| rounds.iter().map(|round| micros(round, index)).collect())
        .collect();
    let measure = running
        .iter()
        .position(|one| one.contender.name == measure)
        .and_then(|index| per_round.get(index));
    let with = running.iter().zip(&per_round).enumerate();
    with.map(|(index, (one, costs))| {
        let mut outcome = Outcome::default();
        let mut user = 0.0;
        for (usage, outcomes) in rounds {
            if let Some(one) = outcomes.get(index) {
                outcome.merge(one);
            }
            user += usage.get(index).map_or(0.0, |cpu| cpu.user_share());
        }
        let ratios: Option<Vec<f64>> = measure.map(|measured| {
            costs
                .iter()
                .zip(measured)
                .map(|(cost, base)| cost / base)
                .collect()
        });
        let cost = median(costs);
        Line {
            name: one.contender.name,
            micros: cost,
            ratio: ratios.as_deref().map(median),
            spread: ratios.as_deref().map(|all| {
                let least = all.iter().copied().fold(f64::INFINITY, f64::min);
                (least, all.iter().copied().fold(0.0, f64::max))
            }),
            user_micros: cost * user / rounds.len().max(1) as f64,
            outcome,
        }
    })
    .collect()
}

fn micros((usage, outcomes): &Round, index: usize) -> f64 {
    let used = usage.get(index).map_or(0, |cpu| cpu.nanos);
    let requests = outcomes
        .get(index)
        .map_or(0, |one| one.answered + one.failed());
    used as f64 / 1e3 / requests.max(1) as f64
}

/// The median; of an even number of values, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = sorted
        .get((sorted.len() / 2).saturating_sub(1))
        .copied()
        .unwrap_or(0.0);
    (lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in [
            (&[][..], 0.0),
            (&[3.0], 3.0),
            (&[9.0, 1.0, 2.0], 2.0),
            (&[4.0, 1.0, 2.0, 9.0], 3.0),
        ] {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }
}
