//! Active health checks over starts and reloads: what is new waits, and what was up stays up.

use std::time::Duration;

use janua_tests::{
    Gateway, Proxy, Received, Reply, Upstream, Vacant, assert_eventually, eventually,
};

use crate::upstreams_health::{FAST, Service, endpoint, is};

fn health(more: &str) -> String {
    format!("health = {{ {FAST}{more} }}")
}

#[tokio::test]
async fn a_new_endpoint_gets_nothing_before_its_first_pass() {
    let (old, new) = (Service::start("old").await, Service::start("new").await);
    let config = Proxy::to(old.upstream.endpoint()).upstream(&health(""));
    let mut gateway = Gateway::start(config).await;
    new.set(503);
    let config = Proxy::to(old.upstream.endpoint())
        .and(new.upstream.endpoint())
        .upstream(&health(""));
    gateway.reload(config).await;
    let state = endpoint(&gateway, 1).await;
    assert_eq!(state["check"]["state"], "waiting", "{state:#}");
    assert_eq!(
        state["health"], "down",
        "its first check has failed before the reload ended"
    );
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.text(), "old");
    }
    assert_eq!(new.requests(), 0);
    // A single pass suffices.
    let checks = new.checks();
    assert_eventually!(new.checks() > checks + 3);
    new.set(200);
    assert_eventually!(gateway.get("/").await.text() == "new");
}

/// The first request after a start finds an endpoint that has been checked.
#[tokio::test]
async fn a_start_waits_for_the_first_checks() {
    let slow = Upstream::http(async |request: Received| {
        if request.target == "/health" {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Reply::ok("slow")
    })
    .await;
    let config = Proxy::to(slow.endpoint()).upstream(&health(""));
    let mut gateway = Gateway::start(&config).await;
    assert_eq!(gateway.get("/").await.text(), "slow");
    gateway.stop().await;
    gateway.start_again().await;
    assert_eq!(gateway.get("/").await.text(), "slow");
    // So does a reload that replaces all endpoints.
    let other = Upstream::http(async |request: Received| {
        if request.target == "/health" {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Reply::ok("other")
    })
    .await;
    gateway
        .reload(Proxy::to(other.endpoint()).upstream(&health("")))
        .await;
    assert_eq!(gateway.get("/").await.text(), "other");
}

/// It does not wait for one that hangs.
#[tokio::test]
async fn a_start_waits_only_for_a_while() {
    let hung = Upstream::silent().await;
    let config = Proxy::to(hung.endpoint())
        .upstream("health = { path = \"/\", timeout = \"1h\", interval = \"1h\" }");
    let gateway = Gateway::start(config).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 503);
    assert!(
        response
            .header("proxy-status")
            .is_some_and(|it| it.ends_with("details=\"not checked yet\"")),
        "{response:?}"
    );
    assert!(is(&gateway, 0, "waiting").await);
    let attention = crate::upstreams_health::page(&gateway).await;
    assert!(
        attention.contains("waits for its first check"),
        "{attention}"
    );
}

#[tokio::test]
async fn a_reload_keeps_what_was_decided() {
    let (up, down) = (Service::start("up").await, Service::start("down").await);
    let to_both = |lines: &str| {
        Proxy::to(up.upstream.endpoint())
            .and(down.upstream.endpoint())
            .upstream(lines)
    };
    // Checks begin while the upstream is in use: what was in use stays in use.
    let mut gateway = Gateway::start(to_both("")).await;
    down.set(503);
    gateway.reload(to_both(&health(", fall = 5"))).await;
    let mut names = std::collections::BTreeSet::new();
    let state = endpoint(&gateway, 1).await;
    assert!(
        state["check"]["state"] == "unchecked" || state["check"]["state"] == "down",
        "{state:#}"
    );
    assert_eventually!(is(&gateway, 1, "down").await);
    for turn in 0..4 {
        // Other settings, and the same question.
        gateway
            .reload(to_both(&health(&format!(", fall = {}", 6 + turn))))
            .await;
        assert!(is(&gateway, 0, "up").await && is(&gateway, 1, "down").await);
        names.insert(gateway.get("/").await.text().to_owned());
    }
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["up"]);
    // With another question a single pass suffices, however many it takes otherwise.
    down.set(200);
    let other =
        "health = { path = \"/health/other\", interval = \"1h\", timeout = \"10s\", rise = 1000 }";
    gateway.reload(to_both(other)).await;
    assert_eventually!(is(&gateway, 1, "up").await);
    // Without checks all are used.
    down.set(503);
    gateway.reload(to_both(&health(""))).await;
    assert_eventually!(is(&gateway, 1, "down").await);
    gateway.reload(to_both("")).await;
    assert_eventually!(is(&gateway, 1, "up").await);
    assert_eventually!(gateway.get("/").await.text() == "down");
}

/// What a reload has begun to check ends with its refusal.
#[tokio::test]
async fn a_refused_reload_leaves_nothing_behind() {
    let (old, new) = (Service::start("old").await, Service::start("new").await);
    let config = Proxy::to(old.upstream.endpoint()).upstream(&health(""));
    let gateway = Gateway::start(&config).await;
    // An address that cannot be bound is noticed last of all.
    let taken = Upstream::echo().await;
    let listener = format!("[listeners.more]\naddress = \"{}\"\n", taken.endpoint());
    let other = Proxy::to(old.upstream.endpoint())
        .and(new.upstream.endpoint())
        .upstream(&health(""));
    let refused = gateway.try_reload(format!("{other}\n{listener}")).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(new.checks() > 0, "it was checked before the refusal");
    // Nobody asks it any more, while the other one is asked many times.
    let settled = eventually(async || {
        let (before, asked) = (new.checks(), old.checks());
        eventually(async || (old.checks() > asked + 10).then_some(())).await?;
        (new.checks() == before).then_some(())
    });
    assert!(settled.await.is_some(), "it is still checked");
    assert_eq!(gateway.get("/").await.text(), "old");
}

/// A reload in the middle of a check, and of a change that is being decided.
#[tokio::test]
async fn reloads_in_the_middle_of_checks() {
    let hung = Upstream::silent().await;
    let service = Service::start("well").await;
    let to_both = |turn: usize| {
        Proxy::to(hung.endpoint())
            .and(service.upstream.endpoint())
            .upstream(&format!(
                "health = {{ path = \"/health\", interval = \"{}ms\", timeout = \"400ms\" }}",
                20 + turn
            ))
    };
    let mut gateway = Gateway::start(to_both(0)).await;
    for turn in 1..8 {
        gateway.reload(to_both(turn)).await;
        assert_eq!(gateway.get("/").await.text(), "well");
    }
    assert_eventually!(endpoint(&gateway, 0).await["last_error"] == "timeout");
    assert_eventually!(
        hung.open() <= 1,
        "checks that reloads ended have left nothing open"
    );
}

/// An endpoint that leaves and comes back is new.
#[tokio::test]
async fn who_comes_back_must_pass_first() {
    let (stays, leaves) = (
        Service::start("stays").await,
        Service::start("leaves").await,
    );
    let both = Proxy::to(stays.upstream.endpoint())
        .and(leaves.upstream.endpoint())
        .upstream(&health(""));
    let one = Proxy::to(stays.upstream.endpoint()).upstream(&health(""));
    let mut gateway = Gateway::start(&both).await;
    assert_eventually!(gateway.get("/").await.text() == "leaves");
    gateway.reload(one).await;
    leaves.set(503);
    gateway.reload(&both).await;
    assert_eq!(endpoint(&gateway, 1).await["check"]["state"], "waiting");
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "stays");
    }
}

/// A thousand endpoints, most of which refuse, and a few of which hang.
#[tokio::test]
async fn a_thousand_endpoints() {
    let service = Service::start("well").await;
    let hung = Upstream::silent().await;
    let refusing = Vacant::refusing();
    // All of 127.0.0.0/8 is this machine.
    let at = |port: u16, n: usize| format!("127.0.{}.{}:{port}", 1 + n / 250, 1 + n % 250);
    let mut config = Proxy::to(service.upstream.endpoint()).and(hung.endpoint());
    for n in 0..1000 {
        config = config.and(at(refusing.address().port(), n));
    }
    let config = config
        .upstream("health = { path = \"/health\", interval = \"2s\", timeout = \"2s\", fall = 1 }");
    let gateway = Gateway::start(config).await;
    let down = async || {
        let status = gateway.status().await;
        let endpoints = status["upstreams"][0]["endpoints"]
            .as_array()
            .unwrap()
            .clone();
        endpoints.iter().filter(|it| it["health"] == "down").count()
    };
    assert_eventually!(down().await == 1001, "{} are down", down().await);
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "well");
    }
}
