//! Heads of HTTP/2: what is refused, and what upstreams of HTTP/1.1 get. Nothing may become a request
//! that the gateway has not seen as one.

use janua_tests::{
    Frame, Frames, Gateway, Http2Client, Proxy, Reply, Request, Upstream, assert_eventually, code,
    flag, kind,
};

async fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(Proxy::to(upstream.endpoint()).listener("http2 = true")).await
}

async fn frames(gateway: &Gateway) -> Frames {
    let mut frames = Frames::over(gateway.connect().await);
    frames.open().await;
    frames.settle().await;
    frames
}

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The stream is reset.
    Reset,
    Status(u16),
}
use Fate::{Reset, Status};

async fn fate(frames: &mut Frames, stream: u32) -> Fate {
    let is_it = |frame: &Frame| {
        frame.stream == stream && matches!(frame.kind, kind::HEADERS | kind::RST_STREAM)
    };
    let frame = frames.expect("an answer", is_it).await;
    match frame.status() {
        Some(status) => Status(status),
        None => {
            assert_eq!(frame.error_code(), Some(code::PROTOCOL_ERROR));
            Reset
        }
    }
}

const METHOD: (&str, &str) = (":method", "GET");
const SCHEME: (&str, &str) = (":scheme", "http");
const AUTHORITY: (&str, &str) = (":authority", "a.example");
const PATH: (&str, &str) = (":path", "/");

#[tokio::test]
async fn heads_that_are_refused() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream).await;
    let mut frames = frames(&gateway).await;
    let with = |field| vec![METHOD, SCHEME, AUTHORITY, PATH, field];
    let without = |name| {
        let all = [METHOD, SCHEME, AUTHORITY, PATH];
        all.into_iter().filter(|field| field.0 != name).collect()
    };
    let instead = |field: (&'static str, &'static str)| {
        let all = [METHOD, SCHEME, AUTHORITY, PATH];
        let each = all.map(|old| if old.0 == field.0 { field } else { old });
        each.to_vec()
    };
    let cases: Vec<(Vec<(&str, &str)>, Fate)> = vec![
        (without(":method"), Reset),
        (without(":scheme"), Reset),
        (without(":path"), Reset),
        (without(":authority"), Status(400)),
        (with((":path", "/other")), Reset),
        (with((":status", "200")), Reset),
        (with((":unknown", "x")), Reset),
        (vec![METHOD, SCHEME, ("x", "y"), AUTHORITY, PATH], Reset),
        (with(("X-Upper", "1")), Reset),
        (with(("bad name", "1")), Reset),
        (with(("", "1")), Reset),
        (with(("x", "a\r\nsmuggled: 1")), Reset),
        (with(("x", "a\nb")), Reset),
        (with(("x", "a\0b")), Reset),
        (with(("x", " a")), Reset),
        (with(("x\r\ny", "a")), Reset),
        (with(("connection", "close")), Reset),
        (with(("keep-alive", "1")), Reset),
        (with(("proxy-connection", "x")), Reset),
        (with(("transfer-encoding", "chunked")), Reset),
        (with(("upgrade", "h2c")), Reset),
        (with(("te", "gzip")), Reset),
        (with(("host", "b.example")), Reset),
        (with(("content-length", "1")), Reset),
        (with(("content-length", "x")), Reset),
        (instead((":method", "GET /x HTTP/1.1\r\nx: ")), Reset),
        (instead((":method", "")), Reset),
        (instead((":path", "")), Reset),
        (instead((":path", "x")), Status(400)),
        (instead((":path", "/a b")), Status(400)),
        (instead((":path", "/ HTTP/1.1\r\nx: y")), Reset),
        (instead((":path", "/a#b")), Status(400)),
        (instead((":path", "/%00")), Status(400)),
        (instead((":path", "http://b.example/")), Status(400)),
        (instead((":authority", "user@a.example")), Status(400)),
        (instead((":authority", "a.example/x")), Status(400)),
        (instead((":authority", "")), Status(400)),
        (instead((":scheme", "ftp")), Status(400)),
        (instead((":method", "CONNECT")), Reset),
        (instead((":method", "TRACE")), Status(405)),
    ];
    for (number, (fields, expected)) in cases.into_iter().enumerate() {
        let id = 2 * u32::try_from(number).unwrap() + 1;
        frames.send(&Frame::headers(id, &fields).end_stream()).await;
        assert_eq!(fate(&mut frames, id).await, expected, "{fields:?}");
    }
    assert_eq!(upstream.request_count(), 0);
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn what_the_upstream_gets() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream).await;
    let mut frames = frames(&gateway).await;
    let fields = [
        METHOD,
        SCHEME,
        (":authority", "A.example:80"),
        (":path", "/a/../b%7e?x=1"),
        ("host", "a.example:80"),
        ("cookie", "a=1"),
        ("x-one", "1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x_real_ip", "1.2.3.4"),
        ("accept-language", "h\u{fc}"),
    ];
    frames.send(&Frame::headers(1, &fields).end_stream()).await;
    assert_eq!(frames.expect_status(1).await, 200);
    let request = upstream.only_request();
    assert_eq!((&*request.method, &*request.target), ("GET", "/b~?x=1"));
    assert_eq!(request.version, "HTTP/1.1");
    assert_eq!(request.lines("host"), ["a.example:80"]);
    assert_eq!(request.lines("cookie"), ["a=1; b=2"]);
    assert_eq!(request.lines("x-forwarded-for"), ["1.2.3.4, 127.0.0.1"]);
    assert_eq!(request.header("x_real_ip"), None);
    assert_eq!(request.header("te"), Some("trailers"));
    assert_eq!(request.header("connection"), Some("TE"));
    assert!(
        request
            .fields
            .iter()
            .all(|(name, _)| !name.starts_with(':'))
    );
}

/// The length that is declared, and what comes.
#[tokio::test]
async fn lengths_of_bodies() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream).await;
    for (length, parts, is_good) in [
        ("4", &["ab", "cd"][..], true),
        ("4", &["ab", "c"], false),
        ("4", &["ab", "cde"], false),
        ("0", &["a"], false),
        ("", &["ab", "cd"], true),
    ] {
        let mut frames = frames(&gateway).await;
        let mut fields = Frame::request("POST", "/body").to_vec();
        if !length.is_empty() {
            fields.push(("content-length", length));
        }
        let mut all = vec![Frame::headers(1, &fields)];
        all.extend(parts.iter().map(|part| Frame::data(1, *part)));
        let last = all.pop().unwrap().end_stream();
        all.push(last);
        frames.send_all(&all).await;
        let expected = if is_good { Status(200) } else { Reset };
        assert_eq!(fate(&mut frames, 1).await, expected, "{length} {parts:?}");
    }
    // A request without a body may have been sent before the body comes that it must not have.
    let bodies: Vec<Vec<u8>> = (upstream.requests().into_iter())
        .map(|request| request.body)
        .filter(|body| !body.is_empty())
        .collect();
    assert_eq!(bodies, [b"abcd", b"abcd"]);
}

#[tokio::test]
async fn trailers() {
    let reply = Reply::chunked(&[b"body"], &[("x-sum", "1"), ("content-length", "9")]);
    let upstream = Upstream::always(reply).await;
    let gateway = gateway(&upstream).await;
    let mut frames = frames(&gateway).await;
    let request = Frame::headers(1, &Frame::request("POST", "/"));
    let trailers = [
        ("x-checksum", "2"),
        ("host", "b.example"),
        ("authorization", "x"),
    ];
    let trailers = Frame::headers(1, &trailers).end_stream();
    frames
        .send_all(&[request, Frame::data(1, "abc"), trailers])
        .await;
    assert_eq!(frames.expect_status(1).await, 200);
    let is_data = |frame: &Frame| frame.kind == kind::DATA;
    let data = frames.expect("the body", is_data).await;
    assert_eq!(
        (&*data.payload, data.has(flag::END_STREAM)),
        (&b"body"[..], false)
    );
    let is_end = |frame: &Frame| frame.kind == kind::HEADERS && frame.has(flag::END_STREAM);
    let end = frames.expect("trailers", is_end).await;
    let text = String::from_utf8_lossy(&end.payload).into_owned();
    assert!(!text.contains("content-length"), "{text}");
    let received = upstream.only_request();
    assert_eq!(
        received.trailers,
        [("x-checksum".to_owned(), "2".to_owned())]
    );
    // Trailers with pseudo-fields, or in the middle, are none.
    for (bad, ends) in [((":path", "/x"), true), (("x", "1"), false)] {
        let mut frames = self::frames(&gateway).await;
        let request = Frame::headers(1, &Frame::request("POST", "/"));
        let trailers = Frame::headers(1, &[bad]);
        let trailers = if ends {
            trailers.end_stream()
        } else {
            trailers
        };
        frames
            .send_all(&[request, Frame::data(1, "abc"), trailers])
            .await;
        frames.expect_reset(1, code::PROTOCOL_ERROR).await;
    }
    assert_eventually!(upstream.open() <= 1);
}

#[tokio::test]
async fn interim_responses() {
    let upstream = Upstream::always(Reply::raw(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\nok",
    ))
    .await;
    let gateway = gateway(&upstream).await;
    let client = Http2Client::over(gateway.connect().await).await;
    let response = client.get("/").await;
    assert_eq!(response.interim.len(), 1);
    assert_eq!(response.interim[0].status, 103);
    assert_eq!((response.status, response.text()), (200, "ok"));
    assert_eq!(response.header("x-hop"), None);
    assert_eq!(response.header("connection"), None);
    let expecting = Request::post("/", "body").header("Expect", "100-continue");
    let response = client.send(&expecting).await;
    assert_eq!(response.interim[0].status, 100);
}

#[tokio::test]
async fn responses_without_a_body() {
    let upstream = Upstream::http(|request| async move {
        match &*request.target {
            "/204" => Reply::new(204),
            "/304" => Reply::new(304).header("ETag", "\"x\""),
            _ => Reply::ok("body"),
        }
    })
    .await;
    let gateway = gateway(&upstream).await;
    let mut frames = frames(&gateway).await;
    for (id, method, path, status) in [
        (1, "HEAD", "/", 200),
        (3, "GET", "/204", 204),
        (5, "GET", "/304", 304),
    ] {
        frames
            .send(&Frame::headers(id, &Frame::request(method, path)).end_stream())
            .await;
        let is_head = |frame: &Frame| frame.kind == kind::HEADERS && frame.stream == id;
        let head = frames.expect("a response", is_head).await;
        assert_eq!(head.status(), Some(status));
        assert!(head.has(flag::END_STREAM), "{method} {path}");
    }
}
