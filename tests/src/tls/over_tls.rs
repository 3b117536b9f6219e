//! The way from a configuration without TLS to the same with TLS.
//!
//! The behaviour of the gateway does not depend on whether its clients use TLS, except where
//! a test says so. Tests of such behaviour are written without TLS, and run a second time in a
//! binary of their own, `suite/over_tls.rs`: there every listener gets TLS, every site gets a
//! certificate, and [`crate::Gateway::connect`] performs the handshake.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;

use super::{Authority, Issued, TlsClient};
use crate::wire::Wire;

/// The host of [`crate::Request`].
const HOST: &str = "a.example";
/// The name of the binary in which everything runs over TLS.
const BINARY: &str = "over_tls";

/// A certificate for all gateways of the process, and a client that trusts it.
#[derive(Debug)]
pub(crate) struct OverTls {
    identity: Issued,
    client: TlsClient,
}

/// Whether TLS is added to all configurations of this process.
pub(crate) fn is_default() -> bool {
    static IS_DEFAULT: OnceLock<bool> = OnceLock::new();
    *IS_DEFAULT.get_or_init(|| {
        let own = std::env::current_exe().expect("the test's executable has a path");
        let name = own.file_name().and_then(|name| name.to_str());
        // Cargo appends a hash.
        let name = name.and_then(|name| name.rsplit_once('-'));
        name.is_some_and(|(name, _)| name == BINARY)
    })
}

impl OverTls {
    pub(crate) fn get() -> &'static Self {
        static MADE: OnceLock<OverTls> = OnceLock::new();
        MADE.get_or_init(|| {
            let authority = Authority::new("the authority of all tests over TLS");
            Self {
                identity: authority.issue(&[HOST, "*.example"]),
                client: TlsClient::trusting(&authority),
            }
        })
    }

    /// The configuration with TLS. Certificate and key are written to the directory.
    pub(crate) fn add(&self, config: &str, directory: &Path) -> String {
        self.identity.write(directory, BINARY);
        let mut text = String::new();
        for line in config.lines() {
            text += line;
            text.push('\n');
            if line.starts_with("[listeners.") {
                text += "tls = true\n";
            } else if line == "[[sites]]" {
                text += &format!(
                    "certificate = {{ cert = \"{BINARY}.crt\", key = \"{BINARY}.key\" }}\n"
                );
            }
        }
        text
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> Wire {
        let connected = self.client.connect(address, HOST).await;
        connected.unwrap_or_else(|error| panic!("no TLS connection to {address}: {error}"))
    }
}
