//! Forwarded fields: the client's address, the host, hop-by-hop fields and the
//! request id.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream, is_over_http2};
use serde_json::Value;

/// The header fields that an echo reports as received.
async fn fields_of(gateway: &Gateway, request: Request) -> Value {
    let response = gateway.send(request).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["headers"].clone()
}

#[tokio::test]
async fn the_upstream_learns_who_asks() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let fields = fields_of(&gateway, Request::get("/").host("shop.example:8080")).await;
    assert_eq!(fields["host"], "shop.example:8080");
    assert_eq!(fields["x-real-ip"], "127.0.0.1");
    assert_eq!(fields["x-forwarded-for"], "127.0.0.1");
    assert_eq!(fields["x-forwarded-proto"], gateway.scheme());
    assert_eq!(fields["x-forwarded-host"], "shop.example:8080");
}

#[tokio::test]
async fn a_client_cannot_say_who_it_is() {
    // `Connection` is of HTTP/1.
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let other_scheme = match gateway.scheme() {
        "http" => "https",
        _ => "http",
    };
    let request = Request::get("/")
        .header("X-Forwarded-For", "203.0.113.9")
        .header("X-Real-IP", "203.0.113.9")
        .header("X-Forwarded-Proto", other_scheme)
        .header("X-Forwarded-Host", "evil.example")
        .header("Forwarded", "for=203.0.113.9;proto=https")
        .header("X_Real_IP", "203.0.113.9")
        .header("X_Forwarded_For", "203.0.113.9")
        .header("Connection", "X-Real-IP, X-Forwarded-For, Host");
    let fields = fields_of(&gateway, request).await;
    // Appended as in nginx: the last address is the one that this gateway saw.
    assert_eq!(fields["x-forwarded-for"], "203.0.113.9, 127.0.0.1");
    assert_eq!(fields["x-real-ip"], "127.0.0.1");
    assert_eq!(fields["x-forwarded-proto"], gateway.scheme());
    assert_eq!(fields["x-forwarded-host"], "a.example");
    assert_eq!(fields["host"], "a.example");
    for gone in ["forwarded", "x_real_ip", "x_forwarded_for"] {
        assert!(fields.get(gone).is_none(), "{gone}: {fields}");
    }
    let line = gateway.log_line("/").await;
    assert_eq!(line["client_ip"], "127.0.0.1");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .listener("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]");
    let gateway = Gateway::start(config).await;
    // Addresses to the left of the first untrusted one may be forged.
    let request = Request::get("/trusted")
        .header("X-Forwarded-For", "198.51.100.1, 203.0.113.9")
        .header("X-Forwarded-For", "10.1.2.3")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "shop.example");
    let fields = fields_of(&gateway, request).await;
    assert_eq!(fields["x-real-ip"], "203.0.113.9");
    assert_eq!(
        fields["x-forwarded-for"],
        "198.51.100.1, 203.0.113.9, 10.1.2.3, 127.0.0.1"
    );
    assert_eq!(fields["x-forwarded-proto"], "https");
    assert_eq!(fields["x-forwarded-host"], "shop.example");
    let line = gateway.log_line("/trusted").await;
    assert_eq!(line["client_ip"], "203.0.113.9");
    assert_eq!(line["scheme"], "https");
}

#[tokio::test]
async fn hosts_for_the_upstream() {
    let upstream = Upstream::echo().await;
    let endpoint = upstream.endpoint();
    let config = format!(
        r#"
[listeners.public]
address = "127.0.0.1:0"
[upstreams.app]
endpoints = ["{endpoint}"]
[[sites]]
hosts = ["*"]
routes = [
  {{ path = "/preserve", upstream = "app", host = "preserve" }},
  {{ path = "/upstream", upstream = "app", host = "upstream" }},
  {{ path = "/literal", upstream = "app", host = "app.internal:8443" }},
]
"#
    );
    let gateway = Gateway::start(config).await;
    for (path, host) in [
        ("/preserve", "a.example"),
        ("/upstream", endpoint.as_str()),
        ("/literal", "app.internal:8443"),
    ] {
        let fields = fields_of(&gateway, Request::get(path)).await;
        assert_eq!(fields["host"], host, "{path}");
        assert_eq!(fields["x-forwarded-host"], "a.example", "{path}");
    }
}

#[tokio::test]
async fn fields_of_one_hop_end_here() {
    // `Connection` is of HTTP/1.
    if is_over_http2() {
        return;
    }
    let reply = Reply::ok("x")
        .header("Connection", "keep-alive, X-Secret")
        .header("Keep-Alive", "timeout=60")
        .header("X-Secret", "s")
        .header("Proxy-Connection", "keep-alive")
        .header("Upgrade", "h2c")
        .header("X-Kept", "1")
        .header("Set-Cookie", "a=1")
        .header("Set-Cookie", "b=2");
    let upstream = Upstream::always(reply).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::get("/")
        .header("Connection", "X-Hop, keep-alive")
        .header("Connection", "x-other")
        .header("X-Hop", "1")
        .header("X-Other", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("TE", "gzip")
        .header("X-Kept", "1")
        .header("X-Kept", "2");
    let response = gateway.send(request).await;
    let received = upstream.only_request();
    for gone in [
        "connection",
        "x-hop",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "te",
    ] {
        assert_eq!(received.header(gone), None, "{gone}");
    }
    let kept = received.fields.iter().filter(|(name, _)| name == "X-Kept");
    assert_eq!(
        kept.map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
        ["1", "2"]
    );

    for gone in [
        "connection",
        "keep-alive",
        "x-secret",
        "proxy-connection",
        "upgrade",
    ] {
        assert_eq!(response.header(gone), None, "{gone}");
    }
    assert_eq!(response.header("X-Kept"), Some("1"));
    let cookies = response
        .fields
        .iter()
        .filter(|(name, _)| name == "Set-Cookie");
    assert_eq!(
        cookies.map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
        ["a=1", "b=2"]
    );
    assert_eq!(response.reason, "Said", "the reason is the upstream's");
}

#[tokio::test]
async fn a_response_without_a_date_gets_one() {
    let upstream = Upstream::always(Reply::ok("x")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let date = gateway.get("/").await.header("date").map(str::to_owned);
    let date = date.expect("RFC 9110 §6.6.1");
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");

    let dated = Reply::ok("x").header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let upstream = Upstream::always(dated).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let response = gateway.get("/").await;
    assert_eq!(
        response.header("date"),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
}

#[tokio::test]
async fn request_ids() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut ids = Vec::new();
    for path in ["/one", "/two"] {
        let spoofed = Request::get(path).header("X-Request-Id", &"0".repeat(32));
        let response = gateway.send(spoofed).await;
        let id = response.json()["headers"]["x-request-id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id}"
        );
        assert_eq!(gateway.log_line(path).await["request_id"], id.as_str());
        assert_eq!(
            response.header("x-request-id"),
            None,
            "for the upstream only"
        );
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    assert!(
        !ids.contains(&"0".repeat(32)),
        "a stranger's id is not taken"
    );
}

#[tokio::test]
async fn the_request_id_of_a_trusted_proxy_is_kept() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).listener("trusted_proxies = [\"127.0.0.1\"]");
    let gateway = Gateway::start(config).await;
    let given = "0123456789abcdef0123456789ABCDEF";
    let fields = fields_of(&gateway, Request::get("/").header("X-Request-Id", given)).await;
    assert_eq!(fields["x-request-id"], given);
    let odd = Request::get("/").header("X-Request-Id", "x; DROP TABLE");
    let fields = fields_of(&gateway, odd).await;
    assert_eq!(fields["x-request-id"].as_str().map(str::len), Some(32));
}
