//! `examples/luckychit` with the lines that are commented out: Cloudflare's "Full (strict)" with
//! Authenticated Origin Pulls, and TLS to the application server.

use std::sync::Arc;

use janua_tests::{
    Authority, Example, Gateway, Received, Reply, Request, Response, Settings, TlsClient,
    TlsServer, Upstream, assert_eventually,
};
use tempfile::TempDir;

use crate::stacks::{connect, navigation, resource, send_clear};
use crate::stacks_luckychit::{HOST, from_cloudflare, members};

/// The name in the certificate of the application server.
const APPLICATION: &str = "app.luckychit.internal";

/// The configuration, with stand-ins for the upstreams.
struct Stack {
    gateway: Gateway,
    api: Upstream,
    frontend: Upstream,
    /// Has Cloudflare's certificate, and trusts the authority of origin certificates.
    cloudflare: TlsClient,
    authority: Authority,
    /// Holds the certificates.
    _directory: TempDir,
}

impl Stack {
    /// The application server has a certificate for this name. Every peer on this machine
    /// counts as Cloudflare.
    async fn boot(application: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("Cloudflare's authority of origin certificates");
        authority.issue(&[HOST]).write(directory.path(), "origin");
        let pulls = Authority::new("Cloudflare's authority of its own certificates");
        pulls.write(directory.path(), "pull");
        let internal = Authority::new("LuckyChit's authority");
        internal.write(directory.path(), "internal");
        let server = TlsServer::with(&internal.issue(&[application]));
        let api = Upstream::tls_http(server.clone(), async |request| members(&request)).await;
        let frontend = Upstream::tls_http(server, async |_: Received| Reply::ok("a page")).await;
        let at = |name: &str| directory.path().join(name);
        let text = |name: &str| at(name).to_str().unwrap().to_owned();
        let example = Example::of("luckychit")
            .uncommented()
            .listener("*:80")
            .listener("*:443")
            .endpoint("192.168.8.148:3000", &api.endpoint())
            .endpoint("192.168.8.148:8080", &frontend.endpoint())
            .trusted_proxy("173.245.48.0/20", "127.0.0.1/32")
            .certificate(
                ("/etc/ssl/cloudflare/origin.pem", &at("origin.crt")),
                ("/etc/ssl/cloudflare/origin.key", &at("origin.key")),
            )
            .text(
                "/etc/ssl/cloudflare/authenticated_origin_pull_ca.pem",
                &text("pull.pem"),
            )
            .text("/etc/ssl/luckychit/ca.pem", &text("internal.pem"));
        let settings = Settings::new().environment("CLOUDFLARE_API_TOKEN", "t0ken");
        let identity = Arc::new(pulls.issue(&["origin-pull.cloudflare.net"]));
        Self {
            gateway: settings.start(example).await,
            api,
            frontend,
            cloudflare: TlsClient::trusting(&authority).identity(&identity),
            authority,
            _directory: directory,
        }
    }

    /// Sends a request as Cloudflare does, over TLS and with its certificate.
    async fn send(&self, request: Request) -> Response {
        let mut wire = connect(&self.gateway, &self.cloudflare, HOST).await;
        wire.exchange(&from_cloudflare(request)).await
    }
}

/// The upstreams are verified, asked for by their name, and learn the client and its scheme.
#[tokio::test]
async fn tls_from_end_to_end() {
    let stack = Stack::boot(APPLICATION).await;
    let page = stack.send(navigation(HOST, "/")).await;
    assert_eq!((page.status, page.text()), (200, "a page"));
    let answer = stack.send(resource(HOST, "/api/members")).await;
    assert_eq!(answer.json()["target"], "/api/members");
    for upstream in [&stack.frontend, &stack.api] {
        let seen = upstream.only_request();
        assert_eq!(seen.header("host"), Some(HOST));
        assert_eq!(seen.header("x-real-ip"), Some("203.0.113.7"));
        assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
        let handshakes = upstream.handshakes();
        assert_eq!(handshakes[0].server_name.as_deref(), Some(APPLICATION));
    }
    let line = stack.gateway.log_line("/api/members").await;
    assert_eq!(line["client_ip"], "203.0.113.7");
    assert_eq!(line["tls_server_name"], HOST);
}

/// An application server with another certificate gets no request.
#[tokio::test]
async fn the_application_server_is_verified() {
    let stack = Stack::boot("other.internal").await;
    for target in ["/", "/api/members"] {
        let response = stack.send(navigation(HOST, target)).await;
        assert_eq!(response.status, 502, "{target}");
        assert_eq!(response.proxy_error(), Some("tls_certificate_error"));
    }
    assert_eq!(
        stack.api.request_count() + stack.frontend.request_count(),
        0
    );
}

/// Authenticated Origin Pulls: whoever connects past Cloudflare fails in the handshake, at the
/// latest when it reads.
#[tokio::test]
async fn only_cloudflare_connects() {
    let stack = Stack::boot(APPLICATION).await;
    let address = stack.gateway.address_of("https");
    let stranger = Arc::new(Authority::new("a stranger").issue(&["origin-pull.cloudflare.net"]));
    let anonymous = TlsClient::trusting(&stack.authority);
    for client in [anonymous.clone(), anonymous.identity(&stranger)] {
        // In TLS 1.2 the client learns it during the handshake.
        let refused = client.version("1.2").connect(address, HOST).await;
        assert!(refused.is_err());
    }
    let refused = stack.cloudflare.connect(address, "deepteklabs.com").await;
    assert!(refused.is_err(), "another name is accepted");
    assert_eq!(stack.send(navigation(HOST, "/")).await.status, 200);
}

/// A client that came to Cloudflare by http is redirected, over either listener; one that came
/// by https is not, so there is no loop in any of Cloudflare's modes.
#[tokio::test]
async fn no_redirect_loop_in_any_mode() {
    let stack = Stack::boot(APPLICATION).await;
    for (proto, status) in [("http", 308), ("https", 200)] {
        let request = navigation(HOST, "/login?next=%2F").header("X-Forwarded-Proto", proto);
        let flexible = send_clear(&stack.gateway, &request).await;
        let mut wire = connect(&stack.gateway, &stack.cloudflare, HOST).await;
        let full = wire.exchange(&request).await;
        for response in [flexible, full] {
            assert_eq!(response.status, status, "{proto}");
            let expected = format!("https://{HOST}/login?next=%2F");
            let expected = (status == 308).then_some(expected.as_str());
            assert_eq!(response.header("location"), expected);
        }
    }
}

/// Nothing follows the certificate in the file that Cloudflare issues, and Cloudflare needs
/// nothing more.
#[tokio::test]
async fn no_warnings() {
    let stack = Stack::boot(APPLICATION).await;
    assert_eq!(stack.send(navigation(HOST, "/")).await.status, 200);
    // Warnings are written before this message.
    let messages = || stack.gateway.messages();
    assert_eventually!(messages().contains("admin endpoint"));
    assert!(!messages().contains(" WARN "), "{}", messages());
}
