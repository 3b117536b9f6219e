//! HTTP/2 with clients: what has no counterpart in HTTP/1.1, or is different there.

use std::time::Duration;

use janua_tests::{
    Frame, Frames, Gateway, Http2Client, Proxy, Reply, Request, Upstream, Visit, assert_eventually,
    code, flag, kind, setting,
};

use crate::websocket::ACCEPT;

/// A gateway that speaks HTTP/2 in cleartext, with further lines for its listener.
async fn gateway(upstream: &Upstream, listener: &str) -> Gateway {
    Gateway::start(config(upstream, listener)).await
}

fn config(upstream: &Upstream, listener: &str) -> Proxy {
    Proxy::to(upstream.endpoint())
        .listener(&format!("http2 = true\n{listener}"))
        .also("/here", "respond = { status = 200, body = \"here\" }")
}

async fn client(gateway: &Gateway) -> Http2Client {
    Http2Client::over(gateway.connect().await).await
}

/// A connection on which the settings of both sides have been exchanged.
async fn frames(gateway: &Gateway) -> Frames {
    let mut frames = Frames::over(gateway.connect().await);
    frames.open().await;
    frames.settle().await;
    frames
}

#[tokio::test]
async fn both_versions_on_one_listener() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, "").await;
    assert_eq!(client(&gateway).await.get("/two").await.status, 200);
    assert_eq!(gateway.get("/one").await.status, 200);
    for (path, version) in [("/two", "2"), ("/one", "1.1")] {
        assert_eq!(gateway.log_line(path).await["http_version"], version);
    }
    // The preface arrives in parts.
    let mut slow = gateway.connect().await;
    for part in ["PRI * HTT", "P/2.0\r\n\r\nS", "M\r\n\r\n"] {
        slow.send(part).await;
        assert!(slow.is_silent_for(Duration::from_millis(20)).await || part.ends_with("\r\n\r\n"));
    }
    let settings = Frames::over(slow).next_frame().await.unwrap();
    assert_eq!(settings.kind, kind::SETTINGS);
    // What begins like it and is something else is HTTP/1.1.
    let mut other = gateway.connect().await;
    other
        .send("PRI * HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await;
    assert_eq!(other.receive("PRI").await.status, 400);
}

#[tokio::test]
async fn http2_can_be_turned_off() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(wire.receive("PRI").await.status, 505);
}

#[tokio::test]
async fn many_requests_at_once() {
    let (upstream, release) = Upstream::held().await;
    let gateway = gateway(&upstream, "").await;
    let client = client(&gateway).await;
    let mut calls = Vec::new();
    for number in 0..50 {
        let request = Request::get(&format!("/{number}"));
        calls.push(client.open(&request).await.unwrap());
    }
    for call in &mut calls {
        call.finish().unwrap();
    }
    assert_eventually!(upstream.request_count() == 50);
    // One that needs no upstream is not behind the others.
    assert_eq!(client.get("/here").await.text(), "here");
    release.send_replace(true);
    for call in &mut calls {
        assert_eq!(call.response().await.status, 200);
    }
}

/// Streams over the limit are refused, which tells the client that it may repeat them.
#[tokio::test]
async fn streams_over_the_limit() {
    let (upstream, release) = Upstream::held().await;
    let limit = "http2 = { max_concurrent_streams = 2 }";
    let config = Proxy::to(upstream.endpoint()).listener(limit);
    let gateway = Gateway::start(config).await;
    let mut frames = Frames::over(gateway.connect().await);
    frames.open().await;
    let settings = frames.settle().await;
    assert_eq!(settings.setting(setting::MAX_CONCURRENT_STREAMS), Some(2));
    let requests = [1, 3, 5].map(|stream| Frame::get(stream, "/"));
    frames.send_all(&requests).await;
    frames.expect_reset(5, code::REFUSED_STREAM).await;
    release.send_replace(true);
    for _ in 0..2 {
        let ends = |frame: &Frame| frame.has(flag::END_STREAM);
        frames.expect("the end of a response", ends).await;
    }
    frames.send(&Frame::get(7, "/")).await;
    assert_eq!(frames.expect_status(7).await, 200);
    assert_eq!(upstream.request_count(), 3);
}

/// An upstream that answers nothing, and waits until it is left.
pub(crate) async fn waiting() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        if visit.request().await.is_ok() {
            let _ = visit.wire.take_rest().await;
        }
    })
    .await
}

/// A client that cancels a request does not keep the upstream busy.
#[tokio::test]
async fn a_request_that_is_cancelled() {
    let upstream = waiting().await;
    let gateway = gateway(&upstream, "").await;
    let client = client(&gateway).await;
    let mut call = client.open(&Request::get("/wait")).await.unwrap();
    call.finish().unwrap();
    assert_eventually!(upstream.open() == 1);
    call.reset(code::CANCEL);
    assert_eventually!(upstream.open() == 0);
    assert_eq!(gateway.log_line("/wait").await["status"], 499);
    assert_eq!(client.get("/here").await.status, 200);
}

/// A client whose connection ends does not either.
#[tokio::test]
async fn a_connection_that_ends() {
    let upstream = waiting().await;
    let gateway = gateway(&upstream, "").await;
    let client = client(&gateway).await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let mut call = client.open(&Request::get("/wait")).await.unwrap();
        call.finish().unwrap();
        calls.push(call);
    }
    assert_eventually!(upstream.open() == 3);
    drop(client);
    assert_eventually!(upstream.open() == 0);
    assert_eventually!(gateway.status().await["connections"] == 0);
}

/// An incomplete response is a reset stream, and the other streams notice nothing.
#[tokio::test]
async fn an_upstream_that_breaks_off() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        if visit.request().await.is_ok() {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
            visit.wire.send(format!("{head}only this")).await;
        }
    })
    .await;
    let gateway = gateway(&upstream, "").await;
    let client = client(&gateway).await;
    let failed = client.try_send(&Request::get("/cut")).await.unwrap_err();
    assert_eq!(failed.reason().map(u32::from), Some(code::INTERNAL_ERROR));
    assert_eq!(client.get("/here").await.status, 200);
}

/// A response that comes before the request is complete is no error, and what follows of the request
/// does no harm.
#[tokio::test]
async fn a_response_before_the_end_of_the_request() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, "").await;
    let client = client(&gateway).await;
    let request = Request::post("/here", vec![b'x'; 300_000]);
    assert_eq!(client.send(&request).await.text(), "here");
    let request = Request::post("/", vec![b'x'; 2_000_000]);
    assert_eq!(client.send(&request).await.status, 413);
    assert_eq!(client.get("/here").await.status, 200);
}

/// A WebSocket (RFC 8441), which is one of HTTP/1.1 for the upstream.
#[tokio::test]
async fn a_websocket() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let Ok(request) = visit.request().await else {
            return;
        };
        if request.target != "/socket" {
            visit.wire.send(Reply::ok("no").to_bytes("GET")).await;
            return;
        }
        visit.wire.send(ACCEPT).await;
        visit.wire.echo().await;
    })
    .await;
    let gateway = gateway(&upstream, "").await;
    let mut frames = Frames::over(gateway.connect().await);
    frames.open().await;
    let settings = frames.settle().await;
    assert_eq!(settings.setting(setting::ENABLE_CONNECT_PROTOCOL), Some(1));
    let connect = |path| {
        let [_, scheme, authority, _] = Frame::request("CONNECT", path);
        [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            scheme,
            authority,
            (":path", path),
            ("sec-websocket-version", "13"),
        ]
    };
    frames.send(&Frame::headers(1, &connect("/socket"))).await;
    assert_eq!(frames.expect_status(1).await, 200);
    for message in ["hello", "again"] {
        frames.send(&Frame::data(1, message)).await;
        let is_data = |frame: &Frame| frame.kind == kind::DATA && frame.stream == 1;
        let data = frames.expect("the echo", is_data).await;
        assert_eq!(data.payload, message.as_bytes());
    }
    frames.send(&Frame::data(1, "").end_stream()).await;
    let ends = |frame: &Frame| frame.stream == 1 && frame.has(flag::END_STREAM);
    frames.expect("the end", ends).await;
    let request = upstream.requests().remove(0);
    assert_eq!(request.method, "GET");
    assert_eq!(request.header("upgrade"), Some("websocket"));
    let key = request.header("sec-websocket-key").unwrap();
    assert_eq!(key.len(), 24, "{key}");
    // A success without the protocol is none: the client would take it for the beginning of it.
    frames.send(&Frame::headers(3, &connect("/plain"))).await;
    assert_eq!(frames.expect_status(3).await, 502);
}

/// The first GOAWAY lets requests that are on their way arrive; the second comes with the answer to
/// the PING. Requests in progress are finished.
#[tokio::test]
async fn stopping_and_removed_listeners() {
    let (upstream, release) = Upstream::held().await;
    let mut gateway = gateway(&upstream, "").await;
    let mut frames = frames(&gateway).await;
    frames.send(&Frame::get(1, "/before")).await;
    assert_eventually!(upstream.request_count() == 1);
    let elsewhere = config(&upstream, "").to_string();
    let elsewhere = elsewhere.replace("[listeners.public]", "[listeners.other]");
    gateway.reload(elsewhere).await;
    let first = frames.expect_goaway(code::NO_ERROR).await;
    assert_eq!(first.last_stream(), Some(0x7fff_ffff));
    let is_ping = |frame: &Frame| frame.kind == kind::PING;
    let ping = frames.expect("PING", is_ping).await;
    // Sent before the client has seen GOAWAY. The listener is gone, so that nobody can serve it.
    frames.send(&Frame::get(3, "/late")).await;
    frames.expect_reset(3, code::REFUSED_STREAM).await;
    let pong = Frame::new(kind::PING, flag::ACK, 0, ping.payload);
    frames.send(&pong).await;
    let second = frames.expect_goaway(code::NO_ERROR).await;
    assert_eq!(second.last_stream(), Some(3));
    release.send_replace(true);
    assert_eq!(frames.expect_status(1).await, 200);
    frames.expect_end().await;

    let mut frames = self::frames(&gateway).await;
    frames.send(&Frame::get(1, "/")).await;
    assert_eq!(frames.expect_status(1).await, 200);
    gateway.signal(rustix::process::Signal::TERM);
    frames.expect_goaway(code::NO_ERROR).await;
    frames.expect_end().await;
    assert_eq!(gateway.ended().await, Some(0));
}

/// Idle connections, old ones and those that had enough requests are asked to end.
#[tokio::test]
async fn the_end_of_a_connection() {
    let upstream = Upstream::echo().await;
    for (lines, requests) in [
        ("idle_timeout = \"1s\"", 1),
        ("max_connection_age = \"1s\"", 1),
        ("max_requests = 3", 3),
        ("head_timeout = \"1s\"", 0),
    ] {
        let gateway = gateway(&upstream, lines).await;
        let mut frames = frames(&gateway).await;
        for number in 0..requests {
            let stream = 2 * number + 1;
            frames.send(&Frame::get(stream, "/here")).await;
            assert_eq!(frames.expect_status(stream).await, 200, "{lines}");
        }
        frames.expect_goaway(code::NO_ERROR).await;
        frames.expect_end().await;
    }
}

/// A stream whose client does not read does not hold up the others, and is given up in the end.
#[tokio::test]
async fn a_window_that_stays_closed() {
    let upstream = Upstream::always(Reply::ok(vec![b'x'; 200_000])).await;
    let config = Proxy::to(upstream.endpoint())
        .listener("http2 = { stall_timeout = \"1s\" }\nmin_rate = false")
        .also("/here", "respond = { status = 200, body = \"here\" }");
    let gateway = Gateway::start(config).await;
    let mut frames = frames(&gateway).await;
    frames.send(&Frame::get(1, "/large")).await;
    assert_eq!(frames.expect_status(1).await, 200);
    let update = Frame::window_update(0, 1 << 20);
    frames.send_all(&[update, Frame::get(3, "/here")]).await;
    assert_eq!(frames.expect_status(3).await, 200);
    frames.expect_reset(1, code::ENHANCE_YOUR_CALM).await;
    frames.send(&Frame::get(5, "/here")).await;
    assert_eq!(frames.expect_status(5).await, 200);
}

/// A client that reads nothing from its socket loses the connection.
#[tokio::test]
async fn a_socket_that_is_not_read() {
    let upstream = Upstream::always(Reply::ok(vec![b'x'; 32 << 20])).await;
    let config = Proxy::to(upstream.endpoint())
        .listener("http2 = { stall_timeout = \"1s\" }\nmin_rate = false");
    let gateway = Gateway::start(config).await;
    let wire = gateway.connect().await;
    wire.set_receive_buffer(4096);
    let mut frames = Frames::over(wire);
    frames
        .open_with(&[(setting::INITIAL_WINDOW_SIZE, 1 << 30)])
        .await;
    let update = Frame::window_update(0, 1 << 30);
    frames.send_all(&[update, Frame::get(1, "/large")]).await;
    assert_eventually!(gateway.status().await["connections"] == 1);
    assert_eventually!(gateway.status().await["connections"] == 0);
    assert_eventually!(upstream.open() == 0);
}
