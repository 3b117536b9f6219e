//! Upstreams for tests.

use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::balance::Balance;
use crate::endpoint::Endpoint;
use crate::group::Group;
use crate::health::PassiveHealth;
use crate::upstream::{EndpointSpec, Upstream, UpstreamSpec};

/// An upstream with this many endpoints, which two failures eject for 30 seconds.
pub(crate) fn spec(balance: Balance, endpoints: usize) -> UpstreamSpec {
    let endpoints = (1..=endpoints).map(|port| {
        let address = format!("127.0.0.1:{port}");
        EndpointSpec::new(Address::parse(&address).unwrap())
    });
    UpstreamSpec {
        balance,
        passive_health: PassiveHealth {
            max_fails: 2,
            fail_timeout: Duration::from_secs(30),
        },
        ..UpstreamSpec::new("sales", endpoints.collect())
    }
}

/// The upstream of a spec, with endpoints that no other has.
pub(crate) fn made(spec: &UpstreamSpec) -> Upstream {
    let group = Group::new(&spec.name);
    let endpoints = spec.endpoints.iter().map(|endpoint| {
        let address = endpoint.address.clone();
        Arc::new(Endpoint::new(&group, address))
    });
    let endpoints = endpoints.collect();
    let upstream = Upstream::new(spec, group, endpoints);
    upstream.takes_effect(0);
    upstream
}

/// The upstream of endpoints with these weights.
pub(crate) fn weighted(balance: Balance, weights: &[u32]) -> Upstream {
    let mut spec = spec(balance, weights.len());
    for (endpoint, weight) in spec.endpoints.iter_mut().zip(weights) {
        endpoint.weight = *weight;
    }
    made(&spec)
}
