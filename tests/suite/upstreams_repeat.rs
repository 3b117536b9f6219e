//! Requests that are repeated at another endpoint because the connection was
//! lost before the response, and those that must not be.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Proxy, Received, Reply, Request, Upstream, Visit, assert_eventually};

use crate::upstreams_balance::named;

/// Failures eject no endpoint, so that the failing ones get requests again and
/// again.
const NEVER_HELD_BACK: &str = "passive_health = { max_fails = 0 }";

/// Reads a request and closes the connection.
async fn closes() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_accepts_and_closes_costs_no_idempotent_request() {
    let reads = closes().await;
    // Closing with the request unread causes a reset.
    let accepts = Upstream::raw(async |_| {}).await;
    let alive = named("alive").await;
    let config = Proxy::to(reads.endpoint())
        .and(accepts.endpoint())
        .and(alive.endpoint())
        .upstream(NEVER_HELD_BACK);
    let gateway = Gateway::start_one_worker(config).await;
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        for n in 0..12 {
            let response = gateway.send(Request::new(method, "/")).await;
            assert_eq!(response.status, 200, "{method} {n}");
        }
    }
    assert_eq!(alive.request_count(), 60);
    assert!(reads.request_count() > 0 && accepts.connections() > 0);
    gateway.settled().await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_failures_total", &[]), 0.0);
    let labels = [("endpoint", &*reads.endpoint()), ("kind", "reset")];
    assert_eq!(
        metrics.sum("janua_upstream_failures_total", &labels),
        f64::from(u32::try_from(reads.request_count()).unwrap()),
        "each is told to the endpoint's health"
    );
    assert!(metrics.sum("janua_upstream_retries_total", &[]) > 0.0);
}

/// One of three endpoints is killed while requests are in flight to it, over
/// reused and new connections.
#[tokio::test]
async fn an_endpoint_that_is_killed_costs_no_request() {
    let hangs = Arc::new(AtomicBool::new(false));
    let killed = Upstream::http({
        let hangs = Arc::clone(&hangs);
        move |_: Received| {
            let hangs = Arc::clone(&hangs);
            async move {
                if hangs.load(SeqCst) {
                    std::future::pending::<()>().await;
                }
                Reply::ok("killed")
            }
        }
    })
    .await;
    let (one, two) = (named("alive").await, named("alive").await);
    let config = Proxy::to(killed.endpoint())
        .and(one.endpoint())
        .and(two.endpoint())
        .upstream(NEVER_HELD_BACK);
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..6 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    hangs.store(true, SeqCst);
    let before = killed.request_count();
    let mut waiting = Vec::new();
    for _ in 0..30 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        waiting.push(wire);
    }
    assert_eventually!(killed.request_count() + one.request_count() + two.request_count() == 36);
    assert!(killed.request_count() > before);
    killed.stop().await;
    for wire in &mut waiting {
        let response = wire.receive("GET").await;
        assert_eq!((response.status, response.text()), (200, "alive"));
    }
}

/// A request that may have been carried out is never repeated.
#[tokio::test]
async fn a_request_that_may_have_been_carried_out_is_sent_once() {
    let (one, two, three) = (closes().await, closes().await, closes().await);
    let config = Proxy::to(one.endpoint())
        .and(two.endpoint())
        .and(three.endpoint())
        .upstream(NEVER_HELD_BACK);
    let gateway = Gateway::start_one_worker(config).await;
    let sent = || one.request_count() + two.request_count() + three.request_count();
    for request in [
        Request::post("/", "pay"),
        Request::new("POST", "/"),
        Request::new("PATCH", "/"),
        // Idempotent, but too large to be kept.
        Request::new("PUT", "/").body(vec![b'x'; 100_000]),
    ] {
        let before = sent();
        let response = gateway.send(request.clone()).await;
        assert_eq!(response.status, 502, "{request:?}");
        assert_eq!(response.proxy_error(), Some("connection_terminated"));
        assert_eq!(sent() - before, 1, "{request:?}");
    }
}

/// Each endpoint is tried once, and the client gets the reason.
#[tokio::test]
async fn if_all_close_it_is_502() {
    let (one, two, three) = (closes().await, closes().await, closes().await);
    let to_all = Proxy::to(one.endpoint())
        .and(two.endpoint())
        .and(three.endpoint());
    let config = to_all.upstream(NEVER_HELD_BACK).also("/two", "retries = 1");
    let gateway = Gateway::start_one_worker(config).await;
    let counts = || [&one, &two, &three].map(Upstream::request_count);
    let response = gateway.get("/all").await;
    assert_eq!(response.status, 502);
    assert_eq!(
        response.header("proxy-status"),
        Some("janua; error=connection_terminated")
    );
    assert_eq!(gateway.log_line("/all").await["failure"], "reset");
    assert_eq!(counts(), [1, 1, 1]);
    assert_eq!(gateway.get("/two").await.status, 502);
    assert_eq!(counts().iter().sum::<usize>(), 5, "one retry, as it says");
}
