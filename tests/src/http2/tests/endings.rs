//! How connections and streams end at a wire that is adapted to HTTP/2.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use super::super::{Http2Stream, Http2Upstream, code};
use super::adapted;
use crate::assert_eventually;
use crate::message::{ReadError, Reply, Request};

/// A server that responds with `respond`, then waits until the stream is reset. The code of that
/// is added to 1000.
async fn waiting(respond: bool) -> (Http2Upstream, Arc<AtomicU32>) {
    let reset = Arc::new(AtomicU32::new(0));
    let upstream = Http2Upstream::raw({
        let reset = Arc::clone(&reset);
        move |mut stream: Http2Stream| {
            let reset = Arc::clone(&reset);
            async move {
                if respond {
                    stream.respond(200, &[]).unwrap();
                    stream.send("begun").await.unwrap();
                }
                let code = stream.cancelled().await;
                reset.store(code.map_or(1, |code| 1000 + code), SeqCst);
            }
        }
    })
    .await;
    (upstream, reset)
}

#[tokio::test]
async fn a_reset_before_the_head() {
    let upstream = Http2Upstream::raw(async |stream: Http2Stream| {
        stream.reset(code::REFUSED_STREAM);
    })
    .await;
    let mut wire = adapted(&upstream).await;
    wire.send(Request::get("/").to_bytes()).await;
    let read = wire.try_receive("GET").await;
    let Err(ReadError::Incomplete(why)) = read else {
        panic!("{read:?}");
    };
    assert!(why.contains("refused stream"), "{why}");
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_body() {
    for fields in [&[][..], &[("content-length", "100")]] {
        let upstream = Http2Upstream::raw(move |mut stream: Http2Stream| async move {
            stream.respond(200, fields).unwrap();
            stream.send("begun").await.unwrap();
            // Until the client has that: a reset overtakes what the server has queued.
            while stream.data().await.unwrap().is_some() {}
            stream.reset(code::INTERNAL_ERROR);
        })
        .await;
        let mut wire = adapted(&upstream).await;
        wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            .await;
        let head = wire.receive_head("POST").await.unwrap();
        wire.send("x").await;
        let read = wire.take_body(head.framing).await;
        assert!(matches!(read, Err(ReadError::Incomplete(_))), "{read:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_connection_while_idle_and_during_a_response() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let target = stream.request().await.unwrap().target;
        match target.as_str() {
            "/close" => {
                stream.respond(200, &[]).unwrap();
                stream.send("begun").await.unwrap();
                stream.close();
                std::future::pending::<()>().await;
            }
            _ => {
                stream.go_away();
                stream.reply(&Reply::ok("last")).await.unwrap();
            }
        }
    })
    .await;
    let mut wire = adapted(&upstream).await;
    assert_eq!(wire.exchange(&Request::get("/goaway")).await.text(), "last");
    assert_eq!(wire.take_rest().await.unwrap(), b"", "in good order");

    let mut wire = adapted(&upstream).await;
    wire.send(Request::get("/close").to_bytes()).await;
    let read = wire.try_receive("GET").await;
    assert!(matches!(read, Err(ReadError::Incomplete(_))), "{read:?}");
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn a_wire_that_is_dropped_cancels_the_stream() {
    for respond in [false, true] {
        let (upstream, reset) = waiting(respond).await;
        let mut wire = adapted(&upstream).await;
        wire.send(Request::get("/").to_bytes()).await;
        // What was sent arrives, even if the client goes away at once.
        drop(wire);
        assert_eventually!(reset.load(SeqCst) == 1000 + code::CANCEL, "{respond}");
        assert_eventually!(upstream.open() == 0);
    }
}

#[tokio::test]
async fn a_wire_that_is_dropped_within_a_body_cancels_the_stream() {
    let (upstream, reset) = waiting(false).await;
    let mut wire = adapted(&upstream).await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        .await;
    drop(wire);
    assert_eventually!(reset.load(SeqCst) == 1000 + code::CANCEL);
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn a_wire_that_is_reset_resets_the_connection() {
    let (upstream, reset) = waiting(true).await;
    let mut wire = adapted(&upstream).await;
    wire.send(Request::get("/").to_bytes()).await;
    wire.receive_head("GET").await.unwrap();
    wire.reset();
    assert_eventually!(upstream.open() == 0);
    assert_ne!(reset.load(SeqCst), 1000 + code::CANCEL);
}

#[tokio::test]
async fn a_half_closed_client_gets_its_response() {
    let upstream = Http2Upstream::http(async |request| {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Reply::ok(request.body)
    })
    .await;
    let mut wire = adapted(&upstream).await;
    wire.send(Request::post("/", "late").to_bytes()).await;
    wire.finish().await;
    assert_eq!(wire.receive("POST").await.text(), "late");
    assert_eq!(wire.take_rest().await.unwrap(), b"");
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn a_response_that_stops_the_upload() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        // To drop the rest of the request resets the stream with NO_ERROR.
        stream.reply(&Reply::new(413).body("no")).await.unwrap();
    })
    .await;
    let mut wire = adapted(&upstream).await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegun")
        .await;
    let response = wire.receive("POST").await;
    assert_eq!((response.status, response.text()), (413, "no"));
    assert_eq!(wire.take_rest().await.unwrap(), b"");

    // If the rest comes all the same, so may another request.
    let mut wire = adapted(&upstream).await;
    for _ in 0..2 {
        let response = wire.exchange(&Request::post("/", vec![0; 100_000])).await;
        assert_eq!((response.status, response.text()), (413, "no"));
    }
}

#[tokio::test]
async fn what_http2_does_not_have() {
    let upstream = Http2Upstream::echo().await;
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx",
    ] {
        let mut wire = adapted(&upstream).await;
        wire.send(request).await;
        let Err(ReadError::Incomplete(why)) = wire.try_receive("GET").await else {
            panic!("{request:?}");
        };
        assert!(why.contains("HTTP/2 has nothing like this"), "{why}");
    }
    assert_eq!(upstream.requests().len(), 0);
}
