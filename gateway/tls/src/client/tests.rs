use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;

use super::*;
use crate::client_auth::{ClientAuth, ClientAuthority};
use crate::server::{Server, SiteCertificates};
use crate::sessions::{SessionSettings, Sessions};
use crate::settings::ServerSettings;
use crate::testing::{Authority, Scratch, handshake, resumes};

struct Fixture {
    scratch: Scratch,
    authority: Authority,
}

impl Fixture {
    fn new() -> Self {
        Self {
            scratch: Scratch::new(),
            authority: Authority::new("Root"),
        }
    }

    /// An upstream's server with a certificate for these names.
    fn server(&self, names: &[&str], settings: &ServerSettings) -> Arc<ServerConfig> {
        let certificate = self.scratch.load("server", &self.authority.issue(names));
        let resumption = SessionSettings::default();
        let sessions = Sessions::new(&resumption).unwrap();
        let certificates = SiteCertificates::Fixed(vec![certificate]);
        let server = Server::new(settings, &certificates, &[], &sessions, &resumption).unwrap();
        Arc::clone(server.config())
    }

    /// Settings that trust the authority.
    fn settings(&self) -> ClientSettings {
        let ca = self
            .scratch
            .write("root.pem", self.authority.pem().as_bytes());
        ClientSettings {
            roots: Roots::File(ca),
            ..ClientSettings::default()
        }
    }
}

fn made(settings: &ClientSettings) -> Client {
    Client::new(settings, &SystemRoots::default()).unwrap()
}

/// Whether a handshake with the endpoint `host` succeeds.
fn accepts(settings: &ClientSettings, server: &Arc<ServerConfig>, host: &str) -> bool {
    let client = made(settings);
    let name = client.server_name(host).unwrap();
    handshake(server, client.config(), &name.to_str()).is_ok()
}

#[test]
fn the_name_and_the_authority_are_verified() {
    let fixture = Fixture::new();
    let server = fixture.server(
        &["up.example", "192.0.2.1", "::1"],
        &ServerSettings::default(),
    );
    let settings = fixture.settings();
    assert!(accepts(&settings, &server, "up.example"));
    assert!(accepts(&settings, &server, "192.0.2.1"));
    assert!(accepts(&settings, &server, "[::1]"));
    assert!(!accepts(&settings, &server, "other.example"));
    assert!(!accepts(&settings, &server, "192.0.2.2"));
    // Another authority of the same name.
    assert!(!accepts(&Fixture::new().settings(), &server, "up.example"));

    let named = ClientSettings {
        server_name: Some("up.example".into()),
        ..settings
    };
    assert!(accepts(&named, &server, "10.0.0.1"));
    assert!(accepts(&named, &server, "up_stream:1"));
}

#[test]
fn without_verification_every_certificate_is_accepted() {
    let fixture = Fixture::new();
    let server = fixture.server(&["other.example"], &ServerSettings::default());
    let settings = ClientSettings {
        verify: false,
        ..ClientSettings::default()
    };
    assert!(accepts(&settings, &server, "up.example"));
}

/// Shows a certificate whose key it does not have.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[test]
fn without_verification_the_server_still_has_to_have_the_key() {
    let fixture = Fixture::new();
    let server = fixture.server(&["up.example"], &ServerSettings::default());
    let own = fixture
        .scratch
        .load("own", &fixture.authority.issue(&["up.example"]));
    let shown = fixture.authority.issue(&["up.example"]).chain;
    let mut server = ServerConfig::clone(&server);
    server.cert_resolver = Arc::new(Impostor(Arc::new(CertifiedKey::new(
        shown,
        Arc::clone(&own.key().key),
    ))));
    let settings = ClientSettings {
        verify: false,
        ..ClientSettings::default()
    };
    assert!(!accepts(&settings, &Arc::new(server), "up.example"));
}

#[test]
fn a_certificate_is_shown_to_a_server_that_asks() {
    let fixture = Fixture::new();
    let clients = Authority::new("Clients");
    let ca = fixture
        .scratch
        .write("clients.pem", clients.pem().as_bytes());
    let asking = ServerSettings {
        client_auth: ClientAuth::Required(ClientAuthority { ca, crl: None }),
        ..ServerSettings::default()
    };
    let server = fixture.server(&["up.example"], &asking);
    assert!(!accepts(&fixture.settings(), &server, "up.example"));
    let showing = ClientSettings {
        certificate: Some(
            fixture
                .scratch
                .certificate("gateway", &clients.issue(&["gateway"])),
        ),
        ..fixture.settings()
    };
    assert!(accepts(&showing, &server, "up.example"));
}

#[test]
fn sessions_are_resumed() {
    let fixture = Fixture::new();
    let server = fixture.server(&["up.example"], &ServerSettings::default());
    let client = made(&fixture.settings());
    assert!(!resumes(&server, client.config(), "up.example"));
    assert!(resumes(&server, client.config(), "up.example"));
}

#[test]
fn settings_are_compared_by_the_contents_of_files() {
    let fixture = Fixture::new();
    let settings = fixture.settings();
    let client = made(&settings);
    assert!(client.same_settings(&made(&settings)));

    let showing = |name: &str| ClientSettings {
        certificate: Some(
            fixture
                .scratch
                .certificate(name, &fixture.authority.issue(&["gateway"])),
        ),
        ..settings.clone()
    };
    let different = [
        ClientSettings {
            verify: false,
            ..settings.clone()
        },
        ClientSettings {
            server_name: Some("up.example".into()),
            ..settings.clone()
        },
        showing("one"),
    ];
    for other in different {
        assert!(!client.same_settings(&made(&other)), "{other:?}");
    }
    let before = showing("two");
    let client = made(&before);
    let after = showing("two");
    assert_eq!(before, after);
    assert!(!client.same_settings(&made(&after)));
}

#[test]
fn hosts_that_no_certificate_covers_are_named() {
    let error = made(&Fixture::new().settings()).server_name("a b");
    assert_eq!(
        error.unwrap_err().to_string(),
        "`a b` is neither a DNS name nor an address, so that no server's certificate can cover \
         it. Name the one to expect (`server_name`)."
    );
}
