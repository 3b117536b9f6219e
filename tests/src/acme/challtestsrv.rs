//! The DNS server that comes with `pebble`.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::ReservedPort;
use super::child::Child;
use crate::eventually;
use crate::message::Request;
use crate::wire::Wire;

/// A running `pebble-challtestsrv`: a DNS server whose records are set over HTTP, as those of a
/// provider are. All names have the address 127.0.0.1.
#[derive(Debug)]
pub struct Challtestsrv {
    _process: Child,
    _directory: TempDir,
    dns: ReservedPort,
    management: ReservedPort,
}

impl Challtestsrv {
    /// Starts it, and waits until it answers.
    pub async fn start() -> Self {
        let (dns, management) = (ReservedPort::reserve(), ReservedPort::reserve());
        let directory = tempfile::tempdir().expect("a temporary directory");
        // What is empty does not listen.
        let arguments = [
            ("-dns01", dns.address().to_string()),
            ("-management", management.address().to_string()),
            ("-http01", String::new()),
            ("-https01", String::new()),
            ("-tlsalpn01", String::new()),
            ("-defaultIPv6", String::new()),
        ];
        let arguments: Vec<_> = arguments
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect();
        let mut process = Child::start("pebble-challtestsrv", directory.path(), &arguments, &[]);
        for port in [&dns, &management] {
            let listens = eventually(async || {
                process.expect_running();
                TcpStream::connect(port.address()).await.ok()
            });
            assert!(listens.await.is_some(), "nothing listens on {port:?}");
        }
        Self {
            _process: process,
            _directory: directory,
            dns,
            management,
        }
    }

    /// Where it answers DNS, over UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.dns.address()
    }

    /// Where its records are set.
    #[must_use]
    pub fn management(&self) -> SocketAddr {
        self.management.address()
    }

    /// Adds a TXT record.
    pub async fn set_txt(&self, name: &str, value: &str) {
        set_txt(self.management(), name, value).await;
    }

    /// Removes all TXT records of a name.
    pub async fn clear_txt(&self, name: &str) {
        clear_txt(self.management(), name).await;
    }
}

pub(super) async fn set_txt(management: SocketAddr, name: &str, value: &str) {
    let what = json!({ "host": absolute(name), "value": value });
    post(management, "/set-txt", &what).await;
}

pub(super) async fn clear_txt(management: SocketAddr, name: &str) {
    post(management, "/clear-txt", &json!({ "host": absolute(name) })).await;
}

/// It compares names with those of queries, which end with a dot.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

async fn post(management: SocketAddr, target: &str, what: &Value) {
    let request = Request::post(target, what.to_string());
    let answer = Wire::connect(management).await.exchange(&request).await;
    assert_eq!(answer.status, 200, "{target} {what}: {answer:?}");
}
