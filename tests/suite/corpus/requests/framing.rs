//! Where a request's body ends: lengths, transfer codings, chunks and trailers.

use super::case;
use crate::corpus::scene::Case;

const TARGETS: &[&str] = &[
    "/forward",
    "/edited",
    "/cached",
    "/files",
    "/respond",
    "/redirect",
];

/// Each: the name, the fields that frame the body, what follows the head.
const LENGTHS: &[(&str, &[u8], &[u8])] = &[
    ("none", b"", b""),
    ("length", b"Content-Length: 5\r\n", b"hello"),
    ("length 0", b"Content-Length: 0\r\n", b""),
    ("length with zeros", b"Content-Length: 005\r\n", b"hello"),
    (
        "length with space",
        b"Content-Length: \t 5 \t\r\n",
        b"hello",
    ),
    ("length in capitals", b"CONTENT-LENGTH: 5\r\n", b"hello"),
    (
        "chunked",
        b"Transfer-Encoding: chunked\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "chunked in capitals",
        b"transfer-encoding: CHUNKED\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "chunked and empty",
        b"Transfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "both",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "both reversed",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"0\r\n\r\n",
    ),
    (
        "two lengths",
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"ab",
    ),
    (
        "two equal lengths",
        b"Content-Length: 1\r\nContent-Length: 1\r\n",
        b"a",
    ),
    ("list of lengths", b"Content-Length: 1, 1\r\n", b"a"),
    ("signed length", b"Content-Length: +1\r\n", b"a"),
    ("negative length", b"Content-Length: -1\r\n", b""),
    ("hexadecimal length", b"Content-Length: 0x1\r\n", b"a"),
    ("empty length", b"Content-Length:\r\n", b""),
    ("length of a word", b"Content-Length: five\r\n", b"hello"),
    (
        "length past 64 bits",
        b"Content-Length: 18446744073709551616\r\n",
        b"",
    ),
    (
        "length near 64 bits",
        b"Content-Length: 18446744073709551615\r\n",
        b"",
    ),
    ("length above the limit", b"Content-Length: 16385\r\n", b""),
    ("gzip", b"Transfer-Encoding: gzip\r\n", b""),
    (
        "gzip then chunked",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "chunked twice",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "chunked in two lines",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "chunked then identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"0\r\n\r\n",
    ),
    ("identity", b"Transfer-Encoding: identity\r\n", b""),
    (
        "nearly chunked",
        b"Transfer-Encoding: xchunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "quoted chunked",
        b"Transfer-Encoding: \"chunked\"\r\n",
        b"0\r\n\r\n",
    ),
    (
        "chunked with parameter",
        b"Transfer-Encoding: chunked;q=1\r\n",
        b"0\r\n\r\n",
    ),
    (
        "chunked with comma",
        b"Transfer-Encoding: chunked,\r\n",
        b"0\r\n\r\n",
    ),
    ("empty coding", b"Transfer-Encoding:\r\n", b"0\r\n\r\n"),
    (
        "coding with vertical tab",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "coding with space before colon",
        b"Transfer-Encoding : chunked\r\n",
        b"0\r\n\r\n",
    ),
    (
        "length with space before colon",
        b"Content-Length : 5\r\n",
        b"hello",
    ),
    ("folded length", b"Content-Length:\r\n 5\r\n", b"hello"),
    ("underscored length", b"Content_Length: 5\r\n", b""),
];

/// Each: the name, what follows a head with `Transfer-Encoding: chunked`.
const CHUNKS: &[(&str, &[u8])] = &[
    ("two chunks", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    ("size with zeros", b"0005\r\nhello\r\n000\r\n\r\n"),
    ("size in capitals", b"A\r\n0123456789\r\n0\r\n\r\n"),
    ("size in small letters", b"a\r\n0123456789\r\n0\r\n\r\n"),
    ("extension", b"5;name=value\r\nhello\r\n0\r\n\r\n"),
    (
        "extension without value",
        b"5;name\r\nhello\r\n0;last\r\n\r\n",
    ),
    (
        "quoted extension",
        b"5;name=\"a;b\\\"\"\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "extension with spaces",
        b"5 ; name = value\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "trailers",
        b"5\r\nhello\r\n0\r\nX-Trailer: one\r\nX-Other: two\r\n\r\n",
    ),
    (
        "trailer that frames",
        b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
    ),
    (
        "trailer of the connection",
        b"5\r\nhello\r\n0\r\nConnection: close\r\nHost: b.example\r\n\r\n",
    ),
    ("letter as size", b"x\r\nhello\r\n0\r\n\r\n"),
    ("signed size", b"-1\r\na\r\n0\r\n\r\n"),
    ("size with plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("size with prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("no size", b"\r\nhello\r\n0\r\n\r\n"),
    ("longer than said", b"1\r\nhello\r\n0\r\n\r\n"),
    ("past 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("size ends without CR", b"5\nhello\r\n0\r\n\r\n"),
    ("data ends without CR", b"5\r\nhello\n0\r\n\r\n"),
    ("size ends with CR alone", b"5\rhello\r\n0\r\n\r\n"),
    ("extension with LF", b"5;x\ny\r\nhello\r\n0\r\n\r\n"),
    ("semicolon alone", b"5;\r\nhello\r\n0\r\n\r\n"),
    ("space behind size", b"5 \r\nhello\r\n0\r\n\r\n"),
    ("space before size", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("word behind size", b"5 word\r\nhello\r\n0\r\n\r\n"),
    (
        "extension that is no token",
        b"5;bad[=x\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "control character in extension",
        b"5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n",
    ),
    ("trailer ends without CR", b"0\r\nX: y\n\r\n"),
    ("end without CR", b"0\r\n\n"),
    ("CR in the end", b"0\r\n\r\r\n"),
    ("folded trailer", b"0\r\nX: y\r\n z\r\n\r\n"),
    ("trailer without colon", b"0\r\nX\r\n\r\n"),
    ("trailer without name", b"0\r\n: y\r\n\r\n"),
    ("trailer with space before colon", b"0\r\nX : y\r\n\r\n"),
];

/// All cases of framing.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in TARGETS {
        for (name, fields, rest) in LENGTHS {
            let message = [HEAD, *fields, b"\r\n", *rest].concat();
            cases.push(case("length", name, target, message));
        }
    }
    for target in ["/forward", "/edited", "/respond"] {
        for (name, rest) in CHUNKS {
            let message = [HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *rest].concat();
            cases.push(case("chunks", name, target, message));
        }
        // One byte more than `max_body`.
        let chunk = format!("4001\r\n{}\r\n0\r\n\r\n", "x".repeat(0x4001));
        let message = [
            HEAD,
            b"Transfer-Encoding: chunked\r\n\r\n",
            chunk.as_bytes(),
        ]
        .concat();
        cases.push(case("chunks", "above the limit", target, message));
    }
    cases
}

const HEAD: &[u8] = b"POST {p} HTTP/1.1\r\nHost: a.example\r\n";
