//! Positions of values in the files: spans, and the sources that they refer to.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Identifies one of the [`Sources`]; 0 is the main file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(usize);

impl SourceId {
    /// The main file.
    pub const MAIN: Self = Self(0);
}

/// A range of bytes in one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// Offset of the first byte.
    pub start: usize,
    /// Offset past the last byte.
    pub end: usize,
}

impl Span {
    pub(crate) fn new(source: SourceId, range: Range<usize>) -> Self {
        Self {
            source,
            start: range.start,
            end: range.end,
        }
    }
}

/// A value with its position in the file. The position of a default is the
/// table that lacks the field. Equality compares only the value.
#[derive(Debug, Clone, Copy)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The position.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Combines a value with its position.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Another value at the same position.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned::new(with(self.value), self.span)
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// The text of one file.
#[derive(Debug)]
pub struct Source {
    /// Its path as it was given or found.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

impl Source {
    /// The directory to which relative paths in it refer; empty for the working
    /// directory.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }
}

/// The files of one configuration: the main file first, then the included ones
/// in the order of their names. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Arc<Source>>);

/// A position as line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location<'s> {
    /// The file.
    pub path: &'s Path,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The whole line, without its end.
    pub text: &'s str,
    /// The number of characters of that line that the span covers, at least 1.
    pub width: usize,
}

impl Sources {
    /// A single source, which is the main file.
    pub fn single(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let mut sources = Self::default();
        sources.add(path, text);
        sources
    }

    /// Adds a file; the first one is the main file.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> SourceId {
        self.0.push(Arc::new(Source {
            path: path.into(),
            text: text.into(),
        }));
        SourceId(self.0.len() - 1)
    }

    /// All files with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.0
            .iter()
            .enumerate()
            .map(|(at, source)| (SourceId(at), &**source))
    }

    /// The path of one file.
    pub fn path(&self, id: SourceId) -> Option<&Path> {
        self.0.get(id.0).map(|source| source.path.as_path())
    }

    /// The paths of all files, which must be watched for changes.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|source| source.path.as_path())
    }

    /// The line and column of a span; none if it belongs to another set of
    /// sources.
    pub fn locate(&self, span: Span) -> Option<Location<'_>> {
        let source = self.0.get(span.source.0)?;
        let text = source.text.as_str();
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(span.start));
        let before = text.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(line_start..)?;
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let covered_end = end.min(line_start + line.len()).max(start);
        Some(Location {
            path: &source.path,
            line: before.matches('\n').count() + 1,
            column: text.get(line_start..start)?.chars().count() + 1,
            text: line,
            width: text.get(start..covered_end)?.chars().count().max(1),
        })
    }
}

/// The nearest character boundary at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
