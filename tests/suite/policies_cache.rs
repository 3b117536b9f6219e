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
                let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok";
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
