//! Requests that wait while no endpoint can be reached: the restart of a service.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Http2Client, Http2Habits, Http2Upstream, Port, Proxy, Reply, Request, Settings,
    Upstream, Vacant, assert_eventually,
};

use crate::upstreams_balance::named_at;
use crate::upstreams_health::{FAST, Service};

/// Longer than the harness waits for anything.
const HOLD: &str = "hold = \"10m\"";

async fn held(gateway: &Gateway) -> f64 {
    gateway.metric("janua_upstream_held", &[]).await
}

/// How many have waited, and what for.
async fn waited(gateway: &Gateway, outcome: &str) -> f64 {
    let labels = [("outcome", outcome)];
    gateway.metric("janua_upstream_holds_total", &labels).await
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let port = Port::reserve();
    let upstream = named_at(&port, "back").await;
    let config = Proxy::to(port.endpoint()).upstream(HOLD);
    let gateway = Arc::new(Gateway::start(config).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let clients = (0..8).map(|n| {
        let (gateway, is_over) = (Arc::clone(&gateway), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut wire = gateway.connect().await;
            let mut count = 0;
            while !is_over.load(SeqCst) {
                let request = match n % 2 {
                    0 => Request::get("/"),
                    _ => Request::new("PUT", "/").body("put"),
                };
                let response = wire.exchange(&request).await;
                assert_eq!((response.status, response.text()), (200, "back"));
                count += 1;
            }
            count
        })
    });
    let clients: Vec<_> = clients.collect();
    assert_eventually!(upstream.request_count() > 100);
    upstream.stop().await;
    assert_eventually!(held(&gateway).await == 8.0);
    let upstream = named_at(&port, "back").await;
    assert_eventually!(upstream.request_count() > 100);
    is_over.store(true, SeqCst);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    gateway.settled().await;
    assert_eq!(gateway.metric("janua_failures_total", &[]).await, 0.0);
    assert!(waited(&gateway, "released").await >= 8.0);
    assert_eq!(held(&gateway).await, 0.0);
}

/// A request that was not sent yet waits whatever its method, also over HTTP/2.
#[tokio::test]
async fn requests_of_all_methods_wait() {
    let port = Port::reserve();
    let config = Proxy::to(port.endpoint())
        .listener("http2 = true")
        .upstream(HOLD);
    let gateway = Gateway::start_one_worker(config).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::post("/post", "pay").to_bytes()).await;
    let client = Http2Client::over(gateway.connect().await).await;
    let put = Request::new("PUT", "/put").body(vec![b'x'; 200_000]);
    let (response, upstream) = tokio::join!(client.send(&put), async {
        assert_eventually!(held(&gateway).await == 2.0);
        named_at(&port, "back").await
    });
    assert_eq!(response.status, 200);
    assert_eq!(wire.receive("POST").await.status, 200);
    assert_eq!(upstream.request_count(), 2);
    let mut sizes: Vec<_> = upstream.requests().iter().map(|it| it.body.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 200_000]);
}

#[tokio::test]
async fn what_waits_in_vain_gets_the_reason() {
    let vacant = Vacant::refusing();
    let config = Proxy::to(vacant.endpoint())
        .upstream("hold = \"500ms\"")
        .also("/dns", "upstream = \"nowhere\"\nhold = \"500ms\"")
        .also("/now", "hold = \"0s\"")
        .beside("nowhere", "nowhere.invalid:80");
    let gateway = Gateway::start_one_worker(config).await;
    for (path, error) in [("/", "connection_refused"), ("/dns", "dns_error")] {
        let begin = Instant::now();
        let response = gateway.get(path).await;
        assert_eq!(response.status, 502);
        assert_eq!(response.proxy_error(), Some(error));
        assert!(begin.elapsed() >= Duration::from_millis(500));
        let line = gateway.log_line(path).await;
        let notes = line["notes"].to_string();
        assert!(
            notes.contains("within 500ms") && notes.contains("hold"),
            "{line}"
        );
    }
    assert_eq!(gateway.get("/now").await.status, 502);
    assert_eq!(waited(&gateway, "expired").await, 2.0);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_wait() {
    let vacant = Vacant::refusing();
    let config = Proxy::to(vacant.endpoint())
        .listener("http2 = true")
        .upstream(HOLD);
    let gateway = Gateway::start(config).await;
    let mut wires = Vec::new();
    for _ in 0..4 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wires.push(wire);
    }
    assert_eventually!(held(&gateway).await == 4.0);
    for wire in wires {
        wire.reset();
    }
    assert_eventually!(held(&gateway).await == 0.0);
    assert_eventually!(waited(&gateway, "gone").await == 4.0);
    // A stream that is reset, and one whose connection ends.
    let client = gateway.http2().await;
    let reset = client.ask(&Request::get("/")).await.unwrap();
    assert_eventually!(held(&gateway).await == 1.0);
    reset.reset(8);
    assert_eventually!(held(&gateway).await == 0.0);
    assert_eventually!(waited(&gateway, "gone").await == 5.0);
    let lost = client.ask(&Request::get("/")).await.unwrap();
    assert_eventually!(held(&gateway).await == 1.0);
    drop((client, lost));
    assert_eventually!(held(&gateway).await == 0.0);
    assert_eventually!(waited(&gateway, "gone").await == 6.0);
}

/// The service comes back at another address, and a reload tells the gateway.
#[tokio::test]
async fn a_reload_in_the_middle_leads_elsewhere() {
    let vacant = Vacant::refusing();
    let moved = Upstream::always(Reply::ok("moved")).await;
    let mut gateway = Gateway::start(Proxy::to(vacant.endpoint()).upstream(HOLD)).await;
    let mut wires = Vec::new();
    for _ in 0..6 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wires.push(wire);
    }
    assert_eventually!(held(&gateway).await == 6.0);
    // One that changes nothing for the upstream leaves them where they are.
    let same = Proxy::to(vacant.endpoint()).upstream(HOLD).also("/new", "");
    gateway.reload(same).await;
    assert_eq!(held(&gateway).await, 6.0);
    gateway
        .reload(Proxy::to(moved.endpoint()).upstream(HOLD))
        .await;
    for wire in &mut wires {
        let response = wire.receive("GET").await;
        assert_eq!((response.status, response.text()), (200, "moved"));
    }
    assert_eq!(moved.request_count(), 6);
}

/// A gateway that stops does not wait for those that wait.
#[tokio::test]
async fn a_stop_ends_the_wait() {
    let vacant = Vacant::refusing();
    let config = Proxy::to(vacant.endpoint()).upstream(HOLD);
    let mut gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(held(&gateway).await == 1.0);
    gateway.stop().await;
}

/// A stale response at once is better than a fresh one after the wait.
#[tokio::test]
async fn what_the_cache_may_serve_instead_does_not_wait() {
    let reply = Reply::ok("once").header("Cache-Control", "max-age=0, stale-if-error=600");
    let upstream = Upstream::always(reply).await;
    let config = Proxy::to(upstream.endpoint())
        .upstream(HOLD)
        .route("cache = true");
    let gateway = Gateway::start_one_worker(config).await;
    assert_eq!(gateway.get("/").await.text(), "once");
    upstream.stop().await;
    let response = gateway.get("/").await;
    assert_eq!((response.status, response.text()), (200, "once"));
    assert_eq!(gateway.metric("janua_upstream_holds_total", &[]).await, 0.0);
}

/// The same over HTTP/2 to the upstream, whose connections are shared.
#[tokio::test]
async fn a_restart_loses_nothing_over_http2() {
    let port = Port::reserve();
    let serve = async || {
        let habits = Http2Habits {
            address: Some(port.address()),
            ..Http2Habits::default()
        };
        Http2Upstream::http_with(habits, async |_| Reply::ok("back")).await
    };
    let upstream = serve().await;
    let config = Proxy::to(port.endpoint()).upstream(&format!("{HOLD}\nhttp = \"2\""));
    let gateway = Arc::new(Gateway::start(config).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let clients = (0..4).map(|_| {
        let (gateway, is_over) = (Arc::clone(&gateway), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut wire = gateway.connect().await;
            while !is_over.load(SeqCst) {
                let response = wire.exchange(&Request::get("/")).await;
                assert_eq!((response.status, response.text()), (200, "back"));
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    assert_eventually!(upstream.requests().len() > 50);
    upstream.stop().await;
    assert_eventually!(held(&gateway).await == 4.0);
    let upstream = serve().await;
    assert_eventually!(upstream.requests().len() > 50);
    is_over.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_failures_total", &[]), 0.0);
}

/// Checks find that there is no endpoint, and they find that there is one again.
#[tokio::test]
async fn the_first_check_that_passes_ends_the_wait() {
    let service = Service::start("well").await;
    service.set(503);
    let config =
        Proxy::to(service.upstream.endpoint()).upstream(&format!("{HOLD}\nhealth = {{ {FAST} }}"));
    let gateway = Gateway::start(config).await;
    let mut wires = Vec::new();
    for request in [Request::get("/"), Request::post("/", "pay")] {
        let mut wire = gateway.connect().await;
        wire.send(request.to_bytes()).await;
        wires.push(wire);
    }
    assert_eventually!(held(&gateway).await == 2.0);
    assert_eq!(service.requests(), 0);
    service.set(200);
    for wire in &mut wires {
        let response = wire.receive("GET").await;
        assert_eq!((response.status, response.text()), (200, "well"));
    }
    assert_eq!(service.requests(), 2);
    assert_eventually!(waited(&gateway, "released").await == 2.0);
}

/// Who finds too many others in the line is answered at once.
#[tokio::test]
async fn the_line_has_a_limit() {
    let port = Port::reserve();
    let config =
        Proxy::to(port.endpoint()).upstream(&format!("{HOLD}\nlimits = {{ pending = 2 }}"));
    let gateway = Settings::new().workers(3).start(config).await;
    let mut wires = Vec::new();
    for _ in 0..2 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wires.push(wire);
    }
    assert_eventually!(held(&gateway).await == 2.0);
    for _ in 0..3 {
        let refused = gateway.get("/").await;
        assert_eq!(refused.status, 503);
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    // Those that meet the queue of their worker, and those that would begin one.
    let pending = [("limit", "pending")];
    let overloads = "janua_upstream_overloads_total";
    assert_eventually!(gateway.metric(overloads, &pending).await == 3.0);
    let _back = named_at(&port, "back").await;
    for wire in &mut wires {
        assert_eq!(wire.receive("GET").await.text(), "back");
    }
}
