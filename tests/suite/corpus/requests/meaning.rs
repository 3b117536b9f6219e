//! What a request asks for: methods, versions, conditions, ranges, expectations.

use super::case;
use crate::corpus::scene::Case;

const TARGETS: &[&str] = &[
    "/forward",
    "/edited",
    "/cached",
    "/strip",
    "/files",
    "/edited-files",
    "/respond",
    "/redirect",
];

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "PURGE",
    "get", "X-Y",
];

/// Further field lines of a `GET`.
const FIELDS: &[(&str, &str)] = &[
    ("any tag", "If-None-Match: *\r\n"),
    ("tag of the upstream", "If-None-Match: \"u\"\r\n"),
    ("weak tag", "If-None-Match: W/\"u\", \"v\"\r\n"),
    ("malformed tag", "If-None-Match: u\r\n"),
    ("any tag must match", "If-Match: *\r\n"),
    ("other tag must match", "If-Match: \"other\"\r\n"),
    (
        "modified since long ago",
        "If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT\r\n",
    ),
    (
        "modified since later",
        "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n",
    ),
    (
        "modified since nonsense",
        "If-Modified-Since: yesterday\r\n",
    ),
    (
        "unmodified since long ago",
        "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT\r\n",
    ),
    ("first bytes", "Range: bytes=0-3\r\n"),
    ("last bytes", "Range: bytes=-4\r\n"),
    ("rest", "Range: bytes=5-\r\n"),
    ("two ranges", "Range: bytes=0-1,4-5\r\n"),
    ("overlapping ranges", "Range: bytes=0-5,3-8\r\n"),
    ("range beyond the end", "Range: bytes=9999-\r\n"),
    ("range in other units", "Range: lines=0-3\r\n"),
    ("malformed range", "Range: bytes=3-1\r\n"),
    (
        "range if another",
        "Range: bytes=0-3\r\nIf-Range: \"other\"\r\n",
    ),
    (
        "range if the same",
        "Range: bytes=0-3\r\nIf-Range: \"u\"\r\n",
    ),
    ("no cache", "Cache-Control: no-cache\r\n"),
    ("no store", "Cache-Control: no-store\r\n"),
    ("only if cached", "Cache-Control: only-if-cached\r\n"),
    ("pragma", "Pragma: no-cache\r\n"),
    ("authorization", "Authorization: Bearer t\r\n"),
    ("cookie", "Cookie: s=1\r\n"),
    ("gzip", "Accept-Encoding: gzip, br\r\n"),
    ("no identity", "Accept-Encoding: identity;q=0\r\n"),
    ("max forwards", "Max-Forwards: 0\r\n"),
    ("unknown expectation", "Expect: 200-ok\r\n"),
    ("expectation without body", "Expect: 100-continue\r\n"),
    ("body of a GET", "Content-Length: 5\r\n"),
];

/// All cases of meaning.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in TARGETS {
        for method in METHODS {
            let message = format!("{method} {{p}} HTTP/1.1\r\nHost: a.example\r\n\r\n");
            cases.push(case("method", method, target, message));
        }
        for method in ["GET", "HEAD", "POST"] {
            let name = format!("{method} in HTTP/1.0");
            let message = format!("{method} {{p}} HTTP/1.0\r\nHost: a.example\r\n\r\n");
            cases.push(case("version", &name, target, message));
            let name = format!("{method} in HTTP/1.0, kept");
            let message = format!(
                "{method} {{p}} HTTP/1.0\r\nConnection: keep-alive\r\nHost: a.example\r\n\r\n"
            );
            cases.push(case("version", &name, target, message));
        }
        let message = "GET {p} HTTP/1.0\r\n\r\n";
        cases.push(case("version", "HTTP/1.0 without host", target, message));
    }
    for target in ["/forward", "/cached", "/files", "/respond"] {
        for (name, fields) in FIELDS {
            let body = if fields.starts_with("Content-Length") {
                "hello"
            } else {
                ""
            };
            let message = format!("GET {{p}} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n{body}");
            cases.push(case("field", name, target, message));
        }
    }
    cases
}
