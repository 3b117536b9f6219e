//! What the part of the gateway that serves clients does for certificates.

use std::sync::Arc;

use janua_tls::Issued;
use rustls::ServerConfig;

use crate::status::Event;

/// Shows answers to authorities and certificates to clients, and tells operators.
pub trait Door: Send + Sync {
    /// Answers HTTP-01 for a token from now on.
    fn put_http(&self, token: &str, key_authorization: &str);
    /// No longer answers for this token.
    fn remove_http(&self, token: &str);
    /// Answers TLS-ALPN-01 from now on for handshakes with this name.
    fn put_tls_alpn(&self, server_name: &str, config: Arc<ServerConfig>);
    /// No longer answers for this name.
    fn remove_tls_alpn(&self, server_name: &str);
    /// The certificates that the sites of an authority show.
    fn issued(&self, authority: &str) -> Arc<Issued>;
    /// Something has happened that an operator may want to know. It is logged already.
    fn event(&self, event: &Event);
    /// Counts an order: `outcome` is `issued`, or the kind of the failure; `other` if it
    /// is none that is registered.
    fn count_order(&self, authority: &str, outcome: &str);
    /// Counts a name that a client asked for: `permitted`, `refused`, `failed` (nobody
    /// could say), or `shed` (too many were being asked about).
    fn count_question(&self, answer: &'static str);
}
