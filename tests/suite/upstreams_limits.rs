//! How much of an upstream may be used at once, over all workers and reloads.

use std::time::Duration;

use janua_tests::{
    Gateway, Http2Habits, Http2Upstream, Proxy, Reply, Request, Settings, Upstream, Vacant, Visit,
    Wire, assert_eventually,
};

use crate::upstream_http2::join_all;

/// How much is in use of what a limit can be set for.
async fn in_use(gateway: &Gateway, limit: &str) -> f64 {
    let labels = [("upstream", "app"), ("limit", limit)];
    gateway.metric("janua_upstream_in_use", &labels).await
}

async fn overloads(gateway: &Gateway, limit: &str) -> f64 {
    let labels = [("upstream", "app"), ("limit", limit)];
    gateway
        .metric("janua_upstream_overloads_total", &labels)
        .await
}

/// Sends requests that are not answered yet, one over each connection.
async fn begin(gateway: &Gateway, count: usize) -> Vec<Wire> {
    let mut wires = Vec::new();
    for _ in 0..count {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wires.push(wire);
    }
    wires
}

#[tokio::test]
async fn requests_beyond_the_limit_are_answered_at_once() {
    let (upstream, release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint()).upstream("limits = { requests = 3 }");
    let gateway = Settings::new().workers(4).start(config).await;
    let wires = begin(&gateway, 3).await;
    assert_eventually!(upstream.request_count() == 3);
    let response = gateway.get("/over").await;
    assert_eq!(response.status, 503);
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.proxy_error(), Some("connection_limit_reached"));
    let line = gateway.log_line("/over").await;
    assert_eq!(line["failure"], "overloaded");
    assert_eq!(overloads(&gateway, "requests").await, 1.0);
    assert_eq!(in_use(&gateway, "requests").await, 3.0);
    let status = gateway.status().await;
    let limits = status["upstreams"][0]["limits"].as_array().unwrap().clone();
    let requests = limits.iter().find(|limit| limit["name"] == "requests");
    assert_eq!(requests.unwrap()["limit"], 3);
    assert_eq!(requests.unwrap()["in_use"], 3);
    release.send(true).unwrap();
    for mut wire in wires {
        assert_eq!(wire.receive("GET").await.text(), "at last");
    }
    assert_eventually!(in_use(&gateway, "requests").await == 0.0);
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(
        upstream.request_count(),
        4,
        "it has never seen the refused one"
    );
}

/// A client that waits for `100 Continue` does not have to send its body in vain.
#[tokio::test]
async fn an_overload_is_answered_before_the_body_is_sent() {
    let (upstream, _release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint()).upstream("limits = { requests = 1 }");
    let gateway = Gateway::start_one_worker(config).await;
    let _held = begin(&gateway, 1).await;
    assert_eventually!(upstream.request_count() == 1);
    let mut wire = gateway.connect().await;
    wire.send(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\nExpect: 100-continue\r\n\r\n",
    )
    .await;
    let response = wire.receive("POST").await;
    assert_eq!(response.status, 503);
    assert!(response.interim.is_empty());
}

#[tokio::test]
async fn clients_that_go_away_give_their_places_back() {
    let upstream = Upstream::silent().await;
    let config = Proxy::to(upstream.endpoint()).upstream("limits = { requests = 4 }");
    let gateway = Settings::new().workers(2).start(config).await;
    for _ in 0..5 {
        let wires = begin(&gateway, 4).await;
        assert_eventually!(in_use(&gateway, "requests").await == 4.0);
        assert_eq!(gateway.get("/").await.status, 503);
        for wire in wires {
            wire.reset();
        }
        assert_eventually!(in_use(&gateway, "requests").await == 0.0);
    }
}

#[tokio::test]
async fn what_is_in_use_still_counts_after_a_reload() {
    let (upstream, release) = Upstream::held().await;
    let config = |limits: &str| Proxy::to(upstream.endpoint()).upstream(limits);
    let mut gateway = Settings::new().workers(2).start(config("")).await;
    let wires = begin(&gateway, 3).await;
    assert_eventually!(upstream.request_count() == 3);
    gateway.reload(config("limits = { requests = 3 }")).await;
    assert_eq!(gateway.get("/").await.status, 503);
    gateway.reload(config("limits = { requests = 4 }")).await;
    let more = begin(&gateway, 1).await;
    assert_eventually!(upstream.request_count() == 4);
    gateway.reload(config("limits = { requests = 2 }")).await;
    assert_eq!(gateway.get("/").await.status, 503);
    release.send(true).unwrap();
    for mut wire in wires.into_iter().chain(more) {
        assert_eq!(wire.receive("GET").await.status, 200);
    }
    assert_eventually!(in_use(&gateway, "requests").await == 0.0);
    assert_eq!(gateway.get("/").await.status, 200);
}

/// A WebSocket takes a place for as long as it lasts, also over reloads; it has been answered, so
/// that the adaptive limit does not count it.
#[tokio::test]
async fn a_tunnel_counts_until_it_ends() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let _ = visit
            .wire
            .try_send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            )
            .await;
        visit.wire.echo().await;
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .upstream("limits = { requests = 1, adaptive = { min = 1, max = 1 } }");
    let mut gateway = Gateway::start_one_worker(config.clone()).await;
    let mut tunnel = gateway.connect().await;
    tunnel
        .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        .await;
    assert_eq!(tunnel.receive_head("GET").await.unwrap().status, 101);
    assert_eventually!(in_use(&gateway, "adaptive").await == 0.0);
    assert_eq!(gateway.get("/").await.status, 503);
    gateway.reload(config.route("access_log = false")).await;
    assert_eq!(gateway.get("/").await.status, 503);
    tunnel.send("still there").await;
    assert_eq!(tunnel.take(11).await.unwrap(), b"still there");
    assert_eq!(in_use(&gateway, "requests").await, 1.0);
    assert_eq!(in_use(&gateway, "connections").await, 1.0);
    drop(tunnel);
    assert_eventually!(in_use(&gateway, "requests").await == 0.0);
    assert_eventually!(in_use(&gateway, "connections").await == 0.0);
}

/// A request that finds all connections in use waits for one, and gets it.
#[tokio::test]
async fn requests_wait_for_a_connection() {
    for workers in [1, 3] {
        let upstream = Upstream::http(async |_| {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Reply::ok("done")
        })
        .await;
        let config = Proxy::to(upstream.endpoint()).upstream("limits = { connections = 2 }");
        let gateway = Settings::new().workers(workers).start(config).await;
        let each = (0..60).map(|_| gateway.get("/"));
        for response in join_all(each).await {
            assert_eq!(response.status, 200, "{}", response.text());
        }
        assert_eq!(upstream.request_count(), 60);
        // The endpoint learns a little later that one was closed.
        assert_eventually!(upstream.open() <= 2, "{}", upstream.open());
        assert_eq!(in_use(&gateway, "pending").await, 0.0);
        assert!(in_use(&gateway, "connections").await <= 2.0);
    }
}

#[tokio::test]
async fn the_number_of_those_who_wait_is_limited_too_and_so_is_their_time() {
    let (upstream, release) = Upstream::held().await;
    let config = |timeout: &str| {
        let limits = "limits = { connections = 1, pending = 2 }";
        let lines = format!("{limits}\nconnect_timeout = \"{timeout}\"");
        Proxy::to(upstream.endpoint()).upstream(&lines)
    };
    let mut gateway = Settings::new().workers(2).start(config("1h")).await;
    let mut wires = begin(&gateway, 1).await;
    assert_eventually!(upstream.request_count() == 1);
    let waiting = begin(&gateway, 2).await;
    assert_eventually!(in_use(&gateway, "pending").await == 2.0);
    assert_eq!(gateway.get("/").await.status, 503);
    assert_eq!(overloads(&gateway, "pending").await, 1.0);
    for wire in waiting {
        wire.reset();
    }
    assert_eventually!(in_use(&gateway, "pending").await == 0.0);
    gateway.reload(config("300ms")).await;
    for mut wire in begin(&gateway, 2).await {
        let response = wire.receive("GET").await;
        assert_eq!(response.status, 503, "after `connect_timeout`");
    }
    assert_eq!(overloads(&gateway, "connections").await, 2.0);
    assert_eventually!(in_use(&gateway, "pending").await == 0.0);
    release.send(true).unwrap();
    assert_eq!(wires[0].receive("GET").await.text(), "at last");
    assert_eq!(upstream.connections(), 1);
}

/// A client that goes away while it waits leaves the line to the others.
#[tokio::test]
async fn who_goes_away_while_waiting_leaves_the_line() {
    let (upstream, release) = Upstream::held().await;
    let config = Proxy::to(upstream.endpoint())
        .upstream("limits = { connections = 1 }\nconnect_timeout = \"60s\"");
    let gateway = Settings::new().workers(2).start(config).await;
    let mut first = begin(&gateway, 1).await;
    assert_eventually!(upstream.request_count() == 1);
    let leaving = begin(&gateway, 3).await;
    assert_eventually!(in_use(&gateway, "pending").await == 3.0);
    let mut staying = begin(&gateway, 1).await;
    assert_eventually!(in_use(&gateway, "pending").await == 4.0);
    for wire in leaving {
        wire.reset();
    }
    assert_eventually!(in_use(&gateway, "pending").await == 1.0);
    release.send(true).unwrap();
    assert_eq!(first[0].receive("GET").await.status, 200);
    assert_eq!(staying[0].receive("GET").await.status, 200);
}

/// Idle connections, also of other workers and to other endpoints, are closed for a request that
/// needs another.
#[tokio::test]
async fn idle_connections_are_closed_first() {
    let names = ["one", "two", "three"];
    let mut upstreams = Vec::new();
    for name in names {
        upstreams.push(Upstream::always(Reply::ok(name)).await);
    }
    let config = Proxy::to(upstreams[0].endpoint())
        .and(upstreams[1].endpoint())
        .and(upstreams[2].endpoint())
        .upstream("limits = { connections = 2 }\nconnect_timeout = \"10s\"");
    let gateway = Settings::new().workers(3).start(config).await;
    for _ in 0..40 {
        assert_eq!(gateway.get("/").await.status, 200);
        assert!(in_use(&gateway, "connections").await <= 2.0);
        // The endpoint learns a little later that one was closed.
        assert_eventually!(upstreams.iter().map(Upstream::open).sum::<usize>() <= 2);
    }
    assert!(
        upstreams
            .iter()
            .all(|upstream| upstream.request_count() > 0)
    );
}

#[tokio::test]
async fn streams_of_http2_wait_for_a_connection_too() {
    let habits = Http2Habits {
        streams: Some(2),
        ..Http2Habits::default()
    };
    let upstream = Http2Upstream::http_with(habits, async |_| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Reply::ok("x")
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .upstream("http = \"2\"\nlimits = { connections = 1, requests = 50 }");
    let gateway = Gateway::start_one_worker(config).await;
    let each = (0..30).map(|_| gateway.get("/"));
    for response in join_all(each).await {
        assert_eq!(response.status, 200, "{}", response.text());
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(in_use(&gateway, "connections").await, 1.0);
    assert_eventually!(in_use(&gateway, "requests").await == 0.0);
}

/// Somebody who asks for something that is not stored does not keep others from what is.
#[tokio::test]
async fn an_overload_serves_what_is_stored_and_stale() {
    let upstream = Upstream::http(async |request| {
        if request.target == "/slow" {
            std::future::pending::<()>().await;
        }
        Reply::ok("stored").header("Cache-Control", "max-age=0, stale-if-error=3600")
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .upstream("limits = { requests = 1 }")
        .route("cache = true");
    let gateway = Gateway::start_one_worker(config).await;
    assert_eq!(gateway.get("/page").await.text(), "stored");
    assert_eventually!(in_use(&gateway, "requests").await == 0.0);
    let mut slow = gateway.connect().await;
    slow.send(Request::get("/slow").to_bytes()).await;
    assert_eventually!(in_use(&gateway, "requests").await == 1.0);
    let response = gateway.get("/page").await;
    assert_eq!((response.status, response.text()), (200, "stored"));
    let response = gateway.get("/other").await;
    assert_eq!(response.status, 503);
    assert_eq!(response.header("retry-after"), Some("1"));
}

/// The adaptive limit keeps the latency of an upstream that answers one request at a time, while
/// it refuses what that cannot do.
#[tokio::test]
async fn an_adaptive_limit_keeps_the_queue_short() {
    let turn = std::sync::Arc::new(tokio::sync::Semaphore::new(2));
    let upstream = Upstream::http(move |_| {
        let turn = std::sync::Arc::clone(&turn);
        async move {
            let _turn = turn.acquire().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            Reply::ok("x")
        }
    })
    .await;
    let config =
        Proxy::to(upstream.endpoint()).upstream("limits = { adaptive = { min = 2, max = 200 } }");
    let gateway = Gateway::start_one_worker(config).await;
    let labels = [("upstream", "app"), ("limit", "adaptive")];
    let limit = async || gateway.metric("janua_upstream_limit", &labels).await;
    assert_eq!(limit().await, 20.0, "at first");
    // It answers 200 a second, and 40 clients ask it as often as they can.
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let ask = async || {
        let mut wire = gateway.connect().await;
        while !is_done.load(std::sync::atomic::Ordering::SeqCst) {
            let status = wire.exchange(&Request::get("/")).await.status;
            assert!(matches!(status, 200 | 503), "{status}");
            if status == 503 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let watch = async || {
        assert_eventually!(limit().await < 12.0, "{}", limit().await);
        is_done.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    tokio::join!(join_all((0..40).map(|_| ask())), watch());
    assert!(overloads(&gateway, "adaptive").await > 0.0);
    assert_eventually!(in_use(&gateway, "adaptive").await == 0.0);
}

/// Whatever happens to requests, in the end nothing is counted that is not there.
#[tokio::test]
async fn after_chaos_nothing_is_in_use() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while let Ok(request) = visit.request().await {
            match visit.number % 5 {
                0 => return visit.wire.reset_on_drop(),
                1 => std::future::pending::<()>().await,
                2 => {
                    let part = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart";
                    let _ = visit.wire.try_send(part).await;
                    return;
                }
                3 => {
                    let _ = visit.wire.try_send("nonsense\r\n\r\n").await;
                    return;
                }
                _ => {
                    let bytes = Reply::ok("well").to_bytes(&request.method);
                    let _ = visit.wire.try_send(bytes).await;
                }
            }
        }
    })
    .await;
    let limits = "limits = { requests = 8, pending = 8, connections = 6, adaptive = true }";
    let refusing = Vacant::refusing();
    let config = Proxy::to(upstream.endpoint())
        .and(refusing.endpoint())
        .upstream(&format!(
            "{limits}\nkeepalive = 1\nkeepalive_timeout = \"1s\"\n\
             connect_timeout = \"500ms\"\nresponse_head_timeout = \"500ms\"\noutliers = true"
        ));
    let mut gateway = Settings::new().workers(3).start(config.clone()).await;
    for round in 0..4 {
        let each = (0..30).map(|number| {
            let gateway = &gateway;
            async move {
                let mut wire = gateway.connect().await;
                wire.send(Request::get("/").to_bytes()).await;
                match number % 3 {
                    0 => wire.reset(),
                    _ => {
                        let _ = wire.try_receive("GET").await;
                    }
                }
            }
        });
        join_all(each).await;
        let other = config.clone().route("access_log = false");
        gateway
            .reload(if round % 2 == 0 {
                other
            } else {
                config.clone()
            })
            .await;
    }
    for limit in ["requests", "pending", "retries", "adaptive", "connections"] {
        assert_eventually!(
            in_use(&gateway, limit).await == 0.0,
            "{limit}: {}",
            in_use(&gateway, limit).await
        );
    }
}

/// One request is being sent again; the failure of another one is answered as it is.
#[tokio::test]
async fn requests_that_are_sent_again_are_limited() {
    let busy = Upstream::always(Reply::new(503).body("busy")).await;
    let (held, release) = Upstream::held().await;
    let often = format!("{{ address = \"{}\", weight = 1000 }}", busy.endpoint());
    let config = Proxy::to(often).and(held.endpoint()).upstream(
        "passive_health = { max_fails = 0 }\nretries = { on = [\"503\"] }\nlimits = { retries = 1 }",
    );
    let gateway = Gateway::start_one_worker(config).await;
    let mut first = begin(&gateway, 1).await;
    assert_eventually!(in_use(&gateway, "retries").await == 1.0);
    assert_eventually!(held.request_count() == 1);
    let response = gateway.get("/").await;
    assert_eq!((response.status, response.text()), (503, "busy"));
    assert_eq!(response.proxy_error(), None, "an endpoint has answered");
    assert_eq!(overloads(&gateway, "retries").await, 1.0);
    release.send(true).unwrap();
    assert_eq!(first[0].receive("GET").await.text(), "at last");
    assert_eventually!(in_use(&gateway, "retries").await == 0.0);
    assert_eq!(gateway.get("/").await.text(), "at last");
}
