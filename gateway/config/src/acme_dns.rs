//! `dns` of an authority: how the records of the challenge `dns-01` come into the
//! DNS, and how the gateway learns that they are there (RFC 8555, section 8.4).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::acme_dns_provider::DnsProvider;
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::macros::{table, words};
use crate::span::Spanned;

table! {
    /// How the records of `dns-01` are published and checked.
    pub struct AcmeDns("a table such as `{ responder = \"*:53\", name_server = \"gw.example.com\" }`") {
        /// Who publishes the records.
        provider: DnsProvider = flatten;
        /// The resolvers that are asked: `"192.0.2.53:53"`, or without a port, which is then
        /// 53. Without any, those of the system are asked.
        resolvers: Vec<Spanned<Resolver>> = default("[]");
        /// Where a record must be visible before the authority is told to look for it.
        /// `"authoritative"`: at every name server of the zone. `"resolvers"`: at the
        /// resolvers; no other server is asked. `"off"`: nothing is asked.
        check: DnsCheck = default("\"authoritative\"");
        /// How long a record may take to become visible.
        propagation_timeout: Spanned<Duration> = default("\"2m\"");
    }
    refused {
        "token": "a secret does not belong in the configuration: write `token_file` or `token_env`",
    }
    check time_to_spread
}

impl AcmeDns {
    /// The addresses of the resolvers; none means those of the system.
    pub fn resolvers(&self) -> impl Iterator<Item = SocketAddr> {
        self.resolvers.iter().map(|resolver| resolver.0)
    }
}

fn time_to_spread(dns: &AcmeDns, decoder: &mut Decoder<'_>) {
    if dns.propagation_timeout.is_zero() && dns.check != DnsCheck::Off {
        decoder.push(
            Diagnostic::error(
                dns.propagation_timeout.span,
                "`propagation_timeout` must not be 0",
            )
            .help("to wait for nothing, write `check = \"off\"`"),
        );
    }
}

words! {
    /// Where a record must be visible before the authority looks for it.
    pub enum DnsCheck {
        /// At every name server of the zone.
        Authoritative = "authoritative",
        /// At the resolvers.
        Resolvers = "resolvers",
        /// Nowhere: the authority is told at once.
        Off = "off",
    }
}

/// The address of a resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolver(pub SocketAddr);

impl Decode for Resolver {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let address = text.parse().or_else(|_| {
            let bare = bare.parse::<IpAddr>();
            bare.map(|ip| SocketAddr::new(ip, 53))
        });
        match address {
            Ok(address) if address.port() > 0 => Some(Self(address)),
            _ => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, format!("`{text}` is not the address of a resolver"))
                        .help("write an IP address: \"192.0.2.53\", \"192.0.2.53:53\", \"[2001:db8::53]:53\""),
                )
            }
        }
    }

    fn kind() -> String {
        "the address of a resolver".to_owned()
    }
}
