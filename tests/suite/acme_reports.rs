//! What operators see of automatic certificates: `janua certs` as a person reads it, and metrics.

use janua_tests::{Asked, Fault, Gateway, Point, ReservedPort, assert_eventually};

use crate::acme::{NAME, Scene, certs, listed, lists, renew, site};

async fn page(gateway: &Gateway) -> String {
    let ran = certs(gateway, &[]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.stdout
}

#[tokio::test]
async fn from_the_first_order_to_the_certificate() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::NewOrder, Point::Request);
    scene
        .front
        .fail(Asked::NewOrder, 1, Fault::rejected(&[NAME]));
    let gateway = scene.start(&[NAME]).await;
    hold.reached().await;
    assert_eq!(
        listed(&gateway, NAME).await.unwrap()["acme"]["state"],
        "pending"
    );
    let pending = page(&gateway).await;
    assert!(
        pending.contains(NAME) && pending.contains("pending"),
        "{pending}"
    );

    hold.release();
    lists(&gateway, NAME, "rejectedIdentifier").await;
    let failing = page(&gateway).await;
    assert!(failing.contains("failing"), "{failing}");
    assert!(
        failing.contains("the policy forbids issuing for"),
        "{failing}"
    );
    let count = async |outcome: &str| {
        let labels = [("authority", "default"), ("outcome", outcome)];
        gateway.metric("janua_acme_orders_total", &labels).await
    };
    let failures = async || {
        let labels = [("authority", "default"), ("name", NAME)];
        gateway.metric("janua_acme_failures", &labels).await
    };
    assert_eq!(
        (count("rejectedIdentifier").await, failures().await),
        (1.0, 1.0)
    );

    renew(&gateway, NAME).await;
    assert_eq!((count("issued").await, failures().await), (1.0, 0.0));
    let valid = page(&gateway).await;
    assert!(valid.contains("Pebble"), "{valid}");
    for word in ["failing", "pending", "forbids"] {
        assert!(!valid.contains(word), "{valid}");
    }
    let acme = &listed(&gateway, NAME).await.unwrap()["acme"];
    assert_eq!(
        (&acme["state"], &acme["issued_by"]),
        (&"valid".into(), &"default".into())
    );
}

/// The records that an operator has to add, until they are there.
#[tokio::test]
async fn records_that_the_dns_lacks() {
    let scene = Scene::new().await;
    let port = ReservedPort::reserve();
    let acme = format!(
        "challenges = [\"dns-01\"]\n[acme.dns]\nresponder = \"{}\"\nname_server = \"gw.example.com\"\n\
         zone = \"acme.example.com\"\nresolvers = [\"{}\"]\ncheck = \"resolvers\"\n",
        port.address(),
        scene.dns.address()
    );
    let gateway = Gateway::start(scene.config(&acme, &[site(&[NAME])])).await;
    let records = [
        format!("_acme-challenge.{NAME}. CNAME {NAME}.acme.example.com."),
        "acme.example.com. NS gw.example.com.".to_owned(),
    ];
    for record in &records {
        assert_eventually!(page(&gateway).await.contains(record));
        gateway.says(record).await;
    }
    scene.dns.delegate("acme.example.com", port.address());
    let alias = format!("_acme-challenge.{NAME}");
    scene
        .dns
        .set_cname(&alias, &format!("{NAME}.acme.example.com"));
    renew(&gateway, NAME).await;
    let valid = page(&gateway).await;
    assert!(
        records.iter().all(|record| !valid.contains(record)),
        "{valid}"
    );
}
