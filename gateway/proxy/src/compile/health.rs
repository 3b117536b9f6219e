//! Compiles the active checks of upstreams.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use janua_config::{self as config, CheckKind, Diagnostic, Diagnostics, HealthCheck, Names};
use janua_health::{
    BodyPattern, Check, Expectation, GrpcCall, HttpRequest, Probe, Protocol as CheckProtocol,
    Reach, Statuses, Timing,
};
use janua_upstream::CheckRule;

use crate::snapshot::Forwarding;
use crate::upstream_http2::Protocol;
use crate::upstream_tls::UpstreamTls;

/// The checks of all upstreams, in the order of the upstreams; none for one without checks.
pub(super) fn compile(
    upstreams: &Names<config::Upstream>,
    forwardings: &[Forwarding],
    found: &mut Diagnostics,
) -> Vec<Option<Arc<Check>>> {
    let each = upstreams.values().zip(forwardings);
    each.map(|(upstream, forwarding)| {
        let health = upstream.health.as_ref()?;
        check(health, forwarding, found).map(Arc::new)
    })
    .collect()
}

fn check(health: &HealthCheck, forwarding: &Forwarding, found: &mut Diagnostics) -> Option<Check> {
    Some(Check {
        probe: probe(health, found)?,
        reach: Reach {
            port: health.port.as_ref().map(|port| port.0),
            tls: forwarding.tls.as_ref().map(UpstreamTls::client).cloned(),
            protocol: match forwarding.protocol {
                Protocol::Http11 => CheckProtocol::Http11,
                Protocol::Http2 => CheckProtocol::Http2,
                Protocol::Auto => CheckProtocol::Auto,
            },
            proxy_header: forwarding.proxy_header,
        },
        timing: timing(health),
    })
}

fn timing(health: &HealthCheck) -> Timing {
    let interval = health.interval.value;
    let idle = health.idle_interval.as_ref().map(|idle| idle.value);
    Timing {
        interval,
        edge_interval: health.edge_interval(),
        idle_interval: idle.unwrap_or(interval),
        timeout: health.timeout.value,
        rule: CheckRule {
            rise: health.rise.get(),
            fall: health.fall.get(),
            silence_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
        },
    }
}

fn probe(health: &HealthCheck, found: &mut Diagnostics) -> Option<Probe> {
    let host = health.host.as_ref().map(|host| host.as_str().to_owned());
    let headers = fields(health, found);
    Some(match &health.kind {
        CheckKind::Tcp(_) => Probe::Tcp,
        CheckKind::Grpc(service) => Probe::Grpc(GrpcCall {
            service: service.as_str().to_owned(),
            host,
            headers: headers?,
        }),
        CheckKind::Http(path) => {
            let body = match &health.body {
                None => None,
                Some(body) => match BodyPattern::new(&body.value) {
                    Ok(pattern) => Some(pattern),
                    Err(error) => {
                        // The last of several lines has the reason.
                        let why = error.lines().last().unwrap_or_default();
                        let why = why.trim().trim_start_matches("error: ");
                        let fault = format!("regular expression `{}`: {why}", body.value);
                        found.push(Diagnostic::error(body.span, fault));
                        return None;
                    }
                },
            };
            let method = health
                .method
                .as_ref()
                .map_or("GET", |method| method.as_str());
            Probe::Http(Box::new(HttpRequest {
                // The configuration has refused what is no token.
                method: Method::from_bytes(method.as_bytes()).ok()?,
                path: path.as_str().to_owned(),
                host,
                headers: headers?,
                expectation: Expectation {
                    statuses: statuses(health),
                    body,
                },
            }))
        }
    })
}

fn statuses(health: &HealthCheck) -> Statuses {
    Statuses(match &health.statuses {
        None => vec![200..=299],
        Some(statuses) => statuses.iter().map(|it| it.first..=it.last).collect(),
    })
}

/// Further fields; none if one of them cannot be sent.
fn fields(health: &HealthCheck, found: &mut Diagnostics) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let headers = health.headers.iter().flat_map(|headers| &headers.value.0);
    let mut fields = Vec::new();
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(header.value.value.as_bytes());
        let (Ok(name), Ok(value)) = (name, value) else {
            let fault = "this field cannot be sent";
            found.push(Diagnostic::error(header.name.span, fault));
            return None;
        };
        fields.push((name, value));
    }
    Some(fields)
}
