//! Gateways that end in the middle of an order, and several that share what is kept.

use std::collections::BTreeSet;

use janua_tests::{
    Asked, Challtestsrv, DnsWebhook, Fault, Gateway, Point, ReservedPort, Settings,
    assert_eventually,
};
use tempfile::TempDir;

use crate::acme::{NAME, Scene, listed, listeners, renew, site};

/// Killed where the authority knows more than the gateway, and where it does not: the order is
/// taken up, or another one is placed; the account is the same.
async fn is_killed(places: &[(Asked, Point)]) {
    for &(asked, point) in places {
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

#[tokio::test]
async fn a_gateway_that_is_killed_before_it_knows_its_order() {
    is_killed(&[
        (Asked::NewAccount, Point::Answer),
        (Asked::NewOrder, Point::Request),
        (Asked::NewOrder, Point::Answer),
    ])
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_in_mid_order() {
    is_killed(&[
        (Asked::Challenge, Point::Request),
        (Asked::Finalize, Point::Request),
    ])
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_at_the_end_of_an_order() {
    is_killed(&[
        (Asked::Finalize, Point::Answer),
        (Asked::Certificate, Point::Answer),
    ])
    .await;
}

/// The authority does not answer when the order is to be taken up: that is no reason to place
/// another one, of which there are only so many.
#[tokio::test]
async fn an_order_that_cannot_be_looked_up_at_first() {
    for fault in [Fault::internal(), Fault::Page(502), Fault::rate_limited(60)] {
        let scene = Scene::new().await;
        let hold = scene.front.hold(Asked::Finalize, Point::Answer);
        let mut gateway = scene.start(&[NAME]).await;
        hold.reached().await;
        gateway.kill().await;
        hold.lose();
        let asked = scene.front.count(Asked::Order);
        scene.front.fail(Asked::Order, 1, fault.clone());
        gateway.start_again().await;
        scene.front.asked(Asked::Order, asked + 1).await;
        let status = async || listed(&gateway, NAME).await.unwrap()["acme"].clone();
        assert_eventually!({
            let status = status().await;
            status["last_failure"].is_object() || status["issued_by"].is_string()
        });
        if status().await["issued_by"].is_null() {
            renew(&gateway, NAME).await;
        }
        scene.issued(&gateway, NAME).await;
        assert_eq!(scene.front.orders().len(), 1, "{fault:?}");
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

/// Two gateways that order by the webhook of a provider, and share a state directory.
struct Pair {
    scene: Scene,
    webhook: DnsWebhook,
    provider: Challtestsrv,
    shared: TempDir,
    ports: [(ReservedPort, ReservedPort); 2],
}

impl Pair {
    async fn new() -> Self {
        let provider = Challtestsrv::start().await;
        let webhook = DnsWebhook::of(&provider, "secret").await;
        let scene = Scene::resolving_by(provider.address()).await;
        let shared = tempfile::tempdir().unwrap();
        std::fs::write(shared.path().join("token"), "secret").unwrap();
        Self {
            scene,
            webhook,
            provider,
            shared,
            ports: [(); 2].map(|()| (ReservedPort::reserve(), ReservedPort::reserve())),
        }
    }

    async fn start(&self, number: usize) -> Gateway {
        let (http, tls) = &self.ports[number];
        let config = format!(
            "[acme]\n{}challenges = [\"dns-01\"]\n[acme.dns]\nwebhook = \"{}\"\n\
             token_file = {:?}\nresolvers = [\"{}\"]\ncheck = \"resolvers\"\n{}{}",
            self.scene.authority(),
            self.webhook.url(),
            self.shared.path().join("token"),
            self.provider.address(),
            listeners(http, tls),
            site(&[NAME])
        );
        let state = self.shared.path().join("state");
        Settings::new().state_dir(&state).start(config).await
    }
}

/// Both serve what one of them ordered.
#[tokio::test]
async fn two_gateways_that_share_a_state_directory() {
    let pair = Pair::new().await;
    let hold = pair.scene.front.hold(Asked::Finalize, Point::Request);
    let (one, two) = tokio::join!(pair.start(0), pair.start(1));
    hold.reached().await;
    hold.release();
    let first = pair.scene.issued(&one, NAME).await;
    assert_eq!(pair.scene.issued(&two, NAME).await, first);
    assert_eq!(pair.scene.front.ordered(), [[NAME]]);
    assert_eq!(pair.scene.front.successes(Asked::NewAccount), 1);
}

/// The other one takes up the order of one that was killed, and removes the record that it left
/// in the DNS.
#[tokio::test]
async fn one_of_two_gateways_is_killed_in_mid_order() {
    let pair = Pair::new().await;
    let hold = pair.scene.front.hold(Asked::Challenge, Point::Request);
    let mut one = pair.start(0).await;
    hold.reached().await;
    let two = pair.start(1).await;
    assert_eq!(pair.webhook.present().await.len(), 1);
    one.kill().await;
    hold.lose();
    pair.scene.issued(&two, NAME).await;
    assert_eventually!(pair.webhook.present().await.is_empty());
    assert_eq!(pair.webhook.refused(), [""; 0]);
    assert_eq!(pair.scene.front.orders().len(), 1);
    one.start_again().await;
    pair.scene.issued(&one, NAME).await;
    assert_eq!(pair.scene.front.orders().len(), 1);
}
