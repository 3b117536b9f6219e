//! Certificate authorities, and what they issue.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DistinguishedName, DnType, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

/// An authority with a root of its own.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate that is to be issued.
#[derive(Clone, Debug)]
pub struct Issue {
    names: Vec<String>,
    common_name: String,
    alt_names: Vec<SanType>,
    key: KeyKind,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Issued {
    certificate: rcgen::Certificate,
    serial: SerialNumber,
    key: KeyPair,
}

#[derive(Clone, Copy, Debug)]
enum KeyKind {
    Ecdsa,
    Rsa,
    Ed25519,
}

impl Authority {
    /// A new root.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    /// The root's certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.as_ref().pem()
    }

    /// Writes the root's certificate to a file, `NAME.pem`.
    pub fn write(&self, directory: &Path, name: &str) {
        std::fs::write(directory.join(name).with_extension("pem"), self.pem()).unwrap();
    }

    /// Issues a certificate with an ECDSA key for these hosts.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.sign(&Issue::new(names))
    }

    /// Issues a certificate.
    #[must_use]
    pub fn sign(&self, issue: &Issue) -> Issued {
        let key = match issue.key {
            KeyKind::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyKind::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyKind::Ed25519 => KeyPair::generate_for(&PKCS_ED25519),
        };
        self.sign_key(issue, key.unwrap())
    }

    /// Issues a certificate for the key of another one, as at a renewal.
    #[must_use]
    pub fn renew(&self, issue: &Issue, old: &Issued) -> Issued {
        let key = KeyPair::from_pem(&old.key.serialize_pem()).unwrap();
        self.sign_key(issue, key)
    }

    fn sign_key(&self, issue: &Issue, key: KeyPair) -> Issued {
        let mut params = CertificateParams::new(issue.names.clone()).unwrap();
        params.distinguished_name = common_name(&issue.common_name);
        let alt_names = issue.alt_names.iter().cloned();
        params.subject_alt_names.extend(alt_names);
        params.not_before = issue.not_before;
        params.not_after = issue.not_after;
        // Revocation lists name certificates by their serial numbers.
        let serial = SerialNumber::from(serial_number());
        params.serial_number = Some(serial.clone());
        Issued {
            certificate: params.signed_by(&key, &self.issuer).unwrap(),
            serial,
            key,
        }
    }

    /// The revocation list of the authority with these certificates.
    #[must_use]
    pub fn revocation_list(&self, revoked: &[&Issued]) -> String {
        let now = OffsetDateTime::from(SystemTime::now());
        let revoked = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: issued.serial.clone(),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: now - Duration::from_secs(3600),
            next_update: now + Duration::from_secs(3600),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.issuer.as_ref().der().clone()
    }
}

impl Issue {
    /// A certificate for these hosts, with an ECDSA key, valid since yesterday and for a
    /// hundred days. Its common name is the first of them.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        let now = OffsetDateTime::from(SystemTime::now());
        Self {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            common_name: names.first().copied().unwrap_or_default().to_owned(),
            alt_names: Vec::new(),
            key: KeyKind::Ecdsa,
            not_before: now - DAY,
            not_after: now + 100 * DAY,
        }
    }

    /// A certificate of a client, which has a name and no host.
    #[must_use]
    pub fn client(common_name: &str) -> Self {
        let mut issue = Self::new(&[]);
        common_name.clone_into(&mut issue.common_name);
        issue
    }

    /// With a URI among its names.
    #[must_use]
    pub fn uri(mut self, uri: &str) -> Self {
        self.alt_names.push(SanType::URI(uri.try_into().unwrap()));
        self
    }

    /// With an email address among its names.
    #[must_use]
    pub fn email(mut self, address: &str) -> Self {
        let address = SanType::Rfc822Name(address.try_into().unwrap());
        self.alt_names.push(address);
        self
    }

    /// With an RSA key.
    #[must_use]
    pub fn rsa(mut self) -> Self {
        self.key = KeyKind::Rsa;
        self
    }

    /// With an Ed25519 key.
    #[must_use]
    pub fn ed25519(mut self) -> Self {
        self.key = KeyKind::Ed25519;
        self
    }

    /// It expired an hour ago.
    #[must_use]
    pub fn expired(self) -> Self {
        self.expires(OffsetDateTime::from(SystemTime::now()) - Duration::from_secs(3600))
    }

    /// It is valid for so long from now on.
    #[must_use]
    pub fn valid_for(self, time: Duration) -> Self {
        self.expires(OffsetDateTime::from(SystemTime::now()) + time)
    }

    /// It is not valid before so long from now.
    #[must_use]
    pub fn not_before_in(mut self, time: Duration) -> Self {
        self.not_before = OffsetDateTime::from(SystemTime::now()) + time;
        self
    }

    fn expires(mut self, not_after: OffsetDateTime) -> Self {
        self.not_after = not_after;
        self
    }
}

impl Issued {
    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The key as PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The serial number.
    #[must_use]
    pub fn serial(&self) -> u64 {
        let bytes = self.serial.to_bytes();
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The certificate as DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// Writes certificate and key to files, `NAME.crt` and `NAME.key`.
    pub fn write(&self, directory: &Path, name: &str) {
        use std::os::unix::fs::PermissionsExt as _;

        let path = |extension| directory.join(format!("{name}.{extension}"));
        std::fs::write(path("crt"), self.pem()).unwrap();
        std::fs::write(path("key"), self.key_pem()).unwrap();
        let only_owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path("key"), only_owner).unwrap();
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    pub(super) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

const DAY: Duration = Duration::from_secs(86_400);

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    if !name.is_empty() {
        distinguished.push(DnType::CommonName, name);
    }
    distinguished
}

/// A number of its own for each certificate of the process.
fn serial_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};

    static LAST: AtomicU64 = AtomicU64::new(1);
    LAST.fetch_add(1, Ordering::Relaxed)
}
