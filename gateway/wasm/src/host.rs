//! What a worker's policies share: the instances.

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

/// What the policies of one worker share: the instances. Lives as long as the
/// worker, across reloads.
pub struct WorkerHost {
    pub(crate) runtime: Runtime,
    pub(crate) caller: Caller,
    slots: RefCell<HashMap<SlotKey, Weak<Slot>>>,
}

/// Configurations with other limits do not share an instance.
type SlotKey = ([u8; 32], usize);

/// A place for one instance, and for those that take its place when it is gone.
pub(crate) struct Slot {
    pub(crate) instance: RefCell<Option<Instance>>,
    /// Numbers the instances of this place: handles of an earlier one are invalid.
    pub(crate) generation: Cell<u64>,
}

impl WorkerHost {
    /// Made once on each worker.
    pub fn new(runtime: &Runtime) -> Rc<Self> {
        Rc::new(Self {
            runtime: runtime.clone(),
            caller: runtime.caller(),
            slots: RefCell::default(),
        })
    }

    /// The place of a policy's instance.
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

/// Configures a policy that has accepted this configuration before. Its subscription
/// must be the same as then, since verdicts are checked against the plan made of it.
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
            "the same configuration subscribed to something else than before".to_owned(),
        )));
    }
    Ok(configured)
}

impl fmt::Debug for WorkerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHost").finish_non_exhaustive()
    }
}
