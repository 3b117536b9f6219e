//! The policies that share instances, and the spare instances that are ready for them.
//!
//! A spare belongs to no worker: the first that needs one takes it, so that a family has
//! one more instance than there are workers, and not twice as many.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::configured::Configured;
use crate::policy::{Isolation, Policy, PolicyId, PolicySpec};

/// The most instances over which the policies of a family are spread, on a worker or in
/// the stock: either because one is too small for them, or because policies that a reload
/// has added are in an instance of their own.
pub(crate) const MAX_INSTANCES: usize = 4;
/// After a spare could not be made, none is tried for this long.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The policies of one component and memory limit, or a single policy with
/// `isolation = "policy"`.
pub(crate) struct Family {
    id: u64,
    members: Mutex<Vec<Weak<Policy>>>,
    stock: Mutex<Stock>,
}

#[derive(Default)]
struct Stock {
    spares: Vec<Configured>,
    order: Order,
    retry_at: Option<Instant>,
    /// How many reloads have added policies to the instances of workers since all of these
    /// were last made anew.
    additions: usize,
}

/// Whether spares are being made.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Order {
    #[default]
    None,
    Placed,
    /// Something was taken while spares were being made.
    Again,
}

/// The families in use that have more than one policy.
#[derive(Default)]
pub(crate) struct Families(Mutex<HashMap<SharedKey, Weak<Family>>>);

/// The component's hash and the memory limit: configurations with different limits do
/// not share an instance.
type SharedKey = ([u8; 32], usize);

impl Families {
    /// The family of a policy with these settings.
    pub(crate) fn of(&self, spec: &PolicySpec) -> Arc<Family> {
        if spec.isolation == Isolation::Policy {
            return Family::new();
        }
        let key = (*spec.component.hash(), spec.memory_limit);
        let mut families = lock(&self.0);
        if let Some(family) = families.get(&key).and_then(Weak::upgrade) {
            return family;
        }
        families.retain(|_, family| family.strong_count() > 0);
        let family = Family::new();
        families.insert(key, Arc::downgrade(&family));
        family
    }
}

impl Family {
    fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            members: Mutex::default(),
            stock: Mutex::default(),
        })
    }

    /// Differs from that of every other family of the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Adds a policy, which stays a member for as long as it exists.
    pub(crate) fn join(&self, policy: &Arc<Policy>) {
        let mut members = lock(&self.members);
        // Only when there is no room, so that a thousand policies do not look at each
        // other a million times.
        if members.len() == members.capacity() {
            members.retain(|member| member.strong_count() > 0);
        }
        members.push(Arc::downgrade(policy));
    }

    /// Whether there is a spare in which this policy is configured.
    pub(crate) fn has_spare(&self, policy: PolicyId) -> bool {
        let stock = self.stock();
        let mut spares = stock.spares.iter();
        spares.any(|spare| spare.handle(policy).is_some())
    }

    /// Takes a spare in which this policy is configured.
    pub(crate) fn take_spare(&self, policy: PolicyId) -> Option<Configured> {
        let mut stock = self.stock();
        let mut spares = stock.spares.iter();
        let at = spares.position(|spare| spare.handle(policy).is_some())?;
        Some(stock.spares.swap_remove(at))
    }

    /// Puts a spare back that was taken for a while.
    pub(crate) fn put_spare(&self, spare: Configured) {
        let mut stock = self.stock();
        if stock.spares.len() < MAX_INSTANCES {
            stock.spares.push(spare);
        }
    }

    /// Marks that spares are wanted. True if the caller has to have them made: nobody does
    /// so already.
    pub(crate) fn order(&self) -> bool {
        let mut stock = self.stock();
        if stock.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        let is_first = stock.order == Order::None;
        stock.order = if is_first {
            Order::Placed
        } else {
            Order::Again
        };
        is_first
    }

    /// The policies that no spare has, and the spares that are no longer worth their
    /// memory, because most of their policies are gone or there are too many instances.
    pub(crate) fn missing(&self) -> (Vec<Arc<Policy>>, Vec<Configured>) {
        let members: Vec<Arc<Policy>> = lock(&self.members)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let alive: HashSet<PolicyId> = members.iter().map(|policy| policy.id()).collect();
        let mut stock = self.stock();
        let is_worthless = |spare: &mut Configured| {
            let gone = spare.policies().filter(|policy| !alive.contains(policy));
            gone.count() * 2 > spare.policies().len()
        };
        let mut dropped: Vec<Configured> = stock.spares.extract_if(.., is_worthless).collect();
        let stocked = |spares: &[Configured], policy: &Policy| {
            let mut spares = spares.iter();
            spares.any(|spare| spare.handle(policy.id()).is_some())
        };
        let is_complete = members.iter().all(|policy| stocked(&stock.spares, policy));
        if !is_complete && stock.spares.len() >= MAX_INSTANCES {
            dropped.append(&mut stock.spares);
        }
        let missing = members
            .into_iter()
            .filter(|policy| !stocked(&stock.spares, policy));
        (missing.collect(), dropped)
    }

    /// Ends an order. True if more is wanted.
    pub(crate) fn deliver(&self, made: Vec<Configured>, is_all: bool) -> bool {
        let mut stock = self.stock();
        stock.spares.extend(made);
        stock.retry_at = (!is_all).then(|| Instant::now() + RETRY_AFTER);
        std::mem::take(&mut stock.order) == Order::Again && is_all
    }

    /// Ends an order that cannot be carried out.
    pub(crate) fn cancel(&self) {
        self.stock().order = Order::None;
    }

    /// Notes that a reload adds policies to the family. True if it has to make the
    /// instances of the others anew as well, so that they do not become ever more.
    pub(crate) fn adds(&self, are_all_new: bool) -> bool {
        let mut stock = self.stock();
        stock.additions += 1;
        let is_whole = are_all_new || stock.additions > MAX_INSTANCES;
        if is_whole {
            stock.additions = 1;
        }
        is_whole
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        lock(&self.stock)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
