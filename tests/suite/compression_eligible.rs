//! Compression: which answers are coded, and which are left as they are.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream};

use crate::coded::{body_of, text};
use crate::compression::{SITE, TAG, accepting, plain, server};
use crate::files::values;

/// What the upstream says stands: it is not coded again, nor at all.
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
        for name in ["etag", "accept-ranges", "vary", "cache-control"] {
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
    // The client may forbid it too.
    let upstream = server().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site(SITE)).await;
    let request = accepting("/length", "gzip").header("Cache-Control", "no-transform");
    assert_eq!(gateway.send(request).await.header("content-encoding"), None);
}

/// An error page is as long as others, and a POST's answer too.
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
