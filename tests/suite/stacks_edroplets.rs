//! `examples/edroplets`: static pages, and an API below `/api/`.

use std::path::Path;

use janua_tests::{Example, Gateway, Received, Reply, Request, Response, Settings, Upstream};
use tempfile::TempDir;

use crate::stacks::{expect_page, has, navigation, resource};

const HOST: &str = "edroplets.org";

/// The configuration, with a stand-in for the container.
struct Stack {
    gateway: Gateway,
    backend: Upstream,
    _disk: TempDir,
}

impl Stack {
    async fn boot() -> Self {
        let disk = tempfile::tempdir().unwrap();
        write_site(disk.path());
        let backend = Upstream::http(async |request| answer(&request)).await;
        let example = Example::of("edroplets")
            .listener("*:80")
            // Under the container's name, which is in the hosts file; only the
            // port differs.
            .endpoint(
                "edroplets_backend:3000",
                &format!("edroplets_backend:{}", backend.port()),
            )
            .directory("/srv/edroplets", disk.path());
        Self {
            gateway: Settings::new()
                .hosts("127.0.0.1 edroplets_backend\n")
                .start(example)
                .await,
            backend,
            _disk: disk,
        }
    }

    async fn open(&self, target: &str) -> Response {
        self.gateway.send(navigation(HOST, target)).await
    }

    async fn get(&self, target: &str) -> Response {
        self.gateway.send(resource(HOST, target)).await
    }
}

fn write_site(root: &Path) {
    std::fs::create_dir_all(root.join("docs")).unwrap();
    std::fs::create_dir_all(root.join("js")).unwrap();
    for (name, text) in [
        ("index.html", "<!doctype html><p>the index\n"),
        ("docs/index.html", "<!doctype html><p>the documents\n"),
        ("about.html", "<!doctype html><p>about\n"),
        ("js/app.js", "console.log('droplets');\n"),
        ("small.css", "p{}\n"),
    ] {
        let text = if name == "small.css" {
            text.to_owned()
        } else {
            text.repeat(50)
        };
        std::fs::write(root.join(name), text).unwrap();
    }
}

/// The backend: returns the request, and answers `/missing` with 404.
fn answer(request: &Received) -> Reply {
    if request.target == "/missing" {
        return Reply::new(404)
            .header("Content-Type", "application/json")
            .body("{\"error\":\"no such droplet\"}");
    }
    let body = serde_json::json!({ "target": request.target, "more": "x".repeat(2000) });
    Reply::ok(body.to_string()).header("Content-Type", "application/json")
}

#[tokio::test]
async fn both_names_and_no_other() {
    let stack = Stack::boot().await;
    for host in ["edroplets.org", "www.edroplets.org"] {
        let response = stack.gateway.send(navigation(host, "/")).await;
        assert_eq!(response.status, 200, "{host}");
        assert!(response.text().contains("the index"), "{host}");
    }
    for host in ["api.edroplets.org", "other.org"] {
        let response = stack.gateway.send(navigation(host, "/")).await;
        assert_eq!(response.status, 404, "{host}");
        assert_eq!(response.proxy_error(), Some("destination_not_found"));
    }
}

#[tokio::test]
async fn the_api_without_its_prefix() {
    let stack = Stack::boot().await;
    for (target, seen) in [
        ("/api/users/7?x=1", "/users/7?x=1"),
        ("/api/", "/"),
        ("/api/api/x", "/api/x"),
        ("/api/a%20b", "/a%20b"),
        ("/x/../api/users", "/users"),
        ("/api/js/app.js", "/js/app.js"),
    ] {
        let response = stack.get(target).await;
        assert_eq!(response.json()["target"], seen, "{target}");
    }
    // These paths are not below the prefix: pages.
    let before = stack.backend.request_count();
    for target in ["/api", "/apix", "/API/users"] {
        let response = stack.open(target).await;
        assert_eq!(response.status, 200, "{target}");
        assert!(response.text().contains("the index"), "{target}");
    }
    assert_eq!(stack.backend.request_count(), before);
}

/// `{path}`, `{path}/`, then `/index.html`.
#[tokio::test]
async fn pages_fall_back_to_the_index() {
    let stack = Stack::boot().await;
    for (target, text) in [
        ("/", "the index"),
        ("/about.html", "about"),
        ("/docs/", "the documents"),
        ("/editor/42", "the index"),
        ("/editor/42?step=2", "the index"),
        ("/docs/unknown", "the index"),
        ("/devices/rev2.1", "the index"),
    ] {
        let response = stack.open(target).await;
        expect_page(&response, text, target);
        assert_eq!(
            response.header("cache-control"),
            Some("no-cache"),
            "{target}"
        );
    }
    let directory = stack.open("/docs").await;
    assert_eq!(directory.header("location"), Some("/docs/"));
    assert_eq!(stack.backend.request_count(), 0);
}

/// A missing path of the API is answered by the API.
#[tokio::test]
async fn the_api_is_excluded() {
    let stack = Stack::boot().await;
    let response = stack.open("/api/missing").await;
    assert_eq!(response.status, 404);
    assert_eq!(response.json()["error"], "no such droplet");
}

#[tokio::test]
async fn a_missing_asset_is_404() {
    let stack = Stack::boot().await;
    assert_eq!(stack.get("/js/app.js").await.status, 200);
    for target in ["/js/old.js", "/img/none.png", "/js/OLD.JS"] {
        let response = stack.get(target).await;
        assert_eq!(response.status, 404, "{target}");
        assert!(!response.text().contains("the index"), "{target}");
    }
}

/// A page is revalidated, and an unchanged one is not sent again.
#[tokio::test]
async fn an_unchanged_page_is_304() {
    let stack = Stack::boot().await;
    for target in ["/", "/editor/42"] {
        let page = stack.open(target).await;
        let etag = page.header("etag").expect("a page has a validator");
        let again = navigation(HOST, target).header("If-None-Match", etag);
        assert_eq!(stack.gateway.send(again).await.status, 304, "{target}");
    }
}

/// Caddy's `encode zstd gzip`.
#[tokio::test]
async fn pages_and_api_are_compressed() {
    let stack = Stack::boot().await;
    for (accepted, coding) in [
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip, br", Some("gzip")),
        ("zstd;q=0, gzip;q=0.5", Some("gzip")),
        ("br", None),
        ("identity", None),
    ] {
        for target in ["/", "/editor/42", "/js/app.js", "/api/users"] {
            let request = navigation(HOST, target).header("Accept-Encoding", accepted);
            let response = stack.gateway.send(request).await;
            assert_eq!(
                response.header("content-encoding"),
                coding,
                "{target} {accepted}"
            );
            assert!(has(&response, "vary", "Accept-Encoding"), "{target}");
        }
    }
    let request = resource(HOST, "/small.css").header("Accept-Encoding", "gzip");
    let small = stack.gateway.send(request).await;
    assert_eq!(small.header("content-encoding"), None);
    assert_eq!(small.text(), "p{}\n");
}

/// Caddy does both by default.
#[tokio::test]
async fn the_host_and_the_client_are_passed_on() {
    let stack = Stack::boot().await;
    let request = resource(HOST, "/api/users").header("X-Forwarded-For", "6.6.6.6");
    stack.gateway.send(request).await;
    let seen = stack.backend.only_request();
    assert_eq!(seen.header("host"), Some(HOST));
    assert_eq!(seen.header("x-real-ip"), Some("127.0.0.1"));
    let chain = seen.header("x-forwarded-for").unwrap();
    assert!(chain.ends_with("127.0.0.1"), "{chain}");
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some(HOST));
}

/// A signed webhook: with one byte more or less its signature would be invalid.
#[tokio::test]
async fn a_webhook_reaches_the_backend_byte_for_byte() {
    let stack = Stack::boot().await;
    let body: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let request = Request::post("/api/hooks/push", body.clone())
        .host(HOST)
        .header("Content-Type", "application/json; charset=utf-8")
        .header("X-Hub-Signature-256", "sha256=ABCdef")
        .header("Accept-Encoding", "gzip");
    assert_eq!(stack.gateway.send(request).await.status, 200);
    let seen = stack.backend.only_request();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/hooks/push")
    );
    assert_eq!(seen.body, body);
    assert_eq!(seen.header("x-hub-signature-256"), Some("sha256=ABCdef"));
    assert_eq!(
        seen.header("content-type"),
        Some("application/json; charset=utf-8")
    );
}
