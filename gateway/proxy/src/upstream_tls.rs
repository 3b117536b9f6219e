//! TLS to upstreams: the handshake on a connection that was just opened.

use std::io;
use std::sync::Arc;

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_tls::{Certificate, Client};
use janua_upstream::{Address, Connection};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls;

use crate::upstream_http2::Protocol;

/// How connections to an upstream are encrypted.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamTls(Arc<Client>);

impl UpstreamTls {
    pub(crate) fn new(client: Client) -> Self {
        Self(Arc::new(client))
    }

    /// What handshakes are performed with.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.0
    }

    /// The certificate that the gateway shows.
    pub(crate) fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.0.certificate()
    }

    /// Whether connections of one may be used for the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.same_settings(&other.0)
    }

    /// The same; none stands for cleartext.
    pub(crate) fn are_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => one.is_same(other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Performs the handshake. The certificate must have the configured name, or that of the
    /// endpoint; a Unix socket has none, and only certificates that are not verified do without.
    /// For HTTP/1.1 no other protocol is offered.
    ///
    /// # Errors
    /// The handshake fails, or the certificate is not accepted.
    pub(crate) async fn connect(
        &self,
        connection: Connection,
        endpoint: &Address,
        protocol: Protocol,
    ) -> Result<TlsStream<Connection>, Failure> {
        let host = match endpoint {
            Address::Ip(address) => address.ip().to_string(),
            Address::Name { host, .. } | Address::Resolved { host, .. } => host.clone(),
            // As in `Host`.
            Address::Unix(_) => "localhost".to_owned(),
        };
        let name = self.0.server_name(&host);
        let name = name.map_err(|error| Failure::with(Kind::TlsHandshake, error.to_string()))?;
        let config = match protocol {
            Protocol::Http11 => self.0.http1_config(),
            Protocol::Http2 | Protocol::Auto => self.0.config(),
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let connected = connector.connect(name, connection).await;
        connected.map_err(|error| failure(&error))
    }
}

/// The failure if an upstream has refused the handshake after it was complete for the gateway:
/// with TLS 1.3 it verifies the gateway's certificate only then.
pub(crate) fn refusal(error: &io::Error) -> Option<Failure> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(Failure::with(Kind::TlsHandshake, cause.to_string()))
}

fn failure(error: &io::Error) -> Failure {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Failure::with(Kind::TlsCertificate, why.to_string())
        }
        Some(why) => Failure::with(Kind::TlsHandshake, why.to_string()),
        None => Failure::with(Kind::TlsHandshake, error.to_string()),
    }
}
