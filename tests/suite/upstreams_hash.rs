//! Balances by which a client, or a value of its requests, stays with an endpoint.

use std::collections::BTreeMap;

use janua_tests::{Gateway, Proxy, Request, Settings, Upstream, assert_eventually};

use crate::upstreams_balance::named;

/// Clients are named by a proxy, so that a test can play many.
const TRUSTING: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

fn from(client: &str) -> Request {
    Request::get("/").header("X-Forwarded-For", client)
}

fn user(name: &str) -> Request {
    Request::get("/").header("X-User", name)
}

/// Which endpoint answers each user, with several requests of each, over any worker.
async fn homes(gateway: &Gateway, users: usize) -> BTreeMap<String, String> {
    let mut homes = BTreeMap::new();
    for number in 0..users {
        let name = format!("user-{number}");
        let home = gateway.send(user(&name)).await.text().to_owned();
        for _ in 0..3 {
            let again = gateway.send(user(&name)).await;
            assert_eq!(again.text(), home, "{name}");
        }
        homes.insert(name, home);
    }
    homes
}

/// The endpoints are those that nginx chooses for these clients, over every worker.
#[tokio::test]
async fn ip_hash_chooses_as_nginx_does() {
    let (a, b, c) = (named("0").await, named("1").await, named("2").await);
    let config = Proxy::to(a.endpoint())
        .and(b.endpoint())
        .and(c.endpoint())
        .listener(TRUSTING)
        .upstream("balance = \"ip_hash\"");
    let gateway = Settings::new().workers(4).start(config).await;
    for _ in 0..4 {
        for (client, expected) in [
            ("10.1.2.3", "1"),
            ("10.1.2.250", "1"),
            ("10.1.3.3", "2"),
            ("192.0.2.1", "0"),
            ("8.8.8.8", "2"),
            ("0.0.0.1", "1"),
            ("2001:db8::1", "2"),
            ("2001:db8::2", "0"),
            ("::1", "2"),
        ] {
            assert_eq!(
                gateway.send(from(client)).await.text(),
                expected,
                "{client}"
            );
        }
    }
}

#[tokio::test]
async fn ip_hash_goes_past_an_endpoint_that_is_gone() {
    let (a, b, c) = (named("0").await, named("1").await, named("2").await);
    let weighted = |upstream: &Upstream, weight| {
        let address = upstream.endpoint();
        format!("{{ address = \"{address}\", weight = {weight} }}")
    };
    let config = Proxy::to(weighted(&a, 1))
        .and(weighted(&b, 2))
        .and(weighted(&c, 1))
        .listener(TRUSTING)
        .upstream(
            "balance = \"ip_hash\"\npassive_health = { max_fails = 1, fail_timeout = \"1h\" }",
        );
    let gateway = Settings::new().workers(4).start(config).await;
    assert_eq!(gateway.send(from("10.1.3.3")).await.text(), "1");
    b.stop().await;
    // No client sees it: a connection that is refused is tried elsewhere.
    for (client, expected) in [
        ("10.1.2.3", "0"),
        ("10.1.3.3", "2"),
        ("192.0.2.1", "2"),
        ("198.51.100.77", "0"),
        ("8.8.8.8", "2"),
    ] {
        for _ in 0..4 {
            assert_eq!(
                gateway.send(from(client)).await.text(),
                expected,
                "{client}"
            );
        }
    }
}

#[tokio::test]
async fn only_the_users_of_an_endpoint_that_dies_move() {
    let endpoints = [named("a").await, named("b").await, named("c").await];
    let config = endpoints[1..]
        .iter()
        .fold(Proxy::to(endpoints[0].endpoint()), |config, endpoint| {
            config.and(endpoint.endpoint())
        });
    let config = config.upstream(
        "balance = { hash = \"header:x-user\" }\n\
         passive_health = { max_fails = 1, fail_timeout = \"1h\" }",
    );
    let gateway = Settings::new().workers(4).start(config).await;
    let before = homes(&gateway, 40).await;
    for name in ["a", "b", "c"] {
        assert!(before.values().any(|home| home == name), "{before:?}");
    }
    let [_a, b, _c] = endpoints;
    b.stop().await;
    let after = homes(&gateway, 40).await;
    for (user, home) in &before {
        match home.as_str() {
            "b" => assert_ne!(after[user], "b", "{user}"),
            home => assert_eq!(after[user], home, "{user}"),
        }
    }
}

#[tokio::test]
async fn a_reload_moves_only_the_users_of_what_it_removes() {
    let (a, b, c) = (named("a").await, named("b").await, named("c").await);
    let hashed =
        |config: Proxy| config.upstream("balance = { hash = \"header:x-user\", bounded = 2 }");
    let all = hashed(Proxy::to(a.endpoint()).and(b.endpoint()).and(c.endpoint()));
    let mut gateway = Settings::new().workers(4).start(&all).await;
    let before = homes(&gateway, 40).await;
    gateway
        .reload(hashed(Proxy::to(c.endpoint()).and(a.endpoint())))
        .await;
    let without = homes(&gateway, 40).await;
    for (user, home) in &before {
        assert!(home == "b" || without[user] == *home, "{user} has moved");
    }
    gateway.reload(&all).await;
    assert_eq!(homes(&gateway, 40).await, before, "all come back");
}

#[tokio::test]
async fn requests_without_the_value_take_turns() {
    let (a, b) = (named("a").await, named("b").await);
    let config = Proxy::to(a.endpoint())
        .and(b.endpoint())
        .upstream("balance = { hash = \"cookie:session\" }");
    let gateway = Gateway::start_one_worker(config).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(gateway.get("/").await.text().to_owned());
    }
    assert_eq!(answers.iter().filter(|it| *it == "a").count(), 5);
    let empty = Request::get("/").header("Cookie", "session=");
    let one = gateway.send(empty.clone()).await.text().to_owned();
    assert_ne!(gateway.send(empty).await.text(), one);
}

/// What everybody asks for goes to others too, before it is too much for one.
#[tokio::test]
async fn a_bound_spreads_what_everybody_wants() {
    let (a, b) = (Upstream::silent().await, Upstream::silent().await);
    let config = Proxy::to(a.endpoint())
        .and(b.endpoint())
        .upstream("balance = { hash = \"path\", bounded = 1.5 }");
    let gateway = Settings::new().workers(4).start(config).await;
    let mut held = Vec::new();
    for count in 1..=12 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/popular").to_bytes()).await;
        held.push(wire);
        assert_eventually!(a.request_count() + b.request_count() == count);
    }
    // Three quarters of twelve are the most for either.
    let most = a.request_count().max(b.request_count());
    assert_eq!(most, 9);
}

/// The value may be one that a policy has found out.
#[tokio::test]
async fn a_variable_of_a_policy() {
    let (a, b) = (named("a").await, named("b").await);
    let config = Proxy::to(a.endpoint())
        .and(b.endpoint())
        .upstream("balance = { hash = \"variable:tenants.missing\" }")
        .route("policies = [\"tenants\"]");
    let config = format!(
        "{config}\n[policies.tenants]\ncomponent = \"headers\"\nconfig = {{ response = {{ set = {{ x-a = \"1\" }} }} }}\n"
    );
    let gateway = Gateway::start_one_worker(config).await;
    let one = gateway.get("/").await.text().to_owned();
    assert_ne!(gateway.get("/").await.text(), one, "no value, no home");
}
