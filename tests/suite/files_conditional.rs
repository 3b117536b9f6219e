//! Files: conditional requests (RFC 9110, section 13) and ranges (section 14).

use janua_tests::{Framing, Gateway, Request, Response, filler};

use crate::files::{Disk, values};

const LONG_AGO: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

async fn with(gateway: &Gateway, target: &str, fields: &[(&str, &str)]) -> Response {
    let request = Request::get(target);
    let fields = fields.iter();
    let request = fields.fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    gateway.send(request).await
}

#[tokio::test]
async fn conditions() {
    let disk = Disk::with(&[("a.txt", "some text")]);
    let gateway = disk.serve("files = \"{root}\"").await;
    let plain = gateway.get("/a.txt").await;
    let [tag, date] = values(&plain, ["etag", "last-modified"]).map(str::to_owned);
    let weak = format!("W/{tag}");
    let list = format!("\"x\", {tag}");
    let cases: [(&[(&str, &str)], u16); 19] = [
        (&[("If-None-Match", &tag)], 304),
        (&[("If-None-Match", &weak)], 304),
        (&[("If-None-Match", &list)], 304),
        (&[("If-None-Match", "*")], 304),
        (&[("If-None-Match", "\"x\"")], 200),
        (&[("If-None-Match", "unquoted")], 200),
        (&[("If-Modified-Since", &date)], 304),
        (&[("If-Modified-Since", LATER)], 304),
        (&[("If-Modified-Since", LONG_AGO)], 200),
        (&[("If-Modified-Since", "yesterday")], 200),
        // The entity tag takes precedence over the date.
        (
            &[("If-None-Match", "\"x\""), ("If-Modified-Since", &date)],
            200,
        ),
        (
            &[("If-None-Match", &tag), ("If-Modified-Since", LONG_AGO)],
            304,
        ),
        (&[("If-Match", &tag)], 200),
        (&[("If-Match", "*")], 200),
        (&[("If-Match", "\"x\"")], 412),
        (&[("If-Match", &weak)], 412),
        (&[("If-Match", "\"x\""), ("If-None-Match", &tag)], 412),
        (&[("If-Unmodified-Since", LONG_AGO)], 412),
        (&[("If-Unmodified-Since", &date)], 200),
    ];
    for (fields, status) in cases {
        let response = with(&gateway, "/a.txt", fields).await;
        assert_eq!(response.status, status, "{fields:?}");
        let has_body = if status == 200 { "some text" } else { "" };
        assert_eq!(response.text(), has_body, "{fields:?}");
        if status == 304 {
            assert_eq!(response.framing, Framing::None);
            let known = values(&response, ["etag", "last-modified", "content-type"]);
            assert_eq!(known, [tag.as_str(), date.as_str(), ""], "{fields:?}");
        }
    }
    // A missing file cannot be unchanged.
    let missing = with(&gateway, "/none", &[("If-None-Match", "*")]).await;
    assert_eq!(missing.status, 404);
    let head = Request::new("HEAD", "/a.txt").header("If-None-Match", &tag);
    assert_eq!(gateway.send(head).await.status, 304);
}

/// Small files are in memory, large ones are not.
#[tokio::test]
async fn a_range_each() {
    for size in [1000, 300_000] {
        let disk = Disk::new();
        disk.write("a.bin", filler(0, size));
        let gateway = disk.serve("files = \"{root}\"").await;
        let mut wire = gateway.connect().await;
        let last = size - 1;
        for (range, first, end) in [
            ("bytes=0-0".to_owned(), 0, 1),
            ("bytes=10-19".to_owned(), 10, 20),
            ("bytes=990-".to_owned(), 990, size),
            (format!("bytes={last}-{last}"), last, size),
            (format!("bytes=500-{}", size * 2), 500, size),
            ("bytes=-1".to_owned(), last, size),
            ("bytes=-300".to_owned(), size - 300, size),
            (format!("bytes=-{}", size * 2), 0, size),
            ("Bytes=0-".to_owned(), 0, size),
            // Overlapping or adjacent ranges are merged.
            ("bytes=0-10,5-20,21-30".to_owned(), 0, 31),
        ] {
            let request = Request::get("/a.bin").header("Range", &range);
            let response = wire.exchange(&request).await;
            assert_eq!(response.status, 206, "{range}");
            let expected = format!("bytes {first}-{}/{size}", end - 1);
            assert_eq!(response.header("content-range"), Some(expected.as_str()));
            assert!(
                response.body == filler(first, end - first),
                "{range} of {size}"
            );
        }
        for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
            let response = with(&gateway, "/a.bin", &[("Range", &range)]).await;
            assert_eq!(response.status, 416, "{range}");
            let expected = format!("bytes */{size}");
            assert_eq!(response.header("content-range"), Some(expected.as_str()));
        }
        for range in [
            "bytes=5-1",
            "bytes=a-b",
            "bytes=",
            "lines=1-2",
            "bytes 0-1",
            "bytes=0-1,x",
        ] {
            let response = with(&gateway, "/a.bin", &[("Range", range)]).await;
            assert_eq!(
                (response.status, response.body.len()),
                (200, size),
                "{range}"
            );
        }
        let head = Request::new("HEAD", "/a.bin").header("Range", "bytes=0-9");
        let head = gateway.send(head).await;
        let length = size.to_string();
        let said = (head.status, head.header("content-length"));
        assert_eq!(said, (200, Some(length.as_str())), "a range is a GET's");
    }
}

#[tokio::test]
async fn several_ranges() {
    for size in [1000, 300_000] {
        let disk = Disk::new();
        disk.write("a.bin", filler(0, size));
        let gateway = disk.serve("files = \"{root}\"").await;
        let range = "bytes=0-9, 500-509, -10";
        let response = with(&gateway, "/a.bin", &[("Range", range)]).await;
        assert_eq!(response.status, 206);
        assert_eq!(response.header("content-range"), None);
        let kind = response.header("content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=");
        let boundary = boundary.unwrap_or_else(|| panic!("{kind}"));
        let mut expected = Vec::new();
        for first in [0, 500, size - 10] {
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                 Content-Range: bytes {first}-{}/{size}\r\n\r\n",
                first + 9
            );
            expected.extend_from_slice(head.as_bytes());
            expected.extend_from_slice(&filler(first, 10));
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        // The first line end may be omitted (RFC 2046, section 5.1.1).
        let body = String::from_utf8_lossy(&response.body);
        let expected = String::from_utf8_lossy(&expected);
        assert_eq!(body.trim(), expected.trim());
        // Ranges that together exceed the file lead to the complete file.
        let greedy = format!("bytes=0-,{}", vec!["0-"; 200].join(","));
        let response = with(&gateway, "/a.bin", &[("Range", &greedy)]).await;
        assert!(
            response.body.len() <= size + 1000,
            "{}",
            response.body.len()
        );
    }
}

#[tokio::test]
async fn a_range_of_this_very_version() {
    let disk = Disk::with(&[("a.txt", "0123456789")]);
    let gateway = disk.serve("files = \"{root}\"").await;
    let plain = gateway.get("/a.txt").await;
    let [tag, date] = values(&plain, ["etag", "last-modified"]).map(str::to_owned);
    let weak = format!("W/{tag}");
    for (condition, status) in [
        (tag.as_str(), 206),
        (&date, 206),
        (&weak, 200),
        ("\"x\"", 200),
        (LONG_AGO, 200),
        (LATER, 200),
    ] {
        let fields = [("Range", "bytes=2-3"), ("If-Range", condition)];
        let response = with(&gateway, "/a.txt", &fields).await;
        let body = if status == 206 { "23" } else { "0123456789" };
        assert_eq!(
            (response.status, response.text()),
            (status, body),
            "{condition}"
        );
    }
    // Conditions take precedence over ranges.
    let fields = [("Range", "bytes=2-3"), ("If-None-Match", tag.as_str())];
    assert_eq!(with(&gateway, "/a.txt", &fields).await.status, 304);
    let fields = [("Range", "bytes=99-"), ("If-Match", "\"x\"")];
    assert_eq!(with(&gateway, "/a.txt", &fields).await.status, 412);
}

/// A client that has the start of the compressed form must not get the end of
/// the uncompressed one: both have the same modification time.
#[tokio::test]
async fn a_date_does_not_tell_codings_apart() {
    let disk = Disk::with(&[("a.txt", &"some text".repeat(500))]);
    let gateway = disk.serve("compress = true\nfiles = \"{root}\"").await;
    let plain = gateway.get("/a.txt").await;
    let [tag, date] = values(&plain, ["etag", "last-modified"]).map(str::to_owned);
    let accepts = ("Accept-Encoding", "br");
    let coded = with(&gateway, "/a.txt", &[accepts]).await;
    let weak = coded.header("etag").unwrap().to_owned();
    assert_eq!(
        values(&coded, ["content-encoding", "last-modified"]),
        ["br", &date]
    );
    let range = ("Range", "bytes=10-");
    for (fields, status) in [
        (&[range, accepts, ("If-Range", &date)][..], 200),
        (&[range, accepts, ("If-Range", &weak)], 200),
        (&[range, accepts, ("If-Range", &tag)], 206),
        (&[range, ("If-Range", &date)], 206),
    ] {
        let response = with(&gateway, "/a.txt", fields).await;
        assert_eq!(response.status, status, "{fields:?}");
    }
}
