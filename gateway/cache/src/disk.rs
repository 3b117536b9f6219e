//! The disk store: one file for each response. The background thread writes the files; the
//! caller reads them on a thread that may block.
//!
//! The name of a file is a hash of its key, so that no index has to be read before the
//! first lookup. Files are not flushed when they are written; checksums detect those that
//! a crash has damaged. Any error in a file or in the folder is a miss.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::entry::{Body, Entry};
use crate::key::Variance;
use crate::purge::{Purge, Purges, Scope};

mod figures;
mod folder;
mod format;
mod journal;
mod known;
mod open_error;
mod read;
mod upkeep;
mod write;

pub use figures::DiskFigures;
pub(crate) use folder::name;
pub use open_error::OpenError;
pub(crate) use read::Content;
pub(crate) use upkeep::Upkeep;

use folder::Folder;
use journal::Journal;
use known::KnownFiles;

/// The most bytes of bodies that may be queued for writing.
const MAX_WAITING_BYTES: u64 = 64 << 20;
/// The most jobs that may be queued, removals excepted.
const MAX_WAITING: usize = 4096;

/// Opens a file for writing. Exchangeable, so that tests can simulate a full disk.
pub(crate) type Create = dyn Fn(&Path) -> io::Result<Box<dyn Write>> + Send + Sync;

/// The disk store.
pub(crate) struct Disk {
    folder: Arc<Folder>,
    journal: Journal,
    purges: Arc<Purges>,
    known: Mutex<KnownFiles>,
    waiting: Mutex<Waiting>,
    create: Box<Create>,
    budget: AtomicU64,
    counts: Counts,
    /// True while the journal may hold lines that are not flushed.
    journal_waits: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: u64,
}

/// A job for the background thread.
#[derive(Debug)]
pub(crate) enum Job {
    Entry(Arc<Entry>),
    Variance {
        primary: Box<[u8]>,
        variance: Variance,
        level: u64,
    },
    /// Removes a file that is damaged or outdated.
    Remove(u128),
}

#[derive(Debug, Default)]
struct Counts {
    evictions: AtomicU64,
    writes: AtomicU64,
    loads: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    corrupt: AtomicU64,
}

impl Disk {
    /// Opens the folder, and records again the purges that no sweep of an earlier process
    /// has carried out.
    pub(crate) fn open(path: &Path, bytes: u64) -> Result<Self, OpenError> {
        let at = |error| OpenError::Folder(path.into(), error);
        let folder = Arc::new(Folder::open(path)?);
        folder.remove_temporaries();
        let mut replayed = Vec::new();
        let (journal, cleared) = Journal::open(&folder, &mut |scope, purge, number| {
            replayed.push((OwnedScope::of(scope), purge, number));
        })
        .map_err(at)?;
        let purges = Purges::new(folder.first_number(), cleared);
        for (scope, purge, number) in &replayed {
            purges.replay(&scope.scope(), *purge, *number);
        }
        Ok(Self {
            folder,
            journal,
            purges: Arc::new(purges),
            known: Mutex::default(),
            waiting: Mutex::default(),
            create: Box::new(|path| {
                let file = folder::options().write(true).create_new(true).open(path)?;
                Ok(Box::new(file))
            }),
            budget: AtomicU64::new(bytes),
            counts: Counts::default(),
            journal_waits: AtomicBool::new(false),
        })
    }

    /// The recorded purges, including those from before the restart.
    pub(crate) fn purges(&self) -> &Arc<Purges> {
        &self.purges
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn set_budget(&self, bytes: u64) {
        self.budget.store(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn set_create(&mut self, create: Box<Create>) {
        self.create = create;
    }

    /// The name of a key's file, unless it is certain that there is none.
    pub(crate) fn probe(&self, primary: &[u8], variant: &[u8]) -> Option<u128> {
        let name = name(primary, variant);
        lock(&self.known).may_hold(name).then_some(name)
    }

    /// Queues an entry for writing; it is dropped if too much is queued.
    pub(crate) fn write(&self, entry: &Arc<Entry>) {
        let bytes = match entry.body() {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File { .. } => 0,
            // It is handed over again once it is complete.
            Body::Growing(_) => return,
        };
        // An existing file of this key is outdated from now on.
        let name = name(entry.primary(), entry.variant());
        lock(&self.known).remove(name);
        if !self.queue(Job::Entry(Arc::clone(entry)), bytes) {
            self.queue(Job::Remove(name), 0);
        }
    }

    pub(crate) fn write_variance(&self, primary: &[u8], variance: &Variance) {
        let job = Job::Variance {
            primary: primary.into(),
            variance: variance.clone(),
            level: self.purges.newest(),
        };
        self.queue(job, 0);
    }

    /// False if too much is queued already.
    fn queue(&self, job: Job, bytes: u64) -> bool {
        let mut waiting = lock(&self.waiting);
        let full = waiting.jobs.len() >= MAX_WAITING || waiting.bytes + bytes > MAX_WAITING_BYTES;
        // Removals must not be lost. They are small, and there are no more than files.
        if full && !matches!(job, Job::Remove(_)) {
            drop(waiting);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        waiting.bytes += bytes;
        waiting.jobs.push_back(job);
        true
    }

    /// Writes a purge to the journal and waits until it is on the disk.
    pub(crate) fn journal(&self, scope: &Scope<'_>, purge: Purge, number: u64) -> io::Result<()> {
        self.journal.add(scope, purge, number);
        self.journal.flush()
    }

    /// Adds a purge to the journal, which the thread flushes a moment later.
    pub(crate) fn journal_later(&self, scope: &Scope<'_>, purge: Purge, number: u64) {
        self.journal.add(scope, purge, number);
        self.journal_waits.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// A scope that owns its text.
#[derive(Debug)]
enum OwnedScope {
    Url(Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>),
    Prefix(Vec<u8>, Vec<u8>),
    Host(Vec<u8>),
    Tag(Vec<u8>),
    All,
}

impl OwnedScope {
    fn of(scope: &Scope<'_>) -> Self {
        match *scope {
            Scope::Url {
                scheme,
                host,
                path,
                query,
            } => Self::Url(
                scheme.into(),
                host.into(),
                path.into(),
                query.map(Into::into),
            ),
            Scope::Prefix { host, path } => Self::Prefix(host.into(), path.into()),
            Scope::Host(host) => Self::Host(host.into()),
            Scope::Tag(tag) => Self::Tag(tag.into()),
            Scope::All => Self::All,
        }
    }

    fn scope(&self) -> Scope<'_> {
        match self {
            Self::Url(scheme, host, path, query) => Scope::Url {
                scheme,
                host,
                path,
                query: query.as_deref(),
            },
            Self::Prefix(host, path) => Scope::Prefix { host, path },
            Self::Host(host) => Scope::Host(host),
            Self::Tag(tag) => Scope::Tag(tag),
            Self::All => Scope::All,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads `length` bytes from `offset` on.
fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
