//! The result of looking up the path of a request.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;

use crate::directory::OpenFailure;
use crate::opened::{Body, Opened};

/// The result of looking up the path of a request. Cloning is cheap.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// A file.
    File(Arc<Opened>),
    /// A directory requested without its trailing slash: 301 to the path with
    /// it.
    Redirect,
    /// The HTML page that lists a directory, in UTF-8.
    Listing(Bytes),
    /// There is nothing to serve: 404, once the policies of the phase `missing`
    /// have run.
    Missing,
    /// The process has no permission to read it: 403, as in nginx. Logged.
    Denied,
    /// The pool's queue is full: 503.
    Busy,
    /// A system call failed: 500. Logged.
    Failed(Arc<io::Error>),
}

impl Lookup {
    /// True if it holds a file descriptor.
    pub(crate) fn holds_a_file(&self) -> bool {
        matches!(self, Self::File(opened) if matches!(opened.body, Body::File(_)))
    }

    /// True if it failed because the process or the machine has reached its
    /// limit of open files. It can be repeated if a descriptor is free.
    #[must_use]
    pub fn lacks_descriptors(&self) -> bool {
        const FULL: [Errno; 2] = [Errno::MFILE, Errno::NFILE];
        matches!(self, Self::Failed(error) if Errno::from_io_error(error)
            .is_some_and(|error| FULL.contains(&error)))
    }

    /// Logs what is wrong on the disk, if anything is.
    pub(crate) fn log(&self, root: &Path, path: &[u8]) {
        let path = String::from_utf8_lossy(path);
        match self {
            Self::Denied => tracing::warn!(root = %root.display(), %path, "may not be read"),
            // Whoever repeats it knows whether it failed in the end.
            Self::Failed(_) if self.lacks_descriptors() => {}
            Self::Failed(error) => {
                tracing::error!(root = %root.display(), %path, %error, "cannot be read");
            }
            _ => {}
        }
    }
}

impl From<OpenFailure> for Lookup {
    fn from(failure: OpenFailure) -> Self {
        match failure {
            OpenFailure::Missing => Self::Missing,
            OpenFailure::Denied => Self::Denied,
            OpenFailure::Failed(error) => Self::Failed(Arc::new(error)),
        }
    }
}
