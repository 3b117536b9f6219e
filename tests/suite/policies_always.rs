//! Which responses get the fields of the policy `headers`: `always`, and
//! security headers on every response.

use janua_tests::{Gateway, Proxy, Reply, Upstream, Vacant, component, granted};

use crate::policies_seen::lines;

/// Responses with statuses as in nginx's list, all, or a list of the operator's
/// own.
#[tokio::test]
async fn always() {
    const POLICIES: &str = r#"
[policies.usual]
component = "headers"
config = { response = { set = { X-Usual = "1" } } }
[policies.every]
component = "headers"
config = { response = { always = true, set = { X-Every = "1" } } }
[policies.own]
component = "headers"
config = { response = { always = [404, 502, 500], set = { X-Own = "1" } } }
[policies.keys]
component = "api-key"
config = { keys = { nobody = "sha256:0000000000000000000000000000000000000000000000000000000000000000" } }
"#;
    let upstream = Upstream::http(async |request| {
        let status = request.target.trim_start_matches("/status/").parse();
        Reply::new(status.unwrap_or(200))
    })
    .await;
    let vacant = Vacant::refusing();
    let proxy = Proxy::to(upstream.endpoint())
        .listener("headers = { X-Listener = \"1\" }")
        .site("policies = [\"usual\", \"every\", \"own\"]")
        .route("path = \"/status/\"")
        .beside("dead", &vacant.endpoint())
        .also("/closed", "policies = [\"keys\"]")
        .also("/dead", "upstream = \"dead\"")
        .also("/said", "respond = { status = 404, body = \"no\" }");
    let gateway = Gateway::start(granted(format!("{POLICIES}{proxy}"))).await;
    let table = [
        // path, status, usual, every, own, listener
        ("/status/200", 200, true, true, false, false),
        ("/status/201", 201, true, true, false, false),
        ("/status/202", 202, false, true, false, false),
        ("/status/204", 204, true, true, false, false),
        ("/status/206", 206, true, true, false, false),
        ("/status/300", 300, false, true, false, false),
        ("/status/301", 301, true, true, false, false),
        ("/status/302", 302, true, true, false, false),
        ("/status/303", 303, true, true, false, false),
        ("/status/304", 304, true, true, false, false),
        ("/status/307", 307, true, true, false, false),
        ("/status/308", 308, true, true, false, false),
        ("/status/400", 400, false, true, false, false),
        ("/status/404", 404, false, true, true, false),
        ("/status/500", 500, false, true, true, false),
        ("/closed", 401, false, true, false, false),
        ("/dead", 502, false, true, true, false),
        ("/said", 404, false, true, true, false),
        ("/no-route", 404, false, false, false, true),
    ];
    // Twice: the first calls the policy, the second reuses the verdict.
    for (path, status, usual, every, own, listener) in table.iter().chain(&table) {
        let response = gateway.get(path).await;
        assert_eq!(response.status, *status, "{path}");
        for (name, is_there) in [
            ("x-usual", usual),
            ("x-every", every),
            ("x-own", own),
            ("x-listener", listener),
        ] {
            assert_eq!(
                response.header(name),
                is_there.then_some("1"),
                "{name} of {path}"
            );
        }
    }
}

/// The fields of two production configurations, exactly, on every kind of
/// response.
#[tokio::test]
async fn security_headers_on_everything() {
    const FIELDS: [(&str, &str); 7] = [
        (
            "Strict-Transport-Security",
            "max-age=31536000; includeSubDomains",
        ),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-XSS-Protection", "1; mode=block"),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        (
            "Permissions-Policy",
            "camera=(), microphone=(), geolocation=(), payment=()",
        ),
        (
            "Content-Security-Policy",
            "default-src 'self' data:; img-src 'self' data: blob:; font-src 'self' data:;",
        ),
    ];
    let set = FIELDS
        .map(|(name, value)| format!("{name} = \"{value}\""))
        .join("\n");
    let reply = Reply::new(404)
        .header("X-Frame-Options", "ALLOWALL")
        .body("no");
    let upstream = Upstream::always(reply).await;
    let vacant = Vacant::refusing();
    let proxy = Proxy::to(upstream.endpoint())
        .site("policies = [\"security-headers\"]")
        .route("path = \"/up\"")
        .beside("dead", &vacant.endpoint())
        .also("/closed", "policies = [\"keys\"]")
        .also("/dead", "upstream = \"dead\"")
        .also("/fixed", "respond = { status = 200 }")
        .also(
            "/moved",
            "redirect = { code = 301, to = \"https://{host}{path}\" }",
        )
        .also(
            "/other",
            "without = [\"security-headers\"]\npolicies = [\"hsts\"]",
        );
    let gateway = Gateway::start(granted(format!(
        r#"
[policies.security-headers]
component = "headers"
[policies.security-headers.config.response]
always = true
[policies.security-headers.config.response.set]
{set}
[policies.hsts]
component = "headers"
config = {{ response = {{ always = true, set = {{ Strict-Transport-Security = "max-age=63072000" }} }} }}
[policies.keys]
component = "api-key"
config = {{ keys = {{ nobody = "sha256:{zeros}" }} }}
{proxy}"#,
        zeros = "0".repeat(64),
    )))
    .await;
    for (path, status) in [
        ("/up", 404),
        ("/closed", 401),
        ("/dead", 502),
        ("/fixed", 200),
        ("/moved", 301),
    ] {
        let response = gateway.get(path).await;
        assert_eq!(response.status, status, "{path}");
        for (name, value) in FIELDS {
            assert_eq!(lines(&response.fields, name), [value], "{name} of {path}");
        }
    }
    let other = gateway.get("/other").await;
    assert_eq!(
        other.header("strict-transport-security"),
        Some("max-age=63072000")
    );
    assert_eq!(
        other.header("x-frame-options"),
        Some("ALLOWALL"),
        "the upstream's own"
    );
    assert_eq!(other.header("referrer-policy"), None);
}

/// A policy's reply in any phase is treated like other responses: the response
/// phase runs on it.
#[tokio::test]
async fn a_reply_of_any_phase_gets_its_fields() {
    let upstream = Upstream::http(async |request| {
        Reply::new(if request.target == "/missing" {
            404
        } else {
            200
        })
    })
    .await;
    let probe = component("probe");
    let probe = probe.display();
    let policies = format!(
        "[policies.security]\ncomponent = \"headers\"\n\
         config = {{ response = {{ always = true, set = {{ X-Frame-Options = \"DENY\" }} }} }}\n\
         [policies.request]\ncomponent = \"{probe}\"\nconfig = {{ label = \"r\", show = [], answer = 418 }}\n\
         [policies.fetched]\ncomponent = \"{probe}\"\n\
         config = {{ label = \"f\", show_fetched = [], replace_fetched = 418 }}\n\
         [policies.missing]\ncomponent = \"{probe}\"\n\
         config = {{ label = \"m\", show_missing = [], replace_missing = 418 }}\n"
    );
    for cache in ["", "cache = true\n"] {
        let proxy = Proxy::to(upstream.endpoint())
            .site("policies = [\"security\"]")
            .also("/request", "policies = [\"request\"]")
            .also("/fetched", &format!("{cache}policies = [\"fetched\"]"))
            .also(
                "/missing",
                &format!("{cache}missing = true\npolicies = [\"missing\"]"),
            );
        let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
        for path in ["/request", "/fetched", "/missing"] {
            let response = gateway.get(path).await;
            assert_eq!(response.status, 418, "{path} {cache}");
            assert_eq!(
                response.header("x-frame-options"),
                Some("DENY"),
                "{path} {cache}"
            );
        }
    }
}
