//! One instance of a component: its store, and the calls into it. Each call has a budget
//! of CPU time, and its failure is classified here.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::bindings::v0_1;
use crate::bindings::v0_1::janua::policy::verdicts::Verdict as RawVerdict;
use crate::budget::{self, OutOfTime};
use crate::capabilities::{Borrower, Used};
use crate::component::Description;
use crate::convert::{self, RawSubscription};
use crate::deadline::Caller;
use crate::failure::{FailureKind, PolicyFailure};
use crate::log::Speaker;
use crate::said::{said, shown};
use crate::state::HostState;

/// The most bytes that a guest may return in one call, in lists and strings. Each
/// element is counted, even if a list refers to the same memory many times.
const MAX_RETURNED: usize = 1024 * 1024;
/// The maximum number of handles, and so of configurations, of one instance.
const MAX_HANDLES: usize = 100_000;
/// The maximum length of the message of a trap or an error, in bytes.
const MAX_MESSAGE: usize = 512;

pub(crate) struct Instance {
    store: Store<HostState>,
    exports: v0_1::Policy,
    speaker: Arc<Speaker>,
    /// Whether its memory was nearly full right after the last `configure`. Then a new
    /// instance would be as full, so it is not replaced for that.
    full_after_configure: bool,
}

/// The answer to a call.
pub(crate) struct Answer {
    pub(crate) verdict: RawVerdict,
    /// Whether the call read a clock or random numbers.
    pub(crate) impure: bool,
    /// The resources that the call used.
    pub(crate) used: Vec<Used>,
}

impl Instance {
    /// Instantiates the component, which may run guest code.
    pub(crate) fn new(
        pre: &v0_1::PolicyPre<HostState>,
        speaker: Arc<Speaker>,
        memory_limit: usize,
        caller: &Caller,
        deadline: Duration,
    ) -> Result<Self, PolicyFailure> {
        let state = HostState::new(Arc::clone(&speaker), memory_limit);
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(budget::on_tick);
        store.set_hostcall_fuel(MAX_RETURNED);
        store.set_max_component_handles(MAX_HANDLES);
        let exports = timed(&mut store, caller, deadline, |store| pre.instantiate(store))
            .map_err(|failure| explained(store.data(), failure))?;
        Ok(Self {
            store,
            exports,
            speaker,
            full_after_configure: false,
        })
    }

    /// Sets as whose the component's output is logged from now on.
    pub(crate) fn log_as(&mut self, speaker: &Arc<Speaker>) {
        if !Arc::ptr_eq(&self.speaker, speaker) {
            self.speaker = Arc::clone(speaker);
            self.store.data().log.log_as(speaker);
        }
    }

    pub(crate) fn describe(
        &mut self,
        caller: &Caller,
        deadline: Duration,
    ) -> Result<Description, PolicyFailure> {
        let policies = self.exports.janua_policy_policies();
        timed(&mut self.store, caller, deadline, |store| {
            policies.call_describe(store)
        })
        .map(convert::v0_1::description)
    }

    /// Configures a policy and returns its handle. If the policy refuses the
    /// configuration, the failure is [`FailureKind::Error`].
    pub(crate) fn configure(
        &mut self,
        caller: &Caller,
        deadline: Duration,
        config: &str,
    ) -> Result<ResourceAny, PolicyFailure> {
        let policy = self.exports.janua_policy_policies().policy();
        let answer = timed(&mut self.store, caller, deadline, |store| {
            policy.call_configure(store, config)
        })?;
        self.full_after_configure = self.store.data().memory.is_nearly_full();
        answer.map_err(returned)
    }

    pub(crate) fn subscription(
        &mut self,
        caller: &Caller,
        deadline: Duration,
        configured: ResourceAny,
    ) -> Result<RawSubscription, PolicyFailure> {
        let policy = self.exports.janua_policy_policies().policy();
        let raw = timed(&mut self.store, caller, deadline, |store| {
            policy.call_subscription(store, configured)
        })?;
        convert::v0_1::subscription(raw).map_err(|why| {
            let why = format!("its subscription: {}", shown(&why));
            PolicyFailure::without_detail(FailureKind::BadVerdict(why))
        })
    }

    /// Calls the policy for a verdict in the phase at this position of its subscription. The
    /// call may use the secrets of this borrower.
    pub(crate) fn ask(
        &mut self,
        caller: &Caller,
        deadline: Duration,
        phase: u32,
        configured: ResourceAny,
        borrower: Option<&Arc<Borrower>>,
        inputs: &[Option<&str>],
    ) -> Result<Answer, PolicyFailure> {
        let policy = self.exports.janua_policy_policies().policy();
        // Clears what `configure` has read.
        self.store.data().take_impure();
        self.store.data_mut().borrowed.begin(borrower);
        let answer = timed(&mut self.store, caller, deadline, |store| {
            policy.call_decide(store, configured, phase, inputs)
        });
        let used = self.store.data_mut().borrowed.end();
        let answer = answer?;
        Ok(Answer {
            verdict: answer.map_err(returned)?,
            impure: self.store.data().take_impure(),
            used,
        })
    }

    /// A failure of an instance that has seen no request, with what it wrote last: the
    /// message of a panic. Any other failure says nothing that comes from a guest's output,
    /// which may contain the inputs of a call, and their values are nobody's to see.
    pub(crate) fn explain(&self, failure: PolicyFailure) -> PolicyFailure {
        explained(self.store.data(), failure)
    }

    /// The CPU time of the last call.
    pub(crate) fn spent(&self) -> Duration {
        self.store.data().budget.spent()
    }

    /// Its linear memories and tables, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.store.data().memory.used()
    }

    /// Whether no more policies should be configured in it.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.store.data().memory.is_nearly_full()
    }

    /// Whether it should be replaced, because its memory is nearly full.
    pub(crate) fn should_be_recycled(&self) -> bool {
        !self.full_after_configure && self.is_nearly_full()
    }
}

/// Makes a call under a deadline and classifies its failure.
fn timed<R>(
    store: &mut Store<HostState>,
    caller: &Caller,
    deadline: Duration,
    call: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<R>,
) -> Result<R, PolicyFailure> {
    store.data_mut().budget.begin(deadline);
    let result = turn(store, caller, call);
    result.map_err(|error| failure(store.data_mut(), &error))
}

/// Carries out a call as far as it gets without waiting. A call that does not wait has one
/// turn.
fn turn<R>(
    store: &mut Store<HostState>,
    caller: &Caller,
    work: impl FnOnce(&mut Store<HostState>) -> R,
) -> R {
    store.data_mut().budget.begin_turn();
    store.set_epoch_deadline(1);
    let inside = caller.enter();
    let result = work(store);
    drop(inside);
    store.data_mut().budget.end_turn();
    result
}

fn failure(state: &mut HostState, error: &wasmtime::Error) -> PolicyFailure {
    state.log.finish();
    let kind = if error.is::<OutOfTime>() {
        FailureKind::Deadline
    } else if state.memory.take_refused() {
        FailureKind::Memory
    } else {
        FailureKind::Trap
    };
    let detail = match kind {
        FailureKind::Deadline => String::new(),
        _ => said(&error.root_cause().to_string(), MAX_MESSAGE),
    };
    PolicyFailure { kind, detail }
}

fn explained(state: &HostState, mut failure: PolicyFailure) -> PolicyFailure {
    let output = state.log.take_last();
    if !output.is_empty() {
        if !failure.detail.is_empty() {
            failure.detail.push_str("; ");
        }
        failure.detail.push_str("its last output: ");
        failure.detail.push_str(&output);
    }
    failure
}

fn returned(message: String) -> PolicyFailure {
    PolicyFailure::without_detail(FailureKind::Error(said(&message, MAX_MESSAGE)))
}
