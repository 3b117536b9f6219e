use janua_sdk::testing::{Exchange, Trial, configure};
use janua_sdk::{Described, Request};

use super::ApiKey;

/// SHA-256 of `alpha` and `beta`.
const ALPHA: &str = "sha256:8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";
const BETA: &str = "sha256:f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753";

fn configured(json: &str) -> Trial<ApiKey> {
    configure(json).unwrap()
}

fn two() -> Trial<ApiKey> {
    configured(&format!(
        r#"{{"keys": {{"alice": "{ALPHA}", "bob": ["{BETA}"]}}}}"#
    ))
}

#[test]
fn known_keys_are_accepted_and_others_get_401() {
    let cases = [
        (Some("alpha"), Ok("alice")),
        (Some("beta"), Ok("bob")),
        (Some("Alpha"), Err("api-key:unknown")),
        (Some("alpha, beta"), Err("api-key:unknown")),
        (Some(""), Err("api-key:unknown")),
        (Some(ALPHA), Err("api-key:unknown")),
        (None, Err("api-key:missing")),
    ];
    let policy = two();
    for (key, expected) in cases {
        let mut exchange = Exchange::get("https://a.example/").header("x-consumer", "root");
        if let Some(key) = key {
            exchange = exchange.header("X-Api-Key", key);
        }
        let got = policy.request(&exchange);
        match expected {
            Ok(consumer) => {
                assert_eq!(got.answer, None, "{key:?}");
                assert_eq!(got.exchange.request_header("x-consumer"), Some(consumer));
                assert_eq!(got.exchange.request_header("x-api-key"), None);
            }
            Err(note) => {
                let answer = got.answer.clone().unwrap();
                assert_eq!((answer.status, got.note()), (401, Some(note)), "{key:?}");
                assert_eq!(answer.header("www-authenticate"), Some("ApiKey"));
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/problem+json")
                );
            }
        }
    }
}

#[test]
fn the_key_is_a_sensitive_input() {
    let policy = two();
    let phase = policy.phase(Request).unwrap();
    assert_eq!(phase.inputs.len(), 1);
    assert_eq!(phase.sensitive, [0]);
}

#[test]
fn no_more_is_declared_than_needed() {
    let alice = format!(r#""keys": {{"alice": "{ALPHA}"}}"#);
    for (more, owns, may) in [
        ("", "x-consumer", "respond edit:header:x-api-key"),
        (r#", "strip": false"#, "x-consumer", "respond"),
        (
            r#", "consumer_header": "X-User", "header": "X-Key""#,
            "x-user",
            "respond edit:header:x-key",
        ),
        (r#", "consumer_header": "", "strip": false"#, "", "respond"),
    ] {
        let policy = configured(&format!("{{{alice}{more}}}"));
        assert_eq!(policy.subscription().owns.join(" "), owns, "{more}");
        assert_eq!(policy.phase(Request).unwrap().may.join(" "), may, "{more}");
    }
}

#[test]
fn the_fields_are_configurable() {
    let policy = configured(&format!(
        r#"{{"header": "X-Client-Key", "keys": {{"alice": "{ALPHA}"}},
            "consumer_header": "", "strip": false}}"#
    ));
    let exchange = Exchange::get("https://a.example/").header("x-client-key", "alpha");
    assert_eq!(policy.request(&exchange).exchange, exchange);
}

#[test]
fn keys_are_read_from_lines() {
    for field in ["keys_file", "keys_env"] {
        let policy = configured(&format!(
            r##"{{"{field}": "# ours\n\n  alice:{ALPHA}\r\nteam:b:{BETA}\n"}}"##
        ));
        for (key, consumer) in [("alpha", "alice"), ("beta", "team:b")] {
            let exchange = Exchange::get("https://a.example/").header("x-api-key", key);
            let got = policy.request(&exchange).exchange;
            assert_eq!(got.request_header("x-consumer"), Some(consumer));
        }
    }
}

#[test]
fn invalid_configurations_are_refused_without_repeating_keys() {
    let hash = "not a hash; keys are written hashed: run `printf %s KEY | sha256sum` \
                and write \"sha256:\" and its 64 digits";
    let cases = [
        (
            "{}".to_owned(),
            "there is no key: give `keys`, `keys_file` or `keys_env`".to_owned(),
        ),
        (
            r#"{"keys": {"alice": "s3cret"}}"#.into(),
            format!("`keys.alice`: {hash}"),
        ),
        (
            r#"{"keys": {"alice": "sha256:s3cret"}}"#.into(),
            format!("`keys.alice`: {hash}"),
        ),
        (
            format!(r#"{{"keys": {{"alice": "{}"}}}}"#, ALPHA.replace('8', "g")),
            format!("`keys.alice`: {hash}"),
        ),
        (
            r#"{"keys_file": "\nalice:s3cret"}"#.into(),
            format!("`keys_file`: line 2: {hash}"),
        ),
        (
            r#"{"keys_env": "s3cret"}"#.into(),
            format!("`keys_env`: line 1: {hash}"),
        ),
        (
            format!(
                r#"{{"keys": {{"a": "{ALPHA}", "b": "{}"}}}}"#,
                ALPHA.to_uppercase().replace("SHA", "sha")
            ),
            "`keys`: a and b have the same key".into(),
        ),
        (
            format!(r#"{{"keys": {{" a": "{ALPHA}"}}}}"#),
            "`keys`: \" a\" is not the name of a consumer".into(),
        ),
        (
            format!(r#"{{"header": "x y", "keys": {{"a": "{ALPHA}"}}}}"#),
            "`header`: \"x y\" is not a field name".into(),
        ),
        (
            format!(r#"{{"consumer_header": "X-Api-Key", "keys": {{"a": "{ALPHA}"}}}}"#),
            "`consumer_header`: the same field as `header`".into(),
        ),
        (
            r#"{"keys": "s3cret"}"#.into(),
            "`keys`: expected a table, found a string".into(),
        ),
        (
            r#"{"key": {}}"#.into(),
            "unknown field `key`; did you mean `keys`?".into(),
        ),
    ];
    for (json, message) in cases {
        let error = configure::<ApiKey>(&json).unwrap_err();
        assert_eq!(error, message, "{json}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn it_describes_itself() {
    let description = ApiKey::describe();
    assert_eq!(description.name, "api-key");
    assert!(description.config_schema.unwrap().contains("2020-12"));
}
