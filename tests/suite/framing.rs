//! Ambiguous requests and requests beyond limits: the response to each, and
//! that they never reach an upstream.

use janua_tests::{Framing, Gateway, Proxy, Request, Upstream, assert_eventually};

/// For each request: its fault, its bytes, the status of the response.
const HOSTILE: &[(&str, &[u8], u16)] = &[
    (
        "both lengths",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "both lengths, the other way round",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "two lengths",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        400,
    ),
    (
        "two equal lengths",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        400,
    ),
    ("a list of lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400),
    ("a signed length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400),
    ("a negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    ("a hexadecimal length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na", 400),
    ("an empty length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
    (
        "a length past 64 bits",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        400,
    ),
    ("another coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (
        "another coding first",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "chunked twice",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "chunked in two lines",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "a coding in the second line",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        501,
    ),
    ("nearly chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    ("chunked quoted", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501),
    ("chunked with a parameter", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 501),
    ("no coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 501),
    ("a vertical tab", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("a space before the colon", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    ("a coding in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("line ends without CR", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("one line end without CR", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("the last line end without CR", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("a CR in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: z\r\n\r\n", 400),
    ("a NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n", 400),
    ("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
    ("a folded first line", b"GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", 400),
    ("a name with a space", b"GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n", 400),
    ("an empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: z\r\n\r\n", 400),
    ("no colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("two equal hosts", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400),
    ("no host", b"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    ("a host with a space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("a host with a slash", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("a host with a user", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("a host list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("a port that is none", b"GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", 400),
    ("a port too large", b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
    ("a target with a space", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a target with two spaces", b"GET /a b c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a target with a fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a target without a slash", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an asterisk", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("another scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no authority", b"GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a path that climbs", b"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a path that climbs in escapes", b"GET /x/%2e%2E/%2e./y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a NUL in the path", b"GET /a%00.html HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("half an escape", b"GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no version", b"GET /\r\nHost: a\r\n\r\n", 400),
    ("another protocol", b"GET / JANUA/1.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/2 by name", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("HTTP/0.9 by name", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("garbage", b"\0\0\0\0", 400),
    ("CONNECT", b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 405),
    ("TRACE", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("a letter for a chunk's size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ("a signed chunk", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
    ("a chunk's size with a prefix", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400),
    ("no size of a chunk", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n", 400),
    ("a chunk longer than it says", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    ("a chunk past 64 bits", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n", 400),
    ("a chunk's line end without CR", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400),
    ("an extension with a lone LF", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\ny\r\na\r\n0\r\n\r\n", 400),
    ("a chunk's size with a semicolon alone", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n", 400),
    ("a chunk's size with a space behind", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", 400),
    ("a chunk's size with a word behind", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 GARBAGE\r\nhello\r\n0\r\n\r\n", 400),
    ("an extension that is no token", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;bad[=x\r\nhello\r\n0\r\n\r\n", 400),
    ("a control character in an extension", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n", 400),
    ("a trailer's line end without CR", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", 400),
    ("a CR in the end of a body", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\r\n", 400),
    ("an end without CR", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", 400),
    ("a folded trailer", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n", 400),
];

/// The request that would be smuggled if the previous one ended elsewhere.
const NEXT: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn hostile_requests_are_refused_and_reach_no_upstream() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wrong = Vec::new();
    for (name, bytes, status) in HOSTILE {
        let mut wire = gateway.connect().await;
        wire.send(bytes).await;
        let _ = wire.try_send(NEXT).await;
        match wire.try_receive("GET").await {
            Ok(response) if response.status == *status => {
                assert_eq!(response.header("connection"), Some("close"), "{name}");
                assert!(response.proxy_error().is_some(), "{name}");
                let rest = wire.take_rest().await;
                assert_eq!(rest.as_deref(), Ok(&b""[..]), "{name}: something follows");
            }
            Ok(response) => wrong.push(format!("{name}: {} {}", response.status, response.text())),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(upstream.request_count(), 0, "{:?}", upstream.requests());
}

#[tokio::test]
async fn unusual_but_valid_requests_are_forwarded_correctly() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let table: [(&str, &[u8], &str, &str); 7] = [
        ("an empty line first", b"\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "/a", ""),
        (
            "chunked in capitals",
            b"POST /b HTTP/1.1\r\nHost: h\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "/b",
            "abc",
        ),
        (
            "extensions of chunks",
            b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b;c=\"d e\"\r\nabc\r\n00;x\r\n\r\n",
            "/c",
            "abc",
        ),
        ("the absolute form", b"GET http://h/d?e HTTP/1.1\r\nHost: other\r\n\r\n", "/d?e", ""),
        ("no space after the colon", b"GET /e HTTP/1.1\r\nHost:h\r\n\r\n", "/e", ""),
        ("much space around a value", b"GET /f HTTP/1.1\r\nHost: \t h \t \r\n\r\n", "/f", ""),
        ("a length with zeros", b"POST /g HTTP/1.1\r\nHost: h\r\nContent-Length: 0003\r\n\r\nabc", "/g", "abc"),
    ];
    for (name, bytes, target, body) in table {
        let mut wire = gateway.connect().await;
        wire.send(bytes).await;
        let response = wire.receive("GET").await;
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        let echo = response.json();
        assert_eq!(echo["target"], target, "{name}");
        assert_eq!(echo["body"], body, "{name}");
        assert_eq!(echo["headers"]["host"], "h", "{name}");
    }
}

#[tokio::test]
async fn one_byte_at_a_time() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::new("POST", "/drip?x=y")
        .header("X-Drop", "1")
        .chunked(&[b"hello", b" world"], &[("X-Sum", "2")]);
    let mut wire = gateway.connect().await;
    for byte in request.to_bytes() {
        wire.send([byte]).await;
        tokio::task::yield_now().await;
    }
    let echo = wire.receive("POST").await.json();
    assert_eq!(echo["body"], "hello world");
    assert_eq!(echo["target"], "/drip?x=y");
    assert_eq!(echo["trailers"][0][1], "2");
}

#[tokio::test]
async fn h2c_is_not_offered_to_the_upstream() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::get("/")
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");
    let response = gateway.send(request).await;
    assert_eq!(response.status, 200);
    let echo = response.json();
    for gone in ["upgrade", "http2-settings", "connection"] {
        assert!(echo["headers"].get(gone).is_none(), "{gone}: {echo}");
    }
}

/// Framing overhead of a body is limited as a whole: no `max_body` counts it,
/// but it costs the gateway as much as content.
#[tokio::test]
async fn a_body_made_of_chunk_extensions_is_cut_short() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let chunk = format!("1;{}\r\nx\r\n", "a".repeat(4000));
    let mut sent = 0;
    // Far more than the limit, and more than all buffers in between hold.
    while sent < 64 << 20 && wire.try_send(&chunk).await.is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 64 << 20, "all of it was read");
    assert_eq!(gateway.log_line("/").await["failure"], "bad_request");
}

/// `OPTIONS *` is for the server, not for a resource (RFC 9110, section 9.3.7).
#[tokio::test]
async fn the_server_itself_has_options() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).listener("headers = { X-Listener = \"1\" }");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    for host in ["a.example", "other.example"] {
        let response = wire
            .exchange(&Request::new("OPTIONS", "*").host(host))
            .await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-length"), Some("0"));
        assert_eq!(response.header("x-listener"), Some("1"));
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn refused_methods_say_why() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let response = gateway.send(Request::new("TRACE", "/")).await;
    assert_eq!(response.status, 405);
    assert_eq!(response.proxy_error(), Some("http_request_denied"));
    assert!(
        response.header("allow").is_some(),
        "RFC 9110 §15.5.6: {:?}",
        response.fields
    );
}

#[tokio::test]
async fn head_limits() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).listener("max_head = \"4KiB\"\nmax_fields = 10");
    let gateway = Gateway::start(config).await;
    // The whole head counts, from its first byte to its empty line.
    let bare = Request::get("/").header("X", "").to_bytes().len();
    let of_size = |size: usize| Request::get("/").header("X", &"y".repeat(size - bare));
    assert_eq!(of_size(4096).to_bytes().len(), 4096);
    assert_eq!(gateway.send(of_size(4096)).await.status, 200);
    let refused = gateway.send(of_size(4097)).await;
    assert_eq!(refused.status, 431);
    assert_eq!(refused.proxy_error(), Some("http_request_error"));

    let with_fields = |count: usize| {
        (1..count).fold(Request::get("/"), |request, n| {
            request.header(&format!("X-{n}"), "y")
        })
    };
    assert_eq!(gateway.send(with_fields(10)).await.status, 200);
    assert_eq!(gateway.send(with_fields(11)).await.status, 431);

    // A head without an end is refused without waiting for it.
    let mut wire = gateway.connect().await;
    wire.send(format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}",
        "y".repeat(5000)
    ))
    .await;
    assert_eq!(wire.receive("GET").await.status, 431);
    let mut wire = gateway.connect().await;
    wire.send(format!("GET /{}", "y".repeat(5000))).await;
    assert_eq!(wire.receive("GET").await.status, 431);
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn body_limits() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).route("max_body = \"1KiB\"");
    let gateway = Gateway::start(config).await;
    let fits = vec![b'x'; 1024];
    assert_eq!(
        gateway.send(Request::post("/", fits.clone())).await.status,
        200
    );
    let chunked = Request::new("POST", "/").chunked(&[&fits[..1000], &fits[..24]], &[]);
    assert_eq!(gateway.send(chunked).await.status, 200);
    assert_eq!(upstream.request_count(), 2);

    // By its length: refused before a byte of the body is read.
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n")
        .await;
    let refused = wire.receive("POST").await;
    assert_eq!(refused.status, 413);
    assert!(wire.is_closed().await);
    // By the content received, as soon as it exceeds the limit.
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n")
        .await;
    let _ = wire.try_send([b'x'; 1025]).await;
    let refused = wire.receive("POST").await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.proxy_error(), Some("http_request_error"));
    assert!(wire.is_closed().await);
    assert_eq!(upstream.request_count(), 2, "none of those was sent whole");
}

#[tokio::test]
async fn the_default_body_limit_is_a_mebibyte() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let body = vec![b'x'; 1 << 20];
    assert_eq!(gateway.send(Request::post("/", body)).await.status, 200);
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n")
        .await;
    assert_eq!(wire.receive("POST").await.status, 413);
}

#[tokio::test]
async fn a_bad_chunk_breaks_off_the_upstream_too() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    assert_eventually!(upstream.open() == 1);
    wire.send("zzz\r\n").await;
    assert_eq!(wire.receive("POST").await.status, 400);
    assert_eventually!(
        upstream.open() == 0,
        "the upstream waits for a body that never comes"
    );
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn the_upstream_gets_one_framing() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    gateway.send(Request::get("/")).await;
    gateway.send(Request::post("/", "")).await;
    gateway.send(Request::post("/", "abc")).await;
    gateway
        .send(Request::new("POST", "/").chunked(&[b"abc"], &[]))
        .await;
    let framings: Vec<_> = upstream
        .requests()
        .iter()
        .map(|request| request.framing)
        .collect();
    assert_eq!(
        framings,
        [
            Framing::None,
            Framing::Length(0),
            Framing::Length(3),
            Framing::Chunked
        ]
    );
}
