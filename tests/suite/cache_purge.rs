//! Purges by the admin endpoint, the command line and policies.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Reply, Request, Upstream, assert_eventually, run};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::cache::{counting, fresh, told};

const PAGES: [(&str, &str); 6] = [
    ("a.example", "/"),
    ("a.example", "/list?page=1"),
    ("a.example", "/list?page=2"),
    ("a.example", "/list/all"),
    ("b.example", "/"),
    ("b.example", "/list/all"),
];

/// Responses have tags: `page`, and `list` if the path contains it.
async fn tagged() -> (Upstream, Gateway) {
    let upstream = counting(|request, _| {
        let tags = if request.target.starts_with("/list") {
            "page list"
        } else {
            "page"
        };
        let is_known = request.header("if-none-match").is_some();
        Reply::new(if is_known { 304 } else { 200 })
            .header("Cache-Control", "max-age=60")
            .header("ETag", "\"a\"")
            .header("Cache-Tag", tags)
    })
    .await;
    let proxy = crate::cache::before(&upstream).route("cache = true\npolicies = [\"rules\"]");
    let config = format!(
        "[policies.rules]\ncomponent = \"cache-rules\"\nconfig = {{ tags_from = [\"cache-tag\"] }}\n{proxy}"
    );
    let gateway = Gateway::start(config).await;
    (upstream, gateway)
}

/// Requests all pages, and returns the cache status of each.
async fn all(gateway: &Gateway) -> Vec<String> {
    let mut words = Vec::new();
    for (host, path) in PAGES {
        words.push(told(&gateway.send(Request::get(path).host(host)).await));
    }
    words
}

pub(crate) async fn purge(gateway: &Gateway, what: &Value) -> Value {
    let request = Request::post("/cache/purge", what.to_string());
    let answer = gateway.ask_with(&request).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn only_what_is_named_is_purged() {
    let (upstream, gateway) = tagged().await;
    all(&gateway).await;
    for (what, gone) in [
        (json!({"url": "http://a.example/"}), &[0][..]),
        (json!({"url": ["https://b.example/"]}), &[4]),
        (json!({"url": "http://a.example/list?page=2"}), &[2]),
        // Without a query: with every query.
        (json!({"url": "http://a.example/list"}), &[1, 2]),
        (json!({"prefix": "http://a.example/list"}), &[1, 2, 3]),
        (json!({"prefix": "a.example/list/"}), &[3]),
        (json!({"host": "b.example"}), &[4, 5]),
        (
            json!({"host": ["A.Example", "b.example"]}),
            &[0, 1, 2, 3, 4, 5],
        ),
        (json!({"tag": "list"}), &[1, 2, 3, 5]),
        (json!({"tag": ["nothing"]}), &[]),
        (json!({"host": "c.example", "prefix": "b.example/l"}), &[5]),
        (json!({"all": true}), &[0, 1, 2, 3, 4, 5]),
    ] {
        for soft in [false, true] {
            let before = upstream.request_count();
            let mut what = what.clone();
            what["soft"] = soft.into();
            let summary = purge(&gateway, &what).await;
            assert_eq!(summary["soft"], soft, "{summary}");
            for (place, words) in all(&gateway).await.iter().enumerate() {
                let expected = match (gone.contains(&place), soft) {
                    (false, _) => "hit",
                    (true, false) => "fwd=uri-miss; stored",
                    (true, true) => "fwd=stale; fwd-status=304; stored; detail=\"purged\"",
                };
                assert_eq!(words, expected, "{what}: {:?}", PAGES[place]);
            }
            assert_eq!(upstream.request_count() - before, gone.len(), "{what}");
        }
    }
}

#[tokio::test]
async fn invalid_names_purge_nothing() {
    let (_upstream, gateway) = tagged().await;
    all(&gateway).await;
    for body in [
        "{}",
        "",
        "nonsense",
        "{\"soft\": true}",
        "{\"all\": false}",
        "{\"urls\": \"http://a.example/\"}",
        "{\"url\": \"/no-host\"}",
        "{\"url\": [\"http://a.example/\", \"\"]}",
        "{\"tag\": \"\"}",
    ] {
        let request = Request::post("/cache/purge", body);
        let answer = gateway.ask_with(&request).await;
        assert!(
            (400..500).contains(&answer.status),
            "{body}: {}",
            answer.status
        );
    }
    assert!(all(&gateway).await.iter().all(|words| words == "hit"));
}

#[tokio::test]
async fn the_command_line() {
    let (_upstream, gateway) = tagged().await;
    all(&gateway).await;
    let janua = async |arguments: &[&str]| {
        let ran = run(gateway.directory(), &[&["cache"], arguments].concat()).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    let text = janua(&["get", "http://a.example/list?page=1"]).await;
    for word in ["max-age", "list", "200"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let text = janua(&["purge", "--tag", "list", "--soft"]).await;
    assert!(text.contains("list"), "{text}");
    janua(&["purge", "--url", "http://a.example/"]).await;
    let words = all(&gateway).await;
    assert_eq!(words[0], "fwd=uri-miss; stored");
    assert!(words[1].contains("purged"), "{words:?}");
    assert_eq!(words[4], "hit");
    let status = janua(&["status", "--json"]).await;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["objects"], PAGES.len(), "{status}");
    assert_eq!(
        status["purges"].as_u64().map(|purges| purges >= 2),
        Some(true),
        "{status}"
    );
    janua(&["purge", "--all"]).await;
    let words = all(&gateway).await;
    assert!(
        words.iter().all(|words| words == "fwd=uri-miss; stored"),
        "{words:?}"
    );
    let ran = run(
        gateway.directory(),
        &["cache", "purge", "--url", "nonsense"],
    )
    .await;
    assert_ne!(ran.code, Some(0), "{ran:?}");
}

/// A 304 without a lifetime restores the stored response's original lifetime, not
/// the one that the purge left.
#[tokio::test]
async fn a_softly_purged_response_that_is_validated_is_fresh_again() {
    let upstream = counting(|request, _| match request.header("if-none-match") {
        Some(_) => Reply::new(304).header("ETag", "\"a\""),
        None => crate::cache::fresh().header("ETag", "\"a\""),
    })
    .await;
    let gateway = crate::cache::gateway(&upstream).await;
    let page = async || told(&gateway.get("/").await);
    assert_eq!(page().await, "fwd=uri-miss; stored");
    purge(&gateway, &json!({"all": true, "soft": true})).await;
    let renewed = "fwd=stale; fwd-status=304; stored; detail=\"purged\"";
    assert_eq!(page().await, renewed);
    assert_eq!(page().await, "hit");
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn a_policy_purges_what_it_was_granted_to() {
    let upstream = counting(|_, _| crate::cache::fresh().header("Cache-Tag", "list")).await;
    let config = |grants: &str| {
        let proxy = crate::cache::before(&upstream).route("cache = true\npolicies = [\"rules\"]");
        let probe = janua_tests::component("probe");
        format!(
            r#"[policies.rules]
component = "cache-rules"
config = {{ tags_from = ["cache-tag"] }}
[policies.flush]
component = "{}"
config = {{ label = "flush", purge = "{{header:x-tag}}", answer = 204 }}
grants = [{grants}]
{proxy}
[[sites.routes]]
path = "/flush"
policies = ["flush"]
upstream = "app"
"#,
            probe.display()
        )
    };
    let gateway = Gateway::start(config(
        "\"edit:header:x-probe\", \"effect:purge\", \"respond\"",
    ))
    .await;
    let page = async || told(&gateway.get("/page").await);
    assert_eq!(page().await, "fwd=uri-miss; stored");
    assert_eq!(page().await, "hit");
    let flush = |tag| Request::get("/flush").header("X-Tag", tag);
    assert_eq!(gateway.send(flush("other")).await.status, 204);
    assert_eq!(page().await, "hit");
    // A request sent after the response gets nothing older: both requests are
    // sent at once, so the second is read as soon as the first has been answered.
    let mut wire = gateway.connect().await;
    for _ in 0..100 {
        let both = [flush("list").to_bytes(), Request::get("/page").to_bytes()].concat();
        wire.send(&both).await;
        assert_eq!(wire.receive("GET").await.status, 204);
        assert_eq!(told(&wire.receive("GET").await), "fwd=uri-miss; stored");
    }
    let refused = gateway.try_reload(config("")).await.unwrap_err();
    let message = refused["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.ends_with("grants = [\"edit:header:x-probe\", \"respond\", \"effect:purge\"]"),
        "{message}"
    );
    assert_eq!(told(&gateway.get("/page").await), "hit");
}

#[tokio::test]
async fn a_request_after_a_purge_gets_no_older_response() {
    let permits = Arc::new(Semaphore::new(0));
    let count = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::http({
        let permits = Arc::clone(&permits);
        move |_| {
            let number = count.fetch_add(1, SeqCst) + 1;
            let permits = Arc::clone(&permits);
            async move {
                permits.acquire().await.unwrap().forget();
                fresh().body(format!("version {number}"))
            }
        }
    })
    .await;
    let gateway = crate::cache::gateway(&upstream).await;
    for (number, soft) in [(1, false), (3, true)] {
        let mut before = gateway.connect().await;
        let before = tokio::spawn(async move { before.exchange(&Request::get("/")).await });
        assert_eventually!(upstream.request_count() == number);
        purge(&gateway, &json!({"host": "a.example", "soft": soft})).await;
        let mut after = gateway.connect().await;
        let after = tokio::spawn(async move { after.exchange(&Request::get("/")).await });
        assert_eventually!(gateway.status().await["in_flight"] == 2);
        permits.add_permits(2);
        let new = format!("version {}", number + 1);
        assert_eq!(before.await.unwrap().text(), format!("version {number}"));
        assert_eq!(after.await.unwrap().text(), new, "soft: {soft}");
        assert_eq!(gateway.get("/").await.text(), new);
        purge(&gateway, &json!({"all": true})).await;
    }
}
