//! Certificates that are renewed: when the authority suggests it (RFC 9773), when an operator
//! wants it, and in good time; and those that are revoked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use janua_tests::{Asked, Fault, Gateway, Point, Renewal, TlsClient, assert_eventually};
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::acme::{HTTP, NAME, Scene, certs, listed, renew, serial, served, site};

/// How renewal information names a certificate (RFC 9773, section 4.1).
fn identifier(certificate: &[u8]) -> String {
    let parsed = Certificate::from_der(certificate).unwrap();
    let extensions = parsed.tbs_certificate.extensions.unwrap();
    let authority = extensions
        .iter()
        .find(|extension| extension.extn_id.to_string() == "2.5.29.35")
        .unwrap();
    // SEQUENCE { [0] keyIdentifier }, which is all that the authority writes.
    let value = authority.extn_value.to_der().unwrap();
    let key = &value[value.len() - 20..];
    let number = URL_SAFE_NO_PAD.encode(serial(certificate));
    format!("{}.{number}", URL_SAFE_NO_PAD.encode(key))
}

#[tokio::test]
async fn a_window_that_is_past() {
    let scene = Scene::new().await;
    scene
        .front
        .renew(Renewal::after(Duration::from_secs(30 * 86_400)));
    let acme = format!("{HTTP}profile = \"shortlived\"\n");
    scene
        .front
        .offer_profiles(json!({ "shortlived": "six days", "classic": "ninety days" }));
    let mut gateway = Gateway::start(scene.config(&acme, &[site(&[NAME])])).await;
    let first = scene.issued(&gateway, NAME).await;
    // It asks for the one that it has, and orders nothing.
    scene.front.asked(Asked::RenewalInfo, 1).await;
    let asked = &scene.front.calls_of(Asked::RenewalInfo)[0];
    assert_eq!(asked.path, format!("/renewal-info/{}", identifier(&first)));
    assert_eq!(asked.method, "GET");

    // The authority has revoked it, say, and wants it replaced.
    let overdue = Renewal::overdue().explained("https://authority.example/incident");
    scene.front.renew_one(&identifier(&first), overdue);
    gateway.stop().await;
    gateway.start_again().await;
    let client = scene.pebble.client().await;
    assert_eventually!(served(&gateway, &client, NAME).await != first);
    let orders = scene.front.orders();
    assert_eq!(orders.len(), 2, "{orders:#?}");
    assert_eq!(orders[0].payload["profile"], "shortlived");
    assert!(orders[0].payload["replaces"].is_null());
    assert_eq!(orders[1].payload["profile"], "shortlived");
    assert_eq!(orders[1].payload["replaces"], identifier(&first));
    gateway.says("https://authority.example/incident").await;
}

/// The authority says that another order has replaced it already (RFC 9773, section 5): the next
/// one replaces nothing.
#[tokio::test]
async fn a_certificate_that_was_replaced_already() {
    let scene = Scene::new().await;
    scene
        .front
        .renew(Renewal::after(Duration::from_secs(86_400)));
    let gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    let replaced = Fault::problem(409, "alreadyReplaced", "it was replaced");
    scene.front.fail(Asked::NewOrder, 1, replaced);
    let ran = certs(&gateway, &["renew", NAME]).await;
    if ran.code != Some(0) {
        assert!(ran.stderr.contains("it was replaced"), "{ran:?}");
        renew(&gateway, NAME).await;
    }
    let client = scene.pebble.client().await;
    assert_ne!(served(&gateway, &client, NAME).await, first);
    let asked = scene.front.calls_of(Asked::NewOrder);
    let replaces: Vec<_> = asked.iter().map(|call| &call.payload["replaces"]).collect();
    assert_eq!(
        replaces,
        [&Value::Null, &json!(identifier(&first)), &Value::Null]
    );
}

/// Without renewal information: while enough of its life is left.
#[tokio::test]
async fn a_certificate_that_is_short_lived() {
    let scene = Scene::with(|settings| settings.validity(9)).await;
    let gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    let client = scene.pebble.client().await;
    assert_eventually!({
        let connected = client
            .anew()
            .connect(gateway.address_of("https"), NAME)
            .await;
        connected.is_ok_and(|wire| wire.handshake().certificate.as_deref() != Some(&*first))
    });
}

/// From the first order on, and whatever happens to the certificate, each handshake succeeds, and
/// none shows a certificate again that another has replaced.
#[tokio::test]
async fn handshakes_while_certificates_come_and_go() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::Finalize, Point::Request);
    let gateway = scene.start(&[NAME]).await;
    hold.reached().await;
    // Before the first certificate there is one that nobody trusts.
    let client = TlsClient::trusting_everybody();
    let address = gateway.address_of("https");
    let ends = Arc::new(AtomicBool::new(false));
    let shown: [Shown; 4] = Default::default();
    let clients = shown.each_ref().map(|shown| {
        let (ends, client, shown) = (Arc::clone(&ends), client.clone(), Arc::clone(shown));
        tokio::spawn(async move {
            while !ends.load(Ordering::Relaxed) {
                let wire = client.anew().connect(address, NAME).await.unwrap();
                let certificate = wire.handshake().certificate.clone().unwrap();
                let mut shown = shown.lock().unwrap();
                if shown.last() != Some(&certificate) {
                    assert!(!shown.contains(&certificate), "an old one is shown again");
                    shown.push(certificate);
                }
            }
        })
    });
    let have_all = |wanted: Option<&Vec<u8>>| {
        let mut all = shown
            .iter()
            .map(|shown| shown.lock().unwrap().last().cloned());
        all.all(|last| last.is_some() && (wanted.is_none() || last.as_ref() == wanted))
    };
    assert_eventually!(have_all(None));
    hold.release();
    let trusting = scene.pebble.client().await;
    let mut expected = vec![scene.issued(&gateway, NAME).await];
    for _ in 0..2 {
        renew(&gateway, NAME).await;
        expected.push(served(&gateway, &trusting, NAME).await);
    }
    let revoked = certs(&gateway, &["revoke", NAME]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    expected.push(served(&gateway, &trusting, NAME).await);
    assert_eventually!(have_all(expected.last()));
    ends.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    for shown in &shown {
        let shown = shown.lock().unwrap();
        // The first is the one that nobody trusts; some in between may have been missed.
        assert!(!expected.contains(&shown[0]));
        assert!(shown[1..].iter().all(|one| expected.contains(one)));
    }
    assert_eq!(scene.front.orders().len(), 4);
}

/// The certificates that a client was shown, in order.
type Shown = Arc<Mutex<Vec<Vec<u8>>>>;

/// One that was revoked is replaced.
#[tokio::test]
async fn a_certificate_that_an_operator_revokes() {
    let scene = Scene::new().await;
    let gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    let client = scene.pebble.client().await;
    let hold = scene.front.hold(Asked::Revoke, Point::Request);
    let (ran, ()) = tokio::join!(certs(&gateway, &["revoke", NAME]), async {
        hold.reached().await;
        // No client gets one that is revoked.
        assert_ne!(served(&gateway, &client, NAME).await, first);
        hold.release();
    });
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(scene.status(&first).await.as_deref(), Some("Revoked"));
    let sent = &scene.front.calls_of(Asked::Revoke)[0].payload["certificate"];
    assert_eq!(*sent, URL_SAFE_NO_PAD.encode(&first));
    let second = served(&gateway, &client, NAME).await;
    assert_eq!(scene.status(&second).await.as_deref(), Some("Valid"));
}

#[tokio::test]
async fn names_that_no_certificate_has() {
    let scene = Scene::new().await;
    let gateway = scene.start(&[NAME]).await;
    scene.issued(&gateway, NAME).await;
    for command in ["renew", "revoke"] {
        let ran = certs(&gateway, &[command, "unknown.example.com"]).await;
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("unknown.example.com"), "{ran:?}");
    }
    assert_eq!(scene.front.orders().len(), 1);
    assert_eq!(scene.front.count(Asked::Revoke), 0);
    let listed = listed(&gateway, NAME).await.unwrap();
    assert!(listed["acme"]["last_failure"].is_null(), "{listed}");
}

/// The old one is served as long as there is no other, and the operator is told.
#[tokio::test]
async fn a_renewal_that_fails() {
    let scene = Scene::new().await;
    let gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    let rejected = Fault::rejected(&[NAME]);
    scene.front.fail(Asked::NewOrder, 1, rejected);
    let ran = certs(&gateway, &["renew", NAME]).await;
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("the policy forbids issuing for"),
        "{ran:?}"
    );
    let client = scene.pebble.client().await;
    assert_eq!(served(&gateway, &client, NAME).await, first);
}

/// Renewal information that is none: nothing is ordered, and nothing is lost.
#[tokio::test]
async fn renewal_information_that_is_none() {
    let scene = Scene::new().await;
    scene.front.renew(Renewal::overdue());
    scene.front.fail(Asked::RenewalInfo, 1, Fault::Page(200));
    let mut gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    scene.front.asked(Asked::RenewalInfo, 1).await;
    gateway.says("when to renew").await;
    assert_eq!(
        listed(&gateway, NAME).await.unwrap()["acme"]["state"],
        "valid"
    );
    assert_eq!(scene.front.orders().len(), 1);
    // The window ends before it begins.
    let now = SystemTime::now();
    let reversed = Renewal::between(now + 2 * DAY, now + DAY);
    scene.front.renew_one(&identifier(&first), reversed);
    gateway.stop().await;
    gateway.start_again().await;
    scene.front.asked(Asked::RenewalInfo, 2).await;
    assert_eq!(scene.issued(&gateway, NAME).await, first);
    assert_eq!(scene.front.orders().len(), 1);
}

const DAY: Duration = Duration::from_secs(86_400);
