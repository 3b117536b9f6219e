//! The peer of a connection, and the client behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use janua_http::fields::{Known, list};
use janua_http::{Authority, RequestHead};

use crate::snapshot::Listener;
use crate::tls_facts::TlsFacts;

/// The other end of a connection.
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// The address as text, formatted once per connection.
    pub(crate) text: Box<str>,
    /// The address that it connected to.
    pub(crate) local: Option<SocketAddr>,
    /// What TLS established; none for cleartext.
    pub(crate) tls: Option<TlsFacts>,
}

impl Peer {
    /// A peer without TLS.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let port = address.port();
        let address = address.ip().to_canonical();
        Self {
            address,
            port,
            text: address.to_string().into(),
            local: None,
            tls: None,
        }
    }
}

impl Peer {
    /// The two ends of its connection, if both are known.
    pub(crate) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((SocketAddr::new(self.address, self.port), self.local?))
    }

    /// The peer is a load balancer that stated, by the PROXY protocol, for which client it
    /// opened the connection. From then on the client is the peer.
    pub(crate) fn speak_for(&mut self, client: SocketAddr) {
        let Self {
            address,
            port,
            text,
            ..
        } = Self::new(client);
        self.address = address;
        self.port = port;
        self.text = text;
    }
}

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The address of the client behind trusted proxies; none if the peer is the client.
    pub(crate) client: Option<IpAddr>,
    pub(crate) is_trusted: bool,
    pub(crate) is_https: bool,
}

impl Origin {
    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }

    /// The host in the form of cache keys and purges: with its port, unless that is the
    /// default port of the scheme.
    pub(crate) fn host(&self, authority: &Authority) -> Vec<u8> {
        let mut host = Vec::new();
        authority.write_without_default(self.is_https, &mut host);
        host
    }
}

/// Finds the client behind trusted proxies: in `X-Forwarded-For`, read from the right, the
/// first address that is not trusted is the client's. The forwarding fields of an
/// untrusted peer are ignored.
pub(crate) fn origin(peer: &Peer, listener: &Listener, head: &RequestHead) -> Origin {
    if listener.trusted.is_empty() || !listener.trusts(peer.address) {
        return Origin {
            client: None,
            is_trusted: false,
            is_https: peer.tls.is_some(),
        };
    }
    let mut hops: Vec<&[u8]> = head
        .fields
        .known(Known::XForwardedFor)
        .flat_map(list)
        .collect();
    let mut client = None;
    while let Some(address) = hops.pop().and_then(address) {
        client = Some(address);
        if !listener.trusts(address) {
            break;
        }
    }
    let schemes = head.fields.known(Known::XForwardedProto).flat_map(list);
    // A proxy that does not state the scheme is believed to have used that of its own
    // connection.
    let is_https = schemes.last().map_or_else(
        || peer.tls.is_some(),
        |scheme| scheme.eq_ignore_ascii_case(b"https"),
    );
    Origin {
        client,
        is_trusted: true,
        is_https,
    }
}

/// Parses an address as proxies write it: with or without a port, IPv6 with or without
/// brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse().map(|address: SocketAddr| address.ip()).ok())
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_proxies_write_them() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:80", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("unknown", None),
            ("_hidden", None),
        ] {
            let parsed = address(text.as_bytes()).map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }
}
