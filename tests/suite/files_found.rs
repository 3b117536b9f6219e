//! Files: which path leads to which file, and the fields of its response.

use janua_tests::{Request, is_over_http2};

use crate::files::Disk;

const ROUTE: &str = "files = \"{root}\"";

/// `root` looks up the whole path, `alias` the path without the route's.
#[tokio::test]
async fn root_and_alias() {
    let disk = Disk::with(&[("static/a.txt", "below static"), ("a.txt", "at the top")]);
    for (files, body) in [
        ("files = { root = \"{root}\" }", "below static"),
        ("files = { alias = \"{root}\" }", "at the top"),
        ("files = { alias = \"{root}/\" }", "at the top"),
    ] {
        let gateway = disk.serve(&format!("path = \"/static/\"\n{files}")).await;
        let response = gateway.get("/static/a.txt").await;
        assert_eq!((response.status, response.text()), (200, body), "{files}");
        assert_eq!(gateway.get("/a.txt").await.status, 404, "{files}");
        assert_eq!(gateway.get("/static/none.txt").await.status, 404, "{files}");
    }
    // The client does not see the alias.
    let disk = Disk::with(&[("sub/index.html", "x")]);
    let gateway = disk
        .serve("path = \"/static/\"\nfiles = { alias = \"{root}\" }")
        .await;
    let redirect = gateway.get("/static/sub?a=1").await;
    assert_eq!(redirect.header("location"), Some("/static/sub/?a=1"));
    assert_eq!(gateway.get("/static/sub/").await.text(), "x");
}

/// A path that is relative to the configuration's file.
#[tokio::test]
async fn a_relative_root() {
    // It has settings of its own, without TLS.
    if is_over_http2() {
        return;
    }
    let disk = Disk::with(&[("a.txt", "here")]);
    let config = disk.path("janua.toml");
    std::fs::write(&config, disk.config("", "files = \"root\"")).unwrap();
    // Run from another directory: a test's gateway runs in a directory of its
    // own.
    let include = format!("include = [\"{}\"]\n", config.display());
    let gateway = janua_tests::Gateway::start(include).await;
    assert_eq!(gateway.get("/a.txt").await.text(), "here");
}

#[tokio::test]
async fn indexes_and_directories() {
    let disk = Disk::with(&[
        ("index.html", "the index"),
        ("docs/start.html", "the start"),
        ("docs/index.html", "not this one"),
        ("a b/index.html", "spaced"),
        ("empty/x.txt", "x"),
    ]);
    let gateway = disk
        .serve("files = { root = \"{root}\", index = [\"start.html\", \"index.html\"] }")
        .await;
    for (target, status, expected) in [
        ("/", 200, "the index"),
        ("/?page=2", 200, "the index"),
        ("/index.html", 200, "the index"),
        ("/docs/", 200, "the start"),
        ("/docs/index.html", 200, "not this one"),
        ("/a%20b/", 200, "spaced"),
        ("/docs", 301, "/docs/"),
        ("/docs?a=1&b=%2F..", 301, "/docs/?a=1&b=%2F.."),
        ("/docs?", 301, "/docs/?"),
        ("/a%20b", 301, "/a%20b/"),
        ("//docs", 301, "/docs/"),
        ("/empty/", 404, ""),
        ("/empty", 301, "/empty/"),
        ("/docs/start.html/", 404, ""),
        ("/none", 404, ""),
        ("/none/", 404, ""),
    ] {
        let response = gateway.get(target).await;
        assert_eq!(response.status, status, "{target}");
        match status {
            200 => assert_eq!(response.text(), expected, "{target}"),
            301 => assert_eq!(response.header("location"), Some(expected), "{target}"),
            _ => assert_eq!(
                response.proxy_error(),
                Some("destination_not_found"),
                "{target}"
            ),
        }
    }
}

/// A redirect always leads to a path on the same host, whatever was requested.
#[tokio::test]
async fn a_redirect_stays_on_the_host() {
    let disk = Disk::with(&[("evil.example/x", "x")]);
    let gateway = disk.serve(ROUTE).await;
    for target in [
        "//evil.example",
        "///evil.example",
        "/.//evil.example",
        "/x/..//evil.example",
    ] {
        let response = gateway.get(target).await;
        assert_eq!(response.status, 301, "{target}");
        assert_eq!(
            response.header("location"),
            Some("/evil.example/"),
            "{target}"
        );
    }
}

#[tokio::test]
async fn types_by_the_end_of_the_name() {
    let types = [
        ("index.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.PNG", "image/png"),
        ("a.woff2", "font/woff2"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("LICENSE", "application/octet-stream"),
    ];
    let disk = Disk::with(&types.map(|(name, _)| (name, name)));
    let gateway = disk.serve(ROUTE).await;
    let mut wire = gateway.connect().await;
    for (name, kind) in types {
        let response = wire.exchange(&Request::get(&format!("/{name}"))).await;
        assert_eq!(response.text(), name);
        assert_eq!(response.header("content-type"), Some(kind), "{name}");
    }
}

#[tokio::test]
async fn a_listing_where_it_is_wanted() {
    let disk = Disk::with(&[
        ("d/plain.txt", "x"),
        ("d/<b>&\"'.txt", "x"),
        ("d/javascript:alert(1)", "x"),
        ("d/.hidden", "x"),
        ("d/sub/x", "x"),
        ("with/index.html", "an index"),
    ]);
    let gateway = disk
        .serve("files = { root = \"{root}\", listing = true }")
        .await;
    let page = gateway.get("/d/").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let text = page.text();
    for part in [
        "href=\"./plain.txt\"",
        "href=\"./sub/\"",
        "&lt;b&gt;&amp;&quot;&#39;.txt",
        "href=\"./javascript%3Aalert%281%29\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains(".hidden") && !text.contains("<b>"), "{text}");
    assert_eq!(gateway.get("/with/").await.text(), "an index");
    assert_eq!(gateway.get("/d/.hidden").await.status, 404);
    // By default there is no listing.
    let silent = disk.serve(ROUTE).await;
    assert_eq!(silent.get("/d/").await.status, 404);
}
