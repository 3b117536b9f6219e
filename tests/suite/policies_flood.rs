//! One client cannot switch a policy off, for others or for itself.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Proxy, Request, Settings, Upstream, Wire, assert_eventually, granted};
use tokio::task::JoinSet;

use crate::hostile_limits::{OTHER, USUAL, connect_from};
use crate::policies_api_key::digest;
use crate::policies_beside::{beside, marked, misbehaving};
use crate::policies_seen::{failures, state_of};

/// A client that sends requests over several connections, one after the other, and counts
/// the status codes.
struct Flood {
    stop: Arc<AtomicBool>,
    connections: JoinSet<BTreeMap<u16, u64>>,
}

impl Flood {
    async fn start(gateway: &Gateway, make: fn(usize) -> Request) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut connections = JoinSet::new();
        for place in 0..4 {
            let mut wire = connect_from(gateway, USUAL).await.unwrap();
            let stop = Arc::clone(&stop);
            connections.spawn(async move {
                let mut counts = BTreeMap::new();
                let mut n = place;
                while !stop.load(SeqCst) {
                    let answer = wire.exchange(&make(n)).await;
                    *counts.entry(answer.status).or_default() += 1;
                    n += 4;
                }
                counts
            });
        }
        Self { stop, connections }
    }

    async fn finish(self) -> BTreeMap<u16, u64> {
        self.stop.store(true, SeqCst);
        let mut sum = BTreeMap::new();
        for counts in self.connections.join_all().await {
            for (status, count) in counts {
                *sum.entry(status).or_default() += count;
            }
        }
        sum
    }
}

/// No two are alike, and it takes time to look at them.
fn unknown_key(n: usize) -> Request {
    Request::get("/").header("X-Api-Key", &format!("{n}-{}", "x".repeat(20_000)))
}

/// Requests of another client, each of which needs a call, until the flood has been throttled
/// often.
async fn ask_beside(gateway: &Gateway, wire: &mut Wire, policy: &str, request: &Request) {
    for n in 0.. {
        let answer = wire.exchange(request).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        let throttled = state_of(gateway, policy).await["throttled"]
            .as_u64()
            .unwrap();
        if n >= 100 && throttled >= 1_000 {
            break;
        }
        assert!(n < 5_000, "the flood is not throttled");
    }
}

#[tokio::test]
async fn a_flood_of_keys_takes_nothing_from_another_client() {
    let upstream = Upstream::echo().await;
    let gateway = Settings::new()
        .workers(1)
        .start(granted(guarded(&upstream, "deny")))
        .await;
    let flood = Flood::start(&gateway, unknown_key).await;
    let mut wire = connect_from(&gateway, OTHER).await.unwrap();
    let known = Request::get("/").header("X-Api-Key", "known");
    ask_beside(&gateway, &mut wire, "keys", &known).await;
    let counts = flood.finish().await;
    assert!(
        counts.keys().all(|status| [401, 429].contains(status)),
        "{counts:?}"
    );
    assert_eq!(state_of(&gateway, "keys").await["state"], "ok");
}

/// Not even where the policy is skipped when it fails.
#[tokio::test]
async fn a_flood_does_not_turn_the_check_of_keys_off() {
    fn spoofed(n: usize) -> Request {
        unknown_key(n).header("X-Consumer", "admin")
    }
    let upstream = Upstream::echo().await;
    let gateway = Settings::new()
        .workers(1)
        .start(granted(guarded(&upstream, "skip")))
        .await;
    let flood = Flood::start(&gateway, spoofed).await;
    let mut wire = connect_from(&gateway, OTHER).await.unwrap();
    let known = Request::get("/").header("X-Api-Key", "known");
    ask_beside(&gateway, &mut wire, "keys", &known).await;
    let counts = flood.finish().await;
    assert!(
        counts.keys().all(|status| [401, 429].contains(status)),
        "{counts:?}"
    );
}

/// Keys that are looked at for each request, by a policy with little time.
fn guarded(upstream: &Upstream, on_error: &str) -> String {
    let proxy = Proxy::to(upstream.endpoint()).site("policies = [\"keys\"]");
    format!(
        r#"
[policies.keys]
component = "api-key"
config = {{ keys = {{ alice = "{}" }} }}
on_error = "{on_error}"
max_reuse = "0s"
throttle = {{ share = "5%", client_share = "1%" }}
{proxy}"#,
        digest("known")
    )
}

/// Each trap ends the instance that other clients use.
#[tokio::test]
async fn a_trapping_client_takes_nothing_from_another_one() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving(
        "bad",
        "do = \"trap\", marked = true",
        "max_reuse = \"0s\"\nthrottle = { share = \"5%\", client_share = \"1%\" }",
    );
    let gateway = Settings::new()
        .workers(1)
        .start(granted(beside(&upstream, &policies)))
        .await;
    let flood = Flood::start(&gateway, |_| marked("/bad/x")).await;
    let mut wire = connect_from(&gateway, OTHER).await.unwrap();
    ask_beside(&gateway, &mut wire, "bad", &Request::get("/bad/good")).await;
    let counts = flood.finish().await;
    assert!(
        counts.keys().all(|status| [503, 429].contains(status)),
        "{counts:?}"
    );
    let state = state_of(&gateway, "bad").await;
    assert_eq!(
        (&state["state"], &state["overloaded"]),
        (&"ok".into(), &0.into())
    );
}

/// Clients of whom each uses so little that none is throttled. The policy is not skipped for
/// them either.
#[tokio::test]
async fn many_clients_use_up_the_time_of_a_policy() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving(
        "slow",
        "do = \"slow\", amount = 50000000, checks = true",
        "on_error = \"skip\"\nmax_reuse = \"0s\"\ndeadline = \"10s\"\nthrottle = { share = \"1%\", client_share = \"1%\" }",
    );
    let gateway = Settings::new()
        .workers(1)
        .start(granted(beside(&upstream, &policies)))
        .await;
    let mut refused = None;
    for client in 1..=200 {
        let address = Ipv4Addr::new(127, 0, 0, client);
        let mut wire = connect_from(&gateway, address).await.unwrap();
        let answer = wire.exchange(&Request::get("/slow/x")).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("its time is never used up");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(
        refused.header("proxy-status"),
        Some("janua; error=proxy_internal_error; details=\"policy_overloaded\"")
    );
    assert_eq!(gateway.get("/good").await.status, 200);
    let is_refused = |line: &serde_json::Value| line["failure"] == "policy_overloaded";
    assert_eventually!(gateway.log().iter().any(is_refused));
    assert_eq!(failures(&gateway, "slow", "overloaded").await, 1.0);
    assert_eq!(state_of(&gateway, "slow").await["overloaded"], 1);
}
