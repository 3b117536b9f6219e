//! Compiles upstreams. Endpoints that already exist are found by their identity.

use std::sync::Arc;

use janua_config::{self as config, Config, Diagnostic, Diagnostics, Names};
use janua_http::head::{Limits, MAX_FIELDS};
use janua_tls::SystemRoots;
use janua_upstream::{Address, Balance, EndpointSpec, PassiveHealth, Upstream, UpstreamSpec};

use super::inputs::input;
use super::{bytes, limit, tls};
use crate::certificates::ServedCertificate;
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
    let specs: Vec<UpstreamSpec> = upstreams
        .iter()
        .map(|(name, upstream)| upstream_spec(name, upstream, config.server.zone.as_deref()))
        .collect();
    let running = estate.endpoints.reconcile(&specs);
    running
        .into_iter()
        .zip(upstreams.values())
        .zip(tls)
        .map(|((running, upstream), tls)| {
            let addresses = running
                .members()
                .iter()
                .map(|member| member.endpoint.address().to_string().into());
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
                stats: Arc::new(UpstreamStats::new(
                    &estate.metrics,
                    running.name(),
                    addresses.collect(),
                )),
                response_limits: Limits {
                    bytes: max_head,
                    fields: MAX_FIELDS,
                },
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
    let endpoint = |endpoint: &config::Endpoint| EndpointSpec {
        address: match &endpoint.address.value {
            config::EndpointAddress::Socket(address) => Address::Ip(*address),
            config::EndpointAddress::Name { host, port } => Address::Name {
                host: host.clone(),
                port: *port,
            },
            config::EndpointAddress::Unix(path) => Address::Unix(path.clone()),
        },
        weight: endpoint.weight.get(),
        max_connections: endpoint.max_connections.map(std::num::NonZeroU32::get),
        backup: endpoint.backup,
        zone: endpoint.zone.as_deref().cloned(),
    };
    UpstreamSpec {
        name: name.to_owned(),
        endpoints: upstream.endpoints.iter().map(endpoint).collect(),
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
        passive_health: PassiveHealth {
            max_fails: upstream.passive_health.max_fails,
            fail_timeout: upstream.passive_health.fail_timeout.value,
        },
        keepalive: upstream.keepalive as usize,
        idle_timeout: limit(upstream.keepalive_timeout),
        connect_timeout: limit(upstream.connect_timeout),
    }
}
