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
