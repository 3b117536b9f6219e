//! The files of the process: the pool, the cache of looks, and the roots.

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

/// How much of the process files may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that work on disks; they are started as needed.
    pub threads: usize,
    /// Jobs that wait for a thread, beyond which asking is refused.
    pub queue: usize,
    /// What the cache of looks may hold, in bytes: small files mostly.
    pub memory: u64,
    /// How many larger files the cache of looks may hold open; never more than
    /// a quarter of what the process may, the rest of which is for connections.
    pub open_files: u64,
    /// What compressed variants may hold, in bytes.
    pub variants: u64,
    /// How long a look answers.
    pub interval: Duration,
    /// How often roots are looked through for what is to be retained; `None`: only
    /// when [`Files::retain`] and [`Files::refresh`] say so.
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

/// The files of the process; cloning is cheap, and all clones are one.
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
    /// The latest time that a caller named, in milliseconds.
    latest: Arc<AtomicU64>,
}

impl Files {
    /// With these limits; starts no thread yet.
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

    /// Opens a root. Blocks: for when a configuration is read, not for a worker.
    ///
    /// # Errors
    /// See [`OpenError`]; in words for the operator.
    pub fn open(&self, options: &Options) -> Result<Root, OpenError> {
        let keeper = &self.0.keeper;
        let inner = root::Inner::open(options, &self.0.entries, keeper.bell())?;
        let root = Root(Arc::new(inner));
        keeper.add(&root.0).map_err(OpenError::Thread)?;
        Ok(root)
    }

    /// The answer for a normalised path (of the request, or what a route's
    /// `alias` leaves of it, with its leading slash), out of the cache: no system
    /// call. `None`: ask [`Files::find`].
    ///
    /// `now` is in milliseconds of a clock that never goes back; all callers
    /// have the same.
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

    /// The answer for a path as in [`Files::find_now`], looked up in the pool
    /// unless the cache has it. Many that ask for the same wait for one look,
    /// which goes on if they leave.
    pub async fn find(&self, root: &Root, path: &[u8], accepted: &Accepted, now: u64) -> Lookup {
        let key = KeyRef {
            root: root.0.id,
            wanted: Wanted::of(&root.0.options.precompressed, accepted),
            path,
        };
        if let Some(lookup) = self.0.cached(root, key, now) {
            return lookup;
        }
        // What is refused costs neither the pool nor the cache anything.
        let Some(name) = Name::parse(path, root.0.options.hidden) else {
            return Lookup::Missing;
        };
        let generation = root.0.generation();
        let start = |key| {
            // Made only if there is room: its end is the flight's.
            let work = || -> Work {
                let files = Arc::clone(&self.0);
                let root = Arc::clone(&root.0);
                let landing = Landing {
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
            Lookup::Failed(Arc::new(std::io::Error::other("the look came to no end")))
        })
    }

    /// A compressed variant that is there already.
    #[must_use]
    pub fn variant_now(&self, opened: &Opened, coding: Coding) -> Option<Variant> {
        self.0.variants.get(opened, coding)
    }

    /// Keeps a compressed variant for those who ask later, while there is room.
    pub fn keep_variant(&self, opened: &Opened, coding: Coding, variant: Variant) {
        self.0.variants.keep(opened, coding, variant);
    }

    /// Looks everything up anew from now on, for a deploy that has just ended.
    ///
    /// # Errors
    /// If the pool has no room; then the interval does it.
    pub async fn refresh(&self, root: &Root) -> Result<(), Refused> {
        let root = Arc::clone(&root.0);
        let refreshed = self.0.pool.run(move || {
            root.refresh();
            // What the old directory had is kept as long as it is there.
            root.retain(unix_now());
        });
        refreshed.await
    }

    /// Keeps what is to be retained now, for a deploy that is about to begin.
    ///
    /// # Errors
    /// If the pool has no room.
    pub async fn retain(&self, root: &Root) -> Result<(), Refused> {
        let root = Arc::clone(&root.0);
        self.0.pool.run(move || root.retain(unix_now())).await
    }

    /// The pool, for other work that blocks.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// How many looks are cached.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.0.entries.len()
    }

    /// What the cache of looks weighs, in bytes; an open file counts as the
    /// share of the budget that one may have.
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
        // A clock of another thread may be a little ahead.
        let is_fresh = now.saturating_sub(entry.looked) < self.interval
            && entry.generation == root.0.generation();
        is_fresh.then_some(entry.lookup)
    }

    /// One look at the disk.
    fn look(&self, root: &root::Inner, name: &Name, key: &Key, now: u64) -> Lookup {
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
        // What is held open only to be quick must not keep others from opening.
        if lookup.lacks_descriptors() && self.entries.close_files() {
            lookup = search(root, directory, name, key.wanted, before.as_ref());
        }
        lookup.log(&root.options.root, &name.path);
        if !matches!(lookup, Lookup::Failed(_) | Lookup::Busy) {
            self.latest.fetch_max(now, Ordering::Relaxed);
            let entry = Entry {
                lookup: lookup.clone(),
                looked: now,
                generation,
            };
            self.entries.insert(key.clone(), entry);
        }
        lookup
    }
}

/// How many files and connections the process may have open.
fn descriptors() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// Searches a root, and where it has no such file what is retained of it.
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

/// Whoever waits for a look learns its end, also if it panics or is dropped.
struct Landing {
    files: Arc<Inner>,
    key: Key,
    generation: u64,
    result: Option<Lookup>,
}

impl Landing {
    fn run(mut self, root: &root::Inner, name: &Name, now: u64) {
        self.result = Some(self.files.look(root, name, &self.key, now));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let (flights, result) = (&self.files.flights, self.result.as_ref());
        flights.land(self.key.clone(), self.generation, result);
    }
}
