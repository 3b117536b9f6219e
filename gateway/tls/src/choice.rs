//! Chooses among the certificates of one site: ECDSA for clients that can verify
//! it, because it costs a server a fraction of RSA, and RSA for the others.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, SignatureAlgorithm, SupportedCipherSuite};

use crate::certificate::Certificate;

/// The certificates of a site, the preferred first.
#[derive(Debug)]
pub(crate) struct Choice {
    keys: Vec<Arc<CertifiedKey>>,
    suites: Vec<SupportedCipherSuite>,
}

impl Choice {
    /// `suites` are those of the versions that the site speaks. RSA comes last;
    /// otherwise the given order decides.
    pub(crate) fn new(
        certificates: &[Arc<Certificate>],
        suites: Vec<SupportedCipherSuite>,
    ) -> Self {
        let mut keys: Vec<_> = certificates
            .iter()
            .map(|certificate| Arc::clone(certificate.key()))
            .collect();
        keys.sort_by_key(|key| key.key.algorithm() == SignatureAlgorithm::RSA);
        Self { keys, suites }
    }

    /// Whether the suites of TLS 1.2 that the client and the site share allow
    /// this kind of key. Those of TLS 1.3 allow every kind, but it is not known
    /// here which version the client speaks, and it may offer suites of both; a
    /// key that goes with TLS 1.2 goes with TLS 1.3.
    fn goes_with(&self, key: &CertifiedKey, offered: &[CipherSuite]) -> bool {
        let mut shared = self
            .suites
            .iter()
            .filter(|suite| suite.tls13().is_none() && offered.contains(&suite.suite()))
            .peekable();
        let algorithm = key.key.algorithm();
        shared.peek().is_none()
            || shared.any(|suite| suite.usable_for_signature_algorithm(algorithm))
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let offered = hello.cipher_suites();
        let verifiable = || {
            let keys = self.keys.iter();
            keys.filter(|key| key.key.choose_scheme(schemes).is_some())
        };
        let best = verifiable().find(|key| self.goes_with(key, offered));
        // A client that none fits gets the first, so that rustls fails with the
        // alert that says why.
        best.or_else(|| verifiable().next())
            .or_else(|| self.keys.first())
            .map(Arc::clone)
    }
}
