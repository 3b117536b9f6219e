//! Gateways that end in the middle of an order, and several that share what is kept.

use std::collections::BTreeSet;

use janua_tests::{Asked, Challtestsrv, DnsWebhook, Point, ReservedPort, Settings};

use crate::acme::{NAME, Scene, listeners, site};

/// Killed where the authority knows more than the gateway, and where it does not: the order is
/// taken up, or another one is placed; the account is the same.
#[tokio::test]
async fn a_gateway_that_is_killed_in_mid_order() {
    for (asked, point) in [
        (Asked::NewAccount, Point::Answer),
        (Asked::NewOrder, Point::Request),
        (Asked::NewOrder, Point::Answer),
        (Asked::Challenge, Point::Request),
        (Asked::Finalize, Point::Request),
        (Asked::Finalize, Point::Answer),
        (Asked::Certificate, Point::Answer),
    ] {
        let scene = Scene::new().await;
        let hold = scene.front.hold(asked, point);
        let mut gateway = scene.start(&[NAME]).await;
        hold.reached().await;
        gateway.kill().await;
        hold.lose();
        gateway.start_again().await;
        scene.issued(&gateway, NAME).await;
        let orders = scene.front.orders();
        let accounts: BTreeSet<_> = orders
            .iter()
            .map(|o| o.protected["kid"].to_string())
            .collect();
        assert_eq!(accounts.len(), 1, "{asked:?} {point:?}");
        assert!(orders.len() <= 2, "{asked:?} {point:?}: {orders:#?}");
        // What is there afterwards is whole.
        let certificate = scene.issued(&gateway, NAME).await;
        gateway.stop().await;
        gateway.start_again().await;
        assert_eq!(scene.issued(&gateway, NAME).await, certificate);
        assert_eq!(
            scene.front.orders().len(),
            orders.len(),
            "{asked:?} {point:?}"
        );
    }
}

/// Told to end in the middle of an order, it ends in time.
#[tokio::test]
async fn a_gateway_that_is_stopped_in_mid_order() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::Finalize, Point::Request);
    let mut gateway = scene.start(&[NAME]).await;
    hold.reached().await;
    let begin = std::time::Instant::now();
    gateway.stop().await;
    let took = begin.elapsed();
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
    hold.lose();
    gateway.start_again().await;
    scene.issued(&gateway, NAME).await;
}

/// Both serve what one of them ordered.
#[tokio::test]
async fn two_gateways_that_share_a_state_directory() {
    let provider = Challtestsrv::start().await;
    let webhook = DnsWebhook::of(&provider, "secret").await;
    let scene = Scene::resolving_by(provider.address()).await;
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("token"), "secret").unwrap();
    let acme = format!(
        "challenges = [\"dns-01\"]\n[acme.dns]\nwebhook = \"{}\"\ntoken_file = {:?}\n\
         resolvers = [\"{}\"]\ncheck = \"resolvers\"\n",
        webhook.url(),
        shared.path().join("token"),
        provider.address()
    );
    let ports = [(); 2].map(|()| (ReservedPort::reserve(), ReservedPort::reserve()));
    let config = |(http, tls): &(ReservedPort, ReservedPort)| {
        let authority = scene.authority();
        let listeners = listeners(http, tls);
        format!("[acme]\n{authority}{acme}\n{listeners}{}", site(&[NAME]))
    };
    let state = shared.path().join("state");
    let start = |at: usize| Settings::new().state_dir(&state).start(config(&ports[at]));
    let hold = scene.front.hold(Asked::Finalize, Point::Request);
    let (one, two) = tokio::join!(start(0), start(1));
    hold.reached().await;
    hold.release();
    let first = scene.issued(&one, NAME).await;
    assert_eq!(scene.issued(&two, NAME).await, first);
    assert_eq!(scene.front.ordered(), [[NAME]]);
    assert_eq!(scene.front.successes(Asked::NewAccount), 1);
}
