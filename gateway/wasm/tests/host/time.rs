//! Suspended policies and CPU-time deadlines.

use super::*;

#[test]
fn a_policy_that_traps_for_many_clients_is_suspended() {
    let mut asker = Asker::new(misbehaving(r#""do":"trap","marked":true"#));
    asker.verdict(&Request::path("/known"));
    let trap = |asker: &mut Asker, client| {
        let kind = asker.failure(Phase::Request, &Request::marked().from(client));
        assert_eq!(kind, FailureKind::Trap);
    };
    for client in 0..5 {
        trap(&mut asker, client);
    }
    assert_eq!(
        asker.failure(Phase::Request, &Request::path("/new")),
        FailureKind::BreakerOpen
    );
    assert!(
        asker.verdict(&Request::path("/known")).1,
        "cached verdicts are still used"
    );
    let status = asker.policy.policy().status(asker.now_ms);
    assert_eq!(status.breaker, BreakerState::Open { for_ms: 5_000 });
    asker.now_ms += 5_000;
    // A single client cannot suspend it again.
    for _ in 0..20 {
        trap(&mut asker, 1);
    }
    asker.verdict(&Request::path("/new"));
    let status = asker.policy.policy().status(asker.now_ms);
    assert_eq!(status.breaker, BreakerState::Closed);
    assert_eq!((status.counts.traps, status.counts.suspended), (25, 1));
}

#[test]
fn one_client_that_traps_does_not_suspend_a_policy() {
    let mut asker = Asker::new(misbehaving(r#""do":"trap","marked":true"#));
    for n in 0..50 {
        let kind = asker.failure(Phase::Request, &Request::marked().from(1));
        assert_eq!(kind, FailureKind::Trap);
        asker.verdict(&Request::path(&format!("/{n}")).from(2));
        asker.now_ms += 500;
    }
}

/// The heaviest client is refused, and another is served.
#[test]
fn a_client_that_uses_too_much_of_a_workers_time_is_throttled() {
    let mut spec = misbehaving(r#""do":"slow","amount":2000000"#);
    spec.deadline = Duration::from_secs(1);
    spec.throttle.share_percent = 5;
    let mut asker = Asker::new(spec);
    asker.verdict(&Request::path("/known"));
    // Simulated time stands still while calls are made.
    let mut calls = 0;
    while let Decision::Verdict { .. } =
        asker.decide(Phase::Request, &Request::path(&format!("/{calls}")).from(1))
    {
        calls += 1;
        assert!(calls < 1_000, "the allowance is never used up");
    }
    let flood = Request::path("/more").from(1);
    assert_eq!(
        asker.failure(Phase::Request, &flood),
        FailureKind::Throttled
    );
    asker.verdict(&Request::path("/new").from(2));
    assert!(asker.verdict(&Request::path("/known").from(1)).1);
    let counts = asker.counts();
    assert_eq!((counts.throttled, counts.overloaded), (2, 0));
    assert_eq!((counts.overruns, counts.calls), (0, calls + 2));
    assert!(FailureKind::Throttled.always_denies(true));
    assert!(!FailureKind::Throttled.always_denies(false));
    // Others are served until the allowance is in debt as much as it may be.
    let kind = (3..=255)
        .find_map(|client| {
            let other = Request::path(&format!("/of/{client}")).from(client);
            match asker.decide(Phase::Request, &other) {
                Decision::Failed(failure) => Some(failure.kind),
                _ => None,
            }
        })
        .unwrap();
    assert_eq!(kind, FailureKind::Overloaded);
    asker.now_ms += 10_000;
    asker.verdict(&flood);
}

/// A deadline counts CPU time: time in which the thread is preempted does not count.
#[test]
fn preemption_does_not_count_towards_the_deadline() {
    let slow = |deadline| {
        let mut spec = misbehaving(r#""do":"slow","amount":50000000"#);
        spec.memo = false;
        spec.deadline = deadline;
        spec.throttle.share_percent = 100;
        let mut asker = Asker::new(spec);
        let (start, worked) = (Instant::now(), thread_time());
        asker.verdict(&Request::path("/"));
        (start.elapsed(), thread_time() - worked)
    };
    // The thread's CPU time, because other tests run at the same time.
    let (_, alone) = slow(Duration::from_secs(60));
    let deadline = alone * 4;
    let stop = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().unwrap().get();
    let busy: Vec<_> = (0..cores * 8)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    // Until a call takes longer than the deadline in wall-clock time. Every call must
    // return a verdict.
    while slow(deadline).0 <= deadline {}
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

/// The CPU time of this thread.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}
