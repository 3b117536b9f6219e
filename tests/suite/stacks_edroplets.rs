//! `examples/edroplets`: static pages, and an API below `/api/`; automatic certificates, and the
//! redirect to https.

use std::path::Path;

use janua_tests::{
    Asked, Example, Gateway, Http2Client, Point, Received, Reply, Request, Response, Settings,
    TlsClient, TlsError, Upstream,
};
use tempfile::TempDir;

use crate::acme::{Scene, issuer, listed, renew, served, shown};
use crate::stacks::{connect, expect_page, has, navigation, resource, send_clear};

const HOST: &str = "edroplets.org";
const WWW: &str = "www.edroplets.org";
/// The challenge of an order that is not the gateway's.
const CHALLENGE: &str = "/.well-known/acme-challenge/2tJkD8b4";

/// The configuration, with a stand-in for the container.
struct Stack {
    gateway: Gateway,
    backend: Upstream,
    scene: Scene,
    /// Keeps its sessions.
    client: TlsClient,
    _disk: TempDir,
}

impl Stack {
    /// Once both names have their certificates.
    async fn boot() -> Self {
        let stack = Self::boot_at(Scene::new().await).await;
        for host in [HOST, WWW] {
            stack.scene.issued(&stack.gateway, host).await;
        }
        stack
    }

    /// Without certificates.
    async fn boot_at(scene: Scene) -> Self {
        let disk = tempfile::tempdir().unwrap();
        write_site(disk.path());
        let backend = Upstream::http(async |request| answer(&request)).await;
        let example = Example::of("edroplets")
            .listener_at("*:80", scene.http.address())
            .listener_at("*:443", scene.tls.address())
            .authority(&scene.front.directory_url(), &scene.pebble.ca_path())
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
            client: scene.pebble.client().await,
            scene,
            _disk: disk,
        }
    }

    /// Sends a request over TLS.
    async fn send(&self, request: Request) -> Response {
        let mut wire = connect(&self.gateway, &self.client, HOST).await;
        wire.exchange(&request).await
    }

    async fn open(&self, target: &str) -> Response {
        self.send(navigation(HOST, target)).await
    }

    async fn get(&self, target: &str) -> Response {
        self.send(resource(HOST, target)).await
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

/// Over TLS by the name in the handshake, and in clear text by the field `Host`.
#[tokio::test]
async fn both_names_and_no_other() {
    let stack = Stack::boot().await;
    for host in [HOST, WWW] {
        let mut wire = connect(&stack.gateway, &stack.client, host).await;
        let response = wire.exchange(&navigation(host, "/")).await;
        expect_page(&response, "the index", host);
    }
    let address = stack.gateway.address_of("https");
    for host in ["api.edroplets.org", "other.org"] {
        let refused = stack.client.connect(address, host).await;
        let refused = refused.map(|_| ()).unwrap_err();
        assert_eq!(refused, TlsError::Alert("UnrecognisedName".to_owned()));
        let response = send_clear(&stack.gateway, &navigation(host, "/")).await;
        assert_eq!(response.status, 404, "{host}");
        assert_eq!(response.proxy_error(), Some("destination_not_found"));
        let response = stack.send(navigation(host, "/")).await;
        assert!(matches!(response.status, 404 | 421), "{host}");
    }
}

/// Caddy's automatic redirect: 308, to the same host, with path and query.
#[tokio::test]
async fn http_is_redirected_to_the_same_host() {
    let stack = Stack::boot().await;
    for host in [HOST, WWW] {
        for (method, target) in [
            ("GET", "/"),
            ("GET", "/editor/42?step=2&name=a%20b"),
            ("POST", "/api/hooks/push?x"),
            ("GET", CHALLENGE),
        ] {
            let request = Request::new(method, target).host(host);
            let response = send_clear(&stack.gateway, &request).await;
            assert_eq!(response.status, 308, "{host}{target}");
            // Port 443, which the file has, is left out.
            let expected = format!("https://{host}:{}{target}", stack.scene.tls.number());
            assert_eq!(response.header("location"), Some(&*expected));
        }
    }
    assert_eq!(stack.backend.request_count(), 0);
}

/// TLS 1.2 and 1.3, as Caddy has them, and `h2` is not agreed on.
#[tokio::test]
async fn versions_and_protocols() {
    let stack = Stack::boot().await;
    for version in ["1.2", "1.3"] {
        for protocol in ["h2", "http/1.1"] {
            let client = stack.client.clone().version(version);
            let client = client.protocols(&[protocol]);
            let mut wire = connect(&stack.gateway, &client, HOST).await;
            assert_eq!(wire.handshake().version, version);
            assert_eq!(wire.handshake().protocol.as_deref(), Some(protocol));
            let target = format!("/api/{version}/{protocol}");
            let request = resource(HOST, &target);
            let response = match protocol {
                "h2" => Http2Client::over(wire).await.send(&request).await,
                _ => wire.exchange(&request).await,
            };
            assert_eq!(response.status, 200);
            let line = stack.gateway.log_line(&target).await;
            assert_eq!(line["tls_version"], version);
            assert_eq!(line["tls_server_name"], HOST);
        }
    }
}

/// Both names get a certificate of their own without any help; until then clients get one that
/// they do not trust.
#[tokio::test]
async fn the_first_certificates() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::Finalize, Point::Request);
    let stack = Stack::boot_at(scene).await;
    hold.reached_by(2).await;
    for host in [HOST, WWW] {
        let before = shown(&stack.gateway, host).await;
        assert!(!issuer(&before).contains("Pebble"), "{}", issuer(&before));
    }
    hold.release();
    for host in [HOST, WWW] {
        let certificate = stack.scene.issued(&stack.gateway, host).await;
        let status = stack.scene.status(&certificate).await;
        assert_eq!(status.as_deref(), Some("Valid"), "{host}");
        assert!(issuer(&certificate).contains("Pebble"), "{host}");
    }
    let mut ordered = stack.scene.front.ordered();
    ordered.sort();
    assert_eq!(ordered, [[HOST], [WWW]]);
}

/// A renewal: new handshakes get the new certificate, and a connection that is open stays.
#[tokio::test]
async fn a_renewed_certificate_takes_effect_by_itself() {
    let stack = Stack::boot().await;
    let client = stack.scene.pebble.client().await;
    let before = served(&stack.gateway, &client, WWW).await;
    let mut open = connect(&stack.gateway, &stack.client, WWW).await;
    assert_eq!(open.exchange(&navigation(WWW, "/")).await.status, 200);
    renew(&stack.gateway, WWW).await;
    assert_ne!(served(&stack.gateway, &client, WWW).await, before);
    let response = open.exchange(&resource(WWW, "/api/users")).await;
    assert_eq!(response.status, 200);
}

/// "Certificates are a mystery": names, issuer, and how long each is valid.
#[tokio::test]
async fn the_certificates_are_shown() {
    let stack = Stack::boot().await;
    for host in [HOST, WWW] {
        let shown = listed(&stack.gateway, host).await.unwrap();
        assert_eq!(shown["names"], serde_json::json!([host]));
        assert_eq!(shown["sites"], serde_json::json!([HOST]));
        assert_eq!(shown["source"], "acme");
        assert_eq!(shown["acme"]["state"], "valid");
        assert_eq!(shown["warnings"], serde_json::json!([]));
        let metrics = stack.gateway.metrics().await;
        let labels = [("site", HOST), ("name", host)];
        let expiry = metrics.sum("janua_certificate_expiry_seconds", &labels);
        let shown = shown["valid_until_unix_ms"].as_f64().unwrap();
        assert!((expiry - shown / 1000.0).abs() < 1.0, "{expiry} {shown}");
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
        assert_eq!(stack.send(again).await.status, 304, "{target}");
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
            let response = stack.send(request).await;
            assert_eq!(
                response.header("content-encoding"),
                coding,
                "{target} {accepted}"
            );
            assert!(has(&response, "vary", "Accept-Encoding"), "{target}");
        }
    }
    let request = resource(HOST, "/small.css").header("Accept-Encoding", "gzip");
    let small = stack.send(request).await;
    assert_eq!(small.header("content-encoding"), None);
    assert_eq!(small.text(), "p{}\n");
}

/// Caddy does both by default.
#[tokio::test]
async fn the_host_and_the_client_are_passed_on() {
    let stack = Stack::boot().await;
    let request = resource(HOST, "/api/users").header("X-Forwarded-For", "6.6.6.6");
    stack.send(request).await;
    let seen = stack.backend.only_request();
    assert_eq!(seen.header("host"), Some(HOST));
    assert_eq!(seen.header("x-real-ip"), Some("127.0.0.1"));
    let chain = seen.header("x-forwarded-for").unwrap();
    assert!(chain.ends_with("127.0.0.1"), "{chain}");
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
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
    assert_eq!(stack.send(request).await.status, 200);
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
