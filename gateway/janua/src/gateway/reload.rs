//! The thread that reloads the configuration.
//!
//! A configuration is allocated on one thread and freed on others, and the
//! allocator retains some MiB for each thread that has ever allocated one. On a
//! pool of threads the gateway would grow with each thread that happened to do
//! a reload.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use janua_admin::{Asker, ReloadDiagnostic, ReloadError, ReloadStatus, ReloadSummary};
use janua_cache::Reconfigured;
use janua_config::Diagnostics;
use janua_telemetry::metrics::definitions;
use janua_watch::Seen;

use super::discovery::Turn;
use super::{
    AccessLogSink, Gateway, cache, changes, compile, discovery, log, only, unix_ms,
    wait_for_checks, watch,
};

type ReloadResult = Result<ReloadSummary, ReloadError>;

/// Why the configuration is reloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// An operator wants it.
    Command,
    /// A watched file has changed.
    Change {
        /// More changes are expected, so that a refusal is not reported yet.
        is_patient: bool,
    },
}

/// A finished reload.
pub(super) struct Reloaded {
    pub(super) result: ReloadResult,
    /// What is to be watched from now on; none if the reload did not get that far.
    pub(super) seen: Option<Seen>,
}

/// A reload that is wanted.
struct Wanted {
    trigger: Trigger,
    asker: Asker,
    outcome: SyncSender<Reloaded>,
}

/// What the thread is asked for.
enum Message {
    Reload(Wanted),
    /// To publish the endpoints that are known now.
    Endpoints,
}

/// Accepts requests to reload. They are carried out one after another. To compile a
/// component may take minutes, and ends if whoever has asked leaves. A command takes the
/// place of a reload for changed files, for which nobody waits.
pub(super) struct Reloader {
    messages: Sender<Message>,
    /// Other endpoints wait to be published.
    has_endpoints: AtomicBool,
    /// The asker of the last reload for changed files.
    by_change: Mutex<Asker>,
}

/// The receiving side: what is pending.
pub(super) struct Reloads(Receiver<Message>);

impl Reloader {
    pub(super) fn new() -> (Self, Reloads) {
        let (sender, receiver) = mpsc::channel();
        let reloader = Self {
            messages: sender,
            has_endpoints: AtomicBool::new(false),
            by_change: Mutex::default(),
        };
        (reloader, Reloads(receiver))
    }

    /// Reloads, and waits for the result.
    pub(super) fn reload(&self, trigger: Trigger, asker: &Asker) -> Reloaded {
        {
            let by_change = self.by_change.lock();
            let mut by_change = by_change.unwrap_or_else(PoisonError::into_inner);
            match trigger {
                Trigger::Command => by_change.leave(),
                Trigger::Change { .. } => *by_change = asker.clone(),
            }
        }
        let (outcome, wait) = mpsc::sync_channel(1);
        let wanted = Wanted {
            trigger,
            asker: asker.clone(),
            outcome,
        };
        // If it is refused because the thread has ended, there is no outcome either.
        let _ = self.messages.send(Message::Reload(wanted));
        wait.recv().unwrap_or_else(|_| Reloaded {
            result: Err(ReloadError::plain(
                "the reload failed unexpectedly; see the log",
            )),
            seen: None,
        })
    }

    /// Has the endpoints published that are known, in a moment and only once for many calls. Does
    /// not wait.
    pub(super) fn endpoints_have_changed(&self) {
        if !self.has_endpoints.swap(true, AcqRel) {
            let _ = self.messages.send(Message::Endpoints);
        }
    }
}

impl Reloads {
    /// Starts the thread; it ends with the gateway.
    pub(super) fn start(self, gateway: &Arc<Gateway>) -> std::io::Result<()> {
        let gateway = Arc::downgrade(gateway);
        std::thread::Builder::new()
            .name("janua-reload".into())
            .spawn(move || self.run(&gateway))
            .map(drop)
    }

    fn run(&self, gateway: &Weak<Gateway>) {
        let mut turn = Turn::default();
        loop {
            let message = match turn.due() {
                Some(due) => self
                    .0
                    .recv_timeout(due.saturating_duration_since(Instant::now())),
                None => self.0.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let Some(gateway) = gateway.upgrade() else {
                return;
            };
            // A panic ends only this reload, not the thread.
            match message {
                Ok(Message::Reload(wanted)) => {
                    let reload = || gateway.reload_now(wanted.trigger, &wanted.asker);
                    if let Ok(outcome) = catch_unwind(AssertUnwindSafe(reload)) {
                        if outcome.result.is_ok() {
                            discovery::follow_files(&gateway);
                        }
                        let _ = wanted.outcome.send(outcome);
                    }
                }
                Ok(Message::Endpoints) => turn.note(Instant::now()),
                Err(RecvTimeoutError::Timeout) => {
                    // What changes from now on is published the next time. A mere store could be
                    // overtaken by the reads that follow, so that both sides miss a change.
                    gateway.reloader.has_endpoints.swap(false, AcqRel);
                    let publish = || gateway.publish_endpoints();
                    turn.take(catch_unwind(AssertUnwindSafe(publish)).unwrap_or_default());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

impl Gateway {
    fn reload_now(&self, trigger: Trigger, asker: &Asker) -> Reloaded {
        let mut seen = None;
        let result = self.try_reload(trigger, asker, &mut seen);
        if result.is_err() {
            self.estate.abandon_checks();
            let live = Arc::clone(&self.state().loaded);
            self.events.configure(&live.config.webhooks);
        }
        match &result {
            Err(error) if trigger == (Trigger::Change { is_patient: true }) => tracing::info!(
                "the changed files cannot be used yet, and are tried again in a moment: {}",
                error.errors.first().map_or("", |error| &*error.message)
            ),
            outcome => self.record(outcome),
        }
        Reloaded { result, seen }
    }

    /// Reports the outcome of a reload in the log, in the metrics and in the status.
    fn record(&self, outcome: &ReloadResult) {
        let registry = &self.estate.metrics;
        let gauge = registry.gauge(&definitions::RELOAD_OK, []);
        gauge.add(0, i64::from(outcome.is_ok()) - gauge.value());
        let word = if outcome.is_ok() { "ok" } else { "refused" };
        registry.counter(&definitions::RELOADS, [word]).increment(0);
        match outcome {
            Ok(summary) => {
                tracing::info!(generation = summary.generation, "reloaded");
                for change in &summary.changed {
                    tracing::info!("  {}", change.text);
                }
            }
            Err(error) => tracing::error!(
                "reload refused, the old configuration stays live:\n{}",
                error.rendered
            ),
        }
        let error = outcome.as_ref().err();
        let errors = error.iter().flat_map(|error| &error.errors);
        let errors = errors.map(|error| error.message.clone()).collect();
        let mut state = self.state();
        state.last_reload = Some(ReloadStatus {
            at_unix_ms: unix_ms(SystemTime::now()),
            error: error.map(|error| error.rendered.clone()),
        });
        state.last_errors = errors;
    }

    /// Sets `seen` to what is to be watched from now on, as soon as that is known.
    fn try_reload(&self, trigger: Trigger, asker: &Asker, seen: &mut Option<Seen>) -> ReloadResult {
        let begin = Instant::now();
        // Only this thread replaces the loaded configuration.
        let live = Arc::clone(&self.state().loaded);
        let mut loaded = super::load(&self.config).map_err(|found| {
            let both = watch::seen_refused(found.sources(), &live);
            *seen = Some(watch::watched(both, &live));
            refusal(&found)
        })?;
        // Before the files are used: what changes from now on is noticed.
        let both = watch::seen(&loaded, Some(&live));
        *seen = Some(watch::watched(both.clone(), &live));
        let previous = self.estate.snapshot();
        let compile = || compile(&mut loaded, &self.estate, previous.as_deref());
        let runtime = &self.estate.runtime;
        let mut snapshot = runtime
            .compile_unless(asker.has_left(), compile)
            .map_err(|found| refusal(&found))?;
        if let (Trigger::Change { .. }, Some(previous)) = (trigger, &previous) {
            watch::guard(previous, &snapshot)?;
        }
        let plan = super::acme_plan(&loaded).map_err(|found| refusal(&found))?;
        self.engine
            .prepare(plan.clone())
            .map_err(|error| ReloadError::plain(error.to_string()))?;
        let changed =
            changes::between(&live.config, &loaded.config, previous.as_deref(), &snapshot);
        self.estate.prepare(&mut snapshot, previous.as_deref());
        discovery::resolve(&self.estate, &mut snapshot);
        // Those that are told of what these checks find.
        self.events.configure(&loaded.config.webhooks);
        self.estate.begin_checks(&snapshot);
        wait_for_checks(&snapshot);
        // All slow work is done; the lock is held only briefly from here.
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(server) = &mut state.server else {
            return Err(ReloadError::plain("the gateway is shutting down"));
        };
        let opened = server.open(&loaded).map_err(|found| refusal(&found))?;
        if !log::is_same(&loaded.config.log, &live.config.log) {
            let log = AccessLogSink::open(&loaded.config.log, &self.estate.metrics)
                .map_err(|fault| refusal(&only(fault, &loaded)))?;
            server.log(log.destination());
            state.log = log;
        }
        let (old, new) = (&live.config, &loaded.config);
        let mut warnings: Vec<String> = loaded.warnings.lines().collect();
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        warnings.extend(changes::needs_restart(old, new));
        if self.estate.cache.reconfigure(&cache::options(new)) == Reconfigured::DiskAtRestart {
            warnings.push("the folder of the cache changes with the next start".to_owned());
        }
        let generation = snapshot.generation;
        server.publish(Some(snapshot), opened);
        self.estate.endpoints.forget_weights();
        *seen = Some(watch::watched(both.only(loaded.watch_list()), &loaded));
        state.loaded = Arc::new(loaded);
        // The engine may have to read thousands of files, from a disk that may be slow.
        drop(guard);
        self.engine
            .configure(plan)
            .map_err(|error| ReloadError::plain(error.to_string()))?;
        Ok(ReloadSummary {
            generation,
            changed,
            warnings,
            took_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// Converts diagnostics for the admin endpoint.
fn refusal(found: &Diagnostics) -> ReloadError {
    let errors = found.iter().map(|diagnostic| {
        let place = diagnostic
            .span()
            .and_then(|span| found.sources().locate(span));
        ReloadDiagnostic {
            file: place.as_ref().map(|place| place.path.display().to_string()),
            line: place
                .as_ref()
                .and_then(|place| u32::try_from(place.line).ok()),
            column: place
                .as_ref()
                .and_then(|place| u32::try_from(place.column).ok()),
            message: diagnostic.message().to_owned(),
            help: diagnostic.suggestion().map(str::to_owned),
        }
    });
    ReloadError {
        errors: errors.collect(),
        rendered: found.render(false),
    }
}
