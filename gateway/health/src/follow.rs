//! The task of one endpoint: checks it, reports the result, and waits.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use janua_telemetry::metrics::{Registry, definitions};
use janua_upstream::{CheckResult, Endpoint, Upstream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use crate::check::Check;
use crate::failure::Unsuccessful;
use crate::probe;

/// The shortest time between two messages that the gateway is short of something.
const QUIET_MS: u64 = 60_000;

/// What all tasks use.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The zero of the clock by which endpoints count milliseconds.
    pub(crate) origin: Instant,
    pub(crate) metrics: Arc<Registry>,
}

impl Context {
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// An endpoint of a snapshot's upstream, and how it is checked.
#[derive(Debug)]
pub(crate) struct Job {
    upstream: Arc<Upstream>,
    index: usize,
    endpoint: Arc<Endpoint>,
    address: String,
    pub(crate) check: Arc<Check>,
}

impl Job {
    pub(crate) fn new(upstream: Arc<Upstream>, index: usize, check: Arc<Check>) -> Option<Self> {
        let endpoint = Arc::clone(&upstream.members().get(index)?.endpoint);
        Some(Self {
            address: endpoint.address().to_string(),
            endpoint,
            upstream,
            index,
            check,
        })
    }

    pub(crate) fn upstream(&self) -> &str {
        self.upstream.name()
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// The places of checks that are carried out at the same moment.
#[derive(Debug)]
pub(crate) struct Places {
    /// Those of the upstream.
    pub(crate) of_one: Arc<Semaphore>,
    /// Those of all upstreams.
    pub(crate) all: Arc<Semaphore>,
}

impl Places {
    /// Waits for a place, which is held as long as what is returned. A check that waits for one
    /// of its upstream holds none of all.
    async fn take(&self) -> impl Sized {
        // They are never closed.
        let of_one = self.of_one.acquire().await;
        (of_one, self.all.acquire().await)
    }
}

/// Carries out one check.
pub(crate) trait Ask: Clone + Send + Sync + 'static {
    fn ask(&self, job: &Job) -> impl Future<Output = Result<(), Unsuccessful>> + Send;
}

/// Asks the endpoint over the network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked;

impl Ask for Asked {
    fn ask(&self, job: &Job) -> impl Future<Output = Result<(), Unsuccessful>> + Send {
        probe::check(&job.check, &job.endpoint)
    }
}

/// Checks an endpoint until its task is ended. A new job takes effect at once: with another
/// question the endpoint is asked immediately, and what it answers to the one before does not
/// count; with another interval it is asked when that is over.
pub(crate) async fn follow(
    mut jobs: watch::Receiver<Arc<Job>>,
    context: Context,
    places: Places,
    ask: impl Ask,
) {
    // The number of requests at the check before.
    let mut requests = 0;
    loop {
        let job = Arc::clone(&jobs.borrow_and_update());
        let place = places.take().await;
        let is_answered = tokio::select! {
            biased;
            () = another_question(&mut jobs, &job.check) => false,
            () = once(&job, &context, &ask) => true,
        };
        drop(place);
        if !is_answered {
            job.endpoint.restart_checks();
            continue;
        }
        let ended = Instant::now();
        let random = fastrand::f64();
        let counters = job.endpoint.counters();
        let is_idle = counters.in_flight == 0 && counters.requests == requests;
        requests = counters.requests;
        loop {
            let current = Arc::clone(&jobs.borrow_and_update());
            if !current.check.asks_the_same(&job.check) {
                current.endpoint.restart_checks();
                break;
            }
            let checks = current.endpoint.checks();
            let wait = current.check.timing.wait(&checks, is_idle, random);
            tokio::select! {
                // A job that has come when the check is due must be looked at first: it may ask
                // for something else.
                biased;
                changed = jobs.changed() => if changed.is_err() {
                    return;
                },
                () = sleep_until(ended + wait) => break,
            }
        }
    }
}

/// Waits until a job asks for something else than this check.
async fn another_question(jobs: &mut watch::Receiver<Arc<Job>>, check: &Check) {
    while jobs.changed().await.is_ok() {
        if !jobs.borrow_and_update().check.asks_the_same(check) {
            return;
        }
    }
    // There will be no other job, and the task is about to be ended.
    std::future::pending().await
}

/// Carries out a check, and reports its result to the endpoint and the metrics.
async fn once(job: &Job, context: &Context, ask: &impl Ask) {
    let begun = Instant::now();
    let result = ask.ask(job).await;
    let word = match &result {
        Ok(()) => "passed",
        Err(Unsuccessful::Failed(failure)) => failure.word,
        Err(Unsuccessful::Local(_)) => "local",
    };
    let name = job.upstream();
    let labels = [name, job.address.as_str(), word];
    let counter = context.metrics.counter(&definitions::HEALTH_CHECKS, labels);
    counter.increment(0);
    let duration = &definitions::HEALTH_CHECK_DURATION;
    let duration = context.metrics.histogram(duration, [name]);
    duration.observe(0, begun.elapsed());
    let now_ms = context.now_ms();
    let result = match result {
        Ok(()) => CheckResult::Passed,
        Err(Unsuccessful::Failed(failure)) => CheckResult::Failed(failure),
        Err(Unsuccessful::Local(error)) => return report_shortage(&error, now_ms),
    };
    let rule = &job.check.timing.rule;
    job.upstream.record_check(job.index, result, rule, now_ms);
}

/// Says that checks are not carried out because something is short here. All endpoints have this
/// at the same time.
fn report_shortage(error: &str, now_ms: u64) {
    static NEXT_MS: AtomicU64 = AtomicU64::new(0);
    let next_ms = NEXT_MS.load(Relaxed);
    if now_ms >= next_ms
        && NEXT_MS
            .compare_exchange(next_ms, now_ms + QUIET_MS, Relaxed, Relaxed)
            .is_ok()
    {
        tracing::warn!(error, "endpoints cannot be checked at the moment");
    }
}
