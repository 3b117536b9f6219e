//! Certificates that are ordered when a client first asks for a name.

use std::time::Duration;

use janua_tests::{AskServer, Asked, Gateway, Permission, Point, ReservedPort, assert_eventually};

use crate::acme::{NAME, Scene, issuer, served, site_with};

/// A gateway for all names, which asks this URL.
async fn gateway(scene: &Scene, ask: &str) -> Gateway {
    let lines = format!("certificate = {{ on_demand = {{ ask = \"{ask}\" }} }}");
    Gateway::start(scene.by_http(&[site_with(&["*"], &lines)])).await
}

#[tokio::test]
async fn a_name_that_is_permitted() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set(NAME, Permission::Granted);
    let mut gateway = gateway(&scene, &server.url()).await;
    // The client waits for it, and gets it.
    let client = scene.pebble.client().await;
    let certificate = served(&gateway, &client, NAME).await;
    assert!(issuer(&certificate).contains("Pebble"));
    assert_eq!(server.questions(), [NAME]);
    assert_eq!(scene.front.ordered(), [[NAME]]);
    // It is there for all that follow, and after a restart.
    assert_eq!(served(&gateway, &client, NAME).await, certificate);
    gateway.stop().await;
    gateway.start_again().await;
    assert_eq!(served(&gateway, &client, NAME).await, certificate);
    assert_eq!(scene.front.orders().len(), 1);
    assert_eq!(server.malformed(), [""; 0]);
}

#[tokio::test]
async fn many_handshakes_of_one_name() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set(NAME, Permission::Granted);
    let hold = scene.front.hold(Asked::Finalize, Point::Request);
    let gateway = gateway(&scene, &server.url()).await;
    let client = scene.pebble.client().await;
    let address = gateway.address_of("https");
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let client = client.anew();
            tokio::spawn(async move { client.connect(address, NAME).await.map(drop) })
        })
        .collect();
    hold.reached().await;
    hold.release();
    for client in clients {
        client.await.unwrap().unwrap();
    }
    assert_eq!(scene.front.ordered(), [[NAME]]);
    assert_eq!(server.questions(), [NAME]);
}

#[tokio::test]
async fn names_that_are_not_permitted() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set("moved.example.com", Permission::Redirected(server.url()));
    server.set("broken.example.com", Permission::Status(500));
    server.set(NAME, Permission::Granted);
    let gateway = gateway(&scene, &server.url()).await;
    let client = scene.pebble.client().await;
    let address = gateway.address_of("https");
    for name in [
        "refused.example.com",
        "moved.example.com",
        "broken.example.com",
    ] {
        assert!(
            client.anew().connect(address, name).await.is_err(),
            "{name}"
        );
    }
    assert_eq!(scene.front.orders().len(), 0);
    // What is no name is not even asked for.
    let asked = server.questions().len();
    for name in ["127.0.0.1", "localhost"] {
        let _ = client.anew().connect(address, name).await;
    }
    assert!(
        client
            .clone()
            .without_name()
            .connect(address, NAME)
            .await
            .is_err()
    );
    assert_eq!(server.questions().len(), asked, "{:?}", server.questions());
    served(&gateway, &client, NAME).await;
    assert_eq!(scene.front.ordered(), [[NAME]]);
}

/// A refusal is not asked for again by each handshake, but it is not for ever.
#[tokio::test]
async fn a_flood_of_a_refused_name() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    let gateway = gateway(&scene, &server.url()).await;
    let client = scene.pebble.client().await;
    let address = gateway.address_of("https");
    for _ in 0..20 {
        assert!(client.anew().connect(address, NAME).await.is_err());
    }
    assert_eq!(server.questions(), [NAME]);
    assert_eq!(scene.front.orders().len(), 0);
}

/// Nobody can permit anything: nothing is ordered, and certificates that are there are served.
#[tokio::test]
async fn a_server_that_is_gone() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set(NAME, Permission::Granted);
    let mut gateway = gateway(&scene, &server.url()).await;
    let client = scene.pebble.client().await;
    let certificate = served(&gateway, &client, NAME).await;
    server.stop().await;
    let address = gateway.address_of("https");
    assert!(
        client
            .anew()
            .connect(address, "later.example.com")
            .await
            .is_err()
    );
    assert_eq!(served(&gateway, &client, NAME).await, certificate);
    // After a restart, too.
    gateway.stop().await;
    gateway.start_again().await;
    assert_eq!(served(&gateway, &client, NAME).await, certificate);
    assert_eq!(scene.front.ordered(), [[NAME]]);
}

/// A server that does not answer holds up its own names only, and not for ever.
#[tokio::test]
async fn a_server_that_hangs() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set("slow.example.com", Permission::Hanging);
    server.set(NAME, Permission::Granted);
    let gateway = gateway(&scene, &server.url()).await;
    let client = scene.pebble.client().await;
    let address = gateway.address_of("https");
    let slow = client.anew();
    let slow =
        tokio::spawn(async move { slow.connect(address, "slow.example.com").await.map(drop) });
    assert_eventually!(server.questions().contains(&"slow.example.com".to_owned()));
    served(&gateway, &client, NAME).await;
    let ended = tokio::time::timeout(Duration::from_secs(60), slow).await;
    assert!(ended.unwrap().unwrap().is_err());
}

/// Whoever decides is not flooded: questions that are too many are not asked, and their clients
/// turned away at once.
#[tokio::test]
async fn a_flood_of_names() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    let gateway = gateway(&scene, &server.url()).await;
    let client = scene.pebble.client().await;
    let address = gateway.address_of("https");
    let names: Vec<_> = (0..40)
        .map(|number| format!("n{number}.example.com"))
        .collect();
    for name in &names {
        server.set(name, Permission::Awaited);
    }
    let mut clients = tokio::task::JoinSet::new();
    for name in names.clone() {
        let client = client.anew();
        clients.spawn(async move { client.connect(address, &name).await.map(drop) });
    }
    for _ in 0..24 {
        let turned_away = clients.join_next().await.unwrap().unwrap();
        assert!(turned_away.is_err());
    }
    assert_eventually!(server.questions().len() == 16);
    assert_eq!(server.most_in_flight(), 16);
    for name in &names {
        server.set(name, Permission::Refused);
    }
    while let Some(refused) = clients.join_next().await {
        assert!(refused.unwrap().is_err());
    }
    assert_eq!(server.questions().len(), 16);
    server.set(NAME, Permission::Granted);
    served(&gateway, &client, NAME).await;
    let count = async |answer: &str| {
        gateway
            .metric("janua_acme_questions_total", &[("answer", answer)])
            .await
    };
    let counts = [
        count("shed").await,
        count("refused").await,
        count("permitted").await,
    ];
    assert_eq!(counts, [24.0, 16.0, 1.0]);
}

/// Names below a domain, beside a site whose certificate is ordered in advance.
#[tokio::test]
async fn beside_other_sites() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set(NAME, Permission::Granted);
    let ask = server.url();
    let lines = format!("certificate = {{ on_demand = {{ ask = \"{ask}\" }} }}");
    let sites = [
        site_with(&["*.example.com"], &lines),
        site_with(&["shop.example.com"], "certificate = \"auto\""),
    ];
    let gateway = Gateway::start(scene.by_http(&sites)).await;
    scene.issued(&gateway, "shop.example.com").await;
    let client = scene.pebble.client().await;
    served(&gateway, &client, NAME).await;
    let address = gateway.address_of("https");
    for name in ["x.example.org", "a.b.example.com"] {
        assert!(client.anew().connect(address, name).await.is_err());
    }
    assert_eq!(server.questions(), [NAME, "a.b.example.com"]);
    assert_eq!(scene.front.ordered(), [["shop.example.com"], [NAME]]);
}

/// The authority comes with a handshake for the name while the client's handshake waits.
#[tokio::test]
async fn by_tls_alpn() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set(NAME, Permission::Granted);
    let ask = server.url();
    let lines = format!("certificate = {{ on_demand = {{ ask = \"{ask}\" }} }}");
    let acme = "challenges = [\"tls-alpn-01\"]\n";
    let gateway = Gateway::start(scene.config(acme, &[site_with(&["*"], &lines)])).await;
    let client = scene.pebble.client().await;
    served(&gateway, &client, NAME).await;
    assert_eq!(server.questions(), [NAME]);
}

/// The gateway's own name server knows names that no site lists.
#[tokio::test]
async fn by_dns() {
    let scene = Scene::new().await;
    let server = AskServer::start().await;
    server.set(NAME, Permission::Granted);
    let ask = server.url();
    let lines = format!("certificate = {{ on_demand = {{ ask = \"{ask}\" }} }}");
    let port = ReservedPort::reserve();
    let acme = format!(
        "challenges = [\"dns-01\"]\n[acme.dns]\nresponder = \"{}\"\n\
         name_server = \"gw.example.com\"\nresolvers = [\"{}\"]\ncheck = \"resolvers\"\n",
        port.address(),
        scene.dns.address()
    );
    let name = format!("_acme-challenge.{NAME}");
    scene.dns.delegate(&name, port.address());
    let gateway = Gateway::start(scene.config(&acme, &[site_with(&["*"], &lines)])).await;
    let client = scene.pebble.client().await;
    served(&gateway, &client, NAME).await;
    assert_eq!(scene.front.ordered(), [[NAME]]);
}
