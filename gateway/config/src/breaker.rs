//! `breaker` of a policy: when it is not called for a while.

use std::time::Duration;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;

table! {
    /// When a policy is suspended whose calls trap, or exceed their time or memory.
    /// Requests that need a call are then refused, whatever `on_error` says.
    pub struct Breaker("a table such as `{ clients = 5, within = \"10s\" }`") {
        /// For how many different clients calls must have failed (a client is one IPv4
        /// address or one IPv6 network of 64 bits). At least half of all calls must
        /// have failed too. 0: it is never suspended.
        clients: Spanned<u32> = default("5");
        /// The time in which they are counted.
        within: Spanned<Duration> = default("\"10s\"");
        /// How long it is suspended.
        pause: Spanned<Duration> = default("\"5s\"");
    }
    check bounds
}

/// Each worker's failed call looks through the list of clients.
const MOST_CLIENTS: u32 = 1_000;

fn bounds(breaker: &Breaker, decoder: &mut Decoder<'_>) {
    if *breaker.clients > MOST_CLIENTS {
        decoder.push(
            Diagnostic::error(breaker.clients.span, "`clients` is more than 1000")
                .help("write a number from 1, or 0 so that the policy is never suspended"),
        );
    }
    for (name, time) in [("within", &breaker.within), ("pause", &breaker.pause)] {
        if time.is_zero() {
            decoder.push(
                Diagnostic::error(time.span, format!("`{name}` must not be 0"))
                    .help("`clients = 0` turns the breaker off"),
            );
        }
    }
}
