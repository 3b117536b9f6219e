//! Requests for another host than the one that the connection was made for (421).

use janua_tests::{Request, Settings, Wire};

use crate::tls::{LISTENER, Stage, answering, get};

/// A site that answers with its host.
fn site(host: &str, certificate: &str, lines: &str) -> String {
    answering(host, certificate, &[host], lines)
}

#[tokio::test]
async fn a_connection_serves_other_sites_only_if_it_might_have_been_made_for_them() {
    let covered = ["a", "b", "strict", "mutual"].map(|name| format!("{name}.shop.example"));
    let hosts: Vec<&str> = covered.iter().map(String::as_str).collect();
    let stage = Stage::new()
        .with("many", &hosts)
        .with("own", &["own.shop.example"])
        .with("wild", &["*.wild.example"]);
    let client = stage.client();
    let mutual = "tls = { client_auth = { mode = \"optional\", ca = \"ca.pem\" } }";
    let sites = [
        site("a.shop.example", "many", ""),
        site("b.shop.example", "many", ""),
        site("own.shop.example", "own", ""),
        site(
            "strict.shop.example",
            "many",
            "tls = { min_version = \"1.3\" }",
        ),
        site("mutual.shop.example", "many", mutual),
        site("*.wild.example", "wild", ""),
        site("exact.wild.example", "wild", ""),
    ];
    // It has no certificate, so that it cannot be reached on this listener.
    let bare = "[[sites]]\nhosts = [\"bare.shop.example\"]\n\
        routes = [{ respond = { body = \"bare\" } }]\n";
    let config = format!("{LISTENER}{}{bare}", sites.concat());
    let gateway = stage.start(config).await;
    let mut wire = gateway.connect_tls(&client, "a.shop.example").await;
    for (host, expected) in [
        ("a.shop.example", 200),
        ("A.Shop.Example:443", 200),
        ("b.shop.example", 200),
        // Not covered by the certificate that was served.
        ("own.shop.example", 421),
        // Covered, but other versions, or other certificates of clients.
        ("strict.shop.example", 421),
        ("mutual.shop.example", 421),
        ("bare.shop.example", 421),
        // No site has it.
        ("none.shop.example", 404),
        ("a.shop.example", 200),
    ] {
        let response = get(&mut wire, host).await;
        assert_eq!(response.status, expected, "{host}: {}", response.text());
        if expected == 421 {
            assert_eq!(response.proxy_error(), Some("http_request_denied"));
        }
        if expected == 200 {
            let host = host.to_ascii_lowercase();
            assert!(host.starts_with(response.text()), "{host}");
        }
    }
    // The target may name the host too.
    wire.send("GET https://own.shop.example/ HTTP/1.1\r\nHost: a.shop.example\r\n\r\n")
        .await;
    let response = wire.receive("GET").await;
    assert!(matches!(response.status, 400 | 421), "{}", response.status);
    let mut wire = gateway.connect_tls(&client, "x.wild.example").await;
    assert_eq!(get(&mut wire, "y.wild.example").await.status, 200);
    let exact = get(&mut wire, "exact.wild.example").await;
    assert_eq!((exact.status, exact.text()), (200, "exact.wild.example"));
    let mut wire = gateway.connect_tls(&client, "mutual.shop.example").await;
    assert_eq!(get(&mut wire, "a.shop.example").await.status, 421);
}

/// Without a name, or with one that no site has, the connection is for the default site.
#[tokio::test]
async fn a_connection_for_the_default_site_is_for_no_other() {
    let stage = Stage::new()
        .with("default", &["other.test", "a.shop.example"])
        .with("a", &["a.shop.example"]);
    let client = stage.client();
    let sites = [
        answering("default", "default", &["*"], ""),
        site("a.shop.example", "a", "tls = { min_version = \"1.3\" }"),
    ];
    let gateway = stage.start(format!("{LISTENER}{}", sites.concat())).await;
    let mut wire = gateway
        .connect_tls(&client.clone().without_name(), "other.test")
        .await;
    assert_eq!(get(&mut wire, "whatever.test").await.text(), "default");
    assert_eq!(get(&mut wire, "a.shop.example").await.status, 421);
    let mut wire = gateway.connect_tls(&client, "a.shop.example").await;
    assert_eq!(get(&mut wire, "other.test").await.status, 421);
}

/// A connection keeps the settings that it was made with. If a reload changes those of its
/// site, it is closed with its next request.
#[tokio::test]
async fn a_connection_is_of_no_use_after_a_reload_with_other_settings() {
    let stage = Stage::new()
        .with("many", &["a.shop.example", "b.shop.example"])
        .with("other", &["a.shop.example", "b.shop.example"]);
    let client = stage.client();
    let config = |name: &str, lines: &str| {
        let sites = [
            site("a.shop.example", name, lines),
            site("b.shop.example", name, ""),
        ];
        format!("{LISTENER}{}", sites.concat())
    };
    let settings = Settings::new().workers(1);
    let mut gateway = stage.start_with(settings, config("many", "")).await;
    let mut wire = gateway.connect_tls(&client, "a.shop.example").await;
    let mut neighbour = gateway.connect_tls(&client, "b.shop.example").await;
    assert_eq!(get(&mut wire, "b.shop.example").await.status, 200);
    // Neither a reload nor another certificate with the same settings ends a connection.
    gateway.reload(config("other", "")).await;
    assert_eq!(get(&mut wire, "a.shop.example").await.status, 200);
    let demanding = "tls = { client_auth = { ca = \"ca.pem\" } }";
    gateway.reload(config("other", demanding)).await;
    let request = Request::get("/").host("a.shop.example");
    let response = wire.exchange(&request).await;
    assert_eq!(response.status, 421, "{}", response.text());
    assert_eq!(response.header("connection"), Some("close"));
    assert!(wire.is_closed().await);
    assert_eq!(neighbour.exchange(&request).await.status, 421);
    assert_eq!(get(&mut neighbour, "b.shop.example").await.status, 200);
}

/// Nor is one without TLS on a listener that has it now, or the other way round.
#[tokio::test]
async fn a_connection_is_of_no_use_after_a_reload_that_turned_tls_on_or_off() {
    let stage = Stage::new().with("a", &["a.shop.example"]);
    let client = stage.client();
    let secured = format!("{LISTENER}{}", site("a.shop.example", "a", ""));
    let cleartext = secured.replace("tls = true\n", "");
    let mut gateway = stage.start(&cleartext).await;
    let mut plain = Wire::connect(gateway.address()).await;
    assert_eq!(get(&mut plain, "a.shop.example").await.status, 200);
    gateway.reload(&secured).await;
    let mut wire = gateway.connect_tls(&client, "a.shop.example").await;
    assert_eq!(get(&mut plain, "a.shop.example").await.status, 421);
    assert!(plain.is_closed().await);
    assert_eq!(get(&mut wire, "a.shop.example").await.status, 200);
    gateway.reload(&cleartext).await;
    assert_eq!(get(&mut wire, "a.shop.example").await.status, 421);
    assert!(wire.is_closed().await);
    let mut plain = Wire::connect(gateway.address()).await;
    assert_eq!(get(&mut plain, "a.shop.example").await.status, 200);
}
