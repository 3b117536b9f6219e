use std::path::PathBuf;

use rustls::version;
use rustls::{CipherSuite, ClientConfig, Error as TlsError, NamedGroup, ProtocolVersion};

use super::*;
use crate::client_auth::{ClientAuth, ClientAuthority};
use crate::testing::{self, Authority, Issued, Scratch, client, client_with, handshake, resumes};
use crate::{groups, suites};

const HOST: &str = "a.example";

/// A site with one certificate of an authority that clients trust.
struct Fixture {
    scratch: Scratch,
    authority: Authority,
    certificates: Vec<Arc<Certificate>>,
    sessions: Sessions,
    session_settings: SessionSettings,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|authority| vec![authority.issue(&[HOST])])
    }

    fn with(issue: impl Fn(&Authority) -> Vec<Issued>) -> Self {
        let scratch = Scratch::new();
        let authority = Authority::new("Root");
        let issued = issue(&authority);
        let certificates = issued.iter().map(|issued| scratch.load("a", issued));
        let session_settings = SessionSettings::default();
        Self {
            certificates: certificates.collect(),
            sessions: Sessions::new(&session_settings).unwrap(),
            session_settings,
            scratch,
            authority,
        }
    }

    fn certificates(&self) -> SiteCertificates {
        SiteCertificates::Fixed(self.certificates.clone())
    }

    fn server(&self, settings: &ServerSettings) -> Server {
        Server::new(
            settings,
            &self.certificates(),
            &[],
            &self.sessions,
            &self.session_settings,
        )
        .unwrap()
    }

    fn config(&self, settings: &ServerSettings) -> Arc<ServerConfig> {
        Arc::clone(self.server(settings).config())
    }

    fn client(&self) -> Arc<ClientConfig> {
        Arc::new(client(&self.authority))
    }

    /// A client of TLS 1.2.
    fn old_client(&self) -> Arc<ClientConfig> {
        Arc::new(testing::client_of_version(&self.authority, &version::TLS12))
    }

    fn ca(&self, authority: &Authority) -> ClientAuthority {
        ClientAuthority {
            ca: self.scratch.write("ca.pem", authority.pem().as_bytes()),
            crl: None,
        }
    }
}

fn with_auth(client_auth: ClientAuth) -> ServerSettings {
    ServerSettings {
        client_auth,
        ..ServerSettings::default()
    }
}

#[test]
fn the_default_is_tls_1_3_with_post_quantum_key_exchange() {
    let fixture = Fixture::new();
    let config = fixture.config(&ServerSettings::default());
    let mut client = client(&fixture.authority);
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (_, server) = handshake(&config, &Arc::new(client), HOST).unwrap();
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let group = server.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
    assert_eq!(server.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(server.server_name(), Some(HOST));
}

#[test]
fn versions_are_a_range() {
    let fixture = Fixture::new();
    let settings = |min_version, max_version| ServerSettings {
        min_version,
        max_version,
        ..ServerSettings::default()
    };
    let only_13 = fixture.config(&settings(Version::Tls13, Version::Tls13));
    assert!(handshake(&only_13, &fixture.old_client(), HOST).is_err());
    assert!(handshake(&only_13, &fixture.client(), HOST).is_ok());
    let only_12 = fixture.config(&settings(Version::Tls12, Version::Tls12));
    let (_, server) = handshake(&only_12, &fixture.client(), HOST).unwrap();
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let error = Server::new(
        &settings(Version::Tls13, Version::Tls12),
        &fixture.certificates(),
        &[],
        &fixture.sessions,
        &fixture.session_settings,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "The oldest version of TLS (1.3) is newer than the newest (1.2)."
    );
}

#[test]
fn suites_and_groups_are_those_of_the_settings_in_their_order() {
    let fixture = Fixture::new();
    let chosen = ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];
    let settings = ServerSettings {
        suites: suites::select(&chosen).unwrap().suites,
        groups: groups::select(&["secp384r1"]).unwrap().groups,
        ..ServerSettings::default()
    };
    let suite = |settings: &ServerSettings| {
        let (_, server) = handshake(&fixture.config(settings), &fixture.client(), HOST).unwrap();
        let group = server.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), NamedGroup::secp384r1);
        server.negotiated_cipher_suite().unwrap().suite()
    };
    assert_eq!(
        suite(&settings),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
    );
    let clients_order = ServerSettings {
        prefers_server_order: false,
        ..settings
    };
    // Of the two, the client prefers AES.
    assert_eq!(suite(&clients_order), CipherSuite::TLS13_AES_128_GCM_SHA256);
}

#[test]
fn a_client_gets_the_certificate_that_it_can_verify() {
    // RSA comes first in the file, and ECDSA is preferred all the same.
    let fixture =
        Fixture::with(|authority| vec![authority.issue_rsa(&[HOST]), authority.issue(&[HOST])]);
    let config = fixture.config(&ServerSettings::default());
    let served = |client: ClientConfig| {
        let (client, _) = handshake(&config, &Arc::new(client), HOST).unwrap();
        let served = client.peer_certificates().unwrap()[0].clone();
        let facts = fixture.certificates.iter().map(|one| one.facts());
        let fingerprint = crate::digest::fingerprint(&served);
        let mut facts = facts.filter(|facts| facts.fingerprint == fingerprint);
        facts.next().unwrap().key_type.clone()
    };
    assert_eq!(served(client(&fixture.authority)), "ECDSA P-256");
    // A client of TLS 1.2 that knows ECDSA signatures but only RSA's suites.
    let only_rsa = suites::select(&["ECDHE-RSA-AES128-GCM-SHA256"])
        .unwrap()
        .suites;
    let provider = Arc::new(CryptoProvider {
        cipher_suites: only_rsa,
        ..CryptoProvider::clone(&provider())
    });
    let old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS12])
        .unwrap()
        .with_root_certificates(testing::roots(&fixture.authority))
        .with_no_client_auth();
    assert_eq!(served(old), "RSA 2048");
}

#[test]
fn ciphers_of_another_kind_of_key_are_warned_of() {
    let fixture = Fixture::new();
    let settings = ServerSettings {
        suites: suites::select(&["ECDHE-RSA-AES128-GCM-SHA256"])
            .unwrap()
            .suites,
        ..ServerSettings::default()
    };
    let warnings = fixture.server(&settings).warnings().to_vec();
    assert!(
        warnings[0]
            .to_string()
            .starts_with("None of the ciphers of TLS 1.2 goes with the certificate (ECDSA P-256)")
    );
    assert_eq!(fixture.server(&ServerSettings::default()).warnings(), []);
}

#[test]
fn client_certificates_are_demanded_and_verified() {
    let fixture = Fixture::new();
    let clients = Authority::new("Clients");
    let good = clients.issue(&["someone"]);
    let stranger = Authority::new("Strangers").issue(&["someone"]);
    let with = |shown: &Issued| Arc::new(client_with(&fixture.authority, shown));

    let required = fixture.config(&with_auth(ClientAuth::Required(fixture.ca(&clients))));
    let (_, server) = handshake(&required, &with(&good), HOST).unwrap();
    assert_eq!(server.peer_certificates().unwrap()[0], good.chain[0]);
    let error = handshake(&required, &fixture.client(), HOST).err();
    assert_eq!(error, Some(TlsError::NoCertificatesPresented));
    assert!(handshake(&required, &with(&stranger), HOST).is_err());

    let optional = fixture.config(&with_auth(ClientAuth::Optional(fixture.ca(&clients))));
    let (_, server) = handshake(&optional, &fixture.client(), HOST).unwrap();
    assert_eq!(server.peer_certificates(), None);
    assert!(handshake(&optional, &with(&good), HOST).is_ok());
    assert!(handshake(&optional, &with(&stranger), HOST).is_err());
}

#[test]
fn revoked_certificates_and_expired_lists_are_refused() {
    let fixture = Fixture::new();
    let clients = Authority::new("Clients");
    let (good, revoked) = (clients.issue(&["good"]), clients.issue(&["revoked"]));
    let accepts = |list: String, shown: &Issued| {
        let auth = ClientAuth::Required(ClientAuthority {
            crl: Some(fixture.scratch.write("crl.pem", list.as_bytes())),
            ..fixture.ca(&clients)
        });
        let client = Arc::new(client_with(&fixture.authority, shown));
        handshake(&fixture.config(&with_auth(auth)), &client, HOST).is_ok()
    };
    const IN_THE_YEAR_4000: i64 = 64_060_588_800;
    let list = clients.revocation_list(&[&revoked], IN_THE_YEAR_4000);
    assert!(accepts(list.clone(), &good));
    assert!(!accepts(list, &revoked));
    assert!(!accepts(clients.revocation_list(&[], 1), &good));
}

#[test]
fn sessions_are_resumed_with_tickets_and_with_the_cache() {
    let mut fixture = Fixture::new();
    let cache_only = SessionSettings {
        tickets: None,
        ..SessionSettings::default()
    };
    let tickets_only = SessionSettings {
        cache: None,
        ..SessionSettings::default()
    };
    for settings in [SessionSettings::default(), cache_only, tickets_only] {
        fixture.session_settings = settings;
        for client in [fixture.client(), fixture.old_client()] {
            // The two configurations are those of two snapshots.
            let before = fixture.config(&ServerSettings::default());
            let after = fixture.config(&ServerSettings::default());
            assert!(!resumes(&before, &client, HOST));
            assert!(resumes(&before, &client, HOST));
            assert!(resumes(&after, &client, HOST));
        }
    }
}

#[test]
fn resumption_can_be_turned_off() {
    let mut fixture = Fixture::new();
    fixture.session_settings = SessionSettings::off();
    let config = fixture.config(&ServerSettings::default());
    for client in [fixture.client(), fixture.old_client()] {
        assert!(!resumes(&config, &client, HOST));
        assert!(!resumes(&config, &client, HOST));
        let (client, _) = handshake(&config, &client, HOST).unwrap();
        assert_eq!(client.tls13_tickets_received(), 0);
    }
}

#[test]
fn a_cache_that_is_turned_off_forgets_its_sessions() {
    let mut fixture = Fixture::new();
    fixture.session_settings.tickets = None;
    let config = fixture.config(&ServerSettings::default());
    let client = fixture.client();
    assert!(!resumes(&config, &client, HOST));
    fixture.sessions.apply(&SessionSettings::off());
    assert!(!resumes(&config, &client, HOST));
}

/// rustls does not authenticate the client when it resumes.
#[test]
fn a_session_is_not_resumed_under_other_rules_of_client_authentication() {
    let mut fixture = Fixture::new();
    let clients = Authority::new("Clients");
    let shown = clients.issue(&["someone"]);
    let cache_only = SessionSettings {
        tickets: None,
        ..SessionSettings::default()
    };
    for settings in [SessionSettings::default(), cache_only] {
        fixture.session_settings = settings;
        let required = fixture.config(&with_auth(ClientAuth::Required(fixture.ca(&clients))));
        let same = fixture.config(&with_auth(ClientAuth::Required(fixture.ca(&clients))));
        let optional = fixture.config(&with_auth(ClientAuth::Optional(fixture.ca(&clients))));
        let none = fixture.config(&ServerSettings::default());
        let other = Authority::new("Clients");
        let other = fixture.config(&with_auth(ClientAuth::Required(fixture.ca(&other))));

        for version in [&version::TLS12, &version::TLS13] {
            // A client without a certificate does not get in by a session that
            // was made where none was asked for.
            let anonymous = Arc::new(testing::client_of_version(&fixture.authority, version));
            assert!(!resumes(&none, &anonymous, HOST));
            assert!(resumes(&none, &anonymous, HOST));
            assert!(!resumes(&optional, &anonymous, HOST));
            assert!(handshake(&required, &anonymous, HOST).is_err());
        }
        // Nor does one whose authority is no longer trusted.
        let client = Arc::new(client_with(&fixture.authority, &shown));
        assert!(!resumes(&required, &client, HOST));
        assert!(resumes(&required, &client, HOST));
        assert!(resumes(&same, &client, HOST));
        assert!(handshake(&other, &client, HOST).is_err());
    }
}

#[test]
fn a_resumed_session_has_the_certificate_of_the_client() {
    let fixture = Fixture::new();
    let clients = Authority::new("Clients");
    let shown = clients.issue(&["someone"]);
    let config = fixture.config(&with_auth(ClientAuth::Required(fixture.ca(&clients))));
    let client = Arc::new(client_with(&fixture.authority, &shown));
    assert!(!resumes(&config, &client, HOST));
    let (_, server) = handshake(&config, &client, HOST).unwrap();
    assert_eq!(
        server.handshake_kind(),
        Some(rustls::HandshakeKind::Resumed)
    );
    assert_eq!(server.peer_certificates().unwrap()[0], shown.chain[0]);
}

#[test]
fn settings_are_compared_without_certificates() {
    let (one, other) = (Fixture::new(), Fixture::new());
    let default = one.server(&ServerSettings::default());
    assert!(default.same_settings(&other.server(&ServerSettings::default())));
    let clients = Authority::new("Clients");
    let different = [
        with_auth(ClientAuth::Optional(one.ca(&clients))),
        ServerSettings {
            min_version: Version::Tls13,
            ..ServerSettings::default()
        },
        ServerSettings {
            groups: groups::select(&["x25519"]).unwrap().groups,
            ..ServerSettings::default()
        },
        ServerSettings {
            alpn: Vec::new(),
            ..ServerSettings::default()
        },
    ];
    for settings in different {
        assert!(!default.same_settings(&one.server(&settings)));
    }
}

#[test]
fn a_site_without_a_certificate_is_refused() {
    let fixture = Fixture::new();
    let settings = ServerSettings::default();
    let none = SiteCertificates::Fixed(Vec::new());
    let (sessions, session_settings) = (&fixture.sessions, &fixture.session_settings);
    let error = Server::new(&settings, &none, &[], sessions, session_settings);
    assert_eq!(
        error.unwrap_err().to_string(),
        "A site with TLS needs a certificate."
    );
    let missing = with_auth(ClientAuth::Required(ClientAuthority {
        ca: PathBuf::from("/nowhere/ca.pem"),
        crl: None,
    }));
    let error = Server::new(
        &missing,
        &fixture.certificates(),
        &[],
        &fixture.sessions,
        &fixture.session_settings,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "/nowhere/ca.pem: cannot be read: there is no such file."
    );
}

/// Which certificate a client gets that sends this name, or none by its address.
fn shown(config: &Arc<ServerConfig>, client: ClientConfig, name: &str) -> Vec<u8> {
    let (client, _) = handshake(config, &Arc::new(client), name).unwrap();
    client.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn what_is_issued_later_is_shown_from_then_on() {
    let fixture = Fixture::new();
    let placeholder = crate::self_signed::in_memory(&[HOST.to_owned()], testing::NOW).unwrap();
    let issued = Arc::new(crate::Issued::default());
    let hosts = [HOST, "192.0.2.1"].map(|host| HostPattern::Exact(host.to_owned()));
    let certificates = SiteCertificates::Issued(IssuedFor {
        issued: Arc::clone(&issued),
        first: Some(HOST.to_owned()),
        placeholder: Arc::new(placeholder),
    });
    let settings = ServerSettings::default();
    let (sessions, session_settings) = (&fixture.sessions, &fixture.session_settings);
    let server = Server::new(&settings, &certificates, &hosts, sessions, session_settings);
    let server = server.unwrap();
    // The authority's client does not trust the placeholder.
    let refused = handshake(server.config(), &fixture.client(), HOST);
    assert!(refused.is_err());

    let (address, of_address) = ("192.0.2.1", "192.0.2.1".parse().unwrap());
    for name in [HOST, address] {
        let certificate = fixture.authority.issue(&[name]);
        issued.put(name, &fixture.scratch.load(name, &certificate));
    }
    let der = |name: &str| issued.find(name).unwrap().key().cert[0].to_vec();
    let client = || client(&fixture.authority);
    assert_eq!(shown(server.config(), client(), HOST), der(HOST));
    // A client sends no name when it connects to an address (RFC 6066, section 3).
    let config = server.config_for(of_address);
    assert_eq!(shown(config, client(), address), der(address));
    let other = server.config_for("192.0.2.2".parse().unwrap());
    assert!(Arc::ptr_eq(other, server.config()));
}
