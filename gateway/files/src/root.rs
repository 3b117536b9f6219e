//! One served directory, identified by its path.
//!
//! A deploy may replace the directory itself, by switching a symbolic link or
//! by a rename. Each lookup on the disk therefore first checks which directory
//! the path leads to, which costs about a microsecond. A different one begins a
//! new generation, and cached results of earlier generations are no longer
//! used.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::directory::{Directory, Identity};
use crate::entries::Entries;
use crate::error::OpenError;
use crate::keeper::Bell;
use crate::name::is_name;
use crate::options::Options;
use crate::retention::Retention;

/// A served directory. Clones share it; its cached lookups are dropped with the
/// last clone.
#[derive(Clone)]
pub struct Root(pub(crate) Arc<Inner>);

impl Root {
    /// The rules of the root. Roots with equal rules are the same root.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Root").field(&self.0.options.root).finish()
    }
}

pub(crate) struct Inner {
    pub(crate) id: u64,
    pub(crate) options: Options,
    pub(crate) retention: Option<Retention>,
    current: Mutex<Option<Arc<Directory>>>,
    generation: AtomicU64,
    entries: Weak<Entries>,
}

impl Inner {
    pub(crate) fn open(
        options: &Options,
        entries: &Arc<Entries>,
        bell: &Arc<Bell>,
    ) -> Result<Self, OpenError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        if let Some(index) = options
            .index
            .iter()
            .find(|index| !is_name(index.as_bytes(), true))
        {
            return Err(OpenError::Index(index.clone()));
        }
        let directory =
            Directory::open(&options.root, options.symlinks).map_err(|error| OpenError::Root {
                path: options.root.clone(),
                error,
            })?;
        let retention = match &options.retain {
            Some(retain) => Some(Retention::open(options, retain, Arc::clone(bell))?),
            None => None,
        };
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            options: options.clone(),
            retention,
            current: Mutex::new(Some(Arc::new(directory))),
            generation: AtomicU64::new(0),
            entries: Arc::downgrade(entries),
        })
    }

    /// The current generation, as far as known without a system call.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The directory that the path leads to now, and its generation; `None` if
    /// it does not exist. Blocks.
    pub(crate) fn current(&self) -> (Option<Arc<Directory>>, u64) {
        let found = identity(&self.options.root);
        let mut current = self.lock();
        let known = current.as_ref().map(|directory| directory.identity());
        match (known, found) {
            (Some(known), Ok(found)) if known == found => {}
            (None, Err(_)) => {}
            (_, found) => self.exchange(&mut current, found.err()),
        }
        // Read under the lock that is held for every change of it.
        (current.clone(), self.generation())
    }

    /// Begins a new generation in any case, so that all paths are looked up
    /// again. Blocks.
    pub(crate) fn refresh(&self) {
        self.current();
        let generation = {
            let _current = self.lock();
            self.generation.fetch_add(1, Ordering::AcqRel) + 1
        };
        if let Some(entries) = self.entries.upgrade() {
            entries.forget(self.id, generation);
        }
    }

    /// Runs one pass of the retention. Blocks.
    pub(crate) fn retain(&self, now: i64) {
        if let Some(retention) = &self.retention {
            let (directory, _) = self.current();
            retention.pass(directory.as_deref(), now);
        }
    }

    fn exchange(&self, current: &mut Option<Arc<Directory>>, gone: Option<io::Error>) {
        let path = self.options.root.display();
        let opened = match gone {
            Some(error) => Err(error),
            None => Directory::open(&self.options.root, self.options.symlinks),
        };
        let next = match opened {
            Ok(directory) => {
                tracing::info!(root = %path, "another directory is served now");
                Some(Arc::new(directory))
            }
            Err(error) => {
                if current.is_some() {
                    tracing::warn!(root = %path, %error, "the root is gone; its files are missing");
                }
                None
            }
        };
        if next.is_none() && current.is_none() {
            return;
        }
        let old = std::mem::replace(current, next);
        self.generation.fetch_add(1, Ordering::AcqRel);
        if let (Some(retention), Some(old)) = (&self.retention, old) {
            // The old directory's files may still exist, under another path or
            // without one.
            retention.was_replaced(old);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Directory>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(entries) = self.entries.upgrade() {
            entries.forget(self.id, u64::MAX);
        }
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|facts| Identity::of(&facts))
}
