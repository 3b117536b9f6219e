//! Upstreams that send bytes after a complete response: the next request on that
//! connection would get them as its response, and every later one would be off
//! by one.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream, Visit, assert_eventually};

const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

/// How long a connection rests after a response without its content, plus a
/// margin for delays of this machine, which the tests are not about.
const LATEST: Duration = Duration::from_millis(60);

/// Answers everything with its target. For a `HEAD` and for `/304` it sends only
/// a head, and a complete response after `gap`.
async fn late(gap: Duration, poisoned: Arc<AtomicUsize>) -> Upstream {
    Upstream::raw(move |mut visit: Visit| {
        let poisoned = Arc::clone(&poisoned);
        async move {
            while let Ok(request) = visit.request().await {
                let reply = if request.target == "/304" {
                    Reply::new(304).header("Content-Length", "9")
                } else {
                    Reply::ok(request.target.clone())
                };
                let is_cut_short = request.method == "HEAD" || request.target == "/304";
                let answered = Instant::now();
                visit.wire.send(reply.to_bytes(&request.method)).await;
                if !is_cut_short {
                    continue;
                }
                if !gap.is_zero() {
                    tokio::time::sleep(gap).await;
                }
                if answered.elapsed() > LATEST {
                    return;
                }
                if visit.wire.try_send(POISON).await.is_ok() {
                    poisoned.fetch_add(1, SeqCst);
                }
            }
        }
    })
    .await
}

/// Several clients, some of which pipeline: none gets unsolicited bytes,
/// whatever the gap.
#[tokio::test]
async fn a_late_body_of_a_bodiless_response_reaches_no_client() {
    for (gap, route) in [
        (0, ""),
        (1, ""),
        (5, ""),
        (5, "cache = true"),
        (20, ""),
        (50, ""),
    ] {
        for cut_short in [Request::new("HEAD", "/head"), Request::get("/304")] {
            let poisoned = Arc::new(AtomicUsize::new(0));
            let upstream = late(Duration::from_millis(gap), Arc::clone(&poisoned)).await;
            let config = Proxy::to(upstream.endpoint()).route(route);
            let gateway = Gateway::start_one_worker(config).await;
            let mut clients = tokio::task::JoinSet::new();
            for client in 0..8 {
                let mut wire = gateway.connect().await;
                let cut_short = cut_short.clone();
                clients.spawn(async move {
                    for n in 0..12 {
                        let victim = Request::get(&format!("/{client}-{n}"));
                        let both = [cut_short.to_bytes(), victim.to_bytes()].concat();
                        wire.send(both).await;
                        wire.receive(cut_short.method()).await;
                        let response = wire.receive("GET").await;
                        assert_eq!(response.text(), format!("/{client}-{n}"), "gap {gap}");
                        tokio::time::sleep(Duration::from_millis(n)).await;
                    }
                });
            }
            while let Some(client) = clients.join_next().await {
                client.unwrap();
            }
            // On a busy machine there may be none in time at the longest gap.
            let sent = poisoned.load(SeqCst);
            assert!(sent > 0 || gap == 50, "gap {gap}: nothing was sent");
        }
    }
}

/// Bytes that have arrived when the connection is about to be reused are
/// detected, counted and logged, and from then on each request gets a new
/// connection.
#[tokio::test]
async fn an_endpoint_that_sends_unasked_is_not_pooled_any_more() {
    let poisoned = Arc::new(AtomicUsize::new(0));
    let sent = Arc::clone(&poisoned);
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let poisoned = Arc::clone(&sent);
        async move {
            while let Ok(request) = visit.request().await {
                visit
                    .wire
                    .send(Reply::ok(request.target.clone()).to_bytes("GET"))
                    .await;
                if request.target == "/more" && visit.wire.try_send(POISON).await.is_ok() {
                    poisoned.fetch_add(1, SeqCst);
                }
            }
        }
    })
    .await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    assert_eq!(gateway.get("/before").await.text(), "/before");
    assert_eq!(gateway.get("/more").await.text(), "/more");
    assert_eventually!(poisoned.load(SeqCst) == 1);
    assert_eq!(upstream.connections(), 1);
    for n in 0..3 {
        let path = format!("/after-{n}");
        assert_eq!(gateway.get(&path).await.text(), path);
        assert_eq!(upstream.connections(), 2 + n);
    }
    let app = [("upstream", "app"), ("endpoint", &*upstream.endpoint())];
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_upstream_unsolicited_total", &app), 1.0);
    let warnings = gateway.says("behind a complete response").await;
    assert_eq!(
        warnings.matches("behind a complete response").count(),
        1,
        "{warnings}"
    );
}

/// Some servers send it when they close an idle connection (RFC 9110, section
/// 15.5.9).
#[tokio::test]
async fn a_408_on_an_idle_connection_causes_no_distrust() {
    let said = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&said);
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let said = Arc::clone(&counter);
        async move {
            if visit.request().await.is_ok() {
                visit.wire.send(Reply::ok("x").to_bytes("GET")).await;
                let bye = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                visit.wire.send(bye).await;
                said.fetch_add(1, SeqCst);
            }
        }
    })
    .await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    for n in 1..=5 {
        assert_eq!(gateway.get("/").await.status, 200);
        assert_eventually!(said.load(SeqCst) == n);
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_upstream_unsolicited_total", &[]), 0.0);
}
