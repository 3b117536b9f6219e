//! Fields that only the gateway and its policies set: nobody brings them in from outside.

use janua_tests::{Gateway, Proxy, Request, Settings, Upstream};

async fn start(config: impl std::fmt::Display) -> Gateway {
    Settings::new()
        .server("internal_headers = [\"X-Internal-Key\"]")
        .start(config)
        .await
}

/// Not even a trusted proxy: a CDN forwards what its clients send.
#[tokio::test]
async fn nobody_brings_them_in() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    for listener in ["", "trusted_proxies = [\"127.0.0.1\"]"] {
        let gateway = start(proxy.clone().listener(listener)).await;
        let request = Request::get("/")
            .header("x-internal-key", "stolen")
            .header("X-INTERNAL-KEY", "stolen")
            .header("X_Internal_Key", "stolen")
            .header("X-Internal-Keys", "another");
        gateway.send(request).await;
        let received = upstream.requests().pop().unwrap();
        for name in ["x-internal-key", "x_internal_key"] {
            assert!(received.lines(name).is_empty(), "{received:?}");
        }
        assert_eq!(received.header("x-internal-keys"), Some("another"));
    }
}

#[tokio::test]
async fn nobody_brings_them_in_as_trailers() {
    let upstream = Upstream::echo().await;
    let gateway =
        start(Proxy::to(upstream.endpoint()).listener("trusted_proxies = [\"127.0.0.1\"]")).await;
    let request = Request::new("POST", "/")
        .header("TE", "trailers")
        .header("Trailer", "X-Internal-Key, x-sum")
        .chunked(&[b"body"], &[("X-Internal-Key", "stolen"), ("x-sum", "7")]);
    assert_eq!(gateway.send(request).await.status, 200);
    let received = upstream.only_request();
    assert_eq!(received.trailers, [("x-sum".to_owned(), "7".to_owned())]);
    assert_eq!(received.header("trailer"), Some("x-sum"));
}

/// No route can be chosen by them, and no policy sees them; a policy may set them.
#[tokio::test]
async fn a_policy_may_set_them() {
    const POLICIES: &str = r#"
[policies.copy]
component = "headers"
config = { request = { set = { X-Seen = "{header:x-internal-key}!" } } }
[policies.key]
component = "headers"
config = { request = { set = { X-Internal-Key = "the gateway's" } } }
"#;
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/\"\npolicies = [\"copy\", \"key\"]")
        .also(
            "/secret",
            "headers = { X-Internal-Key = \"stolen\" }\nrespond = { status = 200 }",
        );
    let gateway = start(format!("{POLICIES}{proxy}")).await;
    let request = |target| Request::get(target).header("X-Internal-Key", "stolen");
    gateway.send(request("/")).await;
    gateway.send(request("/secret")).await;
    assert_eq!(upstream.request_count(), 2, "the second as well");
    for received in upstream.requests() {
        assert_eq!(received.header("x-internal-key"), Some("the gateway's"));
        assert_eq!(received.header("x-seen"), None, "{received:?}");
    }
}

/// A client cannot have the field removed again by listing it as one of its own connection.
#[tokio::test]
async fn a_client_cannot_have_them_removed() {
    const POLICY: &str = r#"
[policies.key]
component = "headers"
config = { request = { set = { X-Internal-Key = "the gateway's" } } }
"#;
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"key\"]");
    let gateway = start(format!("{POLICY}{proxy}")).await;
    let request = Request::get("/").header("Connection", "X-Internal-Key");
    gateway.send(request).await;
    let received = upstream.only_request();
    assert_eq!(received.header("x-internal-key"), Some("the gateway's"));
}
