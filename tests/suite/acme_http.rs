//! Certificates that are ordered by HTTP-01, and what is the same for all challenges: what clients
//! get meanwhile, what is kept, and what is not asked again.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use janua_tests::{Asked, Gateway, Point, assert_eventually};

use crate::acme::{HTTP, NAME, Scene, get, issuer, listed, shown, site, site_with};

#[tokio::test]
async fn a_certificate_is_ordered_and_served() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::Finalize, Point::Request);
    let gateway = scene.start(&[NAME]).await;
    hold.reached().await;
    // Meanwhile clients get one that they do not trust.
    let before = shown(&gateway, NAME).await;
    assert!(!issuer(&before).contains("Pebble"), "{}", issuer(&before));
    hold.release();
    let certificate = scene.issued(&gateway, NAME).await;
    assert_eq!(scene.front.ordered(), [[NAME]]);
    assert_eq!(scene.status(&certificate).await.as_deref(), Some("Valid"));

    // The chain has the intermediate, and the site answers.
    let client = scene.pebble.client().await;
    let wire = client.connect(gateway.address_of("https"), NAME).await;
    let mut wire = wire.unwrap();
    let answer = wire
        .exchange(&janua_tests::Request::get("/").host(NAME))
        .await;
    assert_eq!((answer.status, answer.text()), (200, "served"));

    let account = &scene.front.calls_of(Asked::NewAccount)[0];
    assert_eq!(account.payload["contact"][0], "mailto:ops@example.com");
    assert_eq!(account.payload["termsOfServiceAgreed"], true);
    assert!(account.binding().is_null());
    let agents: BTreeSet<_> = scene
        .front
        .calls()
        .into_iter()
        .map(|call| call.user_agent)
        .collect();
    let agents: Vec<_> = agents.into_iter().flatten().collect();
    assert!(
        agents.len() == 1 && agents[0].contains("janua"),
        "{agents:?}"
    );

    let listed = listed(&gateway, NAME).await.unwrap();
    assert!(
        listed["issuer"].as_str().unwrap().contains("Pebble"),
        "{listed}"
    );
    let metrics = gateway.metrics().await;
    let labels = [("site", NAME), ("name", NAME)];
    assert!(metrics.sum("janua_certificate_expiry_seconds", &labels) > 1e9);
}

/// Redirects, and the paths of challenges that are not the gateway's.
#[tokio::test]
async fn a_site_that_redirects_answers_challenges() {
    let scene = Scene::new().await;
    let gateway = scene.start(&[NAME]).await;
    scene.issued(&gateway, NAME).await;
    assert_eq!(get(&gateway, NAME, "/").await.status, 308);
    for token in ["", "unknown", "a/b", "..", "%2e%2e"] {
        let target = format!("/.well-known/acme-challenge/{token}");
        let status = get(&gateway, NAME, &target).await.status;
        assert!([308, 400, 404].contains(&status), "{token} {status}");
    }
    // The token of an order that is done is forgotten.
    let challenge = &scene.front.calls_of(Asked::Challenge)[0];
    let token = challenge.answer["token"].as_str().unwrap();
    let target = format!("/.well-known/acme-challenge/{token}");
    assert_eventually!(get(&gateway, NAME, &target).await.status == 308);
}

/// One for each name, so that one that cannot be validated does not hold up the others.
#[tokio::test]
async fn several_names_and_sites() {
    let scene = Scene::new().await;
    let names = ["a.example.com", "b.example.com", "c.example.com"];
    let sites = [site(&names[..2]), site(&names[2..])];
    let gateway = Gateway::start(scene.by_http(&sites)).await;
    let mut certificates = BTreeSet::new();
    for name in names {
        certificates.insert(scene.issued(&gateway, name).await);
    }
    assert_eq!(certificates.len(), 3);
    let mut ordered = scene.front.ordered();
    ordered.sort();
    assert_eq!(ordered, names.map(|name| vec![name.to_owned()]));
    assert_eq!(scene.front.successes(Asked::NewAccount), 1);
}

/// All files and directories below one, with their modes.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, bool, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        found.push((entry.path(), metadata.is_dir(), mode));
        if metadata.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_for_the_owner_alone_and_used_after_a_restart() {
    let scene = Scene::new().await;
    let mut gateway = scene.start(&[NAME]).await;
    let certificate = scene.issued(&gateway, NAME).await;
    let folder = gateway.directory().join("state/acme");
    let mut found = Vec::new();
    modes(&folder, &mut found);
    found.push((
        folder.clone(),
        true,
        folder.metadata().unwrap().permissions().mode() & 0o7777,
    ));
    assert!(found.len() >= 4, "{found:?}");
    for (path, is_folder, mode) in &found {
        let expected = if *is_folder { 0o700 } else { 0o600 };
        assert_eq!(*mode, expected, "{} {mode:o}", path.display());
    }

    gateway.stop().await;
    let asked = scene.front.calls().len();
    // The first that a client gets is the one that was kept.
    gateway.start_again().await;
    let client = scene.pebble.client().await;
    assert_eq!(
        crate::acme::served(&gateway, &client, NAME).await,
        certificate
    );
    gateway.stop().await;
    let since = scene.front.calls().split_off(asked);
    let new = [Asked::NewAccount, Asked::NewOrder, Asked::Finalize];
    assert!(
        since.iter().all(|call| !new.contains(&call.asked)),
        "{since:#?}"
    );
}

#[tokio::test]
async fn the_account_is_kept() {
    let scene = Scene::new().await;
    let mut gateway = scene.start(&[NAME]).await;
    scene.issued(&gateway, NAME).await;
    gateway.stop().await;
    let sites = [site(&[NAME]), site(&["later.example.com"])];
    gateway.write_config(scene.by_http(&sites));
    gateway.start_again().await;
    scene.issued(&gateway, "later.example.com").await;
    assert_eq!(scene.front.ordered(), [[NAME], ["later.example.com"]]);
    assert_eq!(scene.front.count(Asked::NewAccount), 1);
    let orders = scene.front.orders();
    assert_eq!(orders[0].protected["kid"], orders[1].protected["kid"]);
}

/// The kinds of keys, and that the key of an order is not that of the one before.
#[tokio::test]
async fn keys_are_of_the_type_that_is_configured() {
    let scene = Scene::new().await;
    let named = |name: &str, key_type: &str| {
        format!(
            "[acme.{name}]\n{}{HTTP}key_type = \"{key_type}\"\n",
            scene.authority()
        )
    };
    let certificate = |name: &str| format!("certificate = {{ acme = \"{name}\" }}");
    let sites = [
        site(&[NAME]),
        site_with(&["p384.example.com"], &certificate("larger")),
        site_with(&["rsa.example.com"], &certificate("older")),
    ];
    let acme = format!(
        "{HTTP}{}{}",
        named("larger", "p384"),
        named("older", "rsa2048")
    );
    let gateway = Gateway::start(scene.config(&acme, &sites)).await;
    for (name, key_type) in [
        (NAME, "ECDSA P-256"),
        ("p384.example.com", "ECDSA P-384"),
        ("rsa.example.com", "RSA 2048"),
    ] {
        scene.issued(&gateway, name).await;
        assert_eq!(listed(&gateway, name).await.unwrap()["key_type"], key_type);
    }
}

/// RFC 8738: clients that come to an address send no name.
#[tokio::test]
async fn an_address() {
    let scene = Scene::new().await;
    let gateway = scene.start(&["127.0.0.1"]).await;
    scene.issued(&gateway, "127.0.0.1").await;
    assert_eq!(
        scene.front.orders()[0].payload["identifiers"][0]["type"],
        "ip"
    );
}

/// Clients that know the root alone need all that is between.
#[tokio::test]
async fn a_long_chain() {
    let scene = Scene::with(|settings| settings.chain_length(3)).await;
    let gateway = scene.start(&[NAME]).await;
    scene.issued(&gateway, NAME).await;
}

/// A site may have a client of ACME behind it: what is not the gateway's is passed on.
#[tokio::test]
async fn challenges_of_others() {
    let scene = Scene::new().await;
    let sites = [
        "[[sites]]\nhosts = [\"sales.example.com\"]\ncertificate = \"auto\"\n\
                  routes = [{ respond = { body = \"behind\" } }]\n"
            .to_owned(),
    ];
    let hold = scene.front.hold(Asked::Challenge, Point::Request);
    let gateway = Gateway::start(scene.by_http(&sites)).await;
    hold.reached().await;
    let other = get(&gateway, NAME, "/.well-known/acme-challenge/other").await;
    assert_eq!((other.status, other.text()), (200, "behind"));
    hold.release();
    scene.issued(&gateway, NAME).await;
    let token = &scene.front.calls_of(Asked::Challenge)[0].answer["token"];
    let target = format!("/.well-known/acme-challenge/{}", token.as_str().unwrap());
    assert_eventually!(get(&gateway, NAME, &target).await.text() == "behind");
}

/// Names are ordered in lower case.
#[tokio::test]
async fn a_host_with_capitals() {
    let scene = Scene::new().await;
    let gateway = scene.start(&["Sales.Example.COM"]).await;
    scene.issued(&gateway, NAME).await;
    assert_eq!(scene.front.ordered(), [[NAME]]);
}
