//! Compression: a body is coded once for all clients.

use std::time::Duration;

use janua_tests::{
    Framing, Gateway, Proxy, Received, Reply, Request, Settings, Upstream, assert_eventually,
};

use crate::coded::{body_of, text};
use crate::files::{Disk, values};
use crate::stacks::is_hit;

/// Enough work that concurrent requests arrive while it is being done.
const HARD: &str = "[compression]\nencodings = [\"br\", \"gzip\"]\nlevels = { br = 11 }\n";

/// The number of bodies of this kind that were coded so far.
async fn coded_so_far(gateway: &Gateway, body: &str) -> u32 {
    let metrics = gateway.metrics().await;
    metrics.sum("janua_compressions_total", &[("body", body)]) as u32
}

fn coded(target: &str, coding: &str) -> Request {
    Request::get(target).header("Accept-Encoding", coding)
}

/// Requests it concurrently this many times; all must get all of it, coded.
async fn together(gateway: &Gateway, target: &str, clients: usize, body: &str) {
    let mut wires = Vec::new();
    for _ in 0..clients {
        let mut wire = gateway.connect().await;
        wire.set_patience(Duration::from_secs(60));
        wire.send(coded(target, "br").to_bytes()).await;
        wires.push(wire);
    }
    for mut wire in wires {
        let response = wire.receive("GET").await;
        assert_eq!(response.header("content-encoding"), Some("br"));
        assert!(body_of(&response) == body.as_bytes());
    }
}

fn stored(body: &str) -> Reply {
    Reply::ok(body)
        .header("Content-Type", "text/plain")
        .header("Cache-Control", "max-age=600")
        .header("ETag", "\"v1\"")
}

#[tokio::test]
async fn a_file_is_coded_once() {
    let body = text(300_000);
    let disk = Disk::with(&[("a.txt", &body)]);
    let lines = "compress = true\nfiles = \"{root}\"";
    let gateway = disk
        .serve_with(Settings::new().workers(2), HARD, lines)
        .await;
    // A file that was changed a moment ago could change again undetectably, so
    // until some time has passed each lookup is a different version.
    tokio::time::sleep(Duration::from_secs(4)).await;
    together(&gateway, "/a.txt", 32, &body).await;
    assert_eq!(coded_so_far(&gateway, "file").await, 1);
    together(&gateway, "/a.txt", 8, &body).await;
    assert_eq!(coded_so_far(&gateway, "file").await, 1);
    // Now its length is known in advance.
    let response = gateway.send(coded("/a.txt", "br")).await;
    assert_eq!(response.framing, Framing::Length(response.body.len()));
    // New content is coded again.
    let other = text(200_000).replace("line", "verse");
    disk.write("a.txt", &other);
    assert_eventually!(
        body_of(&gateway.send(coded("/a.txt", "br")).await) == other.as_bytes(),
        "the old content stays"
    );
    assert!(coded_so_far(&gateway, "file").await > 1);
}

/// Concurrent first hits of a stored body: one of them codes it, and the others
/// get its output while it is produced.
#[tokio::test]
async fn a_stored_response_is_coded_once_however_many_ask() {
    let body = text(300_000);
    let upstream = Upstream::always(stored(&body)).await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Settings::new()
        .workers(2)
        .start(format!("{HARD}{proxy}"))
        .await;
    gateway.send(coded("/", "identity")).await;
    assert_eventually!(is_hit(&gateway.send(coded("/", "identity")).await));
    together(&gateway, "/", 64, &body).await;
    assert_eq!(coded_so_far(&gateway, "stored").await, 1);
    together(&gateway, "/", 8, &body).await;
    assert_eq!(coded_so_far(&gateway, "stored").await, 1);
    assert_eq!(upstream.request_count(), 1);
}

/// Concurrent misses: the response is stored uncoded and coded once for all of
/// them, and the coded form is stored too.
#[tokio::test]
async fn a_response_on_its_way_in_is_coded_once_however_many_ask() {
    let body = text(300_000);
    let reply = stored(&body);
    let upstream = Upstream::http(move |_: Received| {
        let reply = reply.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            reply
        }
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Settings::new()
        .workers(2)
        .start(format!("{HARD}{proxy}"))
        .await;
    together(&gateway, "/", 64, &body).await;
    together(&gateway, "/", 8, &body).await;
    assert_eq!(coded_so_far(&gateway, "stored").await, 1);
    assert_eq!(upstream.request_count(), 1);
}

/// The client that started the coding may leave: it is completed and kept.
#[tokio::test]
async fn the_one_who_asked_first_may_leave() {
    let body = text(300_000);
    let upstream = Upstream::always(stored(&body)).await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Gateway::start(format!("{HARD}{proxy}")).await;
    gateway.send(coded("/", "identity")).await;
    assert_eventually!(is_hit(&gateway.send(coded("/", "identity")).await));
    let mut first = gateway.connect().await;
    first.send(coded("/", "br").to_bytes()).await;
    first.receive_head("GET").await.unwrap();
    first.reset();
    together(&gateway, "/", 4, &body).await;
    assert_eq!(coded_so_far(&gateway, "stored").await, 1);
}

/// A body that does not become shorter is sent uncoded, and not tried again.
#[tokio::test]
async fn incompressible_bodies_are_sent_uncoded() {
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..9000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let reply = stored("").body(noise.clone());
    let upstream = Upstream::always(reply).await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Gateway::start(proxy).await;
    gateway.send(coded("/", "identity")).await;
    assert_eventually!(is_hit(&gateway.send(coded("/", "identity")).await));
    for _ in 0..3 {
        let response = gateway.send(coded("/", "gzip")).await;
        assert!(response.body == noise);
        assert_eq!(
            values(&response, ["content-encoding", "etag", "vary"]),
            ["", "\"v1\"", "Accept-Encoding"]
        );
    }
    assert_eq!(coded_so_far(&gateway, "stored").await, 1);
    // Its entity tag is as strong as the upstream's.
    let unchanged = coded("/", "gzip").header("If-None-Match", "\"v1\"");
    let unchanged = gateway.send(unchanged).await;
    assert_eq!(values(&unchanged, ["etag"]), ["\"v1\""]);
}

/// One body is stored uncoded, and each coded form is made from it.
#[tokio::test]
async fn each_form_of_a_stored_response_is_coded_once() {
    let body = text(300_000);
    let upstream = Upstream::always(stored(&body)).await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Gateway::start(format!("{HARD}{proxy}")).await;
    let first = gateway.send(coded("/", "gzip")).await;
    assert_eq!(first.header("content-encoding"), Some("gzip"));
    assert!(body_of(&first) == body.as_bytes());
    assert_eq!(upstream.only_request().header("accept-encoding"), None);

    together(&gateway, "/", 24, &body).await;
    // Requested twice, each form is coded once.
    assert_eq!(coded_so_far(&gateway, "stored").await, 2);

    for (coding, tag) in [
        ("gzip", "W/\"v1\""),
        ("br", "W/\"v1\""),
        ("identity", "\"v1\""),
    ] {
        let response = gateway.send(coded("/", coding)).await;
        assert!(is_hit(&response), "{coding}");
        assert!(body_of(&response) == body.as_bytes(), "{coding}");
        assert_eq!(
            values(&response, ["etag", "vary"]),
            [tag, "Accept-Encoding"],
            "{coding}"
        );
        let unchanged = gateway
            .send(coded("/", coding).header("If-None-Match", tag))
            .await;
        assert_eq!(unchanged.status, 304, "{coding}");
        let head = Request::new("HEAD", "/").header("Accept-Encoding", coding);
        let head = gateway.send(head).await;
        let names = ["content-encoding", "content-length", "etag", "vary"];
        assert_eq!(values(&head, names), values(&response, names), "{coding}");
    }
    let part = gateway
        .send(coded("/", "gzip").header("Range", "bytes=1000-1999"))
        .await;
    assert_eq!((part.status, part.text()), (206, &body[1000..2000]));
    assert_eq!(part.header("content-encoding"), None);
    assert_eq!(upstream.request_count(), 1);
}

/// An upstream that codes by itself, whatever the request accepts: its body is
/// stored as it is and not coded again.
#[tokio::test]
async fn what_an_upstream_has_coded_is_stored_so() {
    let reply = Reply::ok("coded by the upstream".repeat(200))
        .header("Content-Type", "text/plain")
        .header("Content-Encoding", "gzip")
        .header("Vary", "Accept-Encoding")
        .header("Cache-Control", "max-age=600");
    let upstream = Upstream::always(reply).await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Gateway::start(proxy).await;
    for _ in 0..2 {
        for accepted in ["gzip", "gzip, br, zstd"] {
            let response = gateway.send(coded("/", accepted)).await;
            assert_eq!(
                response.header("content-encoding"),
                Some("gzip"),
                "{accepted}"
            );
            assert_eq!(response.text(), "coded by the upstream".repeat(200));
            assert_eq!(response.header("vary"), Some("Accept-Encoding"));
        }
    }
}

/// The length of a body decides whether it is coded, not its framing.
#[tokio::test]
async fn a_stored_response_that_came_in_chunks_is_coded() {
    for size in [1000, 20_000, 200_000] {
        let upstream = Upstream::http(move |_: Received| {
            let reply = Reply::chunked(&[text(size).as_bytes()], &[])
                .header("Content-Type", "text/plain")
                .header("Cache-Control", "max-age=600");
            std::future::ready(reply)
        })
        .await;
        let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
        let gateway = Gateway::start(proxy).await;
        gateway.send(coded("/", "identity")).await;
        let is_stored = async || is_hit(&gateway.send(coded("/", "identity")).await);
        assert_eventually!(is_stored().await);
        let response = gateway.send(coded("/", "gzip")).await;
        let expected = (size > 1024).then_some("gzip");
        assert_eq!(response.header("content-encoding"), expected, "{size}");
        assert!(body_of(&response) == text(size).as_bytes(), "{size}");
        assert_eq!(upstream.request_count(), 1);
    }
}
