//! The path of a forwarded request.

use janua_tests::{Gateway, Proxy, Upstream};

#[tokio::test]
async fn one_path_for_everyone() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for (sent, received) in [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("/a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/%61%2D%7E", "/a-~"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%20b", "/a%20b"),
        ("/x?q=%2e%2e/&r=a//b", "/x?q=%2e%2e/&r=a//b"),
        ("/x?", "/x?"),
        ("/x?a?b", "/x?a?b"),
        ("/x;v=1/y", "/x;v=1/y"),
    ] {
        let echo = gateway.get(sent).await.json();
        assert_eq!(echo["target"], received, "{sent}");
    }
}

#[tokio::test]
async fn encoded_slashes_can_be_refused() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).site("encoded_slash = \"refuse\"");
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get("/a%2Fb").await.status, 400);
    assert_eq!(gateway.get("/a%5Cb").await.status, 200);
    assert_eq!(upstream.request_count(), 1);
}

/// Spellings of `/a/../admin` and `/a/./admin` that only some upstreams read as that.
const HIDDEN_DOTS: &[(&str, &str)] = &[
    ("/a/..%2fadmin", "/a/..%2Fadmin"),
    ("/a%2F..%2Fadmin", "/a%2F..%2Fadmin"),
    ("/a/%2e%2e%5cadmin", "/a/..%5Cadmin"),
    ("/a/..\\admin", "/a/..%5Cadmin"),
    ("/a/..;/admin", "/a/..;/admin"),
    ("/..;x=1/admin", "/..;x=1/admin"),
    ("/a/%2e%2E;/admin", "/a/..;/admin"),
    ("/a/..%3B/admin", "/a/..%3B/admin"),
    ("/a/.;/admin", "/a/.;/admin"),
    ("/a/b;%2f..;c/admin", "/a/b;%2F..;c/admin"),
    ("/a/..;/../admin", "/a/admin"),
];

#[tokio::test]
async fn hidden_dot_segments_are_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for (sent, normal) in HIDDEN_DOTS {
        let mut wire = gateway.connect().await;
        wire.send(format!("GET {sent} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes())
            .await;
        let response = wire.receive("GET").await;
        assert_eq!(response.status, 400, "{sent}");
        let line = gateway.log_line(normal).await;
        assert_eq!(line["failure"], "bad_request", "{sent}");
        let notes = line["notes"].to_string();
        assert!(notes.contains("path hides a dot segment"), "{line}");
    }
    assert_eq!(upstream.request_count(), 0);
    // What only resembles them passes.
    for sent in [
        "/a;v=1/b",
        "/a;v=../b",
        "/...;/a",
        "/a..%2Fb",
        "/;/a",
        "/a%2Fb",
    ] {
        assert_eq!(gateway.get(sent).await.json()["target"], sent);
    }
}

#[tokio::test]
async fn hidden_dot_segments_can_be_kept() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).site("hidden_dots = \"keep\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    for (sent, received) in HIDDEN_DOTS {
        wire.send(format!("GET {sent} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes())
            .await;
        let echo = wire.receive("GET").await.json();
        assert_eq!(echo["target"], *received, "{sent}");
    }
}

#[tokio::test]
async fn a_prefix_is_stripped() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).route("path = \"/api/\"\nstrip_prefix = \"/api\"");
    let gateway = Gateway::start(config).await;
    for (sent, received) in [
        ("/api/users?x=/api/y", "/users?x=/api/y"),
        ("/api/", "/"),
        ("/api//users", "/users"),
        ("/x/../api/users", "/users"),
        ("/api/api/users", "/api/users"),
    ] {
        let echo = gateway.get(sent).await.json();
        assert_eq!(echo["target"], received, "{sent}");
    }
    // As in Caddy, where `handle_path /api/*` does not match the bare path.
    assert_eq!(gateway.get("/api").await.status, 404);
    assert_eq!(gateway.get("/apix").await.status, 404);
}
