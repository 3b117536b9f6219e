//! The secrets that the configuration of a policy names.

use std::path::Path;

use janua_config::{Diagnostic, PolicySecrets, SecretSource, Sources, parse};
use serde_json::{Value, json};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "key": { "type": "string", "format": "secret" },
            "text": { "type": "string" },
            "keys": { "type": "array", "items": { "$ref": "#/$defs/secret" } },
            "issuers": {
                "type": "object",
                "additionalProperties": {
                    "properties": { "keys": { "anyOf": [
                        { "type": "boolean" },
                        { "$ref": "#/$defs/secret" },
                    ] } },
                },
            },
            "round": { "$ref": "#/properties/round" },
            "tree": { "$ref": "#/$defs/tree" },
        },
        "$defs": {
            "secret": { "type": "string", "format": "secret" },
            "tree": { "anyOf": [
                { "$ref": "#/$defs/tree" },
                { "$ref": "#/$defs/tree" },
                { "items": { "$ref": "#/$defs/tree" } },
            ] },
        },
    })
}

fn secrets(config: &str) -> Result<PolicySecrets, Vec<Diagnostic>> {
    let text = format!(
        "[listeners.x]\naddress = \"*:80\"\n[policies.p]\ncomponent = \"jwt\"\nconfig = {config}\n"
    );
    let sources = Sources::single("etc/janua.toml", text);
    let loaded = parse(sources).unwrap_or_else(|errors| panic!("{errors}"));
    let known = ["session", "issuer"].into_iter();
    loaded.config.policies["p"]
        .config
        .secrets(&schema(), "p", known)
}

#[test]
fn names_are_found_at_the_keys_that_the_schema_marks() {
    let found = secrets(
        r#"{ key = "session", text = "nobody", keys = ["issuer"], issuers.a.keys = "session", issuers.b.keys = true, round = "x" }"#,
    )
    .unwrap();
    let named: Vec<_> = found.named.iter().map(|name| name.value.as_str()).collect();
    assert_eq!(named, ["session", "session", "issuer"]);
    assert!(found.made.is_empty());
}

#[test]
fn a_source_in_place_of_a_name_becomes_a_secret() {
    let found = secrets(
        r#"{ key = { file = "a.key" }, text = "t", keys = [{ env = "A" }, { jwks_file = ["b", "/c"] }, "issuer"] }"#,
    )
    .unwrap();
    assert_eq!(
        found.config.value,
        json!({ "key": "p:key", "text": "t", "keys": ["p:keys.0", "p:keys.1", "issuer"] })
    );
    let made: Vec<_> = found.made.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(made, ["p:key", "p:keys.0", "p:keys.1"]);
    let files = |at: usize| found.made[at].1.files().cloned().collect::<Vec<_>>();
    assert_eq!(files(0), [Path::new("etc/a.key")]);
    assert_eq!(files(2), [Path::new("etc/b"), Path::new("/c")]);
    assert!(matches!(&found.made[1].1, SecretSource::Env(names) if *names[0] == "A"));
}

/// Else one would be taken for the other.
#[test]
fn no_two_places_make_one_name() {
    let found = secrets(
        r#"{ issuers = { "a.keys.b" = { keys = { env = "A" } }, a = { keys = { env = "B" } }, 'a\.keys.b' = { keys = { env = "C" } } }, keys = [{ env = "D" }] }"#,
    )
    .unwrap();
    let made: Vec<_> = found.made.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        made,
        [
            "p:issuers.a.keys",
            r"p:issuers.a\.keys\.b.keys",
            r"p:issuers.a\\\.keys\.b.keys",
            "p:keys.0",
        ]
    );
}

#[test]
fn what_is_no_secret_is_refused_where_it_stands() {
    for (config, expected) in [
        (r#"{ key = "sesion" }"#, "unknown secret `sesion`"),
        (r#"{ keys = ["issuer", "x"] }"#, "unknown secret `x`"),
        (
            r#"{ key = {} }"#,
            "this is neither the name of a secret nor a source",
        ),
        (r#"{ key = { value = "x" } }"#, "this is neither"),
        (r#"{ key = { file = "a", env = "B" } }"#, "this is neither"),
        (r#"{ key = { file = [] } }"#, "this is neither"),
        (r#"{ key = { file = 3 } }"#, "this is neither"),
        (r#"{ key = { credential = "../a" } }"#, "this is neither"),
        (
            r#"{ key = { htpasswd_file = ["a", "b"] } }"#,
            "this is neither",
        ),
        (
            r#"{ key = { jwks_url = "https://a.example" } }"#,
            "this is neither",
        ),
        (
            r#"{ issuers.a.keys = "hunter" }"#,
            "unknown secret `hunter`",
        ),
    ] {
        let faults = secrets(config).unwrap_err();
        let [fault] = &faults[..] else {
            panic!("{config}: {faults:?}");
        };
        assert!(fault.message.starts_with(expected), "{config}: {fault:?}");
        assert!(fault.span().is_some());
    }
}

#[test]
fn datasets_are_found_at_the_keys_that_the_schema_marks() {
    let schema = json!({ "properties": {
        "list": { "type": "string", "format": "dataset" },
        "more": { "items": { "format": "dataset" } },
    } });
    let check = |config: &str| {
        let text = format!(
            "[listeners.x]\naddress = \"*:80\"\n[policies.p]\ncomponent = \"jwt\"\nconfig = {config}\n"
        );
        let loaded = parse(Sources::single("janua.toml", text)).unwrap();
        let known = ["blocked", "geo"].into_iter();
        loaded.config.policies["p"]
            .config
            .check_datasets(&schema, known)
    };
    assert_eq!(
        check(r#"{ list = "blocked", more = ["geo"], text = "x" }"#),
        Ok(())
    );
    let faults = check(r#"{ list = "bloked", more = ["geo", "x"] }"#).unwrap_err();
    let said: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(said, ["unknown dataset `bloked`", "unknown dataset `x`"]);
    assert!(faults.iter().all(|fault| fault.span().is_some()));
}

#[test]
fn a_schema_without_end_is_left_after_some_steps() {
    let deep = "[".repeat(60) + &"]".repeat(60);
    let found = secrets(&format!("{{ tree = {deep} }}")).unwrap();
    assert!(found.named.is_empty());
}
