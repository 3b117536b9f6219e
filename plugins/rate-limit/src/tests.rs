use janua_sdk::testing::{Exchange, Outcome, configure};
use janua_sdk::{AbsentKey, Request};

use super::RateLimit;
use super::rate::Rate;

fn asked(json: &str, exchange: &Exchange) -> Outcome {
    configure::<RateLimit>(json).unwrap().request(exchange)
}

#[test]
fn rates() {
    let cases = [
        ("10/s", Some((10, 1_000))),
        ("600 / m", Some((600, 60_000))),
        ("1000/h", Some((1000, 3_600_000))),
        ("4294967295/d", Some((u32::MAX, 86_400_000))),
        ("0/s", None),
        ("-1/s", None),
        ("1.5/s", None),
        ("4294967296/s", None),
        ("10", None),
        ("10/", None),
        ("10/min", None),
        ("/s", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let rate = Rate::parse(text).ok();
        assert_eq!(
            rate.map(|rate| (rate.tokens, rate.period_ms)),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn one_token_per_client_by_default() {
    let got = asked(
        r#"{"rate": "10/s", "burst": 100}"#,
        &Exchange::get("https://a.example/").client_ip("2001:db8::1"),
    );
    let takes = got.takes();
    let (take, key) = &takes[0];
    assert_eq!(key.as_deref(), Some("2001:db8::1"));
    assert_eq!(
        (
            take.bucket.tokens,
            take.bucket.period_ms,
            take.bucket.burst,
            got.tokens(&take.cost)
        ),
        (10, 1000, 100, 1)
    );
    assert_eq!(take.otherwise.status, 429);
    assert_eq!(take.bucket.absent, AbsentKey::Share);
}

#[test]
fn all_requests_have_the_same_verdict() {
    let policy = configure::<RateLimit>(r#"{"rate": "1/s", "key": "header:x-api-key"}"#).unwrap();
    let phase = policy.phase(Request).unwrap();
    assert!(phase.inputs.is_empty());
    assert_eq!(phase.may, ["effect:take"]);
    let verdict = |exchange: Exchange| policy.request(&exchange).verdict;
    let one = verdict(Exchange::get("https://a.example/").header("x-api-key", "a"));
    assert_eq!(
        one,
        verdict(Exchange::get("https://b.example/c").header("x-api-key", "b"))
    );
}

#[test]
fn keys() {
    let exchange = Exchange::get("https://a.example/p?api=k%20")
        .header("x-api-key", "h")
        .header("cookie", "s=c");
    let cases = [
        ("client_ip", Some("192.0.2.1")),
        ("header:X-Api-Key", Some("h")),
        ("header:x-other", None),
        ("cookie:s", Some("c")),
        ("query:api", Some("k ")),
        ("path", Some("/p")),
        ("client_network", Some("192.0.2.1/32")),
        ("client_network:24/48", Some("192.0.2.0/24")),
        ("host", Some("a.example")),
        ("constant", Some("")),
        ("", Some("")),
    ];
    for (name, expected) in cases {
        let got = asked(&format!(r#"{{"rate": "1/s", "key": "{name}"}}"#), &exchange);
        assert_eq!(got.takes()[0].1.as_deref(), expected, "{name}");
    }
}

#[test]
fn all_settings_reach_the_verdict() {
    let json = r#"{"rate": "5/m", "burst": 9, "key": "header:x", "absent": "refuse",
        "status": 503, "cost": 10, "body": "later"}"#;
    let got = asked(json, &Exchange::get("https://a.example/"));
    let takes = got.takes();
    let (take, key) = &takes[0];
    assert_eq!(*key, None);
    assert_eq!((got.tokens(&take.cost), take.otherwise.status), (10, 503));
    assert_eq!(take.bucket.absent, AbsentKey::Refuse);
    assert!(format!("{:?}", take.otherwise.body).contains("later"));
}

#[test]
fn invalid_configurations_are_refused() {
    let cases = [
        ("{}", "missing field `rate`"),
        (
            r#"{"rate": "10"}"#,
            "`rate`: \"10\" is not a rate; write \"10/s\", \"600/m\", \"1000/h\" or \"5000/d\"",
        ),
        (
            r#"{"rate": 10}"#,
            "`rate`: expected a string, found a whole number",
        ),
        (
            r#"{"rate": "1/s", "key": "clientip"}"#,
            "`key`: unknown placeholder `clientip`; did you mean `client_ip`?",
        ),
        (
            r#"{"rate": "1/s", "key": "status"}"#,
            "`key`: `status` is not known yet in the phase request",
        ),
        (r#"{"rate": "1/s", "cost": 0}"#, "`cost`: at least 1"),
        (
            r#"{"rate": "1/s", "cost": 3, "burst": 1}"#,
            "`cost`: the bucket holds 2 (`burst` + 1), so 3 could never be taken",
        ),
        (
            r#"{"rate": "1/s", "status": 99}"#,
            "`status`: 99 is not a status between 200 and 599",
        ),
        (
            r#"{"rate": "1/s", "absent": "deny"}"#,
            "`absent`: unknown value `deny`; there are share, refuse, skip",
        ),
        (
            r#"{"rate": "1/s", "brust": 1}"#,
            "unknown field `brust`; did you mean `burst`?",
        ),
    ];
    for (json, message) in cases {
        assert_eq!(configure::<RateLimit>(json).unwrap_err(), message, "{json}");
    }
}
