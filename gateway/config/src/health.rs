//! `health` of an upstream: active checks, by which the gateway finds out by itself whether an
//! endpoint works.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::{HeaderList, Method};
use crate::health_kind::CheckKind;
use crate::list::OneOrMany;
use crate::macros::table;
use crate::sent_host::is_host;
use crate::span::Spanned;
use crate::status_range::StatusRange;

/// The shortest interval: shorter ones only keep a processor busy.
const SHORTEST: Duration = Duration::from_millis(10);

table! {
    /// Active checks: a request of the gateway itself to each endpoint, again and again. One of
    /// `path`, `tcp` and `grpc` says of which kind.
    pub struct HealthCheck("a path, or a table such as `{ path = \"/health\" }`") {
        /// What an endpoint is asked for: one of these fields.
        kind: CheckKind = flatten;
        /// `Host` of the request.
        host: Option<Spanned<CheckHost>> = optional("the address of each endpoint");
        /// Method of the request.
        method: Option<Spanned<Method>> = optional("`GET`");
        /// Further header fields of the request.
        headers: Option<Spanned<HeaderList>> = optional("none");
        /// The statuses with which a check passes, each `200`, `"2xx"` or `"200-204"`.
        /// Redirects are not followed: a 302 is no `"2xx"`.
        statuses: Option<Spanned<OneOrMany<StatusRange>>> = optional("`[\"2xx\"]`");
        /// A regular expression that the body of the response must contain. Its first
        /// 64 KiB are looked at.
        body: Option<Spanned<String>> = optional("any body passes");
        /// The port to which checks connect.
        port: Option<Spanned<CheckPort>> = optional("that of each endpoint");
        /// The time from one check of an endpoint to the next, give or take a tenth.
        interval: Spanned<Duration> = default("\"10s\"");
        /// The time limit of a whole check.
        timeout: Spanned<Duration> = default("\"2s\"");
        /// How many checks in a row must pass before an endpoint that was down gets
        /// requests again. One that is new needs a single one.
        rise: NonZeroU32 = default("2");
        /// How many checks in a row must fail before an endpoint gets no more requests.
        fall: NonZeroU32 = default("3");
        /// The interval from the first check with a contrary result, until `rise` or
        /// `fall` decides.
        edge_interval: Option<Spanned<Duration>> = optional("a fifth of `interval`");
        /// The interval for an endpoint that is up and got no request since the last
        /// check.
        idle_interval: Option<Spanned<Duration>> = optional("as `interval`");
    }
    short path
    refused {
        "url": "write `path`, and `host` if the endpoint needs a certain one",
        "uri": "write `path`, and `host` if the endpoint needs a certain one",
        "http": "write `path`; the version of HTTP is that of the upstream",
        "passes": "write `rise`",
        "fails": "write `fall`",
        "healthy_threshold": "write `rise`",
        "unhealthy_threshold": "write `fall`",
        "status": "write `statuses`",
        "expected_statuses": "write `statuses`",
        "max_fails": "this belongs to `passive_health`; of checks, `fall` counts the failures",
    }
    check whole
}

fn whole(health: &HealthCheck, decoder: &mut Decoder<'_>) {
    fields_of_kind(health, decoder);
    own_host(health, decoder);
    times(health, decoder);
}

/// The host has a field of its own.
fn own_host(health: &HealthCheck, decoder: &mut Decoder<'_>) {
    let mut headers = health.headers.iter().flat_map(|headers| &headers.value.0);
    if let Some(host) = headers.find(|header| header.name.as_str() == "host") {
        decoder.push(
            Diagnostic::error(
                host.name.span,
                "`host` is not an ordinary field of a request",
            )
            .help("write `host` beside `headers`"),
        );
    }
}

impl HealthCheck {
    /// The interval while a change is about to be decided.
    pub fn edge_interval(&self) -> Duration {
        let configured = self.edge_interval.as_deref().copied();
        configured.unwrap_or_else(|| (self.interval.value / 5).max(SHORTEST))
    }
}

/// The fields of a request over HTTP have no effect on a check of another kind.
fn fields_of_kind(health: &HealthCheck, decoder: &mut Decoder<'_>) {
    let (kind, first) = health.kind.field();
    let has_head = !matches!(health.kind, CheckKind::Tcp(_));
    let is_http = matches!(health.kind, CheckKind::Http(_));
    let of_http = [
        // A call of gRPC has an authority and metadata.
        ("host", has_head, health.host.as_ref().map(|it| it.span)),
        (
            "headers",
            has_head,
            health.headers.as_ref().map(|it| it.span),
        ),
        ("method", is_http, health.method.as_ref().map(|it| it.span)),
        (
            "statuses",
            is_http,
            health.statuses.as_ref().map(|it| it.span),
        ),
        ("body", is_http, health.body.as_ref().map(|it| it.span)),
    ];
    for (field, fits, span) in of_http {
        let Some(span) = span.filter(|_| !fits) else {
            continue;
        };
        decoder.push(
            Diagnostic::error(span, format!("`{field}` has no effect with `{kind}`"))
                .note(first, "the kind of check")
                .help("leave it out, or write `path`"),
        );
    }
}

fn times(health: &HealthCheck, decoder: &mut Decoder<'_>) {
    let interval = &health.interval;
    let edge = health.edge_interval.as_ref();
    let idle = health.idle_interval.as_ref();
    let all = [
        ("interval", Some(interval)),
        ("timeout", Some(&health.timeout)),
        ("edge_interval", edge),
        ("idle_interval", idle),
    ];
    for (name, time) in all {
        if let Some(time) = time.filter(|time| time.value < SHORTEST) {
            decoder.push(
                Diagnostic::error(time.span, format!("`{name}` is at least 10ms"))
                    .help("to check nothing, leave `health` out"),
            );
        }
    }
    if let Some(edge) = edge.filter(|edge| edge.value > interval.value) {
        decoder.push(
            Diagnostic::error(
                edge.span,
                "`edge_interval` is for checks that follow sooner than `interval`",
            )
            .note(interval.span, "this is shorter")
            .help("write a shorter time, or leave it out"),
        );
    }
    if let Some(idle) = idle.filter(|idle| idle.value < interval.value) {
        decoder.push(
            Diagnostic::error(
                idle.span,
                "`idle_interval` is for checks that follow later than `interval`",
            )
            .note(interval.span, "this is longer")
            .help("write a longer time, or leave it out"),
        );
    }
}

/// A host that is sent as `Host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckHost(String);

impl CheckHost {
    /// The host, with its port if it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for CheckHost {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if is_host(text) {
            return Some(Self(text.to_owned()));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` cannot be sent as a `Host`"))
                .help("write a name: \"app.example.com\""),
        )
    }

    fn kind() -> String {
        "a host such as \"app.example.com\"".to_owned()
    }
}

/// A port that can be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckPort(pub u16);

impl Decode for CheckPort {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let port = u16::decode(node, decoder)?;
        if port > 0 {
            return Some(Self(port));
        }
        let span = decoder.span(node);
        decoder.refuse(Diagnostic::error(span, "the port must not be 0"))
    }

    fn kind() -> String {
        "a port".to_owned()
    }
}
