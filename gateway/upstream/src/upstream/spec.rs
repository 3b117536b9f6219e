//! An upstream and its endpoints as they are configured.

use std::time::Duration;

use crate::address::Address;
use crate::balance::Balance;
use crate::health::PassiveHealth;
use crate::limits::Limits;
use crate::outliers::Outliers;
use crate::panic::Panic;

/// An upstream as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamSpec {
    /// The name, unique in the configuration.
    pub name: String,
    /// The endpoints; no address occurs twice.
    pub endpoints: Vec<EndpointSpec>,
    /// How requests are balanced over the endpoints.
    pub balance: Balance,
    /// Whether its endpoints are checked actively, so that a new one waits for its first pass.
    pub is_checked: bool,
    /// How long the share of an endpoint grows that has come up; zero for no growth.
    pub slow_start: Duration,
    /// The zone of the gateway, whose endpoints are preferred.
    pub zone: Option<String>,
    /// When failures eject an endpoint.
    pub passive_health: PassiveHealth,
    /// When outliers are ejected; none if they are not.
    pub outliers: Option<Outliers>,
    /// When endpoints are tried although they are ejected.
    pub panic: Panic,
    /// How much of it may be used at once.
    pub limits: Limits,
    /// Idle connections that each worker keeps per endpoint; 0 keeps none.
    pub keepalive: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// The time limit for connecting to an endpoint, over all its addresses.
    pub connect_timeout: Duration,
}

/// An endpoint as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// The address of the endpoint.
    pub address: Address,
    /// The share of requests relative to the other endpoints; 0 counts as 1.
    pub weight: u32,
    /// The most requests in flight at once, over all workers; none means no
    /// limit.
    pub max_connections: Option<u32>,
    /// Whether it gets requests only if no other endpoint can.
    pub backup: bool,
    /// Where it is.
    pub zone: Option<String>,
}

impl UpstreamSpec {
    /// The defaults, for endpoints at these addresses.
    pub fn new(name: &str, endpoints: Vec<EndpointSpec>) -> Self {
        Self {
            name: name.to_owned(),
            endpoints,
            balance: Balance::default(),
            is_checked: false,
            slow_start: Duration::ZERO,
            zone: None,
            passive_health: PassiveHealth::default(),
            outliers: None,
            panic: Panic::default(),
            limits: Limits::default(),
            keepalive: 32,
            idle_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

impl EndpointSpec {
    /// The defaults, for this address.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            weight: 1,
            max_connections: None,
            backup: false,
            zone: None,
        }
    }
}
