use super::*;
use crate::input::Input;

fn with_rules<R>(phase: Phase, then: impl FnOnce(&Rules<'_>) -> R) -> R {
    let plan = Plan::new(vec![Input::Path, Input::Method], vec![Input::ClientIp], &[]).unwrap();
    then(&Rules {
        phase,
        plan: &plan,
        variables: &[],
        upstreams: &[],
    })
}

fn value(place: Place, parts: Vec<RawPart>) -> Result<Value, Violation> {
    with_rules(Phase::Request, |rules| {
        rules.value(place, parts.into_iter().map(Ok))
    })
}

fn literal(text: &str) -> RawPart {
    RawPart::Literal(text.to_owned())
}

#[test]
fn neighbouring_literals_become_one() {
    assert_eq!(
        value(Place::Field, vec![literal("a"), literal("b")]),
        Ok(Value::Literal(Box::from(&b"ab"[..])))
    );
    assert_eq!(
        value(Place::Field, vec![]),
        Ok(Value::Literal(Box::default()))
    );
    assert_eq!(
        value(
            Place::Field,
            vec![literal("a"), literal("b"), RawPart::Input(1), literal("")]
        ),
        Ok(Value::Parts(Box::from([
            Part::Literal(Box::from(&b"ab"[..])),
            Part::Input(1)
        ])))
    );
}

#[test]
fn positions_are_within_the_plan() {
    let table = [
        (RawPart::Input(1), true),
        (RawPart::Input(2), false),
        (RawPart::Input(u32::MAX), false),
        (RawPart::Reference(0), true),
        (RawPart::Reference(1), false),
        (RawPart::Reference(65_536), false),
    ];
    for (part, good) in table {
        assert_eq!(value(Place::Field, vec![part]).is_ok(), good);
    }
}

#[test]
fn literals_are_checked_by_their_use() {
    let table = [
        ("plain text\twith tab é", true, false, true),
        ("a\r\nSet-Cookie: x", false, false, true),
        ("nul\0", false, false, true),
        ("\x1b", false, false, true),
        ("/a/%20b?c", true, true, true),
        ("/a#b", true, false, true),
    ];
    for (text, field, target, key) in table {
        assert_eq!(
            value(Place::Field, vec![literal(text)]).is_ok(),
            field,
            "{text:?}"
        );
        assert_eq!(
            value(Place::Target, vec![literal(text)]).is_ok(),
            target,
            "{text:?}"
        );
        assert_eq!(
            value(Place::Key, vec![literal(text)]).is_ok(),
            key,
            "{text:?}"
        );
    }
    let long = "x".repeat(MAX_VALUE);
    assert!(value(Place::Field, vec![literal(&long)]).is_ok());
    assert!(value(Place::Field, vec![literal(&long), literal("x")]).is_err());
    let many = |count| (0..count).map(|_| RawPart::Input(0)).collect();
    assert!(value(Place::Field, many(MAX_PARTS)).is_ok());
    assert!(value(Place::Field, many(MAX_PARTS + 1)).is_err());
}

#[test]
fn field_names() {
    let table = [
        ("X-User", Some("x-user")),
        ("", None),
        ("a b", None),
        ("a:b", None),
        ("é", None),
        ("Connection", None),
        ("TRANSFER-ENCODING", None),
        ("te", None),
        ("content-length", None),
        ("host", Some("host")),
    ];
    for (name, expected) in table {
        assert_eq!(field_name(name).ok().as_deref(), expected, "{name:?}");
    }
    assert!(reply_field_name("Date").is_err());
    assert!(field_name("date").is_ok(), "an edit may");
    assert!(field_name_to_read("connection").is_ok());
}

#[test]
fn statuses_words_and_bodies() {
    for (code, good) in [(199, false), (200, true), (599, true), (600, false)] {
        assert_eq!(status(code).is_ok(), good, "{code}");
    }
    let long = "x".repeat(MAX_WORD + 1);
    for (text, good) in [
        ("over limit", true),
        ("", true),
        ("a\nb", false),
        ("é", false),
        (&long, false),
    ] {
        assert_eq!(word("the name of a bucket", text).is_ok(), good, "{text:?}");
    }
    assert!(body(vec![0; MAX_BODY]).is_ok());
    assert!(body(vec![0; MAX_BODY + 1]).is_err());
}

#[test]
fn phases_are_named() {
    with_rules(Phase::Response, |rules| {
        let words = rules.only_in(&[Phase::Request], "set-path").unwrap_err();
        assert_eq!(
            words,
            "`set-path` belongs to the phase `request` and was given in `response`"
        );
    });
}
