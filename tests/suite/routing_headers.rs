//! The header fields that routes set, add and remove.

use janua_tests::{Gateway, Http2Upstream, Proxy, Reply, Request, Upstream, run};

use crate::upstream_http2::HTTP2;

const REQUEST: &str = r#"request_headers = { remove = ["x-gone", "x-real-ip"], set = { x-client = "{client_ip} {method}", x-none = "{header:x-absent}", X-Fixed = "{{1}} $$" }, add = { x-more = ["a", "b {path}"], x-line = "{query:q}" } }"#;

#[tokio::test]
async fn upstreams_get_the_fields_of_the_route() {
    let upstream = Upstream::echo().await;
    let http2 = Http2Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).route(REQUEST);
    let gateway = Gateway::start(config).await;
    let config = Proxy::to(http2.endpoint()).upstream(HTTP2).route(REQUEST);
    let over_http2 = Gateway::start(config).await;
    let request = Request::get("/p?q=a+b")
        .header("X-Gone", "1")
        .header("X-None", "spoofed")
        .header("X-Client", "spoofed")
        .header("X-More", "0");
    assert_eq!(gateway.send(request.clone()).await.status, 200);
    assert_eq!(over_http2.send(request).await.status, 200);
    // Nothing of the client's is left of a field that is set, even without a value.
    let values = |fields: &[(String, String)], name: &str| {
        let fields = fields.iter();
        let fields = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    for fields in [upstream.only_request().fields, http2.only_request().fields] {
        for (name, expected) in [
            ("x-gone", &[][..]),
            ("x-real-ip", &[]),
            ("x-none", &[]),
            ("x-client", &["127.0.0.1 GET"]),
            ("x-fixed", &["{1} $"]),
            ("x-more", &["0", "a", "b /p"]),
            ("x-line", &["a b"]),
        ] {
            assert_eq!(values(&fields, name), expected, "{name}: {fields:?}");
        }
    }
}

/// A decoded parameter may contain a line end, and a head has a largest size.
#[tokio::test]
async fn a_value_that_is_not_valid_in_a_head_is_400() {
    let upstream = Upstream::echo().await;
    let lines = r#"request_headers = { set = { x-a = "{query:q}", x-b = "{header:authorization}" } }
response_headers = { set = { x-r = "{query:q}", x-ok = "1" } }"#;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).route(lines)).await;
    for request in [
        Request::get("/?q=a%0d%0aX-Evil:%201"),
        Request::get("/?q=%00"),
        Request::get("/")
            .header("Authorization", "Bearer a")
            .header("Authorization", "Bearer b"),
    ] {
        let response = gateway.send(request.clone()).await;
        assert_eq!(response.status, 400, "{request:?}");
        // The response that tells it still has the fields of the route.
        assert_eq!(response.header("x-ok"), Some("1"));
        assert_eq!(
            (response.header("x-r"), response.header("x-evil")),
            (None, None)
        );
    }
    assert_eq!(upstream.request_count(), 0);
    let response = gateway.get("/?q=fine").await;
    assert_eq!(response.header("x-r"), Some("fine"));
}

/// Copies of a large field, with which a head is larger than 256 KiB.
const COPIES: &str =
    r#"a = "{header:x-big}", b = "{header:x-big}", c = "{header:x-big}", d = "{header:x-big}""#;

/// The edits of a route do not make a head of any size.
#[tokio::test]
async fn a_request_that_would_be_too_large_with_the_fields_of_the_route_is_431() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .listener("max_head = \"128KiB\"")
        .route(&format!(
            "request_headers = {{ set = {{ {COPIES} }} }}\n\
             response_headers = {{ set = {{ x-ok = \"1\" }} }}"
        ));
    let gateway = Gateway::start(config).await;
    let request = |bytes| Request::get("/").header("X-Big", &"b".repeat(bytes));
    let response = gateway.send(request(60 * 1024)).await;
    assert_eq!(response.status, 431);
    assert_eq!(response.header("x-ok"), Some("1"));
    assert_eq!(upstream.request_count(), 0);
    let line = gateway.log_line("/").await;
    assert_eq!(line["failure"], "request_head_too_large", "{line}");
    assert_eq!(gateway.send(request(1024)).await.status, 200);
}

/// A response that is too large becomes a failure, which has the fields of the route, or has none of
/// them if they alone are too large.
#[tokio::test]
async fn a_response_that_would_be_too_large_with_the_fields_of_the_route_is_502() {
    let upstream =
        Upstream::http(|_| async { Reply::ok("up").header("X-Large", &"l".repeat(40 * 1024)) })
            .await;
    let config = Proxy::to(upstream.endpoint())
        .listener("max_head = \"128KiB\"")
        .route(&format!(
            "response_headers = {{ set = {{ x-ok = \"1\", x-pad = \"{}\", {COPIES} }} }}",
            "p".repeat(20 * 1024)
        ));
    let gateway = Gateway::start(config).await;
    for (bytes, status, ok) in [
        (1024, 200, Some("1")),
        (55 * 1024, 502, Some("1")),
        (60 * 1024, 502, None),
    ] {
        let request = Request::get("/").header("X-Big", &"b".repeat(bytes));
        let response = gateway.send(request).await;
        assert_eq!(
            (response.status, response.header("x-ok")),
            (status, ok),
            "{bytes}"
        );
        assert_eq!(response.header("a").is_some(), ok.is_some(), "{bytes}");
    }
}

/// Whatever a response comes from, the route's edits are the last.
#[tokio::test]
async fn clients_get_the_fields_of_the_route() {
    let upstream = Upstream::http(|request| async move {
        Reply::ok("up")
            .header("Server", "secret/1.0")
            .header("X-Version", "7")
            .header("Link", "</x.css>; rel=preload")
            .header("X-Path", &request.target)
    })
    .await;
    let lines = r#"response_headers = { remove = ["server"], set = { x-frame-options = "DENY", x-seen = "{status} {answered_by} {response_header:x-version}", x-policy = "route" }, add = { link = "</a.css>; rel=preload" } }"#;
    let config = Proxy::to(upstream.endpoint())
        .site("policies = [\"late\"]")
        .route(&format!("path = \"/up\"\n{lines}"));
    let config = format!(
        "[policies.late]\ncomponent = \"headers\"\nconfig = {{ response = {{ always = true, set = {{ X-Policy = \"policy\" }} }} }}\n{config}\
         [[sites.routes]]\npath = \"/made\"\nrespond = {{ status = 404, body = \"no\" }}\n{lines}\n\
         [[sites.routes]]\npath = \"/moved\"\nredirect = {{ to = \"/up\" }}\n{lines}\n\
         [[sites.routes]]\npath = \"/plain\"\nrespond = {{}}\n"
    );
    let gateway = Gateway::start(config).await;
    let response = gateway.get("/up").await;
    assert_eq!(response.header("server"), None);
    assert_eq!(response.header("x-seen"), Some("200 upstream 7"));
    assert_eq!(response.header("x-policy"), Some("route"));
    let links = response.fields.iter();
    let links = links.filter(|(name, _)| name.eq_ignore_ascii_case("link"));
    let links: Vec<_> = links.map(|(_, value)| value.as_str()).collect();
    assert_eq!(links, ["</x.css>; rel=preload", "</a.css>; rel=preload"]);
    for (target, seen) in [("/made", "404 gateway "), ("/moved", "302 gateway ")] {
        let response = gateway.get(target).await;
        assert_eq!(response.header("x-seen").map(str::trim), Some(seen.trim()));
        assert_eq!(response.header("x-frame-options"), Some("DENY"), "{target}");
    }
    let plain = gateway.get("/plain").await;
    assert_eq!(
        (plain.header("x-seen"), plain.header("x-policy")),
        (None, Some("policy"))
    );
    // Failures of the gateway on this route, too.
    upstream.stop().await;
    let failed = gateway.get("/up").await;
    assert_eq!(failed.status, 502);
    assert_eq!(failed.header("x-seen").map(str::trim), Some("502 gateway"));
}

/// A field that a policy owns is stated by nobody else, and a variable is set by a policy of the
/// route.
#[tokio::test]
async fn what_policies_own_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = |lines: &str| {
        let proxy = Proxy::to("127.0.0.1:1")
            .site("policies = [\"keys\"]")
            .route(lines);
        format!(
            "[policies.keys]\ncomponent = \"api-key\"\nconfig = {{ keys = {{ alice = \"{}\" }} }}\n{proxy}",
            crate::policies_api_key::digest("alice-key")
        )
    };
    for (lines, message) in [
        (
            "request_headers = { set = { x-a = \"{variable:other.user}\" } }",
            "no policy of this route sets `other.user`",
        ),
        (
            "request_headers = { set = { x-consumer = \"alice\" } }",
            "owns the field `x-consumer`",
        ),
        (
            "request_headers = { set = { content-length = \"1\" } }",
            "belongs to the gateway",
        ),
        (
            "request_headers = { remove = [\"host\"] }",
            "not an ordinary field",
        ),
        (
            "request_headers = { add = { x-a = \"{status}\" } }",
            "before there is a response",
        ),
    ] {
        std::fs::write(folder.path().join("janua.toml"), config(lines)).unwrap();
        let ran = run(folder.path(), &["check"]).await;
        assert_eq!(ran.code, Some(1), "{lines}: {ran:?}");
        assert!(ran.stderr.contains(message), "{lines}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("janua.toml:"),
            "{lines}: {}",
            ran.stderr
        );
    }
}
