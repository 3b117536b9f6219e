//! `janua deploy` with a running gateway.

use std::fs;

use janua_tests::{Gateway, Reply, Request, run};
use serde_json::{Value, json};

use crate::cache::{counting, fresh, told};

/// Sites with files and a cached API, followed by `more`.
async fn started(more: &str) -> (janua_tests::Upstream, Gateway) {
    let upstream = counting(|_, _| fresh()).await;
    let gateway = Gateway::start(format!(
        r#"
[listeners.public]
address = "127.0.0.1:0"
[upstreams.api]
endpoints = ["{}"]
[[sites]]
hosts = ["*"]
[[sites.routes]]
path = "/api"
cache = true
upstream = "api"
[[sites.routes]]
respond = {{ status = 404 }}
"#,
        upstream.endpoint()
    ))
    .await;
    fs::create_dir(gateway.directory().join("dist")).unwrap();
    fs::create_dir(gateway.directory().join("build")).unwrap();
    fs::write(gateway.directory().join("dist/index.html"), "old").unwrap();
    fs::write(gateway.directory().join("build/index.html"), "new").unwrap();
    let config = fs::read_to_string(gateway.config_path()).unwrap();
    let config = config.replace("respond = { status = 404 }", "files = \"dist\"");
    fs::write(gateway.config_path(), format!("{config}{more}")).unwrap();
    gateway.done(&["reload"]).await;
    (upstream, gateway)
}

async fn api(gateway: &Gateway) -> String {
    told(&gateway.send(Request::get("/api").host("any.example")).await)
}

const DEPLOY: [&str; 6] = ["deploy", "--site", "*", "--admin", "admin.sock", "build"];

/// It is unknown which hosts `*` has matched, but the whole cache belongs to
/// this site.
#[tokio::test]
async fn the_only_site_that_caches_purges_everything() {
    // Another site that stores nothing does not change that.
    let beside = "[[sites]]\nhosts = [\"b.example\"]\nroutes = [{ upstream = \"api\" }]\n";
    let (_upstream, gateway) = started(beside).await;
    assert!(api(&gateway).await.contains("stored"));
    assert!(api(&gateway).await.contains("hit"));
    let ran = run(gateway.directory(), &DEPLOY).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("purged: everything\n"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("not purged"), "{}", ran.stdout);
    assert_eq!(gateway.get("/").await.text(), "new");
    assert!(api(&gateway).await.contains("stored"));
}

/// A CDN may hold responses of other sites, whether the gateway stores them or
/// not.
#[tokio::test]
async fn webhooks_are_told_to_purge_everything_only_for_the_only_site() {
    let beside = "[[sites]]\nhosts = [\"b.example\"]\nroutes = [{ upstream = \"api\" }]\n";
    let warning = "warning: everything is purged in the gateway's own cache alone";
    for (more, tag, expected) in [
        ("", None, Some(json!({"purge_everything": true}))),
        (beside, None, None),
        (
            beside,
            Some("catalogue"),
            Some(json!({"tags": ["catalogue"]})),
        ),
    ] {
        let cdn = counting(|_, _| Reply::ok("{\"success\":true,\"errors\":[]}")).await;
        let webhook = format!(
            "[[cache.webhooks]]\nurl = \"http://{}/\"\ntemplate = \"cloudflare\"\n\
             token_file = \"dist/index.html\"\n",
            cdn.endpoint()
        );
        let (_upstream, gateway) = started(&format!("{more}{webhook}")).await;
        assert!(api(&gateway).await.contains("stored"));
        let line = DEPLOY.into_iter().chain(tag.map(|_| "--tag")).chain(tag);
        let ran = run(gateway.directory(), &line.collect::<Vec<_>>()).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let bodies: Vec<Value> = cdn
            .requests()
            .iter()
            .map(|call| serde_json::from_slice(&call.body).unwrap())
            .collect();
        assert_eq!(bodies, Vec::from_iter(expected), "{more}");
        // The gateway's own cache belongs to this site in any case.
        assert!(
            ran.stdout.contains("purged: everything\n"),
            "{}",
            ran.stdout
        );
        assert!(api(&gateway).await.contains("stored"));
        let warned = ran.stdout.contains(warning);
        assert_eq!(warned, !more.is_empty(), "{}", ran.stdout);
    }
}

/// Responses of other sites are kept, and the operator is told what to do.
#[tokio::test]
async fn a_pattern_beside_another_site_that_caches_is_not_purged_and_said() {
    let beside =
        "[[sites]]\nhosts = [\"b.example\"]\nroutes = [{ cache = true, upstream = \"api\" }]\n";
    let (_upstream, gateway) = started(beside).await;
    assert!(api(&gateway).await.contains("stored"));
    let ran = run(gateway.directory(), &DEPLOY).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = "hosts that are patterns are not purged (*), as other sites use the cache";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
    assert!(api(&gateway).await.contains("hit"));
}
