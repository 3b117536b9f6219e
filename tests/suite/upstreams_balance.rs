//! The choice of an endpoint: balancing, health, limits, and the kinds of
//! address.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Port, Proxy, Reply, Request, Settings, Upstream, Vacant, Visit, assert_eventually,
};

/// How many of `count` requests, each over its own connection, each endpoint
/// answered.
pub(crate) async fn shares(gateway: &Gateway, count: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..count {
        let response = gateway.get("/").await;
        assert_eq!(response.status, 200, "{}", response.text());
        *shares.entry(response.text().to_owned()).or_default() += 1;
    }
    shares
}

/// Answers everything with its name.
pub(crate) async fn named(name: &'static str) -> Upstream {
    Upstream::always(Reply::ok(name)).await
}

/// The same on a port that the test has reserved.
pub(crate) async fn named_at(port: &Port, name: &'static str) -> Upstream {
    Upstream::always_at(port.address(), Reply::ok(name)).await
}

/// An endpoint that does not answer gets one request, of all workers together.
async fn avoids_the_one_that_hangs(balance: &str) {
    let busy = Upstream::silent().await;
    let free = named("free").await;
    let config = Proxy::to(busy.endpoint())
        .and(free.endpoint())
        .upstream(&format!("balance = \"{balance}\""));
    let gateway = Settings::new().workers(4).start(config).await;
    let mut held = Vec::new();
    // One after another, until the busy endpoint has its first request.
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
    // From now on no worker sends it another. A client has its response before
    // the count is decremented, and equal endpoints take turns.
    for _ in 0..50 {
        assert_eventually!(gateway.status().await["in_flight"] == 1);
        assert_eq!(gateway.get("/").await.text(), "free");
    }
    assert_eq!(busy.request_count(), 1);
}

#[tokio::test]
async fn least_conn_counts_all_workers() {
    avoids_the_one_that_hangs("least_conn").await;
}

#[tokio::test]
async fn random_two_counts_all_workers() {
    avoids_the_one_that_hangs("random_two").await;
}

#[tokio::test]
async fn latency_waits_for_a_first_response() {
    avoids_the_one_that_hangs("latency").await;
}

/// After one slow response of an endpoint, the others get the requests.
#[tokio::test]
async fn latency_avoids_the_slow() {
    let (slow, release) = Upstream::held().await;
    let free = named("free").await;
    let config = Proxy::to(slow.endpoint())
        .and(free.endpoint())
        .upstream("balance = \"latency\"");
    let gateway = Settings::new().workers(4).start(config).await;
    let mut waiting = Vec::new();
    while slow.request_count() == 0 {
        let answered = free.request_count();
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        assert_eventually!(slow.request_count() == 1 || free.request_count() > answered);
        waiting.push(wire);
    }
    // It was slower than anything that a loopback connection takes on a busy machine.
    tokio::time::sleep(Duration::from_secs(2)).await;
    release.send(true).unwrap();
    assert_eventually!(gateway.status().await["in_flight"] == 0);
    let shares = shares(&gateway, 50).await;
    assert_eq!(shares.get("at last"), None, "{shares:?}");
}

fn backup(upstream: &Upstream) -> String {
    format!("{{ address = \"{}\", backup = true }}", upstream.endpoint())
}

#[tokio::test]
async fn a_backup_stands_in_while_no_other_is_up() {
    for balance in [
        "round_robin",
        "least_conn",
        "random_two",
        "latency",
        "ip_hash",
    ] {
        let port = Port::reserve();
        let spare = named("spare").await;
        let config = Proxy::to(port.endpoint())
            .and(backup(&spare))
            .upstream(&format!(
                "balance = \"{balance}\"\npassive_health = {{ max_fails = 1, fail_timeout = \"1s\" }}"
            ));
        let gateway = Settings::new().workers(2).start(config).await;
        assert_eq!(shares(&gateway, 10).await["spare"], 10, "{balance}");
        let _back = named_at(&port, "back").await;
        assert_eventually!(gateway.get("/").await.text() == "back");
        assert_eq!(shares(&gateway, 10).await["back"], 10, "{balance}");
    }
}

#[tokio::test]
async fn a_backup_takes_what_is_too_much_for_the_others() {
    let busy = Upstream::silent().await;
    let spare = named("spare").await;
    let endpoint = format!(
        "{{ address = \"{}\", max_connections = 2 }}",
        busy.endpoint()
    );
    let config = Proxy::to(endpoint).and(backup(&spare));
    let gateway = Settings::new().workers(4).start(config).await;
    let mut held = Vec::new();
    for n in 1..=2 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        assert_eventually!(busy.request_count() == n);
        held.push(wire);
    }
    assert_eq!(shares(&gateway, 10).await["spare"], 10);
}

#[tokio::test]
async fn endpoints_of_the_own_zone_are_preferred() {
    let (near, far) = (named("near").await, named("far").await);
    let zoned = |upstream: &Upstream, zone: &str| {
        let address = upstream.endpoint();
        format!("{{ address = \"{address}\", zone = \"{zone}\" }}")
    };
    let config = Proxy::to(zoned(&far, "west")).and(zoned(&near, "east"));
    let settings = Settings::new().workers(4).server("zone = \"east\"");
    let gateway = settings.start(config).await;
    assert_eq!(shares(&gateway, 20).await["near"], 20);
    near.stop().await;
    assert_eq!(shares(&gateway, 20).await["far"], 20);
}

/// A new endpoint of a running gateway begins with a tenth of its share.
#[tokio::test]
async fn a_new_endpoint_starts_slowly() {
    let (old, new) = (named("old").await, named("new").await);
    let slowly = "slow_start = \"1h\"";
    let mut gateway = Gateway::start_one_worker(Proxy::to(old.endpoint()).upstream(slowly)).await;
    gateway
        .reload(
            Proxy::to(old.endpoint())
                .and(new.endpoint())
                .upstream(slowly),
        )
        .await;
    let share = shares(&gateway, 110).await["new"];
    assert!((8..=13).contains(&share), "{share}: a tenth of the other's");
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
    // 250, 100 and 50, except for a round that each worker has not finished.
    for (name, expected) in [("a", 250), ("b", 100), ("c", 50)] {
        let count = shares[name];
        assert!(
            count.abs_diff(expected) <= 12,
            "{name}: {count} of {expected}, {shares:?}"
        );
    }
}

#[tokio::test]
async fn a_failing_endpoint_is_ejected_and_recovers() {
    let port = Port::reserve();
    let alive = named("alive").await;
    let config = Proxy::to(port.endpoint())
        .and(alive.endpoint())
        .upstream("passive_health = { max_fails = 3, fail_timeout = \"2s\" }");
    let gateway = Settings::new().workers(2).start(config).await;
    let down = async || gateway.status().await["upstreams"][0]["endpoints"][0]["health"] == "down";
    let failed = async || {
        let labels = [("kind", "refused")];
        gateway
            .metric("janua_upstream_failures_total", &labels)
            .await
    };
    let begin = Instant::now();
    assert_eventually!({
        assert_eq!(gateway.get("/").await.text(), "alive", "no client sees it");
        down().await
    });
    assert_eq!(shares(&gateway, 50).await["alive"], 50);
    // On a machine that is busy for longer failures are forgotten, and it is tried again.
    let failures = failed().await;
    if begin.elapsed() < Duration::from_millis(1900) {
        assert_eq!(failures, 3.0, "it is not asked while it is out");
    }
    // It recovers: a server listens on the port.
    let back = named_at(&port, "back").await;
    assert_eventually!(gateway.get("/").await.text() == "back");
    assert_eventually!(!down().await);
    assert!(back.request_count() > 0);
}

/// The last endpoint is never ejected: that would only replace one failure by
/// another.
#[tokio::test]
async fn if_all_are_ejected_all_are_tried() {
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
    // A place is available again as soon as a client is gone.
    held.pop().unwrap().reset();
    assert_eventually!(gateway.metric("janua_endpoint_in_flight", &[]).await == 1.0);
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
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..5 {
        let response = gateway.send(Request::post("/x", "body")).await;
        assert_eq!(response.json()["body"], "body");
        assert_eq!(response.json()["headers"]["host"], "localhost");
    }
    assert_eq!(upstream.connections(), 1);
    upstream.stop().await;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(gateway.get("/").await.status, 502);
}

/// Both address families are tried, whichever of them the server listens on.
#[tokio::test]
async fn a_name() {
    let four = Upstream::echo().await;
    let config = Proxy::to(format!("localhost:{}", four.port()));
    let gateway = Gateway::start(config).await;
    assert_eventually!(gateway.get("/").await.status == 200);

    let six = Upstream::always_at("[::1]:0".parse().unwrap(), Reply::ok("six")).await;
    let gateway = Gateway::start(Proxy::to(format!("localhost:{}", six.port()))).await;
    assert_eventually!(gateway.get("/").await.text() == "six");
}
