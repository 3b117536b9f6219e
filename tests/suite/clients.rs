//! Slow, misbehaving and disconnecting clients.

use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Proxy, Reply, Request, Settings, Upstream, Visit, Wire, assert_eventually,
};

async fn assert_nothing_leaks(gateway: &Gateway) {
    assert_eventually!(gateway.status().await["in_flight"] == 0);
    assert_eventually!(gateway.status().await["connections"] == 0);
    let metrics = gateway.metrics().await;
    for gauge in [
        "janua_requests_in_flight",
        "janua_connections",
        "janua_endpoint_in_flight",
    ] {
        assert_eq!(metrics.sum(gauge, &[]), 0.0, "{gauge}");
    }
}

#[tokio::test]
async fn a_slow_head_is_408() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).listener("head_timeout = \"1500ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    let begin = Instant::now();
    // Occasional bytes do not extend the time limit.
    wire.send("GET / HTTP/1.1\r\nHost: a\r\nX: ").await;
    while begin.elapsed() < Duration::from_millis(2500) {
        if wire.try_send("y").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let response = wire.receive("GET").await;
    assert_eq!(response.status, 408);
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let config = Proxy::to("127.0.0.1:9").listener("head_timeout = \"300ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    assert_eq!(
        wire.take_rest().await.unwrap(),
        b"",
        "there is nothing to answer"
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).listener("idle_timeout = \"1500ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    for _ in 0..2 {
        assert_eq!(wire.exchange(&Request::get("/")).await.status, 200);
        assert!(wire.is_silent_for(Duration::from_millis(100)).await);
    }
    assert_eq!(wire.take_rest().await.unwrap(), b"");
    assert_nothing_leaks(&gateway).await;
}

#[tokio::test]
async fn a_slow_body_is_408() {
    let upstream = Upstream::silent().await;
    let config = Proxy::to(upstream.endpoint()).upstream("response_head_timeout = \"500ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        .await;
    let response = wire.receive("POST").await;
    assert_eq!(response.status, 408);
    assert_eq!(gateway.log_line("/").await["failure"], "request_timeout");
    assert_eventually!(upstream.open() == 0);
}

/// A body that arrives slowly but steadily is not a failure.
#[tokio::test]
async fn a_steady_body_may_take_its_time() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).upstream("response_head_timeout = \"1500ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        .await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        wire.send("x").await;
    }
    assert_eq!(wire.receive("POST").await.status, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_sends() {
    let upstream = Upstream::silent().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for (n, reset) in [(1, false), (2, true)] {
        let mut wire = gateway.connect().await;
        wire.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
            .await;
        assert_eventually!(upstream.connections() == n && upstream.open() == 1);
        if reset {
            wire.reset();
        } else {
            drop(wire);
        }
        assert_eventually!(upstream.open() == 0, "reset: {reset}");
    }
    assert_nothing_leaks(&gateway).await;
    let line = gateway.log_line("/up").await;
    assert_eq!(
        (&line["failure"], &line["status"]),
        (&"client_gone".into(), &499.into())
    );
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_waits() {
    let upstream = Upstream::silent().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/wait").to_bytes()).await;
    assert_eventually!(upstream.open() == 1);
    wire.reset();
    assert_eventually!(upstream.open() == 0);
    assert_nothing_leaks(&gateway).await;
    assert_eq!(gateway.log_line("/wait").await["failure"], "client_gone");
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_receives() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let _ = visit.wire.try_send("HTTP/1.1 200 OK\r\n\r\n").await;
        while visit.wire.try_send(vec![b'x'; 10_000]).await.is_ok() {}
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/down").to_bytes()).await;
    wire.receive_head("GET").await.unwrap();
    wire.take(100_000).await.unwrap();
    drop(wire);
    assert_eventually!(upstream.open() == 0);
    assert_nothing_leaks(&gateway).await;
    let line = gateway.log_line("/down").await;
    assert_eq!(
        (&line["failure"], &line["status"]),
        (&"client_gone".into(), &200.into())
    );
    assert!(line["bytes_out"].as_u64().unwrap() >= 100_000);
}

#[tokio::test]
async fn a_half_closed_client_gets_its_answer() {
    let upstream = Upstream::http(async |_| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Reply::ok("late")
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for request in [Request::get("/"), Request::post("/", "body")] {
        let mut wire = gateway.connect().await;
        wire.send(request.to_bytes()).await;
        wire.finish().await;
        assert_eq!(wire.receive("GET").await.text(), "late");
        assert!(wire.is_closed().await);
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_head() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send("GET / HT").await;
    wire.finish().await;
    let left = wire.take_rest().await;
    assert_eq!(
        left.unwrap_or_default(),
        b"",
        "nobody is there to be answered"
    );
    drop(gateway.connect().await);
    assert_nothing_leaks(&gateway).await;
    assert_eq!(upstream.connections(), 0);
}

/// An upstream whose response never ends, and a client that has read its head
/// and does not read on.
async fn unread() -> (Upstream, Gateway, Wire) {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let _ = visit.wire.try_send("HTTP/1.1 200 OK\r\n\r\n").await;
        while visit.wire.try_send(vec![b'x'; 10_000]).await.is_ok() {}
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("idle_timeout = \"500ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.set_receive_buffer(4096);
    wire.send(Request::get("/").to_bytes()).await;
    wire.receive_head("GET").await.unwrap();
    (upstream, gateway, wire)
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_given_up() {
    let (upstream, gateway, wire) = unread().await;
    assert_eventually!(upstream.open() == 0);
    assert_eq!(gateway.log_line("/").await["failure"], "client_gone");
    drop(wire);
    assert_nothing_leaks(&gateway).await;
}

/// Bytes of further requests are no sign that a response is being read.
#[tokio::test]
async fn a_reader_that_stops_reading_but_goes_on_sending_is_given_up() {
    let (upstream, gateway, mut wire) = unread().await;
    let begin = Instant::now();
    while upstream.open() > 0 && begin.elapsed() < Duration::from_secs(10) {
        let _ = wire.try_send("G").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(upstream.open(), 0);
    drop(wire);
    assert_nothing_leaks(&gateway).await;
}

#[tokio::test]
async fn a_thousand_idle_connections() {
    let upstream = Upstream::echo().await;
    let gateway = Settings::new()
        .open_files(4096)
        .start(Proxy::to(upstream.endpoint()))
        .await;
    gateway.get("/").await;
    let before = gateway.rss_kib();
    let mut wires: Vec<Wire> = Vec::new();
    for _ in 0..1000 {
        let mut wire = gateway.connect().await;
        assert_eq!(wire.exchange(&Request::get("/")).await.status, 200);
        wires.push(wire);
    }
    assert_eq!(gateway.status().await["connections"], 1000);
    let grown = gateway.rss_kib().saturating_sub(before);
    // The allocator takes memory in steps of some MiB; a buffer for each would
    // need 16 more.
    assert!(
        grown < 14 * 1024,
        "{grown} KiB for a thousand idle connections"
    );
    // All connections are still usable.
    for wire in wires.iter_mut().rev().step_by(50) {
        assert_eq!(wire.exchange(&Request::get("/")).await.status, 200);
    }
    drop(wires);
    assert_nothing_leaks(&gateway).await;
}

/// Without descriptors no new client is accepted. Connected clients are still
/// served through to the upstream, even all at once, and waiting clients are
/// accepted when others leave.
#[tokio::test]
async fn running_out_of_descriptors_stops_new_clients_only() {
    let (upstream, release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint()).upstream("keepalive = 0");
    let settings = Settings::new().workers(1).open_files(128);
    let gateway = settings.start(config).await;
    let mut wires = Vec::new();
    for _ in 0..160 {
        wires.push(gateway.connect().await);
    }
    let warned = || {
        gateway
            .messages()
            .matches("no file descriptors left")
            .count()
    };
    assert_eventually!(warned() == 1);
    // The first clients are connected. Each of their requests needs another
    // descriptor.
    for wire in &mut wires[..12] {
        wire.send(Request::get("/").to_bytes()).await;
    }
    assert_eventually!(upstream.request_count() == 12);
    release.send(true).unwrap();
    for wire in &mut wires[..12] {
        assert_eq!(wire.receive("GET").await.text(), "at last");
    }
    for wire in &mut wires[12..40] {
        assert_eq!(wire.exchange(&Request::get("/")).await.text(), "at last");
    }
    let mut last = wires.pop().unwrap();
    last.send(Request::get("/").to_bytes()).await;
    // While nobody leaves, this client has to wait.
    let mut first = wires.remove(0);
    assert_eq!(first.exchange(&Request::get("/")).await.status, 200);
    let before = upstream.request_count();
    wires.truncate(60);
    assert_eq!(last.receive("GET").await.text(), "at last");
    assert_eq!(upstream.request_count(), before + 1);
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(warned(), 1, "{}", gateway.messages());
    let failures = gateway.metric("janua_failures_total", &[]).await;
    assert!(failures < 1.0, "{failures}");
}

#[tokio::test]
async fn the_most_connections_of_a_listener() {
    let config = Proxy::to("127.0.0.1:9").listener("max_connections = 3");
    let gateway = Gateway::start(config).await;
    let mut held = Vec::new();
    for n in 1..=3 {
        held.push(gateway.connect().await);
        assert_eventually!(gateway.status().await["connections"] == n);
    }
    let mut refused = gateway.connect().await;
    assert!(refused.is_closed().await);
    let reason = [("reason", "limit")];
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_connections_refused_total", &reason), 1.0);
    assert!(gateway.connect().await.is_closed().await);
    let told = || gateway.messages().matches("`max_connections`").count();
    assert_eventually!(told() > 0);
    assert_eq!(told(), 1, "one message for many connections");
    held.pop();
    assert_eventually!(gateway.status().await["connections"] == 2);
    let mut wire = gateway.connect().await;
    assert!(wire.is_silent_for(Duration::from_millis(200)).await);
}
