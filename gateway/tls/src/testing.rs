//! The kit of this crate's tests: authorities and certificates made by rcgen,
//! files in a scratch directory, and handshakes in memory.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, ServerConfig, ServerConnection,
    WantsVerifier,
};
use time::OffsetDateTime;
use x509_cert::der::asn1::{Any, OctetString};
use x509_cert::der::{Decode as _, Reader as _, SliceReader};

use crate::certificate::{Certificate, CertificateFiles};
use crate::provider::provider;

/// 2026-11-27 18:00 UTC.
pub(crate) const NOW: i64 = 1_795_802_400;

pub(crate) fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// An authority. What it issues is valid from 1975 to 4096 unless the test says
/// otherwise, because handshakes go by the clock.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// What its clients have to be sent; empty for a root.
    chain: Vec<CertificateDer<'static>>,
}

pub(crate) struct Issued {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
    key: KeyPair,
}

impl Authority {
    /// A root.
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(authority_params(name), key).unwrap(),
            chain: Vec::new(),
        }
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, |_| {})
    }

    pub(crate) fn intermediate_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let mut params = authority_params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap();
        let mut chain = vec![issuer.as_ref().der().clone()];
        chain.extend(self.chain.iter().cloned());
        Self { issuer, chain }
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.issuer.as_ref().der()
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.as_ref().pem()
    }

    /// Of an ECDSA P-256 key.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| {})
    }

    pub(crate) fn issue_rsa(&self, names: &[&str]) -> Issued {
        let key =
            KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        self.issue_for(key, names, |_| {})
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        self.issue_for(KeyPair::generate().unwrap(), names, change)
    }

    fn issue_for(
        &self,
        key: KeyPair,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let owned: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let mut params = CertificateParams::new(owned).unwrap();
        params.distinguished_name = Default::default();
        if let Some(name) = names.first() {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let mut chain = vec![leaf.der().clone()];
        chain.extend(self.chain.iter().cloned());
        Issued {
            chain_pem: pem_of("CERTIFICATE", chain.iter().map(|der| der.as_ref())),
            chain,
            key_pem: key.serialize_pem(),
            key,
        }
    }

    /// A revocation list with these certificates' serial numbers.
    pub(crate) fn revocation_list(&self, revoked: &[&Issued], next_update: i64) -> String {
        let revoked = revoked.iter().map(|issued| {
            let leaf = x509_cert::Certificate::from_der(&issued.chain[0]).unwrap();
            let serial = leaf.tbs_certificate.serial_number.as_bytes().to_vec();
            rcgen::RevokedCertParams {
                serial_number: serial.into(),
                revocation_time: at(NOW),
                reason_code: None,
                invalidity_date: None,
            }
        });
        let params = rcgen::CertificateRevocationListParams {
            this_update: at(0),
            next_update: at(next_update),
            crl_number: 1u64.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

impl Issued {
    pub(crate) fn reversed_chain_pem(&self) -> String {
        pem_of(
            "CERTIFICATE",
            self.chain.iter().rev().map(|der| der.as_ref()),
        )
    }

    /// The key as `openssl` wrote it before PKCS#8: PKCS#1 or SEC 1.
    pub(crate) fn traditional_key_pem(&self) -> String {
        let der = self.key.serialized_der();
        let inner = SliceReader::new(der).unwrap().sequence(|reader| {
            u8::decode(reader)?;
            Any::decode(reader)?;
            let inner = OctetString::decode(reader)?;
            // The public key and attributes, which may follow.
            while !reader.is_finished() {
                Any::decode(reader)?;
            }
            Ok(inner)
        });
        let label = match self.key.algorithm() == &rcgen::PKCS_RSA_SHA256 {
            true => "RSA PRIVATE KEY",
            false => "EC PRIVATE KEY",
        };
        pem_of(label, [inner.unwrap().as_bytes()].into_iter())
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = Default::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        rcgen::KeyUsagePurpose::KeyCertSign,
        rcgen::KeyUsagePurpose::CrlSign,
    ];
    params
}

fn pem_of<'a>(label: &str, sections: impl Iterator<Item = &'a [u8]>) -> String {
    use x509_cert::der::pem::{LineEnding, encode_string};
    sections
        .map(|der| encode_string(label, LineEnding::LF, der).unwrap())
        .collect()
}

/// A directory that is removed with its files.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that its owner alone can read.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let file = self.path().join(name);
        std::fs::write(&file, content).unwrap();
        self.set_mode(name, 0o600);
        file
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path().join(name), permissions).unwrap();
    }

    pub(crate) fn certificate(&self, name: &str, issued: &Issued) -> CertificateFiles {
        CertificateFiles {
            cert: self.write(&format!("{name}.crt"), issued.chain_pem.as_bytes()),
            key: self.write(&format!("{name}.key"), issued.key_pem.as_bytes()),
            ocsp: None,
        }
    }

    pub(crate) fn load(&self, name: &str, issued: &Issued) -> Arc<Certificate> {
        Arc::new(Certificate::load(&self.certificate(name, issued)).unwrap())
    }
}

/// A client that trusts `authority`, for any version.
pub(crate) fn client(authority: &Authority) -> ClientConfig {
    client_of(builder(rustls::ALL_VERSIONS), authority)
}

/// A client that trusts one certificate, and whose clock stands at `now`.
pub(crate) fn client_trusting(trusted: &CertificateDer<'static>, now: i64) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = builder(rustls::ALL_VERSIONS)
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.time_provider = Arc::new(Stopped(now));
    config
}

#[derive(Debug)]
struct Stopped(i64);

impl TimeProvider for Stopped {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0).unwrap();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A client of one version.
pub(crate) fn client_of_version(
    authority: &Authority,
    version: &'static rustls::SupportedProtocolVersion,
) -> ClientConfig {
    client_of(builder(&[version]), authority)
}

/// A client that shows a certificate.
pub(crate) fn client_with(authority: &Authority, shown: &Issued) -> ClientConfig {
    builder(rustls::ALL_VERSIONS)
        .with_root_certificates(roots(authority))
        .with_client_auth_cert(shown.chain.clone(), shown.private_key())
        .unwrap()
}

fn client_of(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    authority: &Authority,
) -> ClientConfig {
    builder
        .with_root_certificates(roots(authority))
        .with_no_client_auth()
}

fn builder(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
}

pub(crate) fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    roots
}

/// Both ends after a handshake and one more exchange, so that tickets
/// have arrived; or the first error of either end.
pub(crate) fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        exchange(&mut client, &mut server)?;
    }
    exchange(&mut client, &mut server)?;
    Ok((client, server))
}

/// Whether a handshake resumes a session.
pub(crate) fn resumes(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, name: &str) -> bool {
    let (_, server) = handshake(server, client, name).unwrap();
    server.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
}

fn exchange(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> Result<(), rustls::Error> {
    let mut flight = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut flight).unwrap();
    }
    let mut rest = flight.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).unwrap();
        server.process_new_packets()?;
    }
    let mut flight = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut flight).unwrap();
    }
    let mut rest = flight.as_slice();
    while !rest.is_empty() {
        client.read_tls(&mut rest).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}
