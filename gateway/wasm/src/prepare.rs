//! Makes the instances of all workers before a configuration is published, so that no
//! request waits until policies are configured.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::building::{Building, Failed};
use crate::configured::Configured;
use crate::deadline::Caller;
use crate::engine::Runtime;
use crate::family::Family;
use crate::policy::{Policy, PolicyId};
use crate::workshop::{STACK, lower_priority, warn_of};

/// Instances that are ready for workers. Each worker takes its own, once.
#[derive(Default)]
pub struct Prepared(Vec<Mutex<Vec<Ready>>>);

/// An instance of this family.
pub(crate) struct Ready {
    pub(crate) family: u64,
    pub(crate) instance: Configured,
}

/// The policies of a family that are to be configured.
struct Wanted {
    family: Arc<Family>,
    policies: Vec<Arc<Policy>>,
}

impl Runtime {
    /// Configures policies in instances for this many workers. Those of `previous`, which
    /// workers have already, are not configured again, except now and then, when their
    /// component has become spread over too many instances. Blocks, and uses up to half of
    /// the processors at a low priority.
    ///
    /// A policy that cannot be configured now is logged, and is configured on the workers
    /// when a request needs it: [`Self::configure`] has shown that its configuration is
    /// good.
    pub fn prepare(
        &self,
        policies: &[Arc<Policy>],
        previous: &[Arc<Policy>],
        workers: usize,
    ) -> Prepared {
        let wanted = wanted(policies, previous);
        let places: Vec<_> = (0..workers).map(|_| Mutex::default()).collect();
        let failed: Mutex<HashMap<PolicyId, Failed>> = Mutex::default();
        if !wanted.is_empty() {
            let next = AtomicUsize::new(0);
            let work = |caller: &Caller| {
                while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (ready, without) = make(&wanted, caller);
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = ready;
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.extend(without.into_iter().map(|it| (it.policy.id(), it)));
                }
            };
            self.on_threads(workers, &work);
        }
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        warn_of(&failed.into_values().collect::<Vec<_>>(), "no instance");
        for wanted in &wanted {
            self.workshop().stock(&wanted.family);
        }
        Prepared(places)
    }

    /// Runs the work on up to half of the processors' number of threads.
    fn on_threads(&self, most: usize, work: &(dyn Fn(&Caller) + Sync)) {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = (processors / 2).clamp(1, most.max(1));
        thread::scope(|scope| {
            let started: Vec<_> = (0..threads)
                .map(|_| {
                    let caller = self.caller();
                    thread::Builder::new()
                        .name("janua-prepare".into())
                        .stack_size(STACK)
                        .spawn_scoped(scope, move || {
                            lower_priority();
                            work(&caller);
                        })
                })
                .collect();
            for thread in started {
                let failed = match thread {
                    Ok(thread) => thread.join().is_err(),
                    Err(_) => true,
                };
                if failed {
                    tracing::error!(
                        "a thread that prepares policies failed; workers make the instances that are missing"
                    );
                }
            }
        });
    }
}

/// The policies to be configured, by family.
fn wanted(policies: &[Arc<Policy>], previous: &[Arc<Policy>]) -> Vec<Wanted> {
    let known: HashSet<PolicyId> = previous.iter().map(|policy| policy.id()).collect();
    let mut families: BTreeMap<u64, Vec<&Arc<Policy>>> = BTreeMap::new();
    for policy in policies {
        let family = families.entry(policy.family().id()).or_default();
        family.push(policy);
    }
    let is_new = |policy: &Arc<Policy>| !known.contains(&policy.id());
    let of_family = |policies: Vec<&Arc<Policy>>| {
        let first = policies.first()?;
        let new = policies.iter().filter(|policy| is_new(policy)).count();
        if new == 0 {
            return None;
        }
        let is_whole = first.family().adds(new == policies.len());
        let policies = policies.iter().filter(|policy| is_whole || is_new(policy));
        Some(Wanted {
            family: Arc::clone(first.family()),
            policies: policies.map(|policy| Arc::clone(policy)).collect(),
        })
    };
    families.into_values().filter_map(of_family).collect()
}

/// Makes the instances of one worker.
fn make(wanted: &[Wanted], caller: &Caller) -> (Vec<Ready>, Vec<Failed>) {
    let mut ready = Vec::new();
    let mut without = Vec::new();
    for Wanted { family, policies } in wanted {
        let mut building = Building::new(policies.iter().map(Arc::clone));
        while building.step(caller) {}
        let (made, failed) = building.finish();
        ready.extend(made.into_iter().map(|instance| Ready {
            family: family.id(),
            instance,
        }));
        without.extend(failed);
    }
    (ready, without)
}

impl Prepared {
    /// The instances of the worker with this index.
    pub(crate) fn take(&self, worker: usize) -> Vec<Ready> {
        let place = self.0.get(worker);
        place.map_or_else(Vec::new, |place| {
            std::mem::take(&mut *place.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("workers", &self.0.len())
            .finish()
    }
}
