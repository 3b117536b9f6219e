//! Certificates that are ordered by TLS-ALPN-01 (RFC 8737).

use janua_tests::{Asked, Gateway, Point, TlsClient, TlsError, assert_eventually};

use crate::acme::{NAME, Scene, get, site};

const TLS_ALPN: &str = "challenges = [\"tls-alpn-01\"]\n";

#[tokio::test]
async fn a_certificate_is_ordered_and_served() {
    let scene = Scene::new().await;
    let gateway = Gateway::start(scene.config(TLS_ALPN, &[site(&[NAME])])).await;
    scene.issued(&gateway, NAME).await;
    assert_eq!(scene.front.ordered(), [[NAME]]);
    assert_eq!(get(&gateway, NAME, "/").await.status, 308);
}

/// As browsers know nothing of it, other handshakes for the same name are as they always are.
#[tokio::test]
async fn handshakes_of_clients_during_a_validation() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::Challenge, Point::Request);
    let gateway = Gateway::start(scene.config(TLS_ALPN, &[site(&[NAME])])).await;
    hold.reached().await;
    let address = gateway.address_of("https");
    let client = TlsClient::trusting_everybody();
    // No client of the web accepts the certificate: it has an extension that is critical.
    let validating = client.clone().protocols(&["acme-tls/1"]);
    let refused = validating.anew().connect(address, NAME).await.unwrap_err();
    assert!(
        refused.to_string().contains("CriticalExtension"),
        "{refused}"
    );
    let ordinary = client.connect(address, NAME).await.unwrap();
    assert_eq!(ordinary.handshake().protocol.as_deref(), Some("http/1.1"));
    // Of a name for which nothing is ordered, and together with other protocols.
    let other = validating
        .anew()
        .connect(address, "other.example.com")
        .await;
    assert!(matches!(other, Err(TlsError::Alert(_))), "{other:?}");
    let both = client.clone().protocols(&["acme-tls/1", "http/1.1"]);
    let both = both.connect(address, NAME).await.unwrap();
    assert_eq!(both.handshake().protocol.as_deref(), Some("http/1.1"));
    hold.release();
    scene.issued(&gateway, NAME).await;
    // It is over with the order.
    assert_eventually!(matches!(
        validating.anew().connect(address, NAME).await,
        Err(TlsError::Alert(_))
    ));
}

/// The first of the configured challenges that the authority offers and that the host can have.
#[tokio::test]
async fn the_challenges_are_in_order_of_preference() {
    for (challenges, used) in [
        ("[\"tls-alpn-01\", \"http-01\"]", "tls-alpn-01"),
        ("[\"http-01\", \"tls-alpn-01\"]", "http-01"),
    ] {
        let scene = Scene::new().await;
        let config = scene.config(&format!("challenges = {challenges}\n"), &[site(&[NAME])]);
        let gateway = Gateway::start(config).await;
        scene.issued(&gateway, NAME).await;
        let answered = scene.front.calls_of(Asked::Challenge);
        assert_eq!(answered[0].answer["type"], used, "{answered:#?}");
    }
}

/// The authority asks for an address by its name in the reverse tree (RFC 8738, section 6).
#[tokio::test]
async fn an_address() {
    let scene = Scene::new().await;
    let config = scene.config(TLS_ALPN, &[site(&["127.0.0.1"])]);
    let gateway = Gateway::start(config).await;
    scene.issued(&gateway, "127.0.0.1").await;
}
