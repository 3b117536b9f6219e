//! What a path of a request came to.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;

use crate::directory::Trouble;
use crate::opened::{Body, Opened};

/// What a path of a request came to. Cloning is cheap.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// A file.
    File(Arc<Opened>),
    /// A directory whose path lacks its slash: 301 to the path with it.
    Redirect,
    /// The page that lists a directory: HTML in UTF-8.
    Listing(Bytes),
    /// Nothing that may be served: 404, after policies were asked.
    Missing,
    /// It is there, and the process may not read it: 403, as nginx says. Logged.
    Denied,
    /// The pool has no room: 503.
    Busy,
    /// The system failed: 500. Logged.
    Failed(Arc<io::Error>),
}

impl Lookup {
    /// True if it keeps a descriptor.
    pub(crate) fn holds_a_file(&self) -> bool {
        matches!(self, Self::File(opened) if matches!(opened.body, Body::File(_)))
    }

    /// True if it failed since no more files may be open, in this process or on
    /// the machine.
    pub(crate) fn lacks_descriptors(&self) -> bool {
        const FULL: [Errno; 2] = [Errno::MFILE, Errno::NFILE];
        matches!(self, Self::Failed(error) if Errno::from_io_error(error)
            .is_some_and(|error| FULL.contains(&error)))
    }

    /// Says to the operator what is wrong on the disk, if anything is.
    pub(crate) fn log(&self, root: &Path, path: &[u8]) {
        let path = String::from_utf8_lossy(path);
        match self {
            Self::Denied => tracing::warn!(root = %root.display(), %path, "may not be read"),
            Self::Failed(error) => {
                tracing::error!(root = %root.display(), %path, %error, "cannot be read");
            }
            _ => {}
        }
    }
}

impl From<Trouble> for Lookup {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Missing => Self::Missing,
            Trouble::Denied => Self::Denied,
            Trouble::Failed(error) => Self::Failed(Arc::new(error)),
        }
    }
}
