//! Authorities that want what cannot be, and handshakes that only look like theirs.

use std::time::{Duration, SystemTime};

use janua_tests::{
    AskServer, Asked, Fault, Gateway, Permission, Renewal, TlsClient, assert_eventually,
};

use crate::acme::{NAME, Scene, listed, site, site_with};

/// More seconds than any clock can count.
const FOR_EVER: &str = "18446744073709551615";

#[tokio::test]
async fn waits_without_end() {
    let scene = Scene::new().await;
    let overdue = Renewal::after(Duration::from_secs(86_400)).retry_after(FOR_EVER);
    scene.front.renew(overdue);
    let limited = Fault::rate_limited_until(FOR_EVER);
    scene.front.fail(Asked::Order, 1, limited);
    let gateway = scene.start(&[NAME, "other.example.com"]).await;
    scene.front.asked(Asked::RenewalInfo, 1).await;
    assert_eventually!({
        let names = [NAME, "other.example.com"];
        let mut windows = 0;
        for name in names {
            let one = listed(&gateway, name).await;
            windows += usize::from(one.is_some_and(|one| !one["acme"]["window_unix_ms"].is_null()));
        }
        windows > 0
    });
    assert!(!gateway.messages().contains("panicked"));
    assert!(!gateway.messages().contains("has failed: task"));
}

/// Renewal information that is past for every certificate: one is ordered after the other, but
/// later and later.
#[tokio::test]
async fn every_certificate_is_overdue() {
    let scene = Scene::new().await;
    scene.front.renew(Renewal::overdue());
    let gateway = scene.start(&[NAME]).await;
    gateway.says("renewed by").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let orders = scene.front.orders().len();
    assert!(orders <= 3, "{orders}");
}

/// The window of the authority is after the end of the certificate.
#[tokio::test]
async fn a_window_that_is_too_late() {
    let scene = Scene::with(|settings| settings.validity(12)).await;
    let far = SystemTime::now() + Duration::from_secs(100 * 365 * 86_400);
    scene.front.renew(Renewal::between(far, far));
    let gateway = scene.start(&[NAME]).await;
    gateway.says("renewed by").await;
}

/// With two gateways behind one address, an authority's check comes to the wrong one.
#[tokio::test]
async fn a_check_of_another_gateways_order() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set(NAME, Permission::Granted);
    let ask = server.url();
    let lines = format!("certificate = {{ on_demand = {{ ask = \"{ask}\" }} }}");
    let sites = [site_with(&["*"], &lines), site(&["x.example.com"])];
    let gateway = Gateway::start(scene.by_http(&sites)).await;
    let check = TlsClient::trusting_everybody().protocols(&["acme-tls/1"]);
    let address = gateway.address_of("https");
    assert!(check.connect(address, NAME).await.is_err());
    assert_eq!(server.questions(), [""; 0]);
    scene.issued(&gateway, "x.example.com").await;
    assert_eq!(scene.front.ordered(), [["x.example.com"]]);
}
