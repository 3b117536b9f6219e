//! TLS on both sides of the gateway: certificates that are made for a test, clients, and
//! servers that stand in for upstreams.

mod authority;
mod client;
mod handshake;
mod one_session;
mod over_tls;
mod server;
mod unverified;

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};

pub use authority::{Authority, Issue, Issued};
pub use client::{TlsClient, TlsError};
pub use handshake::Handshake;
pub(crate) use over_tls::OverTls;
pub use server::TlsServer;

/// The cryptography of clients and servers. The tests do not install it for the process: each
/// says what it uses.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The versions with these names, all without one.
fn versions(names: &[&str]) -> Vec<&'static SupportedProtocolVersion> {
    let all = [("1.3", &TLS13), ("1.2", &TLS12)];
    let chosen = all
        .into_iter()
        .filter(|(name, _)| names.is_empty() || names.contains(name));
    chosen.map(|(_, version)| version).collect()
}
