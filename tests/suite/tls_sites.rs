//! TLS of a listener: the certificate and the settings are chosen by the name that the client
//! asks for, and what does not belong there is refused.

use janua_tests::{
    Authority, Gateway, Issue, Request, Settings, TlsClient, TlsError, Wire, assert_eventually,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::tls::{LISTENER, Stage, get, site};

fn alert(name: &str) -> TlsError {
    TlsError::Alert(name.to_owned())
}

async fn failures(gateway: &Gateway, reason: &str) -> f64 {
    let labels = [("listener", "https"), ("reason", reason)];
    gateway
        .metric("janua_tls_handshake_failures_total", &labels)
        .await
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let stage = Stage::new();
    let issued = [
        ("exact", &["a.example"][..]),
        ("wildcard", &["*.shop.example", "x.b.shop.example"]),
        ("default", &["other.test", "127.0.0.1"]),
    ]
    .map(|(name, hosts)| stage.issue(name, &Issue::new(hosts)));
    let client = stage.client();
    let sites = [
        site("default", &["*"], ""),
        site("wildcard", &["*.shop.example"], ""),
        site("exact", &["a.example"], ""),
    ];
    let gateway = stage.start(format!("{LISTENER}{}", sites.concat())).await;
    for (host, expected) in [
        ("a.example", 0),
        ("b.shop.example", 1),
        ("x.b.shop.example", 1),
        ("other.test", 2),
        // An address is not sent as a name.
        ("127.0.0.1", 2),
    ] {
        let mut wire = gateway.connect_tls(&client, host).await;
        let certificate = wire.handshake().certificate.clone();
        assert_eq!(
            certificate.as_deref(),
            Some(issued[expected].der()),
            "{host}"
        );
        let name = ["exact", "wildcard", "default"][expected];
        assert_eq!(get(&mut wire, host).await.text(), name, "{host}");
    }
    let nameless = client.clone().without_name();
    let mut wire = gateway.connect_tls(&nameless, "other.test").await;
    assert_eq!(get(&mut wire, "other.test").await.text(), "default");
}

#[tokio::test]
async fn an_unknown_name_is_refused_without_a_default_site() {
    let stage = Stage::new().with("a", &["a.example"]);
    let client = stage.client();
    let gateway = stage
        .start(format!("{LISTENER}{}", site("a", &["a.example"], "")))
        .await;
    for client in [client.clone(), client.clone().without_name()] {
        let refused = client.connect(gateway.address(), "b.example").await;
        assert_eq!(refused.err(), Some(alert("UnrecognisedName")));
    }
    assert_eventually!(failures(&gateway, "unknown_name").await == 2.0);
    // A name has no case.
    let mut wire = gateway.connect_tls(&client, "A.EXAMPLE").await;
    assert_eq!(get(&mut wire, "A.Example").await.text(), "a");
}

#[tokio::test]
async fn each_client_gets_the_certificate_that_it_can_verify() {
    let stage = Stage::new();
    let ecdsa = stage.issue("ecdsa", &Issue::new(&["a.example"]));
    let rsa = stage.issue("rsa", &Issue::new(&["a.example"]).rsa());
    let client = stage.client();
    let config = format!(
        "{LISTENER}
[[sites]]
hosts = [\"a.example\"]
certificate = [
  {{ cert = \"ecdsa.crt\", key = \"ecdsa.key\" }},
  {{ cert = \"rsa.crt\", key = \"rsa.key\" }},
]
routes = [{{ respond = {{ body = \"a\" }} }}]
"
    );
    let gateway = stage.start(config).await;
    for (suites, issued) in [
        (&["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"][..], &ecdsa),
        (&["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], &rsa),
        (&["TLS13_AES_128_GCM_SHA256"], &ecdsa),
    ] {
        let client = client.clone().cipher_suites(suites);
        let client = match suites[0].starts_with("TLS13") {
            true => client.version("1.3"),
            false => client.version("1.2"),
        };
        let wire = gateway.connect_tls(&client, "a.example").await;
        let certificate = wire.handshake().certificate.as_deref();
        assert_eq!(certificate, Some(issued.der()), "{suites:?}");
        assert_eq!(wire.handshake().cipher_suite, suites[0]);
    }
}

#[tokio::test]
async fn versions_and_cipher_suites_are_those_of_the_site() {
    let stage = Stage::new().with("a", &["*.shop.example"]);
    let client = stage.client();
    let gateway = stage
        .start(
            [
                LISTENER.to_owned(),
                site("a", &["both.shop.example"], ""),
                site(
                    "a",
                    &["new.shop.example"],
                    "tls = { min_version = \"1.3\" }",
                ),
                site(
                    "a",
                    &["old.shop.example"],
                    "tls = { max_version = \"1.2\" }",
                ),
                site(
                    "a",
                    &["openssl.shop.example"],
                    "tls = { ciphers = [\"ECDHE-ECDSA-AES256-GCM-SHA384\"] }",
                ),
            ]
            .concat(),
        )
        .await;
    let (old, new) = (client.clone().version("1.2"), client.clone().version("1.3"));
    for (host, client, expected) in [
        ("both.shop.example", &old, Ok("1.2")),
        ("both.shop.example", &new, Ok("1.3")),
        ("new.shop.example", &old, Err(alert("ProtocolVersion"))),
        ("new.shop.example", &new, Ok("1.3")),
        ("old.shop.example", &old, Ok("1.2")),
        ("old.shop.example", &new, Err(alert("ProtocolVersion"))),
    ] {
        let connected = client.connect(gateway.address(), host).await;
        let version = connected.map(|wire| wire.handshake().version.clone());
        assert_eq!(version, expected.map(str::to_owned), "{host}");
    }
    let wire = gateway.connect_tls(&old, "openssl.shop.example").await;
    let suite = &wire.handshake().cipher_suite;
    assert_eq!(suite, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    let other = old
        .clone()
        .cipher_suites(&["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"]);
    let refused = other
        .connect(gateway.address(), "openssl.shop.example")
        .await;
    assert_eq!(refused.err(), Some(alert("HandshakeFailure")));
    assert_eventually!(failures(&gateway, "refused").await == 3.0);
}

/// The order of the gateway decides, and the access log says what was chosen.
#[tokio::test]
async fn what_was_agreed_is_in_the_log() {
    let stage = Stage::new().with("a", &["a.example"]);
    let any_version = stage.client();
    let client = any_version.clone().version("1.2");
    let lines =
        "tls = { ciphers = \"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256\" }";
    let gateway = stage
        .start(format!("{LISTENER}{}", site("a", &["a.example"], lines)))
        .await;
    let mut wire = gateway.connect_tls(&client, "a.example").await;
    get(&mut wire, "a.example").await;
    let line = gateway.log_line("/").await;
    assert_eq!(line["tls_version"], "1.2");
    assert_eq!(
        line["tls_cipher"],
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    );
    assert_eq!(line["tls_server_name"], "a.example");
    let mut wire = gateway.connect_tls(&any_version, "a.example").await;
    wire.exchange(&Request::get("/new").host("a.example")).await;
    let line = gateway.log_line("/new").await;
    assert_eq!(line["tls_version"], "1.3");
    assert_eq!(line["tls_cipher"], "TLS_AES_128_GCM_SHA256");
    let metrics = gateway.metrics().await;
    let labels = [("listener", "https"), ("version", "1.2")];
    assert_eq!(metrics.sum("janua_tls_handshakes_total", &labels), 1.0);
    assert_eq!(gateway.status().await["listeners"][0]["tls"], true);
}

#[tokio::test]
async fn a_request_in_cleartext_gets_a_readable_response() {
    let stage = Stage::new().with("a", &["a.example"]);
    let client = stage.client();
    let gateway = stage
        .start(format!("{LISTENER}{}", site("a", &["a.example"], "")))
        .await;
    let mut plain = Wire::connect(gateway.address()).await;
    // More than is read with the head: the response must not be lost in a reset.
    let request = Request::post("/", vec![b'x'; 10_000]);
    let response = plain.exchange(&request).await;
    assert_eq!(response.status, 400);
    assert!(response.text().contains("HTTPS"), "{}", response.text());
    assert!(plain.is_closed().await);
    assert_eventually!(failures(&gateway, "cleartext").await == 1.0);
    let mut wire = gateway.connect_tls(&client, "a.example").await;
    assert_eq!(get(&mut wire, "a.example").await.text(), "a");
}

#[tokio::test]
async fn tls_on_a_listener_without_it_is_logged_once_a_minute() {
    let config = "[listeners.http]\naddress = \"127.0.0.1:0\"\n
        [[sites]]\nhosts = [\"*\"]\nroutes = [{ respond = { body = \"a\" } }]\n";
    let gateway = Gateway::start(config).await;
    let client = TlsClient::trusting(&Authority::new("any"));
    for _ in 0..3 {
        let refused = client.connect(gateway.address(), "a.example").await;
        assert!(matches!(refused, Err(TlsError::Refused(_))), "{refused:?}");
    }
    gateway.settled().await;
    let messages = gateway.says("TLS handshake").await;
    let lines = messages
        .lines()
        .filter(|line| line.contains("TLS handshake"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{messages}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("listener=\"http\""),
        "{lines:?}"
    );
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn a_handshake_that_stalls_is_closed_and_holds_up_nobody() {
    let stage = Stage::new().with("a", &["a.example"]);
    let client = stage.client();
    let listener = LISTENER.replace("true", "{ handshake_timeout = \"1s\" }");
    let config = format!("{listener}{}", site("a", &["a.example"], ""));
    let gateway = stage.start_with(Settings::new().workers(1), config).await;
    let mut stalled = Vec::new();
    // Nothing, the start of a record, and a record with the start of a ClientHello.
    for sent in [
        &b""[..],
        b"\x16\x03\x01",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        stalled.push(Wire::from(stream));
    }
    let mut wire = gateway.connect_tls(&client, "a.example").await;
    assert_eq!(get(&mut wire, "a.example").await.text(), "a");
    for mut wire in stalled {
        assert!(wire.is_closed().await);
    }
    assert_eventually!(failures(&gateway, "timeout").await == 3.0);
}

/// A certificate of the gateway's own lasts over restarts and reloads, so that the exception
/// that a browser was given does.
#[tokio::test]
async fn a_self_signed_certificate_is_kept() {
    let config = format!(
        "{LISTENER}
[[sites]]
hosts = [\"a.example\"]
certificate = \"self-signed\"
routes = [{{ respond = {{ body = \"a\" }} }}]
"
    );
    let mut gateway = Gateway::start(&config).await;
    let client = TlsClient::trusting_everybody();
    let first = gateway.connect_tls(&client, "a.example").await;
    gateway.reload(&config).await;
    let second = gateway.connect_tls(&client, "a.example").await;
    assert!(!second.handshake().is_resumed);
    assert_eq!(
        first.handshake().certificate,
        second.handshake().certificate
    );
}
