//! The bundled policy `headers`: the order of its edits, and values with references.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream};

use crate::policies_seen::lines;

#[tokio::test]
async fn the_request_is_edited() {
    const POLICY: &str = r#"
[policies.edit]
component = "headers"
[policies.edit.config.request]
remove = ["X-Gone", "X-Swap"]
[policies.edit.config.request.set]
X-Ip = "{client_ip}"
X-Where = "{method} {scheme}://{host}{path}?{query}"
X-User = "{header:x-auth-user}"
X-Swap = "{header:x-swap}!"
X-Both = "{cookie:s}-{query:q}"
X-Braces = "{{literal}}"
X-Site = "{site} {route}"
[policies.edit.config.request.append]
X-List = ["one", "{method}"]
X-None = "{header:x-absent}"
"#;
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("path = \"/p\"\npolicies = [\"edit\"]");
    let gateway = Gateway::start(format!("{POLICY}{proxy}")).await;

    let request = Request::get("/p?q=1+2&q=3")
        .host("A.Example:8080")
        .header("x-gone", "1")
        .header("X-Swap", "old")
        .header("X-Ip", "6.6.6.6")
        .header("X-Auth-User", "zoë")
        .header("X-User", "root")
        .header("X-List", "zero")
        .header("Cookie", "a=b; s=t");
    gateway.send(request).await;
    let received = upstream.requests().pop().unwrap();
    let path = format!("GET {}://a.example/p", gateway.scheme());
    let asked = format!("{path}?q=1+2&q=3");
    for (name, expected) in [
        ("x-gone", vec![]),
        ("x-swap", vec!["old!"]),
        ("x-ip", vec!["127.0.0.1"]),
        ("x-where", vec![&*asked]),
        ("x-user", vec!["zoë"]),
        ("x-both", vec!["t-1 2"]),
        ("x-braces", vec!["{literal}"]),
        ("x-site", vec!["* /p"]),
        ("x-list", vec!["zero", "one", "GET"]),
        ("x-none", vec![]),
    ] {
        assert_eq!(lines(&received.fields, name), expected, "{name}");
    }

    // If the referenced value is absent, a field sent by the client is removed.
    let request = Request::get("/p")
        .header("X-User", "root")
        .header("X-Both", "1");
    gateway.send(request).await;
    let received = upstream.requests().pop().unwrap();
    assert_eq!(
        received.header("x-user"),
        None,
        "a spoofed field does not survive"
    );
    assert_eq!(received.header("x-both"), None);
    assert_eq!(received.header("x-where"), Some(&*format!("{path}?")));
    assert_eq!(
        received.header("x-swap"),
        None,
        "all that it points at is absent"
    );
}

#[tokio::test]
async fn the_response_is_edited() {
    const POLICY: &str = r#"
[policies.edit]
component = "headers"
[policies.edit.config.response]
remove = ["Server", "X-Gone"]
[policies.edit.config.response.set]
X-Cache-Control = "{response_header:cache-control}"
Cache-Control = "no-cache, no-store, must-revalidate"
X-Told = "{status} by {answered_by} for {header:x-client}"
[policies.edit.config.response.append]
Link = ["</a.css>; rel=preload", "</b.js>; rel=preload"]
Set-Cookie = "added=1"
"#;
    let reply = Reply::ok("x")
        .header("Server", "secret/1.0")
        .header("X-Gone", "1")
        .header("X-Gone", "2")
        .header("Cache-Control", "public")
        .header("Cache-Control", "max-age=60")
        .header("Set-Cookie", "a=1, b")
        .header("Set-Cookie", "b=2")
        .header("X-Kept", "1");
    let upstream = Upstream::always(reply).await;
    let proxy = Proxy::to(upstream.endpoint()).site("policies = [\"edit\"]");
    let gateway = Gateway::start(format!("{POLICY}{proxy}")).await;
    let response = gateway
        .send(Request::get("/").header("X-Client", "me"))
        .await;
    for (name, expected) in [
        ("server", vec![]),
        ("x-gone", vec![]),
        ("cache-control", vec!["no-cache, no-store, must-revalidate"]),
        ("x-cache-control", vec!["public, max-age=60"]),
        ("x-told", vec!["200 by upstream for me"]),
        (
            "link",
            vec!["</a.css>; rel=preload", "</b.js>; rel=preload"],
        ),
        ("set-cookie", vec!["a=1, b", "b=2", "added=1"]),
        ("x-kept", vec!["1"]),
    ] {
        assert_eq!(lines(&response.fields, name), expected, "{name}");
    }
    assert_eq!(response.text(), "x");
}

/// `x-token_file` sets `x-token`; no field with the name `x-token_file` is sent.
#[tokio::test]
async fn a_value_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token.txt");
    std::fs::write(&token, "{s3cret}\n").unwrap();
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"token\"]");
    let policy = format!(
        "[policies.token]\ncomponent = \"headers\"\nconfig.request.set = {{ X-Token_file = {token:?} }}\n"
    );
    let gateway = Gateway::start(format!("{policy}{proxy}")).await;
    gateway.get("/").await;
    let received = upstream.requests().pop().unwrap();
    assert_eq!(received.header("x-token"), Some("{s3cret}"));
    assert_eq!(received.header("x-token_file"), None);
}
