//! `[listeners.<name>]`: the addresses that clients connect to.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::client_limits::ClientLimits;
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::HeaderList;
use crate::list::{NonEmpty, OneOrMany};
use crate::listener_http2::ListenerHttp2;
use crate::listener_tls::ListenerTls;
use crate::macros::table;
use crate::min_rate::MinRate;
use crate::names::{Definition, Kind};
use crate::network::Network;
use crate::span::Spanned;
use crate::switch::Switch;
use crate::units::Size;

table! {
    /// Addresses that clients connect to, and settings of those connections.
    pub struct Listener("a table of listener settings") {
        /// `"0.0.0.0:80"`, `"[::1]:80"`, or `"*:80"` for IPv4 and IPv6; one or a list.
        address: OneOrMany<Spanned<ListenAddress>> = required;
        /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted:
        /// addresses or networks.
        trusted_proxies: Vec<Spanned<Network>> = default("[]");
        /// Header fields of responses to requests that no route matches.
        headers: HeaderList = default("{}");
        /// The maximum size of a request head. A larger one is answered with
        /// 431.
        max_head: Spanned<Size> = default("\"32KiB\"");
        /// The maximum number of header fields in a request. More are answered
        /// with 431.
        max_fields: Spanned<NonZeroU32> = default("100");
        /// How long an idle connection is kept open for its next request. `0s`:
        /// no limit.
        idle_timeout: Duration = default("\"75s\"");
        /// The time limit for receiving a request head, from its first byte.
        /// `0s`: no limit.
        head_timeout: Duration = default("\"30s\"");
        /// The maximum number of connections, over all workers. 0: no limit.
        max_connections: u32 = default("0");
        /// How slow a client may be: the minimum rates in bytes a second, on
        /// average over the time in which the gateway waits for the client. A
        /// slower client loses its connection. Tunnels such as WebSockets are
        /// exempt. `false`: no minimum.
        min_rate: Switch<MinRate> = default("true");
        /// What one client address may take, over all workers. Nothing is limited
        /// by default, because behind one address there may be a company, or all
        /// clients of a mobile network.
        client_limits: ClientLimits = default("{}");
        /// How many requests are answered on a connection before it is closed. 0:
        /// no limit, because a connection that has had many requests takes no
        /// more memory than a new one, and each request is handled by the latest
        /// configuration.
        max_requests: u32 = default("0");
        /// How old a connection may be; the response in progress is the last.
        /// `0s`: no limit.
        max_connection_age: Duration = default("\"0s\"");
        /// Whether clients connect by TLS, for which a site needs a
        /// `certificate`; or a table of settings.
        tls: Switch<ListenerTls> = default("false");
        /// Whether clients may use HTTP/2, which they choose during the TLS
        /// handshake (ALPN), or without TLS by beginning with it ("prior
        /// knowledge"); or a table of settings.
        http2: Option<Switch<ListenerHttp2>> = optional("true with `tls`, and otherwise false");
        /// Peers that begin each connection with a PROXY header, version 1 or 2:
        /// addresses or networks. The address in it is from then on that of the
        /// peer, also for `trusted_proxies`. A connection from one of these peers
        /// without the header is closed; from other peers the header is refused.
        proxy_protocol: Option<NonEmpty<Spanned<Network>>> = optional("none");
    }
    check limits
}

impl Definition for Listener {
    const KIND: Kind = Kind::Listener;
}

fn limits(listener: &Listener, decoder: &mut Decoder<'_>) {
    head_limit("max_head", &listener.max_head, decoder);
}

/// Refuses a limit that no head could satisfy, or that is too large to protect
/// memory.
pub(crate) fn head_limit(field: &str, limit: &Spanned<Size>, decoder: &mut Decoder<'_>) {
    if !(1024..=16 << 20).contains(&limit.bytes()) {
        decoder.push(
            Diagnostic::error(limit.span, format!("`{field}` is out of bounds"))
                .help("write a size from \"1KiB\" to \"16MiB\""),
        );
    }
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// One address and port.
    Socket(SocketAddr),
    /// All addresses of IPv4 and IPv6.
    BothFamilies {
        /// The port.
        port: u16,
    },
}

impl ListenAddress {
    /// The port; 0 for any.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Socket(address) => address.port(),
            Self::BothFamilies { port } => *port,
        }
    }

    /// Whether both addresses cannot be bound at once. An address of one
    /// interface may be combined with the wildcard address; port 0 is a
    /// different port each time.
    pub(crate) fn clashes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Socket(one), Self::Socket(two)) => one == two && one.port() != 0,
            (Self::BothFamilies { port: one }, Self::BothFamilies { port: two }) => {
                one == two && *one != 0
            }
            (Self::Socket(socket), Self::BothFamilies { port })
            | (Self::BothFamilies { port }, Self::Socket(socket)) => {
                socket.port() == *port && *port != 0 && socket.ip().is_unspecified()
            }
        }
    }
}

impl Decode for ListenAddress {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let toml::de::DeValue::Integer(port) = node.get_ref() {
            let span = decoder.span(node);
            return decoder.refuse(
                Diagnostic::error(span, "expected an address to listen on, found an integer").help(
                    format!("write \"*:{port}\" for all addresses of IPv4 and IPv6"),
                ),
            );
        }
        let text = decoder.text(node, &Self::kind())?;
        if let Some(port) = text.strip_prefix("*:") {
            if let Ok(port) = port.parse() {
                return Some(Self::BothFamilies { port });
            }
        } else if let Ok(address) = text.parse() {
            return Some(Self::Socket(address));
        }
        let help = match text.trim_start_matches(':').parse::<u16>() {
            Ok(port) => format!("write \"*:{port}\" for all addresses of IPv4 and IPv6"),
            Err(_) => {
                "write an IP address and a port: \"0.0.0.0:80\", \"[::]:80\" or \"*:80\"".to_owned()
            }
        };
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not an address to listen on")).help(help),
        )
    }

    fn kind() -> String {
        "an address to listen on".to_owned()
    }
}
