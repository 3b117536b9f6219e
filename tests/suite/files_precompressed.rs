//! Files: precompressed siblings.

use janua_tests::Request;

use crate::files::{Disk, set_age, values};

#[tokio::test]
async fn siblings_by_the_clients_weights() {
    let disk = Disk::with(&[
        ("app.js", "plain"),
        ("app.js.br", "br"),
        ("app.js.zst", "zstd"),
        ("app.js.gz", "gzip"),
        ("few.css", "plain"),
        ("few.css.gz", "gzip"),
        ("index.html", "plain"),
        ("index.html.br", "br"),
        ("none.txt", "plain"),
        ("alone.js.br", "br"),
        ("old.js", "plain"),
        ("old.js.br", "br"),
    ]);
    set_age(&disk.below("old.js.br"), 7200);
    let gateway = disk
        .serve("files = { root = \"{root}\", precompressed = [\"br\", \"zstd\", \"gzip\"] }")
        .await;
    let mut wire = gateway.connect().await;
    for (path, accepted, coding) in [
        ("/app.js", "", ""),
        ("/app.js", "gzip, deflate, br, zstd", "br"),
        ("/app.js", "gzip, zstd", "zstd"),
        ("/app.js", "gzip;q=1, br;q=0.9", "gzip"),
        ("/app.js", "br;q=0, *", "zstd"),
        ("/app.js", "BR", "br"),
        ("/app.js", "x-gzip", "gzip"),
        ("/app.js", "deflate", ""),
        ("/app.js", "br;q=0.5, identity", ""),
        ("/app.js", "identity;q=0, gzip", "gzip"),
        ("/few.css", "br, gzip;q=0.1", "gzip"),
        ("/few.css", "br", ""),
        ("/", "br", "br"),
        ("/none.txt", "br, gzip, zstd", ""),
        ("/old.js", "br", ""),
    ] {
        let case = format!("{path} {accepted}");
        let request = Request::get(path).header("Accept-Encoding", accepted);
        let response = wire.exchange(&request).await;
        assert_eq!(response.status, 200, "{case}");
        let [encoding, vary] = values(&response, ["content-encoding", "vary"]);
        // Sent even if there is no sibling, because another client may get
        // another response.
        assert_eq!((encoding, vary), (coding, "Accept-Encoding"), "{case}");
        let body = if coding.is_empty() { "plain" } else { coding };
        assert_eq!(response.text(), body, "{case}");
    }
    let response = gateway
        .send(Request::get("/alone.js").header("Accept-Encoding", "br"))
        .await;
    assert_eq!(response.status, 404);
    let itself = gateway.get("/alone.js.br").await;
    assert_eq!(
        (itself.status, itself.header("content-encoding")),
        (200, None)
    );
}

/// Each form has its own entity tag, the type of the original, and ranges of
/// its own bytes.
#[tokio::test]
async fn a_sibling_is_a_representation() {
    let disk = Disk::with(&[("app.js", "the original"), ("app.js.gz", "the sibling")]);
    let gateway = disk
        .serve("files = { root = \"{root}\", precompressed = [\"gzip\"] }")
        .await;
    let coded = || Request::get("/app.js").header("Accept-Encoding", "gzip");
    let plain = gateway.get("/app.js").await;
    let sibling = gateway.send(coded()).await;
    assert_ne!(plain.header("etag"), sibling.header("etag"));
    assert_eq!(plain.header("content-type"), sibling.header("content-type"));
    let tag = sibling.header("etag").unwrap();
    let unchanged = gateway.send(coded().header("If-None-Match", tag)).await;
    assert_eq!(
        (unchanged.status, unchanged.header("vary")),
        (304, Some("Accept-Encoding"))
    );
    let changed = Request::get("/app.js").header("If-None-Match", tag);
    assert_eq!(gateway.send(changed).await.status, 200);
    let part = gateway.send(coded().header("Range", "bytes=4-10")).await;
    assert_eq!((part.status, part.text()), (206, "sibling"));
    assert_eq!(part.header("content-encoding"), Some("gzip"));
}

/// With `compress`, a sibling is not compressed again, and a file without one
/// is.
#[tokio::test]
async fn siblings_and_compression() {
    let long = "a long text of words, ".repeat(200);
    let disk = Disk::with(&[
        ("a.txt", &long),
        ("a.txt.gz", "the sibling"),
        ("b.txt", &long),
    ]);
    let gateway = disk
        .serve("compress = true\nfiles = { root = \"{root}\", precompressed = [\"gzip\"] }")
        .await;
    let request = |path: &str| Request::get(path).header("Accept-Encoding", "gzip");
    let sibling = gateway.send(request("/a.txt")).await;
    assert_eq!(sibling.text(), "the sibling");
    assert_eq!(
        values(&sibling, ["content-encoding", "vary"]),
        ["gzip", "Accept-Encoding"]
    );
    let made = gateway.send(request("/b.txt")).await;
    assert_eq!(
        values(&made, ["content-encoding", "vary"]),
        ["gzip", "Accept-Encoding"]
    );
    assert!(made.body.len() < long.len());
}
