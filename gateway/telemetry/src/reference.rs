//! Generates the reference pages of this crate, `docs/metrics.md` and
//! `docs/access-log.md`, from the tables that the code uses.

use std::fmt::Write as _;

use crate::access_log::FIELDS;
use crate::metrics::{BUCKETS, METRICS};

/// The metrics as a Markdown page.
#[must_use]
pub fn metrics_reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `GET /metrics` on the admin socket answers in the Prometheus text format (0.0.4).\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let labels = metric.labels.join("`, `");
        let labels = if labels.is_empty() {
            labels
        } else {
            format!("`{labels}`")
        };
        let (name, kind, help) = (metric.name, metric.kind.word(), metric.help);
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {help} |");
    }
    let bounds: Vec<&str> = BUCKETS.iter().map(|(written, _)| *written).collect();
    let _ = writeln!(
        page,
        "\nHistograms have the buckets {} and +Inf, in seconds. A series that the \
         configuration no longer uses is dropped at the second reload after that.",
        bounds.join(", ")
    );
    page
}

/// The access log's fields as a Markdown page.
#[must_use]
pub fn access_log_reference() -> String {
    let mut page = String::from(
        "# Access log\n\n\
         One line per request, in JSON or as text. A field that is absent is left out of the \
         line.\n\n\
         | field | type | meaning |\n|---|---|---|\n",
    );
    for field in FIELDS {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            field.name, field.kind, field.help
        );
    }
    page.push_str(
        "\n## Text\n\n\
         The combined format of nginx and Apache, in UTC, followed by the fields that it lacks as \
         `name=value`; if the client closed the connection before a response, the status is 499.\n\n\
         ```text\n\
         203.0.113.9 - - [31/Jan/2026:23:59:59 +0000] \"GET /api/?page=2 HTTP/1.1\" 200 1024 \
         \"-\" \"curl/8.5.0\" request_id=\"0f3a\" scheme=\"https\" host=\"sales.example.com\" …\n\
         ```\n\n\
         ## Escaping\n\n\
         JSON: invalid UTF-8 becomes U+FFFD; control characters, line separators and \
         characters that reorder text are written as `\\uXXXX`. Text: the quote, the backslash \
         and every byte that is not printable ASCII are written as `\\xHH`.\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::{access_log_reference, metrics_reference};

    #[test]
    fn every_row_has_its_columns() {
        for (page, columns) in [(metrics_reference(), 4), (access_log_reference(), 3)] {
            let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
            assert!(rows.len() > 10);
            for row in rows {
                assert_eq!(row.matches('|').count(), columns + 1, "{row}");
            }
        }
    }
}
