//! The host and path that upstreams get, and how long they may take.

use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Http2Upstream, Proxy, Reply, Request, Upstream, Visit, assert_eventually,
};

use crate::cache::{body, counting, fresh};
use crate::upstream_http2::HTTP2;

/// The routes that are tried over both versions of HTTP.
fn routes(endpoint: String) -> Proxy {
    Proxy::to(endpoint)
        .route("path = \"/api\"\nrewrite = { prefix = \"/v2\" }")
        .also("/root", "rewrite = { prefix = \"/\" }")
        .also("/slash/", "rewrite = { prefix = \"/v3/\" }")
        .also(
            "/whole",
            "rewrite = { path = \"/one/place\", host = \"app.internal:8080\" }",
        )
        .also("/below", "rewrite = { path = \"/v2/{path}\" }")
        .also(
            "/user",
            "rewrite = { path = \"/users/{query:id}/x\", host = \"{header:x-tenant}.internal\" }",
        )
}

const REWRITTEN: [(&str, &str, &str); 14] = [
    ("/api/x?y=%2F", "/v2/x?y=%2F", "a.example"),
    ("/api", "/v2", "a.example"),
    ("/api/", "/v2/", "a.example"),
    ("//api//a%2fb", "/v2/a%2Fb", "a.example"),
    ("/root/x", "/x", "a.example"),
    ("/root", "/", "a.example"),
    ("/root/", "/", "a.example"),
    ("/slash/x", "/v3/x", "a.example"),
    ("/whole/thing?x", "/one/place?x", "app.internal:8080"),
    ("/below/x", "/v2/below/x", "a.example"),
    ("/user?id=7", "/users/7/x?id=7", "blue.internal"),
    (
        "/user?id=a%2Fb%3Fc",
        "/users/a%2Fb%3Fc/x?id=a%2Fb%3Fc",
        "blue.internal",
    ),
    (
        "/user?id=caf%C3%A9",
        "/users/caf%C3%A9/x?id=caf%C3%A9",
        "blue.internal",
    ),
    ("/user", "/users/x", "blue.internal"),
];

#[tokio::test]
async fn upstreams_get_another_path_and_host() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(routes(upstream.endpoint())).await;
    for (target, path, host) in REWRITTEN {
        let request = Request::get(target).header("X-Tenant", "blue");
        let echo = gateway.send(request).await.json();
        assert_eq!(echo["target"], path, "{target}");
        let received = upstream.requests().pop().unwrap();
        assert_eq!(received.header("host"), Some(host), "{target}");
        // The host that the client asked for is still told.
        assert_eq!(received.header("x-forwarded-host"), Some("a.example"));
    }
    // The log has the path that the client has asked for.
    assert_eq!(gateway.log_line("/root/x").await["status"], 200);
}

#[tokio::test]
async fn upstreams_of_http2_get_another_path_and_host() {
    let upstream = Http2Upstream::echo().await;
    let gateway = Gateway::start(routes(upstream.endpoint()).upstream(HTTP2)).await;
    for (target, path, host) in REWRITTEN {
        let request = Request::get(target).header("X-Tenant", "blue");
        assert_eq!(gateway.send(request).await.status, 200, "{target}");
        let received = upstream.requests().pop().unwrap();
        assert_eq!(received.target, path, "{target}");
        assert_eq!(received.header(":authority"), Some(host), "{target}");
    }
}

/// What a client sends does not lead out of what the text says, nor to another host.
#[tokio::test]
async fn values_that_would_lead_elsewhere_are_refused() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .route(
            "path = \"/user\"\n\
             rewrite = { path = \"/users/{query:id}\", host = \"{header:x-tenant}.internal\" }",
        )
        .also("/raw", "rewrite = { prefix = \"/v2/\" }");
    // A prefix that is no whole segment.
    let config = config
        .to_string()
        .replace("path = \"/raw\"", "path = { prefix = \"/raw\" }");
    let config = config.replace("prefix = \"/v2/\"", "prefix = \"/\"");
    let gateway = Gateway::start(config).await;
    let tenant = |target: &str, tenant: &str| Request::get(target).header("X-Tenant", tenant);
    for request in [
        tenant("/user?id=..", "a"),
        tenant("/user?id=%2e%2e", "a"),
        tenant("/user?id=.", "a"),
        tenant("/user?id=..%2Fadmin", "a"),
        tenant("/user?id=..%5Cadmin", "a"),
        tenant("/user?id=..;a", "a"),
        tenant("/user?id=a%00b", "a"),
        tenant("/user?id=1", ""),
        tenant("/user?id=1", "evil.example/"),
        tenant("/user?id=1", "evil.example#"),
        tenant("/user?id=1", "evil:80"),
        tenant("/user?id=1", "a@b"),
        tenant("/user?id=1", "a."),
        Request::get("/user?id=1"),
        Request::get("/raw.."),
        Request::get("/raw../admin"),
        Request::get("/raw..;x/admin"),
    ] {
        let response = gateway.send(request.clone()).await;
        assert_eq!(response.status, 400, "{request:?}");
        assert_eq!(response.proxy_error(), Some("http_request_error"));
    }
    assert_eq!(upstream.request_count(), 0);
    assert_eq!(gateway.get("/rawfoo").await.json()["target"], "/foo");
}

/// Routes that rewrite in different ways share no stored response, and what is made of a
/// requester is stored for that one alone.
#[tokio::test]
async fn stored_responses_are_of_what_the_upstream_got() {
    let upstream = counting(|request, number| {
        let host = request.header("host").unwrap_or_default();
        fresh().body(format!("{} {host} {number}", request.target))
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .site("cache = true")
        .route("path = \"/x\"\nquery = { v = \"2\" }\nrewrite = { prefix = \"/v2\" }");
    let config = config
        .also("/x", "rewrite = { prefix = \"/v1\" }")
        .also("/t", "rewrite = { path = \"/t/{header:x-tenant}\" }")
        .also(
            "/h",
            "request_headers = { set = { x-told = \"{header:x-tenant}\" } }",
        )
        .also("/m", "rewrite = { host = \"{header:x-tenant}.internal\" }");
    let gateway = Gateway::start_one_worker(config).await;
    let of = |target: &str, tenant: &str| Request::get(target).header("X-Tenant", tenant);
    for (request, expected) in [
        (Request::get("/x?v=2"), "/v2?v=2 a.example 1"),
        (Request::get("/x?v=1"), "/v1?v=1 a.example 2"),
        (Request::get("/x?v=2"), "/v2?v=2 a.example 1"),
        (of("/t", "blue"), "/t/blue a.example 3"),
        (of("/t", "red"), "/t/red a.example 4"),
        (of("/t", "blue"), "/t/blue a.example 3"),
        (of("/h", "blue"), "/h a.example 5"),
        (of("/h", "red"), "/h a.example 6"),
        (of("/h", "blue"), "/h a.example 5"),
        (of("/m", "blue"), "/m blue.internal 7"),
        (of("/m", "red"), "/m red.internal 8"),
        (of("/m", "red"), "/m red.internal 8"),
    ] {
        assert_eq!(
            body(&gateway, request.clone()).await,
            expected,
            "{request:?}"
        );
    }
}

/// An attempt that takes too long is 504, whether or not the request may take longer, and the
/// log tells which limit it was.
#[tokio::test]
async fn an_attempt_that_takes_too_long_is_504() {
    let (upstream, release) = Upstream::held().await;
    let gateway = Gateway::start(
        Proxy::to(upstream.endpoint())
            .route("upstream_timeout = \"300ms\"\nrequest_timeout = \"60s\"")
            .also(
                "/whole",
                "upstream_timeout = \"60s\"\nrequest_timeout = \"300ms\"",
            )
            .also("/none", "upstream_timeout = \"0s\""),
    )
    .await;
    for (target, failure, words) in [
        ("/attempt", "response_timeout", "upstream_timeout"),
        ("/whole", "whole_timeout", "longer than the route allows"),
    ] {
        let begin = Instant::now();
        let response = gateway.get(target).await;
        assert_eq!(response.status, 504, "{target}");
        assert_eq!(response.proxy_error(), Some("http_response_timeout"));
        assert!(begin.elapsed() >= Duration::from_millis(300), "{target}");
        let line = gateway.log_line(target).await;
        assert_eq!(line["failure"], failure, "{line}");
        assert!(
            line.to_string().contains(words) || response.text().contains(words),
            "{line} {}",
            response.text()
        );
    }
    let waiting = tokio::spawn({
        let mut wire = gateway.connect().await;
        async move { wire.exchange(&Request::get("/none")).await.status }
    });
    assert_eventually!(upstream.request_count() == 3);
    release.send(true).unwrap();
    assert_eq!(waiting.await.unwrap(), 200);
}

/// The time is that of the whole response.
#[tokio::test]
async fn a_response_that_never_ends_is_aborted() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx";
            let _ = visit.wire.try_send(head).await;
            // One byte after another, so that it is never idle.
            while visit.wire.try_send("x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("upstream_timeout = \"2s\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send("GET /endless HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await;
    assert!(wire.try_receive("GET").await.is_err(), "it is not complete");
    let line = gateway.log_line("/endless").await;
    assert_eq!(line["failure"], "response_timeout", "{line}");
    // The connection's next request has its own time.
    assert_eq!(line["status"], 200, "{line}");
    let ok = Upstream::always(Reply::ok("ok")).await;
    let mut gateway = gateway;
    gateway.reload(Proxy::to(ok.endpoint())).await;
    assert_eq!(gateway.get("/").await.text(), "ok");
}
