//! An upstream: a group of equivalent endpoints, and the choice among them.

use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::balance::{Balance, Candidate, Cursor, Tried};
use crate::endpoint::{Endpoint, InFlight};
use crate::health::{Admission, Health, PassiveHealth};

/// An upstream as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// The name, unique in the configuration.
    pub name: String,
    /// The endpoints; no address occurs twice.
    pub endpoints: Vec<EndpointSpec>,
    /// How requests are balanced over the endpoints.
    pub balance: Balance,
    /// When failures eject an endpoint.
    pub passive_health: PassiveHealth,
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
}

/// An upstream of one snapshot. It is immutable; the mutable state is in its
/// endpoints.
#[derive(Debug)]
pub struct Upstream {
    name: Box<str>,
    members: Box<[Member]>,
    balance: Balance,
    /// None if passive health checks are off, or if there is only one endpoint:
    /// ejecting that one would only replace one failure by another.
    rule: Option<PassiveHealth>,
    /// See [`UpstreamSpec::keepalive`].
    pub keepalive: usize,
    /// See [`UpstreamSpec::idle_timeout`].
    pub idle_timeout: Duration,
    /// See [`UpstreamSpec::connect_timeout`].
    pub connect_timeout: Duration,
}

/// An endpoint of an upstream, with the settings that a reload may change.
#[derive(Debug)]
pub struct Member {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// The share of requests relative to the other endpoints, at least 1.
    pub weight: u32,
    /// The most requests in flight at once.
    pub max_connections: Option<u32>,
}

/// An endpoint chosen for a request.
#[derive(Debug)]
pub struct Picked {
    /// The endpoint's index in the upstream, for [`Tried::insert`].
    pub index: usize,
    /// The request, counted as in flight.
    pub in_flight: InFlight,
}

/// Why no endpoint could be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The upstream has no endpoints.
    Empty,
    /// Every endpoint was already tried for this request.
    Tried,
    /// No remaining endpoint has an address: its name is not resolved.
    Dns,
    /// The remaining endpoints have reached their limit of requests in flight.
    Limit,
    /// The remaining endpoints are ejected, while others are healthy.
    Unhealthy,
}

impl Upstream {
    /// Builds the upstream from existing endpoints, one for each endpoint of
    /// the spec, in its order.
    pub(crate) fn new(spec: &UpstreamSpec, endpoints: Vec<Arc<Endpoint>>) -> Self {
        let members: Box<[Member]> = spec
            .endpoints
            .iter()
            .zip(endpoints)
            .map(|(spec, endpoint)| Member {
                endpoint,
                weight: spec.weight.max(1),
                max_connections: spec.max_connections,
            })
            .collect();
        let guarded = members.len() > 1 && spec.passive_health.max_fails > 0;
        Self {
            name: spec.name.as_str().into(),
            balance: spec.balance,
            rule: guarded.then_some(spec.passive_health),
            keepalive: spec.keepalive,
            idle_timeout: spec.idle_timeout,
            connect_timeout: spec.connect_timeout,
            members,
        }
    }

    /// The name of the upstream.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The endpoints, in the order of the file.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether an endpoint of this upstream counts as up. An endpoint that is
    /// never ejected is down while its last request failed.
    pub fn is_up(&self, member: &Member) -> bool {
        match self.rule {
            Some(_) => matches!(member.endpoint.health(), Health::Healthy { .. }),
            None => member.endpoint.failing().is_none(),
        }
    }

    /// Chooses an endpoint that is not in `tried`, and counts the request as in
    /// flight there.
    ///
    /// Ejected endpoints are skipped, and one whose ejection is over is chosen
    /// for one probe. If all endpoints are ejected, all are candidates: a wrong
    /// conclusion about health must not take a whole upstream down.
    ///
    /// # Errors
    /// Why there is none. If there are several reasons, the one that the
    /// operator can act on best is returned: see the order of [`Unavailable`].
    pub fn pick(
        &self,
        cursor: &mut Cursor,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Picked, Unavailable> {
        let all_ejected = !self
            .members
            .iter()
            .any(|m| m.endpoint.is_resolved() && self.admits(m, now_ms) != Admission::No);
        // Each pass that cannot enter its choice excludes one endpoint more.
        let mut passed = tried.clone();
        loop {
            let candidates = self
                .members
                .iter()
                .enumerate()
                .filter_map(|(index, member)| {
                    let free = !passed.contains(index)
                        && member.endpoint.is_resolved()
                        && (all_ejected || self.admits(member, now_ms) != Admission::No);
                    member.candidate(index).filter(|_| free)
                });
            let Some(index) = cursor.choose(self.balance, self.members.len(), candidates) else {
                return Err(self.unavailable(tried, now_ms));
            };
            let Some(member) = self.members.get(index) else {
                return Err(Unavailable::Empty);
            };
            match self.enter(member, all_ejected, now_ms) {
                Some(in_flight) => return Ok(Picked { index, in_flight }),
                None => passed.insert(index),
            }
        }
    }

    /// Counts the request as in flight; none if another request has taken the
    /// last place or the probe meanwhile.
    fn enter(&self, member: &Member, all_ejected: bool, now_ms: u64) -> Option<InFlight> {
        let in_flight = member.endpoint.enter(member.max_connections, self.rule)?;
        let Some(rule) = &self.rule else {
            return Some(in_flight);
        };
        let health = member.endpoint.health_cell();
        match self.admits(member, now_ms) {
            Admission::Yes => Some(in_flight),
            Admission::Probe if health.claim(now_ms, rule) => Some(in_flight),
            Admission::Probe | Admission::No if all_ejected => {
                health.try_anyway(now_ms, rule);
                Some(in_flight)
            }
            Admission::Probe | Admission::No => {
                in_flight.forget();
                None
            }
        }
    }

    fn admits(&self, member: &Member, now_ms: u64) -> Admission {
        match self.rule {
            Some(_) => member.endpoint.health().admits(now_ms),
            None => Admission::Yes,
        }
    }

    /// Why there is no candidate. Called only if no endpoint could be chosen.
    fn unavailable(&self, tried: &Tried, now_ms: u64) -> Unavailable {
        if self.members.is_empty() {
            return Unavailable::Empty;
        }
        let left = || {
            let each = self.members.iter().enumerate();
            each.filter(|(index, _)| !tried.contains(*index))
                .map(|(_, m)| m)
        };
        if left().next().is_none() {
            return Unavailable::Tried;
        }
        if left().all(|m| !m.endpoint.is_resolved()) {
            return Unavailable::Dns;
        }
        let healthy = |m: &&Member| self.admits(m, now_ms) != Admission::No;
        match left()
            .filter(|m| m.endpoint.is_resolved())
            .any(|m| healthy(&m))
        {
            true => Unavailable::Limit,
            false => Unavailable::Unhealthy,
        }
    }
}

impl Member {
    /// The endpoint as a candidate, unless it has reached its limit.
    fn candidate(&self, index: usize) -> Option<Candidate> {
        let in_flight = self.endpoint.in_flight();
        let full = self.max_connections.is_some_and(|limit| in_flight >= limit);
        (!full).then_some(Candidate {
            index,
            weight: self.weight,
            in_flight,
        })
    }
}

#[cfg(test)]
mod tests;
