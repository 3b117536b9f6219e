//! What is said of certificates: by `janua certs`, in the status and in the metrics.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use janua_tests::{Gateway, Issue, Settings, assert_eventually};
use serde_json::{Value, json};

use crate::openssl;
use crate::reload::says;
use crate::tls::{LISTENER, Stage, site};

const DAY: f64 = 86_400.0;

/// Sites with these hosts and certificates.
fn sites(sites: &[(&str, &str)]) -> String {
    let site = |(hosts, certificate): &(&str, &str)| {
        let certificate = match *certificate {
            "self-signed" => "\"self-signed\"".to_owned(),
            name => format!("{{ cert = \"{name}.crt\", key = \"{name}.key\" }}"),
        };
        format!(
            "[[sites]]\nhosts = [{hosts}]\ncertificate = {certificate}\n\
             routes = [{{ respond = {{ body = \"x\" }} }}]\n"
        )
    };
    let listener = "[listeners.public]\naddress = \"127.0.0.1:0\"\ntls = true\n";
    sites
        .iter()
        .map(site)
        .fold(listener.to_owned(), |all, one| all + &one)
}

/// Rounded up: the last day has begun when the certificate is looked at.
fn days_left(certificate: &Value) -> u64 {
    let until = certificate["valid_until_unix_ms"].as_u64().unwrap();
    let now = UNIX_EPOCH.elapsed().unwrap().as_millis();
    let left = until - u64::try_from(now).unwrap();
    let days = certificate["days_left"].as_u64().unwrap();
    // A day may have ended since it was looked at.
    assert!((left / 86_400_000..=left / 86_400_000 + 1).contains(&days));
    left.div_ceil(86_400_000)
}

async fn certs(gateway: &Gateway) -> Vec<Value> {
    let said = gateway.done(&["certs", "--json"]).await;
    serde_json::from_str(&said).unwrap()
}

#[tokio::test]
async fn every_certificate_with_its_sites() {
    let folder = tempfile::tempdir().unwrap();
    openssl::certificate(folder.path(), "shop", "shop.example", 90);
    openssl::certificate(folder.path(), "soon", "soon.example", 5);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let gateway = Gateway::start(sites(&[
        ("\"shop.example\"", &path("shop")),
        ("\"soon.example\", \"other.example\"", &path("soon")),
        ("\"more.example\"", &path("shop")),
        ("\"dev.example\"", "self-signed"),
    ]))
    .await;

    let all = certs(&gateway).await;
    let facts: Vec<_> = all
        .iter()
        .map(|one| {
            let text = |field: &str| one[field].as_str().unwrap().to_owned();
            let sites = one["sites"].as_array().unwrap().len();
            (
                one["names"][0].as_str().unwrap(),
                text("source"),
                sites,
                days_left(one),
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            ("shop.example", "files".to_owned(), 2, 90),
            ("soon.example", "files".to_owned(), 1, 5),
            ("dev.example", "self-signed".to_owned(), 1, 396),
        ]
    );
    assert_eq!(all[0]["issuer"], "CN=shop.example");
    assert_eq!(all[0]["key_type"], "ECDSA P-256");
    let uncovered = all[0]["warnings"].to_string();
    assert!(
        uncovered.contains("does not cover `more.example`"),
        "{uncovered}"
    );

    // For a person, and in the status.
    let page = gateway.done(&["certs"]).await;
    assert!(page.contains("\nsoon.example: it expires in "), "{page}");
    assert!(page.contains("does not cover `other.example`"), "{page}");
    let page = gateway.done(&["status"]).await;
    assert!(
        page.contains("\n  certificate soon.example: it expires in "),
        "{page}"
    );
    assert_eq!(
        page.matches("does not cover `other.example`").count(),
        1,
        "{page}"
    );
    let status = gateway.status().await;
    let listed = status["certificates"].as_array().unwrap();
    assert_eq!(listed.len(), all.len());
    assert_eq!(listed[1]["warnings"], all[1]["warnings"]);
    assert_eq!(gateway.status().await["listeners"][0]["tls"], true);

    let metrics = gateway.metrics().await;
    let expiry = |site: &str, name: &str| {
        let labels = [("site", site), ("name", name), ("key_type", "ECDSA P-256")];
        metrics.sum("janua_certificate_expiry_seconds", &labels)
    };
    let shop = expiry("shop.example", "shop.example");
    assert!(shop > 1e9, "a Unix time: {shop}");
    assert_eq!(expiry("more.example", "shop.example"), shop);
    let soon = expiry("soon.example", "soon.example");
    assert!(
        (84.0 * DAY..86.0 * DAY).contains(&(shop - soon)),
        "{shop} {soon}"
    );
}

#[tokio::test]
async fn a_refused_renewal_is_said_of_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "new"] {
        openssl::certificate(folder.path(), name, &format!("{name}.example"), 90);
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let config = sites(&[("\"a.example\"", &path("a")), ("\"b.example\"", &path("b"))]);
    let gateway = Settings::new().watch().start(config).await;
    let before = certs(&gateway).await;
    fs::rename(path("new.crt"), path("b.crt")).unwrap();
    assert_eventually!(certs(&gateway).await[1]["last_error"].is_string());
    let now = certs(&gateway).await;
    let error = now[1]["last_error"].as_str().unwrap();
    assert!(error.contains("the key does not fit"), "{error}");
    assert!(now[0]["last_error"].is_null());
    assert_eq!(now[1]["fingerprint"], before[1]["fingerprint"]);

    fs::rename(path("new.key"), path("b.key")).unwrap();
    assert_eventually!(certs(&gateway).await[1]["last_error"].is_null());
    assert_ne!(
        certs(&gateway).await[1]["fingerprint"],
        before[1]["fingerprint"]
    );
}

/// Beside those of sites: what upstreams are shown expires as well.
#[tokio::test]
async fn certificates_that_upstreams_are_shown() {
    let stage = Stage::new().with("site", &["shop.example"]);
    let in_two_days = Duration::from_secs(2 * 86_400 + 3_600);
    stage.issue("out", &Issue::client("gateway").valid_for(in_two_days));
    let upstream = |name: &str, certificate: &str| {
        format!(
            "[upstreams.{name}]\nendpoints = [\"127.0.0.1:9\"]\ntls = {{ ca = \"ca.pem\", \
             certificate = {{ cert = \"{certificate}.crt\", key = \"{certificate}.key\" }} }}\n"
        )
    };
    let config = format!(
        "{LISTENER}{}{}{}",
        upstream("crm", "out"),
        upstream("sales", "site"),
        site("site", &["shop.example"], "")
    );
    let gateway = stage.start(config).await;
    let all = certs(&gateway).await;
    let users: Vec<_> = all
        .iter()
        .map(|one| {
            (
                one["subject"].clone(),
                one["sites"].clone(),
                one["upstreams"].clone(),
            )
        })
        .collect();
    assert_eq!(
        users,
        [
            (
                json!("CN=shop.example"),
                json!(["shop.example"]),
                json!(["sales"])
            ),
            (json!("CN=gateway"), json!([]), json!(["crm"])),
        ]
    );
    let page = gateway.done(&["certs"]).await;
    assert!(page.contains("shop.example, upstream sales"), "{page}");
    assert!(
        page.contains("\nCN=gateway: it expires in 2 days"),
        "{page}"
    );
    let metrics = gateway.metrics().await;
    let expiry = |upstream: &str, name: &str| {
        let labels = [("site", ""), ("upstream", upstream), ("name", name)];
        metrics.sum("janua_certificate_expiry_seconds", &labels)
    };
    let (crm, sales) = (expiry("crm", "CN=gateway"), expiry("sales", "shop.example"));
    assert!(
        (97.0 * DAY..99.0 * DAY).contains(&(sales - crm)),
        "{sales} {crm}"
    );
}

#[tokio::test]
async fn no_certificates() {
    let gateway = Gateway::start(says("x")).await;
    assert_eq!(certs(&gateway).await, Vec::<Value>::new());
    let said = gateway.done(&["certs"]).await;
    assert_eq!(said, "no site and no upstream has a certificate\n");
    assert_eq!(gateway.status().await["listeners"][0]["tls"], false);
}
