//! Compiles upstreams. Endpoints that already exist are found by their identity.

use std::sync::Arc;

use janua_config::{self as config, Diagnostics, Names};
use janua_http::head::{Limits, MAX_FIELDS};
use janua_tls::SystemRoots;
use janua_upstream::{Balance, PassiveHealth, UpstreamSpec};

use super::{bytes, endpoints, limit, tls};
use crate::certificates::ServedCertificate;
use crate::discovery::Discovery;
use crate::estate::Estate;
use crate::snapshot::{Forwarding, Snapshot};
use crate::stats::UpstreamStats;
use crate::upstream_http2::{Protocol, Sharing};

/// All upstreams, in the order of their names. Endpoints of the previous configuration
/// keep their health and their counts. The certificates that upstreams are shown are added to
/// `certificates`.
pub(super) fn compile(
    upstreams: &Names<config::Upstream>,
    estate: &Estate,
    previous: Option<&Snapshot>,
    certificates: &mut Vec<ServedCertificate>,
    found: &mut Diagnostics,
) -> Vec<Forwarding> {
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
    // Endpoints outlive this compilation, so that they are not touched if it fails.
    if found.has_errors() {
        return Vec::new();
    }
    let mut specs: Vec<UpstreamSpec> = Vec::with_capacity(upstreams.len());
    let mut discoveries = Vec::with_capacity(upstreams.len());
    for (name, upstream) in upstreams {
        let mut spec = upstream_spec(name, upstream);
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
                response_limits: Limits {
                    bytes: max_head,
                    fields: MAX_FIELDS,
                },
                response_head_timeout: limit(upstream.response_head_timeout),
                idle_timeout: limit(upstream.idle_timeout),
                tls,
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

fn upstream_spec(name: &str, upstream: &config::Upstream) -> UpstreamSpec {
    UpstreamSpec {
        name: name.to_owned(),
        // They are added by the discovery.
        endpoints: Vec::new(),
        balance: match upstream.balance {
            config::Balance::RoundRobin => Balance::RoundRobin,
            config::Balance::LeastConn => Balance::LeastConn,
        },
        passive_health: PassiveHealth {
            max_fails: upstream.passive_health.max_fails,
            fail_timeout: upstream.passive_health.fail_timeout.value,
        },
        keepalive: upstream.keepalive as usize,
        idle_timeout: limit(upstream.keepalive_timeout),
        connect_timeout: limit(upstream.connect_timeout),
    }
}
