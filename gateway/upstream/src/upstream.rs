//! An upstream: a group of equivalent endpoints.

mod pick;
mod spec;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::admission::{Admission, Entry};
use crate::balance::Balance;
use crate::balance::ring::Ring;
use crate::endpoint::Endpoint;
use crate::group::Group;
use crate::health::PassiveHealth;
use crate::limits::Limits;
use crate::outliers::Outliers;
use crate::panic::Panic;
use crate::tier;
pub use pick::{Picked, Unavailable};
pub use spec::{EndpointSpec, UpstreamSpec};

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

    /// Requests are sent to it from now on, by its own rules. What is said of its endpoints
    /// follows them at once: one that earlier rules had ejected is not down any more, and is said to
    /// be down again when that happens the next time.
    pub fn takes_effect(&self, now_ms: u64) {
        self.group.sweep.follow(self.outliers());
        for member in &self.members {
            self.review(member, now_ms);
        }
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
}

#[cfg(test)]
mod tests;
