//! `mirror` of a route: copies of requests that are sent to another upstream.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::names::UpstreamName;
use crate::span::Spanned;
use crate::units::{Size, integer};

table! {
    /// Copies of requests that are sent to another upstream. What it answers is discarded.
    pub struct Mirror("the name of an upstream, or a table such as `{ upstream = \"shadow\", percent = 10 }`") {
        /// The upstream that gets the copies, marked by the field `X-Janua-Mirror: 1`.
        upstream: Spanned<UpstreamName> = required;
        /// How many of a hundred requests are copied, from 0 to 100; it may have a fraction, as
        /// in `0.5`.
        percent: Option<Spanned<Hundredths>> = optional("100, unless there is `fraction`");
        /// The same as a fraction: `{ numerator = 1, denominator = 1000 }`.
        fraction: Option<Fraction> = optional("as `percent` says");
        /// The largest body of a request that is copied. 0: only requests without a body.
        body: Size = default("\"64KiB\"");
        /// The time limit for receiving the body from the client, and again for sending the copy
        /// and receiving its response.
        timeout: Spanned<Duration> = default("\"10s\"");
        /// How many copies may be in progress at once, over all workers. Further requests are
        /// not copied.
        most: NonZeroU32 = default("100");
    }
    short upstream
    called "mirror" by label
    check whole
}

table! {
    /// A share of requests.
    pub struct Fraction("a table such as `{ numerator = 1, denominator = 1000 }`") {
        /// How many requests.
        numerator: Spanned<u32> = required;
        /// Of how many.
        denominator: NonZeroU32 = default("100");
    }
    check proper
}

impl Mirror {
    fn label(&self) -> String {
        self.upstream.to_string()
    }

    /// The share of requests that are copied, from 0 to 1.
    pub fn share(&self) -> f64 {
        match (&self.percent, &self.fraction) {
            (Some(percent), _) => percent.value.0 / 100.0,
            (None, Some(fraction)) => {
                f64::from(fraction.numerator.value) / f64::from(fraction.denominator.get())
            }
            (None, None) => 1.0,
        }
    }
}

fn whole(mirror: &Mirror, decoder: &mut Decoder<'_>) {
    if let (Some(percent), Some(fraction)) = (&mirror.percent, &mirror.fraction) {
        decoder.push(
            Diagnostic::error(fraction.span, "the mirror has `percent` and `fraction`")
                .note(percent.span, "the other one")
                .help("keep one of them"),
        );
    }
    if mirror.timeout.is_zero() {
        decoder.push(
            Diagnostic::error(mirror.timeout.span, "`timeout` must not be 0")
                .help("copies that are never answered would use up `most`"),
        );
    }
}

fn proper(fraction: &Fraction, decoder: &mut Decoder<'_>) {
    let (numerator, denominator) = (fraction.numerator.value, fraction.denominator.get());
    if numerator > denominator {
        decoder.push(
            Diagnostic::error(
                fraction.numerator.span,
                format!("{numerator} of {denominator} requests are more than all"),
            )
            .help(format!("write a number from 0 to {denominator}")),
        );
    }
}

/// How many of a hundred: a number from 0 to 100, whole or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hundredths(pub f64);

impl Decode for Hundredths {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = match node.get_ref() {
            DeValue::Integer(number) => {
                let number = integer(number).and_then(|number| u32::try_from(number).ok());
                number.map(f64::from)
            }
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            DeValue::String(text) => {
                let number = text.trim().trim_end_matches('%').trim_end();
                let help = match number.parse::<f64>() {
                    Ok(_) => format!("write {number}, without quotes"),
                    Err(_) => "write a number, without quotes: 10".to_owned(),
                };
                let span = decoder.span(node);
                let message = format!("expected {}, found a string", Self::kind());
                return decoder.refuse(Diagnostic::error(span, message).help(help));
            }
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        match number {
            Some(number) if (0.0..=100.0).contains(&number) => Some(Self(number)),
            _ => {
                let written = decoder.written(node).to_owned();
                let span = decoder.span(node);
                decoder.refuse(Diagnostic::error(
                    span,
                    format!("{written} is not a number from 0 to 100"),
                ))
            }
        }
    }

    fn kind() -> String {
        "a number from 0 to 100".to_owned()
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
