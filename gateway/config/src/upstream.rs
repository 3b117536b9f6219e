//! `[upstreams.<name>]`: the servers that requests are forwarded to.

use std::time::Duration;

use crate::balance::{Balance, Sticky};
use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::endpoint::Endpoint;
use crate::endpoint_address::EndpointAddress;
use crate::endpoints::Endpoints;
use crate::health::HealthCheck;
use crate::health_kind::CheckKind;
use crate::listener::head_limit;
use crate::macros::{table, words};
use crate::names::{Definition, Kind};
use crate::outliers::Outliers;
use crate::panic_threshold::PanicThreshold;
use crate::retries::{Hedge, Retries};
use crate::span::Spanned;
use crate::switch::{OrFalse, Switch};
use crate::units::Size;
use crate::upstream_limits::UpstreamLimits;
use crate::upstream_tls::{ProxyVersion, UpstreamTls};

table! {
    /// Equivalent servers, and how requests are balanced over them.
    pub struct Upstream("a table of upstream settings") {
        /// The servers: `"127.0.0.1:3000"`, `"unix:/run/app.sock"`,
        /// `"app.internal:3000"`, `"srv:_http._tcp.app.internal"`, tables with an address and
        /// further settings, or files that list them: see [discovery.md](discovery.md).
        endpoints: Endpoints = required;
        /// The version of HTTP that the endpoints speak: `"1.1"`; `"2"`, agreed on by
        /// ALPN with TLS and known in advance without it; or `"auto"`, which leaves the
        /// choice to ALPN.
        http: Spanned<UpstreamHttp> = default("\"1.1\"");
        /// How an endpoint is chosen: `"round_robin"`, in proportion to the weights;
        /// `"least_conn"`, the one with the fewest requests in flight, relative to its weight;
        /// `"random_two"`, the better one of two that are drawn at random; `"latency"`, the
        /// one that responds the soonest; `"ip_hash"`, by the client's address as nginx does;
        /// or a table, by a value of the request.
        balance: Spanned<Balance> = default("\"round_robin\"");
        /// Keeps the requests of a client at one endpoint, by a cookie.
        sticky: Option<Sticky> = optional("each request is balanced by itself");
        /// How long the share of an endpoint grows that has come up while the gateway runs.
        /// `0s`: it has its whole share at once.
        slow_start: Spanned<Duration> = default("\"0s\"");
        /// Idle connections that each worker keeps per endpoint. 0: none.
        keepalive: u32 = default("32");
        /// How long an idle connection is kept. `0s`: no limit.
        keepalive_timeout: Duration = default("\"60s\"");
        /// The time limit for connecting to an endpoint. `0s`: no limit.
        connect_timeout: Duration = default("\"5s\"");
        /// The time limit for the response head, after the request has been sent.
        /// `0s`: no limit.
        response_head_timeout: Duration = default("\"60s\"");
        /// The longest time between two reads or writes of a body. `0s`: no limit.
        idle_timeout: Duration = default("\"60s\"");
        /// The maximum size of a response head. A larger one is answered with 502.
        max_response_head: Spanned<Size> = default("\"64KiB\"");
        /// Checks that the gateway makes by itself: `"/health"` for a path that is
        /// requested, or a table. An endpoint whose checks fail gets no requests, and a new
        /// one gets none before its first check has passed.
        health: Option<Spanned<HealthCheck>> = optional("none");
        /// When a failing endpoint is ejected, so that it gets no requests for a
        /// while. An upstream with `outliers` has this only if it is written.
        passive_health: PassiveHealth = default("{}");
        /// Whether endpoints are ejected that fail more than the others: `true`, or a table
        /// of settings.
        outliers: Switch<Outliers> = default("false");
        /// All endpoints are tried, also ejected ones and those whose checks fail, if less
        /// than this share of those that are not draining is left. 0: ejected endpoints are
        /// never tried.
        panic_threshold: Option<PanicThreshold> = optional("if all are ejected, they are tried, but none whose checks fail");
        /// How much of the upstream may be used at once.
        limits: UpstreamLimits = default("{}");
        /// How often a request is repeated if connecting fails, or if the
        /// connection is lost before the response and the request may be repeated;
        /// or a table that also says after what else. 0: never.
        retries: Option<Retries> = optional("each endpoint once");
        /// When a request that changes nothing (GET, HEAD, OPTIONS) is sent to a
        /// second endpoint, because the first has not answered it: after a time,
        /// or after that in which a share of recent requests was answered
        /// (`"p95"`). The first response counts. `false`: never.
        hedge: OrFalse<Hedge> = default("false");
        /// How long a request waits while no endpoint can be reached, as when the
        /// only one is restarted. `0s`: not at all.
        hold: Duration = default("\"0s\"");
        /// Whether the endpoints speak TLS: `true` if a certificate authority of the
        /// system has issued their certificates, or a table of settings.
        tls: Switch<UpstreamTls> = default("false");
        /// Whether each connection begins with a PROXY header that states the client's
        /// address, and in which version: `"v1"`, or `"v2"`, which also states the
        /// client's TLS. A connection is then reused only for the same client.
        send_proxy_protocol: OrFalse<ProxyVersion> = default("false");
    }
    refused {
        "outlier_detection": "write `outliers`",
        "circuit_breakers": "write `limits`",
        "active_health": "write `health = { path = \"/health\" }`",
        "health_check": "write `health = { path = \"/health\" }`",
        "proxy_protocol": "a listener has it; an upstream has `send_proxy_protocol = \"v2\"`",
    }
    check consistent
}

fn consistent(upstream: &Upstream, decoder: &mut Decoder<'_>) {
    head_limit("max_response_head", &upstream.max_response_head, decoder);
    names(upstream, decoder);
    version(upstream, decoder);
    checks(upstream, decoder);
    primaries(upstream, decoder);
    slow_start(upstream, decoder);
}

/// What a check needs of the upstream: gRPC is spoken over HTTP/2, and a socket has no port.
fn checks(upstream: &Upstream, decoder: &mut Decoder<'_>) {
    let Some(health) = &upstream.health else {
        return;
    };
    if let CheckKind::Grpc(grpc) = &health.kind
        && upstream.http.value == UpstreamHttp::Http11
    {
        decoder.push(
            Diagnostic::error(
                grpc.span,
                "gRPC is spoken over HTTP/2, and this upstream is not",
            )
            .help("write `http = \"2\"` in the upstream"),
        );
    }
    let mut addresses = upstream.endpoints.iter().map(|endpoint| &endpoint.address);
    if let Some(port) = &health.port
        && let Some(unix) = addresses.find(|it| matches!(it.value, EndpointAddress::Unix(_)))
    {
        decoder.push(
            Diagnostic::error(port.span, "a Unix socket has no port")
                .note(unix.span, "the endpoint")
                .help("leave `port` out"),
        );
    }
}

/// A backup stands in for others.
fn primaries(upstream: &Upstream, decoder: &mut Decoder<'_>) {
    if let Some(first) = upstream.endpoints.first()
        && upstream.endpoints.files().is_empty()
        && upstream.endpoints.iter().all(|endpoint| endpoint.backup)
    {
        decoder.push(
            Diagnostic::error(first.address.span, "all endpoints are backups, but of none")
                .help("leave `backup` out of at least one"),
        );
    }
}

/// A hash gives an endpoint its values from the first moment on.
fn slow_start(upstream: &Upstream, decoder: &mut Decoder<'_>) {
    let is_hash = matches!(*upstream.balance, Balance::IpHash | Balance::Hash(_));
    if is_hash && !upstream.slow_start.is_zero() {
        let words = "`slow_start` has no effect with this balance, which does not choose by weight \
                     alone";
        decoder.push(
            Diagnostic::warning(upstream.slow_start.span, words)
                .note(upstream.balance.span, "the balance")
                .help("leave it out"),
        );
    }
}

/// Only TLS tells which versions an endpoint speaks, and a connection that many clients share
/// has no one client to state.
fn version(upstream: &Upstream, decoder: &mut Decoder<'_>) {
    let http = &upstream.http;
    if http.value == UpstreamHttp::Auto && upstream.tls.on().is_none() {
        decoder.push(
            Diagnostic::error(
                http.span,
                "without TLS nothing tells which version of HTTP an endpoint speaks",
            )
            .help("write `http = \"2\"` if all endpoints speak HTTP/2, otherwise leave `http` out"),
        );
    }
    if http.value != UpstreamHttp::Http11 && upstream.send_proxy_protocol.value().is_some() {
        decoder.push(
            Diagnostic::error(
                http.span,
                "`send_proxy_protocol` states one client for each connection, and those of HTTP/2 \
                 carry requests of many",
            )
            .help("leave `http` or `send_proxy_protocol` out"),
        );
    }
}

/// A certificate is verified against a name, and the path of a socket is none.
fn names(upstream: &Upstream, decoder: &mut Decoder<'_>) {
    let Some(tls) = upstream.tls.on() else {
        return;
    };
    if !tls.verify.value || tls.server_name.is_some() {
        return;
    }
    discovered(upstream, tls, decoder);
    let mut addresses = upstream.endpoints.iter().map(|endpoint| &endpoint.address);
    if let Some(unix) = addresses.find(|it| matches!(it.value, EndpointAddress::Unix(_))) {
        decoder.push(
            Diagnostic::error(
                tls.span,
                "the certificate of a Unix socket has no name to be verified against",
            )
            .note(unix.span, "the endpoint")
            .help("write `tls = { server_name = \"app.internal\" }`"),
        );
    }
}

/// Whoever writes a list of endpoints, or answers for the DNS, would otherwise choose the name
/// too that their certificates must have, which public authorities confirm to everybody.
fn discovered(upstream: &Upstream, tls: &UpstreamTls, decoder: &mut Decoder<'_>) {
    if tls.ca.is_some() {
        return;
    }
    let is_srv = |endpoint: &&Endpoint| matches!(*endpoint.address, EndpointAddress::Srv(_));
    let records = upstream.endpoints.iter().find(is_srv);
    let records = records.map(|endpoint| (endpoint.address.span, "the record names endpoints"));
    let file = upstream.endpoints.files().first();
    let file = file.map(|file| (file.file.span, "the file names endpoints"));
    if let Some((span, why)) = records.or(file) {
        decoder.push(
            Diagnostic::error(
                tls.span,
                "the configuration does not say which name certificates must have",
            )
            .note(span, why)
            .help(
                "write `tls = { server_name = \"app.internal\" }`, or name the `ca` that vouches \
                 for the names of all endpoints",
            ),
        );
    }
}

impl Upstream {
    /// When failures eject an endpoint; none if only outliers are ejected.
    pub fn passive_health(&self) -> Option<&PassiveHealth> {
        // A value that is left out has the position of its table.
        let is_written = self.passive_health.span != self.span;
        (is_written || self.outliers.on().is_none()).then_some(&self.passive_health)
    }
}

impl Definition for Upstream {
    const KIND: Kind = Kind::Upstream;
}

words! {
    /// The version of HTTP on the connections to an upstream.
    pub enum UpstreamHttp {
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
        /// The one that the endpoint selects by ALPN.
        Auto = "auto",
    }
    refused {
        "1": "write \"1.1\"",
        "1.0": "requests are sent with HTTP/1.1",
        "h2": "write \"2\"",
        "h2c": "write \"2\", and leave `tls` out",
        "3": "not supported by this version",
    }
}

table! {
    /// When an endpoint is ejected: after `max_fails` failures within
    /// `fail_timeout`, for `fail_timeout`.
    pub struct PassiveHealth("a table such as `{ max_fails = 3, fail_timeout = \"30s\" }`") {
        /// The number of failures after which an endpoint is ejected. 0: never.
        max_fails: u32 = default("1");
        /// The period over which failures are counted, and how long the endpoint is
        /// then ejected.
        fail_timeout: Spanned<Duration> = default("\"10s\"");
    }
    check fails
}

fn fails(health: &PassiveHealth, decoder: &mut Decoder<'_>) {
    if health.max_fails > 0 && health.fail_timeout.is_zero() {
        decoder.push(
            Diagnostic::error(health.fail_timeout.span, "`fail_timeout` must not be 0")
                .help("to leave no endpoint alone, write `max_fails = 0`"),
        );
    }
}
