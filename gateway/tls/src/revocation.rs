//! Whether an authority has revoked a certificate that it issued: what its revocation
//! list says (RFC 5280, section 5).

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateRevocationListDer, ServerName, UnixTime};
use rustls::{CertificateError, Error as TlsError, RootCertStore};

use crate::certificate::Certificate;
use crate::error::Error;
use crate::parsed::Parsed;
use crate::provider::provider;

impl Certificate {
    /// Where its authority publishes the list in which it would be, if it says so.
    pub fn revocation_lists(&self) -> Vec<String> {
        let leaf = self.key().cert.first();
        let leaf = leaf.and_then(|leaf| Parsed::new(leaf).ok());
        leaf.map(|leaf| leaf.revocation_lists()).unwrap_or_default()
    }

    /// Whether it is in this list, which is in DER and has to be signed by its issuer:
    /// lists are fetched in clear text. `now` is in seconds since 1970.
    ///
    /// An error if that cannot be told: the list is damaged, forged, or another one, the
    /// chain does not have the issuer, or the certificate is not valid at `now`.
    pub fn is_revoked(&self, list: &[u8], now: i64) -> Result<bool, Error> {
        let fail = |why: &dyn std::fmt::Display| {
            Error::of_file(
                &self.files().cert,
                format_args!("it cannot be told whether the certificate is revoked: {why}."),
            )
        };
        let [leaf, issuer, ..] = self.key().cert.as_slice() else {
            return Err(fail(&"the certificate of its issuer is not in the file"));
        };
        let mut roots = RootCertStore::empty();
        roots.add(issuer.clone()).map_err(|error| fail(&error))?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .with_crls([CertificateRevocationListDer::from(list.to_vec())])
            .only_check_end_entity_revocation()
            .build()
            .map_err(|error| fail(&error))?;
        // Any of its names will do.
        let name = self
            .facts()
            .names
            .first()
            .map(|name| name.replace('*', "any"));
        let name = ServerName::try_from(name.unwrap_or_default()).map_err(|error| fail(&error))?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.unsigned_abs()));
        match verifier.verify_server_cert(leaf, &[], &name, &[], now) {
            Ok(_) => Ok(false),
            Err(TlsError::InvalidCertificate(CertificateError::Revoked)) => Ok(true),
            Err(error) => Err(fail(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::CrlDistributionPoint;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;
    use crate::testing::{Authority, Issued, NOW, Scratch, at};

    fn issue(authority: &Authority) -> Issued {
        authority.issue_with(&["*.a.example"], |params| {
            params.not_before = at(NOW - 10);
            params.not_after = at(NOW + 1000);
            params.crl_distribution_points = vec![CrlDistributionPoint {
                uris: vec!["http://crl.example/1.crl".to_owned()],
            }];
        })
    }

    fn list(authority: &Authority, revoked: &[&Issued]) -> Vec<u8> {
        let pem = authority.revocation_list(revoked, NOW + 1000);
        CertificateRevocationListDer::from_pem_slice(pem.as_bytes())
            .unwrap()
            .to_vec()
    }

    #[test]
    fn a_certificate_in_the_list_of_its_issuer_is_revoked() {
        let scratch = Scratch::new();
        let authority = Authority::new("Root").intermediate("Middle");
        let (one, other) = (issue(&authority), issue(&authority));
        let certificate = scratch.load("one", &one);
        assert_eq!(certificate.revocation_lists(), ["http://crl.example/1.crl"]);
        let is_revoked = |list: &[u8]| certificate.is_revoked(list, NOW);
        assert_eq!(is_revoked(&list(&authority, &[&other])), Ok(false));
        assert_eq!(is_revoked(&list(&authority, &[&other, &one])), Ok(true));
        assert!(is_revoked(b"damaged").is_err());
        // Somebody on the way could have written it.
        let forger = Authority::new("Root").intermediate("Middle");
        assert!(is_revoked(&list(&forger, &[&one])).is_err());
        let late = certificate.is_revoked(&list(&authority, &[]), NOW + 2000);
        assert!(late.is_err());
    }
}
