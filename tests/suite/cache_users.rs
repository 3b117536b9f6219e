//! Whose a stored response is.

use janua_tests::{Gateway, Proxy, Reply, Request, Settings, Upstream};
use tokio::task::JoinSet;

use crate::cache::{body, counting, fresh, told};
use crate::policies_api_key::digest;

/// Answers with who asks, as the policies before it say: `alice 1`.
async fn names_users() -> Upstream {
    counting(|request, number| {
        let user = ["x-user", "x-consumer"]
            .iter()
            .find_map(|name| request.header(name));
        fresh().body(format!("{} {number}", user.unwrap_or("nobody")))
    })
    .await
}

/// A policy that names the user to the upstream, and one of rules.
fn named_by(place: &str, rule: &str, upstream: &Upstream) -> String {
    let proxy =
        Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"name\", \"rules\"]");
    format!(
        "[policies.name]
component = \"headers\"
config = {{ request = {{ set = {{ X-User = \"{{{place}}}\" }} }} }}
[policies.rules]
component = \"cache-rules\"
config = {{ rules = [{{ name = \"all\", store = \"1m\", {rule} }}] }}
{proxy}"
    )
}

fn user(place: &str, name: &str) -> Request {
    match place.split_once(':') {
        Some(("cookie", cookie)) => {
            Request::get("/").header("Cookie", &format!("{cookie}={name}; other=1"))
        }
        Some(("header", field)) => Request::get("/").header(field, name),
        _ => Request::get("/"),
    }
}

#[tokio::test]
async fn what_a_policy_tells_the_upstream_makes_variants() {
    for place in ["header:x-login", "cookie:session"] {
        let upstream = names_users().await;
        let config = named_by(place, "shared = false", &upstream);
        let gateway = Settings::new().workers(1).start(config).await;
        for (name, expected) in [
            ("alice", "alice 1"),
            ("bob", "bob 2"),
            ("alice", "alice 1"),
            ("bob", "bob 2"),
            ("Alice", "Alice 3"),
            ("alic", "alic 4"),
        ] {
            assert_eq!(body(&gateway, user(place, name)).await, expected, "{place}");
        }
        // Without any user it is a variant of its own.
        assert_eq!(body(&gateway, Request::get("/")).await, "nobody 5");
        assert_eq!(body(&gateway, Request::get("/")).await, "nobody 5");
        // The client cannot name itself.
        let liar = Request::get("/").header("X-User", "alice");
        assert_eq!(body(&gateway, liar).await, "nobody 5");
    }
}

#[tokio::test]
async fn a_rule_can_say_that_users_share() {
    let upstream = names_users().await;
    let gateway = Gateway::start(named_by("header:x-login", "shared = true", &upstream)).await;
    for name in ["alice", "bob", "carol"] {
        let response = gateway.send(user("header:x-login", name)).await;
        assert_eq!(response.text(), "alice 1");
        let word = if name == "alice" {
            "fwd=uri-miss; stored"
        } else {
            "hit"
        };
        assert_eq!(told(&response), format!("{word}; detail=\"rule:all\""));
    }
}

#[tokio::test]
async fn an_address_is_a_user_too() {
    let upstream = names_users().await;
    let gateway = Gateway::start(named_by("client_ip", "shared = false", &upstream)).await;
    assert_eq!(body(&gateway, Request::get("/")).await, "127.0.0.1 1");
    assert_eq!(body(&gateway, Request::get("/")).await, "127.0.0.1 1");
}

fn with_keys(upstream: &Upstream, more: &str) -> String {
    let proxy =
        Proxy::to(upstream.endpoint()).route(&format!("cache = true\npolicies = [\"keys\"{more}]"));
    format!(
        "[policies.keys]
component = \"api-key\"
config = {{ keys = {{ alice = \"{}\", bob = [\"{}\", \"{}\"] }} }}
[policies.rules]
component = \"cache-rules\"
config = {{ rules = [{{ name = \"all\", shared = true }}] }}
{proxy}",
        digest("a"),
        digest("b"),
        digest("b2"),
    )
}

fn key(key: &str) -> Request {
    Request::get("/").header("X-Api-Key", key)
}

#[tokio::test]
async fn each_key_has_its_own() {
    let upstream = names_users().await;
    let gateway = Gateway::start(with_keys(&upstream, "")).await;
    for _ in 0..2 {
        for (asked, expected) in [("a", "alice 1"), ("b", "bob 2"), ("b2", "bob 3")] {
            assert_eq!(body(&gateway, key(asked)).await, expected);
        }
        for request in [key("c"), key(""), Request::get("/")] {
            let response = gateway.send(request).await;
            assert_eq!(response.status, 401, "{response:?}");
        }
    }
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn a_key_is_still_asked_for_where_users_share() {
    let upstream = names_users().await;
    let gateway = Gateway::start(with_keys(&upstream, ", \"rules\"")).await;
    for asked in ["a", "b", "b2"] {
        assert_eq!(body(&gateway, key(asked)).await, "alice 1");
    }
    assert_eq!(gateway.send(key("c")).await.status, 401);
    assert_eq!(upstream.request_count(), 1);
}

/// All at once, on all workers, each wanting what another is just fetching.
#[tokio::test]
async fn users_never_cross_while_they_collapse() {
    const USERS: usize = 12;
    let upstream = names_users().await;
    let config = named_by("header:x-login", "shared = false", &upstream);
    let gateway = Settings::new().workers(4).start(config).await;
    let mut clients = JoinSet::new();
    for client in 0..24_u64 {
        let mut wire = gateway.connect().await;
        clients.spawn(async move {
            let mut random = fastrand::Rng::with_seed(client);
            for _ in 0..80 {
                let name = format!("user-{}", random.usize(..USERS));
                let target = format!("/{}", random.u8(..4));
                let request = Request::get(&target).header("X-Login", &name);
                let response = wire.exchange(&request).await;
                let (named, _) = response.text().split_once(' ').unwrap();
                assert_eq!(named, name, "{}", told(&response));
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    // Each user's each page once: more only where two asked for two variants
    // of what nobody knew yet to have any.
    assert!(
        upstream.request_count() < 24 * 80 / 4,
        "{}",
        upstream.request_count()
    );
}

/// A response that a policy's answer takes the place of is nobody's.
#[tokio::test]
async fn cookies_of_one_user_are_not_the_next_ones() {
    let upstream = counting(|request, _| {
        let cookie = request.header("x-login").map_or("none", |_| "user");
        Reply::new(200)
            .header("Cache-Control", "max-age=60")
            .header("Set-Cookie", &format!("s={cookie}"))
    })
    .await;
    let gateway = crate::cache::gateway(&upstream).await;
    let first = gateway.send(user("header:x-login", "alice")).await;
    assert_eq!(first.header("set-cookie"), Some("s=user"));
    let second = gateway.get("/").await;
    assert_eq!(second.header("set-cookie"), Some("s=none"));
    assert_eq!(told(&second), "fwd=uri-miss; detail=\"set-cookie\"");
}
