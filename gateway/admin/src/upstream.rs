//! Upstreams and their endpoints: what there is, and commands: taking endpoints out, letting them
//! in again, weights.

use serde::{Deserialize, Serialize};

use crate::{EndpointStatus, UpstreamStatus};

/// All upstreams, and how requests are divided among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamList {
    /// By name.
    pub upstreams: Vec<UpstreamStatus>,
    /// In the order of the configuration.
    pub splits: Vec<SplitStatus>,
    /// By upstream.
    #[serde(default)]
    pub absent: Vec<AbsentEndpoint>,
}

/// An endpoint that a command has taken out and that its upstream does not have now. It stays out if
/// it comes back, until a command lets it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentEndpoint {
    /// The name of the upstream.
    pub upstream: String,
    /// Its address.
    pub address: String,
}

/// A route that divides its requests among upstreams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitStatus {
    /// Its site and its label, as commands name it: `app.example.com/api`.
    pub route: String,
    /// The upstreams, in the order of the configuration.
    pub shares: Vec<ShareStatus>,
}

/// An upstream of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareStatus {
    /// Its name.
    pub upstream: String,
    /// Its share of the requests, relative to the other weights.
    pub weight: u32,
    /// The weight in the configuration, if a command has set another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_weight: Option<u32>,
}

/// Another weight for an upstream of a split, until a reload changes the split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitWeightRequest {
    /// The site and the label of the route: `app.example.com/api`.
    pub route: String,
    /// The name of the upstream.
    pub upstream: String,
    /// Its share of the requests, relative to the other weights.
    pub weight: u32,
}

/// An endpoint that is to be taken out, or let in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointRequest {
    /// The name of its upstream.
    pub upstream: String,
    /// Its address, as configured.
    pub endpoint: String,
}

/// Another weight for an endpoint, until the next reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightRequest {
    /// The name of its upstream.
    pub upstream: String,
    /// Its address, as configured.
    pub endpoint: String,
    /// Its share of the requests, relative to the other weights. With 0 it gets only those of its
    /// sessions.
    pub weight: u32,
}

/// A command about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointCommand<'r> {
    /// It gets no new requests. Those in progress are finished, and those of its sessions go on.
    Drain(&'r EndpointRequest),
    /// It gets requests again.
    Undrain(&'r EndpointRequest),
    /// It has another weight.
    Weight(&'r WeightRequest),
}

impl EndpointCommand<'_> {
    /// The name of the upstream.
    #[must_use]
    pub fn upstream(&self) -> &str {
        match self {
            Self::Drain(request) | Self::Undrain(request) => &request.upstream,
            Self::Weight(request) => &request.upstream,
        }
    }

    /// The address of the endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match self {
            Self::Drain(request) | Self::Undrain(request) => &request.endpoint,
            Self::Weight(request) => &request.endpoint,
        }
    }
}

/// What a command about an endpoint has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointAnswer {
    /// The name of the upstream.
    pub upstream: String,
    /// The address of the endpoint.
    pub address: String,
    /// The endpoint after the command; none if the upstream does not have it now.
    pub endpoint: Option<EndpointStatus>,
    /// Whether something is different now. The same command twice is no error.
    pub changed: bool,
    /// Warnings about what was done, one line each.
    pub warnings: Vec<String>,
}
