//! Compiles upstreams. Endpoints that already exist are found by their identity.

use std::sync::Arc;

use janua_config::{self as config, Names};
use janua_http::head::{Limits, MAX_FIELDS};
use janua_upstream::{Address, Balance, EndpointSpec, PassiveHealth, UpstreamSpec};

use super::{bytes, limit};
use crate::estate::Estate;
use crate::snapshot::Forwarding;
use crate::stats::UpstreamStats;

/// All upstreams, in the order of their names. Endpoints of the previous configuration
/// keep their health and their counts.
pub(super) fn compile(upstreams: &Names<config::Upstream>, estate: &Estate) -> Vec<Forwarding> {
    let specs: Vec<UpstreamSpec> = upstreams
        .iter()
        .map(|(name, upstream)| upstream_spec(name, upstream))
        .collect();
    let running = estate.endpoints.reconcile(&specs);
    running
        .into_iter()
        .zip(upstreams.values())
        .map(|(running, upstream)| {
            let addresses = running
                .members()
                .iter()
                .map(|member| member.endpoint.address().to_string().into());
            Forwarding {
                stats: Arc::new(UpstreamStats::new(
                    &estate.metrics,
                    running.name(),
                    addresses.collect(),
                )),
                response_limits: Limits {
                    bytes: bytes(&upstream.max_response_head),
                    fields: MAX_FIELDS,
                },
                response_head_timeout: limit(upstream.response_head_timeout),
                idle_timeout: limit(upstream.idle_timeout),
                upstream: running,
            }
        })
        .collect()
}

fn upstream_spec(name: &str, upstream: &config::Upstream) -> UpstreamSpec {
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
    };
    UpstreamSpec {
        name: name.to_owned(),
        endpoints: upstream.endpoints.iter().map(endpoint).collect(),
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
