//! The errors of opening a root.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a root cannot be served. Shown to the operator when the configuration is
/// read.
#[derive(Debug)]
pub enum OpenError {
    /// The directory cannot be opened.
    Root {
        /// As configured.
        path: PathBuf,
        /// The error of the system call.
        error: io::Error,
    },
    /// An entry of `index` that is not a plain file name.
    Index(String),
    /// `retain` is set without `retain_files`.
    NothingToRetain,
    /// A glob in `retain_files` that is malformed.
    Glob {
        /// As configured.
        glob: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store lies in the root, or the root in the store.
    StoreInRoot {
        /// The store.
        store: PathBuf,
        /// The root.
        root: PathBuf,
    },
    /// The store's directory holds files that are not the gateway's.
    StoreTaken(PathBuf),
    /// The store cannot be written.
    Store {
        /// The store.
        store: PathBuf,
        /// The error of the system call.
        error: io::Error,
    },
    /// The thread that maintains the roots cannot be started.
    Thread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root { path, error } => {
                write!(out, "cannot serve files from {}: {error}", path.display())
            }
            Self::Index(name) => write!(
                out,
                "the index {name:?} is not a file name: no slash, not empty, not a dot segment"
            ),
            Self::NothingToRetain => out.write_str(
                "`retain` needs `retain_files`: globs of what to keep, such as \"assets/**\"",
            ),
            Self::Glob { glob, why } => write!(out, "the glob {glob:?} cannot be read: {why}"),
            Self::StoreInRoot { store, root } => write!(
                out,
                "`retain_in` {} and the root {} lie one in the other; set `retain_in` to a \
                 directory beside the root",
                store.display(),
                root.display()
            ),
            Self::StoreTaken(store) => write!(
                out,
                "cannot keep removed files in {}: it holds files that are not the gateway's; \
                 set `retain_in` to a directory that is empty or not there yet",
                store.display()
            ),
            Self::Store { store, error } => write!(
                out,
                "cannot keep removed files in {}: {error}; set `retain_in` to a directory that \
                 can be written",
                store.display()
            ),
            Self::Thread(error) => write!(out, "cannot start a thread for files: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Root { error, .. } | Self::Store { error, .. } | Self::Thread(error) => {
                Some(error)
            }
            _ => None,
        }
    }
}
