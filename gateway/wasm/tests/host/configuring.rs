//! `configure`: subscriptions and grants, and what is refused.

use sha2::{Digest as _, Sha256};

use super::*;

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
fn credentials_need_a_grant_and_the_error_has_the_line_to_add() {
    let mut spec = PolicySpec::new("head", component("janua_policy_headers"));
    spec.config =
        r#"{"request":{"set":{"X-Token":"{header:authorization}{cookie:session}"}}}"#.to_owned();
    let error = refusal(spec.clone());
    let words = error.to_string();
    let line =
        r#"grants = ["input:header:authorization", "input:cookie:session", "edit:header:x-token"]"#;
    assert!(words.ends_with(line), "{words}");
    let grants = [
        "input:header:cookie",
        "input:header:authorization",
        "edit:header:x-*",
    ];
    spec.grants = grants.map(str::to_owned).into();
    RUNTIME.configure(spec.clone()).unwrap();
    spec.grants.clear();
    spec.bundled = true;
    RUNTIME.configure(spec).unwrap();
}

#[test]
fn each_phase_has_a_memo_of_its_own() {
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
        assert_eq!(asker.counts().calls, 2, "only {phase:?} is subscribed to");
    }
}

#[test]
fn an_unsupported_input_is_refused_at_configure() {
    let error = refusal(misbehaving(r#""do":"body-input""#));
    assert!(
        matches!(error, ConfigureError::NotSupported(_)),
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

/// A hundred thousand keys fit into the default memory, and unknown keys are refused.
/// The time of a miss is printed (`--nocapture`) and not asserted, because it depends on
/// the load of the machine.
#[test]
fn many_keys_are_known_and_found() {
    let mut lines = String::new();
    for n in 0..100_000 {
        use std::fmt::Write as _;
        let digest = Sha256::digest(format!("secret-{n:06}"));
        let _ = write!(lines, "consumer-{n:06}:sha256:");
        digest.iter().for_each(|byte| {
            let _ = write!(lines, "{byte:02x}");
        });
        lines.push_str("\\n");
    }
    let mut spec = api_key();
    spec.config = format!(r#"{{"keys_file":"{lines}"}}"#);
    // More than the default, so that the test does not fail on a slow machine.
    spec.configure_deadline = Duration::from_secs(30);
    let start = Instant::now();
    let mut asker = Asker::new(spec);
    let configured = start.elapsed();
    for n in [0, 50_000, 99_999] {
        let key = format!("secret-{n:06}");
        let verdict = asker.verdict(&Request::key(&key)).0;
        assert_eq!(verdict.outcome, Outcome::Proceed, "{key}");
    }
    let start = Instant::now();
    for n in 0..1_000 {
        let verdict = asker.verdict(&Request::key(&format!("guess-{n}"))).0;
        assert!(matches!(verdict.outcome, Outcome::Respond(_)));
    }
    eprintln!(
        "100,000 keys: configured in {configured:?}, a miss in {:?}",
        start.elapsed() / 1_000
    );
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
fn the_identity_changes_with_every_setting() {
    let base = rate_limit();
    let mut config = base.clone();
    config.config.push(' ');
    let mut secret = base.clone();
    secret.identity_extra = b"a new key".to_vec();
    let mut lenient = base.clone();
    lenient.on_error = Some(OnError::Skip);
    let same = base.clone();
    assert_eq!(base.identity(), same.identity());
    for other in [config, secret, lenient, api_key()] {
        assert_ne!(base.identity(), other.identity());
    }
}
