//! The way from a configuration without TLS to the same with TLS.
//!
//! The behaviour of the gateway does not depend on whether its clients use TLS, except where
//! a test says so. Tests of such behaviour are written without TLS, and run a second time in a
//! binary of their own, `suite/over_tls.rs`: there every listener gets TLS, every site gets a
//! certificate, and [`crate::Gateway::connect`] performs the handshake. Upstreams speak TLS
//! too, unless they have a Unix socket. Clients of HTTP/2 (`suite/over_http2.rs`) use TLS in the
//! same way.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;

use super::{Authority, Issued, TlsClient, TlsError, TlsServer};
use crate::transport::Transport;
use crate::wire::Wire;

/// The host of [`crate::Request`].
const HOST: &str = "a.example";
/// The name of all upstreams.
const UPSTREAM: &str = "upstream.internal";
/// The name of the files, which is that of the binary in which everything runs over TLS.
const NAME: &str = "over_tls";

/// A certificate for all gateways of the process, and a client that trusts it.
#[derive(Debug)]
pub(crate) struct OverTls {
    authority: Authority,
    identity: Issued,
    client: TlsClient,
    http2_client: TlsClient,
    server: TlsServer,
}

impl OverTls {
    pub(crate) fn get() -> &'static Self {
        static MADE: OnceLock<OverTls> = OnceLock::new();
        MADE.get_or_init(|| {
            let authority = Authority::new("the authority of all tests over TLS");
            let identity = authority.issue(&[HOST, "*.example", UPSTREAM]);
            let client = TlsClient::trusting(&authority);
            Self {
                http2_client: client.anew().protocols(&["h2"]),
                client,
                server: TlsServer::with(&identity),
                identity,
                authority,
            }
        })
    }

    /// The configuration with TLS; to upstreams only if they speak it. The files that it refers
    /// to are written to the directory.
    pub(crate) fn add(&self, config: &str, directory: &Path) -> String {
        self.identity.write(directory, NAME);
        self.authority.write(directory, NAME);
        let has_tls_to_upstreams = Transport::of_process() == Transport::Tls;
        let mut text = String::new();
        for line in config.lines() {
            text += line;
            text.push('\n');
            let is_upstream = line.starts_with("[upstreams.");
            if is_upstream && has_tls_to_upstreams && !config.contains("\"unix:") {
                text += &format!("tls = {{ ca = \"{NAME}.pem\", server_name = \"{UPSTREAM}\" }}\n");
            } else if line.starts_with("[listeners.") {
                text += "tls = true\n";
            } else if line == "[[sites]]" {
                text +=
                    &format!("certificate = {{ cert = \"{NAME}.crt\", key = \"{NAME}.key\" }}\n");
            }
        }
        text
    }

    /// What upstreams of the process speak TLS with.
    pub(crate) fn server(&self) -> &TlsServer {
        &self.server
    }

    pub(crate) async fn secure(&self, wire: Wire) -> Result<Wire, TlsError> {
        self.client.connect_over(wire.into_tcp(), HOST).await
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> Wire {
        let connected = self.client.connect(address, HOST).await;
        connected.unwrap_or_else(|error| panic!("no TLS connection to {address}: {error}"))
    }

    /// The same with a client that offers HTTP/2 alone.
    ///
    /// # Errors
    /// The handshake fails.
    pub(crate) async fn secure_for_http2(&self, wire: Wire) -> Result<Wire, TlsError> {
        let tcp = wire.into_tcp();
        let wire = self.http2_client.connect_over(tcp, HOST).await?;
        let protocol = wire.handshake().protocol.as_deref();
        assert_eq!(protocol, Some("h2"), "the gateway selects HTTP/2");
        Ok(wire)
    }
}
