//! When a policy is called, and when its verdict is reused.

use super::*;

#[test]
fn a_constant_verdict_is_asked_for_once() {
    let mut spec = rate_limit();
    spec.grants = vec!["effect:take".into()];
    let mut asker = Asker::new(spec);
    let (verdict, reused) = asker.verdict(&Request::default());
    assert!(!reused);
    let Effect::Take(take) = &verdict.effects[0] else {
        panic!("another effect");
    };
    assert_eq!(
        (take.bucket.tokens, take.bucket.period_ms, take.bucket.burst),
        (10, 1_000, 5)
    );
    assert_eq!(
        take.bucket.key,
        Value::Parts(Box::from([Part::Reference(0)]))
    );
    assert_eq!(
        asker
            .policy
            .policy()
            .plan(Phase::Request)
            .unwrap()
            .references,
        [Input::ClientIp]
    );
    for _ in 0..10 {
        assert!(asker.verdict(&Request::path("/x")).1);
    }
    assert_eq!((asker.counts().calls, asker.counts().hits), (1, 10));
}

/// Without a look at the request, a verdict is repeated exactly where it would be decided.
#[test]
fn a_constant_verdict_repeats() {
    let mut spec = rate_limit();
    spec.grants = vec!["effect:take".into()];
    spec.sample = 4;
    let mut asker = Asker::new(spec);
    let (verdict, _) = asker.verdict(&Request::default());
    let equal = Rc::new((*verdict).clone());
    let mut repeated = 0;
    for _ in 0..100 {
        assert!(!asker.repeats(Phase::Request, &equal), "another one");
        assert!(!asker.repeats(Phase::Response, &verdict), "another phase");
        if asker.repeats(Phase::Request, &verdict) {
            repeated += 1;
        } else {
            assert!(asker.verdict(&Request::default()).1);
        }
    }
    let counts = asker.counts();
    assert_eq!((counts.calls, counts.hits), (1, 100));
    // What is to be compared with a fresh verdict is not repeated.
    let chosen = counts.samples + counts.samples_dropped;
    assert!(chosen > 10, "{counts:?}");
    assert_eq!(repeated + chosen, 100);

    // A verdict about a key is no answer to another key.
    let mut asker = Asker::new(api_key());
    let (verdict, _) = asker.verdict(&Request::key("key-000001"));
    assert!(!asker.repeats(Phase::Request, &verdict));
}

#[test]
fn an_effect_needs_a_grant_and_a_declaration() {
    let words = refusal(rate_limit()).to_string();
    assert!(words.ends_with(r#"grants = ["effect:take"]"#), "{words}");

    let mut asker = Asker::new(misbehaving(r#""do":"undeclared-effect""#));
    let kind = asker.failure(Phase::Request, &Request::path("/"));
    let FailureKind::EffectRefused(words) = kind else {
        panic!("{kind:?}");
    };
    assert!(words.contains("it did not declare `effect:"), "{words}");
}

#[test]
fn a_key_is_asked_for_once_and_keys_are_apart() {
    let mut asker = Asker::new(api_key());
    for reused in [false, true, true] {
        let (good, was) = asker.verdict(&Request::key("key-000001"));
        assert_eq!((&good.outcome, was), (&Outcome::Proceed, reused));
        let (bad, was) = asker.verdict(&Request::key("key-000002"));
        assert_eq!(was, reused);
        assert!(matches!(&bad.outcome, Outcome::Respond(reply) if reply.status == 401));
        let (none, _) = asker.verdict(&Request::default());
        assert!(matches!(&none.outcome, Outcome::Respond(reply) if reply.status == 401));
    }
    assert_eq!(asker.counts().calls, 3);
}

#[test]
fn a_phase_that_is_not_asked_for_costs_nothing() {
    let mut asker = Asker::new(api_key());
    let decision = asker.decide(Phase::Response, &Request::default());
    assert!(
        matches!(decision, Decision::Verdict { verdict, .. } if *verdict == Verdict::proceed())
    );
    assert_eq!(asker.counts().calls, 0);
}

#[test]
fn the_memo_can_be_turned_off_and_capped() {
    let mut off = api_key();
    off.memo = false;
    let mut asker = Asker::new(off);
    asker.verdict(&Request::key("k"));
    assert!(!asker.verdict(&Request::key("k")).1);

    let mut capped = api_key();
    capped.max_reuse = Some(Duration::from_secs(2));
    let mut asker = Asker::new(capped);
    asker.verdict(&Request::key("k"));
    asker.now_ms += 1_999;
    assert!(asker.verdict(&Request::key("k")).1);
    asker.now_ms += 1;
    assert!(!asker.verdict(&Request::key("k")).1);
}

#[test]
fn an_input_that_is_not_utf8_is_named() {
    let mut asker = Asker::new(api_key());
    let request = Request::default().with(Input::Header("x-api-key".into()), &b"\xff"[..]);
    let decision = asker.decide(Phase::Request, &request);
    let Decision::BadInput(bad) = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(bad, BadInput::NotUtf8(Input::Header("x-api-key".into())));
}

#[test]
fn many_configurations_live_in_one_instance_and_come_back_after_a_trap() {
    let host = WorkerHost::new(&RUNTIME);
    let quiet = configure(misbehaving(r#""do":"nothing""#));
    let bad = configure(misbehaving(r#""do":"trap","marked":true"#));
    let mut quiet = Asker::on(quiet, &host);
    let mut bad = Asker::on(bad, &host);
    quiet.verdict(&Request::path("/1"));
    bad.verdict(&Request::path("/1"));
    assert_eq!(
        bad.failure(Phase::Request, &Request::marked()),
        FailureKind::Trap
    );
    // Both are configured again in the next instance.
    assert!(!quiet.verdict(&Request::path("/2")).1);
    assert!(!bad.verdict(&Request::path("/2")).1);
    // Dropping one leaves the other.
    drop(bad);
    assert!(!quiet.verdict(&Request::path("/3")).1);
}

#[test]
fn the_wall_clock_forbids_reuse() {
    let mut asker = Asker::new(misbehaving(r#""do":"clock""#));
    for _ in 0..3 {
        assert!(!asker.verdict(&Request::path("/")).1);
    }
    // Schedulers read the monotonic one.
    let mut asker = Asker::new(misbehaving(r#""do":"monotonic-clock""#));
    asker.verdict(&Request::path("/"));
    assert!(asker.verdict(&Request::path("/")).1);
    // Hash maps read a seed that is not secret.
    let mut asker = Asker::new(misbehaving(r#""do":"random""#));
    asker.verdict(&Request::path("/"));
    assert!(asker.verdict(&Request::path("/")).1);
}

#[test]
fn a_verdict_that_wrongly_allows_reuse_is_found() {
    let mut spec = misbehaving(r#""do":"lie""#);
    spec.sample = 10;
    let mut asker = Asker::new(spec);
    // The verdict contains the number of calls, which a new instance counts from 0.
    asker.verdict(&Request::path("/0"));
    let request = Request::path("/1");
    until("the lie is found", || {
        asker.verdict(&request);
        asker.policy.policy().status(0).reuse_disabled
    });
    assert!(!asker.verdict(&request).1, "verdicts are no longer reused");
    let status = asker.policy.policy().status(0);
    assert_eq!(status.counts.mismatches, 1);
    assert!(status.last_error.unwrap().contains("wrongly allows reuse"));
}

#[test]
fn a_correct_verdict_passes_sampling() {
    let mut spec = api_key();
    spec.sample = 2;
    let mut asker = Asker::new(spec);
    until("samples are compared", || {
        asker.verdict(&Request::key("key-000001"));
        asker.counts().samples > 10
    });
    assert_eq!(asker.counts().mismatches, 0);
    assert!(!asker.policy.policy().status(0).reuse_disabled);
}
