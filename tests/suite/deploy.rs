//! `janua deploy` with a gateway that runs.

use std::fs;

use janua_tests::{Gateway, Request, run};

use crate::cache::{counting, fresh, told};

/// Sites of files and of an API that is cached; `more` comes after them.
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
    let ran = run(gateway.directory(), &["reload", "--admin", "admin.sock"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    (upstream, gateway)
}

async fn api(gateway: &Gateway) -> String {
    told(&gateway.send(Request::get("/api").host("any.example")).await)
}

const DEPLOY: [&str; 6] = ["deploy", "--site", "*", "--admin", "admin.sock", "build"];

/// Nobody knows which hosts `*` stood for: all of the cache is this site's.
#[tokio::test]
async fn the_only_site_that_caches_purges_everything() {
    // A site beside it that stores nothing does not keep it from that.
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

/// What is another site's stays, and the operator is told what to do.
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
