//! Compression: what is coded once, for all who ask.

use std::fs;
use std::time::Duration;

use janua_tests::{
    Gateway, Proxy, Received, Reply, Request, Settings, Upstream, assert_eventually,
};

use crate::coded::{body_of, text};
use crate::files::{Disk, values};
use crate::stacks::is_hit;

/// As much work as there is, so that it shows.
const HARD: &str = "[compression]\nencodings = [\"br\", \"gzip\"]\nlevels = { br = 11 }\n";

/// What the process has worked so far, in clock ticks.
fn worked(gateway: &Gateway) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", gateway.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

fn coded(target: &str, coding: &str) -> Request {
    Request::get(target).header("Accept-Encoding", coding)
}

/// Asks for it by so many at once: what that cost.
async fn cost(gateway: &Gateway, target: &str, clients: usize, body: &str) -> u64 {
    let before = worked(gateway);
    let mut wires = Vec::new();
    for _ in 0..clients {
        let mut wire = gateway.connect().await;
        wire.send(coded(target, "br").to_bytes()).await;
        wires.push(wire);
    }
    for mut wire in wires {
        let response = wire.receive("GET").await;
        assert_eq!(response.header("content-encoding"), Some("br"));
        assert!(body_of(&response) == body.as_bytes());
    }
    worked(gateway) - before
}

#[tokio::test]
async fn a_file_is_coded_once() {
    let body = text(600_000);
    let disk = Disk::with(&[("a.txt", &body), ("b.txt", &body)]);
    let lines = "compress = true\nfiles = \"{root}\"";
    let gateway = disk.serve_with(Settings::new(), HARD, lines).await;
    // A file that changed a moment ago could change again without a trace, so
    // that until it has settled each look finds another.
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Once is what the first costs.
    let once = cost(&gateway, "/a.txt", 1, &body).await;
    assert!(once >= 10, "{once} ticks are too few to tell");
    let together = cost(&gateway, "/b.txt", 12, &body).await;
    assert!(
        together < once * 3,
        "{together} ticks for 12, {once} for one"
    );
    let later = cost(&gateway, "/a.txt", 24, &body).await;
    assert!(
        later < once,
        "{later} ticks for 24 more, {once} for the first"
    );
    // Another content is coded anew.
    let other = text(500_000).replace("line", "verse");
    disk.write("a.txt", &other);
    assert_eventually!(
        body_of(&gateway.send(coded("/a.txt", "br")).await) == other.as_bytes(),
        "the old content stays"
    );
}

/// One body is stored, as it is, and each form is made of it.
#[tokio::test]
async fn a_stored_response_is_coded_once() {
    let body = text(600_000);
    let upstream = {
        let body = body.clone();
        Upstream::http(move |_: Received| {
            let reply = Reply::ok(body.clone())
                .header("Content-Type", "text/plain")
                .header("Cache-Control", "max-age=600")
                .header("ETag", "\"v1\"");
            std::future::ready(reply)
        })
        .await
    };
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Gateway::start(format!("{HARD}{proxy}")).await;
    let first = gateway.send(coded("/", "gzip")).await;
    assert_eq!(first.header("content-encoding"), Some("gzip"));
    assert!(body_of(&first) == body.as_bytes());
    assert_eq!(upstream.only_request().header("accept-encoding"), None);

    let once = cost(&gateway, "/", 1, &body).await;
    assert!(once >= 10, "{once} ticks are too few to tell");
    let later = cost(&gateway, "/", 24, &body).await;
    assert!(
        later < once,
        "{later} ticks for 24 more, {once} for the first"
    );

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

/// An upstream that codes by itself whatever it is asked: that is kept, and
/// never coded twice.
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

/// Whether it is worth coding is told by how long it is, not by how it came.
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
