//! Suspended policies and CPU-time deadlines.

use super::*;

#[test]
fn a_policy_that_keeps_trapping_is_suspended_and_probed() {
    let mut asker = Asker::new(misbehaving(r#""do":"trap","marked":true"#));
    asker.verdict(&Request::path("/known"));
    for _ in 0..5 {
        assert_eq!(
            asker.failure(Phase::Request, &Request::marked()),
            FailureKind::Trap
        );
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
    assert_eq!(
        asker.failure(Phase::Request, &Request::marked()),
        FailureKind::Trap,
        "a probe"
    );
    assert_eq!(
        asker.failure(Phase::Request, &Request::path("/new")),
        FailureKind::BreakerOpen
    );
    asker.now_ms += 5_000;
    asker.verdict(&Request::path("/new"));
    asker.verdict(&Request::path("/newer"));
}

/// Samples do not use up the probe.
#[test]
fn the_probe_is_a_call_of_a_request() {
    let mut spec = misbehaving(r#""do":"trap","marked":true"#);
    spec.sample = 1;
    let mut asker = Asker::new(spec);
    asker.verdict(&Request::path("/known"));
    for _ in 0..5 {
        let kind = asker.failure(Phase::Request, &Request::marked());
        assert_eq!(kind, FailureKind::Trap);
    }
    asker.now_ms += 5_000;
    for _ in 0..10 {
        assert!(asker.verdict(&Request::path("/known")).1);
    }
    asker.verdict(&Request::path("/new"));
    asker.verdict(&Request::path("/newer"));
    assert_eq!(
        asker.policy.policy().status(asker.now_ms).breaker,
        BreakerState::Closed
    );
}

#[test]
fn a_policy_that_uses_too_much_of_a_workers_time_is_suspended() {
    let mut spec = misbehaving(r#""do":"slow","amount":2000000"#);
    spec.deadline = Duration::from_secs(1);
    spec.memo = false;
    // Less than the share of a processor that this thread gets on a busy machine.
    spec.breaker.share_percent = 5;
    let mut asker = Asker::new(spec);
    let start = Instant::now();
    let asked = Cell::new(0);
    while start.elapsed() < Duration::from_secs(20) {
        asked.set(asked.get() + 1);
        asker.now_ms = 1_000 + u64::try_from(start.elapsed().as_millis()).unwrap();
        match asker.decide(Phase::Request, &Request::path("/")) {
            Decision::Verdict { .. } => {}
            Decision::Failed(failure) => {
                assert_eq!(failure.kind, FailureKind::BreakerOpen);
                return;
            }
            Decision::BadInput(bad) => panic!("{bad}"),
        }
    }
    panic!("{} calls in 20 s and not suspended", asked.get());
}

/// A deadline counts CPU time: time in which the thread is preempted does not count.
#[test]
fn preemption_does_not_count_towards_the_deadline() {
    let slow = |deadline| {
        let mut spec = misbehaving(r#""do":"slow","amount":50000000"#);
        spec.memo = false;
        spec.deadline = deadline;
        spec.breaker.share_percent = 100;
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
