//! Secrets: what a call may use, and what it leaves behind.
//!
//! All tests of this module share one table of secrets, because the runtime has one.

use std::sync::Once;

use janua_secrets::{Kind, Place, Secrets, Source};

use super::*;

const CALL: &str = "x-call";

fn publish() {
    static PUBLISHED: Once = Once::new();
    PUBLISHED.call_once(|| rotate("first"));
}

/// Publishes the secrets `one` and `two`, and `short`, which has too few bytes for anything,
/// all as they are, and `turning` with another content.
fn rotate(turning: &str) {
    let env = |name: &str| match name {
        "short" => Some("short".to_owned()),
        "turning" => Some(turning.repeat(12)),
        name => Some(name.repeat(12)),
    };
    let contents = ["one", "two", "short", "turning"].map(|name| {
        let source = Source {
            kind: Kind::Raw,
            places: vec![Place::Variable(name.to_owned())],
        };
        (name.to_owned(), source.load(&env).unwrap().content)
    });
    let secrets = Secrets::new(contents, &RUNTIME.secrets());
    RUNTIME.set_secrets(Arc::new(secrets));
}

fn spec(name: &str, key: &str) -> PolicySpec {
    publish();
    let mut spec = PolicySpec::new(name, component("secrets"));
    spec.config = format!(r#"{{"key":"{key}"}}"#);
    spec.grants = vec!["respond".into(), format!("secret:{key}")];
    spec
}

fn call(asker: &mut Asker, call: &str) -> (String, bool) {
    let request = Request::default().with(Input::Header(CALL.into()), call);
    let (verdict, reused) = asker.verdict(&request);
    match &verdict.outcome {
        Outcome::Respond(reply) => (String::from_utf8(reply.body.to_vec()).unwrap(), reused),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signature_is_made_and_checked() {
    let mut asker = Asker::new(spec("a", "one"));
    let (signature, _) = call(&mut asker, "sign|key|HS256|6d");
    assert_eq!(signature.len(), 64);
    let verify = |what: &str| format!("verify|key|{what}");
    for (what, expected) in [
        (format!("HS256|-|6d|{signature}"), "Validity::Valid"),
        (format!("HS256|any|6d|{signature}"), "Validity::Valid"),
        (format!("HS256|-|6e|{signature}"), "Validity::Invalid"),
        (format!("HS512|-|6d|{signature}"), "Validity::Invalid"),
        (format!("RS256|-|6d|{signature}"), "Error::WrongKey"),
        (format!("none|-|6d|{signature}"), "Error::UnknownAlgorithm"),
    ] {
        assert_eq!(call(&mut asker, &verify(&what)).0, expected, "{what}");
    }
    assert_eq!(call(&mut asker, "sign|key|RS256|6d").0, "Error::WrongKey");
    let mut short = Asker::new(spec("short", "short"));
    assert_eq!(call(&mut short, "sign|key|HS256|6d").0, "Error::WrongKey");
    assert_eq!(call(&mut short, "seal|key|p|x").0, "Error::WrongKey");
}

/// The policy says that its verdicts may be reused until the next reload.
#[test]
fn a_verdict_is_reused_until_a_secret_that_it_used_changes() {
    let host = WorkerHost::new(&RUNTIME);
    let mut asker = Asker::on(configure(spec("turning", "turning")), &host);
    let mut other = Asker::on(configure(spec("still", "one")), &host);
    let sign = "sign|key|HS256|6d";
    let (first, reused) = call(&mut asker, sign);
    assert!(!reused && call(&mut asker, sign) == (first.clone(), true));
    assert!(!call(&mut asker, "config").1 && !call(&mut other, sign).1);
    rotate("second");
    let (second, reused) = call(&mut asker, sign);
    assert!(!reused && first != second);
    assert_eq!(call(&mut asker, sign), (second, true));
    assert!(call(&mut asker, "config").1, "it used no secret");
    assert!(call(&mut other, sign).1, "it used another secret");
    rotate("first");
    assert_eq!(call(&mut asker, sign), (first, false));
}

/// Policies share the instance: what one has declared is not there for the other.
#[test]
fn a_call_uses_what_its_own_policy_has_declared() {
    let host = WorkerHost::new(&RUNTIME);
    let mut one = Asker::on(configure(spec("first", "one")), &host);
    let mut two = Asker::on(configure(spec("second", "two")), &host);
    for _ in 0..3 {
        assert_eq!(
            call(&mut one, "sign|two|HS256|6d").0,
            "Error::UnknownSecret"
        );
        assert_eq!(
            call(&mut two, "sign|one|HS256|6d").0,
            "Error::UnknownSecret"
        );
        assert_eq!(
            call(&mut one, "sign|nil|HS256|6d").0,
            "Error::UnknownSecret"
        );
        assert_eq!(call(&mut one, "sign|one|HS256|6d").0.len(), 64);
        assert_eq!(call(&mut two, "sign|two|HS256|6d").0.len(), 64);
    }
}

#[test]
fn a_sealed_value_opens_for_its_policy_and_is_never_reused() {
    let host = WorkerHost::new(&RUNTIME);
    let mut asker = Asker::on(configure(spec("sealer", "one")), &host);
    let mut other = Asker::on(configure(spec("other", "one")), &host);
    let (first, _) = call(&mut asker, "seal|key|cookie|ann");
    let (second, reused) = call(&mut asker, "seal|key|cookie|ann");
    assert_ne!(first, second);
    assert!(!reused);
    let open = format!("open|key|cookie|{first}");
    assert_eq!(call(&mut asker, &open).0, "ann");
    assert_eq!(call(&mut other, &open).0, "not opened");
    let purpose = format!("open|key|csrf|{first}");
    assert_eq!(call(&mut asker, &purpose).0, "not opened");
}

#[test]
fn a_secret_needs_a_grant() {
    let mut without = spec("without", "one");
    without.grants.pop();
    let words = refusal(without.clone()).to_string();
    assert!(words.contains("secret:one"), "{words}");
    // As the gateway does for a secret that stands in the policy's own configuration.
    without.own_secrets = vec!["one".to_owned()];
    configure(without);
}
