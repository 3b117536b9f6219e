//! Requests that are divided among upstreams: shares, keys, and what stays with a choice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use janua_tests::{
    Gateway, Proxy, Received, Reply, Request, Settings, Upstream, Vacant, assert_eventually, run,
};

use crate::upstreams_balance::named;

/// The versions of a service.
struct Versions {
    v1: Upstream,
    v2: Upstream,
}

impl Versions {
    async fn new() -> Self {
        Self {
            v1: named("v1").await,
            v2: named("v2").await,
        }
    }

    /// A configuration with these lines in the route.
    fn proxy(&self, lines: &str) -> Proxy {
        Proxy::to(self.v1.endpoint())
            .beside("v1", &self.v1.endpoint())
            .beside("v2", &self.v2.endpoint())
            .route("path = \"/unused\"")
            .also("/", lines)
    }

    /// One with these weights and further fields of the split.
    fn split(&self, weights: [u32; 2], fields: &str) -> Proxy {
        self.proxy(&split(weights, fields))
    }
}

pub(crate) fn split([one, two]: [u32; 2], fields: &str) -> String {
    format!(
        "upstream = {{ split = [{{ upstream = \"v1\", weight = {one} }}, \
         {{ upstream = \"v2\", weight = {two} }}]{fields} }}"
    )
}

/// How many of so many requests each version answers, over several connections.
async fn shares(gateway: &Gateway, count: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..count.div_ceil(20) {
        let mut wire = gateway.connect().await;
        for _ in 0..20 {
            let response = wire.exchange(&Request::get("/")).await;
            assert_eq!(response.status, 200, "{}", response.text());
            *shares.entry(response.text().to_owned()).or_default() += 1;
        }
    }
    shares
}

/// The version that each user gets.
async fn versions(gateway: &Gateway, users: &[String]) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for user in users {
        let request = Request::get("/").header("X-User", user);
        let response = gateway.send(request).await;
        assert_eq!(response.status, 200, "{}", response.text());
        versions.insert(user.clone(), response.text().to_owned());
    }
    versions
}

fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user-{n}")).collect()
}

fn of(versions: &BTreeMap<String, String>, version: &str) -> BTreeSet<String> {
    let of = versions.iter().filter(|(_, of)| *of == version);
    of.map(|(user, _)| user.clone()).collect()
}

const BY_USER: &str = ", by = \"header:x-user\"";

#[tokio::test]
async fn weights_are_shares_over_four_workers() {
    let both = Versions::new().await;
    let gateway = Settings::new()
        .workers(4)
        .start(both.split([3, 1], ""))
        .await;
    let shares = shares(&gateway, 400).await;
    // Six standard deviations around a quarter.
    assert!((48..=152).contains(&shares["v2"]), "{shares:?}");
    gateway.settled().await;
    let metrics = gateway.metrics().await;
    for (version, count) in &shares {
        let labels = [("upstream", version.as_str())];
        let counted = metrics.sum("janua_split_requests_total", &labels);
        assert_eq!(counted, *count as f64, "{version}");
    }
    for (version, weight) in [("v1", 3.0), ("v2", 1.0)] {
        let labels = [("site", "*"), ("route", "/"), ("upstream", version)];
        assert_eq!(metrics.sum("janua_split_weight", &labels), weight);
    }
    // The log names the version, and the response does not.
    assert_eventually!(gateway.log().len() == 400);
    let lines = gateway.log();
    let lines = lines.iter().filter(|line| line["upstream"] == "v2");
    assert_eq!(lines.count(), shares["v2"]);
    let response = gateway.get("/").await;
    let named = response
        .fields
        .iter()
        .find(|(_, value)| value.contains("v1") || value.contains("v2"));
    assert_eq!(named, None);
}

#[tokio::test]
async fn weight_0_gets_nothing_and_all_0_is_unavailable() {
    let both = Versions::new().await;
    let mut gateway = Settings::new()
        .workers(2)
        .start(both.split([0, 7], ""))
        .await;
    assert_eq!(shares(&gateway, 60).await, [("v2".to_owned(), 60)].into());
    gateway.reload(both.split([0, 0], "")).await;
    let (one, two) = (both.v1.request_count(), both.v2.request_count());
    for _ in 0..10 {
        let response = gateway.get("/none").await;
        assert_eq!(response.status, 503);
        assert_eq!(response.proxy_error(), Some("destination_unavailable"));
    }
    assert_eq!(gateway.log_line("/none").await["failure"], "no_weight");
    assert_eq!(
        (both.v1.request_count(), both.v2.request_count()),
        (one, two)
    );
}

#[tokio::test]
async fn a_user_stays_and_nobody_leaves_a_growing_version() {
    let both = Versions::new().await;
    let users = users(120);
    let config = |weights| both.split(weights, BY_USER);
    let mut gateway = Settings::new().workers(4).start(config([9, 1])).await;
    let before = versions(&gateway, &users).await;
    assert_eq!(versions(&gateway, &users).await, before);
    let mut on_v2 = of(&before, "v2");
    assert!((1..60).contains(&on_v2.len()), "{on_v2:?}");
    for weights in [[8, 2], [5, 5], [1, 9], [0, 1]] {
        gateway.reload(config(weights)).await;
        let now = of(&versions(&gateway, &users).await, "v2");
        assert!(now.is_superset(&on_v2), "{weights:?}: {on_v2:?} {now:?}");
        on_v2 = now;
    }
    assert_eq!(on_v2.len(), users.len());
    // Another gateway of a fleet, and this one after a restart, decide the same, whatever the
    // order in the file.
    let other = "upstream = { split = [{ upstream = \"v2\", weight = 10 }, \
                 { upstream = \"v1\", weight = 90 }], by = \"header:x-user\" }";
    let other = Gateway::start(both.proxy(other)).await;
    assert_eq!(versions(&other, &users).await, before);
}

#[tokio::test]
async fn requests_without_the_input_are_divided_by_chance() {
    let both = Versions::new().await;
    let gateway = Gateway::start(both.split([1, 1], BY_USER)).await;
    let shares = shares(&gateway, 100).await;
    assert!((20..=80).contains(&shares["v2"]), "{shares:?}");
    // An empty value tells nobody apart.
    let mut empty = BTreeSet::new();
    for _ in 0..60 {
        let response = gateway.send(Request::get("/").header("X-User", "")).await;
        empty.insert(response.text().to_owned());
    }
    assert_eq!(empty.len(), 2);
}

/// The input may be one that a policy has set, and then a client's own has no effect.
#[tokio::test]
async fn what_policies_put_into_the_head_decides() {
    let both = Versions::new().await;
    let policy = "[policies.sets]\ncomponent = \"headers\"\n\
                  config = { request = { set = { X-User = \"{path}\" } } }\n";
    let lines = format!("{}\npolicies = [\"sets\"]", split([1, 1], BY_USER));
    let config = both.proxy(&lines);
    let gateway = Gateway::start(format!("{policy}{config}")).await;
    let mut seen = BTreeSet::new();
    for page in 0..20 {
        let mut of_page = BTreeSet::new();
        for user in 0..3 {
            let request = Request::get(&format!("/{page}"));
            let request = request.header("X-User", &user.to_string());
            of_page.insert(gateway.send(request).await.text().to_owned());
        }
        assert_eq!(of_page.len(), 1, "{page}");
        seen.extend(of_page);
    }
    assert_eq!(seen.len(), 2);
}

/// A variable that nobody sets would leave every request to chance.
#[tokio::test]
async fn a_variable_that_no_policy_of_the_route_sets_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let both = Versions::new().await;
    let config = format!(
        "[policies.keys]\ncomponent = \"api-key\"\nconfig = {{ keys = {{ alice = \"{}\" }} }}\n{}",
        crate::policies_api_key::digest("alice-key"),
        both.split([1, 1], ", by = \"variable:keys.user\""),
    );
    std::fs::write(folder.path().join("janua.toml"), config).unwrap();
    let ran = run(folder.path(), &["check"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let message = "no policy of this route sets `keys.user`";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
}

#[tokio::test]
async fn members_have_settings_of_their_own() {
    let (one, two) = (Upstream::echo().await, Upstream::echo().await);
    let config = Proxy::to(one.endpoint())
        .beside("v1", &one.endpoint())
        .beside("v2", &two.endpoint())
        .route("path = \"/unused\"")
        .also(
            "/api",
            "strip_prefix = \"/api\"\nupstream = { split = [{ upstream = \"v1\" }, \
             { upstream = \"v2\", host = \"next.internal\", strip_prefix = \"/api/v2\" }] }",
        );
    let gateway = Gateway::start(config).await;
    assert_eventually!({
        gateway.get("/api/v2/x").await;
        one.request_count() > 0 && two.request_count() > 0
    });
    let (one, two) = (&one.requests()[0], &two.requests()[0]);
    assert_eq!(
        (&*one.target, one.header("host")),
        ("/v2/x", Some("a.example"))
    );
    assert_eq!(
        (&*two.target, two.header("host")),
        ("/x", Some("next.internal"))
    );
}

/// A member's statements about the host and the path replace those of the route, and its edits come
/// after the route's. What clients get of them depends on the version that was chosen, also if it
/// fails.
#[tokio::test]
async fn members_rewrite_and_edit_heads() {
    let two = Upstream::echo().await;
    let vacant = Vacant::refusing();
    let split = "rewrite = { host = \"route.internal\", prefix = \"/route\" }\n\
        request_headers = { set = { x-of = \"route\", x-route = \"1\" } }\n\
        response_headers = { set = { x-from = \"route\" } }\n\
        upstream = { by = \"header:x-user\", split = [\
        { upstream = \"v1\", response_headers = { set = { x-from = \"v1\" } } }, \
        { upstream = \"v2\", rewrite = { host = \"{header:x-user}.internal\", path = \"/v2{path}\" }, \
        request_headers = { set = { x-of = \"v2 for {header:x-user}\" }, remove = [\"x-gone\"] }, \
        response_headers = { set = { x-from = \"v2\" } } }] }";
    let config = Proxy::to(two.endpoint())
        .beside("v1", &vacant.address().to_string())
        .beside("v2", &two.endpoint())
        .route("path = \"/unused\"")
        .also("/api", split);
    let gateway = Gateway::start(config).await;
    let mut seen = BTreeSet::new();
    for user in users(20) {
        let request = Request::get("/api/x")
            .header("X-User", &user)
            .header("X-Gone", "1");
        let response = gateway.send(request).await;
        seen.insert(response.status);
        if response.status == 502 {
            assert_eq!(response.header("x-from"), Some("v1"));
            continue;
        }
        assert_eq!(response.header("x-from"), Some("v2"));
        let got = response.json();
        assert_eq!(got["target"], "/v2/api/x");
        assert_eq!(got["headers"]["host"], format!("{user}.internal"));
        assert_eq!(got["headers"]["x-of"], format!("v2 for {user}"));
        assert_eq!(got["headers"]["x-route"], "1");
        assert_eq!(got["headers"].get("x-gone"), None);
    }
    assert_eq!(seen, [200, 502].into());
}

/// A request is tried again at other endpoints of the version that was chosen, and never at
/// another version.
#[tokio::test]
async fn a_failure_stays_with_the_version() {
    let one = named("v1").await;
    let vacant = Vacant::refusing();
    let config = |v2: &str| {
        Proxy::to(one.endpoint())
            .beside("v1", &one.endpoint())
            .beside("v2", v2)
            .route("path = \"/unused\"")
            .also("/", &split([1, 1], BY_USER))
    };
    let gateway = Gateway::start(config(&vacant.address().to_string())).await;
    let mut statuses = BTreeMap::new();
    for user in users(20) {
        for _ in 0..3 {
            let request = Request::get("/").header("X-User", &user);
            let status = gateway.send(request).await.status;
            let known = statuses.entry(user.clone()).or_insert(status);
            assert_eq!(*known, status, "{user}");
        }
    }
    let all: BTreeSet<u16> = statuses.into_values().collect();
    assert_eq!(all, [200, 502].into());
}

/// Two versions never answer for each other from the cache.
#[tokio::test]
async fn each_version_has_its_own_stored_responses() {
    let cacheable = |name: &'static str| {
        Upstream::always(Reply::ok(name).header("Cache-Control", "max-age=60"))
    };
    let both = Versions {
        v1: cacheable("v1").await,
        v2: cacheable("v2").await,
    };
    let lines = format!("{}\ncache = true", split([1, 1], BY_USER));
    let gateway = Gateway::start(both.proxy(&lines)).await;
    let users = users(20);
    let first = versions(&gateway, &users).await;
    assert_eq!(of(&first, "v1").len() + of(&first, "v2").len(), 20);
    for _ in 0..2 {
        assert_eq!(versions(&gateway, &users).await, first);
    }
    assert_eq!((both.v1.request_count(), both.v2.request_count()), (1, 1));
}

/// The policies of the phase `missing` have another path asked for, of the same version.
#[tokio::test]
async fn a_fallback_is_asked_of_the_same_version() {
    let version = || {
        Upstream::http(async |request: Received| match request.target.as_str() {
            "/index.html" => Reply::ok("index"),
            _ => Reply::new(404),
        })
    };
    let both = Versions {
        v1: version().await,
        v2: version().await,
    };
    let policy = "[policies.spa]\ncomponent = \"spa-fallback\"\nconfig = {}\n";
    let lines = format!(
        "{}\nmissing = true\npolicies = [\"spa\"]",
        split([1, 1], "")
    );
    let config = both.proxy(&lines);
    let gateway = Gateway::start(format!("{policy}{config}")).await;
    for n in 1..=20 {
        let request = Request::get(&format!("/page{n}")).header("Accept", "text/html");
        let response = gateway.send(request).await;
        assert_eq!((response.status, response.text()), (200, "index"));
        for version in [&both.v1, &both.v2] {
            assert_eq!(version.request_count() % 2, 0, "{n}");
        }
    }
    let asked = both.v1.request_count() + both.v2.request_count();
    assert_eq!(asked, 40);
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.sum("janua_split_requests_total", &[]),
        20.0,
        "each once"
    );
}

/// Blue-green under load: no request fails, and after the reload has been answered none goes to
/// the old version.
#[tokio::test]
async fn the_weights_change_under_load() {
    let both = Versions::new().await;
    let mut gateway = Settings::new()
        .workers(4)
        .start(both.split([1, 0], ""))
        .await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    let mut answered = Vec::new();
    for _ in 0..4 {
        let mut wire = gateway.connect().await;
        let is_over = Arc::clone(&is_over);
        let of_client = Arc::new(AtomicUsize::new(0));
        answered.push(Arc::clone(&of_client));
        clients.spawn(async move {
            while !is_over.load(SeqCst) {
                let response = wire.exchange(&Request::get("/")).await;
                assert_eq!(response.status, 200, "{}", response.text());
                of_client.fetch_add(1, SeqCst);
            }
        });
    }
    for round in 0..6 {
        let (weights, now, other) = match round % 2 {
            0 => ([0, 1], "v2", &both.v1),
            _ => ([1, 0], "v1", &both.v2),
        };
        gateway.reload(both.split(weights, "")).await;
        // What was in progress when the reload was answered may still be.
        for answered in &answered {
            let before = answered.load(SeqCst);
            assert_eventually!(answered.load(SeqCst) > before + 1);
        }
        let before = other.request_count();
        assert_eq!(shares(&gateway, 40).await, [(now.to_owned(), 40)].into());
        assert_eq!(other.request_count(), before, "{round}");
    }
    is_over.store(true, SeqCst);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}
