//! What a policy may know of a client that showed a certificate.
//!
//! A resumed session has the certificate of the handshake that it began with,
//! and each resumption begins another session: rustls does not look at the dates
//! again. So that nobody stays authenticated with a certificate that has expired
//! since, ask [`Peer::is_current`] for resumed connections.

use rustls::pki_types::CertificateDer;

use crate::digest::fingerprint;
use crate::error::Error;
use crate::parsed::{AltName, Parsed};

/// Facts of a client's certificate, which rustls has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// As a string of RFC 4514: `CN=someone,O=Example`. Empty if there is none.
    pub subject: String,
    /// The first common name of the subject, if it is text in UTF-8.
    pub common_name: Option<String>,
    /// Who has issued it, as a string of RFC 4514.
    pub issuer: String,
    /// Its serial number in lower-case hexadecimal digits.
    pub serial: String,
    /// SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// The first second of its validity, since 1970.
    pub not_before: i64,
    /// The last second of its validity, since 1970.
    pub not_after: i64,
    /// Its DNS names, joined with `,`, as the following. A name that has a comma itself is
    /// left out, so that it cannot pass for two.
    pub dns_names: Option<String>,
    /// Its URIs.
    pub uris: Option<String>,
    /// Its email addresses.
    pub emails: Option<String>,
    /// The certificate itself.
    pub certificate: CertificateDer<'static>,
}

impl Peer {
    /// Reads the first of the certificates that the client sent. An error if it
    /// cannot be understood, although rustls accepts it; such a client should be
    /// refused, because policies would decide without knowing it.
    pub fn new(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = Parsed::new(certificate).map_err(|error| {
            Error::new(format!(
                "The client's certificate cannot be understood: {error}."
            ))
        })?;
        let names = parsed.alt_names();
        Ok(Self {
            subject: parsed.subject(),
            common_name: parsed.common_name(),
            issuer: parsed.issuer(),
            serial: parsed.serial(),
            fingerprint: fingerprint(certificate),
            not_before: parsed.not_before(),
            not_after: parsed.not_after(),
            dns_names: joined(&names, |name| match name {
                AltName::Dns(name) => Some(name),
                _ => None,
            }),
            uris: joined(&names, |name| match name {
                AltName::Uri(uri) => Some(uri),
                _ => None,
            }),
            emails: joined(&names, |name| match name {
                AltName::Email(address) => Some(address),
                _ => None,
            }),
            certificate: certificate.clone().into_owned(),
        })
    }

    /// Whether the certificate is valid at `now`, in seconds since 1970.
    pub fn is_current(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// The names of one kind; none if there are none.
fn joined(names: &[AltName], of_kind: fn(&AltName) -> Option<&String>) -> Option<String> {
    let names = names.iter().filter_map(of_kind);
    let names: Vec<&str> = names
        .map(String::as_str)
        .filter(|name| !name.contains(','))
        .collect();
    (!names.is_empty()).then(|| names.join(","))
}

#[cfg(test)]
mod tests {
    use rcgen::{DnType, SanType};

    use super::*;
    use crate::testing::{Authority, NOW, at};

    #[test]
    fn facts_are_read() {
        let names = ["a.example", "b.example", "192.0.2.1"];
        let issued = Authority::new("Clients").issue_with(&names, |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            let name = &mut params.distinguished_name;
            name.push(DnType::OrganizationName, "Example, Inc.");
            name.push(DnType::CommonName, "someone");
            params.serial_number = Some(vec![0x0a, 0xbc].into());
            params.not_before = at(NOW);
            params.not_after = at(NOW + 60);
            let names = &mut params.subject_alt_names;
            names.push(SanType::Rfc822Name("a@example.com".try_into().unwrap()));
            names.push(SanType::URI("spiffe://example/a".try_into().unwrap()));
        });
        let peer = Peer::new(&issued.chain[0]).unwrap();
        assert_eq!(peer.subject, "CN=someone,O=Example\\, Inc.");
        assert_eq!(peer.common_name.as_deref(), Some("someone"));
        assert_eq!(peer.issuer, "CN=Clients");
        assert_eq!(peer.serial, "0abc");
        assert_eq!(peer.fingerprint, fingerprint(&issued.chain[0]));
        assert_eq!((peer.not_before, peer.not_after), (NOW, NOW + 60));
        assert_eq!(peer.dns_names.as_deref(), Some("a.example,b.example"));
        assert_eq!(peer.emails.as_deref(), Some("a@example.com"));
        assert_eq!(peer.uris.as_deref(), Some("spiffe://example/a"));
        assert_eq!(peer.certificate, issued.chain[0]);
    }

    /// Who gets a certificate for one name must not be able to get a second one into it.
    #[test]
    fn a_name_with_a_comma_is_not_two() {
        let issued = Authority::new("Clients").issue_with(&[], |params| {
            for uri in ["spiffe://a/b,spiffe://a/admin", "spiffe://a/c"] {
                let uri = SanType::URI(uri.try_into().unwrap());
                params.subject_alt_names.push(uri);
            }
        });
        let peer = Peer::new(&issued.chain[0]).unwrap();
        assert_eq!(peer.uris.as_deref(), Some("spiffe://a/c"));
        assert_eq!((peer.dns_names, peer.emails), (None, None));
    }

    #[test]
    fn it_is_current_from_its_first_second_to_its_last() {
        let issued = Authority::new("Clients").issue_with(&["a.example"], |params| {
            params.not_before = at(NOW);
            params.not_after = at(NOW + 60);
        });
        let peer = Peer::new(&issued.chain[0]).unwrap();
        let current = [-1, 0, 60, 61].map(|offset| peer.is_current(NOW + offset));
        assert_eq!(current, [false, true, true, false]);
    }

    #[test]
    fn what_is_not_a_certificate_is_an_error() {
        assert!(Peer::new(&vec![0x30, 0].into()).is_err());
    }
}
