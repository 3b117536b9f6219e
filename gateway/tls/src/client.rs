//! TLS towards upstreams: the gateway is the client.
//!
//! A [`Client`] belongs to an upstream and is shared by all workers, which
//! thereby resume each other's sessions. rustls binds them to the server's name,
//! and to the way in which servers are verified. Keep it over a reload that does
//! not change it ([`Client::same_settings`]), and with it its sessions.

mod unverified;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use unverified::Unverified;

use crate::certificate::{Certificate, CertificateFiles};
use crate::digest::Digest;
use crate::error::Error;
use crate::pem;
use crate::provider::provider;

/// The settings of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// The name that is sent (SNI) and that the server's certificate has to
    /// cover. Default: the host of the endpoint.
    pub server_name: Option<String>,
    /// Whose certificates are accepted. Default: those of the system.
    pub roots: Roots,
    /// What is shown to a server that asks for it. Default: nothing.
    pub certificate: Option<CertificateFiles>,
    /// Whether the server's certificate is verified. Default: yes. Otherwise
    /// everybody on the way can read and change what is sent.
    pub verify: bool,
    /// Protocols of ALPN (RFC 7301). Default: `http/1.1`.
    pub alpn: Vec<Vec<u8>>,
}

/// Trusted authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    System,
    /// Those of a PEM file, and no others.
    File(PathBuf),
}

/// An upstream's settings, ready for handshakes.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    /// The same, with HTTP/1.1 as the only protocol.
    http1: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    certificate: Option<Arc<Certificate>>,
    settings: [u8; 32],
}

/// The authorities of the operating system. Reading them takes tens of
/// milliseconds, so that it is done once for all upstreams of a snapshot, and
/// not at all if none needs them.
#[derive(Debug, Default)]
pub struct SystemRoots(OnceLock<Vec<CertificateDer<'static>>>);

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            server_name: None,
            roots: Roots::System,
            certificate: None,
            verify: true,
            alpn: vec![b"http/1.1".to_vec()],
        }
    }
}

impl Client {
    /// Reads the files.
    pub fn new(settings: &ClientSettings, system: &SystemRoots) -> Result<Self, Error> {
        let provider = provider();
        let mut digest = Digest::default();
        let verifier: Arc<dyn ServerCertVerifier> = if settings.verify {
            let (roots, contents) = roots(&settings.roots, system)?;
            digest.list(contents);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| Error::new(format!("Servers cannot be verified: {error}.")))?
        } else {
            digest.field(b"unverified");
            Arc::new(Unverified::new(&provider))
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(format!("TLS cannot be set up: {error}.")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let certificate = settings.certificate.as_ref().map(Certificate::load);
        let certificate = certificate.transpose()?.map(Arc::new);
        let mut config = match &certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                digest.list(&certificate.key().cert);
                let key = Arc::clone(certificate.key());
                builder
                    .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
            }
        };
        config.alpn_protocols.clone_from(&settings.alpn);
        let server_name = settings
            .server_name
            .as_deref()
            .map(parse_name)
            .transpose()?;
        digest
            .list(&settings.alpn)
            .list(settings.server_name.as_ref());
        let config = Arc::new(config);
        Ok(Self {
            http1: http1(&config),
            config,
            server_name,
            certificate,
            settings: digest.finish(),
        })
    }

    /// What handshakes are performed with.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// What handshakes are performed with if only HTTP/1.1 will do.
    pub fn http1_config(&self) -> &Arc<ClientConfig> {
        &self.http1
    }

    /// What is shown to a server that asks for it.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// The name to ask an endpoint for: the configured one, or else `host`, which
    /// is a name or an address (an IPv6 address may have brackets). An address
    /// is verified, but not sent.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, Error> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => parse_name(host),
        }
    }

    /// Whether all settings are the same, including the contents of the files:
    /// connections and sessions of one can then be used for the other.
    pub fn same_settings(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl SystemRoots {
    fn get(&self) -> Result<&[CertificateDer<'static>], Error> {
        let certificates = self.0.get_or_init(|| {
            // What cannot be read is left out; distributions ship such files.
            rustls_native_certs::load_native_certs().certs
        });
        if certificates.is_empty() {
            return Err(Error::new(
                "The operating system has no trusted certificate authorities. Install its \
                 package of them (`ca-certificates`), or name a file with the authorities of the \
                 upstream (`ca`).",
            ));
        }
        Ok(certificates)
    }
}

fn http1(config: &Arc<ClientConfig>) -> Arc<ClientConfig> {
    let only = b"http/1.1";
    if config.alpn_protocols == [only] {
        return Arc::clone(config);
    }
    let mut config = ClientConfig::clone(config);
    config.alpn_protocols = vec![only.to_vec()];
    Arc::new(config)
}

/// The trusted authorities, and the certificates that they were read from.
fn roots(
    roots: &Roots,
    system: &SystemRoots,
) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Error> {
    let mut store = RootCertStore::empty();
    let certificates = match roots {
        Roots::System => {
            let certificates = system.get()?.to_vec();
            store.add_parsable_certificates(certificates.iter().cloned());
            certificates
        }
        Roots::File(file) => {
            let certificates = pem::certificates(file)?;
            for certificate in &certificates {
                store.add(certificate.clone()).map_err(|error| {
                    Error::of_file(
                        file,
                        format_args!("servers cannot be verified with this file: {error}."),
                    )
                })?;
            }
            certificates
        }
    };
    Ok((store, certificates))
}

fn parse_name(host: &str) -> Result<ServerName<'static>, Error> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        Error::new(format!(
            "`{host}` is neither a DNS name nor an address, so that no server's certificate can \
             cover it. Name the one to expect (`server_name`)."
        ))
    })
}

#[cfg(test)]
mod tests;
