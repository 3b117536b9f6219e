//! Policies that fail for many clients are suspended for a while, and those that use too
//! much time are not called for the clients that use it, which limits their cost.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use janua_tests::{Gateway, Request, Settings, Upstream, assert_eventually, granted};

use crate::hostile_limits::{OTHER, connect_from};
use crate::policies_beside::{beside, healthy, marked, misbehaving};
use crate::policies_seen::{failures, state_of};

/// The CPU time used by the process.
fn cpu(gateway: &Gateway) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", gateway.pid())).unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// After instances were lost for several clients it is not called for a while; remembered
/// verdicts are still used, and then it is called again.
#[tokio::test]
async fn a_policy_that_fails_for_many_clients_is_suspended() {
    let upstream = Upstream::echo().await;
    let bad = misbehaving(
        "bad",
        "do = \"trap\", marked = true, checks = true",
        "breaker = { clients = 3 }",
    );
    let quiet = misbehaving("quiet", "do = \"nothing\"", "");
    let config = beside(
        &upstream,
        &format!(
            "{bad}{quiet}\n[[sites.routes]]\npath = \"/lax/\"\npolicies = [{{ name = \"bad\", on_error = \"skip\" }}]\nupstream = \"app\""
        ),
    );
    let gateway = Settings::new().workers(1).start(granted(config)).await;
    let traffic = healthy(&gateway, "/bad/healthy").await;
    let mut trapped = 0;
    for client in 1..=3 {
        let address = Ipv4Addr::new(127, 0, 0, client);
        let mut wire = connect_from(&gateway, address).await.unwrap();
        // The first client alone fails often.
        for n in 0..if client == 1 { 5 } else { 1 } {
            let answer = wire.exchange(&marked(&format!("/bad/{client}/{n}"))).await;
            assert_eq!(answer.status, 503);
            trapped += 1;
        }
        let state = state_of(&gateway, "bad").await;
        let expected = if client < 3 { "ok" } else { "open" };
        assert_eq!(state["state"], expected, "{client}: {state}");
        assert_eq!(state["traps"], trapped, "{state}");
    }
    let open = [("policy", "bad")];
    assert_eq!(gateway.metric("janua_policy_open", &open).await, 1.0);
    assert_eq!(
        gateway
            .metric("janua_policy_open", &[("policy", "quiet")])
            .await,
        0.0
    );
    gateway
        .says("failed for too many clients and is suspended policy=\"bad\"")
        .await;

    // A request without a remembered verdict is denied, even where the policy may be
    // skipped; one with a remembered verdict is not affected.
    let calls = state_of(&gateway, "bad").await["calls"].clone();
    let denied = gateway.get("/bad/new").await;
    assert_eq!(
        (denied.status, denied.proxy_error()),
        (503, Some("proxy_internal_error"))
    );
    assert_eq!(gateway.get("/lax/new").await.status, 503);
    assert_eq!(gateway.get("/bad/healthy").await.status, 200);
    let line = gateway.log_line("/bad/new").await;
    assert!(line["notes"].to_string().contains("breaker_open"), "{line}");
    assert_eq!(line["failure"], "policy_failed");
    let state = state_of(&gateway, "bad").await;
    assert_eq!((&state["calls"], &state["suspended"]), (&calls, &2.into()));
    assert_eq!(failures(&gateway, "bad", "breaker_open").await, 2.0);

    // The suspension lasts five seconds.
    assert_eventually!(gateway.get("/bad/newer").await.status == 200);
    let state = state_of(&gateway, "bad").await;
    assert_eq!(
        (&state["state"], &state["traps"]),
        (&"ok".into(), &trapped.into()),
        "{state}"
    );
    assert_eq!(gateway.metric("janua_policy_open", &open).await, 0.0);
    traffic.finish().await;
}

/// A policy that has not declared that it may respond checks nothing, and can be left out while
/// it is suspended, where the operator says so.
#[tokio::test]
async fn a_suspended_policy_that_only_edits_can_be_skipped() {
    let upstream = Upstream::echo().await;
    let lax = "\n[[sites.routes]]\npath = \"/lax/\"\npolicies = [{ name = \"edits\", on_error = \"skip\" }]\nupstream = \"app\"";
    let policies = misbehaving(
        "edits",
        "do = \"trap\", marked = true",
        "breaker = { clients = 3 }",
    );
    let config = beside(&upstream, &format!("{policies}{lax}"));
    let gateway = Settings::new().workers(1).start(config).await;
    for client in 1..=3 {
        let address = Ipv4Addr::new(127, 0, 0, client);
        let mut wire = connect_from(&gateway, address).await.unwrap();
        assert_eq!(wire.exchange(&marked("/edits/x")).await.status, 503);
    }
    assert_eq!(state_of(&gateway, "edits").await["state"], "open");
    for n in 0..3 {
        let path = format!("/lax/{n}");
        assert_eq!(gateway.get(&path).await.json()["target"], path);
        let notes = gateway.log_line(&path).await["notes"].to_string();
        assert!(notes.contains("edits: breaker_open"), "{notes}");
    }
    let denied = gateway.get("/edits/new").await;
    assert_eq!(denied.status, 503, "the default of the phase `request`");
}

#[tokio::test]
async fn an_endless_loop_is_bounded_in_cpu() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving("endless", "do = \"loop\"", "throttle = { share = \"20%\" }");
    let gateway = Settings::new()
        .workers(1)
        .start(beside(&upstream, &policies))
        .await;
    gateway.get("/good").await;
    let before = cpu(&gateway);
    let begin = Instant::now();
    let mut wire = gateway.connect().await;
    let mut refused = 0;
    // Ten times as many as the policy may be called for.
    for n in 0..400 {
        let answer = wire.exchange(&Request::get(&format!("/endless/{n}"))).await;
        match answer.status {
            503 => {}
            429 => refused += 1,
            status => panic!("{status}"),
        }
    }
    let used = cpu(&gateway).saturating_sub(before);
    let most = Duration::from_secs(1) + begin.elapsed() / 2;
    assert!(used < most, "{used:?} of CPU");
    assert!(refused > 200, "{refused}");
    let state = state_of(&gateway, "endless").await;
    assert_eq!(state["state"], "ok");
    assert_eq!(state["overruns"], 400 - refused, "{state}");
    assert_eq!(state["throttled"], refused, "{state}");
}

/// A policy may stay within its deadline in each call, and still use more than its share of
/// a worker. Then it is not called for the client for which it does.
#[tokio::test]
async fn a_client_that_takes_too_much_of_a_worker_is_throttled() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving(
        "greedy",
        "do = \"slow\", amount = 2000000",
        "max_reuse = \"0s\"\ndeadline = \"10s\"\nthrottle = { share = \"5%\", client_share = \"1%\" }",
    );
    let gateway = Settings::new()
        .workers(1)
        .start(beside(&upstream, &policies))
        .await;
    let mut wire = gateway.connect().await;
    let request = Request::get("/greedy/x");
    let mut served = 0;
    let refused = loop {
        let answer = wire.exchange(&request).await;
        match answer.status {
            200 => served += 1,
            _ => break answer,
        }
        assert!(served < 10_000, "never throttled");
    };
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(
        refused.header("proxy-status"),
        Some("janua; error=http_request_denied; details=\"policy_throttled\"")
    );
    // Others are served.
    let mut other = connect_from(&gateway, OTHER).await.unwrap();
    let answer = other.exchange(&Request::get("/greedy/other")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(wire.exchange(&Request::get("/good")).await.status, 200);

    let is_refused = |line: &serde_json::Value| line["failure"] == "policy_throttled";
    assert_eventually!(gateway.log().iter().any(is_refused));
    let state = state_of(&gateway, "greedy").await;
    assert_eq!(state["state"], "ok", "{state}");
    let zero = serde_json::Value::from(0);
    for counter in ["overruns", "traps", "errors", "overloaded"] {
        assert_eq!(state[counter], zero, "{counter}: {state}");
    }
    assert_eq!(state["throttled"], 1, "{state}");
    assert_eq!(failures(&gateway, "greedy", "throttled").await, 1.0);
    let told = "the policy uses its whole share of a worker's time";
    gateway.says(told).await;
    assert_eq!(gateway.messages().matches(told).count(), 1);
}
