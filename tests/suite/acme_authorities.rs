//! Several authorities: one that is asked when another one fails, one for tests, and sites that
//! have their certificates from different ones.

use std::path::PathBuf;

use janua_tests::{
    Asked, Fault, Front, Gateway, Pebble, PebbleSettings, Settings, assert_eventually,
};

use crate::acme::{HTTP, NAME, Scene, listed, lists, renew, served, site, site_with};

/// A second authority, which validates where the first one does.
struct Second {
    pebble: Pebble,
    front: Front,
}

impl Second {
    async fn beside(scene: &Scene) -> Self {
        let (http, tls) = (scene.http.number(), scene.tls.number());
        let settings = PebbleSettings::new(http, tls, scene.dns.address());
        let pebble = settings.start().await;
        let front = Front::of(&pebble).await;
        Self { pebble, front }
    }

    /// Its table, `[acme.second]`.
    fn table(&self) -> String {
        format!(
            "[acme.second]\naccept_terms = true\ndirectory = \"{}\"\nroots = {:?}\n{HTTP}",
            self.front.directory_url(),
            self.pebble.ca_path()
        )
    }
}

#[tokio::test]
async fn another_authority_when_the_first_one_fails() {
    let scene = Scene::new().await;
    scene
        .front
        .fail(Asked::NewOrder, 1000, Fault::rejected(&[NAME]));
    let second = Second::beside(&scene).await;
    let acme = format!("{HTTP}fallback = [\"second\"]\n{}", second.table());
    let gateway = Gateway::start(scene.config(&acme, &[site(&[NAME])])).await;
    let client = second.pebble.client().await;
    let address = gateway.address_of("https");
    assert_eventually!(client.anew().connect(address, NAME).await.is_ok());
    let account = &second.front.calls_of(Asked::NewAccount)[0];
    assert!(
        account.payload["contact"].is_null() || account.payload["contact"] == serde_json::json!([])
    );
}

/// Each site has its own; the accounts are different ones.
#[tokio::test]
async fn sites_with_different_authorities() {
    let scene = Scene::new().await;
    let second = Second::beside(&scene).await;
    let other = "other.example.com";
    let sites = [
        site(&[NAME]),
        site_with(&[other], "certificate = { acme = \"second\" }"),
    ];
    let acme = format!("{HTTP}{}", second.table());
    let gateway = Gateway::start(scene.config(&acme, &sites)).await;
    scene.issued(&gateway, NAME).await;
    let client = second.pebble.client().await;
    let address = gateway.address_of("https");
    assert_eventually!(client.anew().connect(address, other).await.is_ok());
    assert_eq!(scene.front.ordered(), [[NAME]]);
    assert_eq!(second.front.ordered(), [[other]]);
    let authority = |host: &'static str| {
        let gateway = &gateway;
        async move { listed(gateway, host).await.unwrap()["acme"]["authority"].clone() }
    };
    assert_eq!(authority(NAME).await, "default");
    assert_eq!(authority(other).await, "second");
}

/// Both certificates of HTTPS in one file.
fn both_roots(scene: &Scene, second: &Second) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("both.pem");
    let pem = [&scene.pebble, &second.pebble].map(|pebble| pebble.authority().pem());
    std::fs::write(&path, pem.concat()).unwrap();
    (directory, path)
}

/// After a failure, an order is tried where failures cost nothing; what that issues is not served.
#[tokio::test]
async fn a_directory_for_tests() {
    let scene = Scene::new().await;
    let tests = Second::beside(&scene).await;
    let (directory, roots) = both_roots(&scene, &tests);
    let config = format!(
        "[acme]\nemail = \"ops@example.com\"\naccept_terms = true\ndirectory = \"{}\"\n\
         test_directory = \"{}\"\nroots = {roots:?}\n{HTTP}{}{}",
        scene.front.directory_url(),
        tests.front.directory_url(),
        crate::acme::listeners(&scene.http, &scene.tls),
        site(&[NAME])
    );
    scene
        .front
        .fail(Asked::NewOrder, 1, Fault::rejected(&[NAME]));
    let gateway = Settings::new().start_in(directory, config).await;
    lists(&gateway, NAME, "rejectedIdentifier").await;
    assert_eq!(tests.front.calls().len(), 0);
    renew(&gateway, NAME).await;
    assert_eq!(tests.front.ordered(), [[NAME]]);
    assert_eq!(scene.front.ordered(), [[NAME]]);
    let client = scene.pebble.client().await;
    let certificate = served(&gateway, &client, NAME).await;
    // The next one begins at the authority itself again.
    renew(&gateway, NAME).await;
    assert_ne!(served(&gateway, &client, NAME).await, certificate);
    assert_eq!(tests.front.orders().len(), 1);
}

/// What fails in tests does not reach the authority.
#[tokio::test]
async fn a_failure_in_tests() {
    let scene = Scene::new().await;
    let tests = Second::beside(&scene).await;
    let (directory, roots) = both_roots(&scene, &tests);
    let config = format!(
        "[acme]\naccept_terms = true\ndirectory = \"{}\"\ntest_directory = \"{}\"\n\
         roots = {roots:?}\n{HTTP}{}{}",
        scene.front.directory_url(),
        tests.front.directory_url(),
        crate::acme::listeners(&scene.http, &scene.tls),
        site(&[NAME])
    );
    for front in [&scene.front, &tests.front] {
        front.fail(Asked::NewOrder, 1, Fault::rejected(&[NAME]));
    }
    let gateway = Settings::new().start_in(directory, config).await;
    lists(&gateway, NAME, "rejectedIdentifier").await;
    let ran = crate::acme::certs(&gateway, &["renew", NAME]).await;
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert_eq!(scene.front.count(Asked::NewOrder), 1);
    assert_eq!(tests.front.count(Asked::NewOrder), 1);
}
