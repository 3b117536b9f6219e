//! A parsed X.509 certificate (RFC 5280), for the facts that rustls does not
//! tell: names, dates, the kind of key, and who signed it.
//!
//! It says nothing about trust. Certificates of peers are verified by rustls
//! before anything here looks at them.

use std::net::IpAddr;

use rustls::crypto::CryptoProvider;
use x509_cert::Certificate;
use x509_cert::der::asn1::{Any, ObjectIdentifier, UintRef};
use x509_cert::der::{
    self, Decode as _, Encode as _, EncodeValue as _, Reader as _, SliceReader, Tag, Tagged as _,
};
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, CrlDistributionPoints,
};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::digest::hex;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// RFC 5280, section 4.2.1.13: where its authority publishes what it has revoked.
const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
/// RFC 5280, section 4.2.1.1: which key of the issuer has signed.
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
/// RFC 5280, section 4.2.2.1: where to find what belongs to the issuer.
const AUTHORITY_INFORMATION_ACCESS: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
/// Where its certificate is.
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
/// RFC 7633: demands that the server staples an OCSP response.
const TLS_FEATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24");

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Curves, by the parameter of an elliptic-curve key.
const CURVES: [(ObjectIdentifier, &str); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), "P-256"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), "P-384"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), "P-521"),
];

/// Kinds of key that have no parameters.
const KINDS: [(ObjectIdentifier, &str); 5] = [
    (ObjectIdentifier::new_unwrap("1.3.101.112"), "Ed25519"),
    (ObjectIdentifier::new_unwrap("1.3.101.113"), "Ed448"),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17"),
        "ML-DSA-44",
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18"),
        "ML-DSA-65",
    ),
    (
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19"),
        "ML-DSA-87",
    ),
];

/// One certificate.
#[derive(Debug)]
pub(crate) struct Parsed(Certificate);

/// One subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AltName {
    Dns(String),
    Address(IpAddr),
    Email(String),
    Uri(String),
}

impl Parsed {
    pub(crate) fn new(der: &[u8]) -> Result<Self, der::Error> {
        Certificate::from_der(der).map(Self)
    }

    /// As a string of RFC 4514; empty if the subject is.
    pub(crate) fn subject(&self) -> String {
        self.0.tbs_certificate.subject.to_string()
    }

    /// The first common name of the subject, if it is text in UTF-8.
    pub(crate) fn common_name(&self) -> Option<String> {
        let parts = self.subject_name().0.iter().flat_map(|part| part.0.iter());
        let mut names = parts.filter(|part| part.oid == COMMON_NAME);
        let value = &names.next()?.value;
        let is_text = matches!(
            value.tag(),
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
        );
        let text = str::from_utf8(value.value()).ok();
        text.filter(|_| is_text).map(str::to_owned)
    }

    /// As a string of RFC 4514.
    pub(crate) fn issuer(&self) -> String {
        self.0.tbs_certificate.issuer.to_string()
    }

    /// The serial number in lower-case hexadecimal digits.
    pub(crate) fn serial(&self) -> String {
        hex_serial(&self.0.tbs_certificate.serial_number)
    }

    /// The serial number as the content of its integer in DER, with the leading zero
    /// that a set highest bit demands.
    pub(crate) fn serial_bytes(&self) -> Option<Vec<u8>> {
        let der = self.0.tbs_certificate.serial_number.to_der().ok()?;
        // A serial number has at most 20 bytes, so that its length is one byte.
        der.get(2..).map(<[u8]>::to_vec)
    }

    /// The identifier of its issuer's key, if it has one.
    pub(crate) fn authority_key_id(&self) -> Option<Vec<u8>> {
        let value = self.extension(&AUTHORITY_KEY_IDENTIFIER)?;
        let identifier = AuthorityKeyIdentifier::from_der(value).ok()?;
        Some(identifier.key_identifier?.into_bytes())
    }

    /// The first second of its validity, since 1970.
    pub(crate) fn not_before(&self) -> i64 {
        seconds(self.0.tbs_certificate.validity.not_before)
    }

    /// The last second of its validity, since 1970.
    pub(crate) fn not_after(&self) -> i64 {
        seconds(self.0.tbs_certificate.validity.not_after)
    }

    /// The subject alternative names that this gateway knows the form of. Others
    /// are left out.
    pub(crate) fn alt_names(&self) -> Vec<AltName> {
        let Some(value) = self.extension(&SUBJECT_ALT_NAME) else {
            return Vec::new();
        };
        let names = Vec::<Any>::from_der(value).unwrap_or_default();
        names.iter().filter_map(alt_name).collect()
    }

    /// The URLs of the revocation lists in which it would be.
    pub(crate) fn revocation_lists(&self) -> Vec<String> {
        let value = self.extension(&CRL_DISTRIBUTION_POINTS);
        let points = value.and_then(|value| CrlDistributionPoints::from_der(value).ok());
        let names = points.into_iter().flat_map(|points| points.0);
        let names = names.filter_map(|point| match point.distribution_point? {
            DistributionPointName::FullName(names) => Some(names),
            DistributionPointName::NameRelativeToCRLIssuer(_) => None,
        });
        names
            .flatten()
            .filter_map(|name| match name {
                GeneralName::UniformResourceIdentifier(url) => Some(url.to_string()),
                _ => None,
            })
            .collect()
    }

    /// Whether it demands a stapled OCSP response ("must-staple").
    pub(crate) fn must_staple(&self) -> bool {
        self.extension(&TLS_FEATURE).is_some()
    }

    /// Whether it says where the certificate of its issuer is found (`caIssuers`).
    pub(crate) fn says_where_its_issuer_is(&self) -> bool {
        let value = self.extension(&AUTHORITY_INFORMATION_ACCESS);
        let access = value.and_then(|value| AuthorityInfoAccessSyntax::from_der(value).ok());
        access.is_some_and(|access| {
            let mut methods = access.0.iter().map(|it| it.access_method);
            methods.any(|method| method == CA_ISSUERS)
        })
    }

    /// `ECDSA P-256`, `RSA 2048`, `Ed25519`; the object identifier if it is
    /// another kind of key.
    pub(crate) fn key_type(&self) -> String {
        let key = &self.0.tbs_certificate.subject_public_key_info;
        let kind = key.algorithm.oid;
        if kind == RSA {
            return match rsa_bits(key.subject_public_key.raw_bytes()) {
                Some(bits) => format!("RSA {bits}"),
                None => "RSA".into(),
            };
        }
        if kind == EC {
            let parameters = key.algorithm.parameters.as_ref();
            let curve = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            return match curve {
                Some(curve) => format!("ECDSA {}", named(&CURVES, curve)),
                None => "ECDSA".into(),
            };
        }
        named(&KINDS, kind)
    }

    /// Whether subject and issuer are the same name.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.issuer_name() == self.subject_name()
    }

    /// Whether it names the other as its issuer.
    pub(crate) fn names_as_issuer(&self, other: &Self) -> bool {
        self.issuer_name() == other.subject_name()
    }

    /// Whether the other's key made the signature. None if `provider` has no
    /// algorithm to tell.
    pub(crate) fn is_signed_by(&self, other: &Self, provider: &CryptoProvider) -> Option<bool> {
        let message = self.0.tbs_certificate.to_der().ok()?;
        let signature = self.0.signature.as_bytes()?;
        let signature_id = content(&self.0.signature_algorithm)?;
        let issuer = &other.0.tbs_certificate.subject_public_key_info;
        let key = issuer.subject_public_key.as_bytes()?;
        let key_id = content(&issuer.algorithm)?;
        let mut fitting = provider
            .signature_verification_algorithms
            .all
            .iter()
            .filter(|algorithm| {
                *algorithm.signature_alg_id() == *signature_id
                    && *algorithm.public_key_alg_id() == *key_id
            })
            .peekable();
        fitting.peek()?;
        Some(fitting.any(|algorithm| algorithm.verify_signature(key, &message, signature).is_ok()))
    }

    fn issuer_name(&self) -> &Name {
        &self.0.tbs_certificate.issuer
    }

    fn subject_name(&self) -> &Name {
        &self.0.tbs_certificate.subject
    }

    fn extension(&self, id: &ObjectIdentifier) -> Option<&[u8]> {
        let extensions = self.0.tbs_certificate.extensions.as_ref()?;
        let found = extensions.iter().find(|found| found.extn_id == *id)?;
        Some(found.extn_value.as_bytes())
    }
}

pub(crate) fn seconds(time: x509_cert::time::Time) -> i64 {
    // Cannot overflow: the last year of X.509 is 9999.
    time.to_unix_duration().as_secs().cast_signed()
}

pub(crate) fn hex_serial(serial: &SerialNumber) -> String {
    // A leading zero byte only makes the number positive.
    match serial.as_bytes() {
        [0, rest @ ..] if !rest.is_empty() => hex(rest),
        bytes => hex(bytes),
    }
}

fn named(table: &[(ObjectIdentifier, &str)], id: ObjectIdentifier) -> String {
    match table.iter().find(|(known, _)| *known == id) {
        Some((_, name)) => (*name).into(),
        None => id.to_string(),
    }
}

/// The bits of the modulus of an RSA key (RFC 8017, appendix A.1.1).
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let modulus = SliceReader::new(key).ok()?.sequence(|reader| {
        let modulus = UintRef::decode(reader)?;
        UintRef::decode(reader)?;
        Ok(modulus)
    });
    let bytes = modulus.ok()?.as_bytes();
    let first = bytes.first()?;
    Some(bytes.len() * 8 - first.leading_zeros() as usize)
}

/// An algorithm without the tag and length around it, which is the form that
/// `pki_types` compares.
fn content(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    algorithm.encode_value(&mut content).ok()?;
    Some(content)
}

/// RFC 5280, section 4.2.1.6.
fn alt_name(name: &Any) -> Option<AltName> {
    let Tag::ContextSpecific {
        number,
        constructed: false,
    } = name.tag()
    else {
        return None;
    };
    let value = name.value();
    let text = || str::from_utf8(value).ok().map(str::to_owned);
    match number.value() {
        1 => text().map(AltName::Email),
        2 => text().map(|name| AltName::Dns(name.to_ascii_lowercase())),
        6 => text().map(AltName::Uri),
        7 => match value.len() {
            4 => <[u8; 4]>::try_from(value)
                .ok()
                .map(|octets| AltName::Address(octets.into())),
            16 => <[u8; 16]>::try_from(value)
                .ok()
                .map(|octets| AltName::Address(octets.into())),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, RsaKeySize, SanType};

    use super::*;
    use crate::provider::provider;
    use crate::testing::Authority;

    fn parsed(params: &CertificateParams, key: &KeyPair) -> Parsed {
        Parsed::new(params.self_signed(key).unwrap().der()).unwrap()
    }

    #[test]
    fn kinds_of_keys_are_named() {
        let params = CertificateParams::default();
        let cases = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, "ECDSA P-256"),
            (&rcgen::PKCS_ECDSA_P384_SHA384, "ECDSA P-384"),
            (&rcgen::PKCS_ECDSA_P521_SHA512, "ECDSA P-521"),
            (&rcgen::PKCS_ED25519, "Ed25519"),
        ];
        for (algorithm, name) in cases {
            let key = KeyPair::generate_for(algorithm).unwrap();
            assert_eq!(parsed(&params, &key).key_type(), name);
        }
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        assert_eq!(parsed(&params, &key).key_type(), "RSA 2048");
    }

    #[test]
    fn names_and_dates_are_read() {
        let mut params = CertificateParams::new(["Shop.Example".into(), "::1".into()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "DE");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "A, B+C");
        params.distinguished_name.push(DnType::CommonName, "shop");
        params.subject_alt_names.push(SanType::URI(
            "spiffe://example/shop".to_owned().try_into().unwrap(),
        ));
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2027, 1, 2);
        params.serial_number = Some(vec![0x80, 1].into());
        let certificate = parsed(&params, &KeyPair::generate().unwrap());
        assert_eq!(certificate.subject(), "CN=shop,O=A\\, B\\+C,C=DE");
        assert_eq!(certificate.common_name().as_deref(), Some("shop"));
        assert!(certificate.is_self_issued());
        assert_eq!(certificate.serial(), "8001");
        assert_eq!(
            certificate.alt_names(),
            [
                AltName::Dns("shop.example".into()),
                AltName::Address("::1".parse().unwrap()),
                AltName::Uri("spiffe://example/shop".into()),
            ]
        );
        assert_eq!(crate::utc(certificate.not_before()), "2026-01-02 00:00 UTC");
        assert_eq!(crate::utc(certificate.not_after()), "2027-01-02 00:00 UTC");
        assert!(!certificate.must_staple());
    }

    #[test]
    fn who_signed_is_told_by_the_signature_and_not_by_the_name() {
        let (one, other) = (Authority::new("Same Name"), Authority::new("Same Name"));
        let issued = one.issue(&["a.example"]);
        let leaf = Parsed::new(&issued.chain[0]).unwrap();
        let one = Parsed::new(one.der()).unwrap();
        let other = Parsed::new(other.der()).unwrap();
        assert!(leaf.names_as_issuer(&one) && leaf.names_as_issuer(&other));
        assert_eq!(leaf.is_signed_by(&one, &provider()), Some(true));
        assert_eq!(leaf.is_signed_by(&other, &provider()), Some(false));
    }
}
