//! An instance together with the policies that are configured in it.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use wasmtime::component::ResourceAny;

use crate::deadline::Caller;
use crate::failure::{FailureKind, PolicyFailure};
use crate::instance::Instance;
use crate::policy::{Policy, PolicyId};

/// An instance and its configurations. It is `Send`, so that it can be made on one thread
/// and used on another.
pub(crate) struct Configured {
    pub(crate) instance: Instance,
    /// The handle of each policy's configuration in the instance.
    handles: HashMap<PolicyId, ResourceAny, RandomState>,
    /// How many samples it has answered.
    pub(crate) samples: u32,
    /// Whether a worker made it while a request waited, so that it has only the policies
    /// that were asked since.
    pub(crate) is_of_worker: bool,
}

impl Configured {
    /// An instance of this policy's component, without any configuration. May run guest
    /// code.
    pub(crate) fn new(policy: &Policy, caller: &Caller) -> Result<Self, PolicyFailure> {
        let spec = policy.spec();
        let instance = Instance::new(
            &spec.component.pre,
            Arc::clone(policy.speaker()),
            spec.memory_limit,
            caller,
            spec.configure_deadline,
        )?;
        Ok(Self {
            instance,
            handles: HashMap::default(),
            samples: 0,
            is_of_worker: false,
        })
    }

    /// Configures a policy. Its subscription must be the one that it returned when it was
    /// first configured, because verdicts are checked against that plan. After a failure
    /// that discards instances, this one must not be used any more.
    pub(crate) fn add(
        &mut self,
        policy: &Policy,
        caller: &Caller,
    ) -> Result<ResourceAny, PolicyFailure> {
        let deadline = policy.spec().configure_deadline;
        let instance = &mut self.instance;
        instance.log_as(policy.speaker());
        let handle = instance.configure(caller, deadline, &policy.spec().config)?;
        let subscription = instance.subscription(caller, deadline, handle)?;
        if subscription != *policy.subscription() {
            return Err(PolicyFailure::without_detail(FailureKind::BadVerdict(
                "its subscription differs from the one that it returned before".to_owned(),
            )));
        }
        self.handles.insert(policy.id(), handle);
        Ok(handle)
    }

    /// The handle of a policy; none if it is not configured here.
    pub(crate) fn handle(&self, policy: PolicyId) -> Option<ResourceAny> {
        self.handles.get(&policy).copied()
    }

    /// Forgets a policy. Its destructor does not run: a guest may take any time for it, and
    /// its memory is freed with the instance.
    pub(crate) fn forget(&mut self, policy: PolicyId) {
        self.handles.remove(&policy);
    }

    /// Forgets the policies that are configured in another instance as well.
    pub(crate) fn forget_all_of(&mut self, other: &Self) {
        self.handles
            .retain(|policy, _| !other.handles.contains_key(policy));
    }

    /// The policies that are configured here.
    pub(crate) fn policies(&self) -> impl ExactSizeIterator<Item = PolicyId> {
        self.handles.keys().copied()
    }
}
