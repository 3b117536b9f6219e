//! Webhooks are called after a purge.

use janua_tests::{Gateway, Received, Reply, Request, Settings, Upstream, Vacant, run};
use serde_json::{Value, json};

use crate::cache::{before, counting, fresh, told};

/// A stand-in for Cloudflare's API whose first responses have these statuses.
async fn cdn(first: &'static [u16]) -> Upstream {
    counting(move |_, number| match first.get(number - 1) {
        Some(status) => Reply::new(*status).body("{\"success\":false,\"errors\":[]}"),
        None => {
            let said = json!({"success": true, "errors": [], "result": {"id": "1"}});
            Reply::ok(said.to_string())
        }
    })
    .await
}

fn webhook(endpoint: &str, path: &str) -> String {
    format!(
        "[[cache.webhooks]]
url = \"http://{endpoint}{path}\"
template = \"cloudflare\"
token_env = \"CDN_TOKEN\"
"
    )
}

async fn gateway(upstream: &Upstream, webhooks: &str) -> Gateway {
    Settings::new()
        .environment("CDN_TOKEN", "secret-of-the-cdn")
        .start(format!("{webhooks}{}", before(upstream)))
        .await
}

async fn purge(gateway: &Gateway, what: &Value) -> Value {
    let request = Request::post("/cache/purge", what.to_string());
    let answer = gateway.ask_with(&request).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    answer.json()
}

fn body(call: &Received) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

#[tokio::test]
async fn cloudflare_is_told_what_was_purged() {
    let upstream = counting(|_, _| fresh()).await;
    let cdn = cdn(&[]).await;
    let gateway = gateway(&upstream, &webhook(&cdn.endpoint(), "/zones/z/purge_cache")).await;
    let many: Vec<_> = (0..40).map(|n| format!("https://a.example/{n}")).collect();
    for (what, expected) in [
        (
            json!({"url": "https://a.example/x?y=1"}),
            vec![json!({"files": ["https://a.example/x?y=1"]})],
        ),
        (
            json!({"prefix": "a.example/assets/"}),
            vec![json!({"prefixes": ["a.example/assets/"]})],
        ),
        (
            json!({"host": "a.example", "tag": ["t", "u"]}),
            vec![json!({"hosts": ["a.example"]}), json!({"tags": ["t", "u"]})],
        ),
        // As many as one call may contain.
        (
            json!({"url": many}),
            vec![json!({"files": many[..30]}), json!({"files": many[30..]})],
        ),
        (
            json!({"all": true}),
            vec![json!({"purge_everything": true})],
        ),
        (json!({"all": true, "webhooks": false}), vec![]),
    ] {
        let before = cdn.request_count();
        let summary = purge(&gateway, &what).await;
        let calls = cdn.requests().split_off(before);
        let bodies: Vec<_> = calls.iter().map(body).collect();
        assert_eq!(bodies, expected, "{what}");
        for call in &calls {
            assert_eq!(
                (call.method.as_str(), call.target.as_str()),
                ("POST", "/zones/z/purge_cache")
            );
            assert_eq!(
                call.header("authorization"),
                Some("Bearer secret-of-the-cdn")
            );
            assert_eq!(call.header("content-type"), Some("application/json"));
        }
        let told = summary["webhooks"].as_array().unwrap();
        assert_eq!(told.len(), usize::from(!expected.is_empty()), "{summary}");
        assert!(
            told.iter()
                .all(|one| one["status"] == 200 && one["error"].is_null()),
            "{summary}"
        );
    }
}

#[tokio::test]
async fn a_call_that_fails_is_shown_and_the_purge_stands() {
    let upstream = counting(|_, _| fresh()).await;
    let (busy, refusing) = (cdn(&[429, 503]).await, cdn(&[403, 403, 403]).await);
    let vacant = Vacant::refusing();
    let webhooks = [
        webhook(&busy.endpoint(), "/"),
        webhook(&refusing.endpoint(), "/"),
        webhook(&vacant.endpoint(), "/"),
    ];
    let gateway = gateway(&upstream, &webhooks.concat()).await;
    gateway.get("/").await;
    let ran = run(gateway.directory(), &["cache", "purge", "--all", "--json"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(told(&gateway.get("/").await), "fwd=uri-miss; stored");
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let seen: Vec<_> = summary["webhooks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["status"].clone(), one["error"].is_string()))
        .collect();
    assert_eq!(seen[0], (json!(200), false), "{summary}");
    assert_eq!(seen[1], (json!(403), true), "{summary}");
    assert_eq!(seen[2], (json!(null), true), "{summary}");
    // A busy server is called again, a refusal is final.
    assert_eq!((busy.request_count(), refusing.request_count()), (3, 1));
    let told = [ran.stdout, ran.stderr, gateway.messages()].concat();
    assert!(!told.contains("secret-of-the-cdn"), "{told}");
}
