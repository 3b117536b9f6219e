//! Compiles upstreams. Endpoints that already exist are found by their identity.

use std::num::NonZeroU32;
use std::sync::Arc;

use janua_config::{self as config, Config, Diagnostic, Diagnostics, Names};
use janua_http::head::{self, MAX_FIELDS};
use janua_tls::SystemRoots;
use janua_upstream::{
    AdaptiveRule, Balance, ErrorLimits, Limits, Outliers, Panic, PassiveHealth, RetryAfter,
    SuccessRate, Upstream, UpstreamSpec,
};

use super::inputs::input;
use super::{bytes, endpoints, limit, retries, tls};
use crate::certificates::ServedCertificate;
use crate::discovery::Discovery;
use crate::estate::Estate;
use crate::snapshot::{BalancedBy, Forwarding, Snapshot};
use crate::stats::UpstreamStats;
use crate::sticky::{CookieSettings, Sticky, StickyKey};
use crate::upstream_http2::{Protocol, Sharing};

/// All upstreams, in the order of their names. Endpoints of the previous configuration
/// keep their health and their counts. The certificates that upstreams are shown are added to
/// `certificates`.
pub(super) fn compile(
    config: &Config,
    estate: &Estate,
    previous: Option<&Snapshot>,
    certificates: &mut Vec<ServedCertificate>,
    found: &mut Diagnostics,
) -> Vec<Forwarding> {
    let upstreams = &config.upstreams;
    let system_roots = SystemRoots::default();
    let tls: Vec<_> = upstreams
        .iter()
        .map(|(name, upstream)| {
            let tls = tls::upstream(upstream, &system_roots, found)?;
            tls::add_shown(name.as_str(), &tls, certificates);
            // An earlier one that is the same has sessions to resume.
            let mut earlier = previous
                .iter()
                .flat_map(|previous| previous.upstreams.iter());
            let same =
                earlier.find_map(|upstream| upstream.tls.as_ref().filter(|it| it.is_same(&tls)));
            Some(same.cloned().unwrap_or(tls))
        })
        .collect();
    let key = sticky_key(upstreams, estate, found);
    // Endpoints outlive this compilation, so that they are not touched if it fails.
    if found.has_errors() {
        return Vec::new();
    }
    let mut specs: Vec<UpstreamSpec> = Vec::with_capacity(upstreams.len());
    let mut discoveries = Vec::with_capacity(upstreams.len());
    let zone = config.server.zone.as_deref();
    for (name, upstream) in upstreams {
        let mut spec = upstream_spec(name, upstream, zone);
        let sources = endpoints::sources(upstream, estate, found);
        discoveries.push(Discovery::new(sources, &mut spec).map(Arc::new));
        specs.push(spec);
    }
    let running = estate.endpoints.reconcile(&specs);
    running
        .into_iter()
        .zip(upstreams.values())
        .zip(tls)
        .zip(discoveries)
        .map(|(((running, upstream), tls), discovery)| {
            let max_head = bytes(&upstream.max_response_head);
            Forwarding {
                protocol: match upstream.http.value {
                    config::UpstreamHttp::Http11 => Protocol::Http11,
                    config::UpstreamHttp::Http2 => Protocol::Http2,
                    config::UpstreamHttp::Auto => Protocol::Auto,
                },
                shared: Sharing {
                    tls: tls.clone(),
                    max_head,
                },
                stats: Arc::new(UpstreamStats::of(&estate.metrics, &running)),
                discovery,
                response_limits: head::Limits {
                    bytes: max_head,
                    fields: MAX_FIELDS,
                },
                retries: Arc::new(retries::of_upstream(upstream)),
                response_head_timeout: limit(upstream.response_head_timeout),
                idle_timeout: limit(upstream.idle_timeout),
                tls,
                sticky: (upstream.sticky.as_ref())
                    .zip(key.as_ref())
                    .map(|(sticky, key)| Arc::new(sessions(&running, sticky, key))),
                balanced_by: match &*upstream.balance {
                    config::Balance::IpHash => Some(BalancedBy::Client),
                    config::Balance::Hash(hash) => Some(BalancedBy::Input(input(&hash.hash))),
                    config::Balance::RoundRobin
                    | config::Balance::LeastConn
                    | config::Balance::RandomTwo
                    | config::Balance::Latency => None,
                },
                proxy_header: upstream
                    .send_proxy_protocol
                    .value()
                    .map(|version| match version {
                        config::ProxyVersion::V1 => janua_proxy_protocol::Version::V1,
                        config::ProxyVersion::V2 => janua_proxy_protocol::Version::V2,
                    }),
                upstream: running,
            }
        })
        .collect()
}

/// The key of session cookies, if any upstream has sessions. Without one the file is not touched.
fn sticky_key(
    upstreams: &Names<config::Upstream>,
    estate: &Estate,
    found: &mut Diagnostics,
) -> Option<StickyKey> {
    let first = upstreams.values().find_map(|it| it.sticky.as_ref())?;
    let key = StickyKey::load(&estate.state_dir);
    key.map_err(|error| found.push(Diagnostic::error(first.span, error.to_string())))
        .ok()
}

fn sessions(upstream: &Upstream, sticky: &config::Sticky, key: &StickyKey) -> Sticky {
    let members = upstream.members().iter();
    let cookie = CookieSettings {
        name: sticky.cookie.as_str().into(),
        lifetime: sticky.lifetime.map(|lifetime| lifetime.value),
        same_site: match sticky.same_site {
            config::SameSite::Lax => "Lax",
            config::SameSite::Strict => "Strict",
            config::SameSite::None => "None",
        },
    };
    Sticky::new(
        upstream.name(),
        members.map(|member| member.endpoint.address().to_string()),
        key.clone(),
        cookie,
    )
}

fn upstream_spec(name: &str, upstream: &config::Upstream, zone: Option<&String>) -> UpstreamSpec {
    UpstreamSpec {
        name: name.to_owned(),
        // They are added by the discovery.
        endpoints: Vec::new(),
        balance: match &*upstream.balance {
            config::Balance::RoundRobin => Balance::RoundRobin,
            config::Balance::LeastConn => Balance::LeastConn,
            config::Balance::RandomTwo => Balance::RandomTwo,
            config::Balance::Latency => Balance::Latency,
            config::Balance::IpHash => Balance::IpHash,
            config::Balance::Hash(hash) => Balance::Hash {
                bounded: hash.bounded.map(config::Factor::get),
            },
        },
        slow_start: upstream.slow_start.value,
        zone: zone.cloned(),
        is_checked: upstream.health.is_some(),
        passive_health: match upstream.passive_health() {
            Some(health) => PassiveHealth {
                max_fails: health.max_fails,
                fail_timeout: health.fail_timeout.value,
            },
            None => PassiveHealth {
                max_fails: 0,
                ..PassiveHealth::default()
            },
        },
        outliers: upstream.outliers.on().map(outliers),
        panic: match upstream.panic_threshold {
            None => Panic::NoneLeft,
            Some(config::PanicThreshold::Never) => Panic::Never,
            Some(config::PanicThreshold::Below(share)) => Panic::Below(share.get()),
        },
        limits: limits(&upstream.limits),
        keepalive: upstream.keepalive as usize,
        idle_timeout: limit(upstream.keepalive_timeout),
        connect_timeout: limit(upstream.connect_timeout),
    }
}

fn outliers(outliers: &config::Outliers) -> Outliers {
    let errors = &outliers.errors;
    let every = errors.every;
    Outliers {
        errors: ErrorLimits {
            connect: errors.connect.unwrap_or(every),
            reset: errors.reset.unwrap_or(every),
            timeout: errors.timeout.unwrap_or(every),
            status: errors.status.unwrap_or(every),
        },
        interval: outliers.interval.value,
        eject: outliers.eject.value,
        most: outliers.most.get(),
        success_rate: outliers.success_rate.on().map(|rate| SuccessRate {
            deviations: rate.deviations.0,
            endpoints: rate.endpoints.get(),
            requests: rate.requests.get(),
        }),
        retry_after: outliers.retry_after.on().map(|heeded| {
            let is_heeded = |status| heeded.statuses.iter().any(|it| it.0 == status);
            RetryAfter {
                on_503: is_heeded(503),
                on_429: is_heeded(429),
                longest: heeded.longest.value,
            }
        }),
    }
}

fn limits(limits: &config::UpstreamLimits) -> Limits {
    let number = |limit: Option<NonZeroU32>| limit.map(NonZeroU32::get);
    Limits {
        requests: number(limits.requests),
        pending: number(limits.pending),
        connections: number(limits.connections),
        retries: number(limits.retries),
        adaptive: limits.adaptive.on().map(|adaptive| AdaptiveRule {
            min: adaptive.min.get(),
            max: adaptive.max.get(),
            tolerance: adaptive.tolerance.get(),
        }),
    }
}
