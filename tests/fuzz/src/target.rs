//! The table of all targets.

use crate::recorded::Recorded;
use crate::targets::{
    accept_encoding, cache_control, chunked, dns_query, endpoint_list, grpc_health, grpc_web, h2,
    hpack, path, proxy_header, request_head, response_head, url,
};

/// A function that takes any bytes, and what helps to find interesting ones.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus`.
    pub name: &'static str,
    /// Checks the properties; panics if one does not hold.
    pub run: fn(&[u8]),
    /// Words of the grammar, which mutations insert.
    pub words: &'static [&'static str],
    /// The part of the recorded messages of the end-to-end suite that is used as seeds too.
    pub(crate) recorded: Option<Recorded>,
}

/// All targets.
pub const ALL: [Target; 14] = [
    Target {
        name: "request_head",
        run: request_head::run,
        words: request_head::WORDS,
        recorded: Some(Recorded::Requests),
    },
    Target {
        name: "response_head",
        run: response_head::run,
        words: response_head::WORDS,
        recorded: Some(Recorded::Responses),
    },
    Target {
        name: "chunked",
        run: chunked::run,
        words: chunked::WORDS,
        recorded: Some(Recorded::RequestBodies),
    },
    Target {
        name: "path",
        run: path::run,
        words: path::WORDS,
        recorded: Some(Recorded::RequestTargets),
    },
    Target {
        name: "proxy_header",
        run: proxy_header::run,
        words: proxy_header::WORDS,
        recorded: None,
    },
    Target {
        name: "dns_query",
        run: dns_query::run,
        words: dns_query::WORDS,
        recorded: None,
    },
    Target {
        name: "hpack",
        run: hpack::run,
        words: hpack::WORDS,
        recorded: None,
    },
    Target {
        name: "accept_encoding",
        run: accept_encoding::run,
        words: accept_encoding::WORDS,
        recorded: Some(Recorded::Values("accept-encoding")),
    },
    Target {
        name: "cache_control",
        run: cache_control::run,
        words: cache_control::WORDS,
        recorded: Some(Recorded::Values("cache-control")),
    },
    Target {
        name: "h2",
        run: h2::run,
        words: h2::WORDS,
        recorded: None,
    },
    Target {
        name: "grpc_web",
        run: grpc_web::run,
        words: grpc_web::WORDS,
        recorded: None,
    },
    Target {
        name: "url",
        run: url::run,
        words: url::WORDS,
        recorded: None,
    },
    Target {
        name: "endpoint_list",
        run: endpoint_list::run,
        words: endpoint_list::WORDS,
        recorded: None,
    },
    Target {
        name: "grpc_health",
        run: grpc_health::run,
        words: grpc_health::WORDS,
        recorded: None,
    },
];

impl Target {
    /// The target with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|target| target.name == name)
    }
}
