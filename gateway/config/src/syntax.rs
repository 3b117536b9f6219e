//! TOML itself: parsing with recovery, and what is said when it fails.

use toml::Spanned as At;
use toml::de::DeTable;

use crate::diagnostic::Diagnostic;
use crate::span::{SourceId, Span};

/// A fault in the TOML.
pub(crate) struct Fault {
    diagnostic: Diagnostic,
    duplicate: bool,
}

impl Fault {
    /// Whether a key was given twice: then the rest of the file can be read.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    pub(crate) fn into_diagnostic(self) -> Diagnostic {
        self.diagnostic
    }
}

/// Parses a file as far as that goes, with every fault in it.
pub(crate) fn parse(source: SourceId, text: &str) -> (At<DeTable<'_>>, Vec<Fault>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let faults = errors.iter().map(|error| {
        let range = error.span().unwrap_or(0..0);
        let span = Span::new(source, range.clone());
        if error.message() != "duplicate key" {
            let diagnostic = Diagnostic::error(span, error.message());
            return Fault {
                diagnostic: match bare_value(text, range.start) {
                    Some(value) => diagnostic.help(format!("text stands in quotes: \"{value}\"")),
                    None => diagnostic,
                },
                duplicate: false,
            };
        }
        let key = text.get(range.clone()).unwrap_or_default();
        let mut diagnostic = Diagnostic::error(span, format!("`{key}` is given twice"));
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

/// The value around this place, if it looks like text that lacks its quotes:
/// `never`, `127.0.0.1:80`, `/srv/app`.
fn bare_value(text: &str, at: usize) -> Option<&str> {
    let (before, after) = text.split_at_checked(at)?;
    let ends = |c: char| c.is_whitespace() || "=,[]{}#\"'".contains(c);
    let start = before.rfind(ends).map_or(0, |at| at + 1);
    let end = at + after.find(ends).unwrap_or(after.len());
    let line = text.get(..start)?.lines().next_back()?;
    let is_value = line.contains('=') && line.trim_end().ends_with(['=', '[', ',']);
    let value = text.get(start..end)?;
    let is_text = value.contains(|c: char| c.is_ascii_alphabetic() || "/:*".contains(c));
    (is_value && is_text).then_some(value)
}

/// Where a key that is given twice was given first: the parser does not say.
/// Looks at the lines above for the same header, or for the same key in the
/// same table; finds nothing in tables that are written in line.
fn first_of(text: &str, second: usize, key: &str) -> Option<std::ops::Range<usize>> {
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
