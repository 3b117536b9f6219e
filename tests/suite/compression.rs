//! Compression: which clients get which coding.

use janua_tests::{Framing, Gateway, Proxy, Received, Reply, Request, Upstream, is_over_http2};

use crate::coded::{body_of, text};
use crate::files::{Disk, values};

pub(crate) const SITE: &str = "compress = true";
pub(crate) const TAG: &str = "\"v1\"";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

pub(crate) fn plain() -> Reply {
    Reply::ok(text(20_000))
        .header("Content-Type", "text/plain; charset=utf-8")
        .header("ETag", TAG)
        .header("Last-Modified", DATE)
        .header("Accept-Ranges", "bytes")
}

/// `/length` and `/chunked` differ only in their framing.
pub(crate) async fn server() -> Upstream {
    Upstream::http(async |request: Received| match request.target.as_str() {
        "/chunked" => {
            let text = text(20_000);
            let (one, two) = text.as_bytes().split_at(11_111);
            Reply::chunked(&[one, two], &[])
                .header("Content-Type", "text/plain")
                .header("ETag", TAG)
        }
        _ => plain(),
    })
    .await
}

pub(crate) fn accepting(target: &str, accepted: &str) -> Request {
    Request::get(target).header("Accept-Encoding", accepted)
}

/// The client's weights decide first, then the gateway's order: zstd, br, gzip.
#[tokio::test]
async fn the_coding_is_negotiated() {
    let upstream = server().await;
    let disk = Disk::with(&[("file.txt", &text(20_000))]);
    let files = format!(
        "[[sites.routes]]\npath = \"/file.txt\"\nfiles = \"{}\"\n",
        disk.path("root").display()
    );
    let proxy = Proxy::to(upstream.endpoint()).site(SITE);
    let gateway = Gateway::start(format!("{proxy}{files}")).await;
    for (accepted, coding) in [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("br;q=0.9, gzip;q=0.9", "br"),
        ("gzip;q=0.002, br;q=0.001", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "br"),
        ("identity;q=0, gzip", "gzip"),
        ("zstd;q=0, br;q=0, gzip;q=0", ""),
        ("identity", ""),
        ("identity;q=1, gzip;q=0.5", ""),
        ("deflate, compress", ""),
        ("", ""),
    ] {
        for target in ["/length", "/chunked", "/file.txt"] {
            let case = format!("{target} {accepted}");
            let response = gateway.send(accepting(target, accepted)).await;
            assert_eq!(response.status, 200, "{case}");
            assert!(
                body_of(&response) == text(20_000).into_bytes(),
                "{case}: another body"
            );
            let [encoding, vary] = values(&response, ["content-encoding", "vary"]);
            assert_eq!((encoding, vary), (coding, "Accept-Encoding"), "{case}");
            let is_coded = !coding.is_empty();
            assert_eq!(response.body.len() < 10_000, is_coded, "{case}");
            let tag = response.header("etag").unwrap();
            assert_eq!(tag.starts_with("W/"), is_coded, "{case}: {tag}");
            if is_coded {
                assert_eq!(response.header("accept-ranges"), None, "{case}");
            }
        }
    }
    let silent = gateway.get("/length").await;
    assert_eq!(
        values(&silent, ["content-encoding", "vary"]),
        ["", "Accept-Encoding"]
    );
}

#[tokio::test]
async fn the_parameters_are_the_configurations() {
    const TABLE: &str = r#"
[compression]
encodings = ["gzip", "br"]
min_length = 100
types = ["text/x-own"]
levels = { gzip = 9, br = 1 }
"#;
    let upstream = Upstream::http(async |request: Received| {
        let (kind, size) = request.target[1..].rsplit_once('/').unwrap();
        Reply::ok(text(size.parse().unwrap())).header("Content-Type", kind)
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).site(SITE);
    let gateway = Gateway::start(format!("{TABLE}{proxy}")).await;
    for (target, accepted, coding) in [
        ("/text/x-own/5000", "zstd, br, gzip", "gzip"),
        ("/text/x-own/5000", "zstd, br", "br"),
        ("/text/x-own/5000", "zstd", ""),
        ("/text/x-own;charset=utf-8/5000", "gzip", "gzip"),
        ("/TEXT/X-OWN/5000", "gzip", "gzip"),
        ("/text/x-own/100", "gzip", "gzip"),
        ("/text/x-own/99", "gzip", ""),
        ("/text/html/5000", "gzip", ""),
    ] {
        let response = gateway.send(accepting(target, accepted)).await;
        let got = values(&response, ["content-encoding"]);
        assert_eq!(got, [coding], "{target} {accepted}");
        let size: usize = target.rsplit('/').next().unwrap().parse().unwrap();
        assert!(body_of(&response) == text(size).into_bytes(), "{target}");
    }
}

#[tokio::test]
async fn other_kinds_of_request() {
    // HTTP/1.0.
    if is_over_http2() {
        return;
    }
    let upstream = server().await;
    let disk = Disk::with(&[("file.txt", &text(20_000))]);
    let files = format!(
        "[[sites.routes]]\npath = \"/file.txt\"\nfiles = \"{}\"\n",
        disk.path("root").display()
    );
    let proxy = Proxy::to(upstream.endpoint()).site(SITE);
    let gateway = Gateway::start(format!("{proxy}{files}")).await;
    for target in ["/length", "/chunked", "/file.txt"] {
        // HEAD has the fields of GET, except a length that is not known in
        // advance.
        let names = [
            "content-encoding",
            "vary",
            "etag",
            "content-type",
            "last-modified",
        ];
        let get = gateway.send(accepting(target, "gzip")).await;
        let head = Request::new("HEAD", target).header("Accept-Encoding", "gzip");
        let head = gateway.send(head).await;
        assert_eq!(values(&head, names), values(&get, names), "{target}");
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
        let length = head
            .header("content-length")
            .map(|length| length.parse().unwrap());
        assert!(
            length.is_none_or(|length: usize| length == get.body.len()),
            "{length:?}"
        );

        // HTTP/1.0 has no chunked coding.
        let old = gateway.send(accepting(target, "gzip").http10()).await;
        assert_eq!(old.header("content-encoding"), Some("gzip"), "{target}");
        assert_ne!(old.framing, Framing::Chunked, "{target}");
        assert!(body_of(&old) == text(20_000).into_bytes(), "{target}");
    }
    // A range refers to the uncoded bytes.
    let range = accepting("/file.txt", "gzip").header("Range", "bytes=100-199");
    let part = gateway.send(range).await;
    assert_eq!((part.status, part.text()), (206, &text(20_000)[100..200]));
    assert_eq!(
        values(&part, ["content-encoding", "vary"]),
        ["", "Accept-Encoding"]
    );
}

#[tokio::test]
async fn a_route_decides_for_itself() {
    let upstream = server().await;
    for (site, route, coding) in [
        ("", "", None),
        (SITE, "", Some("gzip")),
        (SITE, "compress = false", None),
        ("compress = false", "compress = true", Some("gzip")),
        ("", "compress = true", Some("gzip")),
    ] {
        let proxy = Proxy::to(upstream.endpoint()).site(site).route(route);
        let gateway = Gateway::start(proxy).await;
        let response = gateway.send(accepting("/length", "gzip")).await;
        assert_eq!(
            response.header("content-encoding"),
            coding,
            "{site} {route}"
        );
        let vary = coding.map(|_| "Accept-Encoding");
        assert_eq!(response.header("vary"), vary, "{site} {route}");
        assert!(body_of(&response) == text(20_000).into_bytes());
    }
}

/// The weak entity tag of a coded body leads to a 304, wherever the tag came
/// from.
#[tokio::test]
async fn an_unchanged_body_is_304() {
    let disk = Disk::with(&[("file.txt", &text(20_000))]);
    let gateway = disk.serve("compress = true\nfiles = \"{root}\"").await;
    for first in ["gzip", "identity"] {
        let response = gateway.send(accepting("/file.txt", first)).await;
        let tag = response.header("etag").unwrap();
        for second in ["gzip", "zstd", "identity"] {
            let request = accepting("/file.txt", second).header("If-None-Match", tag);
            let again = gateway.send(request).await;
            assert_eq!(again.status, 304, "{first}, {second}");
            assert_eq!(
                values(&again, ["vary", "content-encoding"]),
                ["Accept-Encoding", ""]
            );
        }
        let ranged = accepting("/file.txt", "gzip")
            .header("Range", "bytes=0-9")
            .header("If-Range", tag);
        // Offsets into coded bytes do not apply to another coding.
        let status = if first == "gzip" { 200 } else { 206 };
        assert_eq!(gateway.send(ranged).await.status, status, "{first}");
    }
}
