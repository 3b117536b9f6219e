//! Errors and warnings about a configuration, for terminals, logs and as JSON.

use std::fmt::{self, Display, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::span::{Sources, Span};

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted, but probably a mistake.
    Warning,
}

/// The position of a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Span(Span),
    File(PathBuf),
}

/// One error or warning, with its position and advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How serious it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    place: Place,
    help: Option<String>,
    notes: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error: the configuration is refused.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Place::Span(span), message.into())
    }

    /// A warning: the configuration is accepted, but this is probably a
    /// mistake.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Place::Span(span), message.into())
    }

    /// Whether its place is within a span.
    pub(crate) fn is_within(&self, outer: Span) -> bool {
        matches!(self.place, Place::Span(span) if span.source == outer.source
            && outer.start <= span.start && span.end <= outer.end)
    }

    /// An error about a whole file, such as one that cannot be read.
    pub fn file(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Place::File(path.into()), message.into())
    }

    fn new(severity: Severity, place: Place, message: String) -> Self {
        Self {
            severity,
            message,
            place,
            help: None,
            notes: Vec::new(),
        }
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Adds advice on what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a message about a second position.
    #[must_use]
    pub fn note(mut self, span: Span, message: impl Into<String>) -> Self {
        self.notes.push((span, message.into()));
        self
    }

    /// The advice on what to write instead, if there is any.
    pub fn suggestion(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The position; none if it concerns a whole file.
    pub fn span(&self) -> Option<Span> {
        match &self.place {
            Place::Span(span) => Some(*span),
            Place::File(_) => None,
        }
    }
}

/// All diagnostics, sorted by position, with the sources that they refer to.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    sources: Sources,
}

impl Diagnostics {
    /// An empty list.
    pub fn new(sources: Sources) -> Self {
        Self {
            list: Vec::new(),
            sources,
        }
    }

    /// Adds a diagnostic, unless an equal one is present.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if !self.list.contains(&diagnostic) {
            self.list.push(diagnostic);
            // The sort is stable: diagnostics at one position keep their order.
            self.list.sort_by_key(Diagnostic::span);
        }
    }

    /// Adds several.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            if !self.list.contains(&diagnostic) {
                self.list.push(diagnostic);
            }
        }
        self.list.sort_by_key(Diagnostic::span);
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// The number of errors.
    pub fn errors(&self) -> usize {
        let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
        self.list.iter().filter(is_error).count()
    }

    /// Whether there are no diagnostics.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All diagnostics.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Each diagnostic on one line, for a log: `janua.toml:8:1: message; advice
    /// (janua.toml:4:1: second position)`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let place = |span: Span| match self.sources.locate(span) {
            Some(at) => format!("{}:{}:{}: ", at.path.display(), at.line, at.column),
            None => String::new(),
        };
        self.list.iter().map(move |found| {
            let mut line = match &found.place {
                Place::Span(span) => place(*span),
                Place::File(path) => format!("{}: ", path.display()),
            };
            // Writing to a String does not fail.
            let _ = write!(line, "{found}");
            for (span, note) in &found.notes {
                let _ = write!(line, " ({}{note})", place(*span));
            }
            printable(&line)
        })
    }

    /// The files that they refer to.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Formatted for a terminal; `color` uses ANSI colours.
    pub fn render(&self, color: bool) -> String {
        let mut page = String::new();
        for found in &self.list {
            // Writing to a String does not fail.
            let _ = self.render_one(&mut page, found, &Paint { color });
        }
        page
    }

    fn render_one(&self, page: &mut String, found: &Diagnostic, paint: &Paint) -> fmt::Result {
        let (word, style) = match found.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        let word = paint.with(style, word);
        let message = paint.with("1", &printable(&found.message));
        writeln!(page, "{word}: {message}")?;
        match &found.place {
            Place::File(path) => writeln!(page, " --> {}", printable(&path.display().to_string()))?,
            Place::Span(span) => self.render_place(page, *span, "", style, paint)?,
        }
        for (span, note) in &found.notes {
            self.render_place(page, *span, note, "1;34", paint)?;
        }
        if let Some(help) = &found.help {
            let word = paint.with("1;36", "help");
            writeln!(page, "  {word}: {}", printable(help))?;
        }
        writeln!(page)
    }

    fn render_place(
        &self,
        page: &mut String,
        span: Span,
        label: &str,
        style: &str,
        paint: &Paint,
    ) -> fmt::Result {
        let Some(at) = self.sources.locate(span) else {
            return Ok(());
        };
        let path = printable(&at.path.display().to_string());
        let number = at.line.to_string();
        let margin = " ".repeat(number.len());
        // The text before the caret, replaced by spaces; tabs are kept for
        // their width.
        let before = at.text.chars().take(at.column - 1);
        let indent: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
        let carets = format!("{} {}", "^".repeat(at.width), printable(label));
        let carets = paint.with(style, carets.trim_end());
        writeln!(page, "{margin}--> {path}:{}:{}", at.line, at.column)?;
        writeln!(page, "{margin} |")?;
        writeln!(page, "{number} | {}", printable(at.text))?;
        writeln!(page, "{margin} | {indent}{carets}")
    }
}

/// Colours, or none.
struct Paint {
    color: bool,
}

impl Paint {
    fn with(&self, style: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{style}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Removes control characters, so that the content of a file cannot control the
/// terminal.
fn printable(text: &str) -> String {
    let show = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(show).collect()
}

/// One line, without the position.
impl Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The JSON form: a list of objects.
#[derive(Serialize)]
struct Entry<'d> {
    severity: Severity,
    message: &'d str,
    #[serde(flatten)]
    place: PlaceEntry<'d>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'d str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<NoteEntry<'d>>,
}

/// A position in JSON; line, column and width count from 1, in characters.
#[derive(Serialize, Default)]
struct PlaceEntry<'d> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'d str>,
}

#[derive(Serialize)]
struct NoteEntry<'d> {
    message: &'d str,
    #[serde(flatten)]
    place: PlaceEntry<'d>,
}

impl Serialize for Diagnostics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |span: Span| match self.sources.locate(span) {
            None => PlaceEntry::default(),
            Some(at) => PlaceEntry {
                // Paths need not be UTF-8, but JSON strings must be.
                file: Some(at.path.display().to_string()),
                line: Some(at.line),
                column: Some(at.column),
                width: Some(at.width),
                text: Some(at.text),
            },
        };
        serializer.collect_seq(self.list.iter().map(|found| {
            Entry {
                severity: found.severity,
                message: &found.message,
                place: match &found.place {
                    Place::Span(span) => place(*span),
                    Place::File(path) => PlaceEntry {
                        file: Some(path.display().to_string()),
                        ..PlaceEntry::default()
                    },
                },
                help: found.help.as_deref(),
                notes: found
                    .notes
                    .iter()
                    .map(|(span, message)| NoteEntry {
                        message,
                        place: place(*span),
                    })
                    .collect(),
            }
        }))
    }
}
