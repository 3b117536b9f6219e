//! Why a root cannot be served.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a root cannot be served; said in words when the configuration is read.
#[derive(Debug)]
pub enum OpenError {
    /// The directory cannot be opened.
    Root {
        /// As configured.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A name of `index` that is no plain file name.
    Index(String),
    /// `retain` without a glob that says what.
    NothingToRetain,
    /// A glob of `retain_files` that cannot be read.
    Glob {
        /// As configured.
        glob: String,
        /// What is wrong with it.
        why: String,
    },
    /// Store and root lie one in the other.
    StoreInRoot {
        /// The store.
        store: PathBuf,
        /// The root.
        root: PathBuf,
    },
    /// The store's directory holds files of somebody else.
    StoreTaken(PathBuf),
    /// The store cannot be written.
    Store {
        /// The store.
        store: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The thread that looks after stores cannot be started.
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
