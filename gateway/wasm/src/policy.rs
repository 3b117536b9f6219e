//! A configured policy, as all workers share it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::ResourceAny;

use crate::breaker::{Breaker, BreakerOptions, BreakerState};
use crate::capabilities::{Borrower, Used};
use crate::component::Component;
use crate::configure_error::ConfigureError;
use crate::convert::{self, RawSubscription, Reuse};
use crate::counters::{AllCounters, Counters, Counts};
use crate::deadline::Caller;
use crate::declaration::Declaration;
use crate::engine::Runtime;
use crate::failure::{FailureKind, PolicyFailure};
use crate::failure_log::{self, FailureLog};
use crate::family::Family;
use crate::fingerprint::Fingerprint;
use crate::grants::{Grants, Guarded, MissingGrants};
use crate::input::{Lookup, Phase};
use crate::instance::{Answer, Instance};
use crate::log::Speaker;
use crate::permission::{FieldPattern, Permission};
use crate::plan::Plan;
use crate::rules::Rules;
use crate::throttle::ThrottleOptions;
use crate::verdict::Verdict;

/// How a request continues after its policy failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnError {
    /// It is refused with 503.
    Deny,
    /// It continues as if the policy were not configured.
    Skip,
}

/// Which configurations share an instance of the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// All configurations of a component share an instance on each worker.
    #[default]
    Shared,
    /// The configuration has an instance of its own on each worker.
    Policy,
}

/// The settings of a policy. [`PolicySpec::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct PolicySpec {
    /// Its configured name.
    pub name: String,
    /// Its component.
    pub component: Arc<Component>,
    /// Whether it is bundled with the gateway, and so needs no grants.
    pub bundled: bool,
    /// Its configuration, as a JSON document.
    pub config: String,
    /// The content of every file and secret that the configuration refers to.
    pub identity_extra: Vec<u8>,
    /// Its grants, for example `effect:take` or `input:header:authorization`.
    pub grants: Vec<String>,
    /// The secrets that were made for its configuration alone, and that need no grant.
    pub own_secrets: Vec<String>,
    /// How a request continues after a failure. None: it is refused in the phase `request`,
    /// and in the phases in which the policy [may respond](Policy::may_respond).
    pub on_error: Option<OnError>,
    /// The CPU time that one call may use.
    pub deadline: Duration,
    /// The CPU time that `configure` may use.
    pub configure_deadline: Duration,
    /// The maximum linear memory of one instance, in bytes.
    pub memory_limit: usize,
    /// The longest time for which a verdict is reused, even if the policy allows more.
    pub max_reuse: Option<Duration>,
    /// The maximum size of the cached verdicts of one worker, in bytes.
    pub memo_bytes: usize,
    /// On average one reused verdict in this many is compared with a fresh one. 0
    /// turns this off.
    pub sample: u32,
    /// Whether verdicts are reused at all.
    pub memo: bool,
    /// Which configurations share its instance.
    pub isolation: Isolation,
    /// How much of a worker's time its calls may use.
    pub throttle: ThrottleOptions,
    /// When it is suspended.
    pub breaker: BreakerOptions,
}

impl PolicySpec {
    /// A policy of this component with an empty configuration and the defaults: 10 ms
    /// of CPU time for a call and 1 s for `configure`, 64 MiB of memory, 1 MiB of cached
    /// verdicts, and one hit in 8,192 sampled.
    pub fn new(name: impl Into<String>, component: Arc<Component>) -> Self {
        Self {
            name: name.into(),
            component,
            bundled: false,
            config: "{}".to_owned(),
            identity_extra: Vec::new(),
            grants: Vec::new(),
            own_secrets: Vec::new(),
            on_error: None,
            deadline: Duration::from_millis(10),
            configure_deadline: Duration::from_secs(1),
            memory_limit: 64 * 1024 * 1024,
            max_reuse: None,
            memo_bytes: 1024 * 1024,
            sample: 8_192,
            memo: true,
            isolation: Isolation::Shared,
            throttle: ThrottleOptions::default(),
            breaker: BreakerOptions::default(),
        }
    }

    /// A SHA-256 of all settings and the component's content. If it is unchanged at a
    /// reload, the [`Policy`] and its cached verdicts are kept.
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
                (&self.throttle, &self.breaker),
                (&self.grants, &self.own_secrets),
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

/// Differs for every configured policy of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyId(u64);

impl PolicyId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A policy that accepted its configuration. Shared by all workers; each calls it
/// through its own [`WorkerPolicy`](crate::WorkerPolicy).
#[derive(Debug)]
pub struct Policy {
    id: PolicyId,
    name: Arc<str>,
    speaker: Arc<Speaker>,
    spec: PolicySpec,
    identity: [u8; 32],
    subscription: RawSubscription,
    pub(crate) declaration: Declaration,
    family: Arc<Family>,
    grants: Grants,
    /// None if it uses no secrets and no datasets.
    borrower: Option<Arc<Borrower>>,
    pub(crate) breaker: Breaker,
    pub(crate) counters: AllCounters,
    /// The counters of the workshop.
    background: Arc<Counters>,
    /// Whether a sample of it is waiting in the workshop.
    is_sampled: AtomicBool,
    pub(crate) failures: FailureLog,
    /// Calls that were not made because CPU time was short.
    shed: FailureLog,
    /// Values that were absent in the phase `finished`, because the policy cannot take them.
    lost: FailureLog,
    /// True after a sample showed that a reused verdict differs from a fresh one.
    reuse_disabled: AtomicBool,
    last_error: Mutex<Option<String>>,
}

/// The state of a policy.
#[derive(Debug, Clone)]
pub struct PolicyStatus {
    /// Totals since it was configured.
    pub counts: Counts,
    /// Whether calls are made.
    pub breaker: BreakerState,
    /// True after a reused verdict was found to differ from a fresh one. No verdict is
    /// reused from then on.
    pub reuse_disabled: bool,
    /// Memos (one per worker and phase) that take no new entries at present because of
    /// a low hit ratio.
    pub memos_paused: u64,
    /// Entries in the memos of all workers.
    pub memo_entries: u64,
    /// Their size in bytes.
    pub memo_bytes: u64,
    /// The message of the last failure.
    pub last_error: Option<String>,
}

impl PolicyStatus {
    /// Adds the state of another use of the same configured policy. A use with its own
    /// deadline is a separate [`Policy`], but the operator sees one policy.
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
    /// Configures a policy and checks its subscription and grants. Blocks for up to
    /// `spec.configure_deadline` of CPU time, so it is not called on a worker.
    ///
    /// # Errors
    /// [`ConfigureError`], whose message is for the operator.
    pub fn configure(&self, spec: PolicySpec) -> Result<Arc<Policy>, ConfigureError> {
        let name: Arc<str> = spec.name.as_str().into();
        let caller = self.caller();
        let time = spec.configure_deadline;
        let pre = &spec.component.pre;
        let speaker = Speaker::new(Arc::clone(&name));
        let by = Arc::clone(&speaker);
        let mut instance = Instance::new(pre, by, spec.memory_limit, &caller, time)
            .map_err(ConfigureError::failed)?;
        let configured = instance
            .configure(&caller, time, &spec.config)
            .map_err(|failure| match failure.kind {
                FailureKind::Error(message) => ConfigureError::Refused(message),
                _ => ConfigureError::failed(instance.explain(failure)),
            })?;
        let subscription = instance
            .subscription(&caller, time, configured)
            .map_err(|failure| ConfigureError::failed(instance.explain(failure)))?;

        let declaration = Declaration::new(&subscription)?;
        let grants = Grants::new(spec.bundled, &spec.grants, &spec.own_secrets);
        let wanted = declaration.permissions(|input| Guarded::default().guard(input, &name));
        if let Some(missing) = MissingGrants::of(&grants, &wanted) {
            return Err(ConfigureError::Grant(missing));
        }
        for phase in Phase::ALL {
            let plan = declaration.plan(phase);
            let Some(plan) = plan.filter(|plan| plan.inputs.is_empty()) else {
                continue;
            };
            let rules = Rules {
                phase,
                plan,
                variables: &declaration.variables,
                upstreams: &declaration.upstreams,
            };
            let position = declaration.position(phase).unwrap_or_default();
            try_constant(&mut instance, &caller, time, configured, position, &rules)?;
        }
        drop(instance);
        let secrets: Box<[Arc<str>]> = declaration.secret_names().map(Arc::from).collect();
        let datasets = declaration.dataset_names().into_iter();
        let datasets: Box<[Arc<str>]> = datasets.map(Arc::from).collect();
        let uses_any = !(secrets.is_empty() && datasets.is_empty());
        let borrower = uses_any.then(|| {
            Arc::new(Borrower {
                policy: Arc::clone(&name),
                secrets,
                datasets,
                resources: Arc::clone(self.resources()),
            })
        });
        let counters = AllCounters::default();
        let policy = Arc::new(Policy {
            id: PolicyId::next(),
            name,
            speaker,
            borrower,
            identity: spec.identity(),
            subscription,
            declaration,
            family: self.family(&spec),
            grants,
            breaker: Breaker::new(spec.breaker.clone()),
            background: counters.join(),
            counters,
            is_sampled: AtomicBool::new(false),
            failures: FailureLog::new(failure_log::INTERVAL_MS),
            shed: FailureLog::new(failure_log::SHED_INTERVAL_MS),
            lost: FailureLog::new(failure_log::SHED_INTERVAL_MS),
            reuse_disabled: AtomicBool::new(false),
            last_error: Mutex::default(),
            spec,
        });
        policy.family.join(&policy);
        Ok(policy)
    }
}

/// A valid answer to a call.
pub(crate) struct Checked {
    pub(crate) verdict: Verdict,
    pub(crate) reuse: Reuse,
    /// The resources that the verdict depends on.
    pub(crate) used: Vec<Used>,
}

/// Calls the policy in a phase without inputs, where the verdict is the same for all
/// requests: if it is not valid, the configuration is refused. A failed call is
/// accepted, and so is a verdict that depends on a clock or on random numbers, because
/// the next one may differ.
fn try_constant(
    instance: &mut Instance,
    caller: &Caller,
    time: Duration,
    configured: ResourceAny,
    position: u32,
    rules: &Rules<'_>,
) -> Result<(), ConfigureError> {
    match instance.ask(caller, time, position, configured, None, &[]) {
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
    /// Tells it from all others.
    pub fn id(&self) -> PolicyId {
        self.id
    }

    /// Its configured name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The settings that it was created from.
    pub fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    /// Its component.
    pub fn component(&self) -> &Arc<Component> {
        &self.spec.component
    }

    /// How a request continues after a failure, if the operator said so for all of its uses.
    pub fn on_error(&self) -> Option<OnError> {
        self.spec.on_error
    }

    /// Whether it declares that it may answer instead of the target in this phase, be it by
    /// the reply of an effect.
    pub fn may_respond(&self, phase: Phase) -> bool {
        self.plan(phase).is_some_and(Plan::responds)
    }

    /// [`PolicySpec::identity`].
    pub fn identity(&self) -> &[u8; 32] {
        &self.identity
    }

    /// Its inputs and references in a phase. `None` if it is not called in the phase.
    pub fn plan(&self, phase: Phase) -> Option<&Plan> {
        self.declaration.plan(phase)
    }

    /// Whether a spare instance is ready for a worker that loses its own.
    pub fn has_spare(&self) -> bool {
        self.family.has_spare(self.id)
    }

    /// The request fields that only this policy may state.
    pub fn owned_fields(&self) -> &[FieldPattern] {
        &self.declaration.owns
    }

    /// Adds what this policy declares to be secret.
    pub fn add_guarded(&self, guarded: &mut Guarded) {
        guarded.add(self.declaration.secrets());
    }

    /// What it still lacks if these are the secrets of all policies.
    pub fn missing_grants(&self, guarded: &Guarded) -> Option<MissingGrants> {
        MissingGrants::of(&self.grants, &self.wanted(guarded))
    }

    /// Its grants that it has no use for.
    pub fn unused_grants(&self, guarded: &Guarded) -> Vec<String> {
        self.grants.unused(&self.wanted(guarded))
    }

    /// What it declares that it may know and do, for the operator: in the words of the
    /// grants, and the fields that it owns.
    pub fn declares(&self) -> Vec<String> {
        let wanted = self.wanted(&Guarded::default());
        let owned = self.declaration.owns.iter();
        let owns = owned.map(|field| format!("owns {field}"));
        wanted.iter().map(ToString::to_string).chain(owns).collect()
    }

    /// What its verdicts may do in a phase, in the words of the grants. What it may do with the
    /// fields that it owns is not among it.
    pub fn may(&self, phase: Phase) -> Vec<String> {
        let is_owned = |permission: &&Permission| match permission {
            Permission::EditHeader(field) => self.declaration.owns.contains(field),
            _ => false,
        };
        let plan = self.plan(phase);
        let may = plan.into_iter().flat_map(|plan| plan.may.permissions());
        may.filter(|permission| !is_owned(permission))
            .map(ToString::to_string)
            .collect()
    }

    /// Whether a verdict of a phase may change what the cache stores: by edits of the head, or
    /// before there is a response also by variables.
    pub fn may_change_stored(&self, phase: Phase) -> bool {
        self.plan(phase).is_some_and(|plan| match phase {
            Phase::Request => plan.edits_requests() || !self.variables().is_empty(),
            Phase::Fetched => plan.edits_responses(),
            Phase::Missing | Phase::Response | Phase::Finished => false,
        })
    }

    /// The variables that its verdicts may set, without the policy's name.
    pub fn variables(&self) -> &[Box<str>] {
        &self.declaration.variables
    }

    /// The secrets and other things that it uses by name, in the words of the grants.
    pub fn uses(&self) -> Vec<String> {
        self.declaration.uses().map(ToString::to_string).collect()
    }

    /// The grants that it needs unless it is bundled. None if it needs none.
    pub fn needs(&self) -> Option<MissingGrants> {
        let none = Grants::new(false, &[], &self.spec.own_secrets);
        MissingGrants::of(&none, &self.wanted(&Guarded::default()))
    }

    /// The names of the secrets that it uses.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.declaration.secret_names()
    }

    /// The names of the upstreams that it may choose. The effects of its verdicts point at them
    /// by their positions here.
    pub fn upstreams(&self) -> &[Box<str>] {
        &self.declaration.upstreams
    }

    /// The names of the datasets that it uses: those that it asks the gateway to look a key
    /// up in, and those that it calls.
    pub fn datasets(&self) -> BTreeSet<&str> {
        self.declaration.dataset_names()
    }

    /// The look-ups that it asks for.
    pub fn lookups(&self) -> impl Iterator<Item = &Lookup> {
        self.declaration.lookups()
    }

    pub(crate) fn borrower(&self) -> Option<&Arc<Borrower>> {
        self.borrower.as_ref()
    }

    /// Whether the resources are in the state in which they were used.
    pub(crate) fn resources_are_as(&self, used: &[Used]) -> bool {
        let borrower = self.borrower.as_ref();
        borrower.is_none_or(|borrower| borrower.resources.are_as(used))
    }

    fn wanted(&self, guarded: &Guarded) -> BTreeSet<Permission> {
        let is_guarded = |input: &_| guarded.guard(input, &self.name);
        self.declaration.permissions(is_guarded)
    }

    /// Records a failure that affected a request. `Some` with the number of earlier
    /// failures that were not logged if this one is to be logged. If not, call
    /// [`claim_failure_summary`](Self::claim_failure_summary).
    pub fn admit_failure(&self, now_ms: u64) -> Option<u64> {
        self.failures.admit(now_ms)
    }

    /// After a failure that was not logged: the delay after which the caller must log
    /// the [`failure_summary`](Self::failure_summary). `None` if another caller will.
    pub fn claim_failure_summary(&self) -> Option<Duration> {
        let is_mine = self.failures.claim_summary();
        is_mine.then_some(Duration::from_millis(failure_log::INTERVAL_MS))
    }

    /// The number of failures not logged yet. They count as logged from now on.
    pub fn failure_summary(&self, now_ms: u64) -> u64 {
        self.failures.summary(now_ms)
    }

    /// Its state. `now_ms` is the proxy's monotonic clock.
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

    /// Checks and converts the answer to a call.
    pub(crate) fn checked(
        &self,
        phase: Phase,
        plan: &Plan,
        answer: Answer,
    ) -> Result<Checked, PolicyFailure> {
        let rules = Rules {
            phase,
            plan,
            variables: &self.declaration.variables,
            upstreams: &self.declaration.upstreams,
        };
        let answers = convert::v0_1::answers(&answer.verdict);
        let (verdict, reuse) =
            convert::v0_1::verdict(answer.verdict, &rules).map_err(|unusable| {
                let kind = match unusable.into() {
                    FailureKind::BadVerdict(why) if answers => FailureKind::BadAnswer(why),
                    kind => kind,
                };
                PolicyFailure::without_detail(kind)
            })?;
        let reuse = if answer.impure { Reuse::Never } else { reuse };
        Ok(Checked {
            verdict,
            reuse,
            used: answer.used,
        })
    }

    /// As which it writes to the log, in whatever instance.
    pub(crate) fn speaker(&self) -> &Arc<Speaker> {
        &self.speaker
    }

    /// The policies with which it shares instances.
    pub(crate) fn family(&self) -> &Arc<Family> {
        &self.family
    }

    /// The counters of what is done off the workers, which the workshop alone writes.
    pub(crate) fn background(&self) -> &Counters {
        &self.background
    }

    /// Whether a sample may be handed to the workshop: false while one is there.
    pub(crate) fn claim_sample(&self) -> bool {
        !self.is_sampled.swap(true, Ordering::Relaxed)
    }

    /// Ends what [`Self::claim_sample`] began.
    pub(crate) fn release_sample(&self) {
        self.is_sampled.store(false, Ordering::Relaxed);
    }

    /// Its subscription, to compare with that of a later instance.
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
                "the policy wrongly allows reuse: {why}; its verdicts are no longer reused"
            );
        }
        *self.last_error() = Some(format!("the policy wrongly allows reuse: {why}"));
    }

    /// Logs that failures opened the breaker.
    pub(crate) fn log_suspension(&self) {
        tracing::warn!(
            policy = &*self.name,
            for_ms = u64::try_from(self.breaker.pause().as_millis()).unwrap_or(u64::MAX),
            "the policy failed for too many clients and is suspended"
        );
    }

    /// Logs that calls are not made because CPU time is short, at most once in an
    /// interval.
    pub(crate) fn log_shed(&self, now_ms: u64) {
        if let Some(unreported) = self.shed.admit(now_ms) {
            tracing::warn!(
                policy = &*self.name,
                unreported,
                "the policy uses its whole share of a worker's time, and calls for the clients that use most of it are refused"
            );
        }
    }

    /// Logs that a value of a finished exchange is absent for the policy although the exchange
    /// has it, at most once in an interval.
    pub fn log_lost(&self, why: &dyn fmt::Display, now_ms: u64) {
        if let Some(unreported) = self.lost.admit(now_ms) {
            tracing::warn!(
                policy = &*self.name,
                unreported,
                "in the phase `finished` a value is absent for the policy: {why}"
            );
        }
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
