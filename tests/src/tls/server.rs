//! A server that speaks TLS, for stand-in upstreams.

use std::io;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Authority, Handshake, Issued, provider, versions};
use crate::wire::Wire;

/// The settings of a server, and its sessions.
#[derive(Clone, Debug)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
}

impl TlsServer {
    /// A server with this certificate.
    #[must_use]
    pub fn with(identity: &Issued) -> Self {
        Self::build(identity, None, &[])
    }

    /// With only this version, `1.2` or `1.3`.
    #[must_use]
    pub fn with_version(identity: &Issued, version: &str) -> Self {
        Self::build(identity, None, &[version])
    }

    /// It demands a certificate of this authority from its clients.
    #[must_use]
    pub fn demanding(identity: &Issued, clients: &Authority, version: &str) -> Self {
        Self::build(identity, Some(clients), &[version])
    }

    /// Selects these protocols by ALPN, instead of `http/1.1`.
    #[must_use]
    pub fn protocols(mut self, names: &[&str]) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    fn build(identity: &Issued, clients: Option<&Authority>, names: &[&str]) -> Self {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&versions(names))
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let mut config = builder
            .with_single_cert(identity.chain(), identity.private_key())
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            config: Arc::new(config),
        }
    }

    /// Performs the handshake on a connection.
    ///
    /// # Errors
    /// The handshake fails.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Wire> {
        let _ = stream.set_nodelay(true);
        let stream = TlsAcceptor::from(Arc::clone(&self.config))
            .accept(stream)
            .await?;
        let state = stream.get_ref().1;
        let handshake = Handshake::of(state, state.server_name());
        Ok(Wire::over_tls(stream.into(), handshake))
    }
}
