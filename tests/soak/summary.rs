//! What a soak prints: lines of progress, and a table at the end.

use std::time::Instant;

use crate::ledger::{Ledger, Pages};
use crate::vitals::{GROWTH, Holdings, Memory};

/// One line about how far it is.
pub(crate) fn progress(begin: Instant, ledger: &Ledger, memory: &Memory) {
    let pages = ledger.read();
    eprintln!(
        "soak: {:>4} s  {:>8} requests  {:>6} connections  {:>4} turns  {:>4} outages  {:>3} explained  {:>6} KiB",
        begin.elapsed().as_secs(),
        pages.requests(),
        pages.connections.values().sum::<u64>(),
        pages.event("turns"),
        pages.event("outages"),
        pages.explained(),
        memory.last(),
    );
}

/// The table at the end.
pub(crate) fn table(begin: Instant, pages: &Pages, memory: &Memory, held: &Holdings) -> String {
    let mut lines = vec![format!(
        "soak: {} s, {} requests, {} connections",
        begin.elapsed().as_secs(),
        pages.requests(),
        pages.connections.values().sum::<u64>()
    )];
    let mut section = |title: &str, rows: Vec<(String, String)>| {
        lines.push(format!("\n{title}"));
        lines.extend(
            rows.iter()
                .map(|(name, value)| format!("  {name:<40} {value:>10}")),
        );
    };
    let rows = pages.visits.iter();
    let rows = rows.map(|(kind, count)| ((*kind).to_owned(), count.to_string()));
    section("visits", rows.collect());
    let rows = pages
        .handshakes
        .iter()
        .map(|((version, is_resumed), count)| {
            let kind = if *is_resumed { "resumed" } else { "full" };
            (format!("TLS {version}, {kind}"), count.to_string())
        });
    section("handshakes", rows.collect());
    let rows = pages.events.iter();
    let rows = rows.map(|(event, count)| ((*event).to_owned(), count.to_string()));
    section("events", rows.collect());
    let quarters = memory.quarters();
    let mut rows: Vec<_> = ["first", "second", "third", "last"]
        .iter()
        .zip(quarters)
        .map(|(name, kib)| {
            (
                format!("median of the {name} quarter, KiB"),
                kib.to_string(),
            )
        })
        .collect();
    let bound = quarters[1] + GROWTH;
    rows.push(("bound of the last, KiB".to_owned(), bound.to_string()));
    section("memory", rows);
    let descriptors: usize = held.descriptors.values().sum();
    let threads: usize = held.threads.values().sum();
    section(
        "at the end",
        vec![
            ("descriptors".to_owned(), descriptors.to_string()),
            ("threads".to_owned(), threads.to_string()),
        ],
    );
    lines.push(String::new());
    if pages.violations.is_empty() {
        lines.push("nothing failed that should not have".to_owned());
    } else {
        lines.push(format!("{} violations:", pages.violations.len()));
        lines.extend(pages.violations.iter().map(|what| format!("  {what}")));
    }
    lines.join("\n")
}
