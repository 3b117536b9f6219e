//! Stored responses belong to the right users.

use janua_tests::{
    Gateway, Proxy, Reply, Request, Settings, Upstream, component, granted, is_over_http2,
};
use tokio::task::JoinSet;

use crate::cache::{body, counting, fresh, told};
use crate::policies_api_key::digest;

/// Answers with the user that the policies have named in the request:
/// `alice 1`.
async fn names_users() -> Upstream {
    counting(|request, number| {
        let user = ["x-user", "x-consumer"]
            .iter()
            .find_map(|name| request.header(name));
        fresh().body(format!("{} {number}", user.unwrap_or("nobody")))
    })
    .await
}

/// A policy that names the user in the request to the upstream, and one with
/// rules.
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
        let gateway = Settings::new().workers(1).start(granted(config)).await;
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
        // Requests without a user have a variant of their own.
        assert_eq!(body(&gateway, Request::get("/")).await, "nobody 5");
        assert_eq!(body(&gateway, Request::get("/")).await, "nobody 5");
        // A client cannot name itself.
        let liar = Request::get("/").header("X-User", "alice");
        assert_eq!(body(&gateway, liar).await, "nobody 5");
    }
}

/// A property of the request that decides about an edit counts like a value
/// that is copied: the response depends on it.
#[tokio::test]
async fn what_a_policy_decides_about_the_request_makes_variants() {
    let upstream = counting(|request, number| {
        let said = request.header("x-probe").unwrap_or("nothing");
        fresh().body(format!("{said} {number}"))
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"probe\"]");
    let gateway = Settings::new()
        .workers(1)
        .start(granted(format!(
            "[policies.probe]\ncomponent = \"{}\"\n\
             config = {{ label = \"p\", show = [\"header:x-lang\"] }}\n{proxy}",
            component("probe").display()
        )))
        .await;
    let lang = |lang| Request::get("/").header("X-Lang", lang);
    for (asked, expected) in [("de", "1"), ("en", "2"), ("de", "1"), ("en", "2")] {
        let expected = format!("p header:x-lang={asked} {expected}");
        assert_eq!(body(&gateway, lang(asked)).await, expected);
    }
}

/// A response that a policy has edited for one request is not stored for
/// others.
#[tokio::test]
async fn a_response_edited_for_one_request_is_not_stored() {
    let upstream = counting(|_, number| fresh().body(number.to_string())).await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"probe\"]");
    let start = |shown: &str| {
        Gateway::start(granted(format!(
            "[policies.probe]\ncomponent = \"{}\"\n\
             config = {{ label = \"p\", show_fetched = [\"{shown}\"] }}\n{proxy}",
            component("probe").display()
        )))
    };
    let gateway = start("header:x-lang").await;
    for lang in ["de", "en"] {
        let request = Request::get("/").header("X-Lang", lang);
        let response = gateway.send(request).await;
        let expected = format!("p header:x-lang={lang}");
        assert_eq!(response.header("x-fetched"), Some(&*expected));
        assert_eq!(told(&response), "fwd=uri-miss; detail=\"private\"");
    }
    // An edit by a value that is part of the key does no harm.
    let gateway = start("original_path").await;
    for word in ["fwd=uri-miss; stored", "hit"] {
        let response = gateway.get("/x").await;
        assert_eq!(response.header("x-fetched"), Some("p original_path=/x"));
        assert_eq!(told(&response), word);
    }
}

/// Routes with one path and one upstream that are distinguished by a field:
/// they share nothing if they change the request differently.
#[tokio::test]
async fn routes_share_responses_of_equal_upstream_requests() {
    let upstream = counting(|request, number| {
        let host = request.header("host").unwrap_or_default();
        fresh().body(format!("{host} {number}"))
    })
    .await;
    let address = upstream.endpoint();
    let gateway = Gateway::start(granted(format!(
        "[policies.beta]\ncomponent = \"headers\"\n\
         config = {{ request = {{ set = {{ X-Beta = \"1\" }} }} }}\n\
         [listeners.public]\naddress = \"127.0.0.1:0\"\n\
         [upstreams.app]\nendpoints = [\"{address}\"]\n\
         [[sites]]\nhosts = [\"*\"]\ncache = true\nroutes = [\n\
         {{ upstream = \"app\", headers = {{ x-canary = \"1\" }}, host = \"canary.internal\" }},\n\
         {{ upstream = \"app\", headers = {{ x-canary = \"2\" }}, policies = [\"beta\"] }},\n\
         {{ upstream = \"app\", headers = {{ x-canary = \"3\" }}, name = \"third\" }},\n\
         {{ upstream = \"app\" }},\n]\n"
    )))
    .await;
    let canary = |number| Request::get("/").host("a").header("X-Canary", number);
    for _ in 0..2 {
        assert_eq!(body(&gateway, canary("1")).await, "canary.internal 1");
        assert_eq!(body(&gateway, canary("2")).await, "a 2");
        assert_eq!(body(&gateway, canary("3")).await, "a 3");
        assert_eq!(body(&gateway, canary("4")).await, "a 3");
    }
}

/// Different spellings of a host are the same host, for the cache and for the
/// upstream.
#[tokio::test]
async fn a_host_has_one_spelling() {
    // Its port is the default one of the scheme `http`.
    if is_over_http2() {
        return;
    }
    let upstream = counting(|request, number| {
        let fields = ["host", "x-forwarded-host"].map(|name| request.header(name).unwrap_or("-"));
        fresh().body(format!("{fields:?} {number}"))
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true");
    let gateway = Gateway::start(granted(proxy)).await;
    for (host, expected) in [
        ("A.Example.", "[\"a.example\", \"a.example\"] 1"),
        ("a.example", "[\"a.example\", \"a.example\"] 1"),
        ("a.example:", "[\"a.example\", \"a.example\"] 1"),
        ("A.example:080", "[\"a.example\", \"a.example\"] 1"),
        ("a.example:81", "[\"a.example:81\", \"a.example:81\"] 2"),
    ] {
        let request = Request::get("/").host(host);
        assert_eq!(body(&gateway, request).await, expected, "{host}");
    }
}

#[tokio::test]
async fn a_rule_can_say_that_users_share() {
    let upstream = names_users().await;
    let gateway = Gateway::start(granted(named_by(
        "header:x-login",
        "shared = true",
        &upstream,
    )))
    .await;
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
async fn a_client_address_separates_users_too() {
    let upstream = names_users().await;
    let gateway = Gateway::start(granted(named_by("client_ip", "shared = false", &upstream))).await;
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
async fn each_api_key_has_its_own_variant() {
    let upstream = names_users().await;
    let gateway = Gateway::start(granted(with_keys(&upstream, ""))).await;
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
async fn a_shared_response_still_needs_a_valid_key() {
    let upstream = names_users().await;
    let gateway = Gateway::start(granted(with_keys(&upstream, ", \"rules\""))).await;
    for asked in ["a", "b", "b2"] {
        assert_eq!(body(&gateway, key(asked)).await, "alice 1");
    }
    assert_eq!(gateway.send(key("c")).await.status, 401);
    assert_eq!(upstream.request_count(), 1);
}

/// Concurrent requests of several users, on all workers, for what others are
/// fetching.
#[tokio::test]
async fn concurrent_requests_never_mix_users() {
    const USERS: usize = 12;
    let upstream = names_users().await;
    let config = named_by("header:x-login", "shared = false", &upstream);
    let gateway = Settings::new().workers(4).start(granted(config)).await;
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
    // Each page once for each user; more only if two requests came before it
    // was known that the page has variants.
    assert!(
        upstream.request_count() < 24 * 80 / 4,
        "{}",
        upstream.request_count()
    );
}

/// A response that is replaced by a policy's reply is not stored.
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
