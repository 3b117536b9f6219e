//! Outliers, endpoints that ask to be left alone, and when all are tried all the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{
    Gateway, Proxy, Reply, Request, Settings, Upstream, Vacant, Visit, assert_eventually,
};

use crate::upstreams_balance::named;

/// An endpoint that answers with an error as long as that is so, and how that is switched.
async fn switched(name: &'static str, error: Reply) -> (Upstream, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&fails);
    let upstream = Upstream::http(move |_| {
        let reply = match fails.load(SeqCst) {
            true => error.clone(),
            false => Reply::ok(name),
        };
        std::future::ready(reply)
    });
    (upstream.await, switch)
}

/// How many of so many requests had which status.
async fn statuses(gateway: &Gateway, count: usize) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for _ in 0..count {
        let status = gateway.get("/").await.status;
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

async fn ejections(gateway: &Gateway, reason: &str) -> f64 {
    let labels = [("reason", reason)];
    gateway
        .metric("janua_upstream_ejections_total", &labels)
        .await
}

async fn healthy(gateway: &Gateway, upstream: &Upstream) -> bool {
    let endpoint = upstream.endpoint();
    let labels = [("endpoint", &*endpoint)];
    gateway.metric("janua_endpoint_healthy", &labels).await > 0.0
}

#[tokio::test]
async fn an_endpoint_that_answers_with_errors_is_ejected_and_comes_back() {
    let (bad, fails) = switched("bad", Reply::new(500)).await;
    let good = named("good").await;
    let config = Proxy::to(bad.endpoint())
        .and(good.endpoint())
        .upstream("outliers = { errors = 3, eject = \"1s\" }");
    let gateway = Settings::new().workers(2).start(config).await;
    assert_eventually!({
        gateway.get("/").await;
        ejections(&gateway, "5xx").await == 1.0
    });
    assert!(!healthy(&gateway, &bad).await);
    let status = gateway.status().await;
    assert_eq!(status["upstreams"][0]["endpoints"][0]["health"], "down");
    assert!(bad.request_count() >= 3);
    // One probe after each ejection fails, and makes the next one longer.
    let probed = bad.request_count();
    assert_eventually!({
        gateway.get("/").await;
        bad.request_count() > probed
    });
    fails.store(false, SeqCst);
    assert_eventually!({
        gateway.get("/").await;
        healthy(&gateway, &bad).await
    });
    assert_eq!(statuses(&gateway, 20).await, BTreeMap::from([(200, 20)]));
    assert_eventually!(gateway.get("/").await.text() == "bad");
}

/// Whoever can provoke errors takes out the share `most`, or one, and then nothing more.
#[tokio::test]
async fn somebody_who_provokes_errors_takes_one_endpoint_out_at_most() {
    let flaw = async || {
        Upstream::http(async |request| match request.target.as_str() {
            "/flaw" => Reply::new(500),
            _ => Reply::ok("well"),
        })
        .await
    };
    let (one, two, three) = (flaw().await, flaw().await, flaw().await);
    let config = Proxy::to(one.endpoint())
        .and(two.endpoint())
        .and(three.endpoint())
        .upstream("outliers = { errors = 2, eject = \"1h\" }");
    let gateway = Settings::new().workers(2).start(config).await;
    for _ in 0..60 {
        gateway.get("/flaw").await;
    }
    assert_eq!(ejections(&gateway, "5xx").await, 1.0);
    let mut up = 0;
    for upstream in [&one, &two, &three] {
        up += usize::from(healthy(&gateway, upstream).await);
    }
    assert_eq!(up, 2);
    assert_eq!(statuses(&gateway, 20).await, BTreeMap::from([(200, 20)]));
}

#[tokio::test]
async fn errors_of_a_kind_can_be_left_out() {
    let (bad, _) = switched("bad", Reply::new(500)).await;
    let good = named("good").await;
    let config = Proxy::to(bad.endpoint())
        .and(good.endpoint())
        .upstream("outliers = { errors = { every = 1, status = 0 } }");
    let gateway = Gateway::start_one_worker(config).await;
    let expected = BTreeMap::from([(200, 20), (500, 20)]);
    assert_eq!(statuses(&gateway, 40).await, expected);
    assert_eq!(ejections(&gateway, "5xx").await, 0.0);
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_ejected_after_as_many_attempts() {
    let refusing = Vacant::refusing();
    let good = named("good").await;
    let config = Proxy::to(refusing.endpoint())
        .and(good.endpoint())
        .upstream("outliers = { errors = 4 }");
    let gateway = Gateway::start_one_worker(config).await;
    assert_eq!(statuses(&gateway, 50).await, BTreeMap::from([(200, 50)]));
    assert_eq!(ejections(&gateway, "connect").await, 1.0);
    let metrics = gateway.metrics().await;
    // `passive_health`, which one failure would satisfy, is not in effect beside it.
    let failures = metrics.sum("janua_upstream_failures_total", &[]);
    assert_eq!(failures, 4.0);
}

#[tokio::test]
async fn an_ejection_outlives_a_reload() {
    let (bad, _) = switched("bad", Reply::new(503)).await;
    let good = named("good").await;
    let config = Proxy::to(bad.endpoint())
        .and(good.endpoint())
        .upstream("outliers = { errors = 2, eject = \"1h\" }");
    let mut gateway = Settings::new().workers(2).start(config.clone()).await;
    assert_eventually!({
        gateway.get("/").await;
        ejections(&gateway, "5xx").await == 1.0
    });
    let before = bad.request_count();
    gateway.reload(config.route("access_log = false")).await;
    assert_eq!(statuses(&gateway, 30).await, BTreeMap::from([(200, 30)]));
    assert_eq!(bad.request_count(), before);
    // Without outliers nothing keeps it out.
    let without = Proxy::to(bad.endpoint()).and(good.endpoint());
    gateway.reload(without).await;
    assert!(statuses(&gateway, 30).await.contains_key(&503));
}

#[tokio::test]
async fn the_endpoint_that_succeeds_least_is_ejected() {
    let mut upstreams = Vec::new();
    for index in 0..6 {
        let served = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let upstream = Upstream::http(move |_| {
            let turn = served.fetch_add(1, SeqCst);
            let fails = index == 2 && turn.is_multiple_of(2);
            std::future::ready(Reply::new(if fails { 500 } else { 200 }).body("x"))
        });
        upstreams.push(upstream.await);
    }
    let mut config = Proxy::to(upstreams[0].endpoint());
    for upstream in &upstreams[1..] {
        config = config.and(upstream.endpoint());
    }
    let outliers = "outliers = { interval = \"2s\", success_rate = { requests = 4 } }";
    let gateway = Gateway::start_one_worker(config.upstream(outliers)).await;
    assert_eventually!({
        for _ in 0..60 {
            gateway.get("/").await;
        }
        ejections(&gateway, "success_rate").await == 1.0
    });
    assert!(!healthy(&gateway, &upstreams[2]).await);
    assert_eq!(ejections(&gateway, "5xx").await, 0.0, "never two in a row");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_it_is_left_alone() {
    let reply = Reply::new(503).header("Retry-After", "3600");
    let (busy, _) = switched("busy", reply).await;
    let good = named("good").await;
    let config = Proxy::to(busy.endpoint())
        .and(good.endpoint())
        .upstream("outliers = true");
    let gateway = Settings::new().workers(2).start(config.clone()).await;
    assert_eventually!({
        gateway.get("/").await;
        busy.request_count() == 1
    });
    assert_eventually!(ejections(&gateway, "retry_after").await == 1.0);
    assert_eq!(statuses(&gateway, 30).await, BTreeMap::from([(200, 30)]));
    assert_eq!(busy.request_count(), 1);

    let ignored = config.upstream("outliers = { retry_after = false, errors = 0 }");
    let gateway = Gateway::start_one_worker(ignored).await;
    assert!(statuses(&gateway, 20).await.contains_key(&503));
    assert!(busy.request_count() > 2);
}

/// A 429 is about whoever has sent the request: one greedy client must not take endpoints from
/// others.
#[tokio::test]
async fn a_429_is_heeded_only_if_that_is_configured() {
    let reply = Reply::new(429).header("Retry-After", "3600");
    let (strict, _) = switched("strict", reply).await;
    let good = named("good").await;
    let both = Proxy::to(strict.endpoint()).and(good.endpoint());
    let gateway = Gateway::start_one_worker(both.clone().upstream("outliers = true")).await;
    let expected = BTreeMap::from([(200, 10), (429, 10)]);
    assert_eq!(statuses(&gateway, 20).await, expected);
    let before = strict.request_count();
    let heeded = "outliers = { retry_after = { statuses = [429, 503] } }";
    let gateway = Gateway::start_one_worker(both.upstream(heeded)).await;
    let ejected = statuses(&gateway, 20).await;
    assert_eq!(ejected.get(&429), Some(&1), "{ejected:?}");
    assert_eq!(strict.request_count(), before + 1);
}

#[tokio::test]
async fn if_all_ask_for_it_the_last_one_is_tried() {
    let reply = Reply::new(503).header("Retry-After", "3600");
    let (one, _) = switched("one", reply.clone()).await;
    let (two, _) = switched("two", reply).await;
    let config = Proxy::to(one.endpoint())
        .and(two.endpoint())
        .upstream("outliers = { most = \"100%\", errors = 0 }");
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..10 {
        let response = gateway.get("/").await;
        assert_eq!(response.status, 503);
        assert_eq!(response.proxy_error(), None, "an endpoint has answered");
    }
    assert_eq!(ejections(&gateway, "retry_after").await, 1.0);
    let counts = [one.request_count(), two.request_count()];
    assert!(counts.contains(&1) && counts.contains(&9), "{counts:?}");
}

/// With too few endpoints left, all get requests, so that those few do not have to do the work of
/// all; unless that is turned off.
#[tokio::test]
async fn the_panic_threshold_decides_when_all_are_tried() {
    let refusing: Vec<Vacant> = (0..3).map(|_| Vacant::refusing()).collect();
    let good = named("good").await;
    let endpoints = |extra: &str| {
        let mut config = Proxy::to(good.endpoint());
        for vacant in &refusing {
            config = config.and(vacant.endpoint());
        }
        let outliers = "outliers = { errors = 1, eject = \"1h\", most = \"100%\" }";
        config.upstream(&format!("{outliers}\n{extra}"))
    };
    let failures =
        async |gateway: &Gateway| gateway.metric("janua_upstream_failures_total", &[]).await;
    for (threshold, are_tried) in [("", false), ("panic_threshold = \"50%\"", true)] {
        let gateway = Gateway::start_one_worker(endpoints(threshold)).await;
        assert_eventually!({
            gateway.get("/").await;
            ejections(&gateway, "connect").await >= 3.0
        });
        let before = failures(&gateway).await;
        assert_eq!(statuses(&gateway, 20).await, BTreeMap::from([(200, 20)]));
        let are_tried_now = failures(&gateway).await > before;
        assert_eq!(are_tried_now, are_tried, "{threshold}");
    }
    // Without the good one none is left.
    for (threshold, status) in [("", 502), ("panic_threshold = 0", 503)] {
        let mut config = Proxy::to(refusing[0].endpoint()).and(refusing[1].endpoint());
        let outliers = "outliers = { errors = 1, eject = \"1h\", most = \"100%\" }\nretries = 0";
        config = config.upstream(&format!("{outliers}\n{threshold}"));
        let gateway = Gateway::start_one_worker(config).await;
        assert_eventually!({
            gateway.get("/").await;
            ejections(&gateway, "connect").await >= 2.0
        });
        assert_eq!(gateway.get("/").await.status, status, "{threshold}");
    }
}

/// A backup that works is among those that are tried when too few are left.
#[tokio::test]
async fn a_panic_leaves_no_backup_out() {
    let refusing: Vec<Vacant> = (0..3).map(|_| Vacant::refusing()).collect();
    let good = named("good").await;
    let backup = format!("{{ address = \"{}\", backup = true }}", good.endpoint());
    let mut config = Proxy::to(backup);
    for vacant in &refusing {
        config = config.and(vacant.endpoint());
    }
    let outliers = "outliers = { errors = 1, eject = \"1h\", most = \"100%\" }";
    let gateway = Gateway::start_one_worker(
        config.upstream(&format!("{outliers}\npanic_threshold = \"50%\"")),
    )
    .await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
}

#[tokio::test]
async fn bad_settings_are_refused_with_their_place() {
    let gateway = Gateway::start(Proxy::to("127.0.0.1:1")).await;
    let bad = Proxy::to("127.0.0.1:1").upstream("outliers = { most = \"0%\" }");
    let refused = gateway.try_reload(bad).await.unwrap_err().to_string();
    assert!(refused.contains("is not a share"), "{refused}");
    let good = gateway.send(Request::get("/")).await;
    assert_eq!(good.status, 502);
}

/// Each kind of error in a row ejects an endpoint, and is called by its name.
#[tokio::test]
async fn every_kind_of_error_ejects() {
    let closes = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
    })
    .await;
    let silent = Upstream::silent().await;
    let refusing = Vacant::refusing();
    let (broken, _) = switched("broken", Reply::new(502)).await;
    let good = named("good").await;
    for (endpoint, reason) in [
        (closes.endpoint(), "reset"),
        (silent.endpoint(), "timeout"),
        (refusing.endpoint(), "connect"),
        (broken.endpoint(), "5xx"),
    ] {
        let config = Proxy::to(endpoint)
            .and(good.endpoint())
            .upstream("outliers = { errors = 2, eject = \"1h\" }\nresponse_head_timeout = \"1s\"");
        let gateway = Gateway::start_one_worker(config).await;
        assert_eventually!({
            gateway.get("/").await;
            ejections(&gateway, reason).await == 1.0
        });
        assert_eq!(statuses(&gateway, 10).await, BTreeMap::from([(200, 10)]));
        let all = gateway.metric("janua_upstream_ejections_total", &[]).await;
        assert_eq!(all, 1.0, "{reason}");
    }
}
