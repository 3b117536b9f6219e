//! What is a head at all: the request line, field lines, line ends, sizes.

use super::case;
use crate::corpus::scene::Case;

const HEADS: &[(&str, &[u8])] = &[
    ("plain", b"GET {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("empty line before", b"\r\nGET {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("two empty lines before", b"\r\n\r\nGET {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("LF before", b"\nGET {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("space before", b" GET {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("line ends without CR", b"GET {p} HTTP/1.1\nHost: a.example\n\n"),
    ("one line end without CR", b"GET {p} HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n"),
    ("last line end without CR", b"GET {p} HTTP/1.1\r\nHost: a.example\r\n\n"),
    ("request line without CR", b"GET {p} HTTP/1.1\nHost: a.example\r\n\r\n"),
    ("CR in value", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: y\rZ: z\r\n\r\n"),
    ("CR before CRLF", b"GET {p} HTTP/1.1\r\nHost: a.example\r\r\nX: y\r\n\r\n"),
    ("NUL in value", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: y\0z\r\n\r\n"),
    ("DEL in value", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: y\x7fz\r\n\r\n"),
    ("tab in value", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: y\tz\r\n\r\n"),
    ("high bytes in value", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: z\xc3\xa9 \xff\r\n\r\n"),
    ("NUL in name", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX\0: y\r\n\r\n"),
    ("high byte in name", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX\xe9: y\r\n\r\n"),
    ("space in name", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX Y: z\r\n\r\n"),
    ("space before colon", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX : z\r\n\r\n"),
    ("name in brackets", b"GET {p} HTTP/1.1\r\nHost: a.example\r\n(X): z\r\n\r\n"),
    ("rare token in name", b"GET {p} HTTP/1.1\r\nHost: a.example\r\n!#$%&'*+-.^_`|~0: z\r\n\r\n"),
    ("empty name", b"GET {p} HTTP/1.1\r\nHost: a.example\r\n: z\r\n\r\n"),
    ("empty value", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX:\r\n\r\n"),
    ("value of spaces", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX:  \t \r\n\r\n"),
    ("value with spaces around", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX:\t y  z \t\r\n\r\n"),
    ("value with colons", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: a:b: c\r\n\r\n"),
    ("no colon", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX\r\n\r\n"),
    ("folded line", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: y\r\n z\r\n\r\n"),
    ("folded by tab", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX: y\r\n\tz\r\n\r\n"),
    ("folded first line", b"GET {p} HTTP/1.1\r\n Host: a.example\r\nHost: a.example\r\n\r\n"),
    ("folded last line", b"GET {p} HTTP/1.1\r\nHost: a.example\r\n \r\n\r\n"),
    ("target with space", b"GET {p} b HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("two spaces", b"GET  {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("two spaces before version", b"GET {p}  HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("tab instead of space", b"GET\t{p}\tHTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("space behind version", b"GET {p} HTTP/1.1 \r\nHost: a.example\r\n\r\n"),
    ("no version", b"GET {p}\r\nHost: a.example\r\n\r\n"),
    ("no target", b"GET HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("no method", b" {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("method with brackets", b"G(T) {p} HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("small version", b"GET {p} http/1.1\r\nHost: a.example\r\n\r\n"),
    ("other protocol", b"GET {p} JANUA/1.1\r\nHost: a.example\r\n\r\n"),
    ("version 2.0", b"GET {p} HTTP/2.0\r\nHost: a.example\r\n\r\n"),
    ("version 1.2", b"GET {p} HTTP/1.2\r\nHost: a.example\r\n\r\n"),
    ("version 0.9", b"GET {p} HTTP/0.9\r\nHost: a.example\r\n\r\n"),
    ("version 1.10", b"GET {p} HTTP/1.10\r\nHost: a.example\r\n\r\n"),
    ("version 11", b"GET {p} HTTP/11\r\nHost: a.example\r\n\r\n"),
    ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("zeros", b"\0\0\0\0"),
    ("connection nominates fields", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nConnection: X-One, close, X-Two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n\r\n"),
    ("connection nominates host", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nConnection: Host\r\n\r\n"),
    ("connection nominates length", b"POST {p} HTTP/1.1\r\nHost: a.example\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello"),
    ("connection that is no list", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nConnection: a b, (c)\r\n\r\n"),
    ("keep-alive", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n"),
    ("close", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"),
    ("proxy fields", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nProxy-Connection: close\r\nProxy-Authorization: Basic eDp5\r\nTE: trailers, gzip\r\nTrailer: X\r\n\r\n"),
    ("forwarded fields", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nVia: 1.1 other\r\n\r\n"),
    ("request id", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Request-Id: mine\r\n\r\n"),
    ("underscored names", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX_Forwarded_For: 6.6.6.6\r\nX_Y: z\r\n\r\n"),
    ("repeated fields", b"GET {p} HTTP/1.1\r\nHost: a.example\r\nX-A: 1\r\nx-b: 2\r\nx-a: 3\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n"),
    ("removed by a policy", b"GET {p}?q=1 HTTP/1.1\r\nHost: a.example\r\nX-Remove: 1\r\nX-Edited: mine\r\n\r\n"),
];

/// All cases of heads, those that are made by repetition too.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in ["/forward", "/respond", "/edited"] {
        for (name, message) in HEADS {
            cases.push(case("head", name, target, message));
        }
        for (name, message) in repeated() {
            cases.push(case("head", name, target, message));
        }
    }
    cases
}

/// Heads near the limits of the listener: 8 KiB, 40 fields.
fn repeated() -> Vec<(&'static str, String)> {
    let with = |fields: String| format!("GET {{p}} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
    let query = |length: usize| {
        format!(
            "GET {{p}}?{} HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "q".repeat(length)
        )
    };
    vec![
        (
            "value of 4 KiB",
            with(format!("X: {}\r\n", "y".repeat(4096))),
        ),
        (
            "value of 9 KiB",
            with(format!("X: {}\r\n", "y".repeat(9216))),
        ),
        (
            "name of 9 KiB",
            with(format!("{}: y\r\n", "x".repeat(9216))),
        ),
        ("query of 4 KiB", query(4096)),
        ("query of 9 KiB", query(9216)),
        ("query of 40 KiB", query(40 * 1024)),
        ("40 fields", with("X: y\r\n".repeat(39))),
        ("41 fields", with("X: y\r\n".repeat(40))),
        (
            "method of 300 letters",
            format!(
                "{} {{p}} HTTP/1.1\r\nHost: a.example\r\n\r\n",
                "M".repeat(300)
            ),
        ),
    ]
}
