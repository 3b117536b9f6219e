//! Compression: which responses are coded.

use janua_tests::{Gateway, Proxy, Received, Reply, Request, Upstream};

use crate::coded::{body_of, text};
use crate::compression::{SITE, TAG, accepting, plain, server};
use crate::files::{Disk, values};

/// The upstream's decision is respected: such responses are not coded.
#[tokio::test]
async fn what_is_left_as_it_is() {
    let cases = [
        (
            Reply::ok(text(5000)).header("Content-Type", "image/png"),
            "",
        ),
        (Reply::ok(text(5000)), ""),
        (
            Reply::ok(text(1000)).header("Content-Type", "text/plain"),
            "",
        ),
        (plain().header("Content-Encoding", "gzip"), "gzip"),
        (plain().header("Content-Encoding", "br"), "br"),
        (plain().header("Content-Encoding", "aes128gcm"), "aes128gcm"),
        (plain().header("Cache-Control", "no-transform"), ""),
        (plain().header("Cache-Control", "public, No-Transform"), ""),
        (
            Reply::ok(text(5000)).header("Content-Type", "text/event-stream"),
            "",
        ),
        (
            Reply::new(206)
                .header("Content-Type", "text/plain")
                .header("Content-Range", "bytes 0-4999/9000")
                .body(text(5000)),
            "",
        ),
        (Reply::new(204), ""),
        (Reply::new(304).header("ETag", TAG), ""),
    ];
    for (reply, coding) in cases {
        let upstream = Upstream::always(reply.clone()).await;
        let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site(SITE)).await;
        let response = gateway.send(accepting("/", "gzip, br, zstd")).await;
        let sent = reply.to_bytes("GET");
        assert!(sent.ends_with(&response.body), "{reply:?}");
        assert_eq!(values(&response, ["content-encoding"]), [coding]);
        // Another client may get the complete response, coded.
        let is_part = response.status == 206;
        assert_eq!(values(&response, ["vary"]) == ["Accept-Encoding"], is_part);
        for name in ["etag", "accept-ranges", "cache-control"] {
            let before = String::from_utf8_lossy(&sent).to_ascii_lowercase();
            assert_eq!(
                response.header(name).is_some(),
                before.contains(name),
                "{name}"
            );
        }
        assert!(
            !response
                .header("etag")
                .unwrap_or_default()
                .starts_with("W/")
        );
    }
    // The client may forbid a transformation too.
    let upstream = server().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site(SITE)).await;
    let request = accepting("/length", "gzip").header("Cache-Control", "no-transform");
    let left = gateway.send(request).await;
    let [encoding, vary] = values(&left, ["content-encoding", "vary"]);
    assert_eq!((encoding, vary), ("", "Accept-Encoding"));
}

/// An upstream's 304 for a body that the gateway has coded gets the entity tag
/// of the coded body, so that a downstream cache can match it.
#[tokio::test]
async fn an_upstreams_304_speaks_of_the_coded_body() {
    let upstream =
        Upstream::http(
            async |request: Received| match request.header("if-none-match") {
                Some(_) => Reply::new(304).header("ETag", TAG),
                None => plain(),
            },
        )
        .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site(SITE)).await;
    for (named, tag, vary) in [
        ("W/\"v1\"", "W/\"v1\"", "Accept-Encoding"),
        ("\"v0\", W/\"v1\"", "W/\"v1\"", "Accept-Encoding"),
        ("\"v1\"", "\"v1\"", ""),
        ("*", "\"v1\"", ""),
    ] {
        let request = accepting("/", "gzip").header("If-None-Match", named);
        let unchanged = gateway.send(request).await;
        assert_eq!(unchanged.status, 304, "{named}");
        assert_eq!(values(&unchanged, ["etag", "vary"]), [tag, vary], "{named}");
    }
}

/// A policy of the response phase runs after the decision about the coding: it
/// cannot make the head contradict the body.
#[tokio::test]
async fn a_policy_cannot_hide_the_coding() {
    let policy = r#"
[policies.edit]
component = "headers"
[policies.edit.config.response]
remove = ["Content-Encoding", "Vary"]
set = { ETag = "\"own\"", Content-Digest = "sha-256=:AA==:" }
"#;
    let reply = plain().header("Cache-Control", "max-age=60");
    let upstream = Upstream::always(reply).await;
    let disk = Disk::with(&[("file.txt", &text(20_000))]);
    let files = format!(
        "[[sites.routes]]\npath = \"/file.txt\"\nfiles = \"{}\"\n",
        disk.path("root").display()
    );
    for lines in ["", "cache = true"] {
        let proxy = Proxy::to(upstream.endpoint())
            .site("compress = true\npolicies = [\"edit\"]")
            .route(lines);
        let gateway = Gateway::start(format!("{policy}{proxy}{files}")).await;
        for target in ["/", "/", "/file.txt"] {
            let response = gateway.send(accepting(target, "gzip")).await;
            assert_eq!(
                values(
                    &response,
                    ["content-encoding", "vary", "etag", "content-digest"]
                ),
                ["gzip", "Accept-Encoding", "W/\"own\"", ""],
                "{lines} {target}"
            );
            assert!(body_of(&response) == text(20_000).into_bytes());
            let plain = gateway.send(accepting(target, "identity")).await;
            assert_eq!(values(&plain, ["etag"]), ["\"own\""]);
        }
    }
}

/// Error pages and responses to POST are coded like others.
#[tokio::test]
async fn whatever_has_a_body_is_coded() {
    for status in [200, 201, 404, 500] {
        let reply = Reply::new(status)
            .header("Content-Type", "text/html")
            .body(text(5000));
        let upstream = Upstream::always(reply).await;
        let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site(SITE)).await;
        let get = accepting("/", "gzip");
        let post = Request::post("/", "a body").header("Accept-Encoding", "gzip");
        for request in [get, post] {
            let response = gateway.send(request).await;
            assert_eq!(
                (response.status, response.header("content-encoding")),
                (status, Some("gzip"))
            );
            assert!(body_of(&response) == text(5000).into_bytes());
        }
    }
}
