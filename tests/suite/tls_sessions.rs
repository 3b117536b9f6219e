//! Sessions that clients resume, and what they agree on besides certificates.

use std::sync::Arc;

use janua_tests::{Gateway, Issue, Request, Settings, TlsClient, Upstream, assert_eventually};

use crate::tls::{LISTENER, Stage, get, site};

const HOST: &str = "a.shop.example";

/// A gateway whose listener has this value of `tls`, and a client that trusts it.
async fn gateway(tls: &str, workers: usize) -> (Gateway, TlsClient) {
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let listener = LISTENER.replace("tls = true", &format!("tls = {tls}"));
    let config = format!("{listener}{}", site("a", &[HOST], ""));
    let settings = Settings::new().workers(workers);
    (stage.start_with(settings, config).await, client)
}

/// Whether a connection resumes a session. It has a response, so that the tickets that follow
/// the handshake have arrived.
async fn resumes(gateway: &Gateway, client: &TlsClient) -> bool {
    let mut wire = gateway.connect_tls(client, HOST).await;
    assert_eq!(get(&mut wire, HOST).await.status, 200);
    wire.handshake().is_resumed
}

#[tokio::test]
async fn sessions_are_resumed_as_configured() {
    for (tls, with_tickets, without) in [
        ("true", true, true),
        ("{ session_cache = false }", true, false),
        ("{ tickets = false }", true, true),
        (
            "{ session_cache = 40960, session_lifetime = \"1d\", tickets = false }",
            true,
            true,
        ),
        ("{ session_cache = false, tickets = false }", false, false),
    ] {
        let (gateway, client) = gateway(tls, 2).await;
        for version in ["1.2", "1.3"] {
            let client = client.clone().version(version);
            assert!(!resumes(&gateway, &client.anew()).await);
            for _ in 0..2 {
                let expected = with_tickets;
                resumes(&gateway, &client).await;
                assert_eq!(
                    resumes(&gateway, &client).await,
                    expected,
                    "{version}, {tls}"
                );
            }
        }
        // By its identifier, which is only in TLS 1.2.
        let client = client.anew().version("1.2").without_tickets();
        resumes(&gateway, &client).await;
        assert_eq!(resumes(&gateway, &client).await, without, "{tls}");
    }
}

/// Whichever worker accepts the next connection.
#[tokio::test]
async fn all_workers_resume_a_session() {
    for tls in ["{ session_cache = false }", "{ tickets = false }"] {
        let (gateway, client) = gateway(tls, 4).await;
        for version in ["1.2", "1.3"] {
            let client = client.anew().version(version);
            assert!(!resumes(&gateway, &client).await);
            for _ in 0..12 {
                assert!(resumes(&gateway, &client).await, "{tls}, {version}");
            }
        }
    }
}

#[tokio::test]
async fn a_session_has_a_lifetime() {
    for tls in [
        "{ session_lifetime = \"2s\", session_cache = false }",
        "{ session_lifetime = \"2s\", tickets = false }",
    ] {
        let (gateway, client) = gateway(tls, 1).await;
        let client = client.version("1.2").with_first_session();
        assert!(!resumes(&gateway, &client).await);
        let mut old = 0;
        assert_eventually!(match resumes(&gateway, &client).await {
            true => {
                old += 1;
                false
            }
            false => true,
        });
        assert!(old > 0, "{tls}");
    }
}

/// The certificate of the full handshake is known on a connection that resumes it.
#[tokio::test]
async fn a_resumed_session_has_the_certificate_of_its_client() {
    let upstream = Upstream::echo().await;
    let stage = Stage::new().with("a", &[HOST]);
    let known = Arc::new(stage.authority.sign(&Issue::client("known")));
    let client = stage.client().identity(&known);
    let config = format!(
        "{LISTENER}
[upstreams.app]
endpoints = [\"{}\"]

[policies.facts]
component = \"headers\"
config.request.set = {{ X-Subject = \"{{tls_client_subject}}\" }}

[[sites]]
hosts = [\"{HOST}\"]
certificate = {{ cert = \"a.crt\", key = \"a.key\" }}
tls = {{ client_auth = {{ mode = \"optional\", ca = \"ca.pem\" }} }}
routes = [{{ policies = [\"facts\"], upstream = \"app\" }}]
",
        upstream.endpoint()
    );
    let gateway = stage.start(config).await;
    for version in ["1.2", "1.3"] {
        let client = client.anew().version(version);
        for is_resumed in [false, true] {
            let mut wire = gateway.connect_tls(&client, HOST).await;
            assert_eq!(wire.handshake().is_resumed, is_resumed, "{version}");
            let response = wire.exchange(&Request::get("/").host(HOST)).await;
            assert_eq!(response.json()["headers"]["x-subject"], "CN=known");
        }
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_on() {
    let (gateway, client) = gateway("true", 1).await;
    for (offered, agreed) in [
        (&["http/1.1"][..], "http/1.1"),
        (&["h2", "http/1.1"], "h2"),
        // The gateway's order decides.
        (&["http/1.1", "h2"], "h2"),
        (&["spdy/3", "http/1.1"], "http/1.1"),
    ] {
        let client = client.clone().protocols(offered);
        let wire = gateway.connect_tls(&client, HOST).await;
        let protocol = wire.handshake().protocol.as_deref();
        assert_eq!(protocol, Some(agreed), "{offered:?}");
    }
    let none = client.clone().protocols(&[]);
    let mut wire = gateway.connect_tls(&none, HOST).await;
    assert_eq!(wire.handshake().protocol, None);
    assert_eq!(get(&mut wire, HOST).await.status, 200);
    let other = client.protocols(&["spdy/3"]);
    let refused = other.connect(gateway.address(), HOST).await.unwrap_err();
    assert_eq!(refused.to_string(), "the alert NoApplicationProtocol");
}
