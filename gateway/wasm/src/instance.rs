//! One instance of a component: its store, and the calls into it. Each call
//! has a budget of CPU time, and each way to fail is told apart here.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::bindings::v0_1;
use crate::bindings::v0_1::janua::policy::types::Verdict as RawVerdict;
use crate::component::Description;
use crate::convert::{self, RawSubscription};
use crate::deadline::{self, Caller, OutOfTime};
use crate::failure::{FailureKind, PolicyFailure};
use crate::input::Phase;
use crate::log::cut;
use crate::state::HostState;

/// The most bytes that a guest may hand over in one call, in lists and
/// strings: however often a list points at the same memory, each copy counts.
const MAX_HANDED_OVER: usize = 1024 * 1024;
/// The most handles, and so configurations, of one instance.
const MAX_HANDLES: usize = 100_000;
/// The most bytes of a trap's or an error's text.
const MAX_TEXT: usize = 512;

pub(crate) struct Instance {
    store: Store<HostState>,
    exports: v0_1::Policy,
    log_name: Arc<str>,
    /// Whether it was nearly full of memory already when it was last
    /// configured: then it is not replaced for that.
    full_at_rest: bool,
}

/// A call's answer.
pub(crate) struct Answer {
    pub(crate) verdict: RawVerdict,
    /// Whether it asked for the time or for random numbers.
    pub(crate) impure: bool,
}

impl Instance {
    /// Makes one. Guest code may run already here.
    pub(crate) fn new(
        pre: &v0_1::PolicyPre<HostState>,
        log_name: Arc<str>,
        memory_limit: usize,
        caller: &Caller,
        deadline: Duration,
    ) -> Result<Self, PolicyFailure> {
        let state = HostState::new(Arc::clone(&log_name), memory_limit);
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(deadline::on_tick);
        store.set_hostcall_fuel(MAX_HANDED_OVER);
        store.set_max_component_handles(MAX_HANDLES);
        let exports = timed(&mut store, caller, deadline, |store| pre.instantiate(store))?;
        Ok(Self {
            store,
            exports,
            log_name,
            full_at_rest: false,
        })
    }

    /// Says under which name the component's lines are logged from now on.
    pub(crate) fn log_as(&mut self, policy: &Arc<str>) {
        if !Arc::ptr_eq(&self.log_name, policy) {
            self.log_name = Arc::clone(policy);
            self.store.data().log.log_as(policy);
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

    /// A configuration's handle; its refusal is [`FailureKind::Error`].
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
        self.full_at_rest = self.store.data().memory.is_nearly_full();
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
            PolicyFailure::without_detail(FailureKind::BadVerdict(format!(
                "its subscription: {why}"
            )))
        })
    }

    /// Asks for a verdict.
    pub(crate) fn ask(
        &mut self,
        caller: &Caller,
        deadline: Duration,
        phase: Phase,
        configured: ResourceAny,
        inputs: &[Option<&str>],
    ) -> Result<Answer, PolicyFailure> {
        let policy = self.exports.janua_policy_policies().policy();
        // A mark that was left while it was configured says nothing of this call.
        self.store.data().take_impure();
        let answer = timed(&mut self.store, caller, deadline, |store| match phase {
            Phase::Request => policy.call_on_request(store, configured, inputs),
            Phase::Fetched => policy.call_on_fetched(store, configured, inputs),
            Phase::Missing => policy.call_on_missing(store, configured, inputs),
            Phase::Response => policy.call_on_response(store, configured, inputs),
        })?;
        Ok(Answer {
            verdict: answer.map_err(returned)?,
            impure: self.store.data().take_impure(),
        })
    }

    /// Gives a configuration back. Its destructor runs in the guest.
    pub(crate) fn release(
        &mut self,
        caller: &Caller,
        deadline: Duration,
        configured: ResourceAny,
    ) -> Result<(), PolicyFailure> {
        timed(&mut self.store, caller, deadline, |store| {
            configured.resource_drop(store)
        })
    }

    /// Ticks that fell into the last call.
    pub(crate) fn ticks(&self) -> u32 {
        self.store.data().budget.ticks()
    }

    /// Whether its memory has grown so full that it should be replaced.
    pub(crate) fn should_be_recycled(&self) -> bool {
        !self.full_at_rest && self.store.data().memory.is_nearly_full()
    }
}

/// Runs one call under a deadline and tells how it failed.
fn timed<R>(
    store: &mut Store<HostState>,
    caller: &Caller,
    deadline: Duration,
    call: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<R>,
) -> Result<R, PolicyFailure> {
    store.data_mut().budget.begin(deadline);
    store.set_epoch_deadline(1);
    caller.enter();
    let result = call(store);
    caller.leave();
    result.map_err(|error| failure(store.data_mut(), &error))
}

fn failure(state: &mut HostState, error: &wasmtime::Error) -> PolicyFailure {
    let said = state.log.take_last();
    let kind = if error.is::<OutOfTime>() {
        FailureKind::Deadline
    } else if state.memory.take_refused() {
        FailureKind::Memory
    } else {
        FailureKind::Trap
    };
    let mut detail = match kind {
        FailureKind::Deadline => String::new(),
        _ => error.root_cause().to_string(),
    };
    if !said.is_empty() {
        if !detail.is_empty() {
            detail.push_str("; ");
        }
        detail.push_str("it said: ");
        detail.push_str(&said);
    }
    cut(&mut detail, MAX_TEXT);
    PolicyFailure { kind, detail }
}

fn returned(mut message: String) -> PolicyFailure {
    cut(&mut message, MAX_TEXT);
    PolicyFailure::without_detail(FailureKind::Error(message))
}
