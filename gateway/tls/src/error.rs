//! What is said to the operator: sentences that name the file, what is wrong
//! with it, and what to do.

use std::fmt;
use std::io;
use std::path::Path;

/// Why something cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

/// What works, but deserves attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(String);

impl Error {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// What is wrong with a file.
    pub(crate) fn of_file(file: &Path, what: impl fmt::Display) -> Self {
        Self(format!("{}: {what}", file.display()))
    }

    /// A file that cannot be read, written or created: `doing` is that word.
    pub(crate) fn of_io(file: &Path, doing: &str, error: &io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".into(),
            io::ErrorKind::PermissionDenied => {
                "the gateway's user has no permission to do so".into()
            }
            _ => error.to_string(),
        };
        Self::of_file(file, format_args!("cannot be {doing}: {why}."))
    }
}

impl Warning {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    pub(crate) fn of_file(file: &Path, what: impl fmt::Display) -> Self {
        Self(format!("{}: {what}", file.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
