//! Policies that fail too often or use too much time are suspended for a while,
//! which limits their cost.

use std::time::{Duration, Instant};

use janua_tests::{Gateway, Request, Settings, Upstream, assert_eventually};

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

/// After five lost instances it is not called for a while; remembered verdicts
/// are still used, and a successful probe ends the suspension.
#[tokio::test]
async fn a_policy_that_keeps_failing_is_suspended() {
    let upstream = Upstream::echo().await;
    let bad = misbehaving("bad", "do = \"trap\", marked = true", "");
    let quiet = misbehaving("quiet", "do = \"nothing\"", "");
    let config = beside(
        &upstream,
        &format!(
            "{bad}{quiet}\n[[sites.routes]]\npath = \"/lax/\"\npolicies = [{{ name = \"bad\", on_error = \"skip\" }}]\nupstream = \"app\""
        ),
    );
    let gateway = Settings::new().workers(1).start(config).await;
    let traffic = healthy(&gateway, "/bad/healthy").await;
    for n in 0..5 {
        assert_eq!(gateway.send(marked(&format!("/bad/{n}"))).await.status, 503);
    }
    let state = state_of(&gateway, "bad").await;
    assert_eq!(
        (&state["state"], &state["traps"]),
        (&"open".into(), &5.into()),
        "{state}"
    );
    let open = [("policy", "bad")];
    assert_eq!(gateway.metrics().await.sum("janua_policy_open", &open), 1.0);
    assert_eq!(
        gateway
            .metrics()
            .await
            .sum("janua_policy_open", &[("policy", "quiet")]),
        0.0
    );

    // A request without a remembered verdict is denied or skips the policy; one
    // with a remembered verdict is not affected.
    let calls = state["calls"].clone();
    let denied = gateway.get("/bad/new").await;
    assert_eq!(
        (denied.status, denied.proxy_error()),
        (503, Some("proxy_internal_error"))
    );
    assert_eq!(gateway.get("/lax/new").await.status, 200);
    assert_eq!(gateway.get("/bad/healthy").await.status, 200);
    let line = gateway.log_line("/bad/new").await;
    assert!(line["notes"].to_string().contains("breaker_open"), "{line}");
    assert_eq!(state_of(&gateway, "bad").await["calls"], calls);
    assert_eq!(failures(&gateway, "bad", "breaker_open").await, 2.0);

    // The suspension lasts five seconds; a probe that traps begins another.
    assert_eventually!(gateway.get("/bad/newer").await.status == 200);
    let state = state_of(&gateway, "bad").await;
    assert_eq!(
        (&state["state"], &state["traps"]),
        (&"ok".into(), &5.into()),
        "{state}"
    );
    assert_eq!(gateway.metrics().await.sum("janua_policy_open", &open), 0.0);
    traffic.finish().await;
}

#[tokio::test]
async fn an_endless_loop_is_bounded_in_cpu() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving("endless", "do = \"loop\"", "");
    let gateway = Gateway::start(beside(&upstream, &policies)).await;
    gateway.get("/good").await;
    let before = cpu(&gateway);
    let begin = Instant::now();
    for n in 0..50 {
        assert_eq!(gateway.get(&format!("/endless/{n}")).await.status, 503);
    }
    let used = cpu(&gateway).saturating_sub(before);
    // Five calls of 10 ms, exact to a tick or two; then it is suspended, with
    // one probe for every five seconds.
    let probes = u32::try_from(begin.elapsed().as_secs() / 5).unwrap();
    let most = Duration::from_millis(400) + probes * Duration::from_millis(40);
    assert!(used < most, "{used:?} of CPU");
    let state = state_of(&gateway, "endless").await;
    assert_eq!(state["state"], "open");
    assert!(
        state["overruns"].as_u64().unwrap() <= 5 + u64::from(probes),
        "{state}"
    );
}

/// A policy may stay within its deadline in each call, and still use more than
/// its share of a worker.
#[tokio::test]
async fn a_policy_that_uses_too_much_of_a_worker_is_suspended() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving(
        "greedy",
        "do = \"slow\", amount = 20000000",
        "max_reuse = \"0s\"\ndeadline = \"10s\"",
    );
    let gateway = Settings::new()
        .workers(1)
        .start(beside(&upstream, &policies))
        .await;
    let mut wire = gateway.connect().await;
    let request = Request::get("/greedy/x");
    assert_eq!(wire.exchange(&request).await.status, 200);
    // Half of a worker's second is too much. On a machine that is busy otherwise
    // the worker may not get so much of a processor, and then the policy does not
    // either: only time in which the worker did run counts against the gateway.
    let (mut begin, mut before) = (Instant::now(), cpu(&gateway));
    while wire.exchange(&request).await.status == 200 {
        if begin.elapsed() >= Duration::from_secs(3) {
            let used = cpu(&gateway).saturating_sub(before);
            let elapsed = begin.elapsed();
            assert!(used < elapsed * 3 / 4, "not suspended after {used:?}");
            (begin, before) = (Instant::now(), cpu(&gateway));
        }
    }
    let state = state_of(&gateway, "greedy").await;
    assert_ne!(state["state"], "ok", "{state}");
    assert_eq!(
        (&state["overruns"], &state["traps"]),
        (&0.into(), &0.into()),
        "{state}"
    );
    assert_eventually!(
        gateway
            .messages()
            .contains("is suspended policy=\"greedy\"")
    );
    assert_eq!(gateway.get("/good").await.status, 200);
}
