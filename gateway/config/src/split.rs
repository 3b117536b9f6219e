//! `upstream = { split = [...] }` of a route: requests are divided among upstreams.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header_edits::HeaderEdits;
use crate::input::Input;
use crate::list::NonEmpty;
use crate::macros::table;
use crate::names::UpstreamName;
use crate::reference::FieldDoc;
use crate::rewrite::Rewrite;
use crate::route::{UpstreamHost, check_prefix};
use crate::span::Spanned;

table! {
    /// Upstreams among which requests are divided.
    pub struct Split("a table such as `{ split = [{ upstream = \"v1\", weight = 95 }, { upstream = \"v2\", weight = 5 }] }`") {
        /// The upstreams and their weights. Once an upstream is chosen for a request, the request
        /// stays with it: others are not tried, even if it fails.
        split: NonEmpty<SplitMember> = required;
        /// The input by which requests are divided, such as `"header:x-user"`: requests with the same value go to the
        /// same upstream, and when a weight grows, none moves away from its upstream. Requests
        /// without it, or with an empty one, draw anew each time.
        by: Option<Spanned<Input>> = optional("each request draws anew");
    }
    refused {
        "sticky": "requests with the same value stay together by `by`, as in `by = \"header:x-user\"`",
        "weights": "each upstream of `split` has its `weight`",
    }
    check members
}

table! {
    /// One of the upstreams among which requests are divided.
    pub struct SplitMember("a table such as `{ upstream = \"v2\", weight = 5 }`") {
        /// The upstream.
        upstream: Spanned<UpstreamName> = required;
        /// Its share of the requests, relative to the sum of all weights. 0: none. If all are 0,
        /// requests are answered with 503.
        weight: u32 = default("1");
        /// The `Host` that this upstream gets.
        host: Option<Spanned<UpstreamHost>> = optional("as the route says");
        /// A prefix that is removed from the path for this upstream.
        strip_prefix: Option<Spanned<String>> = optional("as the route says");
        /// Another host or path for this upstream, in place of what the route says about them.
        rewrite: Option<Rewrite> = optional("as the route says");
        /// Edits of the header fields that this upstream gets, after those of the route.
        request_headers: HeaderEdits = default("{}");
        /// Edits of the header fields that clients get whose requests go to this upstream, after
        /// those of the route.
        response_headers: HeaderEdits = default("{}");
        /// The time limit of each attempt at this upstream, as that of the route. `0s`: no limit.
        upstream_timeout: Option<Spanned<Duration>> = optional("as the route says");
    }
    called "upstream" by label
    refused {
        "name": "write `upstream`",
        "percent": "a share is written as `weight`, relative to the other weights",
    }
    check member
}

/// The most upstreams of a split.
const MOST: usize = 64;

impl SplitMember {
    fn label(&self) -> String {
        self.upstream.to_string()
    }
}

fn member(member: &SplitMember, decoder: &mut Decoder<'_>) {
    if let Some(prefix) = &member.strip_prefix {
        check_prefix(prefix, decoder);
    }
    if let Some(rewrite) = &member.rewrite {
        let host = member.host.as_ref().map(|host| host.span);
        rewrite.check_beside(member.strip_prefix.as_ref(), host, decoder);
    }
    member.request_headers.check_request(decoder);
}

fn members(split: &Split, decoder: &mut Decoder<'_>) {
    let members = &split.split;
    let mut known: BTreeMap<&str, &SplitMember> = BTreeMap::new();
    for member in members.iter() {
        if let Some(first) = known.insert(member.upstream.as_str(), member) {
            decoder.push(
                Diagnostic::error(
                    member.upstream.span,
                    format!("the upstream `{}` is twice in the split", member.upstream),
                )
                .note(first.upstream.span, "first here")
                .help("add the weights up; for other settings define the upstream once more under another name"),
            );
        }
    }
    if let Some(beyond) = members.get(MOST) {
        decoder.push(Diagnostic::error(
            beyond.span,
            format!("a split has at most {MOST} upstreams"),
        ));
    }
    if members.iter().all(|member| member.weight == 0) {
        decoder.push(
            Diagnostic::warning(
                split.span,
                "no upstream of the split has a weight: requests are answered with 503",
            )
            .help("give one of them a weight, such as `weight = 1`"),
        );
    }
}

/// The value of `upstream`: a name, or a division among several.
#[derive(Debug, Clone)]
pub(crate) enum UpstreamTarget {
    /// The name of an upstream.
    One(Spanned<UpstreamName>),
    /// Several.
    Split(Box<Split>),
}

impl Decode for UpstreamTarget {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Table(_) => Box::decode(node, decoder).map(Self::Split),
            DeValue::String(_) => Spanned::decode(node, decoder).map(Self::One),
            DeValue::Array(_) => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(
                        span,
                        format!("expected {}, found a list", Self::kind()),
                    )
                    .help("write `upstream = { split = [{ upstream = \"v1\", weight = 95 }, { upstream = \"v2\", weight = 5 }] }`"),
                )
            }
            _ => decoder.mismatch(node, &Self::kind()),
        }
    }

    fn kind() -> String {
        format!("{}, or {}", UpstreamName::kind(), Split::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        Split::describe(path, fields);
    }
}
