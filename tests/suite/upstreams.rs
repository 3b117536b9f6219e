//! Upstreams: kept connections, balance, health, and everything that they can
//! do wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use janua_tests::{
    Endpoint, Gateway, Habits, Proxy, ReadError, Reply, Request, Settings, Upstream, Vacant, Visit,
    assert_eventually,
};

/// How many of `count` requests over connections of their own were answered
/// by whom.
async fn shares(gateway: &Gateway, count: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..count {
        let response = gateway.get("/").await;
        assert_eq!(response.status, 200, "{}", response.text());
        *shares.entry(response.text().to_owned()).or_default() += 1;
    }
    shares
}

async fn named(name: &'static str) -> Upstream {
    Upstream::always(Reply::ok(name)).await
}

#[tokio::test]
async fn connections_are_kept() {
    let upstream = Upstream::echo().await;
    let gateway = Settings::new()
        .workers(1)
        .start(Proxy::to(upstream.endpoint()))
        .await;
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
async fn no_more_are_kept_than_said() {
    let upstream = Upstream::http(async |_| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Reply::ok("x")
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).upstream("keepalive = 2");
    let gateway = Settings::new().workers(1).start(config).await;
    let mut wires = Vec::new();
    for _ in 0..6 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wires.push(wire);
    }
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

/// The best-known source of random 502s: the upstream closes an idle
/// connection just as a request goes out on it.
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

/// The upstream reads the request and closes without an answer, so the close
/// cannot be seen before sending.
#[tokio::test]
async fn a_kept_connection_that_dies_is_replaced_for_get() {
    let upstream = dies_when_reused().await;
    let gateway = Settings::new()
        .workers(1)
        .start(Proxy::to(upstream.endpoint()))
        .await;
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
    let gateway = Settings::new()
        .workers(1)
        .start(Proxy::to(upstream.endpoint()))
        .await;
    for request in [
        Request::post("/", "pay"),
        Request::new("POST", "/"),
        Request::new("PATCH", "/"),
        // Idempotent, but part of its body may be gone.
        Request::new("PUT", "/").body("put"),
    ] {
        assert_eq!(gateway.get("/").await.status, 200);
        let before = upstream.request_count();
        let response = gateway.send(request.clone()).await;
        assert_eq!(response.status, 502, "{request:?}");
        assert_eq!(response.proxy_error(), Some("connection_terminated"));
        assert_eq!(upstream.request_count() - before, 1, "{request:?}");
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

/// A fresh connection that dies is no idle one that was closed: the upstream
/// may have crashed on this very request.
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
    // With a margin of a second, one second is none.
    let reply = Reply::ok("x").header("Keep-Alive", "timeout=1, max=100");
    let upstream = Upstream::always(reply).await;
    let gateway = Settings::new()
        .workers(1)
        .start(Proxy::to(upstream.endpoint()))
        .await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.status, 200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(upstream.connections(), 3);

    let reply = Reply::ok("x").header("Keep-Alive", "timeout=60");
    let upstream = Upstream::always(reply).await;
    let gateway = Settings::new()
        .workers(1)
        .start(Proxy::to(upstream.endpoint()))
        .await;
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
    assert_eq!(upstream.open(), 1);
    assert_eventually!(
        upstream.open() == 0,
        "nobody asks, and it is closed all the same"
    );
}

#[tokio::test]
async fn bytes_behind_a_response_belong_to_nobody() {
    // A second response that nobody asked for must not answer the next request.
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            let mut bytes = Reply::ok("right").to_bytes("GET");
            bytes.extend(Reply::ok("wrong").to_bytes("GET"));
            visit.wire.send(bytes).await;
        }
    })
    .await;
    let gateway = Settings::new()
        .workers(1)
        .start(Proxy::to(upstream.endpoint()))
        .await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "right");
    }
}

#[tokio::test]
async fn another_endpoint_is_tried_if_one_refuses() {
    let refusing = Vacant::refusing();
    let upstream = named("alive").await;
    for method in ["GET", "POST"] {
        let config = Proxy::to(refusing.endpoint())
            .and(upstream.endpoint())
            .and(Vacant::refusing().endpoint())
            .upstream("passive_health = { max_fails = 0 }");
        let gateway = Gateway::start(config).await;
        for _ in 0..20 {
            let response = gateway.send(Request::new(method, "/").body("once")).await;
            assert_eq!((response.status, response.text()), (200, "alive"));
        }
        let metrics = gateway.metrics().await;
        let refused = [
            ("endpoint", refusing.endpoint()),
            ("kind", "refused".to_owned()),
        ];
        let refused = refused
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        assert!(metrics.sum("janua_upstream_failures_total", &refused) > 0.0);
        assert_eq!(
            metrics.sum("janua_failures_total", &[]),
            0.0,
            "no client saw one"
        );
    }
}

#[tokio::test]
async fn if_all_refuse_it_is_502() {
    let (one, two) = (Vacant::refusing(), Vacant::refusing());
    let gateway = Gateway::start(Proxy::to(one.endpoint()).and(two.endpoint())).await;
    for _ in 0..3 {
        let response = gateway.get("/refused").await;
        assert_eq!(response.status, 502);
        assert_eq!(response.proxy_error(), Some("connection_refused"));
        assert_eq!(
            response.header("proxy-status"),
            Some("janua; error=connection_refused")
        );
    }
    let line = gateway.log_line("/refused").await;
    assert_eq!(line["failure"], "refused");
    assert_eq!(line["upstream"], "app");
    assert_eq!(line["answered_by"], "gateway");
    gateway.settled().await;
    let kind = [("kind", "refused")];
    assert_eq!(
        gateway.metrics().await.sum("janua_failures_total", &kind),
        3.0
    );
}

#[tokio::test]
async fn retries_can_be_turned_off() {
    let refusing = Vacant::refusing();
    let upstream = named("alive").await;
    let config = Proxy::to(refusing.endpoint())
        .and(upstream.endpoint())
        .upstream("retries = 0\npassive_health = { max_fails = 0 }");
    let gateway = Gateway::start(config).await;
    let mut statuses = BTreeMap::new();
    for _ in 0..20 {
        *statuses.entry(gateway.get("/").await.status).or_insert(0) += 1;
    }
    assert!(
        statuses.contains_key(&200) && statuses.contains_key(&502),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_connect_timeout_is_504() {
    let silent = Vacant::never_accepting();
    let config = Proxy::to(silent.endpoint()).upstream("connect_timeout = \"300ms\"");
    let gateway = Gateway::start(config).await;
    let begin = Instant::now();
    let response = gateway.get("/").await;
    assert_eq!(response.status, 504, "{}", response.text());
    assert_eq!(response.proxy_error(), Some("connection_timeout"));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(gateway.log_line("/").await["failure"], "connect_timeout");
}

#[tokio::test]
async fn a_response_timeout_is_504() {
    let upstream = Upstream::silent().await;
    let config = Proxy::to(upstream.endpoint()).upstream("response_head_timeout = \"300ms\"");
    let gateway = Gateway::start(config).await;
    let begin = Instant::now();
    let response = gateway.get("/").await;
    assert_eq!(response.status, 504);
    assert_eq!(response.proxy_error(), Some("http_response_timeout"));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(gateway.log_line("/").await["failure"], "response_timeout");
    assert_eventually!(
        upstream.open() == 0,
        "the upstream's connection is given up"
    );
}

#[tokio::test]
async fn a_response_head_that_drips_is_cut_off() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let _ = visit.wire.try_send("HTTP/1.1 200 OK\r\nX: ").await;
        while visit.wire.try_send("y").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).upstream("response_head_timeout = \"500ms\"");
    let gateway = Gateway::start(config).await;
    // `response_head_timeout` is how long the head may take, not a byte of it.
    let response = gateway.get("/").await;
    assert_eq!(response.status, 504);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_broken_off() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let _ = visit
            .wire
            .try_send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).upstream("idle_timeout = \"300ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    let error = wire.try_receive("GET").await.unwrap_err();
    assert!(matches!(error, ReadError::Incomplete(_)), "{error}");
    assert_eq!(gateway.log_line("/").await["failure"], "response_timeout");
}

#[tokio::test]
async fn a_request_may_be_limited_as_a_whole() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let _ = visit.wire.try_send("HTTP/1.1 200 OK\r\n\r\n").await;
        // There is always some progress.
        while visit.wire.try_send("x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("request_timeout = \"500ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    let error = wire.try_receive("GET").await.unwrap_err();
    assert!(matches!(error, ReadError::Incomplete(_)), "{error}");
    assert_eq!(gateway.log_line("/").await["failure"], "whole_timeout");
}

/// P8, and what else is no response.
#[tokio::test]
async fn bad_responses_are_502() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
        "y".repeat(4096)
    );
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(300));
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50);
    let (large, bad) = ("http_response_header_section_size", "http_protocol_error");
    let (large_word, bad_word) = ("response_head_too_large", "response_malformed");
    let table = [
        ("/long", long.as_str(), large, large_word),
        ("/many", &many, large, large_word),
        ("/garbage", "garbage\r\n\r\n", bad, bad_word),
        ("/http2", "HTTP/2.0 200 OK\r\n\r\n", bad, bad_word),
        ("/099", "HTTP/1.1 099 Low\r\n\r\n", bad, bad_word),
        (
            "/lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            bad,
            bad_word,
        ),
        (
            "/both",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/coding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/fold",
            "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
            bad,
            bad_word,
        ),
        (
            "/lf",
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            bad,
            bad_word,
        ),
        (
            "/nul",
            "HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n",
            bad,
            bad_word,
        ),
        ("/interim", &interim, bad, bad_word),
        (
            "/cut",
            "HTTP/1.1 200 OK\r\nContent-Le",
            "connection_terminated",
            "reset",
        ),
        ("/nothing", "", "connection_terminated", "reset"),
    ];
    let replies: BTreeMap<String, String> = table
        .iter()
        .map(|(path, reply, ..)| ((*path).to_owned(), (*reply).to_owned()))
        .collect();
    let upstream = Upstream::http(move |request| {
        std::future::ready(Reply::raw(replies[&request.target].clone()))
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).upstream("max_response_head = \"4KiB\"");
    let gateway = Gateway::start(config).await;
    for (path, _, error, word) in table {
        let response = gateway.get(path).await;
        assert_eq!(
            (response.status, response.proxy_error()),
            (502, Some(error)),
            "{path}"
        );
        assert_eq!(gateway.log_line(path).await["failure"], word, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_never_complete() {
    let table = [
        (
            "/length",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "response_incomplete",
        ),
        (
            "/chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            "response_incomplete",
        ),
        (
            "/end",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "response_incomplete",
        ),
        (
            "/bad",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
            "response_malformed",
        ),
    ];
    let upstream = Upstream::http(move |request| {
        let (_, reply, _) = table
            .iter()
            .find(|(path, ..)| *path == request.target)
            .unwrap();
        std::future::ready(Reply::raw(*reply))
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for (path, _, word) in table {
        for request in [Request::get(path), Request::get(path).http10()] {
            let mut wire = gateway.connect().await;
            wire.send(request.to_bytes()).await;
            let read = wire.try_receive("GET").await;
            // Without a length the end of an HTTP/1.0 response is the end of
            // the connection, so it must not end in good order.
            let error = read.map(|whole| whole.body).unwrap_err();
            assert!(matches!(error, ReadError::Incomplete(_)), "{path}: {error}");
        }
        assert_eq!(gateway.log_line(path).await["failure"], word, "{path}");
    }
}

#[tokio::test]
async fn least_conn_counts_all_workers() {
    let busy = Upstream::silent().await;
    let free = named("free").await;
    let config = Proxy::to(busy.endpoint())
        .and(free.endpoint())
        .upstream("balance = \"least_conn\"");
    let gateway = Settings::new().workers(4).start(config).await;
    let mut held = Vec::new();
    // One after another, until the busy one has its first.
    for answered in 0.. {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        assert_eventually!(busy.request_count() == 1 || free.request_count() > answered);
        if busy.request_count() == 1 {
            held.push(wire);
            break;
        }
        assert_eq!(wire.receive("GET").await.text(), "free");
        assert!(answered < 100, "equals take turns");
    }
    // From now on no worker sends it another.
    assert_eq!(shares(&gateway, 100).await["free"], 100);
    assert_eq!(busy.request_count(), 1);
}

#[tokio::test]
async fn weights_hold_over_four_workers() {
    let (a, b, c) = (named("a").await, named("b").await, named("c").await);
    let weighted = |upstream: &Upstream, weight| {
        format!(
            "{{ address = \"{}\", weight = {weight} }}",
            upstream.endpoint()
        )
    };
    let config = Proxy::to(weighted(&a, 5))
        .and(weighted(&b, 2))
        .and(weighted(&c, 1));
    let gateway = Settings::new().workers(4).start(config).await;
    let shares = shares(&gateway, 400).await;
    // 250, 100 and 50, but for a round that each worker has not finished.
    for (name, expected) in [("a", 250), ("b", 100), ("c", 50)] {
        let count = shares[name];
        assert!(
            count.abs_diff(expected) <= 12,
            "{name}: {count} of {expected}, {shares:?}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_and_comes_back() {
    let port_holder = Vacant::refusing();
    let address = port_holder.address();
    let alive = named("alive").await;
    let config = Proxy::to(address.to_string())
        .and(alive.endpoint())
        .upstream("passive_health = { max_fails = 3, fail_timeout = \"2s\" }");
    let gateway = Settings::new().workers(2).start(config).await;
    let down = async || gateway.status().await["upstreams"][0]["endpoints"][0]["health"] == "down";
    let failed = async || {
        let labels = [("kind", "refused")];
        gateway
            .metrics()
            .await
            .sum("janua_upstream_failures_total", &labels)
    };
    let begin = Instant::now();
    while !down().await {
        assert_eq!(gateway.get("/").await.text(), "alive", "no client sees it");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(failed().await, 3.0);
    assert_eq!(shares(&gateway, 50).await["alive"], 50);
    if begin.elapsed() < Duration::from_millis(1900) {
        assert_eq!(failed().await, 3.0, "it is not asked while it is out");
    }
    // It comes back: the port is given free and a server takes it.
    drop(port_holder);
    let back = Upstream::at(Endpoint::Tcp(address), |mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            visit.wire.send(Reply::ok("back").to_bytes("GET")).await;
        }
    })
    .await;
    assert_eventually!(gateway.get("/").await.text() == "back");
    assert_eventually!(!down().await);
    assert!(back.request_count() > 0);
}

/// The last one is never put out: that would only turn a failure into another.
#[tokio::test]
async fn if_all_are_out_all_are_tried() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        if let Ok(request) = visit.request().await
            && request.target == "/ok"
        {
            visit.wire.send(Reply::ok("x").to_bytes("GET")).await;
        }
    })
    .await;
    let other = Vacant::refusing();
    let config = Proxy::to(upstream.endpoint())
        .and(other.endpoint())
        .upstream("passive_health = { max_fails = 1, fail_timeout = \"60s\" }");
    let gateway = Gateway::start(config).await;
    for _ in 0..6 {
        assert_eq!(gateway.get("/fail").await.status, 502);
    }
    assert_eq!(gateway.get("/ok").await.status, 200);
}

#[tokio::test]
async fn the_most_connections_of_an_endpoint() {
    let busy = Upstream::silent().await;
    let endpoint = format!(
        "{{ address = \"{}\", max_connections = 2 }}",
        busy.endpoint()
    );
    let gateway = Settings::new().workers(4).start(Proxy::to(endpoint)).await;
    let mut held = Vec::new();
    for n in 1..=2 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        assert_eventually!(busy.request_count() == n);
        held.push(wire);
    }
    let refused = gateway.get("/limit").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.proxy_error(), Some("connection_limit_reached"));
    // A place is free again as soon as a client is gone.
    held.pop().unwrap().reset();
    assert_eventually!(busy.open() == 1);
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(busy.request_count() == 3);
}

#[tokio::test]
async fn a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let upstream = Upstream::unix_echo(&path).await;
    let config = Proxy::to(upstream.endpoint()).route("host = \"upstream\"");
    let gateway = Settings::new().workers(1).start(config).await;
    for _ in 0..5 {
        let response = gateway.send(Request::post("/x", "body")).await;
        assert_eq!(response.json()["body"], "body");
        assert_eq!(response.json()["headers"]["host"], "localhost");
    }
    assert_eq!(upstream.connections(), 1);
    drop(upstream);
    std::fs::remove_file(&path).unwrap();
    assert_eventually!(gateway.get("/").await.status == 502);
}

/// R10: both families are tried, whichever of them the server listens on.
#[tokio::test]
async fn a_name() {
    let four = Upstream::echo().await;
    let config = Proxy::to(format!("localhost:{}", four.port()));
    let gateway = Gateway::start(config).await;
    assert_eventually!(gateway.get("/").await.status == 200);

    let address = Endpoint::Tcp("[::1]:0".parse().unwrap());
    let six = Upstream::at(address, |mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            visit.wire.send(Reply::ok("six").to_bytes("GET")).await;
        }
    })
    .await;
    let gateway = Gateway::start(Proxy::to(format!("localhost:{}", six.port()))).await;
    assert_eventually!(gateway.get("/").await.text() == "six");
}

/// A name that does not resolve stops neither the start nor other routes.
#[tokio::test]
async fn a_name_that_there_is_not() {
    let gateway = Gateway::start(Proxy::to("nowhere.invalid:80")).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 502);
    assert_eq!(response.proxy_error(), Some("dns_error"));
    assert_eq!(gateway.log_line("/").await["failure"], "dns");
}
