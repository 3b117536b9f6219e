//! What outlives a reload: endpoints, found again by identity.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ahash::{HashMap, HashMapExt as _};

use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::resolver::Resolver;
use crate::upstream::{Upstream, UpstreamSpec};

/// All endpoints that something holds: a snapshot that runs, one that is being
/// built, or a request on its way.
///
/// It holds none of them itself. So a configuration that is refused after its
/// upstreams were made leaves no trace, and nobody has to say that an endpoint
/// is gone: with the last snapshot and request that knew it, it is.
#[derive(Debug)]
pub struct Registry {
    known: Mutex<HashMap<Identity, Weak<Endpoint>>>,
    resolver: Resolver,
}

/// The upstream's name, and the address. An address in two upstreams is two
/// endpoints: one may be unwell through one and well through the other, by
/// their rules.
type Identity = (Box<str>, Address);

impl Registry {
    /// An empty registry with a resolver for its names; see [`Resolver::start`].
    ///
    /// # Errors
    /// If the resolver's thread cannot be started.
    pub fn start(hosts_file: PathBuf) -> io::Result<Self> {
        Ok(Self::new(Resolver::start(hosts_file)?))
    }

    /// An empty registry over this resolver.
    pub fn new(resolver: Resolver) -> Self {
        Self {
            known: Mutex::new(HashMap::new()),
            resolver,
        }
    }

    /// The upstreams of a new snapshot, one for each spec, in their order.
    ///
    /// An endpoint that is known by its upstream's name and its address is the
    /// same one, with its health, its requests in flight and its numbers; the
    /// others are made, and their names given to the resolver. Does not wait
    /// for it; see [`Endpoint::answered`].
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

    /// All endpoints that something holds, in no order.
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
        let endpoint = Arc::new(Endpoint::new(&identity.0, identity.1.clone()));
        if matches!(identity.1, Address::Name { .. }) {
            self.resolver.follow(&endpoint);
        }
        known.insert(identity, Arc::downgrade(&endpoint));
        endpoint
    }
}

#[cfg(test)]
mod tests;
