//! TLS to upstreams: who is verified by what, and what happens when it fails.

use std::path::Path;
use std::sync::Arc;

use janua_tests::{
    Authority, Gateway, Handshake, Issue, Proxy, Reply, Request, Settings, TlsError, TlsServer,
    Upstream, Visit, Wire, assert_eventually,
};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};

use crate::tls::Stage;

/// What an upstream of the stage is given: its authority, and the name of its certificate.
const VERIFIED: &str = "tls = { ca = \"ca.pem\", server_name = \"app.internal\" }";

/// A stage, and a server with a certificate for `app.internal`.
fn stage() -> (Stage, TlsServer) {
    let stage = Stage::new();
    let identity = stage.authority.issue(&["app.internal"]);
    (stage, TlsServer::with(&identity))
}

fn to(upstream: &Upstream, lines: &str) -> Proxy {
    Proxy::to(upstream.endpoint()).upstream(lines)
}

/// The status, the error in `Proxy-Status`, and what the access log has as the failure.
async fn failed(gateway: &Gateway, path: &str) -> (u16, String, String) {
    let response = gateway.get(path).await;
    let line = gateway.log_line(path).await;
    (
        response.status,
        response.proxy_error().unwrap_or_default().to_owned(),
        line["failure"].as_str().unwrap_or_default().to_owned(),
    )
}

#[tokio::test]
async fn an_upstream_is_verified_and_asked_for_by_its_name() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_echo(server).await;
    let gateway = stage.start(to(&upstream, VERIFIED)).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(upstream.only_request().header("host"), Some("a.example"));
    let handshakes = upstream.handshakes();
    assert_eq!(handshakes.len(), 1);
    assert_eq!(handshakes[0].server_name.as_deref(), Some("app.internal"));
    assert_eq!(handshakes[0].protocol.as_deref(), Some("http/1.1"));
    assert_eq!(handshakes[0].certificate, None);
}

/// A Unix socket at this path, behind which is the server at a port.
fn relay(path: &Path, port: u16) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
}

/// A Unix socket has no name of its own, and is encrypted and verified as any other endpoint, also
/// by health checks.
#[tokio::test]
async fn an_endpoint_on_a_unix_socket_is_encrypted_and_verified() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_echo(server).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    relay(&path, upstream.port());
    let endpoint = format!("unix:{}", path.display());
    let checked = format!("{VERIFIED}\nhealth = {{ path = \"/health\", interval = \"100ms\" }}");
    let config = Proxy::to(&endpoint)
        .upstream(&checked)
        .also("/wrong", "upstream = \"wrong\"")
        .also("/unverified", "upstream = \"unverified\"")
        .beside("wrong", &endpoint)
        .beside("unverified", &endpoint);
    let mut config = config.to_string();
    for (name, tls) in [
        ("wrong", VERIFIED.replace("app.internal", "other.internal")),
        ("unverified", "tls = { verify = false }".to_owned()),
    ] {
        let table = format!("[upstreams.{name}]");
        config = config.replace(&table, &format!("{table}\n{tls}"));
    }
    let gateway = stage.start(config).await;
    assert_eventually!(gateway.get("/").await.status == 200);
    for _ in 0..3 {
        let response = gateway.send(Request::post("/", "over TLS")).await;
        assert_eq!(response.status, 200, "{}", response.text());
    }
    let names = |name| move |it: &Handshake| it.server_name.as_deref() == Some(name);
    assert!(upstream.handshakes().iter().all(names("app.internal")));
    assert_eq!(
        failed(&gateway, "/wrong").await,
        (
            502,
            "tls_certificate_error".to_owned(),
            "tls_certificate".to_owned()
        )
    );
    assert_eq!(gateway.get("/unverified").await.status, 200);
    assert!(upstream.handshakes().iter().any(names("localhost")));
}

/// Without `server_name` the host of the endpoint has to be in the certificate: a name, which
/// is sent, or an address, which is not.
#[tokio::test]
async fn the_host_of_the_endpoint_is_the_name() {
    let stage = Stage::new();
    let identity = stage.authority.issue(&["backend", "127.0.0.1"]);
    let upstream = Upstream::tls_echo(TlsServer::with(&identity)).await;
    let by_name = format!("backend:{}", upstream.port());
    let config = Proxy::to(by_name)
        .upstream("tls = { ca = \"ca.pem\" }")
        .also("/address", "upstream = \"address\"")
        .beside("address", &upstream.endpoint());
    let config = config.to_string().replace(
        "[upstreams.address]",
        "[upstreams.address]\ntls = { ca = \"ca.pem\" }",
    );
    let settings = Settings::new().hosts("127.0.0.1 backend\n");
    let gateway = stage.start_with(settings, config).await;
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(gateway.get("/address").await.status, 200);
    let names: Vec<_> = upstream
        .handshakes()
        .into_iter()
        .map(|handshake| handshake.server_name)
        .collect();
    assert_eq!(names, [Some("backend".to_owned()), None]);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_verified_is_502() {
    let (stage, server) = stage();
    let good = Upstream::tls_echo(server).await;
    let stranger = Authority::new("stranger").issue(&["app.internal"]);
    let stranger = Upstream::tls_echo(TlsServer::with(&stranger)).await;
    let expired = stage
        .authority
        .sign(&Issue::new(&["app.internal"]).expired());
    let expired = Upstream::tls_echo(TlsServer::with(&expired)).await;
    let wrong_name = "[upstreams.wrong-name]\nendpoints = [\"ENDPOINT\"]\n\
        tls = { ca = \"ca.pem\", server_name = \"other.internal\" }\n"
        .replace("ENDPOINT", &good.endpoint());
    let config = to(&good, VERIFIED)
        .also("/wrong-name", "upstream = \"wrong-name\"")
        .also("/stranger", "upstream = \"stranger\"")
        .also("/expired", "upstream = \"expired\"")
        .beside("stranger", &stranger.endpoint())
        .beside("expired", &expired.endpoint());
    let mut config = config.to_string();
    for name in ["stranger", "expired"] {
        let table = format!("[upstreams.{name}]");
        config = config.replace(&table, &format!("{table}\n{VERIFIED}"));
    }
    let gateway = stage.start(config + "\n" + &wrong_name).await;
    assert_eq!(gateway.get("/").await.status, 200);
    for path in ["/wrong-name", "/stranger", "/expired"] {
        let expected = (
            502,
            "tls_certificate_error".to_owned(),
            "tls_certificate".to_owned(),
        );
        assert_eq!(failed(&gateway, path).await, expected, "{path}");
    }
    // No request was sent to them, and they were told why.
    assert_eq!(good.request_count(), 1);
    assert_eq!(stranger.request_count() + expired.request_count(), 0);
    for (upstream, alert) in [(&stranger, "UnknownCA"), (&expired, "CertificateExpired")] {
        assert_eventually!(!upstream.failed_handshakes().is_empty());
        let told = upstream.failed_handshakes();
        assert_eq!(told, [TlsError::Alert(alert.to_owned())]);
    }
}

#[tokio::test]
async fn without_verification_anything_is_accepted_and_it_is_warned_of() {
    let stage = Stage::new();
    let identity = Authority::new("stranger").sign(&Issue::new(&["other.internal"]).expired());
    let upstream = Upstream::tls_echo(TlsServer::with(&identity)).await;
    let gateway = stage.start(to(&upstream, "tls = { verify = false }")).await;
    assert_eq!(gateway.get("/").await.status, 200);
    gateway.says_in_a_line(&["not verified", "WARN"]).await;
}

#[tokio::test]
async fn the_gateway_shows_its_certificate() {
    for version in ["1.2", "1.3"] {
        let stage = Stage::new();
        let identity = stage.authority.issue(&["app.internal"]);
        let server = TlsServer::demanding(&identity, &stage.authority, version);
        let upstream = Upstream::tls_echo(server).await;
        let own = stage.issue("gateway", &Issue::client("gateway"));
        let anonymous = format!(
            "[upstreams.anonymous]\nendpoints = [\"{}\"]\n{VERIFIED}\n",
            upstream.endpoint()
        );
        let config = to(
            &upstream,
            "tls = { ca = \"ca.pem\", server_name = \"app.internal\", \
             certificate = { cert = \"gateway.crt\", key = \"gateway.key\" } }",
        )
        .also("/anonymous", "upstream = \"anonymous\"");
        let gateway = stage.start(format!("{config}\n{anonymous}")).await;
        assert_eq!(gateway.get("/").await.status, 200);
        let shown = upstream.handshakes()[0].certificate.clone();
        assert_eq!(shown.as_deref(), Some(own.der()));
        let (status, _, failure) = failed(&gateway, "/anonymous").await;
        assert_eq!(status, 502);
        // With TLS 1.3 the upstream refuses while the gateway already sends its request, and
        // the close that follows the alert may become a reset that destroys it.
        let is_told = failure == "tls_handshake" || version == "1.3" && failure == "reset";
        assert!(is_told, "{version}: {failure}");
        assert_eq!(upstream.request_count(), 1);
    }
}

/// Each connection after the first resumes the session, whichever worker opens it.
#[tokio::test]
async fn sessions_are_resumed() {
    for version in ["1.2", "1.3"] {
        let stage = Stage::new();
        let identity = stage.authority.issue(&["app.internal"]);
        let server = TlsServer::with_version(&identity, version);
        let upstream = Upstream::tls_http(server, async |_| {
            Reply::ok("x").header("Connection", "close")
        })
        .await;
        let config = to(&upstream, VERIFIED);
        let mut gateway = stage.start(&config).await;
        for number in 0..4 {
            assert_eq!(gateway.get("/").await.status, 200);
            // A reload that does not change the settings keeps the sessions.
            if number == 1 {
                gateway.reload(&config).await;
            }
        }
        let handshakes = upstream.handshakes();
        let resumed: Vec<bool> = handshakes.iter().map(|done| done.is_resumed).collect();
        assert_eq!(resumed, [false, true, true, true], "{version}");
        assert!(handshakes.iter().all(|done| done.version == version));
    }
}

#[tokio::test]
async fn connections_are_kept() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_echo(server).await;
    let config = to(&upstream, VERIFIED);
    let settings = Settings::new().workers(1);
    let gateway = stage.start_with(settings, config).await;
    let mut wire = gateway.connect().await;
    for number in 0..20 {
        let request = Request::post("/", vec![b'x'; number * 1000]);
        assert_eq!(wire.exchange(&request).await.status, 200);
    }
    assert_eq!(upstream.connections(), 1);
}

/// What an upstream sends for TLS itself (tickets, new keys) is no reason to give up an idle
/// connection.
#[tokio::test]
async fn a_connection_with_new_keys_is_kept() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_raw(server, |mut visit: Visit| async move {
        while let Ok(request) = visit.request().await {
            let reply = Reply::ok(request.body);
            visit.wire.send(reply.to_bytes("POST")).await;
            visit.wire.update_keys().await;
        }
    })
    .await;
    let settings = Settings::new().workers(1);
    let gateway = stage.start_with(settings, to(&upstream, VERIFIED)).await;
    let mut wire = gateway.connect().await;
    // More often than a peer accepts without data in between.
    for number in 0..50 {
        let body = number.to_string();
        let response = wire.exchange(&Request::post("/", &*body)).await;
        assert_eq!((response.status, response.text()), (200, &*body));
    }
    assert_eq!(upstream.connections(), 1);
}

/// The same before the first request, while the client is told to send its body: with TLS 1.3
/// tickets follow the handshake.
#[tokio::test]
async fn a_client_that_waits_for_continue_is_served() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_echo(server).await;
    let gateway = stage.start(to(&upstream, VERIFIED)).await;
    for _ in 0..5 {
        let mut wire = gateway.connect().await;
        let head = "POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\n\
            Content-Length: 4\r\n\r\n";
        wire.send(head).await;
        assert_eq!(wire.receive_head("POST").await.unwrap().status, 100);
        wire.send("body").await;
        let response = wire.receive("POST").await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json()["body"], "body");
    }
    assert_eq!(upstream.request_count(), 5);
}

#[tokio::test]
async fn a_connection_is_not_used_after_a_reload_that_turned_tls_on_or_off() {
    let (stage, server) = stage();
    let plain = Upstream::echo().await;
    let settings = Settings::new().workers(1);
    let cleartext = Proxy::to(plain.endpoint()).upstream("connect_timeout = \"500ms\"");
    let mut gateway = stage.start_with(settings, &cleartext).await;
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(plain.open(), 1, "it is kept");
    let lines = format!("connect_timeout = \"500ms\"\n{VERIFIED}");
    gateway.reload(cleartext.clone().upstream(&lines)).await;
    // The upstream speaks no TLS, so that only the old connection could answer.
    let (status, _, failure) = failed(&gateway, "/secured").await;
    assert_eq!((status, failure.as_str()), (504, "connect_timeout"));
    assert_eq!(plain.request_count(), 1);

    let secured = Upstream::tls_echo(server).await;
    gateway.reload(to(&secured, VERIFIED)).await;
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(secured.open(), 1, "it is kept");
    gateway.reload(Proxy::to(secured.endpoint())).await;
    assert_eq!(gateway.get("/cleartext").await.status, 502);
    assert_eq!(secured.request_count(), 1);
}

/// A connection that was verified by other rules is not used either.
#[tokio::test]
async fn a_connection_is_not_used_after_a_reload_with_other_settings() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_echo(server).await;
    let settings = Settings::new().workers(1);
    let unverified = to(&upstream, "tls = { verify = false }");
    let mut gateway = stage.start_with(settings, &unverified).await;
    assert_eq!(gateway.get("/").await.status, 200);
    gateway.reload(&unverified).await;
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(upstream.connections(), 1, "nothing has changed");
    let other = "tls = { ca = \"ca.pem\", server_name = \"other.internal\" }";
    gateway.reload(to(&upstream, other)).await;
    assert_eq!(failed(&gateway, "/other").await.2, "tls_certificate");
    gateway.reload(to(&upstream, VERIFIED)).await;
    assert_eq!(gateway.get("/").await.status, 200);
    let resumed: Vec<bool> = upstream
        .handshakes()
        .iter()
        .map(|done| done.is_resumed)
        .collect();
    assert_eq!(resumed, [false, false], "no session is carried over");
}

#[tokio::test]
async fn an_upstream_without_tls_is_502() {
    let stage = Stage::new();
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        // As servers do that get a ClientHello where they expect a request.
        let _ = visit.wire.take_some().await;
        visit
            .wire
            .send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .await;
    })
    .await;
    let gateway = stage.start(to(&upstream, VERIFIED)).await;
    let (status, _, failure) = failed(&gateway, "/").await;
    assert_eq!((status, failure.as_str()), (502, "tls_handshake"));
}

/// No byte of a request is sent before the handshake is complete, so that any request may be
/// sent to another endpoint.
#[tokio::test]
async fn another_endpoint_is_tried_after_a_failed_handshake() {
    let (stage, server) = stage();
    let stranger = Authority::new("stranger").issue(&["app.internal"]);
    let stranger = Upstream::tls_echo(TlsServer::with(&stranger)).await;
    let good = Upstream::tls_echo(server).await;
    let lines = format!("passive_health = {{ max_fails = 0 }}\n{VERIFIED}");
    let config = to(&stranger, &lines).and(good.endpoint());
    let gateway = stage.start_with(Settings::new().workers(1), config).await;
    for _ in 0..4 {
        let response = gateway.send(Request::post("/", "body")).await;
        assert_eq!(response.status, 200, "{}", response.text());
    }
    assert_eq!((stranger.request_count(), good.request_count()), (0, 4));
    assert_eventually!(!stranger.failed_handshakes().is_empty());
}

/// A handshake that stalls ends with `connect_timeout`, and another endpoint is tried.
#[tokio::test]
async fn a_stalled_handshake_is_given_up() {
    let (stage, server) = stage();
    let silent = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.wire.take_rest().await;
    })
    .await;
    let good = Upstream::tls_echo(server).await;
    let lines = format!("connect_timeout = \"500ms\"\n{VERIFIED}");
    let alone =
        "[upstreams.alone]\nendpoints = [\"ENDPOINT\"]\n".replace("ENDPOINT", &silent.endpoint());
    let config = to(&silent, &lines)
        .and(good.endpoint())
        .also("/alone", "upstream = \"alone\"");
    // One worker, whose turns come one after another.
    let settings = Settings::new().workers(1);
    let config = format!("{config}\n{alone}{lines}\n");
    let gateway = stage.start_with(settings, config).await;
    for _ in 0..2 {
        let request = Request::post("/", "a body is not sent before the handshake");
        let response = gateway.send(request).await;
        assert_eq!(response.status, 200, "{}", response.text());
    }
    assert!(silent.connections() > 0);
    assert_eq!(good.request_count(), 2);
    let (status, _, failure) = failed(&gateway, "/alone").await;
    assert_eq!((status, failure.as_str()), (504, "connect_timeout"));
    assert_eventually!(silent.open() == 0);
}

/// Whoever is on the way can end a connection: without `close_notify` a body that lasts until
/// the end of the connection is not complete.
#[tokio::test]
async fn a_response_that_is_cut_is_an_error() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_raw(server, |mut visit: Visit| async move {
        let Ok(request) = visit.request().await else {
            return;
        };
        visit
            .wire
            .send("HTTP/1.1 200 OK\r\n\r\npart of a body")
            .await;
        if request.target == "/cut" {
            visit.wire.truncate();
        } else {
            visit.wire.finish().await;
        }
        let _ = visit.wire.take_rest().await;
    })
    .await;
    let gateway = stage.start(to(&upstream, VERIFIED)).await;
    let whole = gateway.get("/whole").await;
    assert_eq!(whole.text(), "part of a body");
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/cut").to_bytes()).await;
    let cut = wire.try_receive("GET").await;
    assert!(cut.is_err(), "{cut:?}");
    assert_eq!(
        gateway.log_line("/cut").await["failure"],
        "response_incomplete"
    );
}

#[tokio::test]
async fn an_upgrade_passes_through_tls() {
    let (stage, server) = stage();
    let upstream = Upstream::tls_raw(server, |mut visit: Visit| async move {
        if visit.request().await.is_err() {
            return;
        }
        visit
            .wire
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            .await;
        visit.wire.echo().await;
    })
    .await;
    let gateway = stage.start(to(&upstream, VERIFIED)).await;
    let mut wire: Wire = gateway.connect().await;
    let request = Request::get("/")
        .header("Connection", "Upgrade")
        .header("Upgrade", "x");
    assert_eq!(wire.exchange(&request).await.status, 101);
    let large = Arc::new(vec![b'x'; 3_000_000]);
    for _ in 0..2 {
        wire.send("small").await;
        assert_eq!(wire.take(5).await.unwrap(), b"small");
    }
    wire.send(&large[..]).await;
    assert!(wire.take(large.len()).await.unwrap() == *large);
    wire.finish().await;
    assert!(wire.is_closed().await);
    assert_eventually!(upstream.open() == 0);
}
