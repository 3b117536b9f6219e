//! The one checker of the process: a thread, and on it a task for each checked endpoint.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use janua_telemetry::metrics::Registry;
use janua_upstream::{CheckState, EndpointId, Upstream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::check::Check;
use crate::follow::{Ask, Asked, Context, Job, Places, follow};
use crate::task::Background;

/// The most checks that are carried out at the same moment. Each takes a file descriptor, and
/// none holds its place for longer than its time limit.
const MOST_AT_ONCE: usize = 256;

/// How many of them may be of one upstream: if all of its endpoints hang, until a time limit that
/// may be long, those of others are checked all the same.
const MOST_OF_ONE: usize = 128;

/// An upstream of a snapshot, and its checks if it has any.
pub type Assignment = (Arc<Upstream>, Option<Arc<Check>>);

/// A handle to the checker. Its thread is started by the first upstream with checks, and ends
/// with the process or when the handle is dropped.
#[derive(Debug)]
pub struct Checker {
    context: Context,
    orders: Mutex<Option<mpsc::UnboundedSender<Order>>>,
}

/// What the thread is told.
#[derive(Debug)]
enum Order {
    /// Begin to check the endpoints of these upstreams that are not checked yet.
    Begin(Vec<Assignment>),
    /// Check the endpoints of these upstreams and no others.
    Apply(Vec<Assignment>),
    /// Check this endpoint as if it were new, and say so once it counts as new.
    Restart(EndpointId, SyncSender<()>),
}

impl Checker {
    /// A checker without anything to check. `origin` is the zero of the clock by which endpoints
    /// count milliseconds.
    #[must_use]
    pub fn new(origin: Instant, metrics: Arc<Registry>) -> Self {
        Self {
            context: Context { origin, metrics },
            orders: Mutex::default(),
        }
    }

    /// Begins to check the endpoints of a snapshot that is about to be published, so that they
    /// have results by then. Endpoints that are checked already are left as they are.
    pub fn begin(&self, upstreams: impl Iterator<Item = Assignment>) {
        self.order(Order::Begin(upstreams.collect()));
    }

    /// Checks the endpoints of these upstreams, which are those of the published snapshot, and no
    /// others from now on. Endpoints that stay keep their state and their schedule.
    pub fn apply(&self, upstreams: impl Iterator<Item = Assignment>) {
        self.order(Order::Apply(upstreams.collect()));
    }

    /// Has an endpoint checked at once as if it were new: it gets nothing before a check has passed
    /// that begins after this. One that is in progress does not count. Blocks until that is so, and
    /// does nothing for an endpoint that is not checked.
    pub fn restart(&self, endpoint: EndpointId) {
        let (told, is_told) = sync_channel(1);
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = orders
            .as_ref()
            .map(|orders| orders.send(Order::Restart(endpoint, told)));
        drop(orders);
        if let Some(Ok(())) = sent {
            // It fails only if the thread has ended, with the process.
            let _ = is_told.recv();
        }
    }

    fn order(&self, order: Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.is_none() {
            let (Order::Begin(upstreams) | Order::Apply(upstreams)) = &order else {
                return;
            };
            if upstreams.iter().all(|(_, check)| check.is_none()) {
                return;
            }
            match start(self.context.clone()) {
                Ok(started) => *orders = Some(started),
                Err(error) => {
                    tracing::error!("endpoints cannot be checked, and count as up: {error}");
                    for (upstream, _) in upstreams {
                        upstream.forget_checks(self.context.now_ms());
                    }
                }
            }
        }
        if let Some(orders) = &*orders {
            // It is refused only if the thread has ended, with the process.
            let _ = orders.send(order);
        }
    }
}

/// Whether an endpoint of a checked upstream waits for the result of its first check.
#[must_use]
pub fn awaits_first_result((upstream, check): &Assignment) -> bool {
    let is_waiting = |checks: janua_upstream::Checks| {
        checks.state == CheckState::Waiting && checks.checked_ms.is_none()
    };
    let mut members = upstream.members().iter();
    check.is_some() && members.any(|member| is_waiting(member.endpoint.checks()))
}

fn start(context: Context) -> io::Result<mpsc::UnboundedSender<Order>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("janua-health".to_owned())
        .spawn(move || runtime.block_on(serve(receiver, context, Asked)))?;
    Ok(sender)
}

/// An endpoint that is checked. Dropping it ends that.
struct Running {
    jobs: watch::Sender<Arc<Job>>,
    _task: Background,
}

async fn serve(mut orders: mpsc::UnboundedReceiver<Order>, context: Context, ask: impl Ask) {
    let all = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut by_upstream: HashMap<Box<str>, Weak<Semaphore>> = HashMap::new();
    let mut running: HashMap<EndpointId, Running> = HashMap::new();
    let mut start = |job: Arc<Job>| {
        let of_one = by_upstream.get(job.upstream()).and_then(Weak::upgrade);
        let of_one = of_one.unwrap_or_else(|| {
            by_upstream.retain(|_, places| places.strong_count() > 0);
            let places = Arc::new(Semaphore::new(MOST_OF_ONE));
            by_upstream.insert(job.upstream().into(), Arc::downgrade(&places));
            places
        });
        let all = Arc::clone(&all);
        let (jobs, receiver) = watch::channel(job);
        let places = Places { of_one, all };
        let task = follow(receiver, context.clone(), places, ask.clone());
        Running {
            jobs,
            _task: Background::run(task),
        }
    };
    while let Some(order) = orders.recv().await {
        match order {
            Order::Begin(upstreams) => {
                for job in upstreams.iter().flat_map(jobs) {
                    let id = job.endpoint().id();
                    running.entry(id).or_insert_with(|| start(Arc::new(job)));
                }
            }
            Order::Apply(upstreams) => {
                let mut wanted = HashSet::new();
                for job in upstreams.iter().flat_map(jobs) {
                    let id = job.endpoint().id();
                    wanted.insert(id);
                    match running.get(&id) {
                        Some(known) => drop(known.jobs.send_replace(Arc::new(job))),
                        None => drop(running.insert(id, start(Arc::new(job)))),
                    }
                }
                // Before the others: they get requests without a break.
                let mut unchecked = HashSet::new();
                for (upstream, _) in upstreams.iter().filter(|(_, check)| check.is_none()) {
                    upstream.forget_checks(context.now_ms());
                    let members = upstream.members().iter();
                    unchecked.extend(members.map(|member| member.endpoint.id()));
                }
                running.retain(|id, known| {
                    let is_wanted = wanted.contains(id);
                    if !is_wanted && !unchecked.contains(id) {
                        // Should it come back while a request still uses it, it is as new.
                        known.jobs.borrow().endpoint().await_first_pass();
                    }
                    is_wanted
                });
            }
            Order::Restart(id, told) => {
                if let Some(known) = running.remove(&id) {
                    let job = Arc::clone(&known.jobs.borrow());
                    // Ends a check that is in progress.
                    drop(known);
                    job.endpoint().await_replacement();
                    running.insert(id, start(job));
                }
                // Whoever waited may have given up.
                let _ = told.send(());
            }
        }
    }
}

/// A job for each endpoint of an upstream that has checks.
fn jobs((upstream, check): &Assignment) -> impl Iterator<Item = Job> {
    let indices = 0..upstream.members().len();
    indices.filter_map(move |index| {
        let check = check.as_ref()?;
        Job::new(Arc::clone(upstream), index, Arc::clone(check))
    })
}

#[cfg(test)]
mod tests;
