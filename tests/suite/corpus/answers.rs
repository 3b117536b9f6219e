//! The answers of upstreams: tables, and each with several kinds of route and request.

use super::script::{Case, Step};

/// Each: the name, and what is sent at once.
const WHOLE: &[(&str, &str)] = &[
    (
        "length",
        "HTTP/1.1 200 OK\r\nServer: u\r\nContent-Length: 5\r\n\r\nhello",
    ),
    ("length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    (
        "length with zeros",
        "HTTP/1.1 200 OK\r\nContent-Length: 005\r\n\r\nhello",
    ),
    (
        "chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    ),
    (
        "chunked and empty",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunk extension",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "trailers",
        "HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: one\r\nContent-Length: 3\r\n\r\n",
    ),
    (
        "fresh",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "fresh and chunked",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: one\r\n\r\n",
    ),
    (
        "fresh with tag",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nETag: \"t\"\r\nVary: Accept\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "stale with tag",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=0\r\nETag: \"t\"\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "private",
        "HTTP/1.1 200 OK\r\nCache-Control: private, max-age=600\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "cookie",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "varies by all",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nVary: *\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "aged",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nAge: 30\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "dated",
        "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\nExpires: Mon, 01 Jan 2001 01:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "close",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "fields of the connection",
        "HTTP/1.1 200 OK\r\nConnection: X-One\r\nX-One: 1\r\nX-Two: 2\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "fields of the gateway",
        "HTTP/1.1 200 OK\r\nCache-Status: other; hit\r\nX-Request-Id: theirs\r\nVia: 1.0 other\r\nProxy-Status: other\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "no reason",
        "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "no space behind status",
        "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "other reason",
        "HTTP/1.1 200 Fine: really\tso \u{e9}\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "HTTP/1.0 with length",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "HTTP/1.0 kept",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    ),
    ("204", "HTTP/1.1 204 No Content\r\n\r\n"),
    (
        "204 with length",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "204 with length 0",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "204 chunked",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "205",
        "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "206",
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\nhello",
    ),
    ("304", "HTTP/1.1 304 Not Modified\r\nETag: \"t\"\r\n\r\n"),
    (
        "304 with length",
        "HTTP/1.1 304 Not Modified\r\nETag: \"t\"\r\nContent-Length: 5\r\n\r\n",
    ),
    (
        "301",
        "HTTP/1.1 301 Moved Permanently\r\nLocation: http://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "404",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nwhat?",
    ),
    (
        "500",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nsorry",
    ),
    (
        "503",
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "status 299",
        "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "status 599",
        "HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "status 600",
        "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    ),
    ("status 99", "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n"),
    (
        "status of two digits",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "status of four digits",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "100 then 200",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "103 then 200",
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "102 and 103 then 404",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "103 with length",
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "101 unasked",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    ),
    (
        "both lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "two lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
    ),
    (
        "two equal lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "list of lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    ),
    (
        "signed length",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    ),
    (
        "length of a word",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    ),
    (
        "gzip coding",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    ),
    (
        "gzip then chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "HTTP/1.0 chunked",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "folded line",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "space before colon",
        "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "line without colon",
        "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "line ends without CR",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ),
    (
        "CR in value",
        "HTTP/1.1 200 OK\r\nX: y\rz\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "NUL in value",
        "HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "empty value",
        "HTTP/1.1 200 OK\r\nX:\r\nY:  \t\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "empty line before",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    ("HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("HTTP/1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"),
    (
        "small version",
        "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    ("garbage", "garbage\r\n\r\n"),
    (
        "chunk of letters",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ),
    (
        "second chunk of letters",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ),
    (
        "chunk longer than said",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "chunk without CR",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    ),
    (
        "trailer without name",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n: x\r\n\r\n",
    ),
    (
        "bytes besides",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world",
    ),
    (
        "second response besides",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
    ),
    (
        "bytes behind chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
    ),
    (
        "line end behind a body",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\r\n",
    ),
];

/// Each: the name, what is sent at once and followed by the end of the connection.
const CLOSED: &[(&str, &str)] = &[
    ("nothing", ""),
    ("part of a head", "HTTP/1.1 200 OK\r\nContent-Le"),
    ("interim only", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    (
        "whole by length",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "whole by chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
];

/// Each: the name, what is sent first, and what is sent once the client has a head.
/// The connection ends behind it. Where that cuts the response off, nothing is sent
/// before it: whether such bytes are passed on depends on when they are noticed.
const IN_TWO: &[(&str, &str, &str)] = &[
    ("until close", "HTTP/1.1 200 OK\r\n\r\nhello", " world"),
    ("until close, empty", "HTTP/1.1 200 OK\r\n\r\n", ""),
    (
        "until close, HTTP/1.0",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        " world",
    ),
    (
        "until close, fresh",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n\r\nhello",
        " world",
    ),
    (
        "length",
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello",
        " world",
    ),
    (
        "chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "6\r\n world\r\n0\r\n\r\n",
    ),
    (
        "within length",
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhello",
        "",
    ),
    (
        "within fresh length",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 20\r\n\r\nhello",
        "",
    ),
    (
        "within chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n wo",
        "",
    ),
    (
        "between chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "",
    ),
    (
        "bad chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "zz\r\n",
    ),
];

/// Answers to a request whose body has not come yet.
const EARLY: &[(&str, &str)] = &[
    (
        "413",
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "417",
        "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n",
    ),
    ("200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    (
        "200 and close",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    ),
];

const PLAIN: &str = "HTTP/1.1\r\nHost: a.example\r\n\r\n";
const OLD: &str = "HTTP/1.0\r\nHost: a.example\r\n\r\n";
const UPLOAD: &str = "HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";
const UPGRADE: &str = "HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
/// A body that does not arrive before it is asked for.
const EXPECTING: &str =
    "HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

const FORWARD: &str = "";
const CACHED: &str = "cache = true";
const EDITED: &str = "policies = [\"edit\"]";

/// Each: the name, further lines of the route, the method, the rest of the request.
const ASKED: &[(&str, &str, &str, &str)] = &[
    ("forward, GET", FORWARD, "GET", PLAIN),
    ("forward, HEAD", FORWARD, "HEAD", PLAIN),
    ("forward, GET in HTTP/1.0", FORWARD, "GET", OLD),
    ("forward, POST", FORWARD, "POST", UPLOAD),
    ("forward, upgrade", FORWARD, "GET", UPGRADE),
    ("cached, GET", CACHED, "GET", PLAIN),
    ("cached, HEAD", CACHED, "HEAD", PLAIN),
    ("edited, GET", EDITED, "GET", PLAIN),
];

/// All cases, in the order of the record.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(asked, route, method, request) in ASKED {
        // Where no head or no body is passed on at once, the client has nothing that
        // the upstream could wait for.
        let mut scripts = at_once();
        if method != "HEAD" {
            scripts.extend(in_two());
        }
        if asked == "forward, GET" || asked == "edited, GET" {
            scripts.push(after_hints());
        }
        cases.extend(scripts.into_iter().map(|(name, steps)| Case {
            name: format!("{asked}: {name}"),
            route,
            method,
            request,
            is_early: false,
            steps,
        }));
    }
    for (kind, route) in [("forward", FORWARD), ("cached", CACHED), ("edited", EDITED)] {
        cases.extend(EARLY.iter().map(|(name, answer)| Case {
            name: format!("{kind}, before the request's body: {name}"),
            route,
            method: "POST",
            request: EXPECTING,
            is_early: true,
            steps: vec![Step::Send((*answer).into())],
        }));
    }
    cases
}

type Script = (String, Vec<Step>);

/// Answers that are sent at once.
fn at_once() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, text) in WHOLE {
        scripts.push(((*name).to_owned(), vec![Step::Send((*text).into())]));
    }
    for (name, text) in repeated() {
        scripts.push((name.to_owned(), vec![Step::Send(text.into())]));
    }
    for (name, text) in CLOSED {
        let steps = vec![Step::Send((*text).into()), Step::Close];
        scripts.push((format!("{name}, closed"), steps));
    }
    scripts.push(("nothing, reset".to_owned(), vec![Step::Reset]));
    scripts
}

/// Answers whose second part comes when the client has the head.
fn in_two() -> Vec<Script> {
    let both = IN_TWO.iter().map(|(name, first, then)| {
        let begin = vec![Step::Send((*first).into()), Step::AwaitClient];
        let end = vec![Step::Send((*then).into()), Step::Close];
        [
            (format!("{name}, closed"), [begin.clone(), end].concat()),
            (
                format!("{name}, reset"),
                [begin, vec![Step::Reset]].concat(),
            ),
        ]
    });
    both.flatten().collect()
}

/// A response that comes when the client has the interim response before it.
fn after_hints() -> Script {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let steps = vec![
        Step::Send(hints.into()),
        Step::AwaitClient,
        Step::Send(answer.into()),
    ];
    ("200 some time after 103".to_owned(), steps)
}

/// Answers made by repetition, about the limit of the head: 4 KiB, 256 fields.
fn repeated() -> Vec<(&'static str, String)> {
    let with = |fields: String| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
    vec![
        (
            "value of 3 KiB",
            with(format!("X: {}\r\n", "y".repeat(3072))),
        ),
        (
            "value of 5 KiB",
            with(format!("X: {}\r\n", "y".repeat(5120))),
        ),
        ("300 fields", with("X: y\r\n".repeat(300))),
        (
            "17 interim responses",
            "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17),
        ),
    ]
}
