//! Components that misbehave: each kind of failure, and its limits.

use super::*;

#[test]
fn each_kind_of_failure_is_recognised_and_discards_only_the_instance() {
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
        spec.throttle.share_percent = 100;
        let mut asker = Asker::new(spec);
        assert_eq!(
            asker.failure(Phase::Request, &Request::marked()),
            kind,
            "{what}"
        );
        asker.verdict(&Request::path("/"));
    }
}

/// A panic message may contain values of the request, for example a key that was not found.
#[test]
fn the_text_of_a_trap_has_nothing_that_the_component_wrote() {
    let mut asker = Asker::new(misbehaving(r#""do":"trap""#));
    let Decision::Failed(failure) = asker.decide(Phase::Request, &Request::default()) else {
        panic!("did not fail");
    };
    let status = asker.policy.policy().status(asker.now_ms);
    for text in [failure.to_string(), status.last_error.unwrap()] {
        assert!(text.contains("unreachable"), "{text}");
        assert!(!text.contains("told to panic"), "{text}");
    }
}

/// What the component wrote before there was a request helps whoever configures it.
#[test]
fn a_panic_message_of_configure_is_kept() {
    let refused = refusal(misbehaving(r#""do":"trap","phase":"configure""#));
    assert!(refused.to_string().contains("told to panic"), "{refused}");
}

#[test]
fn a_returned_error_is_escaped() {
    let mut asker = Asker::new(misbehaving(r#""do":"hostile""#));
    let FailureKind::Error(text) = asker.failure(Phase::Request, &Request::default()) else {
        panic!("no error");
    };
    assert_eq!(
        text,
        r"returned \u{1b}[2J\u{9b}31m\nWARN forged\u{202e}\u{2028}\u{7f}"
    );
    let refused = refusal(misbehaving(r#""do":"hostile","phase":"configure""#));
    assert_eq!(refused.to_string(), text);
}

#[test]
fn a_returned_error_does_not_discard_the_instance() {
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
        assert_eq!(kind.word(), "bad_verdict", "{what}: {kind:?}");
        // A refusal that is not valid is one all the same.
        let answers = ["reply-crlf", "bad-reply", "serve", "body"].contains(&what);
        assert_eq!(kind.always_denies(false), answers, "{what}: {kind:?}");
        assert!(kind.always_denies(true), "{what}: {kind:?}");
    }
}

/// The request is refused even if `on_error` is `skip`.
#[test]
fn an_effect_that_cannot_be_carried_out_always_denies() {
    for what in ["cache-rule", "undeclared-effect"] {
        let mut asker = Asker::new(misbehaving(&format!(r#""do":"{what}""#)));
        let kind = asker.failure(Phase::Request, &Request::path("/"));
        assert!(
            matches!(kind, FailureKind::EffectRefused(_)),
            "{what}: {kind:?}"
        );
        assert!(kind.always_denies(true));
    }
    // An effect with an invalid number is an ordinary bad verdict.
    let spec = misbehaving(r#""do":"empty-take""#);
    let kind = Asker::new(spec).failure(Phase::Request, &Request::path("/"));
    assert!(matches!(kind, FailureKind::BadVerdict(_)), "{kind:?}");
    assert!(!kind.always_denies(false));
}

#[test]
fn verdicts_within_the_limits_are_accepted() {
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
fn an_enormous_verdict_does_not_take_memory_of_the_gateway() {
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

/// The resident set size of this process, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

/// Runs inside a tokio runtime, as on a worker: WASI's streams must not block in it, even
/// when they are dropped.
#[test]
fn output_is_truncated_and_never_ends_the_call() {
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
            spec.throttle.share_percent = 100;
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
    spec.throttle.share_percent = 100;
    let mut asker = Asker::new(spec);
    for n in 0..100 {
        asker.verdict(&Request::path(&format!("/{n}")));
    }
    assert!(asker.counts().recycled >= 5);
    assert_eq!(asker.counts().memory, 0);
}

/// A policy beside which this many tables of 8 MB are instantiated.
fn with_tables(count: u8) -> Vec<u8> {
    let mut policy = bytes("janua_policy_rate_limit");
    let sections = wasmparser::Parser::new(0).parse_all(&policy);
    let mut depth = 0;
    let mut modules = 0;
    for section in sections {
        match section.unwrap() {
            wasmparser::Payload::ModuleSection { .. } if depth == 1 => modules += 1,
            wasmparser::Payload::Version { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    let module = wat::parse_str("(module (table 1000000 funcref))").unwrap();
    policy.extend([1, u8::try_from(module.len()).unwrap()]);
    policy.extend(module);
    // A section of core instances for each.
    for _ in 0..count {
        policy.extend([2, 4, 1, 0, modules, 0]);
    }
    policy
}

#[test]
fn tables_count_towards_the_memory_of_an_instance() {
    let load = |count| RUNTIME.load(&with_tables(count));
    let configured = |count, memory| {
        let mut spec = rate_limit();
        spec.component = load(count).unwrap();
        spec.bundled = true;
        spec.memory_limit = memory;
        RUNTIME.configure(spec)
    };
    // The policy itself takes a little more than a MB.
    configured(6, 64 << 20).unwrap();
    let refused = configured(20, 64 << 20).unwrap_err().to_string();
    assert!(refused.contains("exceeded its memory limit"), "{refused}");
    configured(20, 200 << 20).unwrap();
    // To describe itself, it has 256 MiB.
    let refused = load(40).unwrap_err().to_string();
    assert!(refused.contains("exceeded its memory limit"), "{refused}");
    let refused = load(80).unwrap_err().to_string();
    assert!(refused.contains("tables in all instances"), "{refused}");
}
