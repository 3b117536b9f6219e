//! `min_rate` of a listener: how slow a client may be.

use std::num::NonZeroU64;
use std::time::Duration;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;
use crate::units::Size;

table! {
    /// Minimum rates in bytes a second, on average over the time in which the
    /// gateway waits for the client. A slower client loses its connection.
    pub struct MinRate("a table such as `{ body = \"1KiB\", grace = \"5s\" }`") {
        /// The minimum for a request head. `false`: none.
        head: Rate = default("100");
        /// The minimum for a request body. `false`: none.
        body: Rate = default("250");
        /// The minimum at which a client reads a response. `false`: none.
        read: Rate = default("250");
        /// How long a client may be slower at the start of each head and each
        /// body, for example until lost packets have been sent again.
        grace: Spanned<Duration> = default("\"10s\"");
    }
    check long_enough
}

/// With less than a second, one delayed packet would end a connection.
fn long_enough(rates: &MinRate, decoder: &mut Decoder<'_>) {
    if rates.grace.value < Duration::from_secs(1) {
        decoder.push(
            Diagnostic::error(rates.grace.span, "`grace` is shorter than a second")
                .help("write \"1s\" or more; `min_rate = false` has no minimum"),
        );
    }
}

/// Bytes a second; none if there is no minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(pub Option<NonZeroU64>);

impl Decode for Rate {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Boolean(false) => Some(Self(None)),
            DeValue::Boolean(true) => decoder.mismatch(node, &Self::kind()),
            // As everywhere in a listener, 0 is no limit.
            _ => Size::decode(node, decoder).map(|size| Self(NonZeroU64::new(size.bytes()))),
        }
    }

    fn kind() -> String {
        "a size such as \"250B\", or false".to_owned()
    }
}
