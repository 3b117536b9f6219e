//! `retries`, `hedge` and `hold` of an upstream or a route: how a request is repeated, doubled, or
//! kept waiting if an endpoint does not answer it.

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;
use crate::units::{Percent, Size};

table! {
    /// When a request is repeated at another endpoint, and how often.
    pub struct Retries("a number, or a table such as `{ more = 2, on = [\"connect\", \"reset\", \"503\"] }`") {
        /// How many attempts may follow the first. If all endpoints have been
        /// tried, they are tried again after a pause. 0: none. At most 100.
        more: Option<Spanned<u32>> = optional("one for each further endpoint");
        /// What is followed by another attempt: `"connect"`, no connection could
        /// be opened; `"reset"`, the connection was lost before the response;
        /// `"reset-any"`, the same for requests that are then perhaps processed
        /// twice; `"timeout"`, no response head in time; a status such as `"503"`
        /// or `"5xx"`; or a status of gRPC such as `"unavailable"`.
        on: Vec<Spanned<RetryCondition>> = default("[\"connect\", \"reset\"]");
        /// The time limit for the response head of one attempt. An attempt that
        /// exceeds it is followed by another, as if `on` had `"timeout"`.
        try_timeout: Option<Spanned<Duration>> = optional("`response_head_timeout`");
        /// The most requests that are sent again, as a share of the upstream's
        /// requests in the last ten seconds; but always 200 in ten seconds. Failed
        /// connections do not count.
        budget: Spanned<Percent> = default("\"20%\"");
        /// The longest request body that is kept to be sent again; a request with
        /// a longer one is not repeated once it was sent. At most 1 MiB.
        body: Spanned<Size> = default("\"64KiB\"");
    }
    short more
    refused {
        "attempts": "write `more`, which does not count the first attempt",
        "tries": "write `more`, which does not count the first attempt",
        "num_retries": "write `more`",
        "retry_on": "write `on`",
        "timeout": "write `try_timeout`",
        "per_try_timeout": "write `try_timeout`",
    }
    check sensible
}

/// Larger bodies than this are not kept.
const LARGEST_BODY: u64 = 1 << 20;

/// More attempts than this are a mistake: each of them is remembered until the request ends.
const MOST: u32 = 100;

fn sensible(retries: &Retries, decoder: &mut Decoder<'_>) {
    if let Some(more) = &retries.more
        && more.value > MOST
    {
        decoder.push(
            Diagnostic::error(
                more.span,
                format!("no request is repeated {} times", more.value),
            )
            .help(
                "write 100 or less; `hold` makes requests wait for an endpoint that is restarted",
            ),
        );
    }
    if retries.body.bytes() > LARGEST_BODY {
        decoder.push(
            Diagnostic::error(retries.body.span, "bodies of more than 1 MiB are not kept")
                .help("write \"1MiB\" or less; larger requests are sent once"),
        );
    }
    if let Some(limit) = &retries.try_timeout
        && limit.is_zero()
    {
        decoder.push(
            Diagnostic::error(limit.span, "no endpoint answers in no time")
                .help("write a time such as \"2s\", or leave `try_timeout` out"),
        );
    }
    for condition in &retries.on {
        let danger = match condition.value {
            RetryCondition::ResetAny => {
                "any request whose connection is lost is sent again, so that a payment can be made \
                 twice"
            }
            RetryCondition::Grpc(_) => {
                "calls with this status are sent again, so that what they do can be done twice"
            }
            _ => continue,
        };
        let help = match condition.value {
            RetryCondition::ResetAny => {
                "write \"reset\" unless all endpoints recognise requests that they have processed"
            }
            _ => {
                "keep it if all calls may be repeated, or if servers use it for calls that they \
                 have not begun"
            }
        };
        decoder.push(Diagnostic::warning(condition.span, danger).help(help));
    }
}

/// What is followed by another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryCondition {
    /// No connection could be opened.
    Connect,
    /// The connection was lost before the response, and the request may be repeated.
    Reset,
    /// The connection was lost before the response, whatever the request.
    ResetAny,
    /// The head of the response did not arrive in time.
    Timeout,
    /// The response has this status.
    Status(u16),
    /// The status of the response has this first digit.
    Class(u8),
    /// The call of gRPC was answered with this status, and nothing else.
    Grpc(u8),
}

/// The statuses of gRPC after which repeating a call can help, with their numbers.
const GRPC: [(&str, u8); 7] = [
    ("cancelled", 1),
    ("unknown", 2),
    ("deadline-exceeded", 4),
    ("resource-exhausted", 8),
    ("aborted", 10),
    ("internal", 13),
    ("unavailable", 14),
];

impl Retries {
    /// What of it was written: in a route, the rest is as the upstream says.
    #[must_use]
    pub fn written(&self) -> WrittenRetries<'_> {
        // The position of a default is its table.
        let is_written = |span| span != self.span;
        let on_is_written = self.on.first().is_none_or(|first| is_written(first.span));
        WrittenRetries {
            more: self.more.map(|more| more.value),
            on: on_is_written.then_some(self.on.as_slice()),
            try_timeout: self.try_timeout.map(|limit| limit.value),
            budget: is_written(self.budget.span).then_some(self.budget.value),
            body: is_written(self.body.span).then_some(self.body.value),
        }
    }
}

/// The fields of [`Retries`] that are not left out.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "as in `Retries`")]
pub struct WrittenRetries<'a> {
    pub more: Option<u32>,
    pub on: Option<&'a [Spanned<RetryCondition>]>,
    pub try_timeout: Option<Duration>,
    pub budget: Option<Percent>,
    pub body: Option<Size>,
}

impl RetryCondition {
    fn of(text: &str) -> Option<Self> {
        let grpc = GRPC.iter().find(|(word, _)| *word == text);
        match text {
            "connect" => Some(Self::Connect),
            "reset" => Some(Self::Reset),
            "reset-any" => Some(Self::ResetAny),
            "timeout" => Some(Self::Timeout),
            "4xx" => Some(Self::Class(4)),
            "5xx" => Some(Self::Class(5)),
            _ if grpc.is_some() => grpc.map(|(_, code)| Self::Grpc(*code)),
            _ if text.len() == 3 => text.parse().ok().and_then(Self::of_status),
            _ => None,
        }
    }

    fn of_status(status: u16) -> Option<Self> {
        (400..600).contains(&status).then_some(Self::Status(status))
    }
}

impl fmt::Display for RetryCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Reset => f.write_str("reset"),
            Self::ResetAny => f.write_str("reset-any"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(status) => status.fmt(f),
            Self::Class(class) => write!(f, "{class}xx"),
            Self::Grpc(code) => {
                let word = GRPC.iter().find(|(_, known)| known == code);
                f.write_str(word.map_or("", |(word, _)| word))
            }
        }
    }
}

impl Decode for RetryCondition {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        let text = match node.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(number) => {
                return decoder.refuse(
                    Diagnostic::error(span, "a status is written as a string")
                        .help(format!("write \"{number}\"")),
                );
            }
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        if let Some(condition) = Self::of(text) {
            return Some(condition);
        }
        let help = match text.to_ascii_lowercase().replace(['_', ' '], "-").as_str() {
            "error" | "connect-failure" => "write \"connect\" and \"reset\"".to_owned(),
            "non-idempotent" => "`\"reset-any\"` repeats any request".to_owned(),
            "gateway-error" => "write \"502\", \"503\" and \"504\"".to_owned(),
            lower if Self::of(lower).is_some() => format!("write \"{lower}\""),
            lower => match lower.strip_prefix("http-").and_then(Self::of) {
                Some(condition) => format!("write \"{condition}\""),
                None => "write \"connect\", \"reset\", \"reset-any\", \"timeout\", a status from \
                         400 such as \"503\" or \"5xx\", or a status of gRPC such as \
                         \"unavailable\""
                    .to_owned(),
            },
        };
        let fault = Diagnostic::error(span, format!("`{text}` is no condition for a retry"));
        decoder.refuse(fault.help(help))
    }

    fn kind() -> String {
        "\"connect\", \"reset\", \"reset-any\", \"timeout\", or a status such as \"503\"".to_owned()
    }
}

/// When a request is sent to a second endpoint although the first has not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedge {
    /// After this time.
    After(Duration),
    /// After the time in which this share of recent requests, in percent, was answered.
    Quantile(u8),
}

impl Decode for Hedge {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        let percent = match node.get_ref() {
            DeValue::String(text) => text.strip_prefix(['p', 'P']),
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        if let Some(percent) = percent {
            return match percent.parse() {
                Ok(percent @ 50..=99) => Some(Self::Quantile(percent)),
                _ => decoder.refuse(
                    Diagnostic::error(span, format!("`p{percent}` is no time for a second try"))
                        .help("write \"p50\" to \"p99\": \"p95\" doubles one request in twenty"),
                ),
            };
        }
        let time = Duration::decode(node, decoder)?;
        if time.is_zero() {
            return decoder.refuse(
                Diagnostic::error(span, "this would double every request")
                    .help("write the time after which an answer is late: \"100ms\" or \"p95\""),
            );
        }
        Some(Self::After(time))
    }

    fn kind() -> String {
        "a duration such as \"100ms\", or a share of requests such as \"p95\"".to_owned()
    }
}
