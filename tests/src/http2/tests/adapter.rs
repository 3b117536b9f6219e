//! Messages of HTTP/1.1 over HTTP/2.

use std::time::Duration;

use super::super::{Http2Habits, Http2Stream, Http2Upstream, adapt};
use super::{MIB, adapted};
use crate::message::{Framing, Reply, Request};
use crate::tls::{Authority, TlsClient, TlsServer};
use crate::{filler, filler_difference};

#[tokio::test]
async fn fields_pass_in_both_directions() {
    let upstream = Http2Upstream::http(async |_| {
        Reply::ok("x")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .header("ETag", "\"e\"")
    })
    .await;
    let mut wire = adapted(&upstream).await;
    let request = Request::get("/a?b=%2F")
        .host("shop.example:8080")
        .header("Cookie", "a=1")
        .header("Cookie", "b=2")
        .header("Connection", "X-Hop, close")
        .header("X-Hop", "1")
        .header("TE", "trailers, gzip")
        .header("X-Value", "a   b\u{e9}");
    let response = wire.exchange(&request).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.reason, "OK");
    assert_eq!(response.framing, Framing::Length(1));
    let twice = response.fields.iter().filter(|(name, _)| name == "X-Twice");
    assert_eq!(twice.count(), 2, "{:?}", response.fields);
    assert!(wire.is_closed().await, "the client wanted that");

    let received = upstream.only_request();
    assert_eq!(
        (received.method.as_str(), received.target.as_str()),
        ("GET", "/a?b=%2F")
    );
    assert_eq!(received.header(":scheme"), Some("http"));
    assert_eq!(received.header(":authority"), Some("shop.example:8080"));
    assert_eq!(received.lines("cookie"), ["a=1", "b=2"]);
    assert_eq!(received.header("te"), Some("trailers"));
    assert_eq!(received.header("x-value"), Some("a   b\u{e9}"));
    for gone in ["connection", "x-hop", "host"] {
        assert_eq!(received.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn tls_with_alpn() {
    let authority = Authority::new("root");
    let identity = authority.issue(&["a.example"]);
    let habits = Http2Habits {
        tls: Some(TlsServer::with(&identity).protocols(&["h2"])),
        ..Http2Habits::default()
    };
    let upstream = Http2Upstream::http_with(habits, async |_| Reply::ok("safe")).await;
    let client = TlsClient::trusting(&authority).protocols(&["h2"]);
    let wire = client
        .connect(upstream.address(), "a.example")
        .await
        .unwrap();
    let mut wire = adapt(wire);
    assert_eq!(wire.handshake().protocol.as_deref(), Some("h2"));
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "safe");
    assert_eq!(upstream.only_request().header(":scheme"), Some("https"));
}

#[tokio::test]
async fn large_bodies_in_both_directions_and_all_framings() {
    let upstream = Http2Upstream::http(async |request| match request.target.as_str() {
        "/length" => Reply::ok(request.body),
        _ => Reply::chunked(&[&request.body], &[]),
    })
    .await;
    let mut wire = adapted(&upstream).await;
    let body = filler(0, MIB);
    let (one, two) = body.split_at(1000);
    // All on one connection, and pipelined.
    let requests = [
        Request::post("/length", body.clone()),
        Request::new("POST", "/chunked").chunked(&[one, two], &[]),
        Request::post("/length", ""),
    ];
    let sizes = [MIB, MIB, 0];
    let framings = [Framing::Length(MIB), Framing::Chunked, Framing::Length(0)];
    for ((request, size), framing) in requests.iter().zip(sizes).zip(framings) {
        let response = wire.exchange(request).await;
        assert_eq!((response.body.len(), response.framing), (size, framing));
        assert_eq!(filler_difference(0, &response.body), None);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn trailers_in_both_directions() {
    let upstream = Http2Upstream::http(async |request| {
        let sum = request.trailers.first().map(|(_, sum)| sum.clone());
        Reply::chunked(&[b"body"], &[("X-Sum", &sum.unwrap_or_default())])
    })
    .await;
    let mut wire = adapted(&upstream).await;
    let trailers = [("X-Sum", "42"), ("Transfer-Encoding", "chunked")];
    let request = Request::new("POST", "/").chunked(&[b"abc"], &trailers);
    let response = wire.exchange(&request).await;
    assert_eq!(response.text(), "body");
    assert_eq!(response.trailers, [("X-Sum".to_owned(), "42".to_owned())]);
    assert_eq!(upstream.only_request().body, b"abc");
}

#[tokio::test]
async fn responses_without_a_body() {
    let upstream = Http2Upstream::http(async |request| match request.target.as_str() {
        "/204" => Reply::new(204),
        "/304" => Reply::new(304).header("Content-Length", "7"),
        _ => Reply::ok("twelve bytes"),
    })
    .await;
    let mut wire = adapted(&upstream).await;
    let response = wire.exchange(&Request::new("HEAD", "/")).await;
    assert_eq!(response.header("content-length"), Some("12"));
    for status in [204, 304] {
        let response = wire.exchange(&Request::get(&format!("/{status}"))).await;
        assert_eq!((response.status, response.body.len()), (status, 0));
    }
    assert_eq!(
        wire.exchange(&Request::get("/")).await.text(),
        "twelve bytes"
    );
}

#[tokio::test]
async fn interim_responses_and_expect() {
    let upstream = Http2Upstream::raw(|mut stream: Http2Stream| async move {
        assert_eq!(stream.head().header("expect"), Some("100-continue"));
        stream.interim(103, &[("link", "</a.css>")]).unwrap();
        stream.interim(100, &[]).unwrap();
        let request = stream.request().await.unwrap();
        stream.reply(&Reply::ok(request.body)).await.unwrap();
    })
    .await;
    let mut wire = adapted(&upstream).await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        .await;
    let hints = wire.receive_head("POST").await.unwrap();
    assert_eq!(
        (hints.status, hints.header("link")),
        (103, Some("</a.css>"))
    );
    assert_eq!(wire.receive_head("POST").await.unwrap().status, 100);
    assert_eq!(upstream.requests().len(), 0);
    wire.send("abc").await;
    assert_eq!(wire.receive("POST").await.text(), "abc");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Http2Upstream::http(async |request| Reply::ok(request.target)).await;
    let mut wire = adapted(&upstream).await;
    let paths: Vec<String> = (0..10).map(|n| format!("/{n}")).collect();
    let all = paths.iter().flat_map(|path| Request::get(path).to_bytes());
    wire.send(all.collect::<Vec<u8>>()).await;
    for path in &paths {
        assert_eq!(wire.receive("GET").await.text(), path);
    }
    assert_eq!((upstream.connections(), upstream.most_at_once()), (1, 1));
}

#[tokio::test]
async fn both_directions_at_the_same_time() {
    let upstream = Http2Upstream::raw(|mut stream: Http2Stream| async move {
        stream.respond(200, &[]).unwrap();
        while let Some(bytes) = stream.data().await.unwrap() {
            stream.send(bytes).await.unwrap();
        }
        stream.finish().unwrap();
    })
    .await;
    let mut wire = adapted(&upstream).await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    assert_eq!(wire.receive_head("POST").await.unwrap().status, 200);
    for word in ["one", "two", "three"] {
        wire.send(format!("{:x}\r\n{word}\r\n", word.len())).await;
        assert_eq!(wire.take_chunk().await.unwrap(), word.as_bytes());
    }
    // The bytes of a chunk do not wait for its line end.
    wire.send("4\r\nfour").await;
    assert_eq!(wire.take_chunk().await.unwrap(), b"four");
    wire.send("\r\n0\r\n\r\n").await;
    assert_eq!(wire.take_chunk().await.unwrap(), b"");
}

#[tokio::test]
async fn a_reader_that_does_not_read_stops_the_sender() {
    let (counter, counted) = tokio::sync::watch::channel(0);
    let upstream = Http2Upstream::raw(move |mut stream: Http2Stream| {
        let counter = counter.clone();
        async move {
            stream.respond(200, &[]).unwrap();
            let mut sent = 0;
            while stream.send(filler(sent, 1024)).await.is_ok() {
                sent += 1024;
                counter.send_replace(sent);
            }
        }
    })
    .await;
    let mut wire = adapted(&upstream).await;
    wire.send(Request::get("/").to_bytes()).await;
    wire.receive_head("GET").await.unwrap();
    let standstill = crate::eventually(async || {
        let at = *counted.borrow();
        tokio::time::sleep(Duration::from_millis(200)).await;
        (at > 0 && *counted.borrow() == at).then_some(at)
    });
    let at = standstill.await.expect("the sender comes to a standstill");
    // A window, what is between wire and adapter, and one piece that the window let through.
    assert!(at <= 64 * 1024 + 16 * 1024 + 16 * 1024 + 1024, "{at} bytes");
    let mut body = Vec::new();
    while body.len() < MIB {
        body.extend(wire.take_chunk().await.unwrap());
    }
    assert_eq!(filler_difference(0, &body), None);
}

#[tokio::test]
async fn a_server_that_does_not_read_stops_the_client() {
    let upstream = Http2Upstream::raw(async |stream: Http2Stream| {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut wire = adapted(&upstream).await;
    wire.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MIB}\r\n\r\n"
    ))
    .await;
    let mut sent = 0;
    while sent < MIB {
        let sending = wire.send([0; 1024]);
        if tokio::time::timeout(Duration::from_millis(500), sending)
            .await
            .is_err()
        {
            break;
        }
        sent += 1024;
    }
    assert!((64 * 1024..128 * 1024).contains(&sent), "{sent} bytes");
}
