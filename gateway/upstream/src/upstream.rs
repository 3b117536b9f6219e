//! An upstream: a group of equivalent endpoints, and the choice among them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::address::Address;
use crate::admission::{Admission, Entry};
use crate::balance::ring::Ring;
use crate::balance::{Affinity, Balance};
use crate::cursor::Cursor;
use crate::endpoint::{Endpoint, InFlight};
use crate::group::Group;
use crate::health::PassiveHealth;
use crate::limits::{Limit, Limits, Unanswered};
use crate::outliers::Outliers;
use crate::panic::Panic;
use crate::tier;
use crate::tried::Tried;

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

/// An upstream of one snapshot. It is immutable; the mutable state is in its
/// endpoints.
#[derive(Debug)]
pub struct Upstream {
    group: Arc<Group>,
    members: Box<[Member]>,
    is_checked: bool,
    balance: Balance,
    /// How long the share of an endpoint grows that has come up; 0 for no growth.
    slow_start_ms: u64,
    /// The ring that was used last.
    ring: Mutex<Arc<Ring>>,
    /// None if passive health checks are off, or if there is only one endpoint:
    /// ejecting that one would only replace one failure by another.
    rule: Option<PassiveHealth>,
    /// The same holds for it.
    outliers: Option<Outliers>,
    panic: Panic,
    limits: Limits,
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
    /// Whether it gets requests only if no other endpoint can.
    pub is_backup: bool,
    /// Where it is.
    pub zone: Option<Box<str>>,
    /// Whether that is where the gateway is.
    pub is_local: bool,
}

/// An endpoint chosen for a request.
#[derive(Debug)]
pub struct Picked {
    /// The endpoint's index in the upstream, for [`Tried::insert`].
    pub index: usize,
    /// The request, counted as in flight.
    pub in_flight: InFlight,
    /// The same, until the head of the response has arrived; none without an adaptive
    /// limit.
    pub unanswered: Option<Unanswered>,
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
    /// The remaining endpoints are draining.
    Draining,
    /// The upstream has reached this limit.
    Overloaded(Limit),
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

impl Upstream {
    /// Builds the upstream from existing endpoints, one for each endpoint of
    /// the spec, in its order.
    pub(crate) fn new(
        spec: &UpstreamSpec,
        group: Arc<Group>,
        endpoints: Vec<Arc<Endpoint>>,
    ) -> Self {
        let zone = spec.zone.as_deref();
        let members: Box<[Member]> = spec
            .endpoints
            .iter()
            .zip(endpoints)
            .map(|(spec, endpoint)| Member {
                endpoint,
                weight: spec.weight.max(1),
                max_connections: spec.max_connections,
                is_backup: spec.backup,
                is_local: zone.is_some() && spec.zone.as_deref() == zone,
                zone: spec.zone.as_deref().map(Into::into),
            })
            .collect();
        let is_one_of_several = members.len() > 1;
        let guarded = is_one_of_several && spec.passive_health.max_fails > 0;
        let upstream = Self {
            group,
            is_checked: spec.is_checked,
            balance: spec.balance,
            slow_start_ms: u64::try_from(spec.slow_start.as_millis()).unwrap_or(u64::MAX),
            ring: Mutex::default(),
            rule: guarded.then_some(spec.passive_health),
            outliers: spec.outliers.filter(|_| is_one_of_several),
            panic: spec.panic,
            limits: spec.limits,
            keepalive: spec.keepalive,
            idle_timeout: spec.idle_timeout,
            connect_timeout: spec.connect_timeout,
            members,
        };
        if let Balance::Hash { .. } = upstream.balance {
            // Made here, so that no request waits for it.
            upstream.ring();
        }
        upstream
    }

    /// The name of the upstream.
    pub fn name(&self) -> &str {
        self.group.name()
    }

    /// The endpoints, in the order of the file.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What its endpoints share.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Whether its endpoints are checked actively.
    pub fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// When failures of requests eject an endpoint; none if they do not.
    pub(crate) fn rule(&self) -> Option<&PassiveHealth> {
        self.rule.as_ref()
    }

    /// When outliers are ejected; none if they are not.
    pub fn outliers(&self) -> Option<&Outliers> {
        self.outliers.as_ref()
    }

    /// When endpoints are tried although they are ejected.
    pub(crate) fn panic(&self) -> Panic {
        self.panic
    }

    /// How much of it may be used at once.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How requests are balanced.
    pub(crate) fn balance(&self) -> Balance {
        self.balance
    }

    /// The weight of an endpoint at this time, in parts of a configured one, and until when it is
    /// that.
    pub(crate) fn weight(&self, member: &Member, now_ms: u64) -> (u64, u64) {
        let whole = u64::from(member.current_weight()).max(1) * tier::UNIT;
        let rise = member.endpoint.rise();
        rise.weight(whole, self.slow_start_ms, now_ms)
    }

    /// The ring of all endpoints that are no backups, with their weights now. A worker makes it anew
    /// only after a command has changed a weight.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        let weight = |member: &Member| match member.is_backup {
            true => 0,
            false => member.current_weight(),
        };
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if !ring.has(self.members.iter().map(weight)) {
            let addresses: Vec<String> = self
                .members
                .iter()
                .map(|member| member.endpoint.address().to_string())
                .collect();
            let members = self.members.iter().map(weight);
            let endpoints = addresses.iter().map(String::as_str).zip(members);
            *ring = Arc::new(Ring::new(endpoints));
        }
        Arc::clone(&ring)
    }

    /// Which requests an endpoint of this upstream gets. This is the one place that decides it.
    /// Whoever changes what it depends on calls [`Group::change`] afterwards.
    pub fn admission(&self, member: &Member, now_ms: u64) -> Admission {
        let endpoint = &member.endpoint;
        if !endpoint.is_resolved() {
            return Admission::for_good(Entry::Closed);
        }
        let admission = self.eligibility(member, now_ms);
        if !member.is_draining() {
            return admission;
        }
        let entry = match admission.entry {
            Entry::Open | Entry::Probe | Entry::Sessions => Entry::Sessions,
            Entry::LastResort | Entry::Closed => Entry::Closed,
        };
        Admission { entry, ..admission }
    }

    /// Chooses an endpoint for a request that no other is tied to. See [`Self::pick_for`].
    ///
    /// # Errors
    /// Why there is none.
    pub fn pick(
        &self,
        cursor: &mut Cursor,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Picked, Unavailable> {
        self.pick_for(cursor, &Affinity::default(), tried, now_ms)
    }

    /// Chooses an endpoint that is not in `tried`, and counts the request as in
    /// flight there.
    ///
    /// The endpoint of the request's session is chosen if that is possible.
    /// Ejected endpoints are skipped, and one whose ejection is over is chosen
    /// for one probe. If all endpoints are ejected, all are candidates: a wrong
    /// conclusion about health must not take a whole upstream down.
    ///
    /// # Errors
    /// Why there is none. If there are several reasons, the one that the
    /// operator can act on best is returned: see the order of [`Unavailable`].
    pub fn pick_for(
        &self,
        cursor: &mut Cursor,
        affinity: &Affinity,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<Picked, Unavailable> {
        self.check_requests().map_err(Unavailable::Overloaded)?;
        let unanswered = self.begin_unanswered().map_err(Unavailable::Overloaded)?;
        let (index, in_flight) = self.choose(cursor, affinity, tried, now_ms)?;
        if self.has_too_many_requests() {
            in_flight.forget();
            return Err(Unavailable::Overloaded(Limit::Requests));
        }
        Ok(Picked {
            index,
            in_flight,
            unanswered,
        })
    }

    fn choose(
        &self,
        cursor: &mut Cursor,
        affinity: &Affinity,
        tried: &Tried,
        now_ms: u64,
    ) -> Result<(usize, InFlight), Unavailable> {
        cursor.refresh(self, now_ms);
        if let Some(picked) = self.of_session(cursor, affinity, tried, now_ms) {
            return Ok(picked);
        }
        // Each pass that cannot enter its choice excludes one endpoint more.
        let mut passed = tried.clone();
        for tier in 0..cursor.tiers().len() {
            loop {
                let usable =
                    |index: usize, member: &Member| !passed.contains(index) && !member.is_full();
                let Some(index) = cursor.choose(self, tier, affinity, now_ms, usable) else {
                    break;
                };
                let is_last_resort = cursor.is_last_resort(tier);
                let member = self.members.get(index);
                match member.and_then(|member| self.enter(member, is_last_resort, now_ms)) {
                    Some(in_flight) => return Ok((index, in_flight)),
                    None => passed.insert(index),
                }
            }
        }
        Err(self.unavailable(tried, now_ms))
    }

    /// The endpoint of the request's session, if it may be chosen.
    fn of_session(
        &self,
        cursor: &Cursor,
        affinity: &Affinity,
        tried: &Tried,
        now_ms: u64,
    ) -> Option<(usize, InFlight)> {
        let index = affinity.session.filter(|index| !tried.contains(*index))?;
        let member = self.members.get(index).filter(|it| !it.is_full())?;
        // If all endpoints are ejected, it is as good as any other.
        let is_last_resort = cursor.is_last_resort(0);
        let is_admitted = match self.admission(member, now_ms).entry {
            Entry::Open | Entry::Probe | Entry::Sessions => true,
            Entry::LastResort => is_last_resort,
            Entry::Closed => false,
        };
        let in_flight = is_admitted.then(|| self.enter(member, is_last_resort, now_ms))??;
        Some((index, in_flight))
    }

    /// Counts the request as in flight; none if another request has taken the
    /// last place or the probe meanwhile.
    fn enter(&self, member: &Member, is_last_resort: bool, now_ms: u64) -> Option<InFlight> {
        let observes = self.balance == Balance::Latency;
        let in_flight = member
            .endpoint
            .enter(member.max_connections, self.rule, observes)?;
        if !self.claim(member, is_last_resort, now_ms) {
            in_flight.forget();
            return None;
        }
        Some(in_flight)
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
        let resolved = || left().filter(|m| m.endpoint.is_resolved());
        if resolved().any(|m| self.admission(m, now_ms).entry.is_eligible()) {
            Unavailable::Limit
        } else if resolved().all(Member::is_draining) {
            Unavailable::Draining
        } else {
            Unavailable::Unhealthy
        }
    }
}

impl Member {
    /// The weight that the endpoint has now: the configured one, unless a command has set
    /// another.
    pub fn current_weight(&self) -> u32 {
        self.endpoint.commanded_weight().unwrap_or(self.weight)
    }

    /// Whether it is to become idle: it was drained, or a command has given it a weight of 0.
    pub fn is_draining(&self) -> bool {
        self.endpoint.is_draining() || self.current_weight() == 0
    }

    /// Whether it has reached its limit of requests in flight.
    fn is_full(&self) -> bool {
        let most = self.max_connections;
        most.is_some_and(|most| self.endpoint.in_flight() >= most)
    }
}

#[cfg(test)]
mod tests;
