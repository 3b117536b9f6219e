//! The page: tables in Markdown with explanations.

use std::fmt::Write as _;

use crate::case::Measured;
use crate::collapse::{BEFORE_HEAD, BODY_TIME, CLIENTS, Collapse};
use crate::compare::{Comparison, Line};
use crate::contender::Contender;
use crate::failover::{self, Failover};
use crate::fairness::{self, Fairness};
use crate::fleet::Fleets;
use crate::flood::Found;
use crate::instructions::Counted;
use crate::memory::{Footprint, IDLE_CONNECTIONS, IDLE_HTTP2_CONNECTIONS};
use crate::reload::{CONNECTIONS, RELOADS, Survival};
use crate::spread::{self, Spread};
use crate::trace::Counts;

/// All results for the page.
pub(crate) struct Findings {
    /// A line about the machine.
    pub(crate) machine: String,
    /// The contenders that were measured.
    pub(crate) contenders: Vec<Contender>,
    /// The contenders that are not installed.
    pub(crate) absent: Vec<&'static str>,
    /// Responses of 1 KiB.
    pub(crate) small: Comparison,
    /// Responses of 1 KiB, at the highest rate that the core allows.
    pub(crate) saturated: Comparison,
    /// Responses of 1 MiB.
    pub(crate) large: Comparison,
    /// TLS, HTTP/2, gRPC, WebSockets, files, cache hits and compression.
    pub(crate) cases: Vec<Measured>,
    /// Many endpoints, and a dead one.
    pub(crate) fleets: Option<Fleets>,
    /// A slow endpoint among many.
    pub(crate) fairness: Vec<Fairness>,
    /// An endpoint that is killed or stopped.
    pub(crate) failovers: Vec<Failover>,
    /// Few connections of HTTP/2 to two workers.
    pub(crate) spreads: Vec<Spread>,
    /// Clients that miss the same object.
    pub(crate) collapses: Vec<Collapse>,
    /// Memory and time to start.
    pub(crate) footprints: Vec<Footprint>,
    /// Reloads under load.
    pub(crate) survivals: Vec<Survival>,
    /// System calls and instructions.
    pub(crate) counts: Vec<Counts>,
    /// The output of the microbenchmarks, from this run or that of the earlier page.
    pub(crate) micro: Option<String>,
}

const MICRO_BEGIN: &str = "<!-- microbenchmarks -->\n```text\n";
const MICRO_END: &str = "\n```\n<!-- end of microbenchmarks -->";

/// The whole page.
pub(crate) fn page(found: &Findings) -> String {
    let sections = [
        introduction(found),
        format!(
            "## CPU per request, 1 KiB\n\nHTTP/1.1 keep-alive, all at the same time.\n\n{}",
            comparison(&found.small)
        ),
        policies(&found.small),
        format!(
            "## CPU per request, 1 KiB, saturated\n\n\
             The core has no time left: each connection asks again as soon as it has its answer. \
             Wake-ups are few and their cost is shared by many requests, so this is closer to the \
             cost of the code itself.\n\n{}",
            comparison(&found.saturated)
        ),
        format!(
            "## CPU per request, 1 MiB\n\nThe same with long answers.\n\n{}",
            comparison(&found.large)
        ),
        cases(&found.cases),
        found.fleets.as_ref().map(fleets).unwrap_or_default(),
        fairness(&found.fairness),
        failovers(&found.failovers),
        spreads(&found.spreads),
        collapses(&found.collapses),
        counts(&found.counts),
        footprints(&found.footprints),
        survivals(&found.survivals),
        micro(found.micro.as_deref()),
        REPEAT.to_owned(),
    ];
    let mut text = sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect::<Vec<String>>()
        .join("\n\n");
    text.push('\n');
    text
}

const REPEAT: &str = "\
## How to repeat

```sh
make bench                # this page; a quarter of an hour; wants a machine with nothing else to do
make bench-peers          # Envoy and Caddy, where the distribution has none
target/release/janua-load compare --only nginx,hyper,janua,janua-5 --seconds 5
target/release/janua-load cases --case h2,hit-1k --only nginx,janua   # TLS, HTTP/2, gRPC, files, cache, …
target/release/janua-load bench --micro   # fills in the microbenchmarks too
```

`tests/load/README.md` says how it is measured and what can mislead.";

fn introduction(found: &Findings) -> String {
    let mut text = String::from(
        "# Benchmarks\n\n\
         Written by `make bench`; do not edit. Every figure comes from one run on one machine. \
         **The ratios are what counts**: absolute times belong to the machine and the moment. \
         Each proxy has one worker unless told otherwise; all of them share core 0, backend and load \
         share core 1. \
         A contender named `nginx` is the measure.\n\n",
    );
    let _ = writeln!(text, "Machine: {}.\n", found.machine);
    text.push_str("| contender | version | what it does |\n|---|---|---|\n");
    for one in &found.contenders {
        let _ = writeln!(text, "| {} | {} | {} |", one.name, one.version, one.about);
    }
    if !found.absent.is_empty() {
        let _ = writeln!(text, "\nNot installed here: {}.", found.absent.join(", "));
    }
    text.trim_end().to_owned()
}

/// A comparison as a table, with its reservations below.
pub(crate) fn comparison(found: &Comparison) -> String {
    let mut text = format!(
        "| contender | ratio to {} | least – greatest | CPU µs | of it user µs | p50 µs | p99 µs | answered | failed | unsent |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        found.measure,
    );
    for line in &found.lines {
        let ratio = line
            .ratio
            .map_or_else(|| "–".to_owned(), |ratio| format!("**{ratio:.2}**"));
        let spread = line.spread.map_or_else(
            || "–".to_owned(),
            |(least, most)| format!("{least:.2} – {most:.2}"),
        );
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "| {} | {ratio} | {spread} | {:.1} | {:.1} | {} | {} | {} | {} | {} |",
            line.name,
            line.micros,
            line.user_micros,
            line.outcome.latency(0.5),
            line.outcome.latency(0.99),
            line.outcome.answered,
            line.outcome,
            line.outcome.unsent,
        );
    }
    let _ = write!(
        text,
        "\n{}. The contenders used {:.0} % of their core, other work {:.0} %; \
         backend and load used {:.0} % of theirs. Latency is that of a core shared by all.",
        found.rate.map_or_else(
            || "Each connection or stream asked again as soon as it had its answer".to_owned(),
            |rate| format!("{rate:.0} requests/s to each"),
        ),
        found.proxy_core * 100.0,
        found.elsewhere * 100.0,
        found.load_core * 100.0,
    );
    if found.elsewhere > 0.1 || found.load_core > 0.85 {
        text.push_str(" **The machine was not quiet: do not cite this run.**");
    }
    text
}

/// The cost of policy uses, compared with the plain proxy of the same program.
fn policies(found: &Comparison) -> String {
    let line = |name: &str| found.lines.iter().find(|line| line.name == name);
    let mut text = String::from(
        "## What policies add\n\n\
         The difference to the plain proxy of the same program, in the run above.\n\n\
         | contender | added CPU µs | in parts of nginx's whole request |\n|---|--:|--:|\n",
    );
    let header = text.len();
    for (name, plain) in [
        ("nginx-policies", "nginx"),
        ("janua-2", "janua"),
        ("janua-2-nomemo", "janua"),
        ("janua-5", "janua"),
        ("janua-5-nomemo", "janua"),
    ] {
        let (Some(with), Some(without)) = (line(name), line(plain)) else {
            continue;
        };
        let ratio = |line: &Line| line.ratio.unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "| {name} | {:+.1} | {:+.2} |",
            with.micros - without.micros,
            ratio(with) - ratio(without),
        );
    }
    if text.len() == header {
        return String::new();
    }
    text.trim_end().to_owned()
}

/// TLS, HTTP/2, gRPC, WebSockets, files, cache hits and compression.
pub(crate) fn cases(all: &[Measured]) -> String {
    let measured: Vec<String> = all.iter().map(measured).collect();
    if measured.is_empty() {
        return String::new();
    }
    format!(
        "## TLS, HTTP/2, gRPC, WebSocket, files, cache, compression\n\n\
         CPU per request, measured as above, in programs of their own with the configurations named \
         here. Where hits are measured, the requests that reached the backend during the rounds are \
         counted.\n\n{}",
        measured.join("\n\n")
    )
}

/// The section of a group.
pub(crate) fn measured(group: &Measured) -> String {
    let mut text = String::new();
    for found in &group.findings {
        let _ = write!(text, "### {}\n\n", found.case.title);
        if !found.case.about.is_empty() {
            let _ = write!(text, "{}\n\n", found.case.about);
        }
        text.push_str(&comparison(&found.comparison));
        if let Some(leaked) = found.leaked {
            let _ = write!(text, " Requests that reached the backend: {leaked}.");
            let lines = found.comparison.lines.iter();
            let answered: u64 = lines.map(|line| line.outcome.answered).sum();
            if leaked * 1000 > answered {
                text.push_str(" **Not all of these were hits.**");
            }
        }
        text.push_str("\n\n");
    }
    for one in &group.contenders {
        let _ = writeln!(text, "- {} ({}): {}", one.name, one.version, one.about);
    }
    for name in &group.absent {
        let _ = writeln!(text, "- {name}: not installed here");
    }
    for trouble in &group.refused {
        let _ = writeln!(text, "- {trouble}");
    }
    text.trim_end().to_owned()
}

/// Clients that miss the same object.
pub(crate) fn collapses(all: &[Collapse]) -> String {
    let mut text = format!(
        "### {CLIENTS} clients missing the same object\n\n\
         100 KiB from an upstream that takes {} ms to its head and {} ms from there to the end. Half of the \
         clients come at once, half while the body streams.\n\n\
         | contender | requests to the upstream | clients answered | slowest, ms |\n|---|--:|--:|--:|\n",
        BEFORE_HEAD.as_millis(),
        BODY_TIME.as_millis(),
    );
    for one in all {
        let _ = writeln!(
            text,
            "| {} | **{}** | {} | {} |",
            one.name,
            one.upstream,
            one.answered,
            one.slowest.as_millis()
        );
    }
    text.trim_end().to_owned()
}

/// System calls and instructions.
pub(crate) fn counts(all: &[Counts]) -> String {
    let cell = |value: Option<f64>, digits: usize| {
        value.map_or_else(
            || "not supported".to_owned(),
            |value| format!("{value:.digits$}"),
        )
    };
    let mut text = String::from(
        "## System calls and instructions per request\n\n\
         1 KiB, one contender at a time, at half the rate, counted by `perf` \
         (instructions only where the machine has such a counter).\n\n\
         | contender | system calls | user instructions |\n|---|--:|--:|\n",
    );
    for one in all {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            one.name,
            cell(one.calls, 1),
            cell(one.instructions, 0)
        );
    }
    text.trim_end().to_owned()
}

/// Instructions per request of builds of the gateway.
pub(crate) fn instructions(all: &[Counted]) -> String {
    let mut text = String::from(
        "| scenario | build | instructions per request | least – greatest | ratio to the first |\n\
         |---|---|--:|--:|--:|\n",
    );
    for one in all {
        let (least, most) = one.spread;
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {least:.0} – {most:.0} | **{:.3}** |",
            one.scenario, one.build, one.instructions, one.ratio,
        );
    }
    text.trim_end().to_owned()
}

/// Many endpoints, and a dead one.
pub(crate) fn fleets(found: &Fleets) -> String {
    let mut text = format!(
        "## Many endpoints, and a dead one\n\n\
         CPU per request with three endpoints, with three of which one refuses all connections, and \
         with a thousand, measured as above. All are addresses of one backend. More endpoints mean \
         more connections, each of which is used less often, for every contender.\n\n{}\n\n",
        comparison(&found.comparison)
    );
    for one in &found.contenders {
        let _ = writeln!(text, "- {} ({}): {}", one.name, one.version, one.about);
    }
    for name in &found.absent {
        let _ = writeln!(text, "- {name}: not installed here");
    }
    text.trim_end().to_owned()
}

/// A slow endpoint among many.
pub(crate) fn fairness(all: &[Fairness]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "## One slow endpoint of {}\n\n\
         It answers {} ms late. {} requests/s to each contender, which runs alone with {} workers \
         on both cores. In turn, every {}th request meets the slow endpoint.\n\n\
         | contender | at the slow endpoint | p50 µs | p99 µs | p99.5 µs | p99.9 µs | answered | failed | unsent |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        fairness::ENDPOINTS,
        fairness::DELAY,
        fairness::RATE,
        fairness::WORKERS,
        fairness::ENDPOINTS,
    );
    for one in all {
        let outcome = &one.outcome;
        let _ = writeln!(
            text,
            "| {} | **{:.2} %** | {} | {} | {} | {} | {} | {outcome} | {} |",
            one.contender.name,
            one.slow() * 100.0,
            outcome.latency(0.5),
            outcome.latency(0.99),
            outcome.latency(0.995),
            outcome.latency(0.999),
            outcome.answered,
            outcome.unsent,
        );
    }
    text.push('\n');
    for one in all {
        let contender = &one.contender;
        let _ = writeln!(text, "- {}: {}", contender.name, contender.about);
    }
    text.trim_end().to_owned()
}

/// An endpoint that is killed or stopped.
pub(crate) fn failovers(all: &[Failover]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "## One of three endpoints is gone\n\n\
         It is killed (its port refuses connections) or stopped (the kernel accepts connections, and \
         nobody answers). {} clients, each of which asks every {} ms, watch for {} s. All contenders \
         try another endpoint after 1 s. A request is disturbed if it fails or takes longer than \
         {} ms. The endpoint counts as noticed once nothing was disturbed for {} s.\n\n\
         | contender | the endpoint got | failed | late | slowest, ms | noticed after, ms | disturbed later | requests |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
        failover::CLIENTS,
        failover::EVERY.as_millis(),
        failover::WATCH.as_secs(),
        failover::SLOW.as_millis(),
        failover::QUIET.as_secs(),
    );
    for one in all {
        let seen = &one.seen;
        let _ = writeln!(
            text,
            "| {} | {} | **{}** | {} | {} | **{}** | {} | {} |",
            one.contender.name,
            one.fault,
            seen.failed,
            seen.late,
            seen.slowest.as_millis(),
            seen.noticed.as_millis(),
            seen.later,
            seen.requests,
        );
    }
    text.push('\n');
    let mut said: Vec<&str> = Vec::new();
    for one in all {
        let Contender { name, about, .. } = &one.contender;
        if !said.contains(name) {
            said.push(name);
            let _ = writeln!(text, "- {name}: {about}");
        }
    }
    text.trim_end().to_owned()
}

/// Few connections of HTTP/2 to two workers.
pub(crate) fn spreads(all: &[Spread]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "## Few HTTP/2 connections, two workers\n\n\
         How connections spread over workers, as those of a CDN do: {} connections in cleartext, \
         opened {} ms apart, with {} requests at once on each of them every {} ms. \
         Contenders have {} workers, and run one after the other on both cores, which they share \
         with the backend and the load. Both cores idle most of the time, and each connection \
         makes the same work, so that the CPU time of a worker shows how many connections it has: \
         of the CPU time of both workers, the busier one has 0.50 if each has half of them, and \
         1.00 if it has all of them while the other idles. {} rounds with new connections each.\n\n\
         | contender | share of the busier worker | least – greatest | CPU µs | p50 µs | p99 µs | answered | failed | unsent |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        spread::CONNECTIONS,
        spread::APART.as_millis(),
        spread::STREAMS,
        spread::EVERY.as_millis(),
        spread::WORKERS,
        spread::ROUNDS,
    );
    for one in all {
        let (least, most) = one.range;
        let _ = writeln!(
            text,
            "| {} | **{:.2}** | {least:.2} – {most:.2} | {:.1} | {} | {} | {} | {} | {} |",
            one.name,
            one.busier,
            one.micros,
            one.outcome.latency(0.5),
            one.outcome.latency(0.99),
            one.outcome.answered,
            one.outcome,
            one.outcome.unsent,
        );
    }
    text.trim_end().to_owned()
}

/// Memory and time to start.
pub(crate) fn footprints(all: &[Footprint]) -> String {
    let mut text = format!(
        "## Memory and start\n\n\
         Each alone, all its processes together. PSS divides shared pages among those that have them. \
         The growth is that of PSS with {IDLE_CONNECTIONS} idle keep-alive connections, or \
         {IDLE_HTTP2_CONNECTIONS} of HTTP/2, each of which has made one request; what the kernel keeps for a socket is not in it.\n\n\
         | contender | idle RSS MiB | idle PSS MiB | KiB per idle connection | start to first answer, ms |\n\
         |---|--:|--:|--:|--:|\n"
    );
    for one in all {
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.1} | {:.1} | {} |",
            one.name,
            one.idle.rss as f64 / 1024.0,
            one.idle.pss as f64 / 1024.0,
            one.per_connection,
            one.started_in.as_millis(),
        );
    }
    text.trim_end().to_owned()
}

/// Reloads under load.
pub(crate) fn survivals(all: &[Survival]) -> String {
    let mut text = format!(
        "## Requests lost in {RELOADS} reloads\n\n\
         {CONNECTIONS} keep-alive connections, each asking again as soon as it has its answer. A request counts \
         as failed when it was sent and no whole, right answer came. An idle connection that is \
         closed is no failure: it is dialled again.\n\n\
         | contender | reloads | answered | failed | idle connections closed | slowest to take effect, ms |\n\
         |---|--:|--:|--:|--:|--:|\n"
    );
    for one in all {
        let slowest = one
            .slowest
            .map_or_else(|| "–".to_owned(), |time| time.as_millis().to_string());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {slowest} |",
            one.name, one.reloads, one.outcome.answered, one.outcome, one.outcome.closed_idle,
        );
    }
    for one in all {
        if let Some(trouble) = &one.trouble {
            let first = trouble.lines().next().unwrap_or_default();
            let _ = writeln!(text, "\n{}: {first}", one.name);
        }
    }
    text.trim_end().to_owned()
}

/// The quiet client alone and beside the flood.
pub(crate) fn flood(found: &Found) -> String {
    let mut text = String::from(
        "## A client beside a flood of unknown keys\n\n\
         | | answered | failed | not sent | p50, µs | p99, µs |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    for (name, outcome) in [("alone", &found.alone), ("beside the flood", &found.beside)] {
        let _ = writeln!(
            text,
            "| {name} | {} | {outcome} | {} | {} | {} |",
            outcome.answered,
            outcome.unsent,
            outcome.latency(0.5),
            outcome.latency(0.99),
        );
    }
    let _ = write!(
        text,
        "\nThe flood got {} refusals; {} of its requests were not sent.",
        found.flood.failed(),
        found.flood.unsent,
    );
    text
}

fn micro(output: Option<&str>) -> String {
    let output = output.unwrap_or("not measured yet: janua-load bench --micro");
    format!(
        "## Microbenchmarks\n\n\
         `make bench-micro`: routing, a memo hit, a policy call, \
         the cache's store. \
         These are absolute times, of the run that had `--micro`.\n\n\
         {MICRO_BEGIN}{output}{MICRO_END}"
    )
}

/// The microbenchmarks of an earlier page, which a run without them keeps.
pub(crate) fn kept_microbenchmarks(earlier: &str) -> Option<String> {
    let (_, rest) = earlier.split_once(MICRO_BEGIN)?;
    let (kept, _) = rest.split_once(MICRO_END)?;
    Some(kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microbenchmarks_are_kept() {
        let text = micro(Some("route/exact  31 ns\nroute/regex 90 ns"));
        assert_eq!(
            kept_microbenchmarks(&text).as_deref(),
            Some("route/exact  31 ns\nroute/regex 90 ns")
        );
        assert_eq!(kept_microbenchmarks("another page"), None);
    }
}
