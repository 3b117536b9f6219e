//! What is not done on a worker: instances are prepared and spares made, and samples
//! compared, elsewhere.

use std::sync::Mutex;
use std::thread::{self, ThreadId};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// A worker, and the policies of the snapshot that it uses.
struct Worker {
    host: Rc<WorkerHost>,
    policies: Vec<Arc<Policy>>,
}

impl Worker {
    /// Takes over policies as at a reload: those that it has are left alone. The askers are
    /// of those that are new.
    fn reload(&mut self, policies: &[Arc<Policy>]) -> Vec<Asker> {
        let prepared = RUNTIME.prepare(policies, &self.policies, 1);
        let known: Vec<_> = self.policies.iter().map(|policy| policy.id()).collect();
        let new = policies
            .iter()
            .filter(|policy| !known.contains(&policy.id()));
        let askers = new.map(|policy| Asker::on(Arc::clone(policy), &self.host));
        let askers = askers.collect();
        self.host.adopt(&prepared, 0);
        self.policies = policies.to_vec();
        askers
    }

    /// The first policies.
    fn start(specs: impl IntoIterator<Item = PolicySpec>) -> (Self, Vec<Asker>) {
        let mut worker = Self {
            host: WorkerHost::new(&RUNTIME),
            policies: Vec::new(),
        };
        let policies: Vec<_> = specs.into_iter().map(configure).collect();
        let askers = worker.reload(&policies);
        (worker, askers)
    }
}

/// A policy in a family of its own, so that no other test uses its spares.
fn alone(what: &str) -> PolicySpec {
    let mut spec = misbehaving(what);
    spec.isolation = Isolation::Policy;
    spec.breaker.clients = 0;
    spec.throttle.share_percent = 100;
    spec
}

/// A policy of a family that no other test has: that of this memory limit.
fn family(what: &str, memory_limit: usize) -> PolicySpec {
    let mut spec = alone(what);
    spec.isolation = Isolation::Shared;
    spec.memory_limit = memory_limit;
    spec
}

fn has_spare(asker: &Asker) -> bool {
    asker.policy.policy().has_spare()
}

/// Has the policy trap, and finds out whether it answers afterwards.
fn trap(asker: &mut Asker, path: &str) {
    let kind = asker.failure(Phase::Request, &Request::marked());
    assert_eq!(kind, FailureKind::Trap);
    assert!(!asker.verdict(&Request::path(path)).1);
}

#[test]
fn the_first_request_finds_its_policy_configured() {
    let quiet = || family(r#""do":"nothing""#, 41 << 20);
    let (_worker, mut askers) = Worker::start([quiet(), quiet(), alone(r#""do":"nothing""#)]);
    for asker in &mut askers {
        asker.verdict(&Request::path("/"));
        let counts = asker.counts();
        assert_eq!((counts.calls, counts.configured, counts.spares), (1, 0, 0));
    }
}

#[test]
fn a_lost_instance_is_replaced_by_a_spare() {
    let (_worker, mut askers) = Worker::start([alone(r#""do":"trap","marked":true"#)]);
    let asker = &mut askers[0];
    for n in 1..=3 {
        until("a spare is ready", || has_spare(asker));
        trap(asker, &format!("/{n}"));
        let counts = asker.counts();
        assert_eq!((counts.spares, counts.configured), (n, 0));
    }
}

#[test]
fn a_full_instance_is_replaced_by_a_spare() {
    let mut spec = alone(r#""do":"leak","amount":1048576"#);
    spec.memory_limit = 16 << 20;
    spec.memo = false;
    spec.deadline = Duration::from_millis(500);
    let (_worker, mut askers) = Worker::start([spec]);
    let asker = &mut askers[0];
    for n in 0..60 {
        until("a spare is ready", || has_spare(asker));
        asker.verdict(&Request::path(&format!("/{n}")));
    }
    let counts = asker.counts();
    assert!(counts.recycled >= 3 && counts.spares >= 3, "{counts:?}");
    assert_eq!((counts.memory, counts.configured), (0, 0));
}

/// Without the thread, or while it has no time, workers help themselves.
#[test]
fn requests_are_answered_without_the_workshop() {
    let runtime = Runtime::new(RuntimeOptions {
        background_jobs: 0,
        ..RuntimeOptions::default()
    })
    .unwrap();
    let component = runtime.load(&bytes("misbehave")).unwrap();
    let mut spec = PolicySpec::new("bad", component);
    spec.config = r#"{"do":"trap","marked":true}"#.to_owned();
    spec.sample = 1;
    spec.breaker.clients = 0;
    let policy = runtime.configure(spec).unwrap();
    let mut asker = Asker::on(policy, &WorkerHost::new(&runtime));
    for n in 1..=3 {
        trap(&mut asker, &format!("/{n}"));
        assert!(asker.verdict(&Request::path(&format!("/{n}"))).1);
        let counts = asker.counts();
        assert_eq!((counts.spares, counts.configured), (0, n + 1));
        assert_eq!((counts.samples, counts.samples_dropped), (0, n));
    }
}

#[test]
fn a_policy_that_stays_keeps_its_memo_and_its_instance() {
    let spec = |what: &str| family(what, 42 << 20);
    let (mut worker, mut askers) = Worker::start([spec(r#""do":"lie""#)]);
    let mut stays = askers.remove(0);
    for path in ["/0", "/1"] {
        stays.verdict(&Request::path(path));
    }
    let first = Arc::clone(stays.policy.policy());
    let second = configure(spec(r#""do":"nothing""#));
    let mut added = worker.reload(&[first, second]);
    assert!(stays.verdict(&Request::path("/1")).1);
    // It goes on counting: its instance is the one that it had.
    let (verdict, _) = stays.verdict(&Request::path("/2"));
    let Edit::SetHeader { value, .. } = &verdict.edits[0] else {
        panic!("{verdict:?}");
    };
    assert_eq!(*value, Value::Literal(b"2"[..].into()));
    added[0].verdict(&Request::path("/"));
    for asker in [&stays, &added[0]] {
        assert_eq!((asker.counts().configured, asker.counts().spares), (0, 0));
    }
}

/// However often policies come and go, every one is configured before it is asked, and an
/// old one that a request still uses is answered.
#[test]
fn many_reloads_leave_every_policy_configured() {
    let spec = |n: u32| {
        let mut spec = family(r#""do":"trap","marked":true"#, 43 << 20);
        spec.name = format!("policy-{n}");
        spec
    };
    let (mut worker, mut askers) = Worker::start([spec(0), spec(1)]);
    let first = Arc::clone(&worker.policies[0]);
    for n in 2..20 {
        // One comes, and the oldest but the first goes.
        let last = Arc::clone(worker.policies.last().unwrap());
        let policies = [Arc::clone(&first), last, configure(spec(n))];
        askers.append(&mut worker.reload(&policies));
        for asker in &mut askers {
            asker.verdict(&Request::path(&format!("/{n}")));
            assert_eq!(asker.counts().configured, 0, "{n}");
        }
    }
    // A trap that takes the instance of others is no matter for them.
    until("a spare is ready", || has_spare(&askers[0]));
    trap(&mut askers[0], "/after");
    for asker in &mut askers {
        asker.verdict(&Request::path("/last"));
    }
}

/// Policies that do not fit into one instance are spread over several.
#[test]
fn policies_are_spread_over_instances() {
    let spec = || {
        let what = r#""do":"leak","amount":6291456,"phase":"configure""#;
        family(what, 16 << 20)
    };
    let (_worker, mut askers) = Worker::start([spec(), spec(), spec(), spec(), spec()]);
    for asker in &mut askers {
        asker.verdict(&Request::path("/"));
        assert_eq!(asker.counts().configured, 0);
    }
    // More than that are configured when they are asked.
    let (_worker, mut askers) = Worker::start((0..10).map(|_| spec()));
    for asker in &mut askers {
        asker.verdict(&Request::path("/"));
        assert_eq!(asker.counts().memory, 0);
    }
}

#[test]
fn samples_run_on_another_thread() {
    let threads: Threads = Arc::default();
    tracing::subscriber::set_global_default(Lines(Arc::clone(&threads))).unwrap();
    let mut spec = alone(r#""do":"log","amount":1"#);
    spec.name = "sampled".to_owned();
    spec.sample = 1;
    let (_worker, mut askers) = Worker::start([spec]);
    let asker = &mut askers[0];
    until("four samples are compared", || {
        asker.verdict(&Request::path("/"));
        threads.lock().unwrap().len() > 4
    });
    let threads = threads.lock().unwrap();
    let here = threads.iter().filter(|it| **it == thread::current().id());
    assert_eq!(here.count(), 1, "the call of the first request");
    assert_eq!(asker.counts().mismatches, 0);
}

/// The threads on which the policy `sampled` has written a line.
type Threads = Arc<Mutex<Vec<ThreadId>>>;

/// Notes the threads of log lines.
struct Lines(Threads);

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut is_sampled = IsSampled(false);
        event.record(&mut is_sampled);
        if is_sampled.0 {
            self.0.lock().unwrap().push(thread::current().id());
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct IsSampled(bool);

impl Visit for IsSampled {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 |= field.name() == "policy" && value == "sampled";
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// A verdict that depends on the time is compared with one of the same time.
#[test]
fn a_sample_is_told_the_time_of_the_remembered_call() {
    let mut spec = alone(r#""do":"now""#);
    spec.sample = 1;
    let (_worker, mut askers) = Worker::start([spec]);
    let asker = &mut askers[0];
    let (first, _) = asker.verdict(&Request::path("/"));
    asker.unix_seconds += 100;
    // One is in the workshop at a time: with the third, two have been compared.
    until("samples are compared", || {
        assert!(Rc::ptr_eq(&asker.verdict(&Request::path("/")).0, &first));
        asker.counts().samples >= 3
    });
    let status = asker.policy.policy().status(0);
    assert!(!status.reuse_disabled, "{:?}", status.last_error);
    assert_eq!(status.counts.mismatches, 0);
}
