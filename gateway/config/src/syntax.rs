//! Parses TOML with error recovery, and explains syntax errors.

use std::ops::Range;

use toml::Spanned as At;
use toml::de::DeTable;

use crate::diagnostic::Diagnostic;
use crate::span::{SourceId, Span};
use crate::units::truth;

/// The most duplicate keys that are returned. For each of them the lines above
/// are searched, in files that others may write.
const MOST_DUPLICATES: usize = 20;

/// An error in the TOML.
pub(crate) struct Fault {
    diagnostic: Diagnostic,
    duplicate: bool,
}

impl Fault {
    /// Whether a key was given twice; the rest of the file is then still
    /// usable.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    pub(crate) fn into_diagnostic(self) -> Diagnostic {
        self.diagnostic
    }
}

/// Parses a file as far as possible. Only the first syntax error is returned,
/// because a missing quote causes errors in the lines below it. If there are no
/// other errors, the duplicate keys are returned, but not more than
/// [`MOST_DUPLICATES`].
pub(crate) fn parse(source: SourceId, text: &str) -> (At<DeTable<'_>>, Vec<Fault>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let start = |error: &toml::de::Error| error.span().map_or(0, |range| range.start);
    let broken = errors.iter().filter(|error| !is_duplicate(error));
    if let Some(first) = broken.min_by_key(|error| start(error)) {
        let fault = Fault {
            diagnostic: broken_syntax(source, text, first),
            duplicate: false,
        };
        return (document, vec![fault]);
    }
    let faults = errors.iter().take(MOST_DUPLICATES).map(|error| {
        let range = error.span().unwrap_or(0..0);
        let key = text.get(range.clone()).unwrap_or_default();
        let span = Span::new(source, range.clone());
        let mut diagnostic = Diagnostic::error(span, format!("`{key}` is given twice"))
            .help("keep one of them: TOML knows each key and each table once");
        if let Some(first) = first_of(text, range.start, key) {
            diagnostic = diagnostic.note(Span::new(source, first), "first here");
        }
        Fault {
            diagnostic,
            duplicate: true,
        }
    });
    (document, faults.collect())
}

fn is_duplicate(error: &toml::de::Error) -> bool {
    error.message() == "duplicate key"
}

/// Describes a syntax error, in simpler words where the parser's message refers
/// to its grammar.
fn broken_syntax(source: SourceId, text: &str, error: &toml::de::Error) -> Diagnostic {
    let range = error.span().unwrap_or(0..0);
    let span = Span::new(source, range.clone());
    if let Some(range) = bare_value(text, range.start) {
        let value = text.get(range.clone()).unwrap_or_default();
        let span = Span::new(source, range);
        if let Some(truth) = truth(value) {
            return Diagnostic::error(span, format!("`{value}` is neither true nor false"))
                .help(format!("write {truth}"));
        }
        let plain = value.trim_matches(['“', '”', '„', '‘', '’', '‚']);
        return Diagnostic::error(span, "text must be in quotes")
            .help(format!("write \"{plain}\""));
    }
    let message = error.message();
    let what = message
        .split_once(", expected ")
        .map_or(message, |(what, _)| what);
    let rest = text.get(range.start..).unwrap_or_default();
    let at_line_end = rest.is_empty() || rest.starts_with(['\n', '\r']);
    let (what, help) = match what {
        "invalid unquoted key" if rest.starts_with(':') => (
            "a key and its value have `=` between them, not `:`",
            "write `key = value`",
        ),
        "invalid basic string" | "invalid literal string" if at_line_end => (
            "the quote that begins this text is not closed on its line",
            "close it with the same quote",
        ),
        "invalid multi-line basic string" | "invalid multi-line literal string"
            if rest.is_empty() =>
        {
            (
                "the text in triple quotes is not closed",
                "close it with the same three quotes",
            )
        }
        "missing opening quote" => (
            "the quote that begins this text is missing",
            "write the text in quotes: \"text\"",
        ),
        "missing escaped value" => (
            "in double quotes a backslash begins an escape sequence, and there is none like this",
            "write `\\\\` for a backslash, or the whole text in single quotes",
        ),
        "unclosed table" | "unclosed array table" => (
            "the header of the table is not closed",
            "write `[table]`, or `[[table]]` for an element of a list",
        ),
        "unclosed array" => ("the list is not closed", "write `]` after its last element"),
        "missing comma between array elements" => (
            "there is no comma between two elements of the list",
            "write `,` between them, or close the list with `]`",
        ),
        "unclosed inline table" => ("the table is not closed", "write `}` after its last field"),
        "missing comma between key-value pairs" => (
            "there is no comma between two fields of the table",
            "write `,` between them, or close the table with `}`",
        ),
        "extra `=`" | "extra assignment between key-value pairs" => {
            ("there is one `=` too many", "write `key = value`")
        }
        "key with no value"
        | "missing value"
        | "missing value for key"
        | "missing assignment between key-value pairs" => {
            ("the key has no value", "write `key = value`")
        }
        "unexpected key or value" => (
            "something follows the value",
            "write each `key = value` on a line of its own, and a comment after `#`",
        ),
        other => (
            other,
            "write `key = value`, a value being \"text\", 1, true, [1, 2] or { key = 1 }",
        ),
    };
    Diagnostic::error(span, what).help(help)
}

/// The range of the value at this position, if it looks like text without
/// quotes: `never`, `127.0.0.1:80`, `/srv/app`.
fn bare_value(text: &str, at: usize) -> Option<Range<usize>> {
    let (before, after) = text.split_at_checked(at)?;
    let ends = |c: char| c.is_whitespace() || "=,[]{}#\"'".contains(c);
    let start = before.rfind(ends).map_or(0, |at| at + 1);
    let end = at + after.find(ends).unwrap_or(after.len());
    let line = text.get(..start)?.lines().next_back()?;
    let is_value = line.contains('=') && line.trim_end().ends_with(['=', '[', ',']);
    let value = text.get(start..end)?;
    let is_text = value.contains(|c: char| c.is_ascii_alphabetic() || "/:*".contains(c));
    (is_value && is_text).then_some(start..end)
}

/// Finds where a duplicate key was first given, which the parser does not
/// report. Searches the lines above for the same header, or for the same key in
/// the same table; finds nothing in inline tables.
fn first_of(text: &str, second: usize, key: &str) -> Option<Range<usize>> {
    let above = text.get(..second)?;
    let line_start = above.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(line_start..)?.lines().next()?.trim();
    let above = text.get(..line_start)?;
    let mut end = above.len();
    for earlier in above.split_inclusive('\n').rev() {
        let start = end - earlier.len();
        end = start;
        let content = earlier.trim_start();
        let indent = earlier.len() - content.len();
        let content = content.trim_end();
        if line.starts_with('[') {
            if content == line {
                let at = start + indent + line.find(key)?;
                return Some(at..at + key.len());
            }
        } else if content.starts_with('[') {
            return None;
        } else if let Some(rest) = content.strip_prefix(key)
            && rest.trim_start().starts_with('=')
        {
            let at = start + indent;
            return Some(at..at + key.len());
        }
    }
    None
}
