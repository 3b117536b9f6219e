//! `throttle` of a policy: how much CPU time its calls may use.

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;
use crate::units::Percent;

table! {
    /// How much of a worker's time the calls of a policy may use. Verdicts that are
    /// reused need no call.
    pub struct Throttle("a table such as `{ share = \"50%\", client_share = \"10%\" }`") {
        /// The share of each worker's time for all calls. If they need more, calls for
        /// the clients that have recently used the most are refused with 429 (a client
        /// is one IPv4 address or one IPv6 network of 64 bits), and if that is not
        /// enough, further ones with 503, whatever `on_error` says. `100%`: all of it.
        share: Percent = default("\"50%\"");
        /// The share of each worker's time for the calls of one client while the
        /// calls of all need more than their share.
        client_share: Spanned<Percent> = default("\"10%\"");
    }
    check within_the_share
}

fn within_the_share(throttle: &Throttle, decoder: &mut Decoder<'_>) {
    if throttle.client_share.value > throttle.share {
        decoder.push(
            Diagnostic::error(
                throttle.client_share.span,
                "`client_share` is more than `share`",
            )
            .help("write a part of `share`, which all clients have together"),
        );
    }
}
