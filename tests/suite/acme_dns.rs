//! Certificates that are ordered by DNS-01: through the gateway's own name server, to which names
//! are delegated, and through the webhook of a provider.

use janua_tests::{
    Asked, Challtestsrv, DnsWebhook, Gateway, Point, ReservedPort, Settings, assert_eventually,
};

use crate::acme::{NAME, Scene, listed, lists, renew, site};

/// The lines for the gateway's own name server; with a zone, names are delegated by CNAME.
fn responder(scene: &Scene, port: &ReservedPort, lines: &str) -> String {
    format!(
        "challenges = [\"dns-01\"]

[acme.dns]
responder = \"{}\"
name_server = \"gw.example.com\"
resolvers = [\"{}\"]
check = \"resolvers\"
{lines}
",
        port.address(),
        scene.dns.address()
    )
}

const ZONE: &str = "zone = \"acme.example.com\"\n";

/// Delegates `acme.example.com` to the gateway, and these domains by aliases into it.
fn delegate(scene: &Scene, port: &ReservedPort, domains: &[&str]) {
    scene.dns.delegate("acme.example.com", port.address());
    for domain in domains {
        let alias = format!("_acme-challenge.{domain}");
        scene
            .dns
            .set_cname(&alias, &format!("{domain}.acme.example.com"));
    }
}

#[tokio::test]
async fn by_an_alias_into_a_zone_of_the_gateway() {
    let scene = Scene::new().await;
    let port = ReservedPort::reserve();
    delegate(&scene, &port, &[NAME]);
    let config = scene.config(&responder(&scene, &port, ZONE), &[site(&[NAME])]);
    let gateway = Gateway::start(config).await;
    scene.issued(&gateway, NAME).await;
    assert_eq!(scene.front.ordered(), [[NAME]]);
    assert_eq!(scene.dns.lame(), [""; 0]);
}

#[tokio::test]
async fn by_the_delegation_of_the_name_itself() {
    let scene = Scene::new().await;
    let port = ReservedPort::reserve();
    let name = format!("_acme-challenge.{NAME}");
    scene.dns.delegate(&name, port.address());
    let config = scene.config(&responder(&scene, &port, ""), &[site(&[NAME])]);
    let gateway = Gateway::start(config).await;
    scene.issued(&gateway, NAME).await;
    assert_eq!(scene.dns.lame(), [""; 0]);
}

/// The two have one name in the DNS, at which both values are at once.
#[tokio::test]
async fn a_wildcard_and_its_domain() {
    let scene = Scene::new().await;
    let port = ReservedPort::reserve();
    delegate(&scene, &port, &["example.com"]);
    let sites = [
        site(&["example.com", "*.example.com"]),
        site(&["shop.example.com"]),
    ];
    let gateway = Gateway::start(scene.config(&responder(&scene, &port, ZONE), &sites)).await;
    let apex = scene.issued(&gateway, "example.com").await;
    let wildcard = scene.issued(&gateway, "any.example.com").await;
    assert_ne!(apex, wildcard);
    // A host of another site below the wildcard needs none of its own.
    assert_eq!(scene.issued(&gateway, "shop.example.com").await, wildcard);
    let mut ordered = scene.front.ordered();
    ordered.sort();
    assert_eq!(ordered, [["*.example.com"], ["example.com"]]);
}

/// The authority is not told to look before the record is seen, so that nothing fails.
#[tokio::test]
async fn a_delegation_that_comes_later() {
    let scene = Scene::new().await;
    let port = ReservedPort::reserve();
    scene.dns.set_absent("acme.example.com");
    let alias = format!("_acme-challenge.{NAME}");
    scene
        .dns
        .set_cname(&alias, &format!("{NAME}.acme.example.com"));
    let lines = format!("{ZONE}propagation_timeout = \"1s\"\n");
    let config = scene.config(&responder(&scene, &port, &lines), &[site(&[NAME])]);
    let gateway = Gateway::start(config).await;
    lists(&gateway, NAME, &alias).await;
    assert_eq!(scene.front.count(Asked::Challenge), 0);
    scene.dns.forget("acme.example.com");
    delegate(&scene, &port, &[NAME]);
    renew(&gateway, NAME).await;
    scene.issued(&gateway, NAME).await;
}

/// The lines for a webhook, whose token is in this file.
fn webhook_lines(provider: &Challtestsrv, webhook: &DnsWebhook) -> String {
    format!(
        "challenges = [\"dns-01\"]

[acme.dns]
webhook = \"{}\"
token_file = \"token\"
resolvers = [\"{}\"]
check = \"resolvers\"
",
        webhook.url(),
        provider.address()
    )
}

/// A directory with the token.
fn with_token() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "secret\n").unwrap();
    directory
}

#[tokio::test]
async fn by_the_webhook_of_a_provider() {
    let provider = Challtestsrv::start().await;
    let webhook = DnsWebhook::of(&provider, "secret").await;
    let scene = Scene::resolving_by(provider.address()).await;
    let sites = [site(&["example.com", "*.example.com"])];
    let config = scene.config(&webhook_lines(&provider, &webhook), &sites);
    let gateway = Settings::new().start_in(with_token(), config).await;
    scene.issued(&gateway, "example.com").await;
    scene.issued(&gateway, "any.example.com").await;
    let set = webhook.calls_of("present");
    assert_eq!(set.len(), 2, "{set:?}");
    for call in &set {
        assert_eq!(call.name, "_acme-challenge.example.com");
        assert_eq!(call.domain, "example.com");
    }
    // Everything is removed again, by what the provider called it.
    assert_eventually!(webhook.calls_of("cleanup").len() == 2);
    assert_eq!(webhook.present().await, []);
    assert_eq!(webhook.refused(), [""; 0]);
}

#[tokio::test]
async fn a_webhook_that_fails() {
    let provider = Challtestsrv::start().await;
    let webhook = DnsWebhook::of(&provider, "secret").await;
    let scene = Scene::resolving_by(provider.address()).await;
    let config = scene.config(&webhook_lines(&provider, &webhook), &[site(&[NAME])]);
    for _ in 0..10 {
        webhook.fail(403, "the zone is locked");
    }
    let gateway = Settings::new().start_in(with_token(), config).await;
    lists(&gateway, NAME, "the zone is locked").await;
    assert!(!gateway.messages().contains("secret"));
    assert_eq!(scene.front.count(Asked::Challenge), 0);
}

/// The name server stays on its port, and answers for what the new configuration says.
#[tokio::test]
async fn a_reload_that_changes_the_zone() {
    let scene = Scene::new().await;
    let port = ReservedPort::reserve();
    delegate(&scene, &port, &[NAME]);
    let before = responder(&scene, &port, "zone = \"before.example.com\"\n");
    let mut gateway = Gateway::start(scene.config(&before, &[site(&[NAME])])).await;
    assert_eventually!(listed(&gateway, NAME).await.is_some());
    let after = responder(&scene, &port, ZONE);
    gateway.reload(scene.config(&after, &[site(&[NAME])])).await;
    scene.issued(&gateway, NAME).await;
}

/// Somebody else has the port of the name server: sites are served all the same, and it is mended
/// without a restart.
#[tokio::test]
async fn a_port_that_is_taken() {
    let scene = Scene::new().await;
    let port = ReservedPort::reserve();
    let taken = std::net::UdpSocket::bind(port.address()).unwrap();
    delegate(&scene, &port, &[NAME]);
    let config = scene.config(&responder(&scene, &port, ZONE), &[site(&[NAME])]);
    let mut gateway = Gateway::start(config.clone()).await;
    lists(&gateway, NAME, &port.address().to_string()).await;
    gateway.says(&port.address().to_string()).await;
    assert_eq!(scene.front.count(Asked::Challenge), 0);
    drop(taken);
    gateway.reload(config).await;
    renew(&gateway, NAME).await;
    scene.issued(&gateway, NAME).await;
}

/// The record cannot be removed: the certificate is there all the same.
#[tokio::test]
async fn a_webhook_that_cannot_remove_a_record() {
    let provider = Challtestsrv::start().await;
    let webhook = DnsWebhook::of(&provider, "secret").await;
    let scene = Scene::resolving_by(provider.address()).await;
    let hold = scene.front.hold(Asked::Challenge, Point::Request);
    let config = scene.config(&webhook_lines(&provider, &webhook), &[site(&[NAME])]);
    let gateway = Settings::new().start_in(with_token(), config).await;
    hold.reached().await;
    webhook.fail(500, "the provider is busy");
    hold.release();
    scene.issued(&gateway, NAME).await;
    gateway.says("the provider is busy").await;
}
