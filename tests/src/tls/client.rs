//! A client that speaks TLS.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::one_session::OneSession;
use super::unverified::{Staple, Unverified};
use super::{Authority, Handshake, Issued, provider, versions};
use crate::wire::Wire;

/// A client with its settings and its sessions, which it resumes if the server permits it.
#[derive(Clone, Debug)]
pub struct TlsClient {
    verifier: Arc<dyn ServerCertVerifier>,
    staple: Staple,
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    identity: Option<Arc<Issued>>,
    sends_name: bool,
    protocols: Vec<Vec<u8>>,
    resumption: Resumption,
    config: Arc<ClientConfig>,
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The server sent an alert, with this name.
    Alert(String),
    /// The client did not accept what the server sent.
    Refused(String),
    /// The connection was closed or reset without an alert.
    Lost(String),
}

impl TlsClient {
    /// A client that accepts the certificates of an authority.
    #[must_use]
    pub fn trusting(authority: &Authority) -> Self {
        Self::trusting_root(authority.der())
    }

    /// A client that accepts what this root issues, directly or through others.
    #[must_use]
    pub fn trusting_pem(root: &str) -> Self {
        Self::trusting_root(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
    }

    fn trusting_root(root: CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider());
        Self::verifying_by(verifier.build().unwrap(), Staple::default())
    }

    /// A client that accepts any certificate.
    #[must_use]
    pub fn trusting_everybody() -> Self {
        let staple = Staple::default();
        let verifier = Unverified::new(provider(), Arc::clone(&staple));
        Self::verifying_by(Arc::new(verifier), staple)
    }

    /// The OCSP response that was stapled to the last full handshake of a client that trusts
    /// everybody; empty if there was none.
    #[must_use]
    pub fn staple(&self) -> Vec<u8> {
        self.staple.lock().unwrap().clone()
    }

    fn verifying_by(verifier: Arc<dyn ServerCertVerifier>, staple: Staple) -> Self {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier))
            .with_no_client_auth();
        Self {
            verifier,
            staple,
            provider: provider(),
            versions: versions(&[]),
            identity: None,
            sends_name: true,
            protocols: vec![b"http/1.1".to_vec()],
            resumption: Resumption::in_memory_sessions(16),
            config: Arc::new(config),
        }
        .build()
    }

    /// With only this version, `1.2` or `1.3`.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.versions = versions(&[version]);
        self.build()
    }

    /// With only the cipher suites with these IANA names.
    #[must_use]
    pub fn cipher_suites(mut self, names: &[&str]) -> Self {
        let mut provider = (*provider()).clone();
        provider.cipher_suites.retain(|suite| {
            let name = suite.suite().as_str();
            name.is_some_and(|name| names.contains(&name))
        });
        assert_eq!(provider.cipher_suites.len(), names.len(), "{names:?}");
        self.provider = Arc::new(provider);
        self.build()
    }

    /// With this certificate.
    #[must_use]
    pub fn identity(mut self, identity: &Arc<Issued>) -> Self {
        self.identity = Some(Arc::clone(identity));
        self.build()
    }

    /// The same client without its sessions.
    #[must_use]
    pub fn anew(&self) -> Self {
        let mut client = self.clone();
        client.resumption = Resumption::in_memory_sessions(16);
        client.build()
    }

    /// Offers these protocols by ALPN, instead of `http/1.1`.
    #[must_use]
    pub fn protocols(mut self, names: &[&str]) -> Self {
        self.protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        self.build()
    }

    /// Sends no name in the ClientHello.
    #[must_use]
    pub fn without_name(mut self) -> Self {
        self.sends_name = false;
        self.build()
    }

    /// Resumes its last session whatever host it asks for, as a hostile client would.
    #[must_use]
    pub fn with_one_session(mut self) -> Self {
        self.resumption = Resumption::store(Arc::new(OneSession::default()));
        self.build()
    }

    /// Resumes its first session of TLS 1.2 again and again, and not those that it got since.
    #[must_use]
    pub fn with_first_session(mut self) -> Self {
        self.resumption = Resumption::store(Arc::new(OneSession::the_first()));
        self.build()
    }

    /// Resumes sessions only by their identifiers in TLS 1.2, and not by tickets.
    #[must_use]
    pub fn without_tickets(mut self) -> Self {
        self.resumption = self
            .resumption
            .tls12_resumption(rustls::client::Tls12Resumption::SessionIdOnly);
        self.build()
    }

    /// Connects, and asks for a host by its name.
    ///
    /// # Errors
    /// The handshake fails.
    pub async fn connect(&self, address: SocketAddr, host: &str) -> Result<Wire, TlsError> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
        self.connect_over(stream, host).await
    }

    /// Performs the handshake on a connection.
    ///
    /// # Errors
    /// It fails.
    pub async fn connect_over(&self, stream: TcpStream, host: &str) -> Result<Wire, TlsError> {
        let _ = stream.set_nodelay(true);
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let connected = timeout(crate::PATIENCE, connector.connect(name, stream)).await;
        let connected = connected.expect("the handshake ends in time");
        let stream = connected.map_err(|error| TlsError::of(&error))?;
        let handshake = Handshake::of(stream.get_ref().1, None);
        Ok(Wire::over_tls(stream.into(), handshake))
    }

    fn build(mut self) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&self.verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain(), identity.private_key())
                .unwrap(),
        };
        config.resumption = self.resumption.clone();
        config.enable_sni = self.sends_name;
        config.alpn_protocols.clone_from(&self.protocols);
        self.config = Arc::new(config);
        self
    }
}

impl TlsError {
    pub(crate) fn of(error: &std::io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        match cause {
            Some(rustls::Error::AlertReceived(alert)) => Self::alert(*alert),
            Some(refused) => Self::Refused(refused.to_string()),
            None => Self::Lost(error.to_string()),
        }
    }

    fn alert(alert: AlertDescription) -> Self {
        Self::Alert(format!("{alert:?}"))
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(formatter, "the alert {alert}"),
            Self::Refused(why) => write!(formatter, "refused: {why}"),
            Self::Lost(why) => write!(formatter, "the connection was lost: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}
