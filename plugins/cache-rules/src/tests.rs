mod mistakes;

use janua_sdk::contract::subscriptions::Phase;
use janua_sdk::testing::{Exchange, Outcome, Trial, configure};
use janua_sdk::{Fetched, Missing, QueryKey, Request, Response, Storage};

use super::CacheRules;
use super::span::Span;

/// The rules of a site with a single-page application and an API.
const SITE: &str = r#"{
    "rules": [
        { "name": "api", "path": "/api/*", "store": "never", "browser": "no-store" },
        { "name": "html", "type": "text/html", "store": "never",
          "browser": "no-cache, no-store, must-revalidate" },
        { "name": "assets", "path": ["/assets/*", "/static/*"], "store": "1y",
          "browser": "public, max-age=31536000, immutable", "cdn": "max-age=31536000",
          "tags": ["assets", "{host}"] },
        { "name": "images", "extension": ["js", "css", "png"], "store": "7d",
          "browser": "public, max-age=604800",
          "stale_while_revalidate": "1h", "stale_if_error": 86400 },
        { "name": "not-found", "status": [404, 410], "store": "10s" },
        { "status": "5xx", "browser": "no-store" }
    ],
    "key": { "query": { "without": ["utm_*", "fbclid"] }, "headers": "X-Tenant", "cookies": ["lang"] },
    "bypass": [{ "cookie": ["session", "admin"] }, { "header": "Authorization", "path": "/me/*" }],
    "tags_from": ["cache-tag", "Surrogate-Key"]
}"#;

fn configured(json: &str) -> Trial<CacheRules> {
    configure(json).unwrap()
}

fn answer(path: &str, status: u16, content_type: &str) -> Exchange {
    Exchange::get(&format!("https://a.example{path}"))
        .answered(status, "upstream")
        .response_header("content-type", content_type)
}

fn rule(got: &Outcome) -> &str {
    got.cache_rule().map_or("", |rule| &rule.name)
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = configured(SITE);
    for (path, status, content_type, expected) in [
        ("/api/a", 200, "application/json", "api"),
        ("/api/a", 500, "application/json", "api"),
        ("/api", 200, "application/json", ""),
        ("/", 200, "text/html; charset=utf-8", "html"),
        ("/", 503, "Text/HTML", "html"),
        ("/assets/a.js", 200, "text/javascript", "assets"),
        ("/static/a", 200, "text/plain", "assets"),
        ("/assets/a.js", 404, "text/plain", "not-found"),
        ("/assets/a.js", 502, "text/plain", "rule 6"),
        ("/logo.PNG", 200, "image/png", "images"),
        ("/logo.png", 304, "image/png", "images"),
        ("/logo.gif", 200, "image/gif", ""),
        ("/x", 410, "text/plain", "not-found"),
        ("/x", 200, "", ""),
    ] {
        let got = policy.fetched(&answer(path, status, content_type));
        assert_eq!(rule(&got), expected, "{path} {status} {content_type}");
        assert!(got.answer.is_none());
    }
}

#[test]
fn a_rule_can_have_all_effects() {
    let policy = configured(SITE);
    let got = policy.fetched(&answer("/a.css", 200, "text/css"));
    let images = got.cache_rule().unwrap();
    assert!(matches!(images.store, Storage::Seconds(604_800)));
    assert_eq!(images.browser.as_deref(), Some("public, max-age=604800"));
    assert_eq!(images.cdn, None);
    assert_eq!(images.stale_while_revalidate, Some(3_600));
    assert_eq!(images.stale_if_error, Some(86_400));
    assert!(!images.shared);

    let got = policy.fetched(&answer("/assets/a.js", 200, "text/javascript"));
    let assets = got.cache_rule().unwrap();
    assert!(matches!(assets.store, Storage::Seconds(31_536_000)));
    assert_eq!(assets.cdn.as_deref(), Some("max-age=31536000"));

    for (store, expected) in [
        ("\"never\"", "Never"),
        ("\"fields\"", "ByFields"),
        ("\"heuristic\"", "ByFieldsOrHeuristic"),
        ("0", "Seconds(0)"),
        ("\"5m\"", "Seconds(300)"),
    ] {
        let json = format!(r#"{{"rules": [{{"store": {store}, "shared": true}}]}}"#);
        let got = configured(&json).fetched(&answer("/", 200, "text/html"));
        let rule = got.cache_rule().unwrap();
        assert!(format!("{:?}", rule.store).ends_with(expected), "{store}");
        assert!(rule.shared);
        assert_eq!(rule.name, "rule 1");
    }
}

#[test]
fn tags_come_from_the_rule_and_the_response() {
    let policy = configured(SITE);
    let tagged = |path| {
        answer(path, 200, "text/javascript")
            .response_header("cache-tag", "one, two")
            .response_header("surrogate-key", "three")
    };
    let got = policy.fetched(&tagged("/assets/a.js"));
    assert_eq!(got.tags(), ["assets", "a.example", "one", "two", "three"]);
    assert_eq!(
        policy.fetched(&tagged("/x")).tags(),
        ["one", "two", "three"]
    );
    let bare = policy.fetched(&answer("/x", 200, "text/plain"));
    assert!(bare.tags().is_empty() && bare.cache_rule().is_none());
}

#[test]
fn the_key_and_bypasses_of_a_lookup() {
    let policy = configured(SITE);
    let request = |path: &str| Exchange::get(&format!("https://a.example{path}"));
    let of = |exchange: &Exchange| {
        let got = policy.request(exchange);
        let (lookup, values) = got.cache_lookup().unwrap();
        (lookup.clone(), values)
    };

    let (lookup, values) = of(&request("/").header("x-tenant", "t"));
    let QueryKey::Without(names) = &lookup.query else {
        panic!("another part of the query");
    };
    assert_eq!(names, &["utm_*", "fbclid"]);
    assert_eq!(lookup.bypass, None);
    assert_eq!(values, [Some("t".to_owned()), None]);

    for (exchange, expected) in [
        (request("/").header("cookie", "a=b"), None),
        (request("/").header("cookie", "session=1"), Some("cookie")),
        (request("/").header("cookie", "admin="), Some("cookie")),
        (request("/").header("authorization", "x"), None),
        (
            request("/me/a").header("authorization", "x"),
            Some("header+path"),
        ),
        (request("/me/a"), None),
    ] {
        assert_eq!(of(&exchange).0.bypass.as_deref(), expected, "{exchange:?}");
    }
}

#[test]
fn parts_of_the_query() {
    for (query, expected) in [
        (r#""whole""#, "Whole"),
        (r#""sorted""#, "Sorted"),
        (r#""ignored""#, "Ignored"),
        (r#"{"only": "page"}"#, r#"Only(["page"])"#),
        (r#"{"only": []}"#, "Only([])"),
        (r#"{"without": ["a", "*"]}"#, r#"Without(["a", "*"])"#),
    ] {
        let policy = configured(&format!(r#"{{"key": {{"query": {query}}}}}"#));
        let got = policy.request(&Exchange::get("https://a.example/"));
        let (lookup, _) = got.cache_lookup().unwrap();
        let shown = format!("{:?}", lookup.query);
        assert!(shown.ends_with(expected), "{query}: {shown}");
    }
}

/// The inputs are the memo key, so there must be none that no rule examines.
#[test]
fn only_what_a_rule_examines_is_an_input() {
    for (json, request, fetched) in [
        (SITE, Some((4, 2)), Some((4, 3))),
        (r#"{"tags_from": "cache-tag"}"#, None, Some((0, 1))),
        (r#"{"rules": [{"store": "never"}]}"#, None, Some((0, 0))),
        (
            r#"{"rules": [{"extension": "js", "status": "any"}]}"#,
            None,
            Some((1, 0)),
        ),
        (
            r#"{"rules": [{"extension": "js"}, {"type": "image/*"}]}"#,
            None,
            Some((3, 0)),
        ),
        (r#"{"key": {"cookies": "a"}}"#, Some((0, 1)), None),
        (r#"{"bypass": [{"cookie": "a"}]}"#, Some((1, 0)), None),
    ] {
        let policy = configured(json);
        let count = |phase: Option<&Phase>| {
            let phase = phase?;
            Some((phase.inputs.len(), phase.references.len()))
        };
        assert_eq!(count(policy.phase(Request)), request, "{json}");
        assert_eq!(count(policy.phase(Fetched)), fetched, "{json}");
        assert!(policy.phase(Missing).is_none() && policy.phase(Response).is_none());
    }
}

#[test]
fn only_what_a_rule_says_is_declared() {
    for (json, request, fetched) in [
        (
            SITE,
            Some("effect:cache-lookup"),
            Some("effect:cache-rule effect:cache-tag"),
        ),
        (
            r#"{"tags_from": "cache-tag"}"#,
            None,
            Some("effect:cache-tag"),
        ),
        (
            r#"{"rules": [{"store": 1}]}"#,
            None,
            Some("effect:cache-rule"),
        ),
        (
            r#"{"bypass": [{"cookie": "a"}]}"#,
            Some("effect:cache-lookup"),
            None,
        ),
    ] {
        let policy = configured(json);
        let may = |phase: Option<&Phase>| phase.map(|phase| phase.may.join(" "));
        assert_eq!(may(policy.phase(Request)).as_deref(), request, "{json}");
        assert_eq!(may(policy.phase(Fetched)).as_deref(), fetched, "{json}");
    }
}

#[test]
fn rules_can_have_conditions_on_the_request() {
    let json = r#"{"rules": [
        {"name": "posts", "method": "post"},
        {"name": "logged-in", "cookie": ["a", "session"]},
        {"name": "preview", "header": ["x-preview", "X-Draft"]}
    ]}"#;
    let policy = configured(json);
    let page = || answer("/", 200, "text/html");
    for (exchange, expected) in [
        (page(), ""),
        (page().method("POST"), "posts"),
        (page().header("cookie", "b=1; session=2"), "logged-in"),
        (page().header("x-draft", ""), "preview"),
    ] {
        assert_eq!(rule(&policy.fetched(&exchange)), expected, "{exchange:?}");
    }
}

#[test]
fn times() {
    for (text, expected) in [
        ("0s", Some(0)),
        ("10s", Some(10)),
        ("5m", Some(300)),
        ("12h", Some(43_200)),
        ("7d", Some(604_800)),
        ("2w", Some(1_209_600)),
        ("1y", Some(31_536_000)),
        ("68y", Some(2_144_448_000)),
        ("69y", None),
        ("99999999999999999999s", None),
        ("18446744073709551615y", None),
        ("10", None),
        ("10ms", None),
        ("s", None),
        ("-1s", None),
        ("1.5h", None),
        ("1 d", None),
        ("", None),
        ("ü", None),
    ] {
        let span = Span::parse(text).ok();
        assert_eq!(span.map(|span| span.0), expected, "{text:?}");
    }
}
