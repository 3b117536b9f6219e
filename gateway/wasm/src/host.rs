//! The instances of a worker, which its policies share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};

use wasmtime::component::ResourceAny;

use crate::configured::Configured;
use crate::deadline::Caller;
use crate::engine::Runtime;
use crate::policy::{Policy, PolicyId};
use crate::prepare::{Prepared, Ready};

/// The instances that the policies of one worker share. Lives as long as the worker,
/// across reloads.
pub struct WorkerHost {
    pub(crate) runtime: Runtime,
    pub(crate) caller: Caller,
    /// By family.
    slots: RefCell<HashMap<u64, Weak<Slot>>>,
}

/// The instances of a family on a worker: as a rule one, and more if one is too small for
/// all policies, or if reloads have added policies.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) instances: RefCell<Vec<Configured>>,
}

/// The place of a policy's configuration, until the slot changes.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The index of the instance in the slot.
    pub(crate) instance: usize,
    pub(crate) handle: ResourceAny,
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

    /// Adopts the instances that were prepared for the worker with this index. No guest
    /// code runs. The policies that are configured in them must have been created before,
    /// as [`WorkerPolicy`](crate::WorkerPolicy).
    pub fn adopt(&self, prepared: &Prepared, worker: usize) {
        let slots = self.slots.borrow();
        for Ready { family, instance } in prepared.take(worker) {
            match slots.get(&family).and_then(Weak::upgrade) {
                Some(slot) => self.discard(slot.adopt(instance)),
                None => self.discard([instance]),
            }
        }
    }

    /// The slot of a policy's family.
    pub(crate) fn slot(&self, policy: &Policy) -> Rc<Slot> {
        let mut slots = self.slots.borrow_mut();
        let family = policy.family().id();
        if let Some(slot) = slots.get(&family).and_then(Weak::upgrade) {
            return slot;
        }
        if slots.len() == slots.capacity() {
            slots.retain(|_, slot| slot.strong_count() > 0);
        }
        let slot = Rc::new(Slot::default());
        slots.insert(family, Rc::downgrade(&slot));
        slot
    }

    /// Has instances freed elsewhere.
    pub(crate) fn discard(&self, instances: impl IntoIterator<Item = Configured>) {
        for instance in instances {
            self.runtime.workshop().discard(instance);
        }
    }
}

impl Slot {
    /// Where a policy is configured.
    #[inline]
    pub(crate) fn find(instances: &[Configured], policy: PolicyId) -> Option<Place> {
        let mut instances = instances.iter().enumerate();
        instances.find_map(|(instance, configured)| {
            let handle = configured.handle(policy)?;
            Some(Place { instance, handle })
        })
    }

    /// Adds an instance. Its policies use it from now on. Returns the instances that no
    /// policy uses any more.
    pub(crate) fn adopt(&self, new: Configured) -> Vec<Configured> {
        let mut instances = self.instances.borrow_mut();
        for old in &mut *instances {
            old.forget_all_of(&new);
        }
        let unused = instances.extract_if(.., |old| old.policies().len() == 0);
        let unused = unused.collect();
        instances.push(new);
        unused
    }

    /// Forgets a policy. Returns the instance if no other policy uses it.
    pub(crate) fn forget(&self, policy: PolicyId) -> Option<Configured> {
        let mut instances = self.instances.try_borrow_mut().ok()?;
        let place = Self::find(&instances, policy)?;
        let configured = instances.get_mut(place.instance)?;
        configured.forget(policy);
        let is_unused = configured.policies().len() == 0;
        is_unused.then(|| instances.remove(place.instance))
    }
}

impl fmt::Debug for WorkerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHost").finish_non_exhaustive()
    }
}
