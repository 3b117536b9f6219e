use janua_sdk::testing::{Exchange, Trial, configure};
use janua_sdk::{Fetched, Missing, Request, Response};

use super::SpaFallback;

const NAVIGATION: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
/// Extensions for which a page must never be served.
const ASSETS: [&str; 12] = [
    "js", "css", "png", "jpg", "jpeg", "gif", "ico", "svg", "woff", "woff2", "ttf", "eot",
];

fn configured(json: &str) -> Trial<SpaFallback> {
    configure(json).unwrap()
}

fn get(path: &str) -> Exchange {
    Exchange::get(&format!("https://a.example{path}")).answered(404, "files")
}

fn served(policy: &Trial<SpaFallback>, exchange: &Exchange) -> bool {
    let got = policy.missing(exchange);
    assert!(got.answer.is_none());
    assert_eq!(got.note().is_some(), got.serve.is_some());
    got.serve.is_some()
}

#[test]
fn a_route_of_the_application_gets_its_index() {
    let got = configured("{}").missing(&get("/orders/7").header("accept", NAVIGATION));
    assert_eq!(got.serve.as_deref(), Some("/index.html"));
    assert_eq!(got.exchange.response_lines("cache-control"), ["no-cache"]);
    assert_eq!(got.note(), Some("spa-fallback"));

    let json = r#"{"index": "/app/", "cache_control": ""}"#;
    let got = configured(json).missing(&get("/orders/7"));
    assert_eq!(got.serve.as_deref(), Some("/app/"));
    assert!(got.exchange.response_lines("cache-control").is_empty());
}

#[test]
fn the_index_is_not_served_for_assets() {
    for json in [
        "{}",
        r#"{"assets": []}"#,
        r#"{"assets": "pdf"}"#,
        r#"{"only_navigations": false}"#,
    ] {
        let policy = configured(json);
        for extension in ASSETS {
            for path in [
                format!("/a.{extension}"),
                format!("/assets/index-D1f3a9.{extension}"),
                format!("/a.{}", extension.to_uppercase()),
            ] {
                let exchange = get(&path).header("accept", NAVIGATION);
                assert!(!served(&policy, &exchange), "{json} {path}");
            }
        }
        assert!(!served(&policy, &get("/docs/a.pdf")) || json == r#"{"assets": []}"#);
    }
    let any = configured("{}");
    assert!(!served(&any, &get("/users/jane.doe")));
    let named = configured(r#"{"assets": ["PDF"]}"#);
    assert!(served(&named, &get("/users/jane.doe")));
    assert!(!served(&named, &get("/a.pdf")));
}

#[test]
fn only_navigations_get_the_index() {
    let fields: [(&[(&str, &str)], bool); 8] = [
        (&[], true),
        (&[("accept", "*/*")], true),
        (&[("accept", NAVIGATION)], true),
        (&[("accept", "application/json")], false),
        (
            &[("accept", NAVIGATION), ("sec-fetch-mode", "navigate")],
            true,
        ),
        (&[("accept", "*/*"), ("sec-fetch-mode", "cors")], false),
        (
            &[("accept", "*/*"), ("sec-fetch-mode", "same-origin")],
            false,
        ),
        (
            &[("accept", NAVIGATION), ("sec-fetch-mode", "no-cors")],
            false,
        ),
    ];
    let strict = configured("{}");
    let lax = configured(r#"{"only_navigations": false}"#);
    for (fields, expected) in fields {
        let exchange = fields
            .iter()
            .fold(get("/orders"), |e, (name, value)| e.header(name, value));
        assert_eq!(served(&strict, &exchange), expected, "{fields:?}");
        assert!(served(&lax, &exchange), "{fields:?}");
    }
    for (method, expected) in [
        ("GET", true),
        ("HEAD", true),
        ("POST", false),
        ("OPTIONS", false),
    ] {
        for policy in [&strict, &lax] {
            let exchange = get("/orders").method(method);
            assert_eq!(served(policy, &exchange), expected, "{method}");
        }
    }
}

#[test]
fn the_index_is_not_served_for_excluded_paths() {
    let policy = configured(r#"{"exclude": ["/api/*", "/healthz"]}"#);
    for (path, expected) in [
        ("/api/orders", false),
        ("/api/", false),
        ("/api", true),
        ("/apiary", true),
        ("/healthz", false),
        ("/", true),
    ] {
        assert_eq!(served(&policy, &get(path)), expected, "{path}");
    }
    let one = configured(r#"{"exclude": "/api/*"}"#);
    assert!(!served(&one, &get("/api/orders")));
}

/// `/` and `/index.html` are not missing, but they are the index too.
#[test]
fn existing_pages_are_revalidated() {
    let page = |status, kind: &str| {
        let exchange = Exchange::get("https://a.example/").answered(status, "files");
        exchange.response_header("content-type", kind)
    };
    for (status, kind, expected) in [
        (200, "text/html; charset=utf-8", true),
        (200, "Text/HTML", true),
        (200, "application/xhtml+xml", true),
        (200, "text/html-not", false),
        (200, "text/css; charset=utf-8", false),
        (200, "", false),
        (404, "text/html", false),
        (301, "text/html", false),
    ] {
        for (json, on) in [
            ("{}", true),
            (r#"{"pages": false}"#, false),
            (r#"{"cache_control": ""}"#, false),
        ] {
            let got = configured(json).fetched(&page(status, kind));
            assert!(got.answer.is_none() && got.note().is_none());
            let lines = got.exchange.response_lines("cache-control");
            let is_set = lines == ["no-cache"];
            assert_eq!(is_set, expected && on, "{json} {status} {kind}: {lines:?}");
            assert_eq!(lines.is_empty(), !is_set);
        }
    }
    let own = page(200, "text/html").response_header("cache-control", "max-age=60");
    let got = configured("{}").fetched(&own);
    assert_eq!(got.exchange.response_lines("cache-control"), ["max-age=60"]);
    let other = r#"{"cache_control": "no-store"}"#;
    let got = configured(other).fetched(&page(200, "text/html"));
    assert_eq!(got.exchange.response_lines("cache-control"), ["no-store"]);
}

/// All routes of the application have one verdict, unless paths are excluded.
#[test]
fn the_path_is_an_input_only_with_exclude() {
    for (json, inputs) in [
        (r#"{"only_navigations": false}"#, 2),
        ("{}", 4),
        (r#"{"exclude": "/api/*"}"#, 5),
    ] {
        let policy = configured(json);
        assert!(policy.phase(Request).is_none() && policy.phase(Response).is_none());
        let phase = policy.phase(Missing).unwrap();
        assert_eq!(phase.inputs.len(), inputs, "{json}");
        let path = format!("{:?}", phase.inputs).contains("Path");
        assert_eq!(path, json.contains("exclude"), "{json}");
        let fetched = policy.phase(Fetched).unwrap();
        assert_eq!(fetched.inputs.len(), 2, "{json}");
    }
    let quiet = configured(r#"{"pages": false}"#);
    assert!(quiet.phase(Fetched).is_none());
}

#[test]
fn no_more_is_declared_than_needed() {
    for (json, missing, fetched) in [
        (
            "{}",
            "edit:response-header:cache-control serve",
            Some("edit:response-header:cache-control"),
        ),
        (
            r#"{"pages": false}"#,
            "edit:response-header:cache-control serve",
            None,
        ),
        (r#"{"cache_control": ""}"#, "serve", None),
    ] {
        let policy = configured(json);
        let may = policy.phase(Missing).map(|phase| phase.may.join(" "));
        assert_eq!(may.as_deref(), Some(missing), "{json}");
        let may = policy.phase(Fetched).map(|phase| phase.may.join(" "));
        assert_eq!(may.as_deref(), fetched, "{json}");
    }
}

#[test]
fn invalid_configurations_are_refused() {
    let cases = [
        (
            r#"{"index": "index.html"}"#,
            "`index`: \"index.html\" is not a path such as \"/index.html\"",
        ),
        (
            r#"{"index": "/index.html?v=1"}"#,
            "`index`: \"/index.html?v=1\" is not a path such as \"/index.html\"",
        ),
        (
            r#"{"exclude": ["api"]}"#,
            "`exclude[0]`: \"api\" is not a path; it begins with `/` or `*`",
        ),
        (
            r#"{"assets": [".pdf"]}"#,
            "`assets`: write \"pdf\", without the dot",
        ),
        (
            r#"{"cache_control": "a\nb"}"#,
            "`cache_control`: a field value holds no line break or other control character",
        ),
        (
            r#"{"excludes": []}"#,
            "unknown field `excludes`; did you mean `exclude`?",
        ),
    ];
    for (json, message) in cases {
        let error = configure::<SpaFallback>(json).unwrap_err();
        assert_eq!(error, message, "{json}");
    }
}
