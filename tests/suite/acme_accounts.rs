//! Accounts: those that are bound to an external account (RFC 8555, section 7.3.4).

use janua_tests::{Asked, Settings};

use crate::acme::{HTTP, NAME, Scene, lists, site};

const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

async fn gateway(scene: &Scene, lines: &str, key: &str) -> janua_tests::Gateway {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("eab.key"), format!("{key}\n")).unwrap();
    let config = scene.config(&format!("{HTTP}{lines}"), &[site(&[NAME])]);
    Settings::new().start_in(directory, config).await
}

#[tokio::test]
async fn an_account_that_is_bound() {
    let scene = Scene::with(|settings| settings.external_account("kid-1", KEY)).await;
    let eab = "eab = { id = \"kid-1\", key_file = \"eab.key\" }\n";
    let gateway = gateway(&scene, eab, KEY).await;
    scene.issued(&gateway, NAME).await;
    let account = &scene.front.calls_of(Asked::NewAccount)[0];
    assert_eq!(account.binding()["kid"], "kid-1");
    assert_eq!(account.binding()["alg"], "HS256");
    assert_eq!(account.binding()["url"], account.protected["url"]);
    assert!(!gateway.messages().contains(KEY));
}

#[tokio::test]
async fn a_binding_that_is_missing_or_wrong() {
    for (lines, words) in [
        ("", "externalAccountRequired"),
        (
            "eab = { id = \"kid-2\", key_file = \"eab.key\" }\n",
            "not known to the ACME server",
        ),
    ] {
        let scene = Scene::with(|settings| settings.external_account("kid-1", KEY)).await;
        let gateway = gateway(&scene, lines, KEY).await;
        lists(&gateway, NAME, words).await;
        assert_eq!(scene.front.count(Asked::NewOrder), 0);
    }
}
