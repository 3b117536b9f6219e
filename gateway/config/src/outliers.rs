//! `outliers` of an upstream: which endpoints get no requests for a while because
//! they fail more than the others.

use std::num::NonZeroU32;
use std::time::Duration;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::list::OneOrMany;
use crate::macros::table;
use crate::span::Spanned;
use crate::switch::Switch;
use crate::units::{Percent, integer};

table! {
    /// When an endpoint is ejected that fails more than the others. An upstream with one endpoint
    /// has no outliers.
    pub struct Outliers("a table such as `{ errors = 5, eject = \"30s\" }`") {
        /// How many errors of one kind in a row eject an endpoint: a number for each kind,
        /// or a table.
        errors: OutlierErrors = default("5");
        /// The period over which success rates are compared. Each one of good behaviour
        /// makes up for one ejection.
        interval: Spanned<Duration> = default("\"10s\"");
        /// The length of the first ejection. Each further one is longer by as much, up to
        /// five minutes, or up to `eject` if that is longer.
        eject: Spanned<Duration> = default("\"30s\"");
        /// The share of the endpoints that may be ejected at once, rounded down; but one
        /// always may be.
        most: Percent = default("\"10%\"");
        /// Whether an endpoint is ejected that answers clearly fewer of its requests than
        /// the others do.
        success_rate: Switch<SuccessRate> = default("true");
        /// Whether an endpoint is left alone that asks for it with `Retry-After`, as long
        /// as others are eligible.
        retry_after: Switch<RetryAfter> = default("true");
    }
    refused {
        "max_ejection_percent": "write `most`",
        "base_ejection_time": "write `eject`",
        "consecutive_errors": "write `errors`",
        "consecutive_5xx": "write `errors = { status = 5 }`",
    }
    check times
}

fn times(outliers: &Outliers, decoder: &mut Decoder<'_>) {
    for (name, time) in [("interval", &outliers.interval), ("eject", &outliers.eject)] {
        if time.is_zero() {
            decoder.push(
                Diagnostic::error(time.span, format!("`{name}` must not be 0"))
                    .help("`outliers = false` ejects no outliers"),
            );
        }
    }
}

table! {
    /// How many errors of a kind in a row eject an endpoint. 0: errors of that kind do not.
    pub struct OutlierErrors("a number, or a table such as `{ every = 5, status = 0 }`") {
        /// Of each kind that is not named.
        every: u32 = default("5");
        /// Failures to connect, the TLS handshake included.
        connect: Option<u32> = optional("as `every`");
        /// Connections that were lost before the response was complete, and what is not a
        /// response of HTTP.
        reset: Option<u32> = optional("as `every`");
        /// Responses that have not begun in time.
        timeout: Option<u32> = optional("as `every`");
        /// Responses with a status from 500, except 501 and 505, and those of gRPC that
        /// consist of an error of the server.
        status: Option<u32> = optional("as `every`");
    }
    short every
}

table! {
    /// When an endpoint is an outlier by its success rate.
    pub struct SuccessRate("a table such as `{ deviations = 1.9, requests = 100 }`") {
        /// By how many standard deviations its rate must be below the mean of all. It must
        /// also be 5 points below it.
        deviations: Deviations = default("1.9");
        /// With fewer endpoints that have had enough requests there is no outlier.
        endpoints: NonZeroU32 = default("5");
        /// How many requests an endpoint must have had in the interval.
        requests: NonZeroU32 = default("100");
    }
}

table! {
    /// Which `Retry-After` is heeded.
    pub struct RetryAfter("a table such as `{ longest = \"1m\" }`") {
        /// The statuses in whose responses it is heeded: 503, and 429 if it is about all
        /// requests, and not about those of one client.
        statuses: OneOrMany<HeededStatus> = default("[503]");
        /// No endpoint is left alone for longer.
        longest: Spanned<Duration> = default("\"5m\"");
    }
    check some_time
}

fn some_time(retry_after: &RetryAfter, decoder: &mut Decoder<'_>) {
    if retry_after.longest.is_zero() {
        decoder.push(
            Diagnostic::error(retry_after.longest.span, "`longest` must not be 0")
                .help("`retry_after = false` heeds no `Retry-After`"),
        );
    }
}

/// A number of standard deviations, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deviations(pub u32);

impl Decode for Deviations {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = match node.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse::<f64>().ok(),
            DeValue::Integer(number) => integer(number)
                .and_then(|number| u8::try_from(number).ok())
                .map(f64::from),
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the number is between 0 and 10"
        )]
        let thousandths = |number: f64| (number * 1000.0).round() as u32;
        match number.filter(|number| (0.1..=10.0).contains(number)) {
            Some(number) => Some(Self(thousandths(number))),
            None => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, "it is not a number from 0.1 to 10")
                        .help("write `deviations = 1.9`"),
                )
            }
        }
    }

    fn kind() -> String {
        "a number such as 1.9".to_owned()
    }
}

/// A status in whose responses `Retry-After` is heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeededStatus(pub u16);

impl Decode for HeededStatus {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Integer(number) = node.get_ref() else {
            return decoder.mismatch(node, &Self::kind());
        };
        let status = integer(number).and_then(|number| u16::try_from(number).ok());
        match status.filter(|status| matches!(status, 429 | 503)) {
            Some(status) => Some(Self(status)),
            None => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, "`Retry-After` is heeded in a 503 and a 429 only")
                        .help("write `statuses = [503]` or `statuses = [429, 503]`"),
                )
            }
        }
    }

    fn kind() -> String {
        "503 or 429".to_owned()
    }
}
