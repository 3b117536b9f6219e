//! Idle connections to an upstream: kept, reused, and found closed.

use std::time::Duration;

use janua_tests::{Gateway, Habits, Proxy, Reply, Request, Upstream, Visit, assert_eventually};

#[tokio::test]
async fn connections_are_kept() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for _ in 0..50 {
        gateway.get("/").await;
    }
    assert_eq!(upstream.connections(), 1);
    let metrics = gateway.metrics().await;
    let app = [("upstream", "app")];
    assert_eq!(
        metrics.sum("janua_upstream_connections_opened_total", &app),
        1.0
    );
    assert_eq!(
        metrics.sum("janua_upstream_connections_reused_total", &app),
        49.0
    );
}

#[tokio::test]
async fn no_more_are_kept_than_configured() {
    let (upstream, release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint()).upstream("keepalive = 2");
    let gateway = Gateway::start_one_worker(config).await;
    let mut wires = Vec::new();
    for _ in 0..6 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wires.push(wire);
    }
    assert_eventually!(upstream.request_count() == 6);
    release.send(true).unwrap();
    for wire in &mut wires {
        wire.receive("GET").await;
    }
    assert_eq!(upstream.connections(), 6);
    assert_eventually!(upstream.open() == 2, "{} are kept", upstream.open());
}

#[tokio::test]
async fn none_are_kept_if_told_so() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).upstream("keepalive = 0");
    let gateway = Gateway::start(config).await;
    for _ in 0..3 {
        gateway.get("/").await;
    }
    assert_eq!(upstream.connections(), 3);
    assert_eventually!(upstream.open() == 0);
}

/// The best-known cause of random 502s: the upstream closes an idle connection
/// just when a request is sent on it.
#[tokio::test]
async fn an_upstream_that_closes_after_each_response_costs_no_request() {
    let habits = Habits {
        requests: 1,
        ..Habits::default()
    };
    let upstream = Upstream::http_with(habits, async |_| Reply::ok("x")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    for n in 0..500 {
        let response = wire.exchange(&Request::get("/")).await;
        assert_eq!(response.status, 200, "request {n}: {}", response.text());
    }
    assert_eq!(upstream.request_count(), 500);
}

/// The upstream reads the request and closes without a response, so the close
/// cannot be noticed before sending.
#[tokio::test]
async fn a_kept_connection_that_dies_is_replaced_for_get() {
    let upstream = dies_when_reused().await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for n in 0..200 {
        let response = gateway.get("/").await;
        assert_eq!(response.status, 200, "request {n}: {}", response.text());
    }
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.sum("janua_upstream_retries_total", &[("upstream", "app")]),
        199.0
    );
    assert_eq!(metrics.sum("janua_failures_total", &[]), 0.0);
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let upstream = dies_when_reused().await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for request in [
        Request::post("/", "pay"),
        Request::new("POST", "/"),
        Request::new("PATCH", "/"),
        // Idempotent, but too large to be kept.
        Request::new("PUT", "/").body(vec![b'x'; 100_000]),
    ] {
        assert_eq!(gateway.get("/").await.status, 200);
        let before = upstream.request_count();
        let response = gateway.send(request.clone()).await;
        assert_eq!(response.status, 502, "{request:?}");
        assert_eq!(response.proxy_error(), Some("connection_terminated"));
        assert_eq!(upstream.request_count() - before, 1, "{request:?}");
        // The upstream probably closed it because it was idle: this is not a
        // failure.
        let status = gateway.status().await;
        let endpoint = &status["upstreams"][0]["endpoints"][0];
        assert_eq!(endpoint["health"], "up", "{request:?}");
    }
}

/// Answers the first request of a connection; reads the second and closes.
async fn dies_when_reused() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        if visit.request().await.is_ok() {
            visit.wire.send(Reply::ok("x").to_bytes("GET")).await;
            let _ = visit.request().await;
        }
    })
    .await
}

/// A new connection that is closed was not idle: the upstream may have crashed
/// because of this very request.
#[tokio::test]
async fn a_fresh_connection_that_dies_is_502() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 502);
    assert_eq!(response.proxy_error(), Some("connection_terminated"));
    assert_eq!(upstream.request_count(), 1);
    assert_eq!(gateway.log_line("/").await["failure"], "reset");
}

#[tokio::test]
async fn an_upstreams_keep_alive_timeout_is_honoured() {
    // With a margin of one second, a timeout of one second leaves nothing.
    let reply = Reply::ok("x").header("Keep-Alive", "timeout=1, max=100");
    let upstream = Upstream::always(reply).await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.status, 200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(upstream.connections(), 3);

    let reply = Reply::ok("x").header("Keep-Alive", "timeout=60");
    let upstream = Upstream::always(reply).await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).upstream("keepalive_timeout = \"1s\"");
    let gateway = Gateway::start(config).await;
    gateway.get("/").await;
    assert_eq!(upstream.connections(), 1);
    assert_eventually!(
        upstream.open() == 0,
        "nobody asks, and it is closed all the same"
    );
}

#[tokio::test]
async fn bytes_after_a_response_close_the_connection() {
    // A second response that belongs to no request must not answer the next
    // request.
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            let mut bytes = Reply::ok("right").to_bytes("GET");
            bytes.extend(Reply::ok("wrong").to_bytes("GET"));
            visit.wire.send(bytes).await;
        }
    })
    .await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "right");
    }
}
