//! Load generation, and measurements of the gateway in comparison with other servers.
//!
//! `make bench` runs `bench`, which writes `docs/benchmarks.md`. `compare` and `get` are for
//! quick measurements. The commands start `backend`, `hyper` and `launch` as processes.

mod affinity;
mod backend;
mod bare_hyper;
mod bench;
mod case;
mod client;
mod collapse;
mod compare;
mod contender;
mod document;
mod failover;
mod fairness;
mod fleet;
mod flood;
mod generator;
mod http2;
mod instructions;
mod kernel;
mod memory;
mod process;
mod reload;
mod report;
mod scenario;
mod spread;
mod tls;
mod trace;
mod websocket;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use backend::Fleet;
use bench::Order;
use compare::{Plan, Size};
use contender::{Contender, LOAD_CORE, known};
use generator::{Ask, Generator, Pace, Target};
use memory::KINDS;
use process::Process;
use scenario::SCENARIOS;

// The same allocator as Janua's, so that the comparison with the hyper proxy is fair.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load generation, and measurements in comparison with other servers.
#[derive(Parser)]
#[command(name = "janua-load", version)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Performs all measurements and writes the page.
    Bench {
        #[command(flatten)]
        whom: Whom,
        /// Path of the page.
        #[arg(long, default_value = "docs/benchmarks.md")]
        out: PathBuf,
        /// Length of a round, in seconds.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// Rounds of each comparison; the median counts.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Run the microbenchmarks too; otherwise those of the existing page are kept.
        #[arg(long)]
        micro: bool,
    },
    /// Prints the requests lost while contenders are reloaded.
    Reload {
        #[command(flatten)]
        whom: Whom,
    },
    /// Prints idle memory and memory per idle connection.
    Memory {
        #[command(flatten)]
        whom: Whom,
        /// Kinds of connections, separated by commas; default all: cleartext, tls, h2, h2-tls.
        #[arg(long, value_delimiter = ',')]
        kind: Vec<String>,
    },
    /// Prints system calls and user instructions per request.
    Trace {
        #[command(flatten)]
        whom: Whom,
        /// Requests per second.
        #[arg(long, default_value_t = 1000.0)]
        rate: f64,
        /// Keep-alive connections.
        #[arg(long, default_value_t = 32)]
        connections: usize,
    },
    /// Prints instructions per request of builds of the gateway. Needs valgrind.
    Instructions {
        /// A build; may be repeated, to compare further builds with the first.
        #[arg(long, default_value = "target/release/janua")]
        janua: Vec<PathBuf>,
        /// Names of scenarios, separated by commas; default all: plain-1k, plain-1m,
        /// upload-128k, hit-1k, file-1m, policies-5, tls-1k, tls-new, tls-resumed, h2-1k,
        /// grpc-unary, tunnel. Without policies-5: policies are compiled in a process of their
        /// own, which valgrind cannot start.
        #[arg(long, value_delimiter = ',')]
        case: Vec<String>,
        /// Directory for configurations and counts.
        #[arg(long, default_value = "target/load")]
        work: PathBuf,
    },
    /// Prints the CPU time per request of contenders.
    Compare {
        #[command(flatten)]
        whom: Whom,
        /// An earlier build of the gateway; may be repeated. Then only `--janua` and these
        /// builds are measured, in several scenarios.
        #[arg(long)]
        before: Vec<PathBuf>,
        /// With `--before`, names of scenarios, separated by commas; default all:
        /// plain-1k, plain-1m, upload-128k, hit-1k, file-1m, policies-5, tls-1k, tls-new,
        /// tls-resumed, h2-1k, grpc-unary, and memory.
        #[arg(long, value_delimiter = ',', requires = "before")]
        case: Vec<String>,
        /// Length of the responses.
        #[arg(long, default_value = "1k")]
        size: Size,
        /// Requests per second to each; reduced if that is too much for the core.
        #[arg(long, default_value_t = 2000.0)]
        rate: f64,
        /// The highest rate that the core allows: each connection sends the next request as
        /// soon as it has the response.
        #[arg(long, conflicts_with_all = ["rate", "before"])]
        saturated: bool,
        /// Keep-alive connections to each.
        #[arg(long, default_value_t = 32)]
        connections: usize,
        /// Length of a round, in seconds.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Prints the CPU time per request over TLS and HTTP/2, for gRPC, WebSockets, files, cache hits
    /// and compression, with many endpoints and with a dead one, how few connections spread over two
    /// workers, how a slow endpoint is avoided, how long one that is gone is noticed, and how misses
    /// of one object are collapsed.
    Cases {
        #[command(flatten)]
        whom: Whom,
        /// Names of cases or groups, separated by commas; default all.
        /// Groups: tls, h2, grpc, websocket, static, hit, disk, gzip, gzip-hit. Further: tls-1k,
        /// tls-1m, tls-new, tls-resumed, h2-1k, h2-tls-1k, h2-saturated, h2-fat, grpc-unary,
        /// grpc-saturated, grpc-stream, websocket-echo, static-1k, static-100k, static-10m, hit-1k,
        /// hit-100k, fleet, fairness, failover, collapse.
        #[arg(long, value_delimiter = ',')]
        case: Vec<String>,
        /// Length of a round, in seconds.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Prints the latency of a quiet client alone and beside one that floods a policy with
    /// unknown keys, each of which needs a call.
    Flood {
        /// The gateway's binary.
        #[arg(long, default_value = "target/release/janua")]
        janua: PathBuf,
        /// Directory for the configuration and the log.
        #[arg(long, default_value = "target/load")]
        work: PathBuf,
        /// Requests per second of the quiet client.
        #[arg(long, default_value_t = 200.0)]
        quiet: f64,
        /// Requests per second of the flood.
        #[arg(long, default_value_t = 2000.0)]
        rate: f64,
        /// Bytes of each unknown key. It takes the policy longer to look at a long one.
        #[arg(long, default_value_t = 32)]
        key: usize,
        /// Length of each half of a round, in seconds.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// Rounds.
        #[arg(long, default_value_t = 2)]
        rounds: usize,
    },
    /// Sends requests to a server of your own.
    Get {
        /// `http://ADDRESS:PORT/PATH` with an IP address.
        #[arg(long)]
        url: String,
        /// Expected bytes of body.
        #[arg(long, default_value_t = 1024)]
        length: usize,
        /// Requests per second; default: as many as the connections allow.
        #[arg(long)]
        rate: Option<f64>,
        /// Keep-alive connections.
        #[arg(long, default_value_t = 32)]
        connections: usize,
        /// Duration in seconds.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// The shared upstream: `/1k` and `/1m`, WebSockets, gRPC calls.
    Backend {
        /// Where to listen.
        #[arg(long)]
        address: SocketAddr,
        #[command(flatten)]
        fleet: Fleet,
    },
    /// The bare hyper proxy.
    Hyper {
        /// Where to listen.
        #[arg(long)]
        address: SocketAddr,
        /// Address of the upstream.
        #[arg(long)]
        backend: SocketAddr,
    },
    /// Executes another program on these cores, which ends with its parent.
    #[command(hide = true)]
    Launch {
        #[arg(long, value_delimiter = ',')]
        core: Vec<usize>,
        #[arg(long)]
        parent: u32,
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// The contenders to measure.
#[derive(Args, Clone)]
struct Whom {
    /// Names of contenders, separated by commas; default all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The gateway's binary.
    #[arg(long, default_value = "target/release/janua")]
    janua: PathBuf,
    /// Directory for configurations and logs of a run.
    #[arg(long, default_value = "target/load")]
    work: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Command::parse().action {
        Action::Bench {
            whom,
            out,
            seconds,
            rounds,
            micro,
        } => bench::bench(&Order {
            only: whom.only,
            janua: whom.janua,
            work: whom.work,
            out,
            window: Duration::from_secs_f64(seconds),
            rounds,
            micro,
        }),
        Action::Reload { whom } => {
            let (contenders, backend) = prepare(&whom)?;
            let each = contenders.iter();
            let found: anyhow::Result<Vec<_>> = each
                .map(|one| reload::survive(one, &whom.work, &backend))
                .collect();
            let survived: Vec<_> = found?.into_iter().flatten().collect();
            println!("{}", report::survivals(&survived));
            Ok(())
        }
        Action::Memory { whom, kind } => run_memory(&whom, &kind),
        Action::Trace {
            whom,
            rate,
            connections,
        } => {
            let (contenders, backend) = prepare(&whom)?;
            let running = compare::start_all(&contenders, &whom.work, &backend);
            let each = running.iter();
            let found: anyhow::Result<Vec<_>> = each
                .map(|one| trace::count(one, rate, connections))
                .collect();
            println!("{}", report::counts(&found?));
            Ok(())
        }
        Action::Instructions { janua, case, work } => {
            affinity::pin(&[LOAD_CORE]).context("two cores are needed")?;
            let backend = compare::start_backend(&work)?;
            let counted = instructions::count(&janua, &case, &work, &backend)?;
            println!("{}", report::instructions(&counted));
            Ok(())
        }
        Action::Compare {
            whom,
            before,
            case,
            size,
            rate,
            saturated,
            connections,
            seconds,
            rounds,
        } => {
            let window = Duration::from_secs_f64(seconds);
            if !before.is_empty() {
                return run_builds(&whom, &before, &case, window, rounds);
            }
            let plan = Plan {
                ask: size.ask(),
                rate: (!saturated).then_some(rate),
                connections,
                window,
                rounds,
            };
            run_compare(&whom, &plan)
        }
        Action::Cases {
            whom,
            case,
            seconds,
            rounds,
        } => run_cases(&whom, &case, Duration::from_secs_f64(seconds), rounds),
        Action::Flood {
            janua,
            work,
            quiet,
            rate,
            key,
            seconds,
            rounds,
        } => {
            let whom = Whom {
                only: vec![flood::CONTENDER.to_owned()],
                janua,
                work,
            };
            let plan = flood::Plan {
                quiet,
                flood: rate,
                key,
                window: Duration::from_secs_f64(seconds),
                rounds,
            };
            let (contenders, backend) = prepare(&whom)?;
            let contender = contenders.first().context("the gateway is not built")?;
            let found = flood::measure(contender, &whom.work, &backend, plan)?;
            println!("{}", report::flood(&found));
            Ok(())
        }
        Action::Get {
            url,
            length,
            rate,
            connections,
            seconds,
        } => run_get(
            &url,
            length,
            rate,
            connections,
            Duration::from_secs_f64(seconds),
        ),
        Action::Backend { address, fleet } => {
            affinity::raise_open_files();
            backend::serve(address, &fleet)
        }
        Action::Hyper { address, backend } => bare_hyper::serve(address, backend),
        Action::Launch {
            core,
            parent,
            command,
        } => affinity::launch(&core, parent, &command),
    }
}

/// Pins this program to the load's core, finds the contenders and starts the backend.
fn prepare(whom: &Whom) -> anyhow::Result<(Vec<Contender>, Process)> {
    affinity::raise_open_files();
    affinity::pin(&[LOAD_CORE]).context("two cores are needed")?;
    let (contenders, absent) = contender::installed(known::PROXIES, &whom.only, &whom.janua);
    if !absent.is_empty() {
        eprintln!("not installed: {}", absent.join(", "));
    }
    let backend = compare::start_backend(&whom.work)?;
    Ok((contenders, backend))
}

fn run_compare(whom: &Whom, plan: &Plan) -> anyhow::Result<()> {
    let (contenders, backend) = prepare(whom)?;
    let running = compare::start_all(&contenders, &whom.work, &backend);
    let comparison = compare::compare(&running, &backend, plan)?;
    println!("{}", report::comparison(&comparison));
    Ok(())
}

/// Compares a build of the gateway with earlier ones.
fn run_builds(
    whom: &Whom,
    before: &[PathBuf],
    wanted: &[String],
    window: Duration,
    rounds: usize,
) -> anyhow::Result<()> {
    affinity::raise_open_files();
    affinity::pin(&[LOAD_CORE]).context("two cores are needed")?;
    let backend = compare::start_backend(&whom.work)?;
    let mut builds = vec![whom.janua.clone()];
    builds.extend_from_slice(before);
    for scenario in SCENARIOS.iter().filter(|one| one.is_wanted(wanted)) {
        if let Some(found) = scenario.compare(&builds, &whom.work, &backend, window, rounds)? {
            println!("### {}\n\n{}\n", scenario.name, report::comparison(&found));
        }
    }
    if wanted.is_empty() || wanted.iter().any(|name| name == "memory") {
        let found = scenario::footprints(&builds, &whom.work, &backend)?;
        println!("{}", report::footprints(&found));
    }
    Ok(())
}

fn run_memory(whom: &Whom, wanted: &[String]) -> anyhow::Result<()> {
    let (_, backend) = prepare(whom)?;
    let mut found = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.is_wanted(wanted)) {
        let (contenders, _) = contender::installed(kind.rows, &whom.only, &whom.janua);
        for one in &contenders {
            found.push(kind.footprint(one, &whom.work, &backend)?);
        }
    }
    println!("{}", report::footprints(&found));
    Ok(())
}

fn run_cases(
    whom: &Whom,
    wanted: &[String],
    window: Duration,
    rounds: usize,
) -> anyhow::Result<()> {
    affinity::raise_open_files();
    affinity::pin(&[LOAD_CORE]).context("two cores are needed")?;
    let backend = compare::start_backend(&whom.work)?;
    let order = case::Order {
        only: &whom.only,
        janua: &whom.janua,
        work: whom.work.clone(),
        backend: &backend,
        window,
        rounds,
    };
    let groups = case::GROUPS.iter().filter(|group| group.is_wanted(wanted));
    for group in groups {
        println!("{}\n", report::measured(&group.measure(wanted, &order)?));
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    if is_wanted(spread::NAME) {
        let (contenders, _) = contender::installed(known::HTTP2, &whom.only, &whom.janua);
        let each = contenders.iter();
        let found: anyhow::Result<Vec<_>> = each
            .map(|one| spread::spread(one, &whom.work, &backend))
            .collect();
        println!("{}\n", report::spreads(&found?));
    }
    if is_wanted(fleet::NAME) {
        println!("{}\n", report::fleets(&fleet::measure(&order)?));
    }
    if is_wanted(fairness::NAME) {
        println!("{}\n", report::fairness(&fairness::measure(&order)?));
    }
    if is_wanted(failover::NAME) {
        println!("{}\n", report::failovers(&failover::measure(&order)));
    }
    if is_wanted("collapse") {
        let (caches, _) = contender::installed(known::CACHES, &whom.only, &whom.janua);
        let each = caches.iter();
        let found: anyhow::Result<Vec<_>> = each
            .map(|one| collapse::collapse(one, &whom.work.join("collapse")))
            .collect();
        println!("{}", report::collapses(&found?));
    }
    Ok(())
}

fn run_get(
    url: &str,
    length: usize,
    rate: Option<f64>,
    connections: usize,
    window: Duration,
) -> anyhow::Result<()> {
    affinity::raise_open_files();
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let target = Target {
        address: authority.parse()?,
        ask: Ask::plain(format!("/{path}"), length),
        connections,
        pace: rate.map_or(Pace::Closed, Pace::PerSecond),
    };
    let outcomes = Generator::connect(&[target])?.run(window)?;
    for outcome in &outcomes {
        println!(
            "{} answered ({:.0}/s), failed: {outcome}, unsent: {}, p50 {} µs, p99 {} µs",
            outcome.answered,
            outcome.answered as f64 / window.as_secs_f64(),
            outcome.unsent,
            outcome.latency(0.5),
            outcome.latency(0.99),
        );
    }
    Ok(())
}
