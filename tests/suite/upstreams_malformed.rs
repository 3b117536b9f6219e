//! Upstreams whose responses are malformed or incomplete.

use std::collections::BTreeMap;
use std::sync::Arc;

use janua_tests::{Gateway, Proxy, ReadError, Reply, Request, Upstream, Visit, is_over_http2};
use tokio::sync::Notify;

#[tokio::test]
async fn bad_responses_are_502() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
        "y".repeat(4096)
    );
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(300));
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50);
    let (large, bad) = ("http_response_header_section_size", "http_protocol_error");
    let (large_word, bad_word) = ("response_head_too_large", "response_malformed");
    let table = [
        ("/long", long.as_str(), large, large_word),
        ("/many", &many, large, large_word),
        ("/garbage", "garbage\r\n\r\n", bad, bad_word),
        ("/http2", "HTTP/2.0 200 OK\r\n\r\n", bad, bad_word),
        ("/099", "HTTP/1.1 099 Low\r\n\r\n", bad, bad_word),
        (
            "/lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            bad,
            bad_word,
        ),
        (
            "/both",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/coding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/fold",
            "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/lf",
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            bad,
            bad_word,
        ),
        (
            "/nul",
            "HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/204-length",
            "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody",
            bad,
            bad_word,
        ),
        (
            "/204-chunked",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/coding-1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            bad,
            bad_word,
        ),
        // The head and the fault arrive together: nothing was sent to the
        // client yet.
        (
            "/chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
            bad,
            bad_word,
        ),
        (
            "/trailer",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n: x\r\n\r\n",
            bad,
            bad_word,
        ),
        ("/interim", &interim, bad, bad_word),
        (
            "/cut",
            "HTTP/1.1 200 OK\r\nContent-Le",
            "connection_terminated",
            "reset",
        ),
        ("/nothing", "", "connection_terminated", "reset"),
    ];
    let replies: BTreeMap<String, String> = table
        .iter()
        .map(|(path, reply, ..)| ((*path).to_owned(), (*reply).to_owned()))
        .collect();
    let upstream = Upstream::http(move |request| {
        std::future::ready(Reply::raw(replies[&request.target].clone()))
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).upstream("max_response_head = \"4KiB\"");
    let gateway = Gateway::start(config).await;
    for (path, _, error, word) in table {
        let response = gateway.get(path).await;
        assert_eq!(
            (response.status, response.proxy_error()),
            (502, Some(error)),
            "{path}"
        );
        assert_eq!(gateway.log_line(path).await["failure"], word, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_never_complete() {
    let table = [
        (
            "/length",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "response_incomplete",
        ),
        (
            "/chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            "response_incomplete",
        ),
        (
            "/end",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "response_incomplete",
        ),
    ];
    let upstream = Upstream::http(move |request| {
        let (_, reply, _) = table
            .iter()
            .find(|(path, ..)| *path == request.target)
            .unwrap();
        std::future::ready(Reply::raw(*reply))
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for (path, _, word) in table {
        for request in [Request::get(path), Request::get(path).http10()] {
            let mut wire = gateway.connect().await;
            wire.send(request.to_bytes()).await;
            let read = wire.try_receive("GET").await;
            // Without a length, the end of an HTTP/1.0 response is the end of
            // the connection, which must therefore not be closed properly.
            let error = read.map(|whole| whole.body).unwrap_err();
            assert!(matches!(error, ReadError::Incomplete(_)), "{path}: {error}");
        }
        assert_eq!(gateway.log_line(path).await["failure"], word, "{path}");
    }
}

/// A malformed chunk after the client has received the start of the response.
#[tokio::test]
async fn a_body_that_turns_bad_is_never_complete() {
    // HTTP/1.0; see `http2`.
    if is_over_http2() {
        return;
    }
    let has_begun = Arc::new(Notify::new());
    let at_client = Arc::clone(&has_begun);
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let has_begun = Arc::clone(&has_begun);
        async move {
            let _ = visit.request().await;
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
            let _ = visit.wire.try_send(head).await;
            has_begun.notified().await;
            let _ = visit.wire.try_send("zz\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for request in [Request::get("/bad"), Request::get("/bad").http10()] {
        let mut wire = gateway.connect().await;
        wire.send(request.to_bytes()).await;
        wire.take_until(b"abc").await.unwrap();
        at_client.notify_one();
        let rest = wire.take_rest().await;
        assert!(rest.is_err(), "ended in good order: {rest:?}");
    }
    assert_eq!(
        gateway.log_line("/bad").await["failure"],
        "response_malformed"
    );
}
