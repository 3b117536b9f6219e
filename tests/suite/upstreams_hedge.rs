//! Requests that are sent to a second endpoint because the first is late.

use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Http2Stream, Http2Upstream, Proxy, Reply, Request, Upstream, assert_eventually,
};

use crate::upstreams_balance::named;

const HEDGE: &str = "hedge = \"100ms\"\npassive_health = { max_fails = 0 }";

#[tokio::test]
async fn a_late_endpoint_is_overtaken() {
    let (late, fast) = (Upstream::silent().await, named("fast").await);
    let config = Proxy::to(late.endpoint())
        .and(fast.endpoint())
        .upstream(HEDGE);
    let gateway = Gateway::start_one_worker(config).await;
    let won = [("upstream", "app"), ("outcome", "won")];
    let won = async || gateway.metric("janua_upstream_hedges_total", &won).await;
    let begin = Instant::now();
    assert_eventually!({
        let response = gateway.get("/").await;
        assert_eq!((response.status, response.text()), (200, "fast"));
        won().await >= 4.0
    });
    assert!(begin.elapsed() >= Duration::from_millis(100 * 4));
    // On a busy machine the other one may be late too.
    let overtaken = f64::from(u32::try_from(late.connections()).unwrap());
    assert!(overtaken >= won().await, "{overtaken}");
    assert_eventually!(late.open() == 0, "what was overtaken is given up");
    gateway.settled().await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_endpoint_in_flight", &[]), 0.0);
    assert_eq!(metrics.sum("janua_failures_total", &[]), 0.0);
}

#[tokio::test]
async fn a_stream_that_is_overtaken_is_reset() {
    let late = Http2Upstream::raw(|mut stream: Http2Stream| async move {
        let _ = stream.request().await;
        // CANCEL
        assert_eq!(stream.cancelled().await, Some(8));
        let _ = stream.finish();
    })
    .await;
    let fast = Http2Upstream::http(async |_| Reply::ok("fast")).await;
    let config = Proxy::to(late.endpoint())
        .and(fast.endpoint())
        .upstream(&format!("{HEDGE}\nhttp = \"2\""));
    let gateway = Gateway::start_one_worker(config).await;
    assert_eventually!({
        assert_eq!(gateway.get("/").await.status, 200);
        late.streams() >= 2
    });
    assert_eventually!(late.in_progress() == 0);
    assert_eq!(late.open(), 1, "the connection is kept");
}

#[tokio::test]
async fn what_changes_something_is_sent_once() {
    let slow = async || {
        Upstream::http(async |request| {
            // Longer than the first request is waited for, or until it is given up.
            match request.target.as_str() {
                "/held" => std::future::pending().await,
                _ => tokio::time::sleep(Duration::from_millis(300)).await,
            }
            Reply::ok("slow")
        })
        .await
    };
    let (slow, other) = (slow().await, slow().await);
    let config = Proxy::to(slow.endpoint())
        .and(other.endpoint())
        .upstream(HEDGE)
        .also("/never", "hedge = false");
    let gateway = Gateway::start_one_worker(config).await;
    let sent = || slow.request_count() + other.request_count();
    let requests = [
        Request::post("/", "pay"),
        Request::new("POST", "/"),
        Request::new("PUT", "/").body("put"),
        Request::new("DELETE", "/"),
        Request::get("/never"),
    ];
    for (n, request) in requests.into_iter().enumerate() {
        assert_eq!(gateway.send(request).await.status, 200);
        assert_eq!(sent(), n + 1);
    }
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/held").to_bytes()).await;
    assert_eventually!(sent() == 7, "a GET is sent twice");
}

/// If all are slow, few requests are doubled.
#[tokio::test]
async fn an_upstream_that_is_slow_as_a_whole_is_not_given_twice_as_much() {
    let slow = async || {
        Upstream::http(async |_| {
            tokio::time::sleep(Duration::from_millis(150)).await;
            Reply::ok("slow")
        })
        .await
    };
    let (one, two) = (slow().await, slow().await);
    let config = Proxy::to(one.endpoint())
        .and(two.endpoint())
        .upstream("hedge = \"10ms\"\nretries = { budget = \"10%\" }");
    let gateway = Gateway::start(config).await;
    let begin = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(gateway.connect().await);
    }
    let clients = clients.into_iter().map(|mut wire| {
        tokio::spawn(async move {
            for _ in 0..25 {
                assert_eq!(wire.exchange(&Request::get("/")).await.status, 200);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let metrics = gateway.metrics().await;
    let doubled = metrics.sum("janua_upstream_hedges_total", &[]);
    // All of them are late: a tenth, and besides two hundred in ten seconds.
    let periods = begin.elapsed().as_secs_f64() / 10.0;
    assert!(doubled >= 200.0, "{doubled}");
    assert!(doubled <= 200.0 * (periods + 1.0) + 100.0, "{doubled}");
}

/// With a share instead of a time, the time is learnt from the requests that came before. Until
/// there are enough of them, none is doubled.
#[tokio::test]
async fn what_most_requests_take_decides_what_is_late() {
    let sometimes = Upstream::http(async |request| {
        if request.target == "/held" {
            std::future::pending::<()>().await;
        }
        Reply::ok("sometimes")
    })
    .await;
    let always = named("always").await;
    let config = Proxy::to(sometimes.endpoint())
        .and(always.endpoint())
        .upstream("hedge = \"p95\"\npassive_health = { max_fails = 0 }");
    let gateway = Gateway::start_one_worker(config).await;
    let doubled = async || gateway.metric("janua_upstream_hedges_total", &[]).await;
    let held = || {
        let requests = sometimes.requests();
        requests.iter().filter(|it| it.target == "/held").count()
    };
    let mut wire = gateway.connect().await;
    for asked in 1.. {
        wire = gateway.connect().await;
        wire.send(Request::get("/held").to_bytes()).await;
        assert_eventually!(held() == 1 || always.request_count() == asked);
        if held() == 1 {
            break;
        }
    }
    assert!(wire.is_silent_for(Duration::from_millis(300)).await);
    assert_eq!(doubled().await, 0.0, "nothing is known yet");
    wire.reset();
    assert_eventually!({
        for _ in 0..150 {
            assert_eq!(gateway.get("/").await.status, 200);
        }
        let response = gateway.get("/held").await;
        assert_eq!((response.status, response.text()), (200, "always"));
        held() > 1 && doubled().await > 0.0
    });
}
