//! `make bench`: performs all measurements one after the other, and writes the page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::affinity;
use crate::case::{self, GROUPS};
use crate::collapse;
use crate::compare::{self, Plan, Size};
use crate::contender::{self, Contender, LOAD_CORE, known};
use crate::failover;
use crate::fairness;
use crate::fleet;
use crate::kernel;
use crate::memory::{Footprint, KINDS};
use crate::process::Process;
use crate::reload::{self, Survival};
use crate::report::{self, Findings};
use crate::spread;
use crate::trace::{self, Counts};

/// The options of `bench`.
pub(crate) struct Order {
    /// Names of contenders; all if empty.
    pub(crate) only: Vec<String>,
    /// The gateway's binary.
    pub(crate) janua: PathBuf,
    /// Directory for configurations and logs.
    pub(crate) work: PathBuf,
    /// Path of the page to write.
    pub(crate) out: PathBuf,
    /// Length of a round.
    pub(crate) window: Duration,
    /// Rounds of each comparison.
    pub(crate) rounds: usize,
    /// Whether the microbenchmarks are run too.
    pub(crate) micro: bool,
}

const SMALL_RATE: f64 = 2000.0;
const SMALL_CONNECTIONS: usize = 32;
/// The contenders that are measured at saturation. They share the core, so that each
/// further one makes the others wait longer.
const SATURATED: &[&str] = &["nginx", "nginx-policies", "haproxy", "janua", "janua-5"];
const SATURATED_CONNECTIONS: usize = 16;
const LARGE_RATE: f64 = 100.0;
const LARGE_CONNECTIONS: usize = 16;

/// Measures everything and writes the page.
///
/// # Errors
/// The machine has one core only, no contender starts, or the page cannot be
/// written. A contender that fails in one measurement is left out of that one.
pub(crate) fn bench(order: &Order) -> anyhow::Result<()> {
    affinity::raise_open_files();
    // Before this program is pinned to one core, since the compiler needs all cores.
    let micro = if order.micro {
        Some(microbenchmarks()?)
    } else {
        report::kept_microbenchmarks(&fs::read_to_string(&order.out).unwrap_or_default())
    };
    affinity::pin(&[LOAD_CORE]).context("two cores are needed")?;
    let (contenders, absent) = contender::installed(known::PROXIES, &order.only, &order.janua);
    let work = &order.work;
    let backend = compare::start_backend(work)?;

    let mut footprints: Vec<Footprint> = Vec::new();
    for kind in KINDS {
        let (contenders, _) = contender::installed(kind.rows, &order.only, &order.janua);
        for one in &contenders {
            progress(&format!("memory, {}: {}", kind.name, one.name));
            keep(kind.footprint(one, work, &backend), &mut footprints);
        }
    }
    let mut survivals: Vec<Survival> = Vec::new();
    for one in &contenders {
        progress(&format!("reloads: {}", one.name));
        survivals.extend(report_error(reload::survive(one, work, &backend)).flatten());
    }

    let running = compare::start_all(&contenders, work, &backend);
    if running.is_empty() {
        bail!("no contender runs");
    }
    let mut counts: Vec<Counts> = Vec::new();
    for one in &running {
        progress(&format!("system calls: {}", one.contender.name));
        keep(
            trace::count(one, SMALL_RATE / 2.0, SMALL_CONNECTIONS),
            &mut counts,
        );
    }
    let plan = |size: Size, rate, connections| Plan {
        ask: size.ask(),
        rate: Some(rate),
        connections,
        window: order.window,
        rounds: order.rounds,
    };
    progress("CPU per request, 1 KiB");
    let small = plan(Size::Small, SMALL_RATE, SMALL_CONNECTIONS);
    let small = compare::compare(&running, &backend, &small)?;
    progress("CPU per request, 1 MiB");
    let large = plan(Size::Large, LARGE_RATE, LARGE_CONNECTIONS);
    let large = compare::compare(&running, &backend, &large)?;
    drop(running);
    progress("CPU per request, 1 KiB, saturated");
    let saturated = saturated(order, &contenders, &backend)?;

    let cases = case::Order {
        only: &order.only,
        janua: &order.janua,
        work: work.clone(),
        backend: &backend,
        window: order.window,
        rounds: order.rounds,
    };
    let measured = GROUPS
        .iter()
        .filter_map(|group| report_error(group.measure(&[], &cases)))
        .collect();
    progress("many endpoints, and a dead one");
    let fleets = report_error(fleet::measure(&cases));
    let fairness = report_error(fairness::measure(&cases)).unwrap_or_default();
    let failovers = failover::measure(&cases);
    progress("few HTTP/2 connections, two workers");
    let (fat, _) = contender::installed(known::HTTP2, &order.only, &order.janua);
    let spreads = fat
        .iter()
        .filter_map(|one| report_error(spread::spread(one, work, &backend)))
        .collect();
    progress("clients missing the same object");
    let (caches, _) = contender::installed(known::CACHES, &order.only, &order.janua);
    let collapses = caches
        .iter()
        .filter_map(|one| report_error(collapse::collapse(one, &work.join("collapse"))))
        .collect();

    let findings = Findings {
        machine: kernel::machine()?,
        contenders,
        absent,
        small,
        saturated,
        large,
        cases: measured,
        fleets,
        fairness,
        failovers,
        spreads,
        collapses,
        footprints,
        survivals,
        counts,
        micro,
    };
    write(&order.out, &report::page(&findings))?;
    progress(&format!("written: {}", order.out.display()));
    Ok(())
}

/// Compares the contenders in [`SATURATED`] at the highest rate that the core allows.
fn saturated(
    order: &Order,
    contenders: &[Contender],
    backend: &Process,
) -> anyhow::Result<compare::Comparison> {
    let wanted = contenders.iter();
    let wanted: Vec<Contender> = wanted
        .filter(|one| SATURATED.contains(&one.name))
        .cloned()
        .collect();
    let running = compare::start_all(&wanted, &order.work, backend);
    let plan = Plan {
        ask: Size::Small.ask(),
        rate: None,
        connections: SATURATED_CONNECTIONS,
        window: order.window,
        rounds: order.rounds,
    };
    compare::compare(&running, backend, &plan)
}

fn write(out: &Path, page: &str) -> anyhow::Result<()> {
    if let Some(directory) = out.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(out, page).with_context(|| out.display().to_string())
}

fn progress(what: &str) {
    eprintln!("bench: {what}");
}

fn report_error<T>(result: anyhow::Result<T>) -> Option<T> {
    result
        .inspect_err(|error| eprintln!("left out: {error:#}"))
        .ok()
}

fn keep<T>(result: anyhow::Result<T>, all: &mut Vec<T>) {
    all.extend(report_error(result));
}

/// The output of `cargo bench` for the router, the policy host and the cache.
fn microbenchmarks() -> anyhow::Result<String> {
    progress("microbenchmarks");
    let benches = [
        "bench",
        "-q",
        "-p",
        "janua-router",
        "-p",
        "janua-wasm",
        "--benches",
    ];
    let store = [
        "run",
        "-q",
        "--release",
        "-p",
        "janua-cache",
        "--example",
        "measure",
    ];
    let text = cargo(&benches)? + "\nthe cache's store\n" + &cargo(&store)?;
    // Without the output of the test harness of libraries.
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| line.trim().is_empty())
        .filter(|line| !line.starts_with("test result") && !line.starts_with("running "))
        .filter(|line| line.is_empty() || line.bytes().any(|byte| byte != b'i'))
        .map(str::trim_end)
        .collect();
    Ok(lines.join("\n").trim_end().to_owned())
}

/// Runs cargo and returns its output.
fn cargo(arguments: &[&str]) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo")?;
    if !output.status.success() {
        bail!("cargo {}: {}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
