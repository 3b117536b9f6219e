//! One of the `endpoints` of an upstream.

use std::num::NonZeroU32;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::endpoint_address::EndpointAddress;
use crate::endpoints::{Family, Resolve};
use crate::macros::table;
use crate::span::Spanned;

table! {
    /// One server.
    pub struct Endpoint("an endpoint: an address, or a table with one") {
        /// `"127.0.0.1:3000"`, `"unix:/run/app.sock"`, `"app.internal:3000"`, or
        /// `"srv:_http._tcp.app.internal"`: the targets of SRV records, each of which is an
        /// endpoint.
        address: Spanned<EndpointAddress> = required;
        /// What a name stands for. `"one"`: for one endpoint, whose addresses are tried in
        /// turn. `"all"`: for as many endpoints as it has addresses, each with its own health.
        resolve: Spanned<Resolve> = default("\"one\"");
        /// Which addresses are endpoints with `resolve = "all"`: `"any"`, `"ipv4"` or
        /// `"ipv6"`.
        family: Spanned<Family> = default("\"any\"");
        /// Its share of the requests, relative to the other weights.
        weight: NonZeroU32 = default("1");
        /// The maximum number of concurrent requests, over all workers.
        max_connections: Option<NonZeroU32> = optional("no limit");
        /// Whether it gets requests only while none of the other endpoints can.
        backup: bool = default("false");
        /// Where it runs. Endpoints in the `zone` of `[server]` are preferred while at least half
        /// of them are up, by weight.
        zone: Option<Spanned<String>> = optional("in no zone");
    }
    short address
    called "endpoint" by label
    check resolved
}

/// Refuses what would have no effect.
fn resolved(endpoint: &Endpoint, decoder: &mut Decoder<'_>) {
    let all = endpoint.resolve.value == Resolve::All;
    if all && !matches!(*endpoint.address, EndpointAddress::Name { .. }) {
        let (what, help) = match *endpoint.address {
            EndpointAddress::Srv(_) => (
                "each target of SRV records is an endpoint in any case",
                "leave `resolve` out",
            ),
            _ => (
                "`resolve` is about a name, and this is none",
                "leave it out, or write \"app.internal:3000\"",
            ),
        };
        decoder.push(Diagnostic::error(endpoint.resolve.span, what).help(help));
    }
    if !all && endpoint.family.value != Family::Any {
        decoder.push(
            Diagnostic::warning(
                endpoint.family.span,
                "`family` has no effect: it is about the addresses of `resolve = \"all\"`",
            )
            .help("add `resolve = \"all\"`, or leave `family` out"),
        );
    }
    if matches!(*endpoint.address, EndpointAddress::Srv(_)) && endpoint.weight.get() != 1 {
        decoder.push(
            Diagnostic::error(
                endpoint.address.span,
                "SRV records have weights of their own, which are used",
            )
            .help("leave `weight` out"),
        );
    }
}

impl Endpoint {
    fn label(&self) -> String {
        self.address.to_string()
    }
}
