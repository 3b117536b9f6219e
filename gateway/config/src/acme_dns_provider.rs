//! Who publishes the records of the challenge `dns-01`: the gateway itself, by a
//! small name server of its own, or a service of the operator that it calls.

use std::net::IpAddr;

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::endpoint_address::is_dns_name;
use crate::list::OneOrMany;
use crate::listener::ListenAddress;
use crate::reference::{FieldDoc, Presence};
use crate::secret::Token;
use crate::span::{Span, Spanned};
use crate::webhook::{self, WebhookUrl};

/// Who publishes the records.
#[derive(Debug, Clone)]
pub enum DnsProvider {
    /// The gateway answers the authority's queries itself. The operator delegates
    /// names to it once, by CNAME or NS records.
    Responder {
        /// The addresses of the name server, for UDP and TCP.
        addresses: OneOrMany<Spanned<ListenAddress>>,
        /// The zone that the CNAME records lead to, in lower case.
        zone: Option<Spanned<String>>,
        /// The name of the name server in the DNS, in lower case.
        name_server: Spanned<String>,
    },
    /// A service that is told which records to publish.
    Webhook {
        /// The URL that is called.
        url: Spanned<WebhookUrl>,
        /// The token that authorises the calls.
        token: Token,
    },
}

/// Both ways, for a table that has neither.
pub(crate) const BOTH: &str = "write `responder = \"*:53\"` and `name_server = \"gw.example.com\"` to answer \
     queries here, or `webhook = \"https://dns.example.com/acme\"` to have a service publish records";

impl DnsProvider {
    /// Reads the provider from its table.
    pub(crate) fn take(dns: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let addresses = dns.optional("responder")?;
        let zone = dns.optional::<Spanned<DnsName>>("zone")?;
        let name_server = dns.optional::<Spanned<DnsName>>("name_server")?;
        let url = dns.optional::<Spanned<WebhookUrl>>("webhook")?;
        let token = Token::take(dns)?;
        match (dns.key_span("responder"), dns.key_span("webhook")) {
            (Some(responder), Some(webhook)) => {
                let fault = Diagnostic::error(
                    webhook,
                    "records are published twice: by `responder` and by `webhook`",
                );
                dns.decoder.refuse(
                    fault
                        .note(responder, "the other one")
                        .help("keep one of them"),
                )
            }
            (Some(_), None) => {
                if let Some(token) = token.span() {
                    return stray(dns, "the token", token, "webhook");
                }
                if dns.key_span("name_server").is_none() {
                    let fault = Diagnostic::error(dns.span, "`name_server` is missing");
                    return dns.decoder.refuse(fault.help(
                        "add the name of this gateway in the DNS, which the NS records have: \
                         `name_server = \"gw.example.com\"`",
                    ));
                }
                Some(Self::Responder {
                    addresses: addresses?,
                    zone: zone.map(|name| name.map(|name| name.0)),
                    name_server: name_server?.map(|name| name.0),
                })
            }
            (None, Some(_)) => {
                for key in ["zone", "name_server"] {
                    if let Some(span) = dns.key_span(key) {
                        return stray(dns, &format!("`{key}`"), span, "responder");
                    }
                }
                let url = url?;
                webhook::in_clear_text(&token, &url, dns.decoder);
                Some(Self::Webhook { url, token })
            }
            (None, None) => {
                let fault = Diagnostic::error(dns.span, "nobody publishes the records of `dns-01`");
                dns.decoder.refuse(fault.help(BOTH))
            }
        }
    }

    /// The fields of both ways, for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        FieldDoc::add::<OneOrMany<Spanned<ListenAddress>>>(
            fields,
            path,
            "responder",
            Presence::optional("one of `responder`, `webhook`"),
            "The addresses of the built-in name server, for UDP and TCP; one or a list. It \
             answers for nothing but the records of `dns-01`. Once, the operator lets the name \
             `_acme-challenge` below each host lead to it in the DNS.",
        );
        FieldDoc::add::<DnsName>(
            fields,
            path,
            "zone",
            Presence::optional(
                "the names `_acme-challenge` themselves are delegated by NS records",
            ),
            "With `responder`: the zone that is delegated to the name server, into which CNAME \
             records at `_acme-challenge` of each host lead.",
        );
        FieldDoc::add::<DnsName>(
            fields,
            path,
            "name_server",
            Presence::optional("required with `responder`"),
            "With `responder`: the name of this gateway in the DNS, as the NS records have it.",
        );
        FieldDoc::add::<WebhookUrl>(
            fields,
            path,
            "webhook",
            Presence::optional("one of `responder`, `webhook`"),
            "A service that publishes the records, called by `POST` for each record that is \
             added or removed.",
        );
        Token::describe_fields(path, fields);
    }
}

/// Refuses a field that belongs to the other way.
fn stray<T>(
    dns: &mut TableReader<'_, '_, '_, '_>,
    what: &str,
    span: Span,
    owner: &str,
) -> Option<T> {
    let fault = Diagnostic::error(span, format!("{what} is for `{owner}`, which is not here"));
    dns.decoder.refuse(fault.help("leave it out"))
}

/// A name in the DNS, in lower case and without a dot at its end.
struct DnsName(String);

impl Decode for DnsName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if is_dns_name(text) && text.parse::<IpAddr>().is_err() {
            return Some(Self(text.trim_end_matches('.').to_ascii_lowercase()));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not a name in the DNS"))
                .help("write a name alone: \"gw.example.com\""),
        )
    }

    fn kind() -> String {
        "a name such as \"gw.example.com\"".to_owned()
    }
}
