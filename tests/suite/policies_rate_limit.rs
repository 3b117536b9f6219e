//! The bundled policy `rate-limit`.

use janua_tests::{Gateway, Proxy, Request, Settings, Upstream, assert_eventually};
use tokio::task::JoinSet;

use crate::policies_seen::lines;

/// A gateway whose site has the policy `limit`.
async fn limited(upstream: &Upstream, config: &str) -> Gateway {
    Settings::new()
        .workers(4)
        .start(limit(upstream, config))
        .await
}

fn limit(upstream: &Upstream, config: &str) -> String {
    let proxy = Proxy::to(upstream.endpoint())
        .listener("trusted_proxies = [\"127.0.0.1\"]")
        .site("policies = [\"limit\"]");
    format!(
        r#"
[policies.limit]
component = "rate-limit"
config = {{ {config} }}
{proxy}
[[sites.routes]]
path = "/free"
without = ["limit"]
upstream = "app"
"#
    )
}

/// How many of `count` requests pass.
async fn passed(gateway: &Gateway, count: usize, request: impl Fn() -> Request) -> usize {
    let mut passed = 0;
    for _ in 0..count {
        match gateway.send(request()).await.status {
            200 => passed += 1,
            429 => {}
            status => panic!("{status}"),
        }
    }
    passed
}

/// No token is added during the test, so the count is exact, whichever worker
/// handles a connection.
#[tokio::test]
async fn the_burst_is_exact_across_workers() {
    let upstream = Upstream::echo().await;
    let gateway = limited(&upstream, "rate = \"1/d\", burst = 99").await;
    let mut clients = JoinSet::new();
    for _ in 0..40 {
        let mut wire = gateway.connect().await;
        clients.spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..10 {
                statuses.push(wire.exchange(&Request::get("/")).await.status);
            }
            statuses
        });
    }
    let statuses: Vec<u16> = clients.join_all().await.concat();
    let count = |status| statuses.iter().filter(|&&seen| seen == status).count();
    assert_eq!((count(200), count(429)), (100, 300));
    assert_eq!(
        upstream.request_count(),
        100,
        "a refusal reaches no upstream"
    );
    gateway.settled().await;
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.sum("janua_requests_total", &[("status", "4xx")]),
        300.0
    );
    assert_eq!(gateway.get("/free").await.status, 200, "a route without it");
}

#[tokio::test]
async fn rate_limit_fields() {
    let upstream = Upstream::echo().await;
    let gateway = limited(&upstream, "rate = \"60/h\", burst = 2").await;
    for remaining in [2, 1, 0] {
        let response = gateway.get("/").await;
        assert_eq!(response.status, 200);
        assert_eq!(
            response.header("ratelimit-policy"),
            Some("\"limit\";q=3;w=180")
        );
        let limit = response.header("ratelimit").unwrap();
        let start = format!("\"limit\";r={remaining};t=");
        let reset: u64 = limit.strip_prefix(&start).expect(limit).parse().unwrap();
        let expected = (3 - remaining) * 60;
        assert!((expected - 20..=expected).contains(&reset), "{limit}");
        assert_eq!(response.header("retry-after"), None);
    }
    let refused = gateway.get("/").await;
    assert_eq!(
        (refused.status, refused.text()),
        (429, "Too many requests\n")
    );
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"limit\";q=3;w=180")
    );
    let retry: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((40..=60).contains(&retry), "{retry}");
    assert_eq!(
        refused.header("ratelimit"),
        Some(format!("\"limit\";r=0;t={retry}").as_str())
    );
    let refusals = || {
        gateway
            .log()
            .iter()
            .filter(|line| line["answered_by"] == "policy")
            .count()
    };
    assert_eventually!(refusals() == 1);
}

/// A token is added when it should be, and only one.
#[tokio::test]
async fn tokens_come_back() {
    let upstream = Upstream::echo().await;
    let gateway = limited(&upstream, "rate = \"1/s\"").await;
    let begin = std::time::Instant::now();
    assert_eq!(passed(&gateway, 3, || Request::get("/")).await, 1);
    let within = begin.elapsed();
    let refused = gateway.get("/").await;
    if within.as_millis() < 900 {
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn each_client_has_its_own_bucket() {
    let upstream = Upstream::echo().await;
    let gateway = limited(&upstream, "rate = \"1/d\", burst = 1").await;
    let from = |address: &'static str| move || Request::get("/").header("X-Forwarded-For", address);
    assert_eq!(passed(&gateway, 4, from("192.0.2.1")).await, 2);
    assert_eq!(passed(&gateway, 4, from("192.0.2.2")).await, 2);
    // Two spellings of one address are one client.
    assert_eq!(passed(&gateway, 4, from("2001:db8::1")).await, 2);
    assert_eq!(passed(&gateway, 2, from("2001:0db8:0:0::1")).await, 0);
    assert_eq!(passed(&gateway, 2, from("::ffff:192.0.2.1")).await, 0);
    // Addresses beyond the trusted hop are only claimed by the client.
    let invented = || Request::get("/").header("X-Forwarded-For", "9.9.9.9, 192.0.2.1");
    assert_eq!(passed(&gateway, 2, invented).await, 0);
}

#[tokio::test]
async fn custom_keys() {
    let upstream = Upstream::echo().await;
    let gateway = limited(
        &upstream,
        "rate = \"1/d\", burst = 1, key = \"header:x-key\"",
    )
    .await;
    let with = |key: &'static str| move || Request::get("/").header("X-Key", key);
    assert_eq!(passed(&gateway, 3, with("a")).await, 2);
    assert_eq!(passed(&gateway, 3, with("b")).await, 2);
    assert_eq!(passed(&gateway, 3, with("A")).await, 2, "by the letter");
    assert_eq!(passed(&gateway, 3, with("")).await, 2, "empty is a key");
    assert_eq!(
        passed(&gateway, 3, || Request::get("/")).await,
        2,
        "those without share"
    );
    assert_eq!(passed(&gateway, 3, with("a")).await, 0);
}

#[tokio::test]
async fn absent_keys() {
    let upstream = Upstream::echo().await;
    for (absent, expected) in [("share", 2), ("refuse", 0), ("skip", 5)] {
        let config =
            format!("rate = \"1/d\", burst = 1, key = \"header:x-key\", absent = \"{absent}\"");
        let gateway = limited(&upstream, &config).await;
        assert_eq!(
            passed(&gateway, 5, || Request::get("/")).await,
            expected,
            "{absent}"
        );
        let with = || Request::get("/").header("X-Key", "k");
        assert_eq!(passed(&gateway, 5, with).await, 2, "{absent}, with a key");
        let response = gateway.get("/").await;
        let fields = lines(&response.fields, "retry-after");
        assert_eq!(fields.is_empty(), absent == "skip", "{absent}");
    }
}

/// Buckets belong to the gateway: a reload empties none, even if it changes the
/// policy; another name is another bucket.
#[tokio::test]
async fn buckets_survive_a_reload() {
    let upstream = Upstream::echo().await;
    let mut gateway = limited(&upstream, "rate = \"1/d\", burst = 4").await;
    assert_eq!(passed(&gateway, 3, || Request::get("/")).await, 3);
    gateway
        .reload(limit(&upstream, "rate = \"1/d\", burst = 4"))
        .await;
    assert_eq!(passed(&gateway, 1, || Request::get("/")).await, 1);
    let changed = limit(&upstream, "rate = \"1/d\", burst = 4, body = \"Later\"");
    gateway.reload(&changed).await;
    assert_eq!(
        passed(&gateway, 3, || Request::get("/")).await,
        1,
        "5 in all"
    );
    assert_eq!(gateway.get("/").await.text(), "Later");
    let renamed = changed
        .replace("[policies.limit]", "[policies.other]")
        .replace("\"limit\"", "\"other\"");
    gateway.reload(renamed).await;
    assert_eq!(passed(&gateway, 6, || Request::get("/")).await, 5);
}

#[tokio::test]
async fn a_custom_refusal() {
    let upstream = Upstream::echo().await;
    let config = "rate = \"1/d\", burst = 9, cost = 5, status = 503, body = \"Busy\", key = \"\"";
    let gateway = limited(&upstream, config).await;
    for status in [200, 200, 503] {
        assert_eq!(gateway.get("/").await.status, status);
    }
    assert_eq!(gateway.get("/").await.text(), "Busy");
}
