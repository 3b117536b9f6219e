//! Why the cache could not be opened.

use std::io;
use std::path::PathBuf;

/// Why the cache could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The folder cannot be used.
    Folder(PathBuf, io::Error),
    /// The path belongs to another user, or is no folder.
    Unsafe(PathBuf),
    /// Another process uses the folder.
    InUse(PathBuf),
    /// The background thread could not be started.
    Thread(io::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path, error) => write!(f, "cache folder {}: {error}", path.display()),
            Self::Unsafe(path) => {
                write!(f, "cache folder {} belongs to another user", path.display())
            }
            Self::InUse(path) => {
                write!(
                    f,
                    "cache folder {} is used by another process",
                    path.display()
                )
            }
            Self::Thread(error) => write!(f, "the cache's thread could not be started: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}
