//! All file serving of the process: the pool, the lookup cache and the roots.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use janua_http::accept_encoding::{Accepted, Coding};

use crate::coding::Wanted;
use crate::directory::Directory;
use crate::entries::{Entries, Entry, Key, KeyRef};
use crate::error::OpenError;
use crate::flight::Flights;
use crate::keeper::Keeper;
use crate::lookup::Lookup;
use crate::name::Name;
use crate::opened::{Opened, unix_now};
use crate::options::Options;
use crate::pool::{Pool, Refused, Work};
use crate::root::{self, Root};
use crate::search::Search;
use crate::variants::{Variant, Variants};

/// How much of the process's resources serving files may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads for blocking disk work; they are started as needed.
    pub threads: usize,
    /// Jobs that may wait for a thread; further jobs are refused.
    pub queue: usize,
    /// The size of the lookup cache in bytes, used mostly by small files.
    pub memory: u64,
    /// How many larger files the lookup cache may hold open, but at most a
    /// quarter of the process's limit: the rest is for connections.
    pub open_files: u64,
    /// The size of the cache of compressed variants, in bytes.
    pub variants: u64,
    /// How long the result of a lookup is valid.
    pub interval: Duration,
    /// How often roots are scanned for files to retain. `None`: only when
    /// [`Files::retain`] or [`Files::refresh`] is called.
    pub retention_interval: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: 4,
            queue: 1024,
            memory: 32 * 1024 * 1024,
            open_files: 512,
            variants: 16 * 1024 * 1024,
            interval: Duration::from_secs(1),
            retention_interval: Some(Duration::from_secs(2)),
        }
    }
}

/// A handle to the file serving of the process; clones share one state.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

struct Inner {
    pool: Pool,
    entries: Arc<Entries>,
    variants: Variants,
    flights: Flights,
    keeper: Keeper,
    /// In milliseconds.
    interval: u64,
    /// The latest time that a caller passed, in milliseconds.
    latest: Arc<AtomicU64>,
}

impl Files {
    /// File serving with these limits; starts no thread yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let open_files = limits.open_files.min(descriptors() / 4);
        let entries = Arc::new(Entries::new(limits.memory, open_files));
        let latest = Arc::new(AtomicU64::new(0));
        Self(Arc::new(Inner {
            pool: Pool::new(limits.threads, limits.queue),
            variants: Variants::new(limits.variants),
            flights: Flights::default(),
            keeper: Keeper::new(limits.retention_interval, &entries, &latest),
            entries,
            interval: u64::try_from(limits.interval.as_millis()).unwrap_or(u64::MAX),
            latest,
        }))
    }

    /// Opens a root. Blocks: call it when a configuration is read, never on a
    /// worker.
    ///
    /// # Errors
    /// See [`OpenError`]; its text is for the operator.
    pub fn open(&self, options: &Options) -> Result<Root, OpenError> {
        let keeper = &self.0.keeper;
        let inner = root::Inner::open(options, &self.0.entries, keeper.bell())?;
        let root = Root(Arc::new(inner));
        keeper.add(&root.0).map_err(OpenError::Thread)?;
        Ok(root)
    }

    /// The result for a normalised path, from the cache and without a system
    /// call. The path is that of the request, or what a route's `alias` makes of
    /// it, with its leading slash. `None` means that [`Files::find`] must be
    /// called.
    ///
    /// `now` is in milliseconds of a monotonic clock that all callers share.
    #[must_use]
    pub fn find_now(
        &self,
        root: &Root,
        path: &[u8],
        accepted: &Accepted,
        now: u64,
    ) -> Option<Lookup> {
        let key = KeyRef {
            root: root.0.id,
            wanted: Wanted::of(&root.0.options.precompressed, accepted),
            path,
        };
        self.0.cached(root, key, now)
    }

    /// The result for a path as in [`Files::find_now`], looked up in the pool
    /// unless it is cached. Concurrent requests for the same path wait for one
    /// lookup, which continues if they go away.
    pub async fn find(&self, root: &Root, path: &[u8], accepted: &Accepted, now: u64) -> Lookup {
        let key = KeyRef {
            root: root.0.id,
            wanted: Wanted::of(&root.0.options.precompressed, accepted),
            path,
        };
        if let Some(lookup) = self.0.cached(root, key, now) {
            return lookup;
        }
        // A refused path uses neither the pool nor the cache.
        let Some(name) = Name::parse(path, root.0.options.hidden) else {
            return Lookup::Missing;
        };
        let generation = root.0.generation();
        let start = |key| {
            // Created only if the queue has room, because dropping it ends the
            // shared lookup.
            let work = || -> Work {
                let files = Arc::clone(&self.0);
                let root = Arc::clone(&root.0);
                let landing = LookupGuard {
                    files,
                    key,
                    generation,
                    result: None,
                };
                Box::new(move || landing.run(&root, &name, now))
            };
            self.0.pool.submit(work)
        };
        let Some(receiver) = self.0.flights.join(key.to_key(), generation, start) else {
            return Lookup::Busy;
        };
        receiver.await.unwrap_or_else(|_| {
            Lookup::Failed(Arc::new(std::io::Error::other(
                "the lookup ended without a result",
            )))
        })
    }

    /// A compressed variant, if it is cached.
    #[must_use]
    pub fn variant_now(&self, opened: &Opened, coding: Coding) -> Option<Variant> {
        self.0.variants.get(opened, coding)
    }

    /// Caches a compressed variant for later requests.
    pub fn keep_variant(&self, opened: &Opened, coding: Coding, variant: Variant) {
        self.0.variants.keep(opened, coding, variant);
    }

    /// Invalidates all cached lookups of the root, for a deploy that has just
    /// ended.
    ///
    /// # Errors
    /// If the pool's queue is full; cached lookups then expire after the
    /// interval.
    pub async fn refresh(&self, root: &Root) -> Result<(), Refused> {
        let root = Arc::clone(&root.0);
        let refreshed = self.0.pool.run(move || {
            root.refresh();
            // Retains the old directory's files while they still exist.
            root.retain(unix_now());
        });
        refreshed.await
    }

    /// Retains the matching files now, for a deploy that is about to begin.
    ///
    /// # Errors
    /// If the pool's queue is full.
    pub async fn retain(&self, root: &Root) -> Result<(), Refused> {
        let root = Arc::clone(&root.0);
        self.0.pool.run(move || root.retain(unix_now())).await
    }

    /// The pool, for other blocking work.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// The number of cached lookups.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.0.entries.len()
    }

    /// The weight of the lookup cache, in bytes. An open file counts as the
    /// memory limit divided by the limit of open files.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.0.entries.weight()
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Files")
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn cached(&self, root: &Root, key: KeyRef<'_>, now: u64) -> Option<Lookup> {
        let entry = self.entries.get(key)?;
        // The clock of another thread may be slightly ahead.
        let is_fresh = now.saturating_sub(entry.looked_up) < self.interval
            && entry.generation == root.0.generation();
        is_fresh.then_some(entry.lookup)
    }

    /// One lookup on the disk.
    fn look_up(&self, root: &root::Inner, name: &Name, key: &Key, now: u64) -> Lookup {
        let (directory, generation) = root.current();
        let directory = directory.as_deref();
        let before = match self.entries.peek(key.as_ref()) {
            Some(Entry {
                lookup: Lookup::File(opened),
                ..
            }) => Some(opened),
            _ => None,
        };
        let mut lookup = search(root, directory, name, key.wanted, before.as_ref());
        // Files held open only for speed must not prevent others from being
        // opened.
        if lookup.lacks_descriptors() && self.entries.close_files() {
            lookup = search(root, directory, name, key.wanted, before.as_ref());
        }
        lookup.log(&root.options.root, &name.path);
        if !matches!(lookup, Lookup::Failed(_) | Lookup::Busy) {
            self.latest.fetch_max(now, Ordering::Relaxed);
            let entry = Entry {
                lookup: lookup.clone(),
                looked_up: now,
                generation,
            };
            self.entries.insert(key.clone(), entry);
        }
        lookup
    }
}

/// The process's limit of open file descriptors.
fn descriptors() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// Searches a root, and its retained files if the root has no such file.
fn search(
    root: &root::Inner,
    directory: Option<&Directory>,
    name: &Name,
    wanted: Wanted,
    before: Option<&Arc<Opened>>,
) -> Lookup {
    let search = |directory, retained| Search {
        directory,
        options: &root.options,
        wanted,
        retained,
        before,
    };
    let found = directory.map_or(Lookup::Missing, |directory| {
        search(directory, false).run(name)
    });
    let Some(retention) = root.retention.as_ref().filter(|_| !name.is_directory) else {
        return found;
    };
    match found {
        Lookup::File(_) => {
            retention.was_served(&name.path);
            found
        }
        Lookup::Missing => match retention.find(&name.path, unix_now()) {
            Some(store) => search(store, true)
                .file_alone(&name.path)
                .unwrap_or_else(Lookup::from),
            None => found,
        },
        _ => found,
    }
}

/// Gives the result to everyone who waits for a lookup, even if the lookup
/// panics or is dropped.
struct LookupGuard {
    files: Arc<Inner>,
    key: Key,
    generation: u64,
    result: Option<Lookup>,
}

impl LookupGuard {
    fn run(mut self, root: &root::Inner, name: &Name, now: u64) {
        self.result = Some(self.files.look_up(root, name, &self.key, now));
    }
}

impl Drop for LookupGuard {
    fn drop(&mut self) {
        let (flights, result) = (&self.files.flights, self.result.as_ref());
        flights.land(self.key.clone(), self.generation, result);
    }
}
