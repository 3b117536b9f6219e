//! Compares what the gateway has counted and logged with what its clients have seen.

use std::io::Read as _;
use std::path::Path;

use janua_tests::{Gateway, Metrics, eventually};

use crate::config::{HOST, MUTUAL};
use crate::ledger::Pages;

/// What the gateway's own log says of each reload that is refused.
const REFUSED: &str = "reload refused, the old configuration stays live";

/// What upstreams have in use, requests that wait for an endpoint included.
const IN_USE: [&str; 3] = [
    "janua_endpoint_in_flight",
    "janua_upstream_in_use",
    "janua_upstream_held",
];

/// What differs.
pub(crate) async fn differences(gateway: &Gateway, pages: &Pages) -> Vec<String> {
    let metrics = gateway.metrics().await;
    let mut differences = Vec::new();
    let mut compare = |what: String, counted: f64, seen: u64| {
        if counted != seen as f64 {
            differences.push(format!("{what}: {counted} counted, {seen} seen by clients"));
        }
    };
    for (name, value, seen) in requests(&metrics, pages) {
        compare(name, value, seen);
    }
    for (&listener, &seen) in &pages.connections {
        let labels = [("listener", listener)];
        let accepted = metrics.sum("janua_connections_accepted_total", &labels);
        compare(format!("connections of {listener}"), accepted, seen);
        let open = metrics.sum("janua_connections", &labels);
        compare(format!("open connections of {listener}"), open, 0);
    }
    for version in ["1.2", "1.3"] {
        let labels = [("version", version)];
        let done = metrics.sum("janua_tls_handshakes_total", &labels);
        let of_version = pages.handshakes.iter().filter(|(key, _)| key.0 == version);
        let seen = of_version.map(|(_, count)| count).sum();
        compare(format!("handshakes of {version}"), done, seen);
    }
    for (name, seen) in [
        ("janua_tls_handshake_failures_total", 0),
        ("janua_connections_refused_total", 0),
        ("janua_access_log_dropped_total", 0),
        ("janua_upstream_unsolicited_total", 0),
        ("janua_compressions_skipped_total", 0),
        ("janua_requests_in_flight", 0),
        ("janua_config_live_generations", 1),
    ] {
        compare(name.to_owned(), metrics.sum(name, &[]), seen);
    }
    differences.extend(in_use(gateway).await);
    differences.extend(failures(&metrics, pages));
    differences.extend(log(gateway, pages, &metrics).await);
    differences
}

/// What is still in use or waited for, although nobody asks for anything.
async fn in_use(gateway: &Gateway) -> Vec<String> {
    let mut left = Vec::new();
    let all_is_free = eventually(async || {
        let metrics = gateway.metrics().await;
        left.clear();
        for name in IN_USE {
            let value = metrics.sum(name, &[]);
            if value != 0.0 {
                left.push(format!("{name} stays {value}"));
            }
        }
        left.is_empty().then_some(())
    });
    all_is_free.await;
    left
}

/// Requests by route and class of status. A route that only one revision had has lost its
/// counters.
fn requests(metrics: &Metrics, pages: &Pages) -> Vec<(String, f64, u64)> {
    let mut seen = std::collections::BTreeMap::new();
    for (&(route, status), count) in &pages.answers {
        *seen.entry((route, status / 100)).or_insert(0) += count;
    }
    seen.remove(&("/only/", 2));
    let compared = seen.into_iter().map(|((route, class), seen)| {
        let class = format!("{class}xx");
        let site = if route == "/mutual" { MUTUAL } else { HOST };
        let label = if route == "none" { "" } else { route };
        let labels = [("site", site), ("route", label), ("status", &class)];
        let counted = metrics.sum("janua_requests_total", &labels);
        (format!("requests of {route} with {class}"), counted, seen)
    });
    compared.collect()
}

/// Failures by kind. Each has its cause on the side of the clients.
fn failures(metrics: &Metrics, pages: &Pages) -> Vec<String> {
    let of = |kind: &str| metrics.sum("janua_failures_total", &[("kind", kind)]);
    let missing = pages
        .answers
        .get(&("none", 404))
        .copied()
        .unwrap_or_default();
    let explained = pages.explained();
    let mut differences = Vec::new();
    let died = of("reset") + of("response_incomplete");
    for (what, counted, seen) in [
        ("policy_failed", of("policy_failed"), pages.event("traps")),
        ("no_route", of("no_route"), missing),
        ("reset, response_incomplete", died, explained),
    ] {
        if counted != seen as f64 {
            differences.push(format!("failures {what}: {counted}, and {seen} explained"));
        }
    }
    // A client may leave when all is in the buffers of the sockets.
    let left = of("client_gone");
    if left > pages.event("clients that left") as f64 {
        differences.push(format!("failures client_gone: {left}"));
    }
    let known = of("policy_failed") + of("no_route") + died + left;
    let all = metrics.sum("janua_failures_total", &[]);
    if all != known {
        differences.push(format!("{} failures of other kinds", all - known));
    }
    differences
}

/// The access log has a line for each request. The gateway's own log has an error for each
/// refused reload and no other, and nothing of a panic.
async fn log(gateway: &Gateway, pages: &Pages, metrics: &Metrics) -> Vec<String> {
    let mut differences = Vec::new();
    let mut lines = 0;
    let path = gateway.directory().join("access.log");
    let all = pages.requests();
    let written = eventually(async || {
        lines = lines_of(&path);
        (lines == all).then_some(())
    });
    if written.await.is_none() {
        differences.push(format!("{lines} lines of access log, {all} requests"));
    }
    let refused = metrics.sum("janua_reloads_total", &[("outcome", "refused")]);
    // The watcher may have refused the same file before the command did.
    if refused < pages.event("reloads refused") as f64 {
        differences.push(format!("{refused} reloads counted as refused"));
    }
    // The last line may be on its way.
    let mut errors = 0;
    let told = eventually(async || {
        let messages = gateway.messages();
        errors = messages.matches(REFUSED).count();
        (errors as f64 == refused).then_some(())
    });
    if told.await.is_none() {
        differences.push(format!(
            "{errors} errors in the log, {refused} reloads refused"
        ));
    }
    for line in gateway.messages().lines() {
        // Components say so too when they trap.
        if line.contains("panicked") && !line.contains("policy=") {
            differences.push(format!("a panic: {line}"));
        } else if line.contains("ERROR") && !line.contains(REFUSED) {
            differences.push(format!("an error: {line}"));
        }
    }
    differences
}

/// The lines of a file, which may have hundreds of MiB.
fn lines_of(path: &Path) -> u64 {
    let mut file = std::fs::File::open(path).expect("the access log is there");
    let mut part = vec![0; 64 * 1024];
    let mut lines = 0;
    loop {
        let count = file.read(&mut part).expect("it can be read");
        if count == 0 {
            return lines;
        }
        lines += part[..count].iter().filter(|&&byte| byte == b'\n').count() as u64;
    }
}
