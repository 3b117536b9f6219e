//! An upstream: endpoints that answer for one another, and the choice among
//! them.

use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::balance::{Balance, Candidate, Cursor, Tried};
use crate::endpoint::{Endpoint, InFlight};
use crate::health::{Admission, Health, PassiveHealth};

/// An upstream as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// Its name, unique in the configuration.
    pub name: String,
    /// Its endpoints, no address twice.
    pub endpoints: Vec<EndpointSpec>,
    /// How requests are spread over them.
    pub balance: Balance,
    /// When failures put an endpoint out.
    pub passive_health: PassiveHealth,
    /// Idle connections that each worker keeps to each endpoint; 0 keeps none.
    pub keepalive: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How long connecting to an endpoint may take, over all its addresses.
    pub connect_timeout: Duration,
}

/// An endpoint as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Where it is.
    pub address: Address,
    /// Its share beside the others; 0 counts as 1.
    pub weight: u32,
    /// Requests that may be in flight at once, of all workers; none: no limit.
    pub max_connections: Option<u32>,
}

/// An upstream of one snapshot. Immutable; what changes is in its endpoints.
#[derive(Debug)]
pub struct Upstream {
    name: Box<str>,
    members: Box<[Member]>,
    balance: Balance,
    /// None if it is off, or if there is but one endpoint: to put that one out
    /// would only turn a failure into another.
    rule: Option<PassiveHealth>,
    /// See [`UpstreamSpec::keepalive`].
    pub keepalive: usize,
    /// See [`UpstreamSpec::idle_timeout`].
    pub idle_timeout: Duration,
    /// See [`UpstreamSpec::connect_timeout`].
    pub connect_timeout: Duration,
}

/// An endpoint within an upstream, with what a reload may change.
#[derive(Debug)]
pub struct Member {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Its share beside the others, at least 1.
    pub weight: u32,
    /// Requests that may be in flight at once.
    pub max_connections: Option<u32>,
}

/// An endpoint that was chosen for a request.
#[derive(Debug)]
pub struct Picked {
    /// Its place in the upstream, for [`Tried::insert`].
    pub index: usize,
    /// The request, counted in.
    pub in_flight: InFlight,
}

/// Why no endpoint could be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// The upstream has no endpoints.
    Empty,
    /// Every endpoint that could be chosen was tried already.
    Tried,
    /// No endpoint that is left has an address: its name was not resolved.
    Dns,
    /// Those that are left have as many requests in flight as they may have.
    Limit,
    /// Those that are left are out, and others are not.
    Unhealthy,
}

impl Upstream {
    /// Builds the upstream over endpoints that are there already, one for each
    /// of the spec's, in its order.
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

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its endpoints, in the order of the file.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether one of its endpoints is taken to be well. One that is never held
    /// back is not while its last request failed.
    pub fn is_up(&self, member: &Member) -> bool {
        match self.rule {
            Some(_) => matches!(member.endpoint.health(), Health::In { .. }),
            None => member.endpoint.failing().is_none(),
        }
    }

    /// Chooses an endpoint that `tried` does not name, and counts the request
    /// in there.
    ///
    /// Endpoints that are out are passed over, and one whose time is up is
    /// chosen for one probe. If all are out, all are tried: a wrong guess about
    /// health must not take a whole upstream down.
    ///
    /// # Errors
    /// Why there is none. The fault that the operator can do most about is
    /// named first: see the order of [`Unavailable`].
    pub fn pick(
        &self,
        cursor: &mut Cursor,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Picked, Unavailable> {
        let all_out = !self
            .members
            .iter()
            .any(|m| m.endpoint.is_resolved() && self.admits(m, now_ms) != Admission::No);
        // Each turn that finds no way in takes one endpoint off the list.
        let mut passed = tried.clone();
        loop {
            let candidates = self
                .members
                .iter()
                .enumerate()
                .filter_map(|(index, member)| {
                    let free = !passed.contains(index)
                        && member.endpoint.is_resolved()
                        && (all_out || self.admits(member, now_ms) != Admission::No);
                    member.candidate(index).filter(|_| free)
                });
            let Some(index) = cursor.choose(self.balance, self.members.len(), candidates) else {
                return Err(self.unavailable(tried, now_ms));
            };
            let Some(member) = self.members.get(index) else {
                return Err(Unavailable::Empty);
            };
            match self.enter(member, all_out, now_ms) {
                Some(in_flight) => return Ok(Picked { index, in_flight }),
                None => passed.insert(index),
            }
        }
    }

    /// Counts the request in; none if the last place or the probe went to
    /// another request in between.
    fn enter(&self, member: &Member, all_out: bool, now_ms: u64) -> Option<InFlight> {
        let in_flight = member.endpoint.enter(member.max_connections, self.rule)?;
        let Some(rule) = &self.rule else {
            return Some(in_flight);
        };
        let health = member.endpoint.health_cell();
        match self.admits(member, now_ms) {
            Admission::Yes => Some(in_flight),
            Admission::Probe if health.claim(now_ms, rule) => Some(in_flight),
            Admission::Probe | Admission::No if all_out => {
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

    /// Asked only when there was nothing to choose.
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
    /// As one that may be chosen, unless it is full.
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
