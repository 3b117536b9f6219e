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
    /// SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// Subject alternative names with their kinds: `DNS:a.example`,
    /// `IP:192.0.2.1`, `email:a@example.com`, `URI:spiffe://example/a`. Other
    /// kinds are left out.
    pub alt_names: Vec<String>,
    not_before: i64,
    not_after: i64,
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
        Ok(Self {
            subject: parsed.subject(),
            common_name: parsed.common_name(),
            fingerprint: fingerprint(certificate),
            alt_names: parsed.alt_names().iter().map(text).collect(),
            not_before: parsed.not_before(),
            not_after: parsed.not_after(),
        })
    }

    /// Whether the certificate is valid at `now`, in seconds since 1970.
    pub fn is_current(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

fn text(name: &AltName) -> String {
    match name {
        AltName::Dns(name) => format!("DNS:{name}"),
        AltName::Address(address) => format!("IP:{address}"),
        AltName::Email(address) => format!("email:{address}"),
        AltName::Uri(uri) => format!("URI:{uri}"),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{DnType, SanType};

    use super::*;
    use crate::testing::{Authority, NOW, at};

    #[test]
    fn facts_are_read() {
        let issued = Authority::new("Clients").issue_with(&["a.example", "192.0.2.1"], |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            let name = &mut params.distinguished_name;
            name.push(DnType::OrganizationName, "Example, Inc.");
            name.push(DnType::CommonName, "someone");
            let names = &mut params.subject_alt_names;
            names.push(SanType::Rfc822Name("a@example.com".try_into().unwrap()));
            names.push(SanType::URI("spiffe://example/a".try_into().unwrap()));
        });
        let peer = Peer::new(&issued.chain[0]).unwrap();
        assert_eq!(peer.subject, "CN=someone,O=Example\\, Inc.");
        assert_eq!(peer.common_name.as_deref(), Some("someone"));
        assert_eq!(peer.fingerprint, fingerprint(&issued.chain[0]));
        assert_eq!(
            peer.alt_names,
            [
                "DNS:a.example",
                "IP:192.0.2.1",
                "email:a@example.com",
                "URI:spiffe://example/a"
            ]
        );
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
