//! Tables in Markdown.

use std::fmt::Write as _;

use crate::compare::Comparison;

/// A comparison as a table, with what qualifies it below.
pub(crate) fn comparison(found: &Comparison) -> String {
    let mut text = String::from(
        "| contender | CPU µs / request | ratio to nginx | least – greatest | of it user µs | p50 µs | p99 µs | failed | unsent |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for line in &found.lines {
        let ratio = line
            .ratio
            .map_or_else(String::new, |ratio| format!("**{ratio:.2}**"));
        let spread = line.spread.map_or_else(String::new, |(least, most)| {
            format!("{least:.2} – {most:.2}")
        });
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "| {} | {:.1} | {ratio} | {spread} | {:.1} | {} | {} | {} | {} |",
            line.name,
            line.micros,
            line.user_micros,
            line.outcome.latency(0.5),
            line.outcome.latency(0.99),
            line.outcome,
            line.outcome.unsent,
        );
    }
    let _ = writeln!(
        text,
        "\n{:.0} requests/s to each. The contenders used {:.0} % of their core, other work {:.0} %; \
         backend and load used {:.0} % of theirs.",
        found.rate,
        found.proxy_core * 100.0,
        found.elsewhere * 100.0,
        found.load_core * 100.0,
    );
    text
}
