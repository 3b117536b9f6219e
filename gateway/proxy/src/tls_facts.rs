//! What the TLS handshake with a client established.

use std::sync::Arc;

/// The TLS parameters of a client's connection.
pub(crate) struct TlsFacts {
    /// `1.2` or `1.3`.
    pub(crate) version: &'static str,
    /// The cipher suite by its IANA name.
    pub(crate) cipher_suite: &'static str,
    /// The name that the client asked for (SNI), in lower case.
    pub(crate) server_name: Option<Box<str>>,
    /// The protocol that was agreed on by ALPN.
    pub(crate) protocol: Option<Box<[u8]>>,
    /// An earlier session was resumed, so that the certificate was shown when that began.
    pub(crate) is_resumed: bool,
    /// The certificate that the client proved to own.
    pub(crate) certificate: Option<janua_tls::Peer>,
    /// The certificates and settings that were chosen by the name.
    pub(crate) chosen: Arc<janua_tls::Site>,
    /// The site that they belong to.
    pub(crate) site: Arc<str>,
}
