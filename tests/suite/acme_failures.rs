//! Orders that fail: what the operator is told, what clients get meanwhile, and that it is mended
//! once the cause is.

use std::time::{Duration, Instant, UNIX_EPOCH};

use janua_tests::{Asked, Call, Fault, Gateway, assert_eventually};
use serde_json::Value;

use crate::acme::{NAME, Scene, issuer, listed, lists, renew, shown, site};

/// The authority can be reached neither when the gateway starts nor later; then it can.
#[tokio::test]
async fn an_authority_that_is_down() {
    let mut scene = Scene::new().await;
    scene.pebble.stop();
    let gateway = scene.start(&[NAME]).await;
    assert_eventually!(scene.front.count(Asked::Directory) > 0);
    let before = shown(&gateway, NAME).await;
    assert!(!issuer(&before).contains("Pebble"));
    assert_eventually!(listed(&gateway, NAME).await.unwrap()["acme"]["last_failure"].is_object());
    scene.pebble.start_again().await;
    renew(&gateway, NAME).await;
    scene.issued(&gateway, NAME).await;
    assert!(listed(&gateway, NAME).await.unwrap()["acme"]["last_failure"].is_null());
}

/// The wait that the authority asks for is respected; an operator knows better.
#[tokio::test]
async fn a_rate_limit() {
    let scene = Scene::new().await;
    scene
        .front
        .fail(Asked::NewOrder, 1, Fault::rate_limited(7200));
    let gateway = scene.start(&[NAME]).await;
    lists(&gateway, NAME, "too many certificates (5) already issued").await;
    lists(&gateway, NAME, "rateLimited").await;
    gateway
        .says("too many certificates (5) already issued")
        .await;
    let listed = listed(&gateway, NAME).await.unwrap();
    assert!(next_attempt(&listed) >= 7100, "{listed}");
    assert_eq!(scene.front.count(Asked::NewOrder), 1);
    renew(&gateway, NAME).await;
    scene.issued(&gateway, NAME).await;
}

/// In how many seconds it is tried again.
fn next_attempt(listed: &Value) -> i64 {
    let next = listed["acme"]["next_attempt_unix_ms"].as_i64().unwrap();
    let now = UNIX_EPOCH.elapsed().unwrap().as_millis();
    (next - i64::try_from(now).unwrap()) / 1000
}

/// The wait is that of the name: a reload because of another one does not end it.
#[tokio::test]
async fn a_rate_limit_and_a_reload() {
    let scene = Scene::new().await;
    let fault = Fault::rate_limited(7200);
    scene.front.fail(Asked::NewOrder, 1, fault);
    let mut gateway = scene.start(&[NAME]).await;
    lists(&gateway, NAME, "rateLimited").await;
    let sites = [site(&[NAME]), site(&["new.example.com"])];
    gateway.reload(scene.by_http(&sites)).await;
    scene.issued(&gateway, "new.example.com").await;
    let orders = scene.front.calls_of(Asked::NewOrder);
    let names: Vec<_> = orders.iter().map(Call::names).collect();
    assert_eq!(names, [[NAME], ["new.example.com"]]);
}

/// The problem document with its subproblems, for a person and for machines.
#[tokio::test]
async fn a_name_that_the_authority_rejects() {
    let scene = Scene::new().await;
    let wrong = "wrong.example.com";
    scene
        .front
        .fail(Asked::NewOrder, 1, Fault::rejected(&[wrong]));
    let gateway = scene.start(&[wrong]).await;
    lists(&gateway, wrong, "rejectedIdentifier").await;
    lists(
        &gateway,
        wrong,
        &format!("the policy forbids issuing for {wrong}"),
    )
    .await;
    gateway
        .says(&format!("the policy forbids issuing for {wrong}"))
        .await;
    gateway.says("rejectedIdentifier").await;
}

/// One name that cannot be validated does not hold up another.
#[tokio::test]
async fn a_name_that_leads_elsewhere() {
    let scene = Scene::new().await;
    let wrong = "wrong.example.com";
    // Nothing listens there on the port.
    scene
        .dns
        .set_addresses(wrong, &["127.0.0.2".parse().unwrap()]);
    let gateway = Gateway::start(scene.by_http(&[site(&[wrong, NAME])])).await;
    scene.issued(&gateway, NAME).await;
    lists(&gateway, wrong, "127.0.0.2").await;
    scene.dns.forget(wrong);
    renew(&gateway, wrong).await;
    scene.issued(&gateway, wrong).await;
}

#[tokio::test]
async fn an_authority_that_refuses_half_of_its_nonces() {
    let scene = Scene::with(|settings| settings.bad_nonces(50)).await;
    let names = ["a.example.com", "b.example.com", "c.example.com"];
    let gateway = scene.start(&names).await;
    for name in names {
        scene.issued(&gateway, name).await;
    }
    assert_eq!(scene.front.orders().len(), 3);
    let refused = scene
        .front
        .calls()
        .iter()
        .filter(|call| call.status == Some(400))
        .count();
    assert!(refused > 0);
}

/// Errors of a moment: of the authority, of what is before it, and of the network.
async fn goes_wrong_once(asked: Asked) {
    for fault in [Fault::internal(), Fault::Page(502), Fault::Reset] {
        let scene = Scene::new().await;
        scene.front.fail(asked, 1, fault.clone());
        let gateway = scene.start(&[NAME]).await;
        let client = scene.pebble.client().await;
        let address = gateway.address_of("https");
        // If it was not repeated at once, it is a failure that the operator sees.
        assert_eventually!(
            client.anew().connect(address, NAME).await.is_ok()
                || listed(&gateway, NAME).await.unwrap()["acme"]["last_failure"].is_object()
        );
        if client.anew().connect(address, NAME).await.is_err() {
            renew(&gateway, NAME).await;
        }
        scene.issued(&gateway, NAME).await;
    }
}

#[tokio::test]
async fn the_directory_goes_wrong_once() {
    goes_wrong_once(Asked::Directory).await;
}

#[tokio::test]
async fn a_new_order_goes_wrong_once() {
    goes_wrong_once(Asked::NewOrder).await;
}

#[tokio::test]
async fn an_order_goes_wrong_once() {
    goes_wrong_once(Asked::Order).await;
}

#[tokio::test]
async fn the_download_goes_wrong_once() {
    goes_wrong_once(Asked::Certificate).await;
}

/// The authority has forgotten the account: another one is made.
#[tokio::test]
async fn an_authority_that_knows_nothing_any_more() {
    let mut scene = Scene::new().await;
    let gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    scene.pebble.stop();
    scene.pebble.start_again().await;
    renew(&gateway, NAME).await;
    // The root is another one, too.
    let second = scene.issued(&gateway, NAME).await;
    assert_ne!(first, second);
    assert!(scene.front.successes(Asked::NewAccount) >= 2);
}

/// What comes in the place of the chain is no certificate; the order is taken up again.
#[tokio::test]
async fn a_chain_that_is_none() {
    let scene = Scene::new().await;
    scene.front.fail(Asked::Certificate, 1, Fault::Page(200));
    let gateway = scene.start(&[NAME]).await;
    lists(&gateway, NAME, "what was issued is wrong").await;
    renew(&gateway, NAME).await;
    scene.issued(&gateway, NAME).await;
    assert_eq!(scene.front.orders().len(), 1);
}

/// An authority that does not answer holds up neither clients nor operators.
#[tokio::test]
async fn an_authority_that_hangs() {
    let scene = Scene::new().await;
    scene.front.fail(Asked::Directory, 1000, Fault::Hang);
    let mut gateway = scene.start(&[NAME]).await;
    scene.front.asked(Asked::Directory, 1).await;
    shown(&gateway, NAME).await;
    let state = &listed(&gateway, NAME).await.unwrap()["acme"]["state"];
    assert_eq!(*state, "pending");
    let begin = Instant::now();
    gateway
        .reload(scene.by_http(&[site(&[NAME, "new.example.com"])]))
        .await;
    gateway.stop().await;
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
}

/// The authority takes its time with the certificate.
#[tokio::test]
async fn an_order_that_is_processed_for_a_while() {
    let scene = Scene::new().await;
    let processing = Fault::Processing { retry_after: 1 };
    scene.front.fail(Asked::Finalize, 1, processing.clone());
    scene.front.fail(Asked::Order, 2, processing);
    let gateway = scene.start(&[NAME]).await;
    scene.issued(&gateway, NAME).await;
    assert_eq!(scene.front.orders().len(), 1);
    assert_eq!(scene.front.count(Asked::Finalize), 1);
}
