//! The events of the system in the watched directories, through `notify`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::debouncer::Sign;
use crate::places::Places;

/// Called for each event that matters: with no path if events were lost.
pub(crate) type Receive = Box<dyn Fn(Option<PathBuf>, Sign) + Send>;

/// Watches directories, and hands on what matters.
pub(crate) struct Events {
    /// None if the system has no events for this process.
    watcher: Option<RecommendedWatcher>,
    /// The watched directories: device and inode tell whether a path still leads to the same
    /// one.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    /// Shared with the thread of `notify`, which drops at once what does not matter: an access
    /// log beside the configuration must not wake anybody.
    places: Arc<Mutex<Arc<Places>>>,
}

impl Events {
    /// Calls `receive` on a thread of its own for each event that matters.
    pub(crate) fn start(receive: Receive) -> Self {
        let places: Arc<Mutex<Arc<Places>>> = Arc::default();
        let filter = Arc::clone(&places);
        let handle = move |event: notify::Result<Event>| {
            let Ok(event) = event else {
                return receive(None, Sign::Settled);
            };
            if event.need_rescan() {
                return receive(None, Sign::Settled);
            }
            if is_harmless(event.kind) {
                return;
            }
            let places = Arc::clone(&filter.lock().unwrap_or_else(PoisonError::into_inner));
            for path in event.paths {
                if places.concern(&path) {
                    let sign = sign(event.kind, &path);
                    receive(Some(path), sign);
                }
            }
        };
        Self {
            watcher: notify::recommended_watcher(handle).ok(),
            watched: BTreeMap::new(),
            places,
        }
    }

    /// As on a system without events.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            watcher: None,
            watched: BTreeMap::new(),
            places: Arc::default(),
        }
    }

    /// Watches these places from now on. Returns the directories that cannot be watched.
    pub(crate) fn follow(&mut self, places: &Arc<Places>) -> BTreeSet<PathBuf> {
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(places);
        let wanted = places.directories();
        let mut unwatched = BTreeSet::new();
        let Some(watcher) = &mut self.watcher else {
            return wanted.clone();
        };
        self.watched.retain(|directory, known| {
            let keep = wanted.contains(directory) && identity(directory) == Some(*known);
            if !keep {
                // If the directory is gone, so is its watch.
                let _ = watcher.unwatch(directory);
            }
            keep
        });
        for directory in wanted {
            if self.watched.contains_key(directory) {
                continue;
            }
            // First the identity: if the directory is replaced in between, the next look
            // finds another one.
            let identity = identity(directory);
            match (
                identity,
                watcher.watch(directory, RecursiveMode::NonRecursive),
            ) {
                (Some(identity), Ok(())) => {
                    self.watched.insert(directory.to_owned(), identity);
                }
                _ => {
                    unwatched.insert(directory.to_owned());
                }
            }
        }
        unwatched
    }

    /// How many directories are watched.
    pub(crate) fn directories(&self) -> usize {
        self.watched.len()
    }
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(directory).ok()?;
    Some((found.dev(), found.ino()))
}

/// Whether nothing was changed: most events are of files that were opened.
fn is_harmless(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    }
}

fn sign(kind: EventKind, path: &Path) -> Sign {
    match kind {
        EventKind::Modify(ModifyKind::Data(_)) => Sign::Writing,
        EventKind::Modify(ModifyKind::Metadata(_)) => Sign::Attributes,
        EventKind::Create(CreateKind::File) if is_being_made(path) => Sign::Writing,
        _ => Sign::Settled,
    }
}

/// Whether a new file will be closed by whoever makes it: a link is complete at once.
fn is_being_made(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.nlink() == 1)
}
