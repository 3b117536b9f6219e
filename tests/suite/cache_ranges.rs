//! Ranges of stored responses.

use std::sync::Arc;

use janua_tests::{Reply, Request, Response, Upstream, assert_eventually, filler};
use tokio::sync::Notify;

use crate::cache::{counting, fresh, gateway, told};

const BODY: &str = "0123456789";

async fn digits() -> Upstream {
    counting(|_, _| {
        let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
        let reply = fresh().header("Content-Type", "text/plain").body(BODY);
        reply
            .header("ETag", "\"a\"")
            .header("Last-Modified", modified)
    })
    .await
}

fn range(value: &str) -> Request {
    Request::get("/").header("Range", value)
}

fn content_range(response: &Response) -> &str {
    response.header("content-range").unwrap_or_default()
}

#[tokio::test]
async fn single_parts() {
    let upstream = digits().await;
    let gateway = gateway(&upstream).await;
    // The upstream is asked for the complete response, and the gateway passes
    // all of it on while it is received, as any server may.
    let miss = gateway.send(range("bytes=2-4")).await;
    assert_eq!(told(&miss), "fwd=uri-miss; stored");
    assert!(matches!(miss.text(), BODY | "234"), "{miss:?}");
    for (asked, status, part, body) in [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=0-0", 206, "bytes 0-0/10", "0"),
        ("bytes=8-", 206, "bytes 8-9/10", "89"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=-99", 206, "bytes 0-9/10", BODY),
        ("bytes=5-99", 206, "bytes 5-9/10", "56789"),
        ("bytes=10-", 416, "bytes */10", ""),
        ("bytes=-0", 416, "bytes */10", ""),
        ("bytes=4-2", 200, "", BODY),
        ("bytes=a-b", 200, "", BODY),
        ("lines=1-2", 200, "", BODY),
    ] {
        let response = gateway.send(range(asked)).await;
        assert_eq!(response.status, status, "{asked}");
        assert_eq!(content_range(&response), part, "{asked}");
        assert_eq!(response.text(), body, "{asked}");
    }
    assert_eq!(upstream.only_request().header("range"), None);
}

#[tokio::test]
async fn several_parts() {
    let upstream = digits().await;
    let gateway = gateway(&upstream).await;
    gateway.get("/").await;
    let response = gateway.send(range("bytes=0-1,-2,4-4")).await;
    assert_eq!(response.status, 206);
    let kind = response.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=");
    let boundary = boundary
        .unwrap_or_else(|| panic!("{kind}"))
        .trim_matches('"');
    let part = |range: &str, body: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{body}\r\n"
        )
    };
    let parts = [part("0-1", "01"), part("8-9", "89"), part("4-4", "4")];
    let expected = parts.concat() + &format!("--{boundary}--");
    assert_eq!(
        response.text().trim_start_matches("\r\n").trim_end(),
        expected
    );
    // A range longer than the response: all of it.
    let response = gateway.send(range("bytes=0-8,1-9,0-9")).await;
    assert_eq!(response.body.len(), BODY.len(), "{response:?}");
}

#[tokio::test]
async fn a_part_of_what_the_client_has_or_all_of_it() {
    let upstream = digits().await;
    let gateway = gateway(&upstream).await;
    gateway.get("/").await;
    for (value, status) in [
        ("\"a\"", 206),
        ("\"b\"", 200),
        ("W/\"a\"", 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 206),
        ("Sun, 06 Nov 1994 08:49:38 GMT", 200),
        ("nonsense", 200),
    ] {
        let request = range("bytes=2-4").header("If-Range", value);
        let response = gateway.send(request).await;
        assert_eq!(response.status, status, "{value}");
        assert_eq!(response.body.len(), if status == 206 { 3 } else { 10 });
    }
    let request = range("bytes=2-4").header("If-None-Match", "\"a\"");
    assert_eq!(gateway.send(request).await.status, 304);
    let head = Request::new("HEAD", "/").header("Range", "bytes=2-4");
    let response = gateway.send(head).await;
    assert_eq!(
        (response.status, response.header("content-length")),
        (200, Some("10"))
    );
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn ranges_of_unstorable_responses_are_the_upstreams() {
    let upstream = counting(|request, _| match request.header("range") {
        Some(_) => Reply::new(206)
            .header("Content-Range", "bytes 2-4/10")
            .body("234"),
        None => Reply::ok(BODY),
    })
    .await;
    let gateway = gateway(&upstream).await;
    for _ in 0..2 {
        let response = gateway.send(range("bytes=2-4")).await;
        assert_eq!((response.status, response.text()), (206, "234"));
        assert_eq!(content_range(&response), "bytes 2-4/10");
    }
}

/// A client requests a range while the complete response is still being
/// received.
#[tokio::test]
async fn a_part_while_the_whole_still_comes() {
    const SIZE: usize = 200_000;
    let go = Arc::new(Notify::new());
    let upstream = Upstream::raw({
        let go = Arc::clone(&go);
        move |mut visit| {
            let go = Arc::clone(&go);
            async move {
                visit.request().await.unwrap();
                let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";
                let length = format!("Content-Length: {SIZE}\r\n\r\n");
                visit.wire.send([head, &length].concat()).await;
                visit.wire.send(filler(0, SIZE / 2)).await;
                go.notified().await;
                visit.wire.send(filler(SIZE / 2, SIZE / 2)).await;
            }
        }
    })
    .await;
    let gateway = gateway(&upstream).await;
    let mut whole = gateway.connect().await;
    whole.send(Request::get("/").to_bytes()).await;
    assert_eq!(whole.receive_head("GET").await.unwrap().status, 200);
    let mut part = gateway.connect().await;
    let request = range(&format!("bytes={}-{}", SIZE - 10, SIZE - 1));
    part.send(request.to_bytes()).await;
    assert_eventually!(gateway.status().await["in_flight"] == 2);
    go.notify_one();
    let response = part.receive("GET").await;
    // A range, or the complete response, as any server may send.
    let from = if response.status == 206 { SIZE - 10 } else { 0 };
    assert_eq!(
        response.body,
        filler(from, SIZE - from),
        "{}",
        response.status
    );
    let rest = whole.take(SIZE).await.unwrap();
    assert_eq!(rest, filler(0, SIZE));
    let response = gateway.send(request).await;
    assert_eq!((response.status, &*told(&response)), (206, "hit"));
    assert_eq!(response.body, filler(SIZE - 10, 10));
    assert_eq!(upstream.request_count(), 1);
}
