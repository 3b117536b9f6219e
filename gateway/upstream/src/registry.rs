//! The registry of endpoints, which lets endpoints outlive a reload.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ahash::HashMap;

use crate::address::Address;
use crate::condition::{Observed, Observer};
use crate::endpoint::Endpoint;
use crate::group::Group;
use crate::names::Names;
use crate::resolver::Resolver;
use crate::upstream::{Upstream, UpstreamSpec};

/// All endpoints in use: by the running snapshot, by one that is being built,
/// or by a request in flight.
///
/// The registry holds weak references only. A configuration that is refused
/// after its upstreams were created therefore leaves nothing behind, and no
/// endpoint has to be removed explicitly: it ends with the last snapshot or
/// request that uses it.
#[derive(Debug)]
pub struct Registry {
    known: Mutex<Known>,
    names: Names,
    resolver: Resolver,
    observed: Arc<Observed>,
}

#[derive(Debug, Default)]
struct Known {
    endpoints: HashMap<Identity, Weak<Endpoint>>,
    /// By the upstream's name.
    groups: HashMap<Box<str>, Arc<Group>>,
    /// Requests are being sent.
    is_running: bool,
}

/// The upstream's name, and the address. The same address in two upstreams is
/// two endpoints, because each upstream has its own rules for health.
type Identity = (Box<str>, Address);

impl Registry {
    /// An empty registry with a resolver for its names; see [`Resolver::start`].
    ///
    /// # Errors
    /// If the resolver's thread cannot be started.
    pub fn start(hosts_file: PathBuf) -> io::Result<Self> {
        Self::start_asking(hosts_file, Vec::new())
    }

    /// The same with a resolver that asks these name servers.
    ///
    /// # Errors
    /// If the resolver's thread cannot be started.
    pub fn start_asking(hosts_file: PathBuf, name_servers: Vec<SocketAddr>) -> io::Result<Self> {
        Ok(Self::new(Resolver::start_asking(hosts_file, name_servers)?))
    }

    /// The names whose answers are endpoints.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// An empty registry that uses this resolver.
    pub fn new(resolver: Resolver) -> Self {
        Self {
            known: Mutex::default(),
            names: Names::new(resolver.clone()),
            resolver,
            observed: Arc::default(),
        }
    }

    /// Tells this observer from now on when an endpoint goes down or comes back. Only the first
    /// observer counts.
    pub fn observe(&self, observer: Observer) {
        self.observed.set(observer);
    }

    /// The upstreams of a new snapshot, one for each spec, in their order.
    ///
    /// An endpoint already known under its upstream's name and its address is
    /// reused, with its health, in-flight requests and counters. Other
    /// endpoints are created, and their names handed to the resolver. This does
    /// not wait for the resolver; see [`Endpoint::answered`].
    pub fn reconcile(&self, specs: &[UpstreamSpec]) -> Vec<Arc<Upstream>> {
        let mut known = self.known();
        let known = &mut *known;
        known
            .endpoints
            .retain(|_, endpoint| endpoint.strong_count() > 0);
        known
            .groups
            .retain(|_, group| Arc::strong_count(group) > 1 || group.has_drained());
        let upstreams = specs.iter().map(|spec| {
            let name: Box<str> = spec.name.as_str().into();
            let group = known.groups.entry(name);
            let group = group.or_insert_with(|| {
                let observed = Arc::clone(&self.observed);
                Group::observed_by(&spec.name, observed)
            });
            let group = Arc::clone(group);
            let endpoints = spec.endpoints.iter().map(|endpoint| {
                let known_endpoints = &mut known.endpoints;
                let (address, is_checked) = (&endpoint.address, spec.is_checked);
                let (endpoint, is_new) =
                    self.find_or_make(known_endpoints, &group, address, is_checked);
                if is_new && known.is_running {
                    endpoint.rises();
                }
                endpoint
            });
            let endpoints = endpoints.collect();
            Arc::new(Upstream::new(spec, group, endpoints))
        });
        upstreams.collect()
    }

    /// All endpoints in use, in no particular order.
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        let known = self.known();
        known.endpoints.values().filter_map(Weak::upgrade).collect()
    }

    /// Records that requests are sent from now on. Until then all endpoints are equally cold, and
    /// there is no slow start.
    pub fn runs(&self) {
        self.known().is_running = true;
    }

    /// The endpoints that were taken out ([`Endpoint::drain`]), with the names of their upstreams, also
    /// those that no configuration has any more. By upstream, in the order in which they were taken
    /// out.
    pub fn drained(&self) -> Vec<(Box<str>, Address)> {
        let known = self.known();
        let mut groups: Vec<&Arc<Group>> = known.groups.values().collect();
        groups.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        let of_group = |group: &Arc<Group>| {
            let name: Box<str> = group.name().into();
            let drained = group.all_drained().into_iter();
            drained.map(move |address| (name.clone(), address))
        };
        groups.into_iter().flat_map(of_group).collect()
    }

    /// Lets those endpoints of an upstream in again that were taken out and are meant, even if there
    /// is no such endpoint at the moment. Returns their addresses.
    pub fn undrain(&self, upstream: &str, is_meant: impl Fn(&Address) -> bool) -> Vec<Address> {
        // Locked all the time: a snapshot that is being built may bring the endpoint back.
        let known = self.known();
        let Some(group) = known.groups.get(upstream) else {
            return Vec::new();
        };
        let drained = group.all_drained().into_iter();
        let meant: Vec<Address> = drained.filter(is_meant).collect();
        for address in &meant {
            let identity: Identity = (upstream.into(), address.clone());
            match known.endpoints.get(&identity).and_then(Weak::upgrade) {
                Some(endpoint) => endpoint.drain(false),
                None => group.remember_drained(address, false, || ()),
            }
        }
        meant
    }

    /// Gives all endpoints their configured weights back. Called after a reload.
    pub fn forget_weights(&self) {
        for endpoint in self.endpoints() {
            endpoint.set_weight(None);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_or_make(
        &self,
        known: &mut HashMap<Identity, Weak<Endpoint>>,
        group: &Arc<Group>,
        address: &Address,
        is_checked: bool,
    ) -> (Arc<Endpoint>, bool) {
        let identity = (group.name().into(), address.clone());
        if let Some(endpoint) = known.get(&identity).and_then(Weak::upgrade) {
            return (endpoint, false);
        }
        let mut endpoint = Endpoint::new(group, address.clone());
        if let Some(waker) = self.names.waker(address) {
            endpoint.wake_resolver = waker;
        }
        let endpoint = Arc::new(endpoint);
        if is_checked {
            endpoint.await_first_pass();
        }
        if matches!(address, Address::Name { .. }) {
            self.resolver.follow(&endpoint);
        }
        known.insert(identity, Arc::downgrade(&endpoint));
        (endpoint, true)
    }
}

#[cfg(test)]
mod tests;
