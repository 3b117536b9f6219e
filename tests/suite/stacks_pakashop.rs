//! `examples/pakashop`: TLS between Cloudflare and the origin, a WebSocket, a stream of events,
//! a limited API and a key that only the gateway sets.

use janua_tests::{
    Authority, Example, Gateway, Issue, Received, Reply, Request, Response, Settings, TlsClient,
    Upstream, Wire,
};

const HOST: &str = "pakashop.store";

/// The configuration, with a stand-in for the Node gateway.
struct Stack {
    gateway: Gateway,
    node: Upstream,
    client: TlsClient,
    /// Holds the certificate and the assets.
    _directory: tempfile::TempDir,
}

impl Stack {
    /// Every peer on this machine counts as Cloudflare if `trusted`.
    async fn boot(trusted: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("pakashop's");
        let issue = Issue::new(&[HOST, "www.pakashop.store"]);
        authority.sign(&issue).write(directory.path(), "pakashop");
        let assets = directory.path().join("public");
        std::fs::create_dir(&assets).unwrap();
        std::fs::write(assets.join("app.js"), "console.log(1);\n").unwrap();
        let node = Upstream::http(async |request: Received| match request.target.as_str() {
            "/api/v1/tracking/ws" => Reply::new(101)
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket"),
            "/api/v1/notifications/stream" => {
                Reply::chunked(&[b"data: one\n\n", b"data: two\n\n"], &[])
                    .header("Content-Type", "text/event-stream")
            }
            _ => Reply::ok("from node"),
        })
        .await;
        let at = |name: &str| directory.path().join(name);
        let mut example = Example::of("pakashop")
            .listener("*:80")
            .listener("*:443")
            .endpoint("127.0.0.1:8000", &node.endpoint())
            .directory("/opt/pakashop/frontend/public", &assets)
            .certificate(
                ("/etc/ssl/certs/pakashop.crt", &at("pakashop.crt")),
                ("/etc/ssl/private/pakashop.key", &at("pakashop.key")),
            );
        if trusted {
            example = example.trusted_proxy("173.245.48.0/20", "127.0.0.1/32");
        }
        let settings = Settings::new().environment("INTERNAL_API_KEY", "s3cret");
        Self {
            gateway: settings.start(example).await,
            node,
            client: TlsClient::trusting(&authority),
            _directory: directory,
        }
    }

    async fn connect(&self) -> Wire {
        let address = self.gateway.address_of("https");
        self.client.connect(address, HOST).await.unwrap()
    }

    async fn send(&self, request: Request) -> Response {
        self.connect().await.exchange(&request.host(HOST)).await
    }

    async fn send_clear(&self, request: &Request) -> Response {
        let mut wire = Wire::connect(self.gateway.address_of("http")).await;
        wire.exchange(request).await
    }
}

/// Both names, and no other.
#[tokio::test]
async fn two_hosts_over_tls() {
    let stack = Stack::boot(false).await;
    let address = stack.gateway.address_of("https");
    for host in [HOST, "www.pakashop.store"] {
        let mut wire = stack.client.connect(address, host).await.unwrap();
        let response = wire.exchange(&Request::get("/health").host(host)).await;
        assert_eq!(
            (response.status, response.text()),
            (200, "from node"),
            "{host}"
        );
    }
    let refused = stack.client.connect(address, "other.example").await;
    assert!(refused.is_err(), "another name is accepted");
}

/// The two suites of the original for TLS 1.2, and TLS 1.3.
#[tokio::test]
async fn versions_and_suites() {
    let stack = Stack::boot(false).await;
    let address = stack.gateway.address_of("https");
    for (version, suites, accepted) in [
        ("1.3", &[][..], true),
        ("1.2", &["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], true),
        ("1.2", &["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"], false),
        (
            "1.2",
            &["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"],
            false,
        ),
    ] {
        let mut client = stack.client.clone().version(version);
        if !suites.is_empty() {
            client = client.cipher_suites(suites);
        }
        let connected = client.connect(address, HOST).await;
        assert_eq!(connected.is_ok(), accepted, "{version} {suites:?}");
    }
}

/// To the first host, with path and query; but not what Cloudflare received by https.
#[tokio::test]
async fn http_is_redirected_to_the_first_host() {
    let stack = Stack::boot(true).await;
    for host in [HOST, "www.pakashop.store"] {
        let request = Request::get("/shop/1?page=2").host(host);
        let response = stack.send_clear(&request).await;
        assert_eq!(response.status, 301, "{host}");
        let location = response.header("location");
        assert_eq!(location, Some("https://pakashop.store/shop/1?page=2"));
    }
    let request = Request::get("/health")
        .host(HOST)
        .header("X-Forwarded-Proto", "https");
    assert_eq!(stack.send_clear(&request).await.status, 200);
}

/// The key is the gateway's, whatever a client sends, also through Cloudflare.
#[tokio::test]
async fn the_internal_key_is_not_taken_from_the_internet() {
    for trusted in [false, true] {
        let stack = Stack::boot(trusted).await;
        for (target, expected) in [
            ("/api/v1/orders", Some("s3cret")),
            ("/api/v1/notifications/stream", Some("s3cret")),
            ("/health", None),
        ] {
            let request = Request::get(target)
                .header("X-Internal-Key", "stolen")
                .header("x-internal-key", "stolen too");
            assert_eq!(stack.send(request).await.status, 200);
            let seen = stack.node.requests().pop().unwrap();
            assert_eq!(seen.header("x-internal-key"), expected, "{target}");
            let lines = seen.fields.iter();
            let lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case("x-internal-key"));
            assert_eq!(lines.count(), usize::from(expected.is_some()), "{target}");
        }
    }
}

#[tokio::test]
async fn the_upstream_learns_the_client() {
    let stack = Stack::boot(true).await;
    let request = Request::get("/api/v1/me")
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-Proto", "https");
    stack.send(request).await;
    let seen = stack.node.only_request();
    assert_eq!(seen.header("host"), Some(HOST));
    assert_eq!(seen.header("x-real-ip"), Some("203.0.113.7"));
    assert_eq!(
        seen.header("x-forwarded-for"),
        Some("203.0.113.7, 127.0.0.1")
    );
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
}

#[tokio::test]
async fn the_api_is_limited_and_health_is_not() {
    let stack = Stack::boot(false).await;
    let mut wire = stack.connect().await;
    let mut refused = 0;
    // A burst of 100 beyond the rate; more than twice as many arrive at once.
    for _ in 0..250 {
        let response = wire.exchange(&Request::get("/api/v1/x").host(HOST)).await;
        match response.status {
            200 => {}
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    for _ in 0..150 {
        let response = wire.exchange(&Request::get("/health").host(HOST)).await;
        assert_eq!(response.status, 200);
    }
}

#[tokio::test]
async fn a_websocket_and_a_stream_of_events() {
    let stack = Stack::boot(false).await;
    let mut wire = stack.connect().await;
    let upgrade = Request::get("/api/v1/tracking/ws")
        .host(HOST)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13");
    wire.send(upgrade.to_bytes()).await;
    let head = wire.receive_head("GET").await.unwrap();
    assert_eq!(head.status, 101);
    let events = stack
        .send(Request::get("/api/v1/notifications/stream"))
        .await;
    assert_eq!(events.text(), "data: one\n\ndata: two\n\n");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.header("content-encoding"), None);
}

/// One `Cache-Control`, also for nobody else's file, and a missing file is not immutable.
#[tokio::test]
async fn static_assets() {
    let stack = Stack::boot(false).await;
    let asset = stack.send(Request::get("/static/app.js")).await;
    assert_eq!((asset.status, asset.text()), (200, "console.log(1);\n"));
    let lines = asset.fields.iter();
    let lines: Vec<_> = lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("cache-control"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(lines, ["public, max-age=31536000, immutable"]);
    for target in ["/static/none.js", "/static/../../etc/passwd", "/other"] {
        let missing = stack.send(Request::get(target)).await;
        assert!(matches!(missing.status, 400 | 404), "{target}");
        let cache = missing.header("cache-control").unwrap_or_default();
        assert!(!cache.contains("immutable"), "{target}: {cache}");
    }
}

/// nginx's default of 1 MiB, and the log leaves out `/health`.
#[tokio::test]
async fn large_bodies_and_the_log() {
    let stack = Stack::boot(false).await;
    let large = Request::post("/api/v1/photos", vec![b'x'; (1 << 20) + 1]);
    assert_eq!(stack.send(large).await.status, 413);
    let exact = Request::post("/api/v1/photos", vec![b'x'; 1 << 20]);
    assert_eq!(stack.send(exact).await.status, 200);
    stack.send(Request::get("/health")).await;
    stack.send(Request::get("/api/v1/last")).await;
    let line = stack.gateway.log_line("/api/v1/last").await;
    assert_eq!(line["tls_version"], "1.3");
    let lines = stack.gateway.log();
    assert!(lines.iter().all(|line| line["path"] != "/health"));
}
