//! `examples/dhanman`: a React application served from disk, and six services in two
//! environments, each host with a certificate of its own.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use janua_tests::{
    Example, Gateway, Reply, Request, Response, Settings, TlsClient, TlsError, Upstream,
    assert_eventually, run,
};
use tempfile::TempDir;

use crate::stacks::{Certbot, connect, expect_page, has, navigation, resource, send_clear};

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

/// The hosts of the services, and the ports of their endpoints: production, then tests.
const SERVICES: [(&str, u16); 12] = [
    ("common.dhanman.com", 5001),
    ("community.dhanman.com", 5002),
    ("inventory.dhanman.com", 5003),
    ("payroll.dhanman.com", 5004),
    ("purchase.dhanman.com", 5005),
    ("sales.dhanman.com", 5006),
    ("qa.common.dhanman.com", 5101),
    ("qa.community.dhanman.com", 5102),
    ("qa.inventory.dhanman.com", 5103),
    ("qa.payroll.dhanman.com", 5104),
    ("qa.purchase.dhanman.com", 5105),
    ("qa.sales.dhanman.com", 5106),
];
const CHALLENGE: &str = "/.well-known/acme-challenge/Qh9x";

/// The configuration, with a build on disk and stand-ins for the services.
struct Stack {
    gateway: Gateway,
    services: Vec<Upstream>,
    certbot: Certbot,
    /// Keeps its sessions.
    client: TlsClient,
    disk: TempDir,
}

impl Stack {
    async fn boot() -> Self {
        let disk = tempfile::tempdir().unwrap();
        let root = disk.path().join("build");
        write_build(&root, 1);
        std::fs::write(disk.path().join("secret.txt"), "secret").unwrap();
        let webroot = disk.path().join("acme");
        let challenge = webroot.join(&CHALLENGE[1..]);
        std::fs::create_dir_all(challenge.parent().unwrap()).unwrap();
        std::fs::write(challenge, "Qh9x.key").unwrap();
        let certbot = Certbot::new();
        let mut example = Example::of("dhanman")
            .listener("*:80")
            .listener("*:443")
            .directory("/var/www/frontend/prod/build", &root)
            .directory("/var/www/acme", &webroot)
            .below("/etc/letsencrypt", certbot.directory());
        certbot.obtain(&[HOST]);
        let mut services = Vec::new();
        for (host, port) in SERVICES {
            certbot.obtain(&[host]);
            let service = Upstream::always(Reply::ok(port.to_string())).await;
            example = example.endpoint(&format!("localhost:{port}"), &service.endpoint());
            services.push(service);
        }
        let own = tempfile::tempdir().unwrap();
        example.write_included(own.path());
        let settings = Settings::new().watch();
        Self {
            gateway: settings.start_in(own, example).await,
            services,
            client: certbot.client(),
            certbot,
            disk,
        }
    }

    /// Sends a request over TLS.
    async fn send(&self, request: Request) -> Response {
        self.send_to(HOST, request).await
    }

    async fn send_to(&self, host: &str, request: Request) -> Response {
        let mut wire = connect(&self.gateway, &self.client, host).await;
        wire.exchange(&request).await
    }

    fn root(&self) -> PathBuf {
        self.disk.path().join("build")
    }

    async fn open(&self, target: &str) -> Response {
        self.send(navigation(HOST, target)).await
    }

    async fn get(&self, target: &str) -> Response {
        self.send(resource(HOST, target)).await
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

/// Over TLS by the name in the handshake, and in clear text by the field `Host`.
#[tokio::test]
async fn thirteen_hosts_and_no_other() {
    let stack = Stack::boot().await;
    let known = navigation("APP.dhanman.com:443", "/");
    expect_page(&stack.send(known).await, "build 1", HOST);
    for ((host, port), service) in SERVICES.into_iter().zip(&stack.services) {
        let response = stack.send_to(host, Request::get("/api/x").host(host)).await;
        assert_eq!(response.text(), port.to_string(), "{host}");
        let seen = service.only_request();
        assert_eq!(seen.header("host"), Some(host));
        assert_eq!(seen.header("x-real-ip"), Some("127.0.0.1"));
        assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    }
    let address = stack.gateway.address_of("https");
    for host in ["dhanman.com", "qa.app.dhanman.com", "x.app.dhanman.com"] {
        let refused = stack.client.connect(address, host).await;
        let refused = refused.map(|_| ()).unwrap_err();
        assert_eq!(refused, TlsError::Alert("UnrecognisedName".to_owned()));
        let response = send_clear(&stack.gateway, &navigation(host, "/")).await;
        assert_eq!(response.status, 404, "{host}");
        assert_eq!(response.proxy_error(), Some("destination_not_found"));
    }
}

/// 301 to the first name, which is the only one, with path and query; also for the
/// application, which the original does not serve on port 80 at all.
#[tokio::test]
async fn http_is_redirected() {
    let stack = Stack::boot().await;
    for (host, _) in SERVICES.into_iter().chain([(HOST, 0)]) {
        for (method, target) in [("GET", "/a%20b?page=2&x"), ("POST", "/health")] {
            let request = Request::new(method, target).host(&format!("{host}:80"));
            let response = send_clear(&stack.gateway, &request).await;
            assert_eq!(response.status, 301, "{host}{target}");
            let expected = format!("https://{host}{target}");
            assert_eq!(response.header("location"), Some(&*expected));
        }
    }
    for service in &stack.services {
        assert_eq!(service.request_count(), 0);
    }
}

/// Each host has its own certificate; so a connection for one is of no use for another.
#[tokio::test]
async fn a_certificate_for_each_host() {
    let stack = Stack::boot().await;
    let mut seen = std::collections::HashSet::new();
    for (host, _) in SERVICES.into_iter().chain([(HOST, 0)]) {
        // The client verifies that the certificate is one for this host.
        let mut wire = connect(&stack.gateway, &stack.client, host).await;
        assert!(seen.insert(wire.handshake().certificate.clone()), "{host}");
        let other = if host == HOST { SERVICES[0].0 } else { HOST };
        let misdirected = wire.exchange(&Request::get("/").host(other)).await;
        assert_eq!(misdirected.status, 421, "{host}");
    }
    let certs = run(stack.gateway.directory(), &["certs"]).await;
    assert_eq!(certs.code, Some(0), "{certs:?}");
    for (host, _) in SERVICES.into_iter().chain([(HOST, 0)]) {
        assert!(certs.stdout.contains(host), "{}", certs.stdout);
    }
}

/// `ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers HIGH:!aNULL:!MD5; ssl_prefer_server_ciphers on;`
#[tokio::test]
async fn versions_and_suites() {
    let stack = Stack::boot().await;
    for (host, _) in SERVICES.into_iter().take(2).chain([(HOST, 0)]) {
        let new = stack.client.clone().version("1.3");
        let wire = connect(&stack.gateway, &new, host).await;
        assert_eq!(wire.handshake().version, "1.3");
        // The certificates have ECDSA keys, as certbot makes them.
        let suites = [
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ];
        let old = stack.client.clone().version("1.2");
        for suite in suites {
            let only = old.clone().cipher_suites(&[suite]);
            let wire = connect(&stack.gateway, &only, host).await;
            assert_eq!(wire.handshake().cipher_suite, suite, "{host}");
        }
    }
}

/// `certbot renew` and nothing else: the host has its new certificate, the others keep
/// theirs, and connections that are open stay.
#[tokio::test]
async fn a_renewed_certificate_takes_effect_by_itself() {
    let stack = Stack::boot().await;
    let (renewed, other) = (SERVICES[5].0, SERVICES[0].0);
    let shown = async |host: &str| {
        let wire = connect(&stack.gateway, &stack.certbot.client(), host).await;
        wire.handshake().certificate.clone()
    };
    let before = (shown(renewed).await, shown(other).await);
    let mut open = connect(&stack.gateway, &stack.client, renewed).await;
    stack.gateway.says("watching files for changes").await;
    stack.certbot.obtain(&[renewed]);
    assert_eventually!(shown(renewed).await != before.0);
    assert_eq!(shown(other).await, before.1);
    let response = open.exchange(&Request::get("/").host(renewed)).await;
    assert_eq!((response.status, response.text()), (200, "5006"));
}

/// The certificate authority finds what certbot writes, over the redirect.
#[tokio::test]
async fn the_challenges_of_certbot() {
    let stack = Stack::boot().await;
    for (host, _) in SERVICES.into_iter().chain([(HOST, 0)]) {
        let request = Request::get(CHALLENGE).host(host);
        let redirect = send_clear(&stack.gateway, &request).await;
        let expected = format!("https://{host}{CHALLENGE}");
        assert_eq!(redirect.header("location"), Some(&*expected));
        let response = stack.send_to(host, request).await;
        assert_eq!((response.status, response.text()), (200, "Qh9x.key"));
    }
}

/// Requests for `/health` are answered by the service with the host and the address of the
/// client, and are not in the log.
#[tokio::test]
async fn the_health_of_a_service() {
    let stack = Stack::boot().await;
    let (host, _) = SERVICES[5];
    for target in ["/health", "/health/ready", "/health/startup", "/last"] {
        let response = stack.send_to(host, Request::get(target).host(host)).await;
        assert_eq!(
            (response.status, response.text()),
            (200, "5006"),
            "{target}"
        );
        let seen = stack.services[5].requests().pop().unwrap();
        assert_eq!(seen.header("host"), Some(host), "{target}");
        assert_eq!(seen.header("x-real-ip"), Some("127.0.0.1"), "{target}");
    }
    let line = stack.gateway.log_line("/last").await;
    assert_eq!(line["site"], host);
    let lines = stack.gateway.log();
    let is_health = |line: &serde_json::Value| line["path"].as_str().unwrap().contains("health");
    assert!(!lines.iter().any(is_health), "{lines:?}");
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
        let again = stack.send(again).await;
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
    assert_eq!(stack.send(data).await.status, 404);
    for target in ["/gone.json", "/static/js/main.gone.js.map"] {
        assert_eq!(stack.open(target).await.status, 404, "{target}");
    }

    let directory = stack.open("/help?x=1").await;
    assert_eq!(directory.status, 301);
    assert_eq!(directory.header("location"), Some("/help/?x=1"));

    let mut wire = connect(&stack.gateway, &stack.client, HOST).await;
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
            let response = stack.send(request).await;
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
        let response = stack.send(request).await;
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
        let response = stack.send(request).await;
        assert_eq!(response.status, status);
        expect_security(&response, HOST);
    }
}

/// The services have them too, also while one is down.
#[tokio::test]
async fn security_headers_of_the_services() {
    let mut stack = Stack::boot().await;
    for (host, _) in SERVICES {
        for target in ["/", "/health", "/hangfire"] {
            let response = stack.send_to(host, Request::get(target).host(host)).await;
            assert_eq!(response.status, 200, "{host}{target}");
            expect_security(&response, host);
        }
    }
    let (host, _) = SERVICES[11];
    stack.services.pop().unwrap().stop().await;
    let response = stack.send_to(host, Request::get("/").host(host)).await;
    assert_eq!(response.status, 502);
    expect_security(&response, host);
}

fn expect_security(response: &Response, host: &str) {
    for (name, value) in SECURITY {
        let lines = response.fields.iter();
        let lines = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let lines: Vec<_> = lines.map(|(_, value)| value.as_str()).collect();
        assert_eq!(lines, [value], "{host}: {} {name}", response.status);
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
