//! A configured policy: what all workers share of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::ResourceAny;

use crate::breaker::{Breaker, BreakerOptions, BreakerState};
use crate::component::Component;
use crate::configure_error::ConfigureError;
use crate::convert::{self, RawSubscription};
use crate::counters::{AllCounters, Counts};
use crate::deadline::Caller;
use crate::engine::Runtime;
use crate::failure::{FailureKind, PolicyFailure};
use crate::failure_log::{self, FailureLog};
use crate::fingerprint::Fingerprint;
use crate::grants::Grants;
use crate::input::Phase;
use crate::instance::Instance;
use crate::plan::{Plan, Plans};
use crate::rules::Rules;

/// What becomes of a request whose policy failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnError {
    /// It is refused with 503.
    #[default]
    Deny,
    /// It goes on as if the policy were not there.
    Skip,
}

/// Whose memory a configuration lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// One instance per worker for all configurations of a component.
    #[default]
    Shared,
    /// An instance per worker of its own.
    Policy,
}

/// Everything that makes a policy. [`PolicySpec::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct PolicySpec {
    /// Its configured name.
    pub name: String,
    /// Its component.
    pub component: Arc<Component>,
    /// Whether it came with the gateway, and so carries its grants.
    pub bundled: bool,
    /// Its configuration: one JSON document.
    pub config: String,
    /// The content of every file and secret that the configuration refers to.
    pub identity_extra: Vec<u8>,
    /// Its grants, for example `effect:take` or `header:authorization`.
    pub grants: Vec<String>,
    /// What becomes of a request when it fails.
    pub on_error: OnError,
    /// CPU time of one call.
    pub deadline: Duration,
    /// CPU time of `configure`.
    pub configure_deadline: Duration,
    /// The most bytes of linear memory of one instance.
    pub memory_limit: usize,
    /// The longest that a verdict is reused, whatever the policy says.
    pub max_reuse: Option<Duration>,
    /// The most bytes that one worker remembers.
    pub memo_bytes: usize,
    /// One reused verdict in so many is asked for again and compared. 0 is never.
    pub sample: u32,
    /// Whether verdicts are reused at all.
    pub memo: bool,
    /// Whose memory it lives in.
    pub isolation: Isolation,
    /// When it is suspended.
    pub breaker: BreakerOptions,
}

impl PolicySpec {
    /// A policy of this component with an empty configuration and the
    /// defaults: 10 ms a call, 1 s to configure, 64 MiB, 1 MiB remembered, one
    /// hit in 8,192 sampled.
    pub fn new(name: impl Into<String>, component: Arc<Component>) -> Self {
        Self {
            name: name.into(),
            component,
            bundled: false,
            config: "{}".to_owned(),
            identity_extra: Vec::new(),
            grants: Vec::new(),
            on_error: OnError::Deny,
            deadline: Duration::from_millis(10),
            configure_deadline: Duration::from_secs(1),
            memory_limit: 64 * 1024 * 1024,
            max_reuse: None,
            memo_bytes: 1024 * 1024,
            sample: 8_192,
            memo: true,
            isolation: Isolation::Shared,
            breaker: BreakerOptions::default(),
        }
    }

    /// A SHA-256 of all of it, with the content of the component. Two specs of
    /// the same identity may share one [`Policy`] across a reload, and so keep
    /// what was remembered; change anything, and it is gone.
    pub fn identity(&self) -> [u8; 32] {
        let extra = format!(
            "{:?}",
            (
                self.bundled,
                self.on_error,
                self.deadline,
                self.configure_deadline,
                self.memory_limit,
                self.max_reuse,
                self.memo_bytes,
                self.sample,
                self.memo,
                self.isolation,
                &self.breaker,
                &self.grants,
            )
        );
        Fingerprint::new()
            .field(self.component.hash())
            .field(self.name.as_bytes())
            .field(self.config.as_bytes())
            .field(&self.identity_extra)
            .field(extra.as_bytes())
            .finish()
    }
}

/// A policy that accepted its configuration. Shared by all workers; each asks
/// it through a [`WorkerPolicy`](crate::WorkerPolicy) of its own.
#[derive(Debug)]
pub struct Policy {
    name: Arc<str>,
    spec: PolicySpec,
    identity: [u8; 32],
    subscription: RawSubscription,
    plans: Plans,
    pub(crate) grants: Grants,
    pub(crate) breaker: Breaker,
    pub(crate) counters: AllCounters,
    pub(crate) failures: FailureLog,
    /// True if a sample showed that the policy allows the reuse of verdicts that differ.
    reuse_disabled: AtomicBool,
    last_error: Mutex<Option<String>>,
}

/// How a policy is doing.
#[derive(Debug, Clone)]
pub struct PolicyStatus {
    /// Totals since it was configured.
    pub counts: Counts,
    /// Whether calls are made.
    pub breaker: BreakerState,
    /// True if a reused verdict was found to differ from a fresh one; nothing
    /// is reused since.
    pub reuse_disabled: bool,
    /// Memos (one per worker and phase) that take in nothing new, because
    /// hardly anything they held was asked for again.
    pub memos_paused: u64,
    /// Verdicts that are remembered, over all workers.
    pub memo_entries: u64,
    /// Bytes that they take.
    pub memo_bytes: u64,
    /// The words of the last failure.
    pub last_error: Option<String>,
}

impl PolicyStatus {
    /// Adds the figures of another use of the same configured policy: uses with their own
    /// deadline are separate policies here, and one to the operator.
    pub fn join(&mut self, other: Self) {
        self.counts += other.counts;
        if self.breaker == BreakerState::Closed {
            self.breaker = other.breaker;
        }
        self.reuse_disabled |= other.reuse_disabled;
        self.memos_paused += other.memos_paused;
        self.memo_entries += other.memo_entries;
        self.memo_bytes += other.memo_bytes;
        self.last_error = self.last_error.take().or(other.last_error);
    }
}

impl Runtime {
    /// Configures a policy once, off the workers, and compiles what it
    /// subscribes to. Takes microseconds to `spec.configure_deadline`.
    ///
    /// # Errors
    /// [`ConfigureError`], whose words are for the operator.
    pub fn configure(&self, spec: PolicySpec) -> Result<Arc<Policy>, ConfigureError> {
        let name: Arc<str> = spec.name.as_str().into();
        let caller = self.caller();
        let time = spec.configure_deadline;
        let pre = &spec.component.pre;
        let mut instance = Instance::new(pre, Arc::clone(&name), spec.memory_limit, &caller, time)
            .map_err(ConfigureError::failed)?;
        let configured = instance
            .configure(&caller, time, &spec.config)
            .map_err(|failure| match failure.kind {
                FailureKind::Error(message) => ConfigureError::Refused(message),
                _ => ConfigureError::failed(failure),
            })?;
        let subscription = instance
            .subscription(&caller, time, configured)
            .map_err(ConfigureError::failed)?;

        let plans = Plans::new(&subscription)?;
        let grants = Grants::new(spec.bundled, &spec.grants);
        let missing: BTreeSet<String> = Phase::ALL
            .iter()
            .filter_map(|&phase| plans.of(phase))
            .flat_map(|plan| grants.missing(plan))
            .collect();
        if !missing.is_empty() {
            return Err(ConfigureError::Grant {
                line: grants.line_with(&missing),
                missing: missing.into_iter().collect(),
            });
        }
        for phase in Phase::ALL {
            let Some(plan) = plans.of(phase).filter(|plan| plan.inputs.is_empty()) else {
                continue;
            };
            let rules = Rules {
                phase,
                plan,
                grants: &grants,
            };
            try_constant(&mut instance, &caller, time, configured, &rules)?;
        }
        drop(instance);
        Ok(Arc::new(Policy {
            name,
            identity: spec.identity(),
            subscription,
            plans,
            grants,
            breaker: Breaker::new(spec.breaker.clone()),
            counters: AllCounters::default(),
            failures: FailureLog::default(),
            reuse_disabled: AtomicBool::new(false),
            last_error: Mutex::default(),
            spec,
        }))
    }
}

/// Asks for the one verdict of a phase without inputs, which is the same for all
/// requests: if it cannot be carried out, the configuration is refused. A failed
/// call does not refuse it, and neither does a verdict that depends on a clock or on
/// random numbers, because the next one may differ.
fn try_constant(
    instance: &mut Instance,
    caller: &Caller,
    time: Duration,
    configured: ResourceAny,
    rules: &Rules<'_>,
) -> Result<(), ConfigureError> {
    match instance.ask(caller, time, rules.phase, configured, &[]) {
        Ok(answer) if !answer.impure => match convert::v0_1::verdict(answer.verdict, rules) {
            Ok(_) => Ok(()),
            Err(unusable) => {
                let failure = PolicyFailure::without_detail(unusable.into());
                Err(ConfigureError::Constant {
                    phase: rules.phase,
                    why: failure.to_string(),
                })
            }
        },
        _ => Ok(()),
    }
}

impl Policy {
    /// Its configured name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it was made of.
    pub fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    /// Its component.
    pub fn component(&self) -> &Arc<Component> {
        &self.spec.component
    }

    /// What becomes of a request when it fails.
    pub fn on_error(&self) -> OnError {
        self.spec.on_error
    }

    /// [`PolicySpec::identity`].
    pub fn identity(&self) -> &[u8; 32] {
        &self.identity
    }

    /// What it asks for in a phase. `None` if it takes no part in it.
    pub fn plan(&self, phase: Phase) -> Option<&Plan> {
        self.plans.of(phase)
    }

    /// Its grants that nothing it asks for needs. Of effects that is known by
    /// the phases alone: which ones a verdict will hold nobody can tell.
    pub fn unused_grants(&self) -> Vec<String> {
        self.grants.unused(|phase| self.plan(phase))
    }

    /// Records a failure that affected a request. `Some` if it is to be logged now, with
    /// the number of earlier failures that were not logged; see
    /// [`claim_failure_summary`](Self::claim_failure_summary) for the rest.
    pub fn admit_failure(&self, now_ms: u64) -> Option<u64> {
        self.failures.admit(now_ms)
    }

    /// After a failure that was not to be logged: how long from now the caller
    /// is to ask for the [`failure_summary`](Self::failure_summary). `None` if
    /// another caller does.
    pub fn claim_failure_summary(&self) -> Option<Duration> {
        let is_mine = self.failures.claim_summary();
        is_mine.then_some(Duration::from_millis(failure_log::INTERVAL_MS))
    }

    /// How many failures have not been logged yet. From now on they count as logged.
    pub fn failure_summary(&self, now_ms: u64) -> u64 {
        self.failures.summary(now_ms)
    }

    /// How it is doing. `now_ms` is the proxy's monotonic clock.
    pub fn status(&self, now_ms: u64) -> PolicyStatus {
        let sum = self.counters.sum();
        PolicyStatus {
            counts: sum.counts,
            breaker: self.breaker.state(now_ms),
            reuse_disabled: self.is_reuse_disabled(),
            memos_paused: sum.memos_paused,
            memo_entries: sum.memo_entries,
            memo_bytes: sum.memo_bytes,
            last_error: self.last_error().clone(),
        }
    }

    /// What was subscribed to, to compare when it is configured again.
    pub(crate) fn subscription(&self) -> &RawSubscription {
        &self.subscription
    }

    pub(crate) fn is_reuse_disabled(&self) -> bool {
        self.reuse_disabled.load(Ordering::Relaxed)
    }

    pub(crate) fn disable_reuse(&self, why: &str) {
        if !self.reuse_disabled.swap(true, Ordering::Relaxed) {
            tracing::error!(
                policy = &*self.name,
                "a verdict lies about reuse: {why}; nothing of this policy is reused any more"
            );
        }
        *self.last_error() = Some(format!("a verdict lies about reuse: {why}"));
    }

    /// Logs that its failures opened the breaker.
    pub(crate) fn log_suspension(&self) {
        tracing::warn!(
            policy = &*self.name,
            for_ms = u64::try_from(self.breaker.cool_down().as_millis()).unwrap_or(u64::MAX),
            "the policy failed too often and is suspended"
        );
    }

    pub(crate) fn note_failure(&self, failure: &PolicyFailure) {
        *self.last_error() = Some(failure.to_string());
    }

    fn last_error(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
