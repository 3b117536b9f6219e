//! `examples/dhanman-frontend`: a React application served from disk.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use janua_tests::{Example, Gateway, Request, Response, assert_eventually};
use tempfile::TempDir;

use crate::stacks::{expect_page, has, navigation, resource};

const HOST: &str = "app.dhanman.com";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// The suffixes of the `location ~*` in the nginx configuration that it
/// replaces.
const ASSETS: [&str; 12] = [
    "js", "css", "png", "jpg", "jpeg", "gif", "ico", "svg", "woff", "woff2", "ttf", "eot",
];
const SECURITY: [(&str, &str); 4] = [
    (
        "strict-transport-security",
        "max-age=31536000; includeSubDomains",
    ),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"),
];

/// The configuration, with a build on disk.
struct Stack {
    gateway: Gateway,
    disk: TempDir,
}

impl Stack {
    async fn boot() -> Self {
        let disk = tempfile::tempdir().unwrap();
        let root = disk.path().join("build");
        write_build(&root, 1);
        std::fs::write(disk.path().join("secret.txt"), "secret").unwrap();
        let example = Example::of("dhanman-frontend")
            .listener("*:80")
            .directory("/var/www/frontend/prod/build", &root);
        Self {
            gateway: Gateway::start(example).await,
            disk,
        }
    }

    fn root(&self) -> PathBuf {
        self.disk.path().join("build")
    }

    async fn open(&self, target: &str) -> Response {
        self.gateway.send(navigation(HOST, target)).await
    }

    async fn get(&self, target: &str) -> Response {
        self.gateway.send(resource(HOST, target)).await
    }
}

/// The layout of Create React App.
fn write_build(root: &Path, build: u32) {
    for folder in ["static/js", "static/css", "static/media", "help"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
    write(
        "index.html",
        &format!("<!doctype html><p>build {build}\n").repeat(60),
    );
    write("help/index.html", "<!doctype html><p>help\n");
    write(
        &format!("static/js/main.{build}a2b3c4d.js"),
        &format!("console.log({build});\n").repeat(100),
    );
    for extension in ASSETS {
        write(&format!("static/media/file.{extension}"), "an asset");
    }
    write("LOGO.PNG", "a picture");
    write("service-worker.js", "// worker\n");
    write("manifest.json", "{}");
    write(".env", "secret");
}

#[tokio::test]
async fn one_host_and_no_other() {
    let stack = Stack::boot().await;
    let known = navigation("APP.dhanman.com:80", "/");
    assert_eq!(stack.gateway.send(known).await.status, 200);
    for host in ["dhanman.com", "sales.dhanman.com", "x.app.dhanman.com"] {
        let response = stack.gateway.send(navigation(host, "/")).await;
        assert_eq!(response.status, 404, "{host}");
        assert_eq!(response.proxy_error(), Some("destination_not_found"));
    }
}

/// The suffix ignores case and takes precedence over the prefix `/`.
#[tokio::test]
async fn a_missing_asset_is_404_and_never_the_index() {
    let stack = Stack::boot().await;
    for extension in ASSETS {
        for extension in [extension.to_owned(), extension.to_uppercase()] {
            for target in [
                format!("/gone.{extension}"),
                format!("/static/js/gone.chunk.{extension}?v=1"),
            ] {
                // Also if a user opens its URL directly.
                for response in [stack.get(&target).await, stack.open(&target).await] {
                    assert_eq!(response.status, 404, "{target}");
                    assert!(!response.text().contains("build 1"), "{target}");
                    let cache = response.header("cache-control").unwrap_or_default();
                    assert!(!cache.contains("immutable"), "{target}: {cache}");
                }
            }
        }
    }
    let there = stack.get("/LOGO.PNG").await;
    assert_eq!(
        (there.status, there.header("content-type")),
        (200, Some("image/png"))
    );
    assert_eq!(there.header("cache-control"), Some(IMMUTABLE));
}

/// One line, whereas nginx sends two.
#[tokio::test]
async fn assets_are_immutable_for_a_year() {
    let stack = Stack::boot().await;
    for extension in ASSETS {
        let target = format!("/static/media/file.{extension}");
        let response = stack.get(&target).await;
        assert_eq!(response.status, 200, "{target}");
        assert_eq!(
            response.header("cache-control"),
            Some(IMMUTABLE),
            "{target}"
        );
        assert_eq!(response.header("expires"), None, "{target}");
        let etag = response.header("etag").expect("it has a validator");
        let again = resource(HOST, &target).header("If-None-Match", etag);
        let again = stack.gateway.send(again).await;
        assert_eq!(again.status, 304, "{target}");
        assert_eq!(again.header("cache-control"), Some(IMMUTABLE), "{target}");
    }
}

/// The original says nothing about the index, so browsers guess its lifetime.
#[tokio::test]
async fn files_with_the_same_name_in_every_build_are_not_immutable() {
    let stack = Stack::boot().await;
    for target in [
        "/",
        "/index.html",
        "/invoices/7",
        "/help/",
        "/service-worker.js",
    ] {
        let response = stack.open(target).await;
        assert_eq!(response.status, 200, "{target}");
        assert_eq!(
            response.header("cache-control"),
            Some("no-cache"),
            "{target}"
        );
    }
    let manifest = stack.get("/manifest.json").await;
    assert_eq!(manifest.header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn files_directories_and_the_index() {
    let stack = Stack::boot().await;
    for (target, text) in [
        ("/", "build 1"),
        ("/help/", "help"),
        ("/help/index.html", "help"),
        ("/invoices/2026/7", "build 1"),
        ("/invoices?sort=up&page=2", "build 1"),
        ("/help/unknown", "build 1"),
        ("/static/", "build 1"),
        ("/a%20b/%C3%A4", "build 1"),
        ("/users/jane.doe", "build 1"),
    ] {
        let response = stack.open(target).await;
        expect_page(&response, text, target);
    }
    // A request of a script is not a navigation.
    let data = Request::get("/invoices/7").host(HOST);
    let data = data.header("Accept", "application/json");
    assert_eq!(stack.gateway.send(data).await.status, 404);
    for target in ["/gone.json", "/static/js/main.gone.js.map"] {
        assert_eq!(stack.open(target).await.status, 404, "{target}");
    }

    let directory = stack.open("/help?x=1").await;
    assert_eq!(directory.status, 301);
    assert_eq!(directory.header("location"), Some("/help/?x=1"));

    let mut wire = stack.gateway.connect().await;
    let head = Request::new("HEAD", "/invoices/7").host(HOST);
    let head = wire.exchange(&head.header("Accept", "text/html")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for method in ["POST", "PUT", "DELETE"] {
        for target in ["/", "/static/media/file.js"] {
            let response = wire
                .exchange(&Request::new(method, target).host(HOST))
                .await;
            assert_eq!(response.status, 405, "{method} {target}");
            assert!(has(&response, "allow", "GET"), "{method} {target}");
            assert!(!has(&response, "allow", method), "{method} {target}");
        }
    }
}

#[tokio::test]
async fn nothing_else_on_the_disk_is_served() {
    let stack = Stack::boot().await;
    symlink(
        stack.disk.path().join("secret.txt"),
        stack.root().join("static/js/link.js"),
    )
    .unwrap();
    for target in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/static/..%2f..%2fsecret.txt",
        "/static/js/..%5c..%5c..%5csecret.txt",
        "/static/js/link.js",
        "/.env",
        "/%2eenv",
        "/static/js/../../.env",
        "/.env%00.js",
    ] {
        for response in [stack.get(target).await, stack.open(target).await] {
            assert!(!response.text().contains("secret"), "{target}");
        }
    }
    assert_eq!(stack.get("/static/js/link.js").await.status, 404);
}

#[tokio::test]
async fn the_types_of_the_stack_are_compressed() {
    let stack = Stack::boot().await;
    let long = "text ".repeat(400);
    for (name, coded) in [
        ("x.txt", true),
        ("x.css", true),
        ("x.xml", true),
        ("x.js", true),
        ("x.json", true),
        ("x.html", true),
        ("x.png", false),
        ("x.woff2", false),
    ] {
        std::fs::write(stack.root().join(name), &long).unwrap();
        for (accepted, coding) in [("gzip, deflate, br", "br"), ("gzip", "gzip")] {
            let target = format!("/{name}");
            let request = resource(HOST, &target).header("Accept-Encoding", accepted);
            let response = stack.gateway.send(request).await;
            assert_eq!(
                response.header("content-encoding"),
                coded.then_some(coding),
                "{name}"
            );
            if coded {
                assert!(has(&response, "vary", "Accept-Encoding"), "{name}");
                assert!(response.body.len() < long.len(), "{name}");
            }
        }
        let plain = stack.get(&format!("/{name}")).await;
        // Also for a client that accepts no coding: `gzip_vary`.
        assert_eq!(has(&plain, "vary", "Accept-Encoding"), coded, "{name}");
        assert_eq!(plain.header("content-encoding"), None, "{name}");
        assert_eq!(plain.text(), long, "{name}");
    }
}

#[tokio::test]
async fn bodies_are_compressed_from_1024_bytes_on() {
    let stack = Stack::boot().await;
    for (length, coding) in [(1023, None), (1024, Some("gzip"))] {
        let target = format!("/{length}.css");
        let path = stack.root().join(format!("{length}.css"));
        std::fs::write(path, "x".repeat(length)).unwrap();
        let request = resource(HOST, &target).header("Accept-Encoding", "gzip");
        let response = stack.gateway.send(request).await;
        assert_eq!(response.header("content-encoding"), coding, "{length}");
    }
}

/// Security headers with `always`: on every response of the site.
#[tokio::test]
async fn security_headers_on_every_answer() {
    let stack = Stack::boot().await;
    let etag = stack.open("/").await.header("etag").unwrap().to_owned();
    let same = navigation(HOST, "/").header("If-None-Match", &etag);
    for (request, status) in [
        (navigation(HOST, "/"), 200),
        (navigation(HOST, "/invoices/7"), 200),
        (resource(HOST, "/static/media/file.css"), 200),
        (same, 304),
        (navigation(HOST, "/help"), 301),
        (resource(HOST, "/gone.js"), 404),
        (Request::post("/", "x").host(HOST), 405),
    ] {
        let response = stack.gateway.send(request).await;
        assert_eq!(response.status, status);
        for (name, value) in SECURITY {
            assert_eq!(response.header(name), Some(value), "{status} {name}");
        }
    }
}

/// A deploy as it was done with nginx: removed files are deleted while a page
/// is open.
#[tokio::test]
async fn a_page_that_is_open_during_a_deploy_finds_its_chunks() {
    let stack = Stack::boot().await;
    const OLD: &str = "/static/js/main.1a2b3c4d.js";
    let old = stack.get(OLD).await;
    assert_eq!(stack.get("/LOGO.PNG").await.status, 200);
    write_build(&stack.root(), 2);
    std::fs::remove_file(stack.root().join(&OLD[1..])).unwrap();
    std::fs::remove_file(stack.root().join("LOGO.PNG")).unwrap();

    // A file that `retain_files` does not match is gone after the next lookup:
    // from then on no response comes from a file that is still open.
    assert_eventually!(stack.get("/LOGO.PNG").await.status == 404);
    let kept = stack.get(OLD).await;
    assert_eq!((kept.status, &kept.body), (200, &old.body));
    assert_eq!(kept.header("cache-control"), Some(IMMUTABLE));
    assert_eventually!(stack.open("/").await.text().contains("build 2"));
    assert_eq!(stack.get("/static/js/main.2a2b3c4d.js").await.status, 200);
}
