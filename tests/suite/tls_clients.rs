//! Certificates of clients: who has to show one, whose are accepted, and what policies and
//! upstreams learn of it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use janua_tests::{
    Authority, Gateway, Issue, Issued, Request, Settings, TlsClient, Upstream, assert_eventually,
};

use crate::tls::{LISTENER, Stage, get, site};

const REQUIRED: &str = "tls = { client_auth = { ca = \"ca.pem\" } }";
const OPTIONAL: &str = "tls = { client_auth = { mode = \"optional\", ca = \"ca.pem\" } }";
const VERSIONS: [&str; 2] = ["1.2", "1.3"];

fn identity(authority: &Authority, name: &str) -> Arc<Issued> {
    Arc::new(authority.sign(&Issue::client(name)))
}

/// A stage with a certificate for all hosts below `shop.example`.
fn stage() -> Stage {
    Stage::new().with("a", &["*.shop.example"])
}

/// What the client is told when it is refused. With TLS 1.3 the handshake is complete for the
/// client before the gateway verifies its certificate.
async fn refusal(gateway: &Gateway, client: &TlsClient, host: &str) -> String {
    match client.connect(gateway.address(), host).await {
        Err(error) => error.to_string(),
        Ok(mut wire) => match wire.take_some().await {
            Err(error) => error.to_string(),
            Ok(bytes) => panic!("not refused, but sent {bytes:?}"),
        },
    }
}

async fn is_served(gateway: &Gateway, client: &TlsClient, host: &str) -> bool {
    let mut wire = gateway.connect_tls(client, host).await;
    get(&mut wire, host).await.status == 200
}

#[tokio::test]
async fn a_required_certificate_is_verified() {
    let stage = stage();
    let good = identity(&stage.authority, "good");
    let strange = identity(&Authority::new("stranger"), "good");
    // An authority with the same name is not the same authority.
    let forged = identity(&Authority::new("Authority of Tests"), "good");
    let expired = Arc::new(stage.authority.sign(&Issue::client("late").expired()));
    let client = stage.client();
    let host = "a.shop.example";
    let config = format!("{LISTENER}{}", site("a", &[host], REQUIRED));
    let gateway = stage.start(config).await;
    for version in VERSIONS {
        let client = client.clone().version(version);
        assert!(is_served(&gateway, &client.clone().identity(&good), host).await);
        let told = refusal(&gateway, &client, host).await;
        assert!(told.contains("CertificateRequired"), "{version}: {told}");
        for (identity, alert) in [
            (&strange, "UnknownCA"),
            (&forged, "DecryptError"),
            (&expired, "CertificateExpired"),
        ] {
            let told = refusal(&gateway, &client.clone().identity(identity), host).await;
            assert!(told.contains(alert), "{version}, {alert}: {told}");
        }
    }
    let labels = [("reason", "client_certificate")];
    let metrics = gateway.metrics().await;
    let refused = metrics.sum("janua_tls_handshake_failures_total", &labels);
    assert_eq!(refused, 8.0);
}

#[tokio::test]
async fn an_optional_certificate_may_be_absent_but_not_wrong() {
    let stage = stage();
    let good = identity(&stage.authority, "good");
    let strange = identity(&Authority::new("stranger"), "good");
    let client = stage.client();
    let host = "a.shop.example";
    let config = format!("{LISTENER}{}", site("a", &[host], OPTIONAL));
    let gateway = stage.start(config).await;
    for version in VERSIONS {
        let client = client.clone().version(version);
        assert!(is_served(&gateway, &client, host).await);
        assert!(is_served(&gateway, &client.clone().identity(&good), host).await);
        let told = refusal(&gateway, &client.identity(&strange), host).await;
        assert!(told.contains("UnknownCA"), "{version}: {told}");
    }
}

/// What a policy knows of a client comes from the handshake, whatever fields the client sends.
#[tokio::test]
async fn policies_know_the_certificate_and_nobody_can_pretend_one() {
    let upstream = Upstream::echo().await;
    let stage = stage();
    let known = identity(&stage.authority, "Known Client");
    let client = stage.client();
    let host = "a.shop.example";
    let config = format!(
        "{LISTENER}trusted_proxies = [\"127.0.0.0/8\"]

[upstreams.app]
endpoints = [\"{}\"]

[policies.facts]
component = \"headers\"
config.request.set = {{ X-Subject = \"{{tls_client_subject}}\", X-Fingerprint = \"{{tls_client_fingerprint}}\", X-Version = \"{{tls_version}}\", X-Name = \"{{tls_server_name}}\" }}

[[sites]]
hosts = [\"{host}\"]
certificate = {{ cert = \"a.crt\", key = \"a.key\" }}
{OPTIONAL}
routes = [{{ policies = [\"facts\"], upstream = \"app\" }}]
",
        upstream.endpoint()
    );
    let gateway = stage.start_with(Settings::new().workers(1), config).await;
    let request = Request::get("/")
        .host(host)
        .header("X-Subject", "CN=Known Client")
        .header("X-Fingerprint", "0000")
        .header("X-SSL-Client-S-DN", "CN=Known Client")
        .header("X-Forwarded-Client-Cert", "Subject=\"CN=Known Client\"");
    let fingerprint = fingerprint(known.der());
    // In this order, so that a verdict for one client is not reused for another.
    for (identity, subject) in [
        (None, None),
        (Some(&known), Some("CN=Known Client")),
        (None, None),
    ] {
        let client = match identity {
            Some(identity) => client.clone().identity(identity),
            None => client.clone(),
        };
        let mut wire = gateway.connect_tls(&client, host).await;
        for _ in 0..2 {
            let response = wire.exchange(&request).await;
            let fields = &response.json()["headers"];
            assert_eq!(fields["x-subject"].as_str(), subject);
            let expected = subject.map(|_| fingerprint.as_str());
            assert_eq!(fields["x-fingerprint"].as_str(), expected);
            assert_eq!(fields["x-version"], "1.3");
            assert_eq!(fields["x-name"], host);
        }
    }
}

/// All that the certificate says, in the words of the contract.
#[tokio::test]
async fn policies_know_all_facts_of_a_certificate() {
    let upstream = Upstream::echo().await;
    let stage = stage();
    let issue = Issue::new(&["a.device.example", "b.device.example"])
        .uri("spiffe://device.example/a")
        .email("ops@device.example");
    let device = Arc::new(stage.authority.sign(&issue));
    let nameless = identity(&stage.authority, "nameless");
    let host = "a.shop.example";
    let facts = [
        "issuer",
        "serial",
        "not_before",
        "not_after",
        "dns_names",
        "uris",
        "emails",
        "certificate",
    ];
    let fields = facts.map(|fact| format!("{fact} = \"{{tls_client_{fact}}}\""));
    let config = format!(
        "{LISTENER}
[upstreams.app]
endpoints = [\"{}\"]
[policies.facts]
component = \"headers\"
config.request.set = {{ {} }}
[[sites]]
hosts = [\"{host}\"]
certificate = {{ cert = \"a.crt\", key = \"a.key\" }}
{OPTIONAL}
routes = [{{ policies = [\"facts\"], upstream = \"app\" }}]
",
        upstream.endpoint(),
        fields.join(", "),
    );
    let client = stage.client();
    let gateway = stage.start(config).await;
    let told = async |client: TlsClient| {
        let mut wire = gateway.connect_tls(&client, host).await;
        let response = get(&mut wire, host).await.json();
        facts.map(|fact| response["headers"][fact].as_str().map(str::to_owned))
    };

    let [
        issuer,
        serial,
        from,
        until,
        dns_names,
        uris,
        emails,
        certificate,
    ] = told(client.clone().identity(&device)).await;
    assert_eq!(issuer.as_deref(), Some("CN=Authority of Tests"));
    let serial = u64::from_str_radix(&serial.unwrap(), 16).unwrap();
    assert_eq!(serial, device.serial());
    let [from, until] = [from, until].map(|at| at.unwrap().parse::<u64>().unwrap());
    assert_eq!(until - from, 101 * 86_400);
    let names = "a.device.example,b.device.example";
    assert_eq!(dns_names.as_deref(), Some(names));
    assert_eq!(uris.as_deref(), Some("spiffe://device.example/a"));
    assert_eq!(emails.as_deref(), Some("ops@device.example"));
    let certificate = BASE64_STANDARD.decode(certificate.unwrap()).unwrap();
    assert_eq!(certificate, device.der());

    let [issuer, .., dns_names, uris, emails, _] = told(client.clone().identity(&nameless)).await;
    assert_eq!(issuer.as_deref(), Some("CN=Authority of Tests"));
    assert_eq!([dns_names, uris, emails], [None, None, None]);
    assert_eq!(told(client).await, facts.map(|_| None));
}

fn fingerprint(der: &[u8]) -> String {
    use sha2::Digest as _;

    let digest = sha2::Sha256::digest(der);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The demand belongs to the site that the name chooses, and to no other.
#[tokio::test]
async fn a_wildcard_and_a_host_below_it_do_not_share_their_demands() {
    for (exact, wildcard) in [(REQUIRED, ""), ("", REQUIRED)] {
        let stage = stage();
        let good = identity(&stage.authority, "good");
        let client = stage.client();
        let sites = [
            site("a", &["*.shop.example"], wildcard),
            site("a", &["exact.shop.example"], exact),
        ];
        let gateway = stage.start(format!("{LISTENER}{}", sites.concat())).await;
        let hosts = ["exact.shop.example", "other.shop.example"];
        let (demanding, open) = match exact {
            REQUIRED => (hosts[0], hosts[1]),
            _ => (hosts[1], hosts[0]),
        };
        assert!(is_served(&gateway, &client, open).await);
        let told = refusal(&gateway, &client, demanding).await;
        assert!(told.contains("CertificateRequired"), "{told}");
        let known = client.clone().identity(&good);
        assert!(is_served(&gateway, &known, demanding).await);
        // Who has not shown a certificate does not get there over the other's connection.
        let mut wire = gateway.connect_tls(&client, open).await;
        assert_eq!(get(&mut wire, demanding).await.status, 421);
        assert_eq!(get(&mut wire, open).await.status, 200);
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let stage = stage();
    let good = identity(&stage.authority, "good");
    let revoked = identity(&stage.authority, "revoked");
    stage.write("crl.pem", &stage.authority.revocation_list(&[&revoked]));
    let client = stage.client();
    let host = "a.shop.example";
    let lines = "tls = { client_auth = { ca = \"ca.pem\", crl = \"crl.pem\" } }";
    let config = format!("{LISTENER}{}", site("a", &[host], lines));
    let gateway = stage.start(config).await;
    for version in VERSIONS {
        let client = client.clone().version(version);
        assert!(is_served(&gateway, &client.clone().identity(&good), host).await);
        let told = refusal(&gateway, &client.identity(&revoked), host).await;
        assert!(told.contains("CertificateRevoked"), "{version}: {told}");
    }
}

/// rustls does not verify the client of a resumed session again. A session is therefore bound
/// to the settings that it began with, and lasts over reloads that do not change these.
#[tokio::test]
async fn a_session_does_not_outlive_the_settings_it_began_with() {
    let other = Authority::new("other");
    for version in VERSIONS {
        for has_tickets in [true, false] {
            let stage = stage();
            other.write(stage.directory.path(), "other");
            let good = identity(&stage.authority, "good");
            stage.write("crl.pem", &stage.authority.revocation_list(&[&good]));
            let client = stage.client().version(version);
            let client = match has_tickets {
                true => client,
                false => client.without_tickets(),
            };
            let anonymous = client.clone();
            let known = client.identity(&good);
            let host = "a.shop.example";
            let config = |lines: &str| format!("{LISTENER}{}", site("a", &[host], lines));
            let mut gateway = stage.start(config(OPTIONAL)).await;
            for client in [&anonymous, &known] {
                assert!(is_served(&gateway, client, host).await);
                gateway.reload(config(OPTIONAL)).await;
                let mut wire = gateway.connect_tls(client, host).await;
                assert!(wire.handshake().is_resumed, "{version}, {has_tickets}");
                assert_eq!(get(&mut wire, host).await.status, 200);
            }
            gateway.reload(config(REQUIRED)).await;
            let told = refusal(&gateway, &anonymous, host).await;
            assert!(told.contains("CertificateRequired"), "{version}: {told}");
            assert!(is_served(&gateway, &known, host).await);
            for lines in [
                "tls = { client_auth = { ca = \"other.pem\" } }",
                "tls = { client_auth = { ca = \"ca.pem\", crl = \"crl.pem\" } }",
            ] {
                gateway.reload(config(REQUIRED)).await;
                assert!(is_served(&gateway, &known, host).await);
                gateway.reload(config(lines)).await;
                let told = refusal(&gateway, &known, host).await;
                let is_refused = told.contains("UnknownCA") || told.contains("CertificateRevoked");
                assert!(is_refused, "{version}, {lines}: {told}");
            }
        }
    }
}

/// The session of one site is of no use at another one.
#[tokio::test]
async fn a_session_is_not_resumed_at_another_site() {
    for version in VERSIONS {
        let stage = stage();
        let client = stage.client().version(version).with_one_session();
        let sites = [
            site("a", &["open.shop.example"], ""),
            site("a", &["closed.shop.example"], REQUIRED),
        ];
        let gateway = stage.start(format!("{LISTENER}{}", sites.concat())).await;
        assert!(is_served(&gateway, &client, "open.shop.example").await);
        let told = refusal(&gateway, &client, "closed.shop.example").await;
        assert!(told.contains("CertificateRequired"), "{version}: {told}");
    }
}

/// Nor does a resumed session outlive the certificate that it began with.
#[tokio::test]
async fn a_session_does_not_outlive_its_certificate() {
    for version in VERSIONS {
        let stage = stage();
        let client = stage.client().version(version);
        let authority = Authority::new("of clients");
        authority.write(stage.directory.path(), "clients");
        let host = "a.shop.example";
        let lines = REQUIRED.replace("ca.pem", "clients.pem");
        let config = format!("{LISTENER}{}", site("a", &[host], &lines));
        let gateway = stage.start(config).await;
        let short = Issue::client("short").valid_for(Duration::from_secs(3));
        let known = client.identity(&Arc::new(authority.sign(&short)));
        assert!(is_served(&gateway, &known, host).await);
        let mut was_resumed = false;
        assert_eventually!(match known.connect(gateway.address(), host).await {
            Err(_) => true,
            Ok(mut wire) => {
                was_resumed |= wire.handshake().is_resumed;
                let _ = wire.try_send(Request::get("/").host(host).to_bytes()).await;
                wire.try_receive("GET").await.is_err()
            }
        });
        assert!(was_resumed, "{version}");
    }
}
