//! Upstreams that refuse connections, do not respond, or take too long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Port, Proxy, ReadError, Reply, Request, Upstream, Vacant, Visit, assert_eventually,
};

use crate::upstreams_balance::{named, named_at};

#[tokio::test]
async fn another_endpoint_is_tried_if_one_refuses() {
    let (refusing, other) = (Vacant::refusing(), Vacant::refusing());
    let upstream = named("alive").await;
    for method in ["GET", "POST"] {
        let config = Proxy::to(refusing.endpoint())
            .and(upstream.endpoint())
            .and(other.endpoint())
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
        assert_eq!(
            metrics.sum("janua_upstream_retries_total", &[]),
            0.0,
            "nothing was sent to an endpoint that refused"
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
    assert_eq!(gateway.metric("janua_failures_total", &kind).await, 3.0);
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
    // `response_head_timeout` applies to the whole head, not to each byte.
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
    let config = Proxy::to(upstream.endpoint()).upstream("idle_timeout = \"1s\"");
    let gateway = Gateway::start(config).await;
    expect_break(&gateway).await;
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
    let config = Proxy::to(upstream.endpoint()).route("request_timeout = \"2s\"");
    let gateway = Gateway::start(config).await;
    expect_break(&gateway).await;
    assert_eq!(gateway.log_line("/").await["failure"], "whole_timeout");
}

/// A name that does not resolve affects neither the start nor other routes.
#[tokio::test]
async fn a_name_that_does_not_exist() {
    let gateway = Gateway::start(Proxy::to("nowhere.invalid:80")).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 502);
    assert_eq!(response.proxy_error(), Some("dns_error"));
    assert_eq!(gateway.log_line("/").await["failure"], "dns");
}

/// It still gets requests, because there is no other endpoint; but it is
/// reported as down.
#[tokio::test]
async fn a_single_dead_endpoint_is_reported_as_down() {
    let port = Port::reserve();
    let address = port.endpoint();
    let gateway = Gateway::start(Proxy::to(address.as_str())).await;
    let labels = [("upstream", "app")];
    let healthy = async || gateway.metric("janua_endpoint_healthy", &labels).await;
    let endpoint = async || gateway.status().await["upstreams"][0]["endpoints"][0].clone();
    let page = async || gateway.done(&["status"]).await;
    assert_eq!(
        endpoint().await["health"],
        "up",
        "nothing is known of it yet"
    );
    for _ in 0..30 {
        assert_eq!(gateway.get("/").await.status, 502);
    }
    let state = endpoint().await;
    assert_eq!(state["health"], "down", "{state:#}");
    assert_eq!(state["last_error"], "refused");
    assert!(
        state["down_since_unix_ms"]
            .as_u64()
            .is_some_and(|ms| ms > 0)
    );
    assert_eq!(healthy().await, 0.0);
    let attention = page().await;
    let (_, attention) = attention.split_once("attention").unwrap();
    assert!(attention.contains("no endpoint is up"), "{attention}");
    let line = format!("upstream app: {address}: down for ");
    assert!(attention.contains(&line), "{attention}");
    assert!(attention.contains("last failure: refused"), "{attention}");
    let said = gateway.says("endpoint is down").await;
    assert_eq!(said.matches("endpoint is down").count(), 1, "{said}");

    let _back = named_at(&port, "back").await;
    assert_eq!(
        gateway.get("/").await.text(),
        "back",
        "it is never held back"
    );
    assert_eq!(endpoint().await["health"], "up");
    assert_eq!(
        endpoint().await["down_since_unix_ms"],
        serde_json::Value::Null
    );
    assert_eq!(healthy().await, 1.0);
    assert!(!page().await.contains("attention"));
    let said = gateway.says("endpoint is back").await;
    assert_eq!(said.matches("endpoint is back").count(), 1, "{said}");
}

/// Whether endpoints are ejected is evaluated at the time of each attempt:
/// after the long wait for the first endpoint, the second one's ejection is
/// over.
#[tokio::test]
async fn each_attempt_is_judged_at_its_own_time() {
    let is_well = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::raw({
        let is_well = Arc::clone(&is_well);
        move |mut visit: Visit| {
            let is_well = Arc::clone(&is_well);
            async move {
                if visit.request().await.is_ok() && is_well.load(SeqCst) {
                    visit.wire.send(Reply::ok("back").to_bytes("GET")).await;
                }
            }
        }
    })
    .await;
    let never = Vacant::never_accepting();
    let often = format!("{{ address = \"{}\", weight = 1000 }}", upstream.endpoint());
    let config = Proxy::to(often)
        .and(never.endpoint())
        .upstream(
            "connect_timeout = \"1500ms\"\n\
             passive_health = { max_fails = 2, fail_timeout = \"1s\" }",
        )
        .also("/once", "retries = 0");
    let gateway = Gateway::start_one_worker(config).await;
    assert_eventually!({
        gateway.get("/once").await;
        gateway.status().await["upstreams"][0]["endpoints"][0]["health"] == "down"
    });
    is_well.store(true, SeqCst);
    assert_eq!(gateway.get("/").await.text(), "back");
}

/// Sends a request, and reads half of the response.
async fn expect_break(gateway: &Gateway) {
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    let error = wire.try_receive("GET").await.unwrap_err();
    assert!(matches!(error, ReadError::Incomplete(_)), "{error}");
}
