//! The state that outlives a reload, in one place and found by identity: endpoints with
//! their health, buckets, counters, compiled components, numbers of listeners.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use janua_cache::Cache;
use janua_files::{Files, Limits, OpenError, Options, Root};
use janua_http::Failure;
use janua_telemetry::metrics::{Counter, Gauge, Registry, definitions};
use janua_tls::{SessionSettings, Sessions};
use janua_upstream::Endpoint;
use janua_wasm::{BucketOptions, Buckets, Places, Runtime};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::acme::Acme;
use crate::client_limits::Clients;
use crate::codings::Codings;
use crate::endpoint_file::EndpointFiles;
use crate::refusal::RefusalLog;
use crate::reserve::Reserve;
use crate::snapshot::Snapshot;

/// The state of the process that outlives reloads.
pub struct Estate {
    /// All counters.
    pub metrics: Arc<Registry>,
    /// Rate limits, by policy and key.
    pub buckets: Buckets,
    /// The limits of concurrency that policies set.
    pub places: Places,
    /// All endpoints that any snapshot references.
    pub endpoints: janua_upstream::Registry,
    /// Checks the endpoints of the published snapshot.
    checker: janua_health::Checker,
    /// The files that list endpoints.
    pub endpoint_files: EndpointFiles,
    /// Stored responses.
    pub cache: Cache<Failure>,
    /// Open files, and the thread pool for blocking work.
    pub files: Files,
    /// The directories that routes have open. A directory that the published snapshot does
    /// not use is closed at a reload.
    roots: Mutex<Vec<Root>>,
    /// The policy engine and its compiled components.
    pub runtime: Runtime,
    /// The number of workers.
    workers: usize,
    /// When the process began.
    pub origin: Instant,
    /// The directory in which the gateway keeps certificates that it has made.
    pub(crate) state_dir: PathBuf,
    /// What has to do with certificates by ACME.
    pub acme: Acme,
    /// The snapshot that new requests use.
    published: ArcSwapOption<Snapshot>,
    /// All published snapshots that may still be in use.
    generations: Mutex<Vec<Weak<Snapshot>>>,
    /// File descriptors that are kept back from new clients.
    pub(crate) reserve: Reserve,
    /// Wakes the workers because some request waits until an idle connection is closed.
    pub(crate) idle_wanted: Notify,
    pub(crate) in_flight: Arc<Gauge>,
    /// The state of content coding.
    pub(crate) codings: Codings,
    /// The number of all requests so far.
    pub(crate) requests: Counter,
    /// All listeners that ever existed. The index of a listener here is its index in every
    /// snapshot.
    listeners: Mutex<Vec<ListenerState>>,
}

/// The state of a listener that outlives reloads.
struct ListenerState {
    name: Arc<str>,
    open: Arc<AtomicUsize>,
    refusals: Arc<RefusalLog>,
    /// What each client takes, since the listener has limits for clients.
    clients: Option<Arc<Clients>>,
    /// What clients resume, since the listener has TLS.
    sessions: Option<Arc<Sessions>>,
    /// When a client was last reported that has sent TLS to this listener, which has none.
    reported_tls_ms: Option<u64>,
}

/// The shortest time between two log lines about clients that send TLS to a listener without it.
const REPORT_INTERVAL_MS: u64 = 60_000;

impl Estate {
    /// The state of a process with this many workers. `buckets` is the largest number of
    /// rate-limit buckets. `state_dir` is the directory in which the gateway keeps its own
    /// certificates. `hosts_file` has the names that are resolved without a name
    /// server; the default is the system's. Without `name_servers`, those of the system are
    /// asked.
    ///
    /// # Errors
    /// The thread of the resolver could not be started.
    pub fn new(
        runtime: Runtime,
        workers: usize,
        buckets: usize,
        cache: Cache<Failure>,
        state_dir: PathBuf,
        hosts_file: Option<PathBuf>,
        name_servers: Vec<SocketAddr>,
    ) -> std::io::Result<Self> {
        let metrics = Arc::new(Registry::new(workers));
        let origin = Instant::now();
        let hosts_file = hosts_file.unwrap_or_else(|| janua_upstream::HOSTS_FILE.into());
        Ok(Self {
            buckets: Buckets::new(&BucketOptions { capacity: buckets }),
            places: Places::new(),
            endpoints: janua_upstream::Registry::start_asking(hosts_file, name_servers)?,
            endpoint_files: EndpointFiles::default(),
            checker: janua_health::Checker::new(origin, Arc::clone(&metrics)),
            cache,
            files: Files::new(Limits::default()),
            roots: Mutex::default(),
            runtime,
            workers,
            origin,
            state_dir,
            acme: Acme::default(),
            published: ArcSwapOption::empty(),
            generations: Mutex::default(),
            reserve: Reserve::default(),
            idle_wanted: Notify::new(),
            in_flight: metrics.gauge(&definitions::REQUESTS_IN_FLIGHT, []),
            requests: Counter::new(workers),
            codings: Codings::new(&metrics, workers),
            metrics,
            listeners: Mutex::default(),
        })
    }

    /// The snapshot that new requests use; none before the first is published.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.published.load_full()
    }

    /// The directory with these options, opened unless it is open already.
    ///
    /// # Errors
    /// The directory cannot be opened, or the store for its retained files cannot.
    pub(crate) fn root(&self, options: &Options) -> Result<Root, OpenError> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots.iter().find(|root| root.options() == options) {
            return Ok(root.clone());
        }
        let root = self.files.open(options)?;
        roots.push(root.clone());
        Ok(root)
    }

    /// Makes the instances of the snapshot's policies for all workers, so that no request
    /// waits for one. `previous` is the snapshot that the workers use now. Takes as long as
    /// the new policies take to be configured, on each worker's behalf.
    pub fn prepare(&self, snapshot: &mut Snapshot, previous: Option<&Snapshot>) {
        let previous = previous.map_or(&[][..], |previous| &previous.policies);
        let policies = &snapshot.policies;
        snapshot.prepared = self.runtime.prepare(policies, previous, self.workers);
    }

    /// Publishes a snapshot: new requests use it from now on.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        let mut generations = self.generations();
        generations.retain(|generation| generation.strong_count() > 0);
        generations.push(Arc::downgrade(&snapshot));
        drop(generations);
        self.checker.apply(snapshot.checked());
        let now_ms = self.now_ms();
        for upstream in snapshot.upstreams() {
            upstream.takes_effect(now_ms);
        }
        self.published.store(Some(snapshot));
        self.endpoints.runs();
    }

    /// Closes and forgets what a configuration does not use that is about to be published.
    pub(crate) fn adopt(&self, snapshot: &Snapshot) {
        let used = |root: &Root| {
            let mut used = snapshot.roots();
            used.any(|used| used.root.options() == root.options())
        };
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        roots.retain(used);
        drop(roots);
        let policies: HashSet<&str> = snapshot.policies.iter().map(|it| &**it.name()).collect();
        self.buckets.keep_only(|policy| policies.contains(policy));
        self.runtime.set_secrets(Arc::clone(snapshot.secrets()));
        self.runtime.set_datasets(Arc::clone(snapshot.datasets()));
    }

    /// Begins the active checks of a snapshot that is about to be published, so that its new
    /// endpoints have results by then ([`Snapshot::awaits_checks`]).
    pub fn begin_checks(&self, snapshot: &Snapshot) {
        self.checker.begin(snapshot.checked());
    }

    /// Ends the checks that were begun for a snapshot that is not published after all.
    pub fn abandon_checks(&self) {
        if let Some(published) = self.snapshot() {
            self.checker.apply(published.checked());
        }
    }

    /// Has an endpoint that may be another process than before checked at once as if it were new:
    /// it gets nothing before a check has passed that begins after this. Does nothing for one
    /// without active checks.
    pub fn restart_checks(&self, endpoint: &Endpoint) {
        self.checker.restart(endpoint.id());
    }

    /// How many snapshots are in use: the published one, and older ones of requests whose
    /// last policy has not run yet.
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

    /// The number of requests in flight, and of all requests so far.
    pub fn requests(&self) -> (u64, u64) {
        let in_flight = u64::try_from(self.in_flight.value()).unwrap_or_default();
        (in_flight, self.requests.value())
    }

    /// The number of open connections of a listener.
    pub fn connections(&self, listener: &str) -> usize {
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let state = listeners.iter().find(|state| &*state.name == listener);
        state.map_or(0, |state| state.open.load(Relaxed))
    }

    /// Milliseconds since the process began, as policies and endpoints count them.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The index of a listener's name, which never changes.
    pub(crate) fn listener_place(&self, name: &str) -> usize {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = listeners.iter().position(|known| &*known.name == name) {
            return place;
        }
        listeners.push(ListenerState {
            name: name.into(),
            open: Arc::default(),
            refusals: Arc::default(),
            clients: None,
            sessions: None,
            reported_tls_ms: None,
        });
        listeners.len() - 1
    }

    /// The clients of the listener with this name, kept across reloads.
    pub(crate) fn clients(&self, name: &str) -> Arc<Clients> {
        let place = self.listener_place(name);
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(state) = listeners.get_mut(place) else {
            return Arc::new(Clients::new());
        };
        Arc::clone(
            state
                .clients
                .get_or_insert_with(|| Arc::new(Clients::new())),
        )
    }

    /// The TLS sessions of the listener with this name, kept across reloads, under these
    /// settings from now on.
    ///
    /// # Errors
    /// The system gives no random numbers for the keys of tickets.
    pub(crate) fn sessions(
        &self,
        name: &str,
        settings: &SessionSettings,
    ) -> Result<Arc<Sessions>, janua_tls::Error> {
        let place = self.listener_place(name);
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let slot = listeners.get_mut(place).map(|state| &mut state.sessions);
        if let Some(Some(sessions)) = &slot {
            sessions.apply(settings);
            return Ok(Arc::clone(sessions));
        }
        let sessions = Arc::new(Sessions::new(settings)?);
        if let Some(slot) = slot {
            *slot = Some(Arc::clone(&sessions));
        }
        Ok(sessions)
    }

    /// The name of the listener, if it is to be logged now that a client has sent TLS to it,
    /// which has none: at most once a minute.
    pub(crate) fn report_tls(&self, place: usize, now_ms: u64) -> Option<Arc<str>> {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let state = listeners.get_mut(place)?;
        let next = state.reported_tls_ms.map(|last| last + REPORT_INTERVAL_MS);
        if next.is_some_and(|next| now_ms < next) {
            return None;
        }
        state.reported_tls_ms = Some(now_ms);
        Some(Arc::clone(&state.name))
    }

    /// The name of the listener at an index, the counter of its open connections, and the
    /// messages about those that were refused.
    pub(crate) fn listener(
        &self,
        place: usize,
    ) -> Option<(Arc<str>, Arc<AtomicUsize>, Arc<RefusalLog>)> {
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let state = listeners.get(place)?;
        Some((
            Arc::clone(&state.name),
            Arc::clone(&state.open),
            Arc::clone(&state.refusals),
        ))
    }
}
