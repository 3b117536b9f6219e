//! Nothing is smuggled in the translation from HTTP/1.1 to HTTP/2: what the two versions write
//! differently arrives once, and what only one of them has does not arrive.

use janua_tests::{Gateway, Http2Upstream, Proxy, Request};

use crate::upstream_http2::{HTTP2, in_front_of};

/// Lines that a request has, and what arrives of them.
#[tokio::test]
async fn fields_of_one_version_do_not_become_those_of_the_other() {
    let upstream = Http2Upstream::echo().await;
    let gateway = in_front_of(&upstream).await;
    for (line, name, arrives) in [
        ("X-Upper: 1", "x-upper", Some("1")),
        ("X-Spaces: \t a b \t", "x-spaces", Some("a b")),
        ("X-Empty:", "x-empty", Some("")),
        ("Connection: x-a\r\nX-A: 1", "x-a", None),
        ("Connection: close, X-A\r\nx-a: 1\r\nX-A: 2", "x-a", None),
        ("Connection: cookie\r\nCookie: a=1", "cookie", None),
        (
            "Connection: Host\r\nX-B: 1",
            ":authority",
            Some("a.example"),
        ),
        ("Keep-Alive: timeout=5", "keep-alive", None),
        ("Proxy-Connection: keep-alive", "proxy-connection", None),
        ("TE: gzip", "te", None),
        ("TE: gzip, Trailers", "te", Some("trailers")),
        (
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA",
            "http2-settings",
            None,
        ),
        ("Connection: Upgrade\r\nUpgrade: tcp", "upgrade", None),
        ("Expect: 100-continue", "expect", None),
        ("X-Forwarded-For: 1.2.3.4", "forwarded", None),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: a.example\r\n{line}\r\n\r\n");
        let mut wire = gateway.connect().await;
        wire.send(text).await;
        assert_eq!(wire.receive("GET").await.status, 200, "{line}");
        let requests = upstream.requests();
        let received = requests.last().unwrap();
        assert_eq!(received.header(name), arrives, "{line}");
        assert_eq!(received.header("connection"), None, "{line}");
        assert_eq!(received.header("host"), None, "{line}");
    }
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let upstream = Http2Upstream::echo().await;
    let gateway = in_front_of(&upstream).await;
    for lines in [
        ":path: /admin",
        ":authority: b.example",
        "X-A : 1",
        "X-A: a\rb",
        "X-A: a\0b",
        "X-A: a\n b",
        "Host: b.example",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        let text = format!("POST / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n\r\n");
        let mut wire = gateway.connect().await;
        wire.send(text).await;
        let status = wire.receive("POST").await.status;
        assert!([400, 501].contains(&status), "{lines:?}: {status}");
    }
    assert_eq!(upstream.streams(), 0);
}

#[tokio::test]
async fn the_target_arrives_as_one_path_and_one_query() {
    let upstream = Http2Upstream::echo().await;
    let gateway = in_front_of(&upstream).await;
    for (target, arrives) in [
        ("/", "/"),
        ("/a/../b", "/b"),
        ("/a%20b", "/a%20b"),
        ("/a?", "/a?"),
        ("/a?b=c?d=/e", "/a?b=c?d=/e"),
        ("/a?q=%zz", "/a?q=%zz"),
        ("/a?<\"{|}`^>", "/a?%3C%22%7B%7C%7D%60%5E%3E"),
        ("/a?caf\u{e9}", "/a?caf\u{e9}"),
        ("http://b.example:8080/a?b", "/a?b"),
    ] {
        let response = gateway.send(Request::get(target)).await;
        assert_eq!(response.status, 200, "{target}: {}", response.text());
        let requests = upstream.requests();
        let received = requests.last().unwrap();
        assert_eq!(received.target, arrives, "{target}");
        let authority = match target.starts_with("http:") {
            true => "b.example:8080",
            false => "a.example",
        };
        assert_eq!(received.header(":authority"), Some(authority), "{target}");
    }
}

#[tokio::test]
async fn the_authority_goes_by_the_route() {
    let upstream = Http2Upstream::echo().await;
    let endpoint = upstream.endpoint();
    let config = Proxy::to(&endpoint)
        .upstream(HTTP2)
        .route("path = \"/endpoint\"\nhost = \"upstream\"")
        .also("/fixed", "host = \"fixed.example\"");
    let gateway = Gateway::start_one_worker(config).await;
    for (path, authority) in [("/endpoint", &*endpoint), ("/fixed", "fixed.example")] {
        assert_eq!(gateway.get(path).await.status, 200);
        let requests = upstream.requests();
        assert_eq!(
            requests.last().unwrap().header(":authority"),
            Some(authority)
        );
    }
    let old = Request::get("/endpoint").http10();
    assert_eq!(gateway.send(old).await.status, 200);
}

#[tokio::test]
async fn trailers_that_belong_into_a_head_are_dropped() {
    let upstream = Http2Upstream::echo().await;
    let gateway = in_front_of(&upstream).await;
    let trailers = [
        ("Content-Length", "5"),
        ("Host", "b.example"),
        ("Transfer-Encoding", "chunked"),
        ("Authorization", "Basic x"),
        ("X-Sum", "7"),
    ];
    let request = Request::new("POST", "/").chunked(&[b"hello"], &trailers);
    assert_eq!(gateway.send(request).await.status, 200);
    let received = upstream.only_request();
    assert_eq!(received.trailers, [("x-sum".to_owned(), "7".to_owned())]);
    assert_eq!(received.header("content-length"), None);
}
