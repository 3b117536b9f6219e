//! The client and the server.

use std::sync::Arc;

use h2::Reason;
use tokio::sync::Barrier;

use super::super::{Http2Client, Http2Habits, Http2Stream, Http2Upstream, code};
use super::{MIB, client};
use crate::message::{Framing, Reply, Request};
use crate::wire::Wire;
use crate::{assert_eventually, filler, filler_difference};

#[tokio::test]
async fn requests_and_responses() {
    let upstream = Http2Upstream::echo().await;
    let client = client(&upstream).await;
    let response = client.get("/a?b").await;
    assert_eq!(
        (response.version.as_str(), response.status),
        ("HTTP/2", 200)
    );
    let echo = response.json();
    assert_eq!(echo["target"], "/a?b");
    assert_eq!(echo["headers"][":authority"], "a.example");
    let response = client.send(&Request::post("/", "body")).await;
    assert_eq!(response.json()["body"], "body");
    let request = Request::new("POST", "/").chunked(&[b"abc"], &[("X-Sum", "1")]);
    let echo = client.send(&request).await.json();
    assert_eq!(
        (&echo["body"], &echo["trailers"][0][1]),
        (&"abc".into(), &"1".into())
    );
    assert_eq!((upstream.connections(), upstream.streams()), (1, 3));
}

#[tokio::test]
async fn large_bodies() {
    let upstream = Http2Upstream::http(async |request| Reply::ok(request.body)).await;
    let client = client(&upstream).await;
    let response = client.send(&Request::post("/", filler(0, MIB))).await;
    assert_eq!(response.framing, Framing::Length(MIB));
    assert_eq!(response.body.len(), MIB);
    assert_eq!(filler_difference(0, &response.body), None);
}

#[tokio::test]
async fn a_conversation() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        stream.interim(103, &[("link", "</a.css>")]).unwrap();
        stream.respond(200, &[]).unwrap();
        while let Some(bytes) = stream.data().await.unwrap() {
            stream.send(bytes).await.unwrap();
        }
        stream.finish_with(&[("x-sum", "1")]).unwrap();
    })
    .await;
    let client = client(&upstream).await;
    let mut call = client.open(&Request::new("POST", "/")).await.unwrap();
    let head = call.head().await.unwrap();
    assert_eq!((head.status, head.framing), (200, Framing::UntilClose));
    assert_eq!(head.interim[0].status, 103);
    for word in ["one", "two"] {
        call.send(word).await.unwrap();
        assert_eq!(call.data().await.unwrap().as_deref(), Some(word.as_bytes()));
    }
    call.finish().unwrap();
    assert_eq!(call.data().await.unwrap(), None);
    assert_eq!(call.trailers().await.unwrap()[0].1, "1");
}

#[tokio::test]
async fn many_requests_at_the_same_time() {
    const MANY: usize = 50;
    let all = Arc::new(Barrier::new(MANY));
    let upstream = Http2Upstream::http(move |request| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            Reply::ok(request.target)
        }
    })
    .await;
    let client = Arc::new(client(&upstream).await);
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..MANY {
        let client = Arc::clone(&client);
        asked.spawn(async move {
            let path = format!("/{n}");
            assert_eq!(client.get(&path).await.text(), path);
        });
    }
    asked.join_all().await;
    assert_eq!((upstream.connections(), upstream.most_at_once()), (1, MANY));
}

#[tokio::test]
async fn limits_of_the_server() {
    let habits = Http2Habits {
        streams: Some(2),
        window: Some(1000),
        ..Http2Habits::default()
    };
    let upstream = Http2Upstream::http_with(habits, async |request| {
        tokio::task::yield_now().await;
        Reply::ok(request.body)
    })
    .await;
    let client = client(&upstream).await;
    let request = Request::post("/", filler(0, 10_000));
    let send = async || client.send(&request).await.body.len();
    assert_eq!(send().await, 10_000);
    assert_eq!(client.most_streams(), 2);
    let sizes = tokio::join!(send(), send(), send(), send());
    assert_eq!(sizes, (10_000, 10_000, 10_000, 10_000));
    assert!(upstream.most_at_once() <= 2);
}

#[tokio::test]
async fn a_small_window_stops_the_server() {
    let upstream = Http2Upstream::always_filler().await;
    let wire = Wire::connect(upstream.address()).await;
    let client = Http2Client::with_window(wire, 100).await;
    let mut call = client.open(&Request::get("/")).await.unwrap();
    call.head().await.unwrap();
    let mut read = 0;
    while read < 1000 {
        let some = call.data().await.unwrap().expect("it does not end");
        assert!(some.len() <= 100, "{}", some.len());
        read += some.len();
    }
}

#[tokio::test]
async fn resets_in_both_directions() {
    let (tell, told) = tokio::sync::watch::channel(None);
    let upstream = Http2Upstream::raw(move |mut stream: Http2Stream| {
        let tell = tell.clone();
        async move {
            match stream.head().target.as_str() {
                "/reset" => stream.reset(code::ENHANCE_YOUR_CALM),
                _ => drop(tell.send_replace(stream.cancelled().await)),
            }
        }
    })
    .await;
    let client = client(&upstream).await;
    let error = client.try_send(&Request::get("/reset")).await.unwrap_err();
    assert!(error.is_reset() && error.is_remote(), "{error}");
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
    let call = client.open(&Request::new("POST", "/")).await.unwrap();
    call.reset(code::PROTOCOL_ERROR);
    assert_eventually!(*told.borrow() == Some(code::PROTOCOL_ERROR));
    drop(client.open(&Request::new("POST", "/")).await.unwrap());
    assert_eventually!(*told.borrow() == Some(code::CANCEL));
    assert_eventually!(upstream.in_progress() == 0);
    drop(client);
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn goaway_and_other_ends_of_a_connection() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        match stream.head().target.as_str() {
            "/goaway" => {
                stream.go_away();
                stream.reply(&Reply::ok("last")).await.unwrap();
            }
            "/abort" => stream.abort(code::INTERNAL_ERROR),
            "/close" => stream.close(),
            _ => stream.stall(),
        }
        std::future::pending::<()>().await;
    })
    .await;
    let first = client(&upstream).await;
    assert_eq!(first.get("/goaway").await.text(), "last");
    assert_eq!(first.ended().await, Ok(()));
    assert!(first.has_ended());
    assert!(first.try_send(&Request::get("/")).await.is_err());
    for path in ["/abort", "/close"] {
        let client = client(&upstream).await;
        assert!(
            client.try_send(&Request::get(path)).await.is_err(),
            "{path}"
        );
        assert_eq!(client.ended().await.is_err(), path == "/abort");
    }
    assert_eventually!(upstream.open() == 0);
    let stalled = client(&upstream).await;
    let _call = stalled.open(&Request::new("POST", "/stall")).await.unwrap();
    assert_eventually!(upstream.streams() == 4);
    assert!(!stalled.has_ended());
}

impl Http2Upstream {
    /// A response that never ends.
    async fn always_filler() -> Self {
        Self::raw(async |mut stream: Http2Stream| {
            stream.respond(200, &[]).unwrap();
            while stream.send(filler(0, 1000)).await.is_ok() {}
        })
        .await
    }
}
