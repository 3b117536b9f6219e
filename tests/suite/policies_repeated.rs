//! A credential that a client sends several times: the policy and the upstream must not read
//! different ones.

use janua_tests::{Gateway, Proxy, Request, Settings, Upstream, component, granted};

use crate::cache::{body, counting, fresh};
use crate::policies_api_key::digest;
use crate::policies_seen::lines;

/// The status of a request with these lines in its head.
async fn status(gateway: &Gateway, target: &str, fields: &str) -> u16 {
    let mut wire = gateway.connect().await;
    wire.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes())
        .await;
    wire.receive("GET").await.status
}

#[tokio::test]
async fn two_keys_are_refused() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).site("policies = [\"keys\"]");
    let gateway = Gateway::start(granted(format!(
        "[policies.keys]\ncomponent = \"api-key\"\nconfig.keys = {{ alice = \"{}\", both = \"{}\" }}\n{proxy}",
        digest("alices"),
        digest("alices, bobs"),
    )))
    .await;
    // A line with both is another key than two lines, also once its verdict is remembered.
    for _ in 0..2 {
        for (fields, expected) in [
            ("X-Api-Key: alices\r\n", 200),
            ("X-Api-Key: alices, bobs\r\n", 200),
            ("X-Api-Key: alices\r\nX-Api-Key: alices\r\n", 200),
            ("X-Api-Key: alices\r\nX-Api-Key: bobs\r\n", 400),
            ("X-Api-Key: bobs\r\nx-api-key: alices\r\n", 400),
            ("X-Api-Key: alices\r\nX-Api-Key:\r\n", 400),
        ] {
            let path = if expected == 400 { "/refused" } else { "/" };
            assert_eq!(status(&gateway, path, fields).await, expected, "{fields}");
        }
    }
    let refused = gateway.log_line("/refused").await;
    assert_eq!(refused["failure"], "policy_input");
    let notes = refused["notes"].to_string();
    assert!(
        notes.contains("header(x-api-key) comes several times with different values"),
        "{notes}"
    );
    assert!(
        !notes.contains("alices") && !notes.contains("bobs"),
        "{notes}"
    );
}

/// A policy that never sees the value, and only passes it on.
#[tokio::test]
async fn references_too() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"copy\"]");
    let gateway = Gateway::start(granted(format!(
        r#"[policies.copy]
component = "headers"
config.request.set = {{ X-A = "{{header:authorization}}", X-C = "{{cookie:c}}", X-O = "{{header:x-other}}" }}
{proxy}"#
    )))
    .await;
    let two = "Authorization: Basic YQ==\r\nAuthorization: Basic Yg==\r\n";
    assert_eq!(status(&gateway, "/", two).await, 400);
    let same = "Authorization: Basic YQ==\r\nAuthorization: Basic YQ==\r\n";
    let other = "X-Other: 1\r\nX-Other: 2\r\nX-C: forged\r\nCookie: c=1; c=2\r\n";
    assert_eq!(status(&gateway, "/", &[same, other].concat()).await, 200);
    let received = upstream.only_request();
    assert_eq!(received.header("x-a"), Some("Basic YQ=="));
    assert_eq!(received.header("x-c"), None);
    assert_eq!(received.header("x-o"), Some("1, 2"), "an ordinary field");
    // The upstream gets what was sent.
    assert_eq!(received.header("cookie"), Some("c=1; c=2"));
    assert_eq!(lines(&received.fields, "authorization").len(), 2);
}

#[tokio::test]
async fn of_two_cookies_of_one_name_a_policy_sees_none() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"probe\"]");
    let gateway = Gateway::start(granted(format!(
        "[policies.probe]\ncomponent = \"{}\"\ngrants = [\"input:cookie:c\"]\n\
         config = {{ label = \"probe\", show = [\"cookie:c\"] }}\n{proxy}",
        component("probe").display()
    )))
    .await;
    for (fields, shown) in [
        ("Cookie: c=1\r\n", "probe cookie:c=1"),
        ("Cookie: c=1; d=2; c=1\r\n", "probe cookie:c=1"),
        ("Cookie: c=1; c=2\r\n", "probe cookie:c"),
        ("Cookie: c=1\r\nCookie: c=2\r\n", "probe cookie:c"),
        ("Cookie: c=; c=2\r\n", "probe cookie:c"),
        ("", "probe cookie:c"),
    ] {
        assert_eq!(status(&gateway, "/", fields).await, 200, "{fields}");
        let received = upstream.requests().pop().unwrap();
        assert_eq!(received.header("x-probe"), Some(shown), "{fields}");
    }
}

/// The upstream gets both cookies and reads one of them, so responses are kept apart although
/// the policy sees none.
#[tokio::test]
async fn two_cookies_of_one_user_are_not_another_s() {
    let upstream = counting(|request, number| {
        let cookie = request.header("cookie").unwrap_or("none");
        fresh().body(format!("{cookie} {number}"))
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"name\"]");
    let config = format!(
        "[policies.name]\ncomponent = \"headers\"\n\
         config.request.set = {{ X-User = \"{{cookie:c}}\" }}\n{proxy}"
    );
    let gateway = Settings::new().workers(1).start(granted(config)).await;
    let with = |cookies| Request::get("/").header("Cookie", cookies);
    for (request, expected) in [
        (with("c=alice; c=x"), "c=alice; c=x 1"),
        (with("c=bob; c=x"), "c=bob; c=x 2"),
        (Request::get("/"), "none 3"),
        (with("c=alice; c=x"), "c=alice; c=x 1"),
        (with("c=bob; c=x"), "c=bob; c=x 2"),
    ] {
        assert_eq!(body(&gateway, request).await, expected);
    }
}
