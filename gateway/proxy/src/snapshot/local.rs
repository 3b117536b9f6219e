//! A worker's own handles on a snapshot and its parts, so that requests on different workers share
//! no reference count.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use janua_datasets::Datasets;
use janua_router::Router;
use janua_upstream::Cursor;
use janua_wasm::{Policy, PolicyId, WorkerHost, WorkerPolicy};

use crate::client_limits::ClientLimits;
use crate::local_policy::LocalPolicy;
use crate::retries::HedgeDelay;

use super::Snapshot;
use super::forwarding::Forwarding;
use super::listener::Listener;
use super::route::{Route, Terms};

/// A worker's own handle on a snapshot.
pub(crate) struct LocalSnapshot {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) routers: Vec<Option<Router>>,
    /// By listener.
    pub(crate) client_limits: Vec<Option<Rc<ClientLimits>>>,
    pub(crate) policies: Vec<Rc<LocalPolicy>>,
    pub(crate) upstreams: Vec<Rc<LocalUpstream>>,
    /// By site and route.
    pub(crate) terms: Vec<Vec<Rc<LocalTerms>>>,
}

/// A worker's own handle on a route's terms.
pub(crate) struct LocalTerms {
    terms: Arc<Terms>,
    /// The policies that are asked when an exchange has ended, in their order.
    pub(crate) finished: Box<[Rc<LocalPolicy>]>,
}

/// A worker's own handle on an upstream. A request that is being sent holds this, and not
/// the snapshot.
pub(crate) struct LocalUpstream {
    pub(crate) cursor: RefCell<Cursor>,
    pub(crate) hedge_delay: HedgeDelay,
    pub(crate) forwarding: Forwarding,
}

impl LocalSnapshot {
    /// The handle on a snapshot of the worker with this index. A policy that the previous
    /// snapshot also has keeps its memo and its instance; the instances of the others are
    /// ready.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        host: &Rc<WorkerHost>,
        worker: usize,
        previous: Option<&Self>,
    ) -> Self {
        let upstreams = local_upstreams(&snapshot, previous);
        let previous = previous.map_or(&[][..], |previous| &previous.policies);
        let known: HashMap<PolicyId, &Rc<LocalPolicy>> = previous
            .iter()
            .map(|local| (local.worker.borrow().policy().id(), local))
            .collect();
        let local_policy = |policy: &Arc<Policy>| match known.get(&policy.id()) {
            Some(local) => Rc::clone(local),
            None => Rc::new(LocalPolicy::new(WorkerPolicy::new(
                Arc::clone(policy),
                Rc::clone(host),
            ))),
        };
        let policies: Vec<Rc<LocalPolicy>> = snapshot.policies.iter().map(local_policy).collect();
        host.adopt(&snapshot.prepared, worker);
        let client_limits = |listener: &Option<Listener>| {
            let limits = listener.as_ref()?.client_limits.clone();
            limits.map(Rc::new)
        };
        let local_terms = |route: &Route| {
            let finished = route.finished.iter();
            let finished = finished.filter_map(|used| policies.get(used.policy).cloned());
            Rc::new(LocalTerms {
                terms: Arc::clone(&route.terms),
                finished: finished.collect(),
            })
        };
        Self {
            routers: snapshot
                .listeners
                .iter()
                .map(|listener| listener.as_ref().map(|listener| listener.router.clone()))
                .collect(),
            client_limits: snapshot.listeners.iter().map(client_limits).collect(),
            upstreams,
            terms: snapshot
                .sites
                .iter()
                .map(|site| site.routes.iter().map(local_terms).collect())
                .collect(),
            policies,
            snapshot,
        }
    }

    /// The upstream with this name.
    pub(crate) fn upstream(&self, name: &str) -> Option<&Rc<LocalUpstream>> {
        let mut upstreams = self.upstreams.iter();
        upstreams.find(|upstream| upstream.forwarding.upstream.name() == name)
    }

    /// The datasets in which policies look keys up.
    pub(crate) fn datasets(&self) -> &Datasets {
        &self.snapshot.datasets
    }

    /// The settings of a listener; none if this snapshot no longer has it.
    pub(crate) fn listener(&self, place: usize) -> Option<&Listener> {
        self.snapshot.listeners.get(place)?.as_ref()
    }

    /// What a client may take of a listener; none if nothing is limited.
    pub(crate) fn client_limits(&self, place: usize) -> Option<&Rc<ClientLimits>> {
        self.client_limits.get(place)?.as_ref()
    }
}

impl Deref for LocalTerms {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.terms
    }
}

impl LocalUpstream {
    fn new(forwarding: &Forwarding) -> Rc<Self> {
        Rc::new(Self {
            cursor: RefCell::new(Cursor::new()),
            hedge_delay: HedgeDelay::default(),
            forwarding: forwarding.clone(),
        })
    }
}

/// The handles on the upstreams of a snapshot. Those of an upstream that a snapshot shares with the
/// previous one, because only other upstreams have other endpoints, are the same.
fn local_upstreams(
    snapshot: &Snapshot,
    previous: Option<&LocalSnapshot>,
) -> Vec<Rc<LocalUpstream>> {
    let upstreams = snapshot.upstreams.iter().enumerate();
    let local = upstreams.map(|(place, forwarding)| {
        let known = previous.and_then(|previous| previous.upstreams.get(place));
        let is_same =
            |it: &&Rc<LocalUpstream>| Arc::ptr_eq(&it.forwarding.upstream, &forwarding.upstream);
        let same = known.filter(is_same);
        same.map_or_else(|| LocalUpstream::new(forwarding), Rc::clone)
    });
    local.collect()
}
