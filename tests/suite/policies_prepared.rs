//! No request waits until a policy is configured: not the first one, not that
//! after a reload, and not the one after a trap.

use janua_tests::{Gateway, Settings, Upstream, assert_eventually, granted};

use crate::policies_beside::{beside, marked, misbehaving};
use crate::policies_seen::state_of;

/// The `configure` of the policy burns CPU time.
fn slow(name: &str) -> String {
    let what = "do = \"slow\", amount = 50_000_000, phase = \"configure\"";
    misbehaving(name, what, "configure_deadline = \"30s\"")
}

/// How many instances were made for a policy in this way while a request
/// waited or could have waited.
async fn instances(gateway: &Gateway, policy: &str, made: &str) -> f64 {
    let labels = [("policy", policy), ("made", made)];
    gateway
        .metric("janua_policy_instances_total", &labels)
        .await
}

#[tokio::test]
async fn first_requests_find_their_policies_configured() {
    let upstream = Upstream::echo().await;
    let mut gateway = Settings::new()
        .workers(1)
        .start(granted(beside(&upstream, &slow("first"))))
        .await;
    for path in ["/first/a", "/first/a", "/good", "/good"] {
        assert_eq!(gateway.get(path).await.status, 200, "{path}");
    }
    // Policies of the same component join it, now and again.
    for n in 0..6 {
        let more = slow("first") + &slow(&format!("next-{n}"));
        gateway.reload(granted(beside(&upstream, &more))).await;
        let path = format!("/next-{n}/a");
        assert_eq!(gateway.get(&path).await.status, 200, "{path}");
        assert_eq!(gateway.get("/first/a").await.status, 200, "{path}");
        let next = format!("next-{n}");
        assert_eq!(state_of(&gateway, &next).await["calls"], 1);
        assert_eq!(instances(&gateway, &next, "worker").await, 0.0);
    }
    let state = state_of(&gateway, "first").await;
    assert_eq!(
        (&state["calls"], &state["hits"]),
        (&1.into(), &7.into()),
        "{state}"
    );
    for policy in ["first", "good"] {
        assert_eq!(instances(&gateway, policy, "worker").await, 0.0);
    }
}

#[tokio::test]
async fn a_trap_costs_a_spare_instance() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving("bad", "do = \"trap\", marked = true", "");
    let gateway = Settings::new()
        .workers(1)
        .start(granted(beside(&upstream, &policies)))
        .await;
    // The spare is made while the gateway starts, and may not be ready yet.
    assert_eventually!({
        assert_eq!(gateway.send(marked("/bad/x")).await.status, 503);
        let path = format!("/bad/{}", instances(&gateway, "bad", "worker").await);
        assert_eq!(gateway.get(&path).await.status, 200);
        instances(&gateway, "bad", "spare").await > 0.0
    });
}
