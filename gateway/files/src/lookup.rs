//! What a path of a request came to.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::directory::Trouble;
use crate::opened::Opened;

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

impl From<Trouble> for Lookup {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Missing => Self::Missing,
            Trouble::Denied => Self::Denied,
            Trouble::Failed(error) => Self::Failed(Arc::new(error)),
        }
    }
}
