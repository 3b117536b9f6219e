//! Files together with policies, other routes and the access log.

use janua_tests::{Gateway, Proxy, Request, Upstream};

use crate::files::{Disk, values};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The phase `fetched`: one line of `Cache-Control`, on every response that can
/// be cached.
#[tokio::test]
async fn cache_rules_speak_to_browsers() {
    const RULES: &str = r#"
[policies.rules]
component = "cache-rules"
config.rules = [
  { extension = "js", browser = "public, max-age=31536000, immutable" },
  { type = "text/html", browser = "no-cache", store = "never" },
]
"#;
    let disk = Disk::with(&[
        ("app.js", "let a"),
        ("index.html", "<p>"),
        ("a.txt", "text"),
    ]);
    let lines = "policies = [\"rules\"]\nfiles = \"{root}\"";
    let gateway = Gateway::start(disk.config(RULES, lines)).await;
    let tag = gateway
        .get("/app.js")
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    for (request, status, expected) in [
        (Request::get("/app.js"), 200, Some(IMMUTABLE)),
        (Request::new("HEAD", "/app.js"), 200, Some(IMMUTABLE)),
        (
            Request::get("/app.js").header("If-None-Match", &tag),
            304,
            Some(IMMUTABLE),
        ),
        (
            Request::get("/app.js").header("Range", "bytes=1-2"),
            206,
            Some(IMMUTABLE),
        ),
        (Request::get("/"), 200, Some("no-cache")),
        (Request::get("/a.txt"), 200, None),
        // Responses that the gateway itself makes.
        (Request::get("/none.js"), 404, Some("no-store")),
    ] {
        let response = gateway.send(request).await;
        assert_eq!(response.status, status);
        // Fails if there are two lines.
        assert_eq!(response.header("cache-control"), expected, "{status}");
    }
}

#[tokio::test]
async fn the_response_phase_sees_every_answer() {
    const HEADERS: &str = r#"
[policies.seen]
component = "headers"
[policies.seen.config.response]
always = true
set = { X-Seen = "{status} {answered_by} {response_header:content-type}" }
"#;
    let disk = Disk::with(&[("a.txt", "text"), ("d/x", "x")]);
    let lines = "policies = [\"seen\"]\nfiles = { root = \"{root}\", listing = true }";
    let gateway = Gateway::start(disk.config(HEADERS, lines)).await;
    let text = "text/plain; charset=utf-8";
    for (request, seen) in [
        (Request::get("/a.txt"), format!("200 files {text}")),
        (Request::new("HEAD", "/a.txt"), format!("200 files {text}")),
        (
            Request::get("/a.txt").header("If-None-Match", "*"),
            "304 files ".to_owned(),
        ),
        (
            Request::get("/a.txt").header("If-Match", "\"x\""),
            "412 files ".to_owned(),
        ),
        (
            Request::get("/a.txt").header("Range", "bytes=0-1"),
            format!("206 files {text}"),
        ),
        (
            Request::get("/a.txt").header("Range", "bytes=9-"),
            "416 files ".to_owned(),
        ),
        (Request::get("/d"), "301 files ".to_owned()),
        (
            Request::get("/d/"),
            "200 files text/html; charset=utf-8".to_owned(),
        ),
        (Request::get("/none"), format!("404 gateway {text}")),
        (Request::post("/a.txt", "x"), format!("405 gateway {text}")),
    ] {
        let response = gateway.send(request).await;
        let got = response.header("x-seen").unwrap_or_default();
        assert_eq!(got.trim_end(), seen.trim_end(), "{}", response.status);
    }
}

/// A client that may not have the file learns nothing about it.
#[tokio::test]
async fn a_guard_stands_before_files() {
    const GUARD: &str = r#"
[policies.guard]
component = "api-key"
config = { keys = { me = "sha256:2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90" } }
"#;
    let disk = Disk::with(&[("a.txt", "guarded")]);
    let lines = "policies = [\"guard\"]\nfiles = \"{root}\"";
    let gateway = Gateway::start(disk.config(GUARD, lines)).await;
    for request in [
        Request::get("/a.txt"),
        Request::new("HEAD", "/a.txt"),
        Request::get("/a.txt").header("If-None-Match", "*"),
        Request::get("/a.txt").header("Range", "bytes=0-3"),
        Request::get("/none.txt"),
        Request::post("/a.txt", ""),
    ] {
        let response = gateway.send(request).await;
        assert_eq!(response.status, 401);
        assert!(!response.text().contains("guarded"));
        assert_eq!(values(&response, ["etag", "last-modified"]), ["", ""]);
    }
    let allowed = Request::get("/a.txt").header("X-Api-Key", "alice");
    assert_eq!(gateway.send(allowed).await.text(), "guarded");
}

#[tokio::test]
async fn the_access_log_says_files() {
    let disk = Disk::with(&[("a.txt", "some text"), ("d/index.html", "x")]);
    let gateway = disk.serve("name = \"static\"\nfiles = \"{root}\"").await;
    for (target, status, by, bytes) in [
        ("/a.txt", 200, "files", 9),
        ("/d", 301, "files", 0),
        ("/d/", 200, "files", 1),
    ] {
        gateway.get(target).await;
        let line = gateway.log_line(target).await;
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["answered_by"], by, "{line}");
        assert_eq!(line["bytes_out"], bytes, "{line}");
        assert_eq!(line["route"], "static", "{line}");
        assert!(
            line["upstream"].is_null() && line["failure"].is_null(),
            "{line}"
        );
    }
    gateway.get("/none").await;
    let line = gateway.log_line("/none").await;
    assert_eq!(
        (&line["status"], &line["answered_by"]),
        (&404.into(), &"gateway".into())
    );
}

/// Files for some paths and an upstream for the others, over one connection.
#[tokio::test]
async fn files_beside_an_upstream() {
    let disk = Disk::with(&[("static/a.txt", "a file")]);
    let upstream = Upstream::echo().await;
    let files = format!(
        "\n[[sites.routes]]\npath = \"/static/\"\nfiles = \"{}\"\n",
        disk.path("root").display()
    );
    let gateway = Gateway::start(format!("{}{files}", Proxy::to(upstream.endpoint()))).await;
    let mut wire = gateway.connect().await;
    for _ in 0..3 {
        assert_eq!(
            wire.exchange(&Request::get("/static/a.txt")).await.text(),
            "a file"
        );
        let other = wire.exchange(&Request::get("/x")).await;
        assert_eq!(other.json()["target"], "/x");
        assert_eq!(
            wire.exchange(&Request::get("/static/none")).await.status,
            404
        );
    }
    assert_eq!(upstream.request_count(), 3);
}
