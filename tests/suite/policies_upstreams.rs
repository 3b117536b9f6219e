//! Policies that choose the upstream of a request, or divide requests among upstreams.

use std::collections::{BTreeMap, BTreeSet};

use janua_tests::{
    Gateway, Proxy, Reply, Request, Upstream, assert_eventually, component, granted,
};

use crate::policies_beside::{beside, misbehaving};
use crate::policies_load::errors;
use crate::policies_seen::state_of;
use crate::upstreams_balance::named;

/// A probe with this configuration.
fn probe(name: &str, config: &str) -> String {
    format!(
        "[policies.{name}]\ncomponent = \"{}\"\nconfig.label = \"{name}\"\n{config}\n",
        component("probe").display()
    )
}

/// The upstreams `app`, `blue` and `green`.
struct Upstreams {
    app: Upstream,
    blue: Upstream,
    green: Upstream,
}

impl Upstreams {
    async fn new() -> Self {
        Self {
            app: named("app").await,
            blue: named("blue").await,
            green: named("green").await,
        }
    }

    fn proxy(&self) -> Proxy {
        Proxy::to(self.app.endpoint())
            .beside("blue", &self.blue.endpoint())
            .beside("green", &self.green.endpoint())
    }

    async fn gateway(&self, policies: &str, proxy: Proxy) -> Gateway {
        Gateway::start(granted(format!("{policies}{proxy}"))).await
    }
}

#[tokio::test]
async fn a_policy_chooses_the_upstream_and_the_route_keeps_its_settings() {
    let (app, blue) = (Upstream::echo().await, Upstream::echo().await);
    let proxy = Proxy::to(app.endpoint())
        .beside("blue", &blue.endpoint())
        .route(
            "path = \"/api\"\nstrip_prefix = \"/api\"\nhost = \"app.internal\"\n\
             policies = [\"chooses\", \"ends\"]",
        )
        .also("/other", "");
    let policies = probe("chooses", "config.upstream = \"blue\"")
        + &probe("ends", "config.show_finished = [\"upstream\"]");
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    for _ in 0..5 {
        let seen = gateway.send(Request::post("/api/x", "body")).await.json();
        assert_eq!(seen["target"], "/x");
        assert_eq!(seen["headers"]["host"], "app.internal");
        assert_eq!(seen["body"], "body");
    }
    assert_eq!((app.request_count(), blue.request_count()), (0, 5));
    let line = gateway.log_line("/api/x").await;
    assert_eq!(line["upstream"], "blue");
    assert_eq!(line["annotations"]["ends.probe"], "ends upstream=blue");
    assert_eq!(gateway.get("/other").await.status, 200);
    assert_eq!(app.request_count(), 1, "other routes are as before");
    let metrics = gateway.metrics().await;
    let labels = [("route", "/api"), ("upstream", "blue")];
    assert_eq!(metrics.sum("janua_split_requests_total", &labels), 5.0);
    assert_eq!(metrics.sum("janua_split_requests_total", &[]), 5.0);
}

#[tokio::test]
async fn a_policy_divides_requests_by_weight_and_by_a_key() {
    let all = Upstreams::new().await;
    let split = "config.split = { blue = 3, green = 1, app = 0 }\n";
    let policies = probe("draws", split)
        + &probe(
            "sticks",
            &format!("{split}config.sticky = \"{{header:x-user}}\""),
        );
    let proxy = all
        .proxy()
        .route("path = \"/draws\"\npolicies = [\"draws\"]")
        .also("/sticks", "policies = [\"sticks\"]");
    let gateway = all.gateway(&policies, proxy).await;
    let mut shares: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..10 {
        let mut wire = gateway.connect().await;
        for n in 0..20 {
            // Half of them on the other route, without the key.
            let path = ["/draws", "/sticks"][n % 2];
            let text = wire.exchange(&Request::get(path)).await.text().to_owned();
            *shares.entry(text).or_default() += 1;
        }
    }
    // Six standard deviations around a quarter of 200.
    assert!((14..=86).contains(&shares["green"]), "{shares:?}");
    assert_eq!(shares["green"] + shares["blue"], 200, "{shares:?}");

    let mut seen = BTreeSet::new();
    for user in 0..30 {
        let mut of_user = BTreeSet::new();
        for _ in 0..3 {
            let request = Request::get("/sticks").header("X-User", &user.to_string());
            of_user.insert(gateway.send(request).await.text().to_owned());
        }
        assert_eq!(of_user.len(), 1, "{user}");
        seen.extend(of_user);
    }
    assert_eq!(seen, ["blue".to_owned(), "green".to_owned()].into());
    // One verdict serves all: the key is only pointed at.
    let labels = [("policy", "sticks")];
    let metrics = gateway.metrics().await;
    let calls = metrics.sum("janua_policy_calls_total", &labels);
    assert!(calls <= 4.0, "{calls}");
}

/// The last policy decides, also over the split of the route, whose members keep their settings.
#[tokio::test]
async fn the_last_choice_counts() {
    let (app, blue, green) = (
        Upstream::echo().await,
        Upstream::echo().await,
        Upstream::echo().await,
    );
    let split = "upstream = { split = [{ upstream = \"app\", weight = 1 }, \
                 { upstream = \"green\", weight = 0, host = \"green.internal\" }] }";
    let proxy = Proxy::to(app.endpoint())
        .beside("blue", &blue.endpoint())
        .beside("green", &green.endpoint())
        .site("policies = [\"blue\"]")
        .route("path = \"/one\"")
        .also("/two", "policies = [\"green\"]")
        .also("/three", &format!("{split}\npolicies = [\"green\"]"))
        .also("/four", &format!("{split}\nwithout = [\"blue\"]"));
    let policies = probe("blue", "config.upstream = \"blue\"")
        + &probe("green", "config.split = { green = 1 }");
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    for (path, upstream, host) in [
        ("/one", &blue, "a.example"),
        ("/two", &green, "a.example"),
        ("/three", &green, "green.internal"),
        ("/four", &app, "a.example"),
    ] {
        let before = upstream.request_count();
        let response = gateway.get(path).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        assert_eq!(upstream.request_count(), before + 1, "{path}");
        assert_eq!(response.json()["headers"]["host"], host, "{path}");
    }
}

/// What is stored of one upstream never answers for another one.
#[tokio::test]
async fn the_chosen_upstream_is_part_of_the_cache_key() {
    let cacheable = |name: &'static str| {
        Upstream::always(Reply::ok(name).header("Cache-Control", "max-age=60"))
    };
    let all = Upstreams {
        app: cacheable("app").await,
        blue: cacheable("blue").await,
        green: cacheable("green").await,
    };
    let policies = probe(
        "sticks",
        "config.split = { blue = 1, green = 1 }\nconfig.sticky = \"{header:x-user}\"",
    );
    let proxy = all.proxy().route("cache = true\npolicies = [\"sticks\"]");
    let gateway = all.gateway(&policies, proxy).await;
    let mut of_users: BTreeMap<usize, String> = BTreeMap::new();
    for round in 0..3 {
        for user in 0..20 {
            let request = Request::get("/").header("X-User", &user.to_string());
            let response = gateway.send(request).await;
            let text = response.text().to_owned();
            let known = of_users.entry(user).or_insert_with(|| text.clone());
            assert_eq!(*known, text, "{user}, round {round}");
        }
    }
    let seen: BTreeSet<_> = of_users.into_values().collect();
    assert_eq!(seen.len(), 2);
    for upstream in [&all.blue, &all.green] {
        assert_eq!(upstream.request_count(), 1);
    }
    assert_eq!(all.app.request_count(), 0);
}

/// Routes whose requests go to no upstream are as they were.
#[tokio::test]
async fn other_targets_are_not_changed() {
    let all = Upstreams::new().await;
    let policies = probe("blue", "config.upstream = \"blue\"")
        + &probe("green", "config.split = { green = 1 }");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "file").unwrap();
    let files = format!("files = \"{}\"", folder.path().display());
    let proxy = all
        .proxy()
        .site("policies = [\"blue\", \"green\"]")
        .route("path = \"/unused\"")
        .also("/fixed", "respond = { body = \"fixed\" }")
        .also("/", &files);
    let gateway = all.gateway(&policies, proxy).await;
    assert_eq!(gateway.get("/fixed").await.text(), "fixed");
    assert_eq!(gateway.get("/a.txt").await.text(), "file");
    for upstream in [&all.app, &all.blue, &all.green] {
        assert_eq!(upstream.connections(), 0);
    }
}

#[tokio::test]
async fn each_upstream_needs_a_grant_and_must_exist() {
    let all = Upstreams::new().await;
    let policy = |grants: &str| {
        let config = format!("{grants}\nconfig.upstream = \"blue\"\nconfig.split = {{ gren = 1 }}");
        let policy = probe("chooses", &config);
        format!("{policy}{}", all.proxy().route("policies = [\"chooses\"]"))
    };
    let folder = tempfile::tempdir().unwrap();
    let found = errors(folder.path(), &policy("")).await;
    let message = found[0]["message"].as_str().unwrap();
    let line = "grants = [\"edit:header:x-probe\", \"effect:choose-upstream\", \
                \"effect:split\", \"upstream:blue\", \"upstream:gren\"]";
    assert!(message.ends_with(line), "{message}");
    // Once it is granted, the upstream must exist.
    let found = errors(folder.path(), &policy(line)).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["message"], "unknown upstream `gren`");
    let help = found[0]["help"].as_str().unwrap();
    assert!(help.contains("did you mean `green`?"), "{help}");
    assert_eq!(found[0]["line"], 4);
}

/// An upstream that was not declared is never chosen, and the request is refused whatever
/// `on_error` says: the policy may have meant to keep it away from the others.
#[tokio::test]
async fn what_was_not_declared_is_not_chosen() {
    let upstream = Upstream::echo().await;
    let skip = "on_error = \"skip\"";
    let policies = misbehaving("one", "do = \"undeclared-upstream\"", skip)
        + &misbehaving("several", "do = \"undeclared-split\"", skip);
    let config = beside(&upstream, &policies);
    let gateway = Gateway::start(granted(config)).await;
    for name in ["one", "several"] {
        let refused = gateway.get(&format!("/{name}/")).await;
        assert_eq!(refused.status, 503, "{name}");
        let state = state_of(&gateway, name).await;
        let error = state["last_error"].as_str().unwrap();
        let words = "it did not declare `upstream:undeclared`";
        assert!(error.contains(words), "{name}: {error}");
    }
    assert_eq!(upstream.request_count(), 0);
}

/// A reload that moves the upstreams to other places does not mislead a remembered verdict.
#[tokio::test]
async fn a_choice_means_the_same_upstream_after_a_reload() {
    let all = Upstreams::new().await;
    let extra = named("extra").await;
    let policies = probe("green", "config.upstream = \"green\"");
    let proxy = || all.proxy().route("policies = [\"green\"]");
    let mut gateway = all.gateway(&policies, proxy()).await;
    assert_eq!(gateway.get("/").await.text(), "green");
    for upstreams in [&["a", "b", "c"][..], &["zzz"], &[]] {
        let add = |proxy: Proxy, name: &&str| proxy.beside(name, &extra.endpoint());
        let proxy = upstreams.iter().fold(proxy(), add);
        gateway.reload(granted(format!("{policies}{proxy}"))).await;
        for _ in 0..5 {
            assert_eq!(gateway.get("/").await.text(), "green");
        }
    }
    assert_eq!(extra.connections(), 0);
    assert_eventually!(gateway.status().await["in_flight"] == 0);
}
