//! More than one request, or less: pipelines, expectations, upgrades, messages that
//! are cut off.

use super::case;
use crate::corpus::scene::{Case, Then};

/// Each: the name, the methods in it, the message.
const PIPELINES: &[(&str, &[&str], &str)] = &[
    (
        "two",
        &["GET", "GET"],
        "GET {p}/1 HTTP/1.1\r\nHost: a.example\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "HEAD then GET",
        &["HEAD", "GET"],
        "HEAD {p}/1 HTTP/1.1\r\nHost: a.example\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "POST then GET",
        &["POST", "GET"],
        "POST {p}/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhelloGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "chunks then GET",
        &["POST", "GET"],
        "POST {p}/1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "line end after a body",
        &["POST", "GET"],
        "POST {p}/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "second is hostile",
        &["GET", "GET"],
        "GET {p}/1 HTTP/1.1\r\nHost: a.example\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
    ),
    (
        "first closes",
        &["GET", "GET"],
        "GET {p}/1 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "first is hostile",
        &["GET", "GET"],
        "GET {p}/1 HTTP/1.1\r\nHost: a.example\r\nX : y\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "smuggled behind both lengths",
        &["POST", "GET"],
        "POST {p}/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "smuggled behind a GET",
        &["GET", "GET"],
        "GET {p}/1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "HTTP/1.0 then GET",
        &["GET", "GET"],
        "GET {p}/1 HTTP/1.0\r\nHost: a.example\r\n\r\nGET {p}/2 HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
];

const EXPECT: &str = "POST {p} HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\n";

/// Each: the name, field lines, the bytes behind the head.
const UPGRADES: &[(&str, &str, &str)] = &[
    (
        "WebSocket",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        "",
    ),
    (
        "other protocol",
        "Connection: keep-alive, Upgrade\r\nUpgrade: echo/1, other\r\n",
        "",
    ),
    (
        "with body",
        "Connection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 5\r\n",
        "hello",
    ),
    (
        "with chunks",
        "Connection: Upgrade\r\nUpgrade: echo\r\nTransfer-Encoding: chunked\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
    ),
    ("not nominated", "Upgrade: echo\r\n", ""),
    ("nominated and absent", "Connection: Upgrade\r\n", ""),
    (
        "to HTTP/2",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "",
    ),
    ("empty", "Connection: Upgrade\r\nUpgrade:\r\n", ""),
];

/// Messages that end too early.
const CUT: &[(&str, &str)] = &[
    ("nothing", ""),
    ("method", "GE"),
    ("request line", "GET {p} HTTP/1.1\r\n"),
    ("field line", "GET {p} HTTP/1.1\r\nHost: a.exa"),
    (
        "before the empty line",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\n",
    ),
    (
        "body",
        "POST {p} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello",
    ),
    (
        "chunk",
        "POST {p} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ),
    (
        "before the last chunk",
        "POST {p} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ),
    (
        "trailer",
        "POST {p} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n",
    ),
    (
        "second request",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\n\r\nGET {p} HT",
    ),
    (
        "behind a whole request",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
];

/// All sequences.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in ["/forward", "/edited", "/cached", "/respond"] {
        for (name, methods, message) in PIPELINES {
            let mut one = case("pipeline", name, target, message);
            one.methods = methods.iter().map(|&method| method.to_owned()).collect();
            cases.push(one);
        }
    }
    for target in [
        "/forward",
        "/forward/continue",
        "/edited",
        "/respond",
        "/files",
    ] {
        let whole = format!("{EXPECT}Content-Length: 5\r\n\r\nhello");
        cases.push(case("expect", "body at once", target, whole));
        let mut waits = case(
            "expect",
            "body after 100",
            target,
            format!("{EXPECT}Content-Length: 5\r\n\r\n"),
        );
        waits.after_interim = b"hello".to_vec();
        cases.push(waits);
        let mut waits = case(
            "expect",
            "chunks after 100",
            target,
            format!("{EXPECT}Transfer-Encoding: chunked\r\n\r\n"),
        );
        waits.after_interim = b"5\r\nhello\r\n0\r\n\r\n".to_vec();
        cases.push(waits);
        let large = format!("{EXPECT}Content-Length: 16385\r\n\r\n");
        cases.push(case("expect", "body above the limit", target, large));
    }
    for target in [
        "/forward",
        "/forward/switch",
        "/edited/switch",
        "/cached/switch",
        "/respond",
    ] {
        for (name, fields, rest) in UPGRADES {
            let message = format!("GET {{p}} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n{rest}");
            cases.push(case("upgrade", name, target, message));
        }
    }
    for target in ["/forward", "/respond", "/edited", "/files"] {
        for (name, message) in CUT {
            let mut one = case("cut off", name, target, message);
            let reaches_the_upstream =
                message.starts_with("POST") && target != "/respond" && target != "/files";
            one.then = if reaches_the_upstream {
                Then::FinishOnceForwarded
            } else {
                Then::Finish
            };
            cases.push(one);
        }
    }
    cases
}
