//! gRPC end to end: the four kinds of calls between clients and servers of HTTP/2, with messages
//! made by hand, and what a client gets if the gateway itself fails a call.

use std::time::Duration;

use janua_tests::{
    Gateway, Http2Call, Http2Client, Http2Stream, Http2Upstream, Proxy, Reply, Request, Response,
    Upstream, assert_eventually,
};

use crate::upstream_http2::HTTP2;

/// One message of gRPC.
fn message(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[0][..], &length, text.as_bytes()].concat()
}

/// A call of gRPC.
fn call(path: &str) -> Request {
    Request::new("POST", path)
        .header("Content-Type", "application/grpc+proto")
        .header("TE", "trailers")
}

/// A gateway between a client and a server of gRPC.
async fn between(config: Proxy) -> (Gateway, Http2Client) {
    let config = config.upstream(HTTP2).listener("http2 = true");
    let gateway = Gateway::start_one_worker(config).await;
    let client = gateway.http2().await;
    (gateway, client)
}

/// A server that answers each message with the same one, as it arrives.
async fn server() -> Http2Upstream {
    Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[("content-type", "application/grpc+proto")]);
        while let Ok(Some(bytes)) = stream.data().await {
            if stream.send(bytes).await.is_err() {
                return;
            }
        }
        let _ = stream.finish_with(&[("grpc-status", "0"), ("grpc-message", "fine")]);
    })
    .await
}

/// Reads exactly this.
async fn expect(call: &mut Http2Call, expected: &[u8]) {
    let mut came = Vec::new();
    while came.len() < expected.len() {
        came.extend(call.data().await.unwrap().expect("more comes"));
    }
    assert_eq!(came, expected);
}

fn status(response: &Response) -> (u16, Option<&str>) {
    (response.status, response.header("grpc-status"))
}

#[tokio::test]
async fn a_unary_call() {
    let upstream = Http2Upstream::http(async |request| {
        let sum = request.header("grpc-timeout").unwrap_or("none").to_owned();
        Reply::chunked(
            &[&request.body],
            &[("grpc-status", "0"), ("x-timeout", &sum)],
        )
        .header("content-type", "application/grpc+proto")
    })
    .await;
    let (_gateway, client) = between(Proxy::to(upstream.endpoint())).await;
    let request = call("/echo.Echo/Unary").header("grpc-timeout", "5S");
    for _ in 0..3 {
        let mut one = client.open(&request).await.unwrap();
        one.send(message("hello")).await.unwrap();
        one.finish().unwrap();
        let response = one.response().await;
        assert_eq!(response.body, message("hello"));
        let trailers = [("grpc-status", "0"), ("x-timeout", "5S")];
        let trailers = trailers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(response.trailers, trailers);
    }
    let received = &upstream.requests()[0];
    assert_eq!(received.target, "/echo.Echo/Unary");
    assert_eq!(received.header("te"), Some("trailers"));
    assert_eq!(
        received.header("content-type"),
        Some("application/grpc+proto")
    );
}

#[tokio::test]
async fn each_message_of_a_stream_is_passed_on_at_once() {
    let upstream = server().await;
    let (_gateway, client) = between(Proxy::to(upstream.endpoint())).await;
    let mut both = client.open(&call("/echo.Echo/Bidi")).await.unwrap();
    let head = both.head().await.unwrap();
    assert_eq!(head.status, 200);
    for n in 0..20 {
        let one = message(&format!("message {n}"));
        both.send(one.clone()).await.unwrap();
        expect(&mut both, &one).await;
    }
    both.finish().unwrap();
    assert_eq!(both.data().await.unwrap(), None);
    let trailers = both.trailers().await.unwrap();
    let expected = [("grpc-status", "0"), ("grpc-message", "fine")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(trailers, expected);
}

#[tokio::test]
async fn a_client_streams_and_a_server_streams() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let mut count = 0;
        while let Ok(Some(bytes)) = stream.data().await {
            count += bytes.len();
        }
        let _ = stream.respond(200, &[("content-type", "application/grpc")]);
        for _ in 0..100 {
            let _ = stream.send(message(&format!("{count}"))).await;
        }
        let _ = stream.finish_with(&[("grpc-status", "0")]);
    })
    .await;
    let (_gateway, client) = between(Proxy::to(upstream.endpoint())).await;
    let mut one = client.open(&call("/echo.Echo/Streams")).await.unwrap();
    for _ in 0..100 {
        one.send(message(&"x".repeat(995))).await.unwrap();
    }
    one.finish().unwrap();
    let response = one.response().await;
    assert_eq!(response.body, message("100000").repeat(100));
    assert_eq!(response.trailers[0].1, "0");
}

#[tokio::test]
async fn an_answer_of_trailers_alone_is_one_head() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let fields = [("content-type", "application/grpc"), ("grpc-status", "5")];
        let _ = stream.respond_only(200, &fields);
    })
    .await;
    let (_gateway, client) = between(Proxy::to(upstream.endpoint())).await;
    let mut one = client.open(&call("/echo.Echo/Unary")).await.unwrap();
    one.send(message("x")).await.unwrap();
    one.finish().unwrap();
    let response = one.response().await;
    assert_eq!(status(&response), (200, Some("5")));
    assert_eq!(response.framing, janua_tests::Framing::None);
}

#[tokio::test]
async fn a_failure_of_the_gateway_has_a_status_of_grpc() {
    let silent = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.cancelled().await;
    })
    .await;
    let config = Proxy::to(silent.endpoint())
        .route("path = \"/silent\"\nmax_body = \"1KiB\"")
        .also("/limited", "request_timeout = \"100ms\"")
        .also("/gone", "upstream = \"gone\"")
        .beside("gone", "127.0.0.1:1");
    let (gateway, client) = between(config).await;
    for (path, timeout, size, expected, words) in [
        ("/silent", "100m", 1, "4", "whole_timeout"),
        ("/limited", "50S", 1, "4", "whole_timeout"),
        ("/silent", "9S", 5000, "8", "request_body_too_large"),
        ("/gone", "9S", 1, "14", "refused"),
        ("/nowhere", "9S", 1, "12", "no_route"),
    ] {
        let request = call(path).header("grpc-timeout", timeout);
        let mut one = client.open(&request).await.unwrap();
        let _ = one.send(message(&"x".repeat(size))).await;
        let _ = one.finish();
        let response = one.response().await;
        assert_eq!(status(&response), (200, Some(expected)), "{path}");
        assert_eq!(response.header("content-type"), Some("application/grpc"));
        assert!(
            response
                .header("grpc-message")
                .is_some_and(|text| !text.is_empty())
        );
        assert!(response.proxy_error().is_some());
        assert_eq!(response.text(), "", "{path}");
        assert_eq!(response.trailers, []);
        assert!(gateway.log().iter().all(|line| line["status"] == 200));
        assert_eventually!(gateway.log().iter().any(|line| line["failure"] == words));
    }
}

#[tokio::test]
async fn what_others_answer_is_left_as_it_is() {
    let upstream = Http2Upstream::http(async |_| {
        Reply::new(404)
            .header("content-type", "text/html")
            .body("<p>no</p>")
    })
    .await;
    let (_gateway, client) = between(Proxy::to(upstream.endpoint())).await;
    let response = client.send(&call("/echo.Echo/Unary").body("")).await;
    assert_eq!(status(&response), (404, None));
    assert_eq!(response.text(), "<p>no</p>");
}

#[tokio::test]
async fn a_call_that_its_client_cancels_is_cancelled_at_the_server() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[("content-type", "application/grpc")]);
        assert_eq!(stream.cancelled().await, Some(8));
    })
    .await;
    let (_gateway, client) = between(Proxy::to(upstream.endpoint())).await;
    let mut one = client.open(&call("/echo.Echo/Bidi")).await.unwrap();
    one.head().await.unwrap();
    one.reset(8);
    assert_eventually!(upstream.in_progress() == 0);
    assert_eq!(upstream.streams(), 1);
}

/// Neither side can make the gateway hold more than its windows.
#[tokio::test]
async fn whoever_does_not_read_stops_the_other_side() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[("content-type", "application/grpc")]);
        if stream.head().target == "/reads-nothing" {
            let _ = stream.cancelled().await;
            return;
        }
        for _ in 0..1000 {
            if stream.send(vec![b'x'; 64 * 1024]).await.is_err() {
                return;
            }
        }
    })
    .await;
    let (gateway, client) =
        between(Proxy::to(upstream.endpoint()).route("max_body = \"1GiB\"")).await;
    let before = gateway.rss_kib();
    let mut reads = client.open(&call("/sends")).await.unwrap();
    reads.head().await.unwrap();
    let mut sends = client.open(&call("/reads-nothing")).await.unwrap();
    sends.head().await.unwrap();
    let sending = async {
        for _ in 0..1000 {
            sends.send(vec![b'x'; 64 * 1024]).await.unwrap();
        }
    };
    let blocked = tokio::time::timeout(Duration::from_secs(1), sending).await;
    assert!(blocked.is_err(), "64 MiB were taken that nobody reads");
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more");
}

/// A client of HTTP/1.1 cannot read trailers of gRPC without more ado, but it learns of a failure.
#[tokio::test]
async fn a_call_over_http1_fails_in_the_same_way() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint()).upstream(HTTP2)).await;
    let response = gateway.send(call("/echo.Echo/Unary").body("x")).await;
    assert_eq!(status(&response), (200, Some("14")));
    assert_eq!(response.header("content-length"), Some("0"));
}
