//! What is wrong with a configuration, for a person and as JSON.

use std::fmt::{self, Display, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::span::{Sources, Span};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted, but most likely not meant so.
    Warning,
}

/// Where a diagnostic points.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Span(Span),
    File(PathBuf),
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong: one sentence, without a full stop.
    pub message: String,
    place: Place,
    help: Option<String>,
    notes: Vec<(Span, String)>,
}

impl Diagnostic {
    /// What makes the configuration unusable.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Place::Span(span), message.into())
    }

    /// What is accepted, but most likely not meant.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Place::Span(span), message.into())
    }

    /// An error about a file as a whole: it cannot be read.
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

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names a second place that matters.
    #[must_use]
    pub fn note(mut self, span: Span, message: impl Into<String>) -> Self {
        self.notes.push((span, message.into()));
        self
    }

    /// What to write instead, if that is known.
    pub fn suggestion(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where it points; none if at a file as a whole.
    pub fn span(&self) -> Option<Span> {
        match &self.place {
            Place::Span(span) => Some(*span),
            Place::File(_) => None,
        }
    }
}

/// Everything that was found, with the sources to show it in. Sorted by place.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    sources: Sources,
}

impl Diagnostics {
    /// None yet.
    pub fn new(sources: Sources) -> Self {
        Self {
            list: Vec::new(),
            sources,
        }
    }

    /// Adds one; the same one twice is kept once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if !self.list.contains(&diagnostic) {
            self.list.push(diagnostic);
            // Stable: what is found at one place stays in the order of finding.
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

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
        self.list.iter().filter(is_error).count()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Each in one line with its places, for a log: `janua.toml:8:1: what; what
    /// to write instead (janua.toml:4:1: a second place)`.
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

    /// The files that they point into.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// For a terminal; `color` with ANSI colours.
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
        // The text before the caret, kept in width: a tab stays a tab.
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

/// Text that cannot steer a terminal: a file's content is shown, not obeyed.
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

/// One line, without its place.
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

/// The form in JSON: a list of objects.
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

/// A place in JSON; line, column and width count from 1, in characters.
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
                // Paths need not be UTF-8, JSON does.
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
