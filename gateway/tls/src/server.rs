//! The configuration of rustls for one site.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use crate::certificate::Certificate;
use crate::choice::Choice;
use crate::digest::Digest;
use crate::error::{Error, Warning};
use crate::provider::provider;
use crate::sessions::{SessionSettings, Sessions};
use crate::settings::{ServerSettings, Version};

/// A site's settings and certificates, ready for handshakes.
#[derive(Debug, Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    settings: [u8; 32],
    warnings: Vec<Warning>,
}

impl Server {
    /// Reads the files of client authentication. `session_settings` are those of
    /// the listener that `sessions` belongs to.
    ///
    /// An error if a file cannot be used, if there is no certificate, or if the
    /// oldest version is newer than the newest.
    pub fn new(
        settings: &ServerSettings,
        certificates: &[Arc<Certificate>],
        sessions: &Sessions,
        session_settings: &SessionSettings,
    ) -> Result<Self, Error> {
        if certificates.is_empty() {
            return Err(Error::new("A site with TLS needs a certificate."));
        }
        let versions = versions(settings)?;
        let suites: Vec<SupportedCipherSuite> = settings
            .suites
            .iter()
            .copied()
            .filter(|suite| versions.contains(&suite.version()))
            .collect();
        let provider = Arc::new(CryptoProvider {
            cipher_suites: suites.clone(),
            kx_groups: settings.groups.clone(),
            ..CryptoProvider::clone(&provider())
        });
        let warnings = unusable_tls12(&suites, certificates);
        let auth = settings.client_auth.load(&provider)?;

        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| {
                Error::new(format!(
                    "The versions, ciphers and key exchange groups of a site do not go together: \
                     {error}."
                ))
            })?;
        let mut config = builder
            .with_client_cert_verifier(auth.verifier)
            .with_cert_resolver(Arc::new(Choice::new(certificates, suites)));
        config.alpn_protocols.clone_from(&settings.alpn);
        config.ignore_client_order = settings.prefers_server_order;
        // Requests in early data can be replayed (RFC 8470).
        config.max_early_data_size = 0;
        sessions.attach(&mut config, auth.scope, session_settings);
        Ok(Self {
            config: Arc::new(config),
            settings: digest(settings, &versions, auth.scope),
            warnings,
        })
    }

    /// What handshakes are performed with.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Settings that go together badly.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether all settings are the same, including the contents of the files
    /// of client authentication. Certificates are not settings.
    pub fn same_settings(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

fn versions(settings: &ServerSettings) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let range = settings.min_version..=settings.max_version;
    if range.is_empty() {
        return Err(Error::new(format!(
            "The oldest version of TLS ({}) is newer than the newest ({}).",
            settings.min_version.as_str(),
            settings.max_version.as_str()
        )));
    }
    let all = [(Version::Tls13, &TLS13), (Version::Tls12, &TLS12)];
    let spoken = all.iter().filter(|(version, _)| range.contains(version));
    Ok(spoken.map(|&(_, version)| version).collect())
}

/// A suite of TLS 1.2 names the kind of key that it goes with. A warning if there
/// are suites of TLS 1.2, and none goes with any of the keys.
fn unusable_tls12(
    suites: &[SupportedCipherSuite],
    certificates: &[Arc<Certificate>],
) -> Vec<Warning> {
    let mut tls12 = suites
        .iter()
        .filter(|suite| suite.tls13().is_none())
        .peekable();
    let is_usable = |suite: &SupportedCipherSuite| {
        certificates.iter().any(|certificate| {
            suite.usable_for_signature_algorithm(certificate.key().key.algorithm())
        })
    };
    if tls12.peek().is_none() || tls12.any(is_usable) {
        return Vec::new();
    }
    let kinds: Vec<_> = certificates
        .iter()
        .map(|certificate| certificate.facts().key_type.as_str())
        .collect();
    vec![Warning::new(format!(
        "None of the ciphers of TLS 1.2 goes with the certificate ({}), so that clients of TLS \
         1.2 cannot connect. Name ciphers for this kind of key too, or set the oldest version to \
         1.3.",
        kinds.join(", ")
    ))]
}

fn digest(
    settings: &ServerSettings,
    versions: &[&'static SupportedProtocolVersion],
    auth: [u8; 32],
) -> [u8; 32] {
    let versions = versions
        .iter()
        .map(|version| u16::from(version.version).to_be_bytes());
    let suites = settings
        .suites
        .iter()
        .map(|suite| u16::from(suite.suite()).to_be_bytes());
    let groups = settings
        .groups
        .iter()
        .map(|group| u16::from(group.name()).to_be_bytes());
    Digest::default()
        .list(versions)
        .list(suites)
        .list(groups)
        .list(&settings.alpn)
        .field(&[u8::from(settings.prefers_server_order)])
        .field(&auth)
        .finish()
}

#[cfg(test)]
mod tests;
