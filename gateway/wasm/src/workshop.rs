//! The thread that runs guest code for which no request waits: it makes spare instances,
//! compares samples, and frees large instances.
//!
//! Its work is bounded: a family is in the queue once, and so is a sample of each policy.
//! What does not fit is counted, and asked for again when it is needed. Spares and samples
//! take turns, and the instances of a large family are made in slices, so that a slow
//! component delays the others by one of its calls at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::building::{Building, Failed};
use crate::configured::Configured;
use crate::deadline::Caller;
use crate::family::Family;
use crate::sample::Sample;

/// The stack of a thread that runs guest code: that of a worker.
pub(crate) const STACK: usize = 4 * 1024 * 1024;
/// After this time, the next family or sample has its turn.
const SLICE: Duration = Duration::from_millis(20);
/// The most instances that wait to be freed: they still take memory.
const MAX_DISCARDED: usize = 4;
/// A tenth of the weight of a worker, which has the default of 0.
const NICENESS: i32 = 10;

/// The thread and its queue. Stops when dropped.
pub(crate) struct Workshop(Arc<Shared>);

struct Shared {
    /// The most families, and the most samples, in the queue.
    capacity: usize,
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    orders: VecDeque<StockOrder>,
    samples: VecDeque<Sample>,
    discarded: Vec<Configured>,
    #[cfg(test)]
    tests: VecDeque<tests::Test>,
    is_samples_turn: bool,
    is_closed: bool,
}

/// Spares to be made for a family.
struct StockOrder {
    /// None once they are delivered.
    family: Option<Arc<Family>>,
    building: Option<Box<Building>>,
}

enum Job {
    Stock(StockOrder),
    Sample(Sample),
    Free(Vec<Configured>),
    #[cfg(test)]
    Test(tests::Test),
}

impl Workshop {
    /// Starts the thread. With a capacity of 0 there is none, and no work is accepted.
    pub(crate) fn start(capacity: usize, caller: Caller) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            capacity,
            queue: Mutex::default(),
            wake: Condvar::new(),
        });
        if capacity > 0 {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("janua-workshop".into())
                .stack_size(STACK)
                .spawn(move || shared.run(&caller))?;
        }
        Ok(Self(shared))
    }

    /// Has the spares made that a family lacks, unless that is already on its way.
    pub(crate) fn stock(&self, family: &Arc<Family>) {
        self.0.stock(family);
    }

    /// Has a sample compared. False if there is no room for it.
    pub(crate) fn sample(&self, sample: Sample) -> bool {
        let mut queue = self.0.queue();
        if queue.samples.len() >= self.0.capacity {
            return false;
        }
        queue.samples.push_back(sample);
        drop(queue);
        self.0.wake.notify_one();
        true
    }

    /// Has an instance freed: unmapping a large one takes milliseconds.
    pub(crate) fn discard(&self, instance: Configured) {
        let mut queue = self.0.queue();
        if self.0.capacity > 0 && queue.discarded.len() < MAX_DISCARDED {
            queue.discarded.push(instance);
            drop(queue);
            self.0.wake.notify_one();
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        self.0.queue().is_closed = true;
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn run(&self, caller: &Caller) {
        lower_priority();
        while let Some(job) = self.next() {
            let done = catch_unwind(AssertUnwindSafe(|| self.carry_out(job, caller)));
            if done.is_err() {
                tracing::error!(
                    "the thread that prepares policies panicked; it goes on, and workers make the instances that are missing"
                );
            }
        }
    }

    fn stock(&self, family: &Arc<Family>) {
        if self.capacity == 0 || !family.order() {
            return;
        }
        let order = StockOrder {
            family: Some(Arc::clone(family)),
            building: None,
        };
        let mut queue = self.queue();
        // Otherwise the order is dropped, which cancels it.
        if queue.orders.len() < self.capacity {
            queue.orders.push_back(order);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Waits for work. None once the workshop is closed.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if queue.is_closed {
                return None;
            }
            #[cfg(test)]
            if let Some(test) = queue.tests.pop_front() {
                return Some(Job::Test(test));
            }
            if !queue.discarded.is_empty() {
                return Some(Job::Free(std::mem::take(&mut queue.discarded)));
            }
            queue.is_samples_turn = !queue.is_samples_turn;
            let is_samples_turn = queue.is_samples_turn || queue.orders.is_empty();
            if is_samples_turn && let Some(sample) = queue.samples.pop_front() {
                return Some(Job::Sample(sample));
            }
            if let Some(order) = queue.orders.pop_front() {
                return Some(Job::Stock(order));
            }
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn carry_out(&self, job: Job, caller: &Caller) {
        match job {
            Job::Free(instances) => drop(instances),
            #[cfg(test)]
            Job::Test(test) => test(),
            Job::Sample(sample) => {
                let family = Arc::clone(sample.family());
                if sample.compare(caller) {
                    self.stock(&family);
                }
            }
            Job::Stock(order) => self.make(order, caller),
        }
    }

    /// Makes spares for a while, and puts the rest of the work behind that of others.
    fn make(&self, mut order: StockOrder, caller: &Caller) {
        let Some(family) = order.family.clone() else {
            return;
        };
        let mut building = order
            .building
            .take()
            .unwrap_or_else(|| Box::new(Building::new(family.missing().0)));
        let begin = Instant::now();
        while building.step(caller) {
            if begin.elapsed() >= SLICE {
                order.building = Some(building);
                self.queue().orders.push_back(order);
                return;
            }
        }
        let (made, failed) = building.finish();
        order.family = None;
        warn_of(&failed, "no spare instance");
        if family.deliver(made, failed.is_empty()) {
            self.stock(&family);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StockOrder {
    /// After a panic, or if there is no room for it: the next one who needs a spare orders
    /// again.
    fn drop(&mut self) {
        if let Some(family) = &self.family {
            family.cancel();
        }
    }
}

/// Leaves the processors to the workers while these need them. On Linux this concerns the
/// calling thread alone.
pub(crate) fn lower_priority() {
    // If it is not permitted, the thread works all the same.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// Logs that policies could not be configured in the background.
pub(crate) fn warn_of(failed: &[Failed], what: &str) {
    let Some(Failed { policy, failure }) = failed.first() else {
        return;
    };
    tracing::warn!(
        policy = &**policy.name(),
        error = failure.to_string().as_str(),
        policies = failed.len(),
        "{what} could be made for a policy: a request that needs one waits until its worker has made it"
    );
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::deadline::Ticker;
    use crate::engine::engine;

    pub(super) type Test = Box<dyn FnOnce() + Send>;

    #[test]
    fn a_panic_does_not_end_the_thread() {
        let engine = engine().unwrap();
        let ticker = Ticker::start(engine.weak()).unwrap();
        let workshop = Workshop::start(1, ticker.caller()).unwrap();
        let (done, wait) = mpsc::channel();
        let tests: [Test; 2] = [
            Box::new(|| panic!("told to panic")),
            Box::new(move || done.send(()).unwrap()),
        ];
        workshop.0.queue().tests.extend(tests);
        workshop.0.wake.notify_one();
        assert_eq!(wait.recv(), Ok(()));
    }
}
