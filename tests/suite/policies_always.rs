//! Which answers the fields of `headers` are on: `always`, and security
//! headers on everything.

use janua_tests::{Gateway, Proxy, Reply, Upstream, Vacant};

use crate::policies_seen::lines;

/// Which answers get their fields: nginx's list, all, or a list of one's own.
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
    let gateway = Gateway::start(format!("{POLICIES}{proxy}")).await;
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
    // Twice: asked, and remembered.
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

/// The fields of two production configurations, letter by letter, on every
/// kind of answer.
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
    let gateway = Gateway::start(format!(
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
    ))
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
