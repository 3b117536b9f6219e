//! An authority that issues certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::child::Child;
use super::{PebbleSettings, ReservedPort};
use crate::eventually;
use crate::message::{Request, Response};
use crate::tls::{Authority, TlsClient};

/// A running `pebble`, the authority that Let's Encrypt made for tests, with a directory and
/// ports of its own. What it knows ends with its process, and so does its root.
#[derive(Debug)]
pub struct Pebble {
    process: Option<Child>,
    settings: PebbleSettings,
    /// Of the HTTPS that it serves, which has nothing to do with what it issues.
    authority: Arc<Authority>,
    directory: TempDir,
    port: ReservedPort,
    management: ReservedPort,
}

impl Pebble {
    pub(super) async fn start(settings: PebbleSettings) -> Self {
        let authority = Authority::new("HTTPS of the Authority");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        authority.write(path, "ca");
        let issued = authority.issue(&["localhost", "127.0.0.1"]);
        issued.write(path, "pebble");
        let (port, management) = (ReservedPort::reserve(), ReservedPort::reserve());
        let config = settings.config(port.address(), management.address());
        std::fs::write(path.join("pebble.json"), config.to_string()).unwrap();
        let mut pebble = Self {
            process: None,
            settings,
            authority: Arc::new(authority),
            directory,
            port,
            management,
        };
        pebble.start_again().await;
        pebble
    }

    /// Starts it on the same ports after [`Self::stop`]: without the accounts, orders and
    /// certificates of before, and with another root.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let mut child = Child::start(
            "pebble",
            self.directory.path(),
            &self.settings.arguments(),
            &self.settings.environment(),
        );
        let addresses = [self.port.address(), self.management.address()];
        for address in addresses {
            let listens = eventually(async || {
                child.expect_running();
                TcpStream::connect(address).await.ok()
            });
            assert!(listens.await.is_some(), "nothing listens on {address}");
        }
        self.process = Some(child);
    }

    /// Ends it: connections to it are refused.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// The URL of its directory.
    #[must_use]
    pub fn directory_url(&self) -> String {
        format!("https://{}/dir", self.port.address())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The certificate by which its clients verify its HTTPS, as a file.
    #[must_use]
    pub fn ca_path(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// What issued the certificate of its HTTPS.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The root of what it issues, as PEM.
    pub async fn issuing_root(&self) -> String {
        self.manage("/roots/0").await.text().to_owned()
    }

    /// The intermediate certificate of what it issues, as PEM.
    pub async fn intermediate(&self) -> String {
        self.manage("/intermediates/0").await.text().to_owned()
    }

    /// A client that accepts what it issues.
    pub async fn client(&self) -> TlsClient {
        TlsClient::trusting_pem(&self.issuing_root().await)
    }

    /// What it says of the certificate with this serial number: `Valid` or `Revoked`; none if it
    /// did not issue it.
    pub async fn status(&self, serial: &[u8]) -> Option<String> {
        let status = self.certificate(serial).await?;
        status["Status"].as_str().map(ToOwned::to_owned)
    }

    /// The same with the rest: `Certificate`, `Reason`, `RevokedAt`, `Serial`.
    pub async fn certificate(&self, serial: &[u8]) -> Option<Value> {
        let hex: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
        // A number has no zeros in front; DER has one if the first bit is set.
        let number = hex.trim_start_matches('0');
        let target = format!("/cert-status-by-serial/{number}");
        let answer = self.manage(&target).await;
        (answer.status == 200).then(|| answer.json())
    }

    /// What it has written so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.process.as_ref().map(Child::lines).unwrap_or_default()
    }

    async fn manage(&self, target: &str) -> Response {
        let client = TlsClient::trusting(&self.authority);
        let wire = client.connect(self.management.address(), "localhost").await;
        let mut wire = wire.unwrap_or_else(|error| panic!("the management of pebble: {error}"));
        wire.exchange(&Request::get(target).host("localhost")).await
    }
}
