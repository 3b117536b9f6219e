//! A worker's time: who takes too much of it is suspended, and nobody else is
//! blamed.

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
        "what is remembered goes on"
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

/// Remembered verdicts that are compared meanwhile do not use up the probe, and
/// neither does a request that never comes to a call.
#[test]
fn the_probe_is_left_to_a_request_and_never_lost() {
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
fn a_policy_that_eats_a_workers_time_is_suspended() {
    let mut spec = misbehaving(r#""do":"slow","amount":2000000"#);
    spec.deadline = Duration::from_secs(1);
    spec.memo = false;
    // So little that this thread gets more of a processor however busy the machine is.
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
            Decision::NotUtf8(input) => panic!("{input}"),
        }
    }
    panic!("{} calls in 20 s and not suspended", asked.get());
}

/// A deadline is of CPU time: a thread that is kept from running is not blamed.
#[test]
fn a_preempted_call_is_not_blamed() {
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
    // By the thread's own time: other tests run at the same time.
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
    // Until it was kept from running for long enough: each call in between has
    // its verdict too.
    while slow(deadline).0 <= deadline {}
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

/// How long this thread has run.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}
