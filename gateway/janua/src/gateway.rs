//! The running gateway: its parts, and the operations that the admin endpoint
//! calls.
//!
//! Starting and reloading take the same steps: decode the file, compile a
//! snapshot, bind new addresses, publish. Nothing changes until the last step, so
//! an error leaves everything as it was.

mod acme;
mod address;
mod cache;
mod certificates;
mod changes;
mod datasets;
mod deploy;
mod directories;
mod discovery;
mod endpoint_events;
mod events;
mod log;
mod notices;
mod policies;
mod purge;
mod reload;
mod samples;
mod secrets;
mod status;
mod stored;
mod upstreams;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use janua_acme::Engine;
use janua_admin::{
    Asker, CacheEntry, CacheStatus, Control, DatasetStatus, DeployAnswer, DeployRequest,
    EndpointAnswer, EndpointCommand, PurgeRequest, PurgeSummary, ReloadError, ReloadStatus,
    ReloadSummary, SecretStatus, SplitStatus, SplitWeightRequest, Status,
};
use janua_cache::Cache;
use janua_config::{Diagnostic, Diagnostics, Loaded, Severity};
use janua_proxy::{Bundled, Estate, Server, Snapshot};
use janua_telemetry::metrics::definitions;
use janua_wasm::{Policy, Runtime, RuntimeOptions};
use janua_watch::{Seen, Watcher};
use janua_webhook::{Caller, RetryPolicy};

use crate::bundled;
use crate::compiler::compiler;
use events::Events;
use log::AccessLogSink;
use reload::{Reloader, Trigger};

/// How long a start or a reload waits for the first look-up of new names.
const FIRST_LOOKUP: Duration = Duration::from_secs(2);

/// A running gateway.
pub(crate) struct Gateway {
    estate: Arc<Estate>,
    config: PathBuf,
    workers: usize,
    started: SystemTime,
    ready: AtomicBool,
    reloader: Reloader,
    webhooks: Caller,
    events: Arc<Events>,
    engine: Arc<Engine>,
    /// Set at the end of the start.
    watcher: OnceLock<Watcher>,
    /// Set when a configuration has files that list endpoints.
    lists: OnceLock<Watcher>,
    state: Mutex<State>,
}

/// The state that a reload changes. Locked only briefly.
struct State {
    server: Option<Server>,
    /// Shared, so that it can be compared with a new one without the lock.
    loaded: Arc<Loaded>,
    log: AccessLogSink,
    last_reload: Option<ReloadStatus>,
    /// The errors of the last reload, if it was refused.
    last_errors: Vec<String>,
    /// What the start has read, until it is watched.
    seen: Option<Seen>,
}

/// Why the gateway could not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The configuration is refused.
    Refused(Diagnostics),
    /// The system refuses something that the gateway needs.
    Machine(String),
}

/// Reads a configuration. A missing webhook token is only a warning: it is read at
/// each purge, and only the webhook needs it.
///
/// # Errors
/// All errors in it.
pub(crate) fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let environment = |name: &str| std::env::var(name).ok();
    let mut loaded = janua_config::load_with_references(path, &environment)?;
    let of_cache = loaded.config.cache.webhooks.iter().map(|one| &one.token);
    let of_events = loaded.config.webhooks.iter().map(|one| &one.token);
    for token in of_cache.chain(of_events) {
        if let Err(mut fault) = token.resolve(&environment) {
            fault.severity = Severity::Warning;
            let help = "until it is there the webhook fails; the gateway's own environment counts";
            loaded.warnings.push(fault.help(help));
        }
    }
    let shadowed = janua_proxy::shadowed_routes(&loaded.config);
    loaded.warnings.extend(shadowed);
    Ok(loaded)
}

/// Compiles a configuration without running it: binds no socket, and leaves
/// nothing behind.
///
/// # Errors
/// All errors in it.
pub(crate) fn check(loaded: &mut Loaded) -> Result<Checked, StartError> {
    // The directory of the disk store belongs to the running gateway.
    let options = janua_cache::Options {
        disk: None,
        ..cache::options(&loaded.config)
    };
    // Self-signed certificates that are made for the check are not kept.
    let scratch = Scratch::new();
    let estate = estate(loaded, 1, &options, scratch.0.clone())?;
    let mut found = Diagnostics::new(loaded.sources.clone());
    found.extend(log::check(&loaded.config.log));
    found.extend(acme::plan(&loaded.config).err().unwrap_or_default());
    let snapshot = match compile(loaded, &estate, None) {
        Ok(snapshot) if found.is_empty() => snapshot,
        compiled => {
            let errors = compiled.err().unwrap_or_default();
            found.extend(errors.iter().cloned());
            return Err(StartError::Refused(found));
        }
    };
    let (sites, routes) = snapshot.size();
    let policies = policies::by_name(&snapshot, 0).into_iter();
    let policies = policies.map(|(policy, _)| (policy.name().to_string(), policy.declares()));
    Ok(Checked {
        sites,
        routes,
        policies: policies.collect(),
        secrets: secrets::statuses(&snapshot),
        datasets: datasets::statuses(&snapshot),
    })
}

/// A policy of a configuration that some route uses, with its secrets in the runtime.
///
/// # Errors
/// All errors in the configuration.
pub(crate) fn policy(
    loaded: &mut Loaded,
    name: &str,
) -> Result<Option<(Runtime, Arc<Policy>)>, StartError> {
    let options = janua_cache::Options {
        disk: None,
        ..cache::options(&loaded.config)
    };
    let scratch = Scratch::new();
    let estate = estate(loaded, 1, &options, scratch.0.clone())?;
    let snapshot = compile(loaded, &estate, None).map_err(StartError::Refused)?;
    estate.runtime.set_secrets(Arc::clone(snapshot.secrets()));
    estate.runtime.set_datasets(Arc::clone(snapshot.datasets()));
    let mut policies = snapshot.policies().iter();
    let policy = policies.find(|policy| &**policy.name() == name);
    Ok(policy.map(|policy| (estate.runtime.clone(), Arc::clone(policy))))
}

/// What a valid configuration consists of.
pub(crate) struct Checked {
    /// The number of sites.
    pub(crate) sites: usize,
    /// The number of their routes.
    pub(crate) routes: usize,
    /// The names of the policies, and what each declares.
    pub(crate) policies: Vec<(String, Vec<String>)>,
    /// The secrets.
    pub(crate) secrets: Vec<SecretStatus>,
    /// The datasets.
    pub(crate) datasets: Vec<DatasetStatus>,
}

/// How long the DNS may take to answer a check of the configuration.
const DNS_PATIENCE: Duration = Duration::from_secs(10);

/// The records that the DNS needs once for certificates by ACME, and whether they are there.
pub(crate) fn delegations(loaded: &Loaded) -> Vec<janua_acme::Delegation> {
    // What is wrong with the secrets of the plan was said before.
    let plan = acme::plan(&loaded.config).unwrap_or_default();
    janua_acme::delegations(&plan, DNS_PATIENCE)
}

/// A directory that is removed when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("janua-check-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is there only if something was kept in it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn estate(
    loaded: &Loaded,
    workers: usize,
    cache: &janua_cache::Options,
    state_dir: PathBuf,
) -> Result<Estate, StartError> {
    let runtime = Runtime::new(RuntimeOptions {
        cache_dir: directories::cache(&loaded.config.server),
        memos: usize::try_from(loaded.config.server.memos.bytes()).unwrap_or(usize::MAX),
        compiler: compiler(),
        ..RuntimeOptions::default()
    })
    .map_err(|error| StartError::Machine(error.to_string()))?;
    let buckets = usize::try_from(loaded.config.server.buckets.get()).unwrap_or(usize::MAX);
    let cache =
        Cache::open(cache).map_err(|error| StartError::Machine(format!("the cache: {error}")))?;
    let hosts_file = loaded.config.server.hosts_file.as_ref();
    let hosts_file = hosts_file.map(|path| path.value.clone());
    let name_servers = loaded.config.server.name_servers.iter();
    let name_servers = name_servers.map(|server| server.value.0).collect();
    Estate::new(
        runtime,
        workers,
        buckets,
        cache,
        state_dir,
        hosts_file,
        name_servers,
    )
    .map_err(|error| StartError::Machine(error.to_string()))
}

/// Compiles a configuration. What it warns of is added to the warnings of the file.
fn compile(
    loaded: &mut Loaded,
    estate: &Estate,
    previous: Option<&Snapshot>,
) -> Result<Snapshot, Diagnostics> {
    let bundled = Bundled {
        names: &bundled::names(),
        component: &bundled::component,
    };
    let mut snapshot = janua_proxy::compile(loaded, estate, &bundled, previous)?;
    let warnings = std::mem::take(&mut snapshot.warnings);
    loaded.warnings.extend(warnings);
    Ok(snapshot)
}

/// What a configuration says about certificates by ACME.
fn acme_plan(loaded: &Loaded) -> Result<janua_acme::Plan, Diagnostics> {
    acme::plan(&loaded.config).map_err(|faults| {
        let mut found = Diagnostics::new(loaded.sources.clone());
        found.extend(faults);
        found
    })
}

/// A single error, with the files for displaying it.
fn only(fault: Diagnostic, loaded: &Loaded) -> Diagnostics {
    let mut found = Diagnostics::new(loaded.sources.clone());
    found.push(fault);
    found
}

impl Gateway {
    /// Compiles the configuration and starts the workers, which do not listen yet.
    ///
    /// # Errors
    /// If the configuration is refused, or the system refuses something. Nothing
    /// runs then.
    pub(crate) fn start(config: &Path, mut loaded: Loaded) -> Result<Arc<Self>, StartError> {
        let workers = workers(&loaded);
        let state_dir = directories::state(&loaded.config.server);
        let cache = cache::options(&loaded.config);
        let estate = Arc::new(estate(&loaded, workers, &cache, state_dir.clone())?);
        let events = Arc::new(Events::new());
        endpoint_events::observe(&estate, &events);
        let engine = acme::engine(&state_dir, &estate, &events);
        // Before the files are used: what changes from now on is noticed.
        let seen = watch::watched(watch::seen(&loaded, None), &loaded);
        // Nobody is served yet who would have to wait.
        estate.runtime.compile_urgently(true);
        let mut snapshot = compile(&mut loaded, &estate, None).map_err(StartError::Refused)?;
        estate.runtime.compile_urgently(false);
        for warning in loaded.warnings.lines() {
            tracing::warn!("{warning}");
        }
        let log = AccessLogSink::open(&loaded.config.log, &estate.metrics)
            .map_err(|fault| StartError::Refused(only(fault, &loaded)))?;
        let plan = acme_plan(&loaded).map_err(StartError::Refused)?;
        engine
            .prepare(plan)
            .map_err(|error| StartError::Machine(error.to_string()))?;
        estate.prepare(&mut snapshot, None);
        discovery::resolve(&estate, &mut snapshot);
        events.configure(&loaded.config.webhooks);
        estate.begin_checks(&snapshot);
        wait_for_checks(&snapshot);
        let server = Server::start(Arc::clone(&estate), workers, snapshot)
            .map_err(|error| StartError::Machine(error.to_string()))?;
        server.log(log.destination());
        let (reloader, reloads) = Reloader::new();
        let gateway = Arc::new(Self {
            estate,
            config: config.to_owned(),
            workers,
            started: SystemTime::now(),
            ready: AtomicBool::new(false),
            reloader,
            webhooks: Caller::new(RetryPolicy::default()),
            events,
            engine,
            watcher: OnceLock::new(),
            lists: OnceLock::new(),
            state: Mutex::new(State {
                server: Some(server),
                loaded: Arc::new(loaded),
                log,
                last_reload: None,
                last_errors: Vec::new(),
                seen: Some(seen),
            }),
        });
        reloads
            .start(&gateway)
            .map_err(|error| StartError::Machine(error.to_string()))?;
        let watcher =
            watch::start(&gateway).map_err(|error| StartError::Machine(error.to_string()))?;
        // It is set only here.
        let _ = gateway.watcher.set(watcher);
        discovery::follow_names(&gateway);
        discovery::follow_files(&gateway);
        Ok(gateway)
    }

    /// Binds the listeners and serves requests.
    ///
    /// # Errors
    /// If an address cannot be bound; nothing is served then.
    pub(crate) fn serve(&self) -> Result<(), StartError> {
        let mut state = self.state();
        let State { server, loaded, .. } = &mut *state;
        if let Some(server) = server {
            let opened = server.open(loaded).map_err(StartError::Refused)?;
            server.publish(None, opened);
        }
        // The authorities find somebody who answers from now on.
        let plan = acme_plan(&state.loaded).map_err(StartError::Refused)?;
        self.engine
            .configure(plan)
            .map_err(|error| StartError::Machine(error.to_string()))?;
        let reload_ok = self.estate.metrics.gauge(&definitions::RELOAD_OK, []);
        reload_ok.add(0, 1);
        self.ready.store(true, Ordering::Relaxed);
        match state.loaded.config.server.watch {
            true => self.watch(state.seen.take().unwrap_or_default()),
            false => tracing::info!("changed files take effect only by `janua reload`"),
        }
        Ok(())
    }

    /// Reopens the access log's file, as log rotation requires.
    pub(crate) fn reopen_log(&self) {
        self.state().log.reopen();
    }

    /// Stops accepting connections, and returns when all requests are finished.
    pub(crate) fn drain(&self) {
        self.ready.store(false, Ordering::Relaxed);
        self.watch(Seen::default());
        if let Some(lists) = self.lists.get() {
            lists.watch(Seen::default());
        }
        // A reload in progress would not take effect any more.
        self.estate.runtime.stop_compiling();
        let mut state = self.state();
        let patience = state.loaded.config.server.drain_timeout;
        if let Some(server) = state.server.take() {
            drop(state);
            server.drain(patience);
        }
        self.state().log.drain();
    }

    /// The number of requests in progress.
    pub(crate) fn requests_in_flight(&self) -> u64 {
        self.estate.requests().0
    }

    /// Purges, and calls the webhooks of the live configuration.
    fn purge_now(&self, request: &PurgeRequest) -> Result<PurgeSummary, String> {
        // Copied, because webhooks take long and the lock must be held only
        // briefly.
        let webhooks = self.state().loaded.config.cache.webhooks.clone();
        let now_ms = unix_ms(SystemTime::now());
        purge::purge(
            request,
            &self.estate.cache,
            &webhooks,
            &self.webhooks,
            now_ms,
        )
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control for Gateway {
    fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    fn metrics(&self) -> String {
        let samples = samples::samples(
            &self.estate,
            self.workers,
            self.started,
            &self.state(),
            &self.engine,
        );
        self.estate.metrics.render(&samples)
    }

    fn status(&self) -> Status {
        status::status(self, &self.state())
    }

    fn reload(&self, asker: &Asker) -> Result<ReloadSummary, ReloadError> {
        let reloaded = self.reloader.reload(Trigger::Command, asker);
        if let Some(seen) = reloaded.seen {
            self.watch(seen);
        }
        reloaded.result
    }

    fn purge(&self, request: &PurgeRequest) -> Result<PurgeSummary, String> {
        self.purge_now(request)
    }

    fn cache(&self) -> Result<CacheStatus, String> {
        Ok(stored::status(&self.estate.cache, &self.estate.metrics))
    }

    fn cache_entries(&self, url: &str) -> Result<Vec<CacheEntry>, String> {
        stored::entries(&self.estate.cache, url, unix_ms(SystemTime::now()))
    }

    fn renew_certificate(&self, name: &str) -> Result<String, String> {
        self.engine.renew(name)
    }

    fn revoke_certificate(&self, name: &str) -> Result<String, String> {
        self.engine.revoke(name)
    }

    fn endpoint(&self, command: &EndpointCommand<'_>) -> Result<EndpointAnswer, String> {
        let loaded = Arc::clone(&self.state().loaded);
        upstreams::carry_out(&self.estate, &loaded.config, command)
    }

    fn split_weight(&self, request: &SplitWeightRequest) -> Result<SplitStatus, String> {
        upstreams::weigh_split(&self.estate, request)
    }

    fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, String> {
        deploy::deploy(self, request)
    }
}

fn workers(loaded: &Loaded) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let configured = loaded.config.server.workers.as_ref();
    configured.map_or_else(cores, |workers| usize::try_from(workers.get()).unwrap_or(1))
}

/// How long a start or a reload waits for the first checks of new endpoints.
const FIRST_CHECK: Duration = Duration::from_secs(2);

/// Waits briefly for the first results of new checks, so that a snapshot whose endpoints are all
/// new has some for the first requests. Start and reload continue without a result.
fn wait_for_checks(snapshot: &Snapshot) {
    let deadline = Instant::now() + FIRST_CHECK.min(snapshot.longest_check());
    while snapshot.awaits_checks() && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Waits until this time for names that were never looked up, so that the first
/// requests have endpoints.
fn wait_for_names(estate: &Estate, deadline: Instant) {
    let waiting =
        || {
            estate.endpoints.names().is_waiting()
                || estate.endpoints.endpoints().iter().any(|endpoint| {
                    !endpoint.is_resolved() && endpoint.resolution().error.is_none()
                })
        };
    while waiting() && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
