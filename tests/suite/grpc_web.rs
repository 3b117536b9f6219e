//! gRPC-Web end to end: clients as browsers are, over both versions of HTTP, and servers of gRPC.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use janua_tests::{
    Framing, Gateway, Http2Stream, Http2Upstream, Proxy, Reply, Request, Response, Vacant,
    assert_eventually,
};

use crate::upstream_http2::HTTP2;

const WEB: &str = "grpc_web = true";
const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";

/// A frame with this flag.
fn frame(flag: u8, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[flag][..], &length, text.as_bytes()].concat()
}

fn message(text: &str) -> Vec<u8> {
    frame(0, text)
}

/// The frame with these trailers.
fn trailers(lines: &str) -> Vec<u8> {
    frame(0x80, lines)
}

/// The frame of a call that the gateway has ended with this status.
fn is_failure(frame: &[u8], status: u8) -> bool {
    let begin = format!("grpc-status: {status}\r\ngrpc-message: ");
    frame.first() == Some(&0x80) && frame[5..].starts_with(begin.as_bytes())
}

fn text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes a text of parts with padding.
fn decoded(text: &[u8]) -> Vec<u8> {
    assert_eq!(text.len() % 4, 0, "{text:?}");
    let groups = text.chunks(4);
    groups.flat_map(|it| STANDARD.decode(it).unwrap()).collect()
}

/// A call of gRPC-Web, without its body.
fn call(path: &str, content_type: &str) -> Request {
    Request::new("POST", path)
        .header("Content-Type", content_type)
        .header("X-Grpc-Web", "1")
}

/// A gateway that translates, and whose clients may use both versions of HTTP.
async fn translating(endpoint: String) -> Gateway {
    let config = Proxy::to(endpoint).route(WEB);
    Gateway::start_one_worker(config.upstream(HTTP2).listener("http2 = true")).await
}

/// The responses over HTTP/1.1 and over HTTP/2.
async fn over_both(gateway: &Gateway, request: &Request) -> [Response; 2] {
    let client = gateway.http2().await;
    [
        gateway.send(request.clone()).await,
        client.send(request).await,
    ]
}

/// A server that answers each message with the same one, as it arrives.
async fn echo() -> Http2Upstream {
    Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[("content-type", "application/grpc+proto")]);
        while let Ok(Some(bytes)) = stream.data().await {
            if stream.send(bytes).await.is_err() {
                return;
            }
        }
        let _ = stream.finish_with(&[("grpc-status", "0"), ("x-other", "Fine")]);
    })
    .await
}

#[tokio::test]
async fn a_unary_call() {
    let upstream = Http2Upstream::http(async |request| {
        let trailers = [("Grpc-Status", "0"), ("x-other", "Fine")];
        Reply::chunked(&[&request.body], &trailers).header("content-type", "application/grpc+proto")
    })
    .await;
    let gateway = translating(upstream.endpoint()).await;
    let hello = message("hello");
    let expected = [&hello[..], &trailers("grpc-status: 0\r\nx-other: Fine\r\n")].concat();
    for (sent, accepted, received) in [
        (BINARY, "*/*", BINARY),
        (TEXT, "*/*", TEXT),
        (BINARY, "application/grpc-web-text", TEXT),
        (TEXT, BINARY, BINARY),
    ] {
        let body = match sent {
            BINARY => hello.clone(),
            _ => text(&hello).into_bytes(),
        };
        let request = call("/echo.Echo/Unary", sent)
            .header("Accept", accepted)
            .header("Accept-Encoding", "gzip")
            .body(body);
        for response in over_both(&gateway, &request).await {
            assert_eq!(response.status, 200);
            assert_eq!(response.header("content-type"), Some(received));
            assert_eq!(response.header("content-length"), None);
            assert_eq!(response.trailers, []);
            let body = match received {
                BINARY => response.body,
                _ => decoded(&response.body),
            };
            assert_eq!(body, expected, "{sent} {accepted}");
        }
    }
    for received in upstream.requests() {
        assert_eq!(received.target, "/echo.Echo/Unary");
        assert_eq!(received.body, hello);
        for (name, value) in [
            ("content-type", Some("application/grpc+proto")),
            ("te", Some("trailers")),
            ("x-grpc-web", Some("1")),
            ("accept-encoding", None),
        ] {
            assert_eq!(received.header(name), value, "{name}");
        }
        let length = received.header("content-length");
        assert!(length.is_none_or(|length| length == "10"), "{length:?}");
    }
}

#[tokio::test]
async fn a_text_may_be_cut_and_padded_anywhere() {
    let upstream = echo().await;
    let gateway = translating(upstream.endpoint()).await;
    let messages = ["a", "bc", "", "def"].map(message);
    let whole = messages.concat();
    let padded: String = messages.iter().map(|it| text(it)).collect();
    assert!(padded.contains("=A"), "{padded}");
    for size in 1..9 {
        let chunks: Vec<&[u8]> = padded.as_bytes().chunks(size).collect();
        let request = call("/echo.Echo/Bidi", TEXT).chunked(&chunks, &[]);
        let response = gateway.send(request).await;
        let body = decoded(&response.body);
        let messages = body.strip_prefix(&whole[..]).unwrap();
        assert_eq!(messages, trailers("grpc-status: 0\r\nx-other: Fine\r\n"));
    }
}

#[tokio::test]
async fn each_message_of_a_server_is_passed_on_at_once() {
    let upstream = echo().await;
    let gateway = translating(upstream.endpoint()).await;
    let mut wire = gateway.connect().await;
    for content_type in [TEXT, BINARY] {
        let request = call("/echo.Echo/Bidi", content_type).header("Transfer-Encoding", "chunked");
        wire.send(request.to_bytes()).await;
        let head = wire.receive_head("POST").await.unwrap();
        assert_eq!(head.header("content-type"), Some(content_type));
        assert_eq!(head.framing, Framing::Chunked);
        for n in 0..10 {
            let one = message(&format!("message {n}"));
            let one = match content_type {
                TEXT => text(&one).into_bytes(),
                _ => one,
            };
            wire.send(format!("{:x}\r\n", one.len())).await;
            wire.send(&one).await;
            wire.send("\r\n").await;
            let mut came = Vec::new();
            while came.len() < one.len() {
                came.extend(wire.take_chunk().await.unwrap());
            }
            assert_eq!(came, one);
        }
        wire.send("0\r\n\r\n").await;
        let (rest, fields) = wire.take_body(head.framing).await.unwrap();
        let rest = match content_type {
            TEXT => decoded(&rest),
            _ => rest,
        };
        assert_eq!(rest, trailers("grpc-status: 0\r\nx-other: Fine\r\n"));
        assert_eq!(fields, []);
    }
    let client = gateway.http2().await;
    let mut both = client.open(&call("/echo.Echo/Bidi", TEXT)).await.unwrap();
    for n in 0..10 {
        let one = text(&message(&format!("{n}")));
        both.send(one.clone()).await.unwrap();
        if n == 0 {
            both.head().await.unwrap();
        }
        assert_eq!(both.data().await.unwrap(), Some(one.into_bytes()));
    }
}

#[tokio::test]
async fn large_messages_pass() {
    let upstream = Http2Upstream::http(async |request| {
        let trailers = [("grpc-status", "0")];
        Reply::chunked(&[&request.body], &trailers).header("content-type", "application/grpc")
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("grpc_web = true\nmax_body = 0");
    let config = config.upstream(HTTP2).listener("http2 = true");
    let gateway = Gateway::start_one_worker(config).await;
    let large = message(&"x".repeat(3_000_001));
    let end = trailers("grpc-status: 0\r\n");
    let request = call("/echo.Echo/Unary", TEXT).body(text(&large));
    for response in over_both(&gateway, &request).await {
        let body = decoded(&response.body);
        assert!(body == [&large[..], &end].concat(), "{}", body.len());
    }
    let line = gateway.log_line("/echo.Echo/Unary").await;
    assert!(line["bytes_out"].as_u64().unwrap() > 4_000_000, "{line}");
}

#[tokio::test]
async fn an_answer_of_trailers_alone_stays_in_the_head() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let fields = [("content-type", "application/grpc"), ("grpc-status", "5")];
        match stream.head().target.as_str() {
            "/one-frame" => {
                let _ = stream.respond_only(200, &fields);
            }
            _ => {
                let _ = stream.respond(200, &fields);
                let _ = stream.finish();
            }
        }
    })
    .await;
    let gateway = translating(upstream.endpoint()).await;
    for path in ["/one-frame", "/two-frames"] {
        let request = call(path, BINARY).body(message("x"));
        for response in over_both(&gateway, &request).await {
            assert_eq!(response.header("grpc-status"), Some("5"));
            let content_type = response.header("content-type");
            assert_eq!(content_type, Some("application/grpc-web"));
            assert_eq!(response.text(), "", "{path}");
            assert_eq!(response.trailers, []);
        }
    }
}

#[tokio::test]
async fn a_failure_of_the_gateway_has_a_status_of_grpc() {
    let silent = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.cancelled().await;
    })
    .await;
    let config = Proxy::to(silent.endpoint()).route("grpc_web = true\nmax_body = \"1KiB\"");
    let config = config.upstream(HTTP2).listener("http2 = true");
    let silent = Gateway::start_one_worker(config).await;
    let gone = Vacant::refusing();
    let gone = translating(gone.endpoint()).await;
    let whole = text(&message("hello"));
    for (gateway, content_type, body, expected, word) in [
        (&silent, BINARY, "x".to_owned(), "4", "whole_timeout"),
        (&silent, TEXT, whole.clone(), "4", "whole_timeout"),
        (
            &silent,
            BINARY,
            "x".repeat(1025),
            "8",
            "request_body_too_large",
        ),
        (&gone, TEXT, whole, "14", "refused"),
        (&silent, TEXT, "&&&&".to_owned(), "13", "bad_request"),
        (&silent, TEXT, "AAAAA".to_owned(), "13", "bad_request"),
    ] {
        let request = call("/echo.Echo/Unary", content_type)
            .header("grpc-timeout", "300m")
            .body(body);
        for response in over_both(gateway, &request).await {
            assert_eq!(response.status, 200);
            assert_eq!(response.header("grpc-status"), Some(expected), "{word}");
            let message = response.header("grpc-message");
            assert!(message.is_some_and(|message| !message.is_empty()));
            let kind = content_type.trim_end_matches("+proto");
            assert_eq!(response.header("content-type"), Some(kind));
            assert!(response.proxy_error().is_some());
            assert_eq!(response.text(), "");
            assert_eq!(response.trailers, []);
        }
        assert_eventually!(gateway.log().iter().any(|line| line["failure"] == word));
    }
}

/// The server ends a call after a message, or within one.
async fn ends_early() -> Http2Upstream {
    Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[("content-type", "application/grpc")]);
        let mut bytes = message("hello");
        let path = stream.head().target;
        if path.contains("within") {
            bytes.pop();
        }
        let _ = stream.send(bytes).await;
        // The client has read the message.
        while stream.data().await.is_ok_and(|data| data.is_some()) {}
        if path.contains("reset") {
            stream.reset(2);
        } else {
            let _ = stream.finish();
        }
    })
    .await
}

#[tokio::test]
async fn a_call_that_fails_after_it_has_begun_has_a_status() {
    let upstream = ends_early().await;
    let gateway = translating(upstream.endpoint()).await;
    let client = gateway.http2().await;
    let hello = message("hello");
    for (path, status) in [("/reset", 14), ("/finished", 13)] {
        let request = call(path, BINARY).header("Transfer-Encoding", "chunked");
        let mut wire = gateway.connect().await;
        wire.send(request.to_bytes()).await;
        let head = wire.receive_head("POST").await.unwrap();
        assert_eq!(wire.take_chunk().await.unwrap(), hello);
        wire.send("0\r\n\r\n").await;
        let (rest, _) = wire.take_body(head.framing).await.unwrap();
        assert!(is_failure(&rest, status), "{path}: {rest:?}");

        let mut one = client.open(&call(path, TEXT)).await.unwrap();
        one.head().await.unwrap();
        let first = one.data().await.unwrap().unwrap();
        assert_eq!(decoded(&first), hello);
        one.finish().unwrap();
        let mut rest = Vec::new();
        while let Some(bytes) = one.data().await.unwrap() {
            rest.extend(bytes);
        }
        assert!(is_failure(&decoded(&rest), status), "{path}: {rest:?}");
        assert_eq!(one.trailers().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_message_that_is_cut_aborts_the_response() {
    let upstream = ends_early().await;
    let gateway = translating(upstream.endpoint()).await;
    let client = gateway.http2().await;
    for path in ["/reset-within", "/finished-within"] {
        let request = call(path, BINARY).header("Transfer-Encoding", "chunked");
        let mut wire = gateway.connect().await;
        wire.send(request.to_bytes()).await;
        let head = wire.receive_head("POST").await.unwrap();
        assert_eq!(wire.take_chunk().await.unwrap().len(), 9);
        wire.send("0\r\n\r\n").await;
        let rest = wire.take_body(head.framing).await;
        assert!(rest.is_err(), "{path}: {rest:?}");

        let mut one = client.open(&call(path, TEXT)).await.unwrap();
        one.head().await.unwrap();
        assert_eq!(one.data().await.unwrap().unwrap().len(), 12);
        one.finish().unwrap();
        let rest = one.data().await;
        assert!(rest.is_err(), "{path}: {rest:?}");
    }
}

#[tokio::test]
async fn garbage_after_the_response_has_begun() {
    let upstream = echo().await;
    let gateway = translating(upstream.endpoint()).await;
    let mut wire = gateway.connect().await;
    let request = call("/echo.Echo/Bidi", TEXT).header("Transfer-Encoding", "chunked");
    wire.send(request.to_bytes()).await;
    let head = wire.receive_head("POST").await.unwrap();
    wire.send("4\r\n????\r\n").await;
    let (rest, _) = wire.take_body(head.framing).await.unwrap();
    assert!(is_failure(&decoded(&rest), 13), "{rest:?}");
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn a_call_that_its_client_leaves_is_cancelled_at_the_server() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[("content-type", "application/grpc")]);
        assert_eq!(stream.cancelled().await, Some(8));
    })
    .await;
    let gateway = translating(upstream.endpoint()).await;
    let mut wire = gateway.connect().await;
    let request = call("/echo.Echo/Stream", TEXT).body(text(&message("x")));
    wire.send(request.to_bytes()).await;
    wire.receive_head("POST").await.unwrap();
    wire.reset();
    assert_eventually!(upstream.in_progress() == 0);
}

#[tokio::test]
async fn everything_else_passes_as_it_is() {
    let upstream = Http2Upstream::http(async |request| {
        let content_type = request.header("content-type").unwrap_or("none").to_owned();
        let answer = request.header("x-answer").unwrap_or(&content_type);
        Reply::chunked(&[&request.body], &[("grpc-status", "0")]).header("content-type", answer)
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .route("path = \"/web\"\ngrpc_web = true")
        .also("/", "");
    let config = config.upstream(HTTP2).listener("http2 = true");
    let gateway = Gateway::start_one_worker(config).await;
    let client = gateway.http2().await;
    for (path, sent) in [
        ("/web", "application/grpc"),
        ("/web", "application/grpc+proto"),
        ("/web", "text/plain"),
        ("/", TEXT),
        ("/", BINARY),
    ] {
        let request = call(path, sent).header("TE", "trailers").body("body");
        let response = client.send(&request).await;
        assert_eq!(response.header("content-type"), Some(sent));
        assert_eq!(response.text(), "body");
        assert_eq!(response.trailers[0].0, "grpc-status");
    }
    // A page of somebody who does not speak gRPC.
    let request = call("/web", TEXT).header("X-Answer", "text/html");
    let response = gateway.send(request.body(text(b"page"))).await;
    assert_eq!(response.header("content-type"), Some("text/html"));
    assert_eq!(response.text(), "page");
    // A preflight is for a policy.
    let preflight = Request::new("OPTIONS", "/web").header("Origin", "https://a.example");
    let response = gateway.send(preflight).await;
    assert_eq!(response.header("content-type"), Some("none"));
}

#[tokio::test]
async fn a_connection_is_used_for_calls_and_other_requests() {
    let upstream = Http2Upstream::http(async |request| match request.method.as_str() {
        "GET" => Reply::ok("plain").header("content-type", "text/plain"),
        _ => Reply::chunked(&[&request.body], &[("grpc-status", "0")])
            .header("content-type", "application/grpc"),
    })
    .await;
    let gateway = translating(upstream.endpoint()).await;
    let mut wire = gateway.connect().await;
    for _ in 0..3 {
        let request = call("/echo.Echo/Unary", TEXT).body(text(&message("x")));
        let response = wire.exchange(&request).await;
        assert!(decoded(&response.body).ends_with(b"grpc-status: 0\r\n"));
        let response = wire.exchange(&Request::get("/plain")).await;
        assert_eq!(response.text(), "plain");
        let request = Request::post("/echo.Echo/Unary", "not base64");
        let response = wire.exchange(&request).await;
        assert_eq!(response.text(), "not base64");
    }
}

/// What is sent again are the bytes that the text stands for, and the rest of it goes on.
#[tokio::test]
async fn a_call_that_its_server_has_not_processed_is_sent_again() {
    let first = Arc::new(AtomicBool::new(true));
    let upstream = Http2Upstream::raw(move |mut stream: Http2Stream| {
        let is_first = first.swap(false, SeqCst);
        async move {
            if is_first {
                // The first message has arrived, the second has only begun.
                let _ = stream.data().await;
                stream.reset(7);
                return;
            }
            let request = stream.request().await.unwrap();
            let reply = Reply::chunked(&[&request.body], &[("grpc-status", "0")]);
            let reply = reply.header("content-type", "application/grpc");
            let _ = stream.reply(&reply).await;
        }
    })
    .await;
    let gateway = translating(upstream.endpoint()).await;
    let messages = [message("hello"), message("again")].concat();
    let sent = text(&messages);
    let (begin, rest) = sent.split_at(sent.len() / 2 + 1);
    let mut wire = gateway.connect().await;
    let request = call("/echo.Echo/Streams", TEXT).header("Transfer-Encoding", "chunked");
    wire.send(request.to_bytes()).await;
    wire.send(format!("{:x}\r\n{begin}\r\n", begin.len())).await;
    assert_eventually!(upstream.streams() == 2);
    wire.send(format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()))
        .await;
    let response = wire.receive("POST").await;
    let expected = [messages, trailers("grpc-status: 0\r\n")].concat();
    assert_eq!(decoded(&response.body), expected);
}

#[tokio::test]
async fn a_connection_is_kept_after_a_call_that_has_failed() {
    let gone = Vacant::refusing();
    let gateway = translating(gone.endpoint()).await;
    let mut wire = gateway.connect().await;
    for _ in 0..3 {
        let request = call("/echo.Echo/Unary", TEXT).body(text(&message("x")));
        let response = wire.exchange(&request).await;
        assert_eq!(response.header("grpc-status"), Some("14"));
    }
}
