//! The error messages for invalid configurations.

use janua_sdk::testing::configure;

use crate::CacheRules;

fn refused(cases: &[(&str, &str)]) {
    for (json, message) in cases {
        let error = configure::<CacheRules>(json).unwrap_err();
        assert_eq!(error, *message, "{json}");
    }
}

#[test]
fn in_the_configuration_as_a_whole() {
    refused(&[
        (
            "{}",
            "nothing to do: give `rules`, `key`, `bypass` or `tags_from`",
        ),
        (
            r#"{"rule": []}"#,
            "unknown field `rule`; did you mean `rules`?",
        ),
        (
            r#"{"rules": [{"store": "never"}, {"path": "/"}]}"#,
            "`rules[1]`: the rule before it matches everything, so this one is never reached",
        ),
        (
            r#"{"tags_from": ["a b"]}"#,
            "`tags_from`: \"a b\" is not a field name",
        ),
    ]);
}

#[test]
fn in_a_condition() {
    refused(&[
        (
            r#"{"rules": [{"path": "assets/*"}]}"#,
            "`rules[0].path`: \"assets/*\" is not a path; it begins with `/` or `*`",
        ),
        (
            r#"{"rules": [{}, {"path": ["/a?b"]}]}"#,
            "`rules[1].path[0]`: a path has no `?` and no `#`; the query is no part of it",
        ),
        (
            r#"{"rules": [{"path": []}]}"#,
            "`rules[0].path`: an empty list matches nothing; leave it out",
        ),
        (
            r#"{"rules": [{"extension": [".js"]}]}"#,
            "`rules[0].extension`: write \"js\", without the dot",
        ),
        (
            r#"{"rules": [{"extension": "*.js"}]}"#,
            "`rules[0].extension`: \"*.js\" is not an extension; for other patterns there is `path`",
        ),
        (
            r#"{"rules": [{"type": "html"}]}"#,
            "`rules[0].type`: \"html\" is not a media type; write \"text/html\" or \"image/*\"",
        ),
        (
            r#"{"rules": [{"type": "text/html; charset=utf-8"}]}"#,
            "`rules[0].type`: \"text/html; charset=utf-8\" is not a media type; write \"text/html\" or \"image/*\"",
        ),
        (
            r#"{"rules": [{"status": 99}]}"#,
            "`rules[0].status`: a status is between 200 and 599",
        ),
        (
            r#"{"rules": [{"status": ["404"]}]}"#,
            "`rules[0].status[0]`: a status is a number, or one of \"2xx\", \"3xx\", \"4xx\", \"5xx\", \"any\"",
        ),
        (
            r#"{"rules": [{"cookie": "a b"}]}"#,
            "`rules[0].cookie`: \"a b\" is not the name of a cookie",
        ),
        (
            r#"{"rules": [{"header": ""}]}"#,
            "`rules[0].header`: `header:` needs a name after the colon",
        ),
        (
            r#"{"bypass": [{}]}"#,
            "`bypass[0]`: give `path`, `cookie` or `header`",
        ),
        (
            r#"{"bypass": [{"cookies": "a"}]}"#,
            "`bypass[0]`: unknown field `cookies`; did you mean `cookie`?",
        ),
    ]);
}

#[test]
fn in_the_effects_of_a_rule() {
    let long = format!(r#"{{"rules": [{{"name": "{}"}}]}}"#, "a".repeat(65));
    let tags = format!(
        r#"{{"rules": [{{"tags": [{}]}}], "tags_from": "cache-tag"}}"#,
        ["\"a\""; 15].join(",")
    );
    refused(&[
        (
            r#"{"rules": [{"store": "7 days"}]}"#,
            "`rules[0].store`: \"7 days\" is not a time; write \"10s\", \"5m\", \"12h\", \"7d\", \"2w\", \"1y\" or a number of seconds, or \"never\", \"fields\", \"heuristic\"",
        ),
        (
            r#"{"rules": [{"store": -1}]}"#,
            "`rules[0].store`: a time is not negative",
        ),
        (
            r#"{"rules": [{"store": true}]}"#,
            "`rules[0].store`: expected \"never\", \"fields\", \"heuristic\", or a time such as \"7d\", found a boolean",
        ),
        (
            r#"{"rules": [{"store": "never", "stale_if_error": "1d"}]}"#,
            "`rules[0].stale_if_error`: what is never stored is never stale; leave it out, or store it",
        ),
        (
            r#"{"rules": [{"stale_while_revalidate": "100y"}]}"#,
            "`rules[0].stale_while_revalidate`: 68 years are the longest",
        ),
        (
            r#"{"rules": [{"browser": "Cache-Control: no-store"}]}"#,
            "`rules[0].browser`: write the value alone, without the name of the field",
        ),
        (
            r#"{"rules": [{"browser": "a\r\nSet-Cookie: b"}]}"#,
            "`rules[0].browser`: a field value holds no line break or other control character",
        ),
        (
            r#"{"rules": [{"cdn": ""}]}"#,
            "`rules[0].cdn`: the value has 1 to 1024 bytes",
        ),
        (
            &long,
            "`rules[0].name`: a name is 1 to 64 printable ASCII characters",
        ),
        (
            r#"{"rules": [{"tags": "{hosts}"}]}"#,
            "`rules[0].tags`: unknown placeholder `hosts`; did you mean `host`?",
        ),
        (
            &tags,
            "`rules[0].tags`: with those of `tags_from`, a rule has at most 15 tags",
        ),
    ]);
}

#[test]
fn in_the_key() {
    refused(&[
        (
            r#"{"key": {"query": "all"}}"#,
            "`key.query`: unknown value `all`; there are whole, sorted, ignored, only, without",
        ),
        (
            r#"{"key": {"query": {"without": ["utm*_a"]}}}"#,
            "`key.query.without`: \"utm*_a\" is not the name of a parameter; a `*` may only end it",
        ),
        (
            r#"{"key": {"query": {"only": ""}}}"#,
            "`key.query.only`: \"\" is not the name of a parameter; a `*` may only end it",
        ),
        (
            r#"{"key": {"headers": ["a b"]}}"#,
            "`key.headers`: \"a b\" is not a field name",
        ),
        (
            r#"{"key": {"cookies": "a;b"}}"#,
            "`key.cookies`: \"a;b\" is not the name of a cookie",
        ),
    ]);
}
