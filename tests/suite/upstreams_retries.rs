//! Requests that are repeated after what the operator has listed: statuses, time limits, lost
//! connections of requests with a body; and those that must not be.

use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Http2Client, Http2Stream, Http2Upstream, Proxy, Received, Reply, Request, Upstream,
    Visit, assert_eventually, filler, filler_difference, run,
};

use crate::upstreams_balance::named;

/// Failures eject no endpoint, so that the failing ones get requests again and again.
const NEVER_HELD_BACK: &str = "passive_health = { max_fails = 0 }";

async fn busy() -> Upstream {
    Upstream::always(Reply::new(503).body("busy")).await
}

/// Reads a whole request and closes the connection.
async fn closes() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
    })
    .await
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}

#[tokio::test]
async fn a_listed_status_is_answered_by_another_endpoint() {
    let (busy, alive) = (busy().await, named("alive").await);
    let config = Proxy::to(busy.endpoint())
        .and(alive.endpoint())
        .upstream(&format!(
            "{NEVER_HELD_BACK}\nretries = {{ on = [\"connect\", \"reset\", \"503\"] }}"
        ));
    let gateway = Gateway::start_one_worker(config).await;
    for n in 0..20 {
        let response = gateway.send(Request::get("/get")).await;
        assert_eq!((response.status, response.text()), (200, "alive"), "{n}");
    }
    let (asked, answered) = (busy.request_count(), alive.request_count());
    assert!(asked >= 5 && answered == 20, "{asked} {answered}");
    // Short responses do not cost their connections.
    assert_eq!(busy.connections(), 1);
    let metrics = gateway.metrics().await;
    let reason = [("upstream", "app"), ("reason", "status")];
    assert_eq!(
        metrics.sum("janua_upstream_retries_total", &reason),
        count(asked)
    );
    let words = format!("attempts: {} 503, {}", busy.endpoint(), alive.endpoint());
    let is_told = |line: &serde_json::Value| line["notes"].to_string().contains(&words);
    assert_eventually!(gateway.log().iter().any(is_told));
    // What may have been processed is sent once, and its response passes.
    let mut refused = 0;
    for _ in 0..20 {
        let response = gateway.send(Request::post("/post", "pay")).await;
        refused += usize::from(response.status == 503);
    }
    let posts = busy.request_count() - asked + alive.request_count() - answered;
    assert_eq!(posts, 20);
    assert_eq!(refused, busy.request_count() - asked);
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_costs_time_and_no_request() {
    let (silent, alive) = (Upstream::silent().await, named("alive").await);
    let config = Proxy::to(silent.endpoint())
        .and(alive.endpoint())
        .upstream(&format!(
            "{NEVER_HELD_BACK}\nretries = {{ try_timeout = \"1s\" }}"
        ));
    let gateway = Gateway::start_one_worker(config).await;
    let begin = Instant::now();
    for n in 0..4 {
        assert_eq!(gateway.get("/").await.status, 200, "{n}");
    }
    assert!(begin.elapsed() >= Duration::from_secs(2));
    let asked = silent.request_count();
    assert!(asked >= 2, "{asked}");
    let metrics = gateway.metrics().await;
    let reason = [("upstream", "app"), ("reason", "timeout")];
    assert_eq!(
        metrics.sum("janua_upstream_retries_total", &reason),
        count(asked)
    );
    // A POST is not sent a second time, whatever has become of it.
    let sent = || silent.request_count() + alive.request_count();
    let before = sent();
    for _ in 0..2 {
        let response = gateway.send(Request::post("/", "pay")).await;
        assert!(matches!(response.status, 200 | 504), "{}", response.status);
    }
    assert_eq!(sent() - before, 2);
}

/// All endpoints fail: what they get is little more than what clients send.
#[tokio::test]
async fn an_outage_is_not_multiplied() {
    const CLIENTS: usize = 20;
    const EACH: usize = 120;
    let (one, two, three) = (busy().await, busy().await, busy().await);
    let config = Proxy::to(one.endpoint())
        .and(two.endpoint())
        .and(three.endpoint())
        .upstream("retries = { on = [\"503\"], budget = \"20%\" }");
    let gateway = Gateway::start(config).await;
    let begin = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(gateway.connect().await);
    }
    let clients = clients.into_iter().map(|mut wire| {
        tokio::spawn(async move {
            for _ in 0..EACH {
                let response = wire.exchange(&Request::get("/")).await;
                // That of the endpoint, and not one of the gateway.
                assert_eq!((response.status, response.text()), (503, "busy"));
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let sent = one.request_count() + two.request_count() + three.request_count();
    // Besides the share, two hundred in ten seconds may always be sent again.
    let periods = usize::try_from(begin.elapsed().as_secs() / 10).unwrap() + 2;
    let most = CLIENTS * EACH * 12 / 10 + 200 * periods;
    assert!(sent <= most, "{sent} of {most}");
    assert!(sent >= CLIENTS * EACH + 200, "{sent}");
    let metrics = gateway.metrics().await;
    let refused = [("upstream", "app"), ("reason", "budget")];
    assert!(metrics.sum("janua_upstream_retries_refused_total", &refused) > 0.0);
    let is_told = |line: &serde_json::Value| line["notes"].to_string().contains("retries: budget");
    assert_eventually!(gateway.log().iter().any(is_told));
}

/// Requests with bodies, as clients of both versions send them.
async fn put_to(gateway: &Gateway, size: usize) {
    let body = filler(7, size);
    let is_echoed = |text: &str| text.len() == size;
    let requests = [
        Request::new("PUT", "/length").body(body.clone()),
        Request::new("PUT", "/chunked").chunked(&[&body[..size / 3], &body[size / 3..]], &[]),
    ];
    for request in requests {
        for n in 0..3 {
            let response = gateway.send(request.clone()).await;
            assert_eq!(response.status, 200, "{n}: {request:?}");
            assert!(is_echoed(response.text()), "{n}");
        }
    }
    let client = Http2Client::over(gateway.connect().await).await;
    for n in 0..3 {
        let request = Request::new("PUT", "/two").body(body.clone());
        let response = client.send(&request).await;
        assert_eq!(response.status, 200, "{n}");
        assert!(is_echoed(response.text()), "{n}");
    }
}

/// Answers with as many bytes as the body had, if it was the right one.
fn checked(request: &Received) -> Reply {
    match filler_difference(7, &request.body) {
        None => Reply::ok("x".repeat(request.body.len())),
        Some(at) => Reply::new(400).body(format!("byte {at} differs")),
    }
}

#[tokio::test]
async fn a_body_is_repeated_byte_for_byte() {
    let lost = closes().await;
    let alive = Upstream::http(async |request| checked(&request)).await;
    let config = Proxy::to(lost.endpoint())
        .and(alive.endpoint())
        .listener("http2 = true")
        .upstream(NEVER_HELD_BACK);
    let gateway = Gateway::start_one_worker(config).await;
    for size in [5, 5_000, 65_536] {
        put_to(&gateway, size).await;
    }
    assert!(lost.request_count() >= 9);
    assert_eq!(alive.request_count(), 27);
}

#[tokio::test]
async fn a_body_is_repeated_byte_for_byte_over_http2() {
    let lost = Http2Upstream::raw(|mut stream: Http2Stream| async move {
        let _ = stream.request().await;
        stream.close();
    })
    .await;
    let alive = Http2Upstream::http(async |request| checked(&request)).await;
    let config = Proxy::to(lost.endpoint())
        .and(alive.endpoint())
        .listener("http2 = true")
        .upstream(&format!("{NEVER_HELD_BACK}\nhttp = \"2\""));
    let gateway = Gateway::start_one_worker(config).await;
    for size in [5, 5_000, 65_536] {
        put_to(&gateway, size).await;
    }
    assert!(lost.streams() >= 9);
    assert_eq!(alive.requests().len(), 27);
}

/// A client that sends its body in small parts, each a while after the other.
#[tokio::test]
async fn a_slow_body_is_repeated_too() {
    // The first connection is closed in the middle of the body.
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        if visit.number == 0 {
            let _ = visit.wire.take_until(b"\r\n\r\nsl").await;
            return;
        }
        while let Ok(request) = visit.request().await {
            let reply = Reply::ok(request.body).to_bytes("PUT");
            let _ = visit.wire.try_send(reply).await;
        }
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).upstream("retries = 1");
    let gateway = Gateway::start_one_worker(config).await;
    let mut wire = gateway.connect().await;
    wire.send("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 13\r\n\r\n")
        .await;
    for part in ["sl", "ow", "ly", " and", " su"] {
        wire.send(part).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let response = wire.receive("PUT").await;
    assert_eq!((response.status, response.text()), (200, "slowly and su"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_sent_once() {
    let (one, two) = (closes().await, closes().await);
    let config = Proxy::to(one.endpoint())
        .and(two.endpoint())
        .upstream(&format!(
            "{NEVER_HELD_BACK}\nretries = {{ body = \"1KiB\" }}"
        ));
    let gateway = Gateway::start_one_worker(config).await;
    let put = |size| Request::new("PUT", "/").body(filler(0, size));
    assert_eq!(gateway.send(put(1_024)).await.status, 502);
    let sent = || one.request_count() + two.request_count();
    assert_eq!(sent(), 2);
    assert_eq!(gateway.send(put(1_025)).await.status, 502);
    assert_eq!(sent(), 3);
    let metrics = gateway.metrics().await;
    let refused = [("upstream", "app"), ("reason", "body")];
    assert_eq!(
        metrics.sum("janua_upstream_retries_refused_total", &refused),
        1.0
    );
}

/// The gateway has told the client to go on, once, and repeats what came then.
#[tokio::test]
async fn a_client_that_waits_for_100_is_told_once() {
    let lost = closes().await;
    let alive = Upstream::echo().await;
    let config = Proxy::to(lost.endpoint())
        .and(alive.endpoint())
        .upstream(NEVER_HELD_BACK);
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..4 {
        let mut wire = gateway.connect().await;
        wire.send(
            "PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        )
        .await;
        let told = wire.take_until(b"\r\n\r\n").await.unwrap();
        assert!(told.starts_with(b"HTTP/1.1 100"));
        wire.send("body").await;
        let response = wire.receive("PUT").await;
        assert_eq!(response.status, 200);
        assert_eq!(response.json()["body"], "body");
    }
    assert!(lost.request_count() > 0);
}

/// Whoever says so has every request sent again, also one that may have been carried out, and is
/// warned of it.
#[tokio::test]
async fn an_operator_may_have_any_request_repeated() {
    let (lost, alive) = (closes().await, named("alive").await);
    let config = Proxy::to(lost.endpoint())
        .and(alive.endpoint())
        .upstream(&format!(
            "{NEVER_HELD_BACK}\nretries = {{ on = [\"reset-any\"] }}"
        ));
    let gateway = Gateway::start_one_worker(config).await;
    for n in 0..4 {
        let response = gateway.send(Request::post("/", "pay")).await;
        assert_eq!((response.status, response.text()), (200, "alive"), "{n}");
    }
    assert!(lost.request_count() >= 2);
    assert_eq!(alive.request_count(), 4);
    let check = run(gateway.directory(), &["check", "--config", "janua.toml"]).await;
    assert_eq!(check.code, Some(0), "{check:?}");
    let said = check.stdout + &check.stderr;
    assert!(
        said.contains("warning") && said.contains("reset-any"),
        "{said}"
    );
}

/// A call that is answered with a listed status of gRPC goes to another endpoint, although it is a
/// POST.
#[tokio::test]
async fn a_call_that_is_answered_with_a_listed_status_is_repeated() {
    let grpc = |reply: Reply| reply.header("Content-Type", "application/grpc");
    let busy = Http2Upstream::http(move |_| {
        let reply = grpc(Reply::new(200)).header("Grpc-Status", "14");
        std::future::ready(reply)
    });
    let alive = Http2Upstream::http(move |_| {
        let message = b"\0\0\0\0\x01x";
        let reply = Reply::chunked(&[message], &[("Grpc-Status", "0")]);
        std::future::ready(grpc(reply))
    });
    let (busy, alive) = (busy.await, alive.await);
    let config = Proxy::to(busy.endpoint())
        .and(alive.endpoint())
        .listener("http2 = true")
        .upstream(&format!(
            "{NEVER_HELD_BACK}\nhttp = \"2\"\nretries = {{ on = [\"unavailable\"] }}"
        ));
    let gateway = Gateway::start_one_worker(config).await;
    let client = Http2Client::over(gateway.connect().await).await;
    for n in 0..4 {
        let call = Request::post("/shop.Orders/Get", b"\0\0\0\0\x01q".to_vec())
            .header("Content-Type", "application/grpc")
            .header("TE", "trailers");
        let response = client.send(&call).await;
        assert_eq!(response.body, b"\0\0\0\0\x01x", "{n}: {response:?}");
    }
    assert!(busy.requests().len() >= 2);
    assert_eq!(alive.requests().len(), 4);
}
