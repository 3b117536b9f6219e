//! What outlives a reload, in one place and found by identity: endpoints with
//! their health, buckets, counters, compiled components, listeners' places.

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use janua_cache::Cache;
use janua_files::{Files, Limits, OpenError, Options, Root};
use janua_http::Failure;
use janua_telemetry::metrics::{Counter, Gauge, Registry, definitions};
use janua_wasm::{BucketOptions, Buckets, Runtime};
use tokio::time::Instant;

use crate::codings::Codings;
use crate::reserve::Reserve;
use crate::snapshot::Snapshot;

/// The process's lasting state.
pub struct Estate {
    /// All counters.
    pub metrics: Arc<Registry>,
    /// Rate limits, by policy and key.
    pub buckets: Buckets,
    /// All endpoints that any snapshot points at.
    pub endpoints: janua_upstream::Registry,
    /// Stored responses.
    pub cache: Cache<Failure>,
    /// Open files, and the pool for all that blocks.
    pub files: Files,
    /// The directories that routes have open. One that no snapshot holds any
    /// more is let go with the next reload.
    roots: Mutex<Vec<Root>>,
    /// The policy engine and its compiled components.
    pub runtime: Runtime,
    /// When the process began.
    pub origin: Instant,
    /// The snapshot that new requests go by.
    published: ArcSwapOption<Snapshot>,
    /// Every snapshot that was published and that somebody may still hold.
    generations: Mutex<Vec<Weak<Snapshot>>>,
    /// File descriptors that no new client gets.
    pub(crate) reserve: Reserve,
    pub(crate) in_flight: Arc<Gauge>,
    /// What is compressed now, and what that holds.
    pub(crate) codings: Codings,
    /// All requests, whatever became of them.
    pub(crate) requests: Counter,
    /// All listeners there ever were; a listener's place here is its place in
    /// every snapshot.
    listeners: Mutex<Vec<Lasting>>,
}

/// What lasts of a listener.
struct Lasting {
    name: Arc<str>,
    open: Arc<AtomicUsize>,
}

impl Estate {
    /// The state of a process with this many workers. `buckets` is the most
    /// rate-limit buckets there may be, `hosts_file` has the names that no name
    /// server is asked for: none is the system's.
    ///
    /// # Errors
    /// No thread for the resolver of names.
    pub fn new(
        runtime: Runtime,
        workers: usize,
        buckets: usize,
        cache: Cache<Failure>,
        hosts_file: Option<PathBuf>,
    ) -> std::io::Result<Self> {
        let metrics = Arc::new(Registry::new(workers));
        let hosts_file = hosts_file.unwrap_or_else(|| janua_upstream::HOSTS_FILE.into());
        Ok(Self {
            buckets: Buckets::new(&BucketOptions { capacity: buckets }),
            endpoints: janua_upstream::Registry::start(hosts_file)?,
            cache,
            files: Files::new(Limits::default()),
            roots: Mutex::default(),
            runtime,
            origin: Instant::now(),
            published: ArcSwapOption::empty(),
            generations: Mutex::default(),
            reserve: Reserve::default(),
            in_flight: metrics.gauge(&definitions::REQUESTS_IN_FLIGHT, []),
            requests: Counter::new(workers),
            codings: Codings::new(&metrics, workers),
            metrics,
            listeners: Mutex::default(),
        })
    }

    /// The snapshot that new requests go by; none before the first.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.published.load_full()
    }

    /// The directory with these options: the one that is open, or a new one.
    ///
    /// # Errors
    /// It cannot be opened, or what it removes not be kept.
    pub(crate) fn root(&self, options: &Options) -> Result<Root, OpenError> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots.iter().find(|root| root.options() == options) {
            return Ok(root.clone());
        }
        let root = self.files.open(options)?;
        roots.push(root.clone());
        Ok(root)
    }

    /// Makes a snapshot the one that new requests go by.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        let mut generations = self.generations();
        generations.retain(|generation| generation.strong_count() > 0);
        generations.push(Arc::downgrade(&snapshot));
        let used = |root: &Root| {
            let mut used = snapshot.roots();
            used.any(|used| used.root.options() == root.options())
        };
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        roots.retain(used);
        drop(roots);
        self.published.store(Some(snapshot));
    }

    /// How many snapshots are held: the published one, and older ones that a
    /// request between its route and its last policy still goes by.
    pub fn live_generations(&self) -> usize {
        let generations = self.generations();
        generations
            .iter()
            .filter(|generation| generation.strong_count() > 0)
            .count()
    }

    fn generations(&self) -> MutexGuard<'_, Vec<Weak<Snapshot>>> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests on their way now, and all there were.
    pub fn requests(&self) -> (u64, u64) {
        let in_flight = u64::try_from(self.in_flight.value()).unwrap_or_default();
        (in_flight, self.requests.value())
    }

    /// Connections open now on a listener.
    pub fn connections(&self, listener: &str) -> usize {
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lasting = listeners.iter().find(|lasting| &*lasting.name == listener);
        lasting.map_or(0, |lasting| lasting.open.load(Relaxed))
    }

    /// Milliseconds since the process began, as policies and endpoints count them.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The place of a listener's name, the same for ever.
    pub(crate) fn listener_place(&self, name: &str) -> usize {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = listeners.iter().position(|known| &*known.name == name) {
            return place;
        }
        listeners.push(Lasting {
            name: name.into(),
            open: Arc::default(),
        });
        listeners.len() - 1
    }

    /// The name of the listener at a place, and how many connections it has open.
    pub(crate) fn listener(&self, place: usize) -> Option<(Arc<str>, Arc<AtomicUsize>)> {
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lasting = listeners.get(place)?;
        Some((Arc::clone(&lasting.name), Arc::clone(&lasting.open)))
    }
}
