//! The configuration of rustls for one site.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::ResolvesServerCert;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use crate::certificate::Certificate;
use crate::choice::Choice;
use crate::digest::Digest;
use crate::error::{Error, Warning};
use crate::issued::IssuedFor;
use crate::names::{self, HostPattern};
use crate::provider::provider;
use crate::sessions::{SessionSettings, Sessions};
use crate::settings::{ServerSettings, Version};

/// What a site proves its name with.
#[derive(Debug, Clone)]
pub enum SiteCertificates {
    /// These, of which there is at least one.
    Fixed(Vec<Arc<Certificate>>),
    /// Those that an authority issues while the site is served.
    Issued(IssuedFor),
}

/// A site's settings and certificates, ready for handshakes.
#[derive(Debug, Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    /// For clients that come to an address which is a host of the site: they send no
    /// name (RFC 6066, section 3), so that the address chooses the certificate.
    by_address: Vec<(IpAddr, Arc<ServerConfig>)>,
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
        certificates: &SiteCertificates,
        hosts: &[HostPattern],
        sessions: &Sessions,
        session_settings: &SessionSettings,
    ) -> Result<Self, Error> {
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
        let (warnings, resolver): (_, Arc<dyn ResolvesServerCert>) = match certificates {
            SiteCertificates::Fixed(fixed) if fixed.is_empty() => {
                return Err(Error::new("A site with TLS needs a certificate."));
            }
            SiteCertificates::Fixed(fixed) => {
                let choice = Choice::new(fixed, suites.clone());
                (unusable_tls12(&suites, fixed), Arc::new(choice))
            }
            SiteCertificates::Issued(issued) => (Vec::new(), Arc::new(issued.clone())),
        };
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
            .with_cert_resolver(resolver);
        config.alpn_protocols.clone_from(&settings.alpn);
        config.ignore_client_order = settings.prefers_server_order;
        // Requests in early data can be replayed (RFC 8470).
        config.max_early_data_size = 0;
        sessions.attach(&mut config, auth.scope, session_settings);
        Ok(Self {
            by_address: by_address(&config, certificates, hosts),
            config: Arc::new(config),
            settings: digest(settings, &versions, auth.scope),
            warnings,
        })
    }

    /// What handshakes are performed with.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// The same for a client that has connected to this address and sends no name.
    pub fn config_for(&self, address: IpAddr) -> &Arc<ServerConfig> {
        let mut configs = self.by_address.iter();
        let found = configs.find(|(host, _)| *host == address);
        found.map_or(&self.config, |(_, config)| config)
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

/// A configuration for each address among the hosts, whose certificate is then the
/// first choice. Certificates that the operator chose are the same for all.
fn by_address(
    config: &ServerConfig,
    certificates: &SiteCertificates,
    hosts: &[HostPattern],
) -> Vec<(IpAddr, Arc<ServerConfig>)> {
    let SiteCertificates::Issued(issued) = certificates else {
        return Vec::new();
    };
    let with = |host: &HostPattern| {
        let HostPattern::Exact(name) = host else {
            return None;
        };
        let address = names::address(name)?;
        let mut config = config.clone();
        config.cert_resolver = Arc::new(IssuedFor {
            first: Some(name.clone()),
            ..issued.clone()
        });
        Some((address, Arc::new(config)))
    };
    hosts.iter().filter_map(with).collect()
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
