//! `tls` of an upstream: how its endpoints are verified, and what the gateway
//! proves its own identity with.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::endpoint_address::is_dns_name;
use crate::macros::{table, words};
use crate::span::Spanned;

table! {
    /// TLS on the connections to an upstream.
    pub struct UpstreamTls("a table such as `{ server_name = \"app.internal\", ca = \"ca.pem\" }`") {
        /// The name that is asked for (SNI), and that the endpoints' certificates
        /// must have.
        server_name: Option<Spanned<ServerName>> = optional("the host of each endpoint");
        /// The certificates of the authorities that are trusted, as PEM, relative
        /// to this file.
        ca: Option<Spanned<PathBuf>> = optional("those of the system");
        /// The certificate that the gateway shows to the endpoints.
        certificate: Option<ClientCertificate> = optional("none");
        /// Whether the endpoints' certificates are verified. `false` is warned
        /// of: whoever can intercept the connection can read and change all of
        /// it.
        verify: Spanned<bool> = default("true");
    }
    check verified
}

fn verified(tls: &UpstreamTls, decoder: &mut Decoder<'_>) {
    if tls.verify.value {
        return;
    }
    let verify = tls.verify.span;
    match &tls.ca {
        Some(ca) => decoder.push(
            Diagnostic::error(ca.span, "`ca` has no effect: nothing is verified")
                .note(verify, "because of this")
                .help("leave `verify` out"),
        ),
        None => decoder.push(
            Diagnostic::warning(
                verify,
                "the certificates of this upstream are not verified: whoever can intercept the \
                 connection can read and change all of it",
            )
            .help("leave `verify` out; `ca` names an authority, and `server_name` another name"),
        ),
    }
}

table! {
    /// A certificate that the gateway shows, with its key.
    pub struct ClientCertificate("a table such as `{ cert = \"a.crt\", key = \"a.key\" }`") {
        /// The certificate, followed by those of its issuers except the root, as
        /// PEM. The path is relative to this file.
        cert: Spanned<PathBuf> = required;
        /// Its private key as PEM, relative to this file.
        key: Spanned<PathBuf> = required;
    }
}

/// The name that a certificate must have: a DNS name in lower case, or an IP
/// address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName(String);

impl ServerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Decode for ServerName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if is_dns_name(text) || text.parse::<IpAddr>().is_ok() {
            return Some(Self(text.to_ascii_lowercase()));
        }
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let bare = bare.split(['/', ':']).next().unwrap_or_default();
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not a name of a server")).help(
                match is_dns_name(bare) {
                    true => format!("write the name alone: \"{bare}\""),
                    false => "write a name or an IP address: \"app.internal\"".to_owned(),
                },
            ),
        )
    }

    fn kind() -> String {
        "a name such as \"app.internal\"".to_owned()
    }
}

words! {
    /// A version of the PROXY protocol.
    pub enum ProxyVersion {
        /// A line of text, with the addresses.
        V1 = "v1",
        /// Binary, with the addresses and facts about TLS.
        V2 = "v2",
    }
}
