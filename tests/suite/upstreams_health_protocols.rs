//! Active health checks over what the upstream speaks: HTTP/2, TLS, gRPC, a connection alone, a
//! Unix socket, the PROXY protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use janua_tests::{
    Gateway, Http2Habits, Http2Upstream, Proxy, Reply, TlsServer, Upstream, Vacant, Visit,
    assert_eventually,
};

use crate::grpc_tonic::server::Server;
use crate::tls::Stage;
use crate::upstreams_health::{endpoint, is};

/// A check over HTTP with much time.
const CHECK: &str = "health = { path = \"/health\", interval = \"100ms\", timeout = \"10s\" }";
const TLS: &str = "tls = { ca = \"ca.pem\", server_name = \"app.internal\" }";

async fn failure(gateway: &Gateway) -> String {
    let state = endpoint(gateway, 0).await;
    state["last_error"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn over_http2_in_cleartext() {
    let is_well = Arc::new(AtomicBool::new(true));
    let upstream = {
        let is_well = Arc::clone(&is_well);
        Http2Upstream::http(move |_| {
            let status = if is_well.load(SeqCst) { 200 } else { 503 };
            std::future::ready(Reply::new(status).body("ready"))
        })
        .await
    };
    let config = Proxy::to(upstream.endpoint()).upstream(
        "http = \"2\"\nhealth = { path = \"/health?a=1\", body = \"^ready$\", host = \"app.internal\", \
         headers = { x-check = \"1\" }, interval = \"100ms\", timeout = \"10s\" }",
    );
    let gateway = Gateway::start(config).await;
    assert_eventually!(is(&gateway, 0, "up").await);
    let asked = upstream.requests().remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("GET", "/health?a=1")
    );
    assert_eq!(asked.header(":authority"), Some("app.internal"));
    assert_eq!(asked.header("x-check"), Some("1"));
    is_well.store(false, SeqCst);
    assert_eventually!(is(&gateway, 0, "down").await);
    assert_eventually!(failure(&gateway).await == "status");
    is_well.store(true, SeqCst);
    assert_eventually!(is(&gateway, 0, "up").await);
}

/// An endpoint that speaks HTTP/1.1 although it must not.
#[tokio::test]
async fn http2_is_demanded() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).upstream(&format!("http = \"2\"\n{CHECK}"));
    let gateway = Gateway::start(config).await;
    assert_eventually!(is(&gateway, 0, "down").await);
    let found = failure(&gateway).await;
    assert!(found == "malformed" || found == "reset", "{found}");
    let stage = Stage::new();
    let server = TlsServer::with(&stage.authority.issue(&["app.internal"]));
    // It selects nothing at all.
    let upstream = Upstream::tls_echo(server.protocols(&[])).await;
    let config = Proxy::to(upstream.endpoint()).upstream(&format!("http = \"2\"\n{TLS}\n{CHECK}"));
    let gateway = stage.start(config).await;
    assert_eventually!(failure(&gateway).await == "no_http2");
}

#[tokio::test]
async fn over_tls_in_the_version_that_was_agreed_on() {
    for (protocols, http) in [
        (&["h2"][..], "2"),
        (&["h2"], "auto"),
        (&["http/1.1"], "auto"),
    ] {
        let stage = Stage::new();
        let server = TlsServer::with(&stage.authority.issue(&["app.internal"]));
        let server = server.protocols(protocols);
        let lines = format!("http = \"{http}\"\n{TLS}\n{CHECK}");
        if protocols == ["h2"] {
            let habits = Http2Habits {
                tls: Some(server),
                ..Http2Habits::default()
            };
            let upstream = Http2Upstream::http_with(habits, async |_| Reply::new(200)).await;
            let config = Proxy::to(upstream.endpoint()).upstream(&lines);
            let gateway = stage.start(config).await;
            assert_eventually!(is(&gateway, 0, "up").await, "{http}");
            assert_eq!(upstream.requests()[0].header(":scheme"), Some("https"));
        } else {
            let upstream = Upstream::tls_echo(server).await;
            let config = Proxy::to(upstream.endpoint()).upstream(&lines);
            let gateway = stage.start(config).await;
            assert_eventually!(is(&gateway, 0, "up").await, "{http}");
            assert_eq!(upstream.requests()[0].version, "HTTP/1.1");
        }
    }
}

#[tokio::test]
async fn certificates_are_verified_and_shown() {
    // The wrong name.
    let stage = Stage::new();
    let server = TlsServer::with(&stage.authority.issue(&["other.internal"]));
    let upstream = Upstream::tls_echo(server).await;
    let config = Proxy::to(upstream.endpoint()).upstream(&format!("{TLS}\n{CHECK}"));
    let gateway = stage.start(config).await;
    assert_eventually!(failure(&gateway).await == "tls_certificate");
    let attention = crate::upstreams_health::page(&gateway).await;
    assert!(
        attention.contains("last failure: tls_certificate ("),
        "{attention}"
    );

    // A client's certificate is demanded, and shown by checks as by requests.
    for (shows, failure_word) in [(true, ""), (false, "tls_handshake")] {
        let stage = Stage::new().with("client", &["gateway"]);
        let identity = stage.authority.issue(&["app.internal"]);
        let server = TlsServer::demanding(&identity, &stage.authority, "1.3");
        let upstream = Upstream::tls_echo(server).await;
        let shown = ", certificate = { cert = \"client.crt\", key = \"client.key\" }";
        let shown = if shows { shown } else { "" };
        let tls = format!("tls = {{ ca = \"ca.pem\", server_name = \"app.internal\"{shown} }}");
        let config = Proxy::to(upstream.endpoint()).upstream(&format!("{tls}\n{CHECK}"));
        let gateway = stage.start(config).await;
        let health = if shows { "up" } else { "down" };
        assert_eventually!(is(&gateway, 0, health).await);
        assert_eventually!(failure(&gateway).await == failure_word);
    }
}

#[tokio::test]
async fn a_connection_alone() {
    let lines = "health = { tcp = true, interval = \"100ms\", timeout = \"10s\", fall = 1 }";
    let upstream = Upstream::silent().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).upstream(lines)).await;
    assert_eventually!(is(&gateway, 0, "up").await);
    assert_eventually!(upstream.connections() > 3);
    assert_eventually!(upstream.open() <= 1, "each is closed at once");
    upstream.stop().await;
    assert_eventually!(failure(&gateway).await == "refused");

    // With TLS it takes the handshake.
    let stage = Stage::new();
    let upstream = Upstream::silent().await;
    let lines = "health = { tcp = true, interval = \"100ms\", timeout = \"300ms\" }";
    let config = Proxy::to(upstream.endpoint()).upstream(&format!("{TLS}\n{lines}"));
    let gateway = stage.start(config).await;
    assert_eventually!(failure(&gateway).await == "timeout");
    let stage = Stage::new();
    let server = TlsServer::with(&stage.authority.issue(&["app.internal"]));
    let upstream = Upstream::tls_echo(server).await;
    let config = Proxy::to(upstream.endpoint()).upstream(&format!("{TLS}\n{lines}"));
    let gateway = stage.start(config).await;
    assert_eventually!(is(&gateway, 0, "up").await);
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn on_a_unix_socket_and_on_another_port() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::unix_echo(&directory.path().join("app.sock")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).upstream(CHECK)).await;
    assert_eventually!(is(&gateway, 0, "up").await);
    assert_eq!(upstream.requests()[0].header("host"), Some("localhost"));

    // The service is down, and what answers for it is not.
    let refusing = Vacant::refusing();
    let side = Upstream::echo().await;
    let lines = format!("health = {{ path = \"/\", port = {} }}", side.port());
    let gateway = Gateway::start(Proxy::to(refusing.endpoint()).upstream(&lines)).await;
    assert_eventually!(is(&gateway, 0, "up").await);
    let host = format!("127.0.0.1:{}", side.port());
    assert_eq!(side.requests()[0].header("host"), Some(host.as_str()));
}

/// A check is nobody's request: its header says so.
#[tokio::test]
async fn behind_a_proxy_header() {
    for (version, header) in [
        ("v1", &b"PROXY UNKNOWN\r\n"[..]),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20"),
    ] {
        let upstream = Upstream::raw(move |mut visit: Visit| async move {
            if visit.wire.take(header.len()).await.as_deref() != Ok(header) {
                return;
            }
            if version == "v2" {
                // Family and length, which is 0.
                let rest = visit.wire.take(3).await;
                assert_eq!(rest.as_deref(), Ok(&[0, 0, 0][..]));
            }
            if visit.request().await.is_ok() {
                visit.wire.send(Reply::new(200).to_bytes("GET")).await;
            }
        })
        .await;
        let lines = format!("send_proxy_protocol = \"{version}\"\n{CHECK}");
        let gateway = Gateway::start(Proxy::to(upstream.endpoint()).upstream(&lines)).await;
        assert_eventually!(is(&gateway, 0, "up").await, "{version}");
    }
}

fn grpc(service: &str, more: &str) -> String {
    format!(
        "http = \"2\"\n{more}\nhealth = {{ grpc = \"{service}\", interval = \"100ms\", timeout = \"10s\" }}"
    )
}

/// A server of tonic, over TLS and without.
#[tokio::test]
async fn by_the_health_protocol_of_grpc() {
    for is_over_tls in [false, true] {
        let stage = Stage::new();
        let (server, tls) = match is_over_tls {
            true => {
                let issued = stage.issue("server", &janua_tests::Issue::new(&["app.internal"]));
                (Server::start_tls(&issued), TLS)
            }
            false => (Server::start(), ""),
        };
        let config = Proxy::to(server.endpoint()).upstream(&grpc("shop.Orders", tls));
        let gateway = stage.start(config).await;
        assert_eventually!(is(&gateway, 0, "up").await, "{is_over_tls}");
        server.set_health(2);
        assert_eventually!(is(&gateway, 0, "down").await);
        let state = endpoint(&gateway, 0).await;
        assert_eq!(state["last_error"], "not_serving");
        assert_eq!(state["last_error_detail"], "NOT_SERVING");
        server.set_health(1);
        assert_eventually!(is(&gateway, 0, "up").await);
    }
    // A service that nobody has.
    let server = Server::start();
    let gateway = Gateway::start(Proxy::to(server.endpoint()).upstream(&grpc("none", ""))).await;
    assert_eventually!(failure(&gateway).await == "grpc_status");
    let detail = endpoint(&gateway, 0).await["last_error_detail"].clone();
    assert_eq!(detail, "5 nobody knows this service");
    // A server that has no health protocol, and one of HTTP/2 that knows nothing of gRPC.
    let upstream = Http2Upstream::http(async |_| Reply::new(404)).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).upstream(&grpc("", ""))).await;
    assert_eventually!(failure(&gateway).await == "status");
    let asked = upstream.requests().remove(0);
    assert_eq!(asked.target, "/grpc.health.v1.Health/Check");
    assert_eq!(asked.header("content-type"), Some("application/grpc"));
    assert_eq!(asked.header("te"), Some("trailers"));
    assert_eq!(asked.header("grpc-timeout"), Some("10000m"));
    assert_eq!(asked.body, [0, 0, 0, 0, 0]);
    let upstream = Http2Upstream::http(async |_| Reply::ok("hello")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).upstream(&grpc("", ""))).await;
    assert_eventually!(failure(&gateway).await == "malformed");
}

/// The implementation of Python, if it is installed.
#[tokio::test]
async fn by_a_server_of_another_implementation() {
    let Some(python) = crate::grpc_python::python() else {
        return;
    };
    let server = crate::grpc_python::Server::start(&python);
    for (service, expected) in [
        ("", ""),
        ("shop", ""),
        ("ill-1", "not_serving"),
        ("none", "grpc_status"),
    ] {
        let config = Proxy::to(server.endpoint()).upstream(&grpc(service, ""));
        let gateway = Gateway::start(config).await;
        let health = if expected.is_empty() { "up" } else { "down" };
        assert_eventually!(is(&gateway, 0, health).await, "{service}");
        assert_eq!(failure(&gateway).await, expected);
    }
}
