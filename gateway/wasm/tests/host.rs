//! The host against real components: the bundled policies, and one that
//! misbehaves as it is told. They are built by `make policies`; without them
//! these tests fail rather than pass over.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests; the lint does not see the functions that they share as such"
)]

use std::cell::Cell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use janua_wasm::{
    BreakerState, Component, ConfigureError, Decision, Edit, Effect, Facts, FailureKind, Input,
    LoadError, Now, OnError, Outcome, Part, Phase, Policy, PolicySpec, Runtime, RuntimeOptions,
    Value, Verdict, WorkerHost, WorkerPolicy,
};

#[path = "host/caching.rs"]
mod caching;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new(RuntimeOptions::default()).unwrap());

fn bytes(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("JANUA_POLICIES").map_or_else(built, PathBuf::from);
    let file = folder.join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make policies`", file.display()))
}

/// Where `make policies` puts them: in the target directory that this test
/// runs from, as `<target>/debug/deps/host-…`.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    target.join("wasm32-wasip2/policy")
}

fn component(name: &str) -> Arc<Component> {
    RUNTIME.load(&bytes(name)).unwrap()
}

/// A misbehaving policy: `what` is the inside of its configuration.
fn misbehaving(what: &str) -> PolicySpec {
    let mut spec = PolicySpec::new("bad", component("misbehave"));
    spec.config = format!("{{{what}}}");
    spec
}

fn configure(spec: PolicySpec) -> Arc<Policy> {
    RUNTIME.configure(spec).unwrap()
}

fn refusal(spec: PolicySpec) -> ConfigureError {
    RUNTIME.configure(spec).unwrap_err()
}

/// A worker's side of one policy, and a clock.
struct Asker {
    policy: WorkerPolicy,
    now_ms: u64,
}

impl Asker {
    fn new(spec: PolicySpec) -> Self {
        Self::on(configure(spec), &WorkerHost::new(&RUNTIME))
    }

    fn on(policy: Arc<Policy>, host: &Rc<WorkerHost>) -> Self {
        Self {
            policy: WorkerPolicy::new(policy, Rc::clone(host)),
            now_ms: 1_000,
        }
    }

    fn decide(&mut self, phase: Phase, facts: &dyn Facts) -> Decision {
        let now = Now {
            monotonic_ms: self.now_ms,
            unix_seconds: 1_700_000_000,
        };
        self.policy.decide(phase, facts, now)
    }

    /// The verdict on a request, and whether it was reused.
    fn verdict(&mut self, facts: &dyn Facts) -> (Rc<Verdict>, bool) {
        match self.decide(Phase::Request, facts) {
            Decision::Verdict { verdict, reused } => (verdict, reused),
            other => panic!("{other:?}"),
        }
    }

    fn failure(&mut self, phase: Phase, facts: &dyn Facts) -> FailureKind {
        match self.decide(phase, facts) {
            Decision::Failed(failure) => failure.kind,
            other => panic!("{other:?}"),
        }
    }

    fn counts(&self) -> janua_wasm::Counts {
        self.policy.policy().status(self.now_ms).counts
    }
}

/// What is known of a request.
#[derive(Default)]
struct Request(HashMap<Input, Vec<u8>>);

impl Request {
    fn with(mut self, input: Input, value: impl Into<Vec<u8>>) -> Self {
        self.0.insert(input, value.into());
        self
    }

    fn path(path: &str) -> Self {
        Self::default().with(Input::Path, path)
    }

    fn marked() -> Self {
        Self::path("/").with(Input::Header("x-misbehave".into()), "1")
    }

    fn key(key: &str) -> Self {
        Self::default().with(Input::Header("x-api-key".into()), key)
    }
}

impl Facts for Request {
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        self.0.get(input).is_some_and(|value| {
            out.extend_from_slice(value);
            true
        })
    }
}

fn api_key() -> PolicySpec {
    let mut spec = PolicySpec::new("keys", component("janua_policy_api_key"));
    spec.bundled = true;
    // The SHA-256 of `key-000001`.
    spec.config = r#"{"keys":{"one":"sha256:c9cac3e10bfafe98a7a1dfa66569b00e42caaabccae487b1e878ca76a09d0d4b"}}"#.to_owned();
    spec
}

fn rate_limit() -> PolicySpec {
    let mut spec = PolicySpec::new("limit", component("janua_policy_rate_limit"));
    spec.config = r#"{"rate":"10/s","burst":5}"#.to_owned();
    spec
}

// ---- Loading ----

#[test]
fn a_component_says_what_it_is() {
    let component = component("janua_policy_rate_limit");
    assert_eq!(component.description().name, "rate-limit");
    assert!(component.contract().starts_with("0.1."));
    let schema = component.description().config_schema.as_deref();
    assert!(schema.is_some_and(|schema| schema.contains("\"rate\"")));
    let again = RUNTIME.load(&bytes("janua_policy_rate_limit")).unwrap();
    assert!(Arc::ptr_eq(&component, &again), "found by its content");
}

#[test]
fn what_is_no_policy_is_refused_in_words() {
    assert_eq!(RUNTIME.load(b"hello").unwrap_err(), LoadError::NotWasm);
    let module = b"\0asm\x01\0\0\0";
    assert_eq!(RUNTIME.load(module).unwrap_err(), LoadError::CoreModule);
    let empty = b"\0asm\x0d\0\x01\0";
    assert_eq!(RUNTIME.load(empty).unwrap_err(), LoadError::NoPolicies);
    let torn = bytes("janua_policy_rate_limit");
    let torn = &torn[..torn.len() / 2];
    assert!(matches!(RUNTIME.load(torn), Err(LoadError::Invalid(_))));
    let unknown = RUNTIME.load(&bytes("unknown_import")).unwrap_err();
    assert!(
        unknown.to_string().contains("example:unknown/thing@1.0.0"),
        "{unknown}"
    );
}

#[test]
fn a_newer_contract_is_refused_in_words() {
    // The same component, built for a version that does not exist yet.
    let mut newer = bytes("janua_policy_rate_limit");
    let (from, to) = (b"@0.1.0", b"@0.2.0");
    for at in 0..newer.len() - from.len() {
        if &newer[at..at + from.len()] == from {
            newer[at..at + to.len()].copy_from_slice(to);
        }
    }
    let error = RUNTIME.load(&newer).unwrap_err();
    assert!(
        matches!(error, LoadError::Version { newer: true, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("this gateway speaks 0.1"),
        "{error}"
    );
}

#[test]
fn the_compile_cache_serves_the_second_start() {
    let parent = tempfile::tempdir().unwrap();
    let options = || RuntimeOptions {
        cache_dir: Some(parent.path().join("cache")),
    };
    let bytes = bytes("janua_policy_rate_limit");
    Runtime::new(options()).unwrap().load(&bytes).unwrap();
    let second = Runtime::new(options()).unwrap();
    let start = Instant::now();
    let component = second.load(&bytes).unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(100),
        "{:?}",
        start.elapsed()
    );
    let mut spec = PolicySpec::new("limit", component);
    spec.bundled = true;
    spec.config = r#"{"rate":"10/s"}"#.to_owned();
    second.configure(spec).unwrap();
}

// ---- Configuring ----

#[test]
fn a_bad_configuration_is_refused_in_the_policys_words() {
    let mut spec = rate_limit();
    spec.config = r#"{"rate":"often"}"#.to_owned();
    let ConfigureError::Refused(message) = refusal(spec) else {
        panic!("not refused by the policy");
    };
    assert!(message.contains("rate"), "{message}");
}

#[test]
fn credentials_need_a_grant_and_it_can_be_pasted() {
    let mut spec = PolicySpec::new("head", component("janua_policy_headers"));
    spec.config =
        r#"{"request":{"set":{"X-Token":"{header:authorization}{cookie:session}"}}}"#.to_owned();
    let error = refusal(spec.clone());
    let words = error.to_string();
    assert!(
        words.ends_with(r#"grants = ["cookie:session", "header:authorization"]"#),
        "{words}"
    );
    spec.grants = vec!["cookie:session".into(), "header:authorization".into()];
    RUNTIME.configure(spec.clone()).unwrap();
    spec.grants.clear();
    spec.bundled = true;
    RUNTIME.configure(spec).unwrap();
}

#[test]
fn every_phase_is_asked_and_remembers_for_itself() {
    for phase in Phase::ALL {
        let what = format!(r#""do":"nothing","phase":"{}""#, phase.name());
        let mut asker = Asker::new(misbehaving(&what));
        for (path, expected) in [("/a", 1), ("/a", 1), ("/b", 2)] {
            asker.decide(phase, &Request::path(path));
            assert_eq!(asker.counts().calls, expected, "{phase:?} {path}");
        }
        for other in Phase::ALL {
            asker.decide(other, &Request::path("/a"));
        }
        assert_eq!(asker.counts().calls, 2, "{phase:?} alone is asked for");
    }
}

#[test]
fn what_is_not_carried_out_is_said_at_configure() {
    let error = refusal(misbehaving(r#""do":"body-input""#));
    assert!(
        matches!(error, ConfigureError::NotCarriedOut(_)),
        "{error:?}"
    );
    assert!(error.to_string().contains("`body-text(1024)`"), "{error}");
}

#[test]
fn a_subscription_that_breaks_the_contract_is_refused() {
    for (what, named) in [
        ("too-many-inputs", "33"),
        ("bad-input-name", "x y"),
        ("bad-sensitive", "99"),
    ] {
        let error = refusal(misbehaving(&format!(r#""do":"{what}""#)));
        assert!(error.to_string().contains(named), "{what}: {error}");
    }
}

#[test]
fn a_runaway_configure_is_refused() {
    for what in ["loop", "memory", "recursion", "trap"] {
        let mut spec = misbehaving(&format!(r#""do":"{what}","phase":"configure""#));
        spec.configure_deadline = Duration::from_millis(200);
        let error = refusal(spec);
        assert!(
            matches!(error, ConfigureError::Failed(_)),
            "{what}: {error:?}"
        );
    }
}

#[test]
fn identity_is_of_everything_that_counts() {
    let base = rate_limit();
    let mut config = base.clone();
    config.config.push(' ');
    let mut secret = base.clone();
    secret.identity_extra = b"a new key".to_vec();
    let mut lenient = base.clone();
    lenient.on_error = OnError::Skip;
    let same = base.clone();
    assert_eq!(base.identity(), same.identity());
    for other in [config, secret, lenient, api_key()] {
        assert_ne!(base.identity(), other.identity());
    }
}

// ---- Deciding ----

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
    assert_eq!((take.tokens, take.period_ms, take.burst), (10, 1_000, 5));
    assert_eq!(take.key, Value::Parts(Box::from([Part::Reference(0)])));
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

#[test]
fn an_effect_needs_a_grant_and_the_failure_says_so() {
    let mut asker = Asker::new(rate_limit());
    let FailureKind::BadVerdict(words) = asker.failure(Phase::Request, &Request::default()) else {
        panic!("carried out without a grant");
    };
    assert!(words.ends_with(r#"grants = ["effect:take"]"#), "{words}");
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
    assert!(
        matches!(&decision, Decision::NotUtf8(Input::Header(name)) if &**name == "x-api-key"),
        "{decision:?}"
    );
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
    // Both are configured anew in the next instance.
    assert!(!quiet.verdict(&Request::path("/2")).1);
    assert!(!bad.verdict(&Request::path("/2")).1);
    // One of them going away leaves the other.
    drop(bad);
    assert!(!quiet.verdict(&Request::path("/3")).1);
}

#[test]
fn the_clock_and_random_numbers_forbid_reuse() {
    let mut asker = Asker::new(misbehaving(r#""do":"clock""#));
    for _ in 0..3 {
        assert!(!asker.verdict(&Request::path("/")).1);
    }
    let mut asker = Asker::new(misbehaving(r#""do":"random""#));
    asker.verdict(&Request::path("/"));
    assert!(!asker.verdict(&Request::path("/")).1);
}

#[test]
fn a_verdict_that_lies_about_reuse_is_found() {
    let mut spec = misbehaving(r#""do":"lie""#);
    spec.sample = 10;
    let mut asker = Asker::new(spec);
    // The count of calls is in the verdict; a fresh instance counts from 0.
    asker.verdict(&Request::path("/0"));
    let request = Request::path("/1");
    let caught = (0..100).position(|_| {
        asker.verdict(&request);
        asker.policy.policy().status(0).lied_about_reuse
    });
    assert!(caught.is_some());
    assert!(!asker.verdict(&request).1, "nothing is reused any more");
    let status = asker.policy.policy().status(0);
    assert_eq!(status.counts.lies, 1);
    assert!(status.last_error.unwrap().contains("lies about reuse"));
}

#[test]
fn an_honest_verdict_survives_sampling() {
    let mut spec = api_key();
    spec.sample = 2;
    let mut asker = Asker::new(spec);
    for _ in 0..50 {
        asker.verdict(&Request::key("key-000001"));
    }
    assert!(asker.counts().samples > 10);
    assert_eq!(asker.counts().lies, 0);
    assert!(!asker.policy.policy().status(0).lied_about_reuse);
}

// ---- Misbehaving ----

#[test]
fn each_harm_is_told_apart_and_ends_the_instance_only() {
    let table = [
        ("trap", FailureKind::Trap),
        ("loop", FailureKind::Deadline),
        ("recursion", FailureKind::Trap),
        ("memory", FailureKind::Memory),
    ];
    for (what, kind) in table {
        let mut spec = misbehaving(&format!(r#""do":"{what}","marked":true"#));
        // Touching 64 MiB takes longer than 10 ms on a slow machine.
        spec.deadline = Duration::from_millis(if what == "memory" { 2_000 } else { 10 });
        spec.breaker.share_percent = 100;
        let mut asker = Asker::new(spec);
        assert_eq!(
            asker.failure(Phase::Request, &Request::marked()),
            kind,
            "{what}"
        );
        asker.verdict(&Request::path("/"));
    }
}

#[test]
fn a_panics_words_are_kept() {
    let mut asker = Asker::new(misbehaving(r#""do":"trap""#));
    let Decision::Failed(failure) = asker.decide(Phase::Request, &Request::default()) else {
        panic!("did not fail");
    };
    assert!(failure.detail.contains("told to panic"), "{failure}");
    let status = asker.policy.policy().status(asker.now_ms);
    assert!(status.last_error.unwrap().contains("told to panic"));
}

#[test]
fn an_error_is_a_message_and_the_instance_lives_on() {
    let mut asker = Asker::new(misbehaving(r#""do":"error""#));
    for _ in 0..20 {
        let kind = asker.failure(Phase::Request, &Request::default());
        assert_eq!(kind, FailureKind::Error("told to fail".into()));
    }
    let mut asker = Asker::new(misbehaving(r#""do":"long-error","amount":100000"#));
    let FailureKind::Error(text) = asker.failure(Phase::Request, &Request::default()) else {
        panic!("no error");
    };
    assert_eq!(text.len(), 512);
}

#[test]
fn a_verdict_that_breaks_the_contract_is_refused() {
    let table = [
        ("name-crlf", ""),
        ("name-nul", ""),
        ("name-empty", ""),
        ("value-crlf", ""),
        ("value-nul", ""),
        ("reply-crlf", ""),
        ("owned-field", ""),
        ("bad-input", ""),
        ("bad-reference", ""),
        ("bad-reply", ""),
        ("bad-status", r#","phase":"response""#),
        ("bad-status", r#","amount":404"#),
        ("set-path", r#","phase":"response""#),
        ("serve", ""),
        ("cache-rule", ""),
        ("empty-take", ""),
        ("no-upstream", ""),
        ("edits", r#","amount":257"#),
        ("long-value", r#","amount":8193"#),
        ("body", r#","amount":262145"#),
    ];
    for (what, more) in table {
        let mut asker = Asker::new(misbehaving(&format!(r#""do":"{what}"{more}"#)));
        let phase = if more.contains("response") {
            Phase::Response
        } else {
            Phase::Request
        };
        let kind = asker.failure(phase, &Request::path("/"));
        assert!(
            matches!(kind, FailureKind::BadVerdict(_)),
            "{what}: {kind:?}"
        );
    }
}

#[test]
fn what_is_within_the_bounds_is_carried_out() {
    let mut asker = Asker::new(misbehaving(r#""do":"edits","amount":256"#));
    assert_eq!(asker.verdict(&Request::path("/")).0.edits.len(), 256);
    let mut asker = Asker::new(misbehaving(r#""do":"body","amount":262144"#));
    let (verdict, _) = asker.verdict(&Request::path("/"));
    assert!(matches!(&verdict.outcome, Outcome::Respond(reply) if reply.body.len() == 262_144));
    let mut asker = Asker::new(misbehaving(r#""do":"set-path""#));
    assert!(matches!(
        &asker.verdict(&Request::path("/")).0.edits[0],
        Edit::SetPath(_)
    ));
}

#[test]
fn an_enormous_verdict_costs_the_gateway_nothing() {
    for what in [
        r#""do":"edits","amount":100000"#,
        r#""do":"body","amount":33554432"#,
    ] {
        let mut spec = misbehaving(what);
        spec.deadline = Duration::from_secs(5);
        spec.memory_limit = 256 * 1024 * 1024;
        let mut asker = Asker::new(spec);
        let before = resident();
        let kind = asker.failure(Phase::Request, &Request::path("/"));
        assert_eq!(kind, FailureKind::Trap, "{what}");
        drop(asker);
        let grown = resident().saturating_sub(before);
        assert!(grown < 64 * 1024 * 1024, "{what}: {grown} bytes");
    }
}

/// This process's resident bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

/// As on a worker, inside a runtime: WASI's streams must not block in it, not
/// even when they are dropped.
#[test]
fn output_is_cut_and_never_ends_the_call() {
    let worker = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    worker.block_on(async {
        for what in [
            r#""do":"log","amount":2000"#,
            r#""do":"print","amount":2000"#,
            r#""do":"long-line","amount":500000"#,
        ] {
            let mut spec = misbehaving(what);
            spec.deadline = Duration::from_secs(5);
            spec.breaker.share_percent = 100;
            Asker::new(spec).verdict(&Request::path("/"));
        }
        let mut asker = Asker::new(misbehaving(r#""do":"trap""#));
        let kind = asker.failure(Phase::Request, &Request::default());
        assert_eq!(kind, FailureKind::Trap);
    });
}

#[test]
fn a_leaking_instance_is_replaced_before_it_fails() {
    let mut spec = misbehaving(r#""do":"leak","amount":1048576"#);
    spec.memory_limit = 16 * 1024 * 1024;
    spec.memo = false;
    spec.deadline = Duration::from_millis(500);
    spec.breaker.share_percent = 100;
    let mut asker = Asker::new(spec);
    for n in 0..100 {
        asker.verdict(&Request::path(&format!("/{n}")));
    }
    assert!(asker.counts().recycled >= 5);
    assert_eq!(asker.counts().memory, 0);
}

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

#[test]
fn a_policy_that_eats_a_workers_time_is_suspended() {
    let mut spec = misbehaving(r#""do":"slow","amount":2000000"#);
    spec.deadline = Duration::from_secs(1);
    spec.memo = false;
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
/// How long this thread has run.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

#[test]
fn a_preempted_call_is_not_blamed() {
    let slow = |deadline| {
        let mut spec = misbehaving(r#""do":"slow","amount":10000000"#);
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
    let deadline = alone * 3;
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
    let (crowded, _) = slow(deadline);
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(
        crowded > deadline,
        "it was not kept from running: {crowded:?} of {deadline:?}"
    );
}
