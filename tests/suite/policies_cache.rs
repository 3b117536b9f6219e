//! Policies in front of the cache: what they make of one request or response reaches no other.

use janua_tests::{
    Gateway, Proxy, Reply, Request, Settings, Upstream, Visit, assert_eventually, component,
    granted, is_over_http2,
};

use crate::cache::{body, counting, fresh, is_idle, told};
use crate::policies_seen::lines;

fn policy(name: &str, component_name: &str, config: &str) -> String {
    format!(
        "[policies.{name}]\ncomponent = \"{}\"\n{config}\n",
        component(component_name).display()
    )
}

fn probe(name: &str, config: &str) -> String {
    policy(
        name,
        "probe",
        &format!("config.label = \"{name}\"\n{config}"),
    )
}

async fn one_worker(config: String) -> Gateway {
    Settings::new().workers(1).start(granted(config)).await
}

/// A response that is stale at once, and is revalidated by its tag.
async fn stale_at_once() -> Upstream {
    counting(|request, _| {
        let status = match request.header("if-none-match") {
            Some("\"v1\"") => 304,
            _ => 200,
        };
        Reply::new(status)
            .header("Cache-Control", "max-age=0")
            .header("ETag", "\"v1\"")
            .header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
    })
    .await
}

/// What the phase `fetched` makes of a 304 begins with the fields that the upstream sent, not
/// with those that the policy has edited before: nothing piles up, and what a policy removes
/// from the stored response still serves to validate it.
#[tokio::test]
async fn each_revalidation_edits_what_was_received() {
    let upstream = stale_at_once().await;
    let config = "config.show_fetched = [\"response_header:x-fetched\"]";
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/kept\"\ncache = true\npolicies = [\"adds\"]")
        .also("/removed", "cache = true\npolicies = [\"removes\"]");
    let policies =
        probe("adds", config) + &probe("removes", &format!("{config}\nconfig.remove = [\"etag\"]"));
    let gateway = one_worker(format!("{policies}{proxy}")).await;
    for (path, name, tag) in [
        ("/kept", "adds", Some("\"v1\"")),
        ("/removed", "removes", None),
    ] {
        let asked = upstream.request_count();
        let mut first = None;
        for round in 1..=4 {
            let response = gateway.get(path).await;
            assert_eq!(response.status, 200, "{path} {round}");
            let text = first.get_or_insert_with(|| response.text().to_owned());
            assert_eq!(response.text(), text, "{path} {round}");
            assert_eq!(
                lines(&response.fields, "x-fetched"),
                [format!("{name} response_header:x-fetched")],
                "{path} {round}"
            );
            assert_eq!(response.header("etag"), tag, "{path} {round}");
            assert_eq!(upstream.request_count(), asked + round, "{path}");
            assert_eventually!(is_idle(&gateway).await);
        }
    }
}

/// A value of the leader's request that a policy of the phase `fetched` cannot take is not the
/// failure of the requests that wait for the same response.
#[tokio::test]
async fn what_is_wrong_with_the_leader_fails_it_alone() {
    // A field that is no text cannot be sent by this client of HTTP/2.
    if is_over_http2() {
        return;
    }
    let (release, released) = tokio::sync::watch::channel(false);
    // It reads a head that is no text.
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let mut released = released.clone();
        async move {
            while visit.wire.take_until(b"\r\n\r\n").await.is_ok() {
                let _ = released.wait_for(|released| *released).await;
                let head =
                    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok";
                visit.wire.send(head).await;
            }
        }
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"reads\"]");
    let reads = probe("reads", "config.show_fetched = [\"header:x-lang\"]");
    let gateway = one_worker(format!("{reads}{proxy}")).await;
    let mut leader = gateway.connect().await;
    let request = b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Lang: \xff\r\n\r\n";
    leader.send(request).await;
    assert_eventually!(upstream.connections() == 1);
    let mut followers = Vec::new();
    for _ in 0..3 {
        let mut wire = gateway.connect().await;
        let request = Request::get("/").host("a.example").header("X-Lang", "de");
        wire.send(request.to_bytes()).await;
        followers.push(wire);
    }
    assert_eventually!(gateway.status().await["in_flight"] == 4);
    release.send(true).unwrap();
    assert_eq!(leader.receive("GET").await.status, 400);
    for mut follower in followers {
        let response = follower.receive("GET").await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.header("x-fetched"), Some("reads header:x-lang=de"));
    }
}

/// Whether a policy edits may depend on what is not in the cache key, so a verdict without
/// edits says as much about the request as one with edits.
#[tokio::test]
async fn an_edit_that_is_not_made_separates_requests_too() {
    let upstream = counting(|request, number| {
        let marked = request.header("x-now").map_or("plain", |_| "marked");
        fresh().body(format!("{marked} {number}"))
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"some\"]");
    let some = policy(
        "some",
        "misbehave",
        "config = { do = \"now\", marked = true }",
    );
    let gateway = one_worker(format!("{some}{proxy}")).await;
    let marked = || Request::get("/").header("X-Misbehave", "1");
    assert_eq!(body(&gateway, Request::get("/")).await, "plain 1");
    assert_eq!(body(&gateway, marked()).await, "marked 2");
    // Those without an edit share a response.
    assert_eq!(body(&gateway, Request::get("/")).await, "plain 1");
}

#[tokio::test]
async fn a_response_that_one_request_left_unedited_is_not_stored() {
    let upstream = counting(|_, number| fresh().body(number.to_string())).await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"some\"]");
    let some = policy(
        "some",
        "misbehave",
        "config = { do = \"now\", phase = \"fetched\", marked = true }",
    );
    let gateway = one_worker(format!("{some}{proxy}")).await;
    for mark in ["0", "1", "0"] {
        let request = Request::get("/").header("X-Misbehave", mark);
        let response = gateway.send(request).await;
        assert_eq!(response.header("x-now").is_some(), mark == "1");
        assert_eq!(told(&response), "fwd=uri-miss; detail=\"private\"");
    }
}

/// A path that is served in place of many others is stored once. What a policy makes of the
/// path that was asked for is right for one of them only.
#[tokio::test]
async fn the_path_asked_for_is_not_that_of_what_is_served_instead() {
    let upstream = counting(|request, _| match &*request.target {
        "/index.html" => fresh(),
        _ => Reply::new(404).header("Cache-Control", "no-store"),
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint())
        .route("cache = true\nmissing = true\npolicies = [\"index\"]");
    let index = probe(
        "index",
        "config.serve = \"/index.html\"\nconfig.show_fetched = [\"original_path\"]",
    );
    let gateway = one_worker(format!("{index}{proxy}")).await;
    for path in ["/index.html", "/a", "/b", "/index.html"] {
        let response = gateway.get(path).await;
        assert_eq!(response.status, 200);
        let shown = lines(&response.fields, "x-fetched");
        assert_eq!(shown, [format!("index original_path={path}")]);
    }
}

/// A client that has left may not begin another fetch while its first one is under way.
#[tokio::test]
async fn a_fetch_keeps_the_places_of_its_request() {
    let (upstream, release) = Upstream::held().await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"limit\"]");
    let limit = probe("limit", "config.concurrency = \"{header:x-key}\"");
    let gateway = one_worker(format!("{limit}{proxy}")).await;
    let keyed = |path: &str| Request::get(path).header("X-Key", "a");
    let mut wire = gateway.connect().await;
    wire.send(keyed("/left").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    wire.reset();
    assert_eq!(gateway.log_line("/left").await["failure"], "client_gone");
    assert_eq!(gateway.send(keyed("/next")).await.status, 429);
    release.send(true).unwrap();
    assert_eventually!(gateway.send(keyed("/next")).await.status == 200);
}

/// Variables of the phase `fetched` belong to the exchange that fetched. A hit has none.
#[tokio::test]
async fn variables_of_a_fetch_reach_the_exchange_that_fetched() {
    let upstream = counting(|_, _| fresh().header("X-Kind", "page")).await;
    let proxy = Proxy::to(upstream.endpoint()).route("cache = true\npolicies = [\"keeps\"]");
    let keeps = probe(
        "keeps",
        "config.variables_fetched = { kind = \"{response_header:x-kind}\" }\nconfig.show_response = [\"variable:keeps.kind\"]",
    );
    let gateway = one_worker(format!("{keeps}{proxy}")).await;
    for (words, shown) in [
        ("fwd=uri-miss; stored", "keeps variable:keeps.kind=page"),
        ("hit", "keeps variable:keeps.kind"),
    ] {
        let response = gateway.get("/").await;
        assert_eq!(told(&response), words);
        assert_eq!(lines(&response.fields, "x-probe"), [shown]);
    }
}
