//! The registry of endpoints, which lets endpoints outlive a reload.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ahash::{HashMap, HashMapExt as _};

use crate::address::Address;
use crate::endpoint::Endpoint;
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
    known: Mutex<HashMap<Identity, Weak<Endpoint>>>,
    names: Names,
    resolver: Resolver,
}

/// The upstream's name, and the address. The same address in two upstreams is
/// two endpoints, because each upstream has its own rules for health.
type Identity = (Box<str>, Address);

impl Registry {
    /// An empty registry with a resolver for its names; see [`Resolver::start`].
    ///
    /// # Errors
    /// If the resolver's thread cannot be started.
    pub fn start(hosts_file: PathBuf, name_servers: Vec<SocketAddr>) -> io::Result<Self> {
        Ok(Self::new(Resolver::start(hosts_file, name_servers)?))
    }

    /// The names whose answers are endpoints.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// An empty registry that uses this resolver.
    pub fn new(resolver: Resolver) -> Self {
        Self {
            known: Mutex::new(HashMap::new()),
            names: Names::new(resolver.clone()),
            resolver,
        }
    }

    /// The upstreams of a new snapshot, one for each spec, in their order.
    ///
    /// An endpoint already known under its upstream's name and its address is
    /// reused, with its health, in-flight requests and counters. Other
    /// endpoints are created, and their names handed to the resolver. This does
    /// not wait for the resolver; see [`Endpoint::answered`].
    pub fn reconcile(&self, specs: &[UpstreamSpec]) -> Vec<Arc<Upstream>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, endpoint| endpoint.strong_count() > 0);
        let upstreams = specs.iter().map(|spec| {
            let endpoints = spec.endpoints.iter().map(|endpoint| {
                let identity = (spec.name.as_str().into(), endpoint.address.clone());
                self.find_or_make(&mut known, identity)
            });
            Arc::new(Upstream::new(spec, endpoints.collect()))
        });
        upstreams.collect()
    }

    /// All endpoints in use, in no particular order.
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().filter_map(Weak::upgrade).collect()
    }

    fn find_or_make(
        &self,
        known: &mut HashMap<Identity, Weak<Endpoint>>,
        identity: Identity,
    ) -> Arc<Endpoint> {
        if let Some(endpoint) = known.get(&identity).and_then(Weak::upgrade) {
            return endpoint;
        }
        let mut endpoint = Endpoint::new(&identity.0, identity.1.clone());
        if let Some(waker) = self.names.waker(&identity.1) {
            endpoint.wake_resolver = waker;
        }
        let endpoint = Arc::new(endpoint);
        if matches!(identity.1, Address::Name { .. }) {
            self.resolver.follow(&endpoint);
        }
        known.insert(identity, Arc::downgrade(&endpoint));
        endpoint
    }
}

#[cfg(test)]
mod tests;
