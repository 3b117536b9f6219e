//! `limits` of an upstream: how much of it may be used at once.

use std::num::NonZeroU32;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;
use crate::switch::Switch;
use crate::units::Percent;

table! {
    /// How much of an upstream may be used at once, over all workers. A request for which there is
    /// no place is answered with 503 and `Retry-After`, before its body is read.
    pub struct UpstreamLimits("a table such as `{ requests = 1000, pending = 100 }`") {
        /// Requests in flight. A tunnel, such as a WebSocket, is one until it ends.
        requests: Option<NonZeroU32> = optional("no limit");
        /// Requests that wait for a connection, or for an endpoint.
        pending: Option<NonZeroU32> = optional("no limit");
        /// Open connections, idle ones included, which are closed first. If all are in use,
        /// a request waits for one, up to `connect_timeout`.
        connections: Option<NonZeroU32> = optional("no limit");
        /// Requests that are being sent again.
        retries: Option<NonZeroU32> = optional("no limit");
        /// Whether the number of requests whose response has not begun is limited to what
        /// the upstream can do without a queue. The gateway finds it from their latency.
        adaptive: Switch<AdaptiveLimit> = default("false");
    }
    refused {
        "max_requests": "write `requests`",
        "max_connections": "write `connections`; an endpoint has `max_connections`",
        "max_pending_requests": "write `pending`",
        "max_retries": "write `retries`",
    }
}

table! {
    /// How the limit is found.
    pub struct AdaptiveLimit("a table such as `{ min = 10, max = 1000 }`") {
        /// The limit is never lower.
        min: NonZeroU32 = default("10");
        /// The limit is never higher.
        max: Spanned<NonZeroU32> = default("1000");
        /// How much longer than without a queue a response may take to begin.
        tolerance: Percent = default("\"25%\"");
    }
    check bounds
}

fn bounds(limit: &AdaptiveLimit, decoder: &mut Decoder<'_>) {
    if limit.max.value < limit.min {
        let least = limit.min;
        decoder.push(
            Diagnostic::error(limit.max.span, "`max` is less than `min`")
                .help(format!("write {least} or more, or a lower `min`")),
        );
    }
}
