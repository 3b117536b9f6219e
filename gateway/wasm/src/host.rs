//! The instances of a worker, which its policies share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use wasmtime::component::ResourceAny;

use crate::deadline::Caller;
use crate::engine::Runtime;
use crate::failure::{FailureKind, PolicyFailure};
use crate::instance::Instance;
use crate::policy::{Isolation, Policy};

/// The instances that the policies of one worker share. Lives as long as the worker,
/// across reloads.
pub struct WorkerHost {
    pub(crate) runtime: Runtime,
    pub(crate) caller: Caller,
    slots: RefCell<HashMap<SlotKey, Weak<Slot>>>,
}

/// The component's hash and the memory limit: configurations with different limits do
/// not share an instance.
type SlotKey = ([u8; 32], usize);

/// Holds the current instance, which is replaced after a failure.
pub(crate) struct Slot {
    pub(crate) instance: RefCell<Option<Instance>>,
    /// The number of the current instance: handles from an earlier one are invalid.
    pub(crate) generation: Cell<u64>,
}

impl WorkerHost {
    /// Called once on each worker.
    pub fn new(runtime: &Runtime) -> Rc<Self> {
        Rc::new(Self {
            runtime: runtime.clone(),
            caller: runtime.caller(),
            slots: RefCell::default(),
        })
    }

    /// The slot of a policy's instance.
    pub(crate) fn slot(&self, policy: &Policy) -> Rc<Slot> {
        let fresh = || {
            Rc::new(Slot {
                instance: RefCell::new(None),
                generation: Cell::new(0),
            })
        };
        let spec = policy.spec();
        if spec.isolation == Isolation::Policy {
            return fresh();
        }
        let mut slots = self.slots.borrow_mut();
        let key = (*spec.component.hash(), spec.memory_limit);
        if let Some(slot) = slots.get(&key).and_then(Weak::upgrade) {
            return slot;
        }
        slots.retain(|_, slot| slot.strong_count() > 0);
        let slot = fresh();
        slots.insert(key, Rc::downgrade(&slot));
        slot
    }
}

/// A new instance for a policy.
pub(crate) fn new_instance(policy: &Policy, caller: &Caller) -> Result<Instance, PolicyFailure> {
    let spec = policy.spec();
    Instance::new(
        &spec.component.pre,
        Arc::clone(policy.name()),
        spec.memory_limit,
        caller,
        spec.configure_deadline,
    )
}

/// Configures a policy in a new instance. Its subscription must be the one that it
/// returned when it was first configured, because verdicts are checked against that
/// plan.
pub(crate) fn configure(
    policy: &Policy,
    instance: &mut Instance,
    caller: &Caller,
) -> Result<ResourceAny, PolicyFailure> {
    let deadline = policy.spec().configure_deadline;
    instance.log_as(policy.name());
    let configured = instance.configure(caller, deadline, &policy.spec().config)?;
    let subscription = instance.subscription(caller, deadline, configured)?;
    if subscription != *policy.subscription() {
        return Err(PolicyFailure::without_detail(FailureKind::BadVerdict(
            "its subscription differs from the one that it returned before".to_owned(),
        )));
    }
    Ok(configured)
}

impl fmt::Debug for WorkerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHost").finish_non_exhaustive()
    }
}
