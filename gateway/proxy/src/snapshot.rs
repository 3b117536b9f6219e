//! What runs: the configuration with every name resolved, every matcher
//! compiled and every policy configured.
//!
//! A snapshot is built off the workers and published whole. It is immutable;
//! what outlives it (endpoints, buckets, counters, listening sockets) lives in
//! [`crate::estate`] and is only pointed at. Each worker makes its own
//! [`LocalSnapshot`] of it, so that a request counts no reference that another
//! worker counts too.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use janua_compress::Compression;
use janua_files::Root;
use janua_http::EncodedSlash;
use janua_http::head::Limits;
use janua_router::Router;
use janua_telemetry::metrics::Counter;
use janua_upstream::{Cursor, Upstream};
use janua_wasm::{Input, OnError, Policy, WorkerHost, WorkerPolicy};

use crate::local_policy::LocalPolicy;
use crate::stats::{RouteStats, UpstreamStats};

/// One generation of the configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts the snapshots of this process, from 1.
    pub generation: u64,
    /// By the place that the estate gave to the listener's name.
    pub(crate) listeners: Vec<Option<Listener>>,
    pub(crate) sites: Vec<Site>,
    pub(crate) policies: Vec<Arc<Policy>>,
    /// Responses that each policy made itself.
    pub(crate) answers: Vec<Arc<Counter>>,
    pub(crate) upstreams: Vec<Forwarding>,
    /// Where the request's identifier goes; empty for nowhere.
    pub(crate) request_id_header: Box<str>,
}

impl Snapshot {
    /// The policies that its routes use.
    pub fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    /// The upstreams, in the order of their names.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.iter().map(|forwarding| &forwarding.upstream)
    }

    /// The directories that routes answer from.
    pub fn roots(&self) -> impl Iterator<Item = Directory<'_>> {
        self.sites.iter().flat_map(|site| {
            site.routes
                .iter()
                .filter_map(move |route| match &route.target {
                    Target::Files(tree) => Some(Directory {
                        site: &site.name,
                        route: &route.terms.label,
                        root: &tree.root,
                    }),
                    _ => None,
                })
        })
    }

    /// How many sites and routes there are.
    pub fn size(&self) -> (usize, usize) {
        let routes = self.sites.iter().map(|site| site.routes.len()).sum();
        (self.sites.len(), routes)
    }
}

/// A directory that a route answers from.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    /// The label of its site.
    pub site: &'a str,
    /// The label of its route.
    pub route: &'a str,
    /// The directory.
    pub root: &'a Root,
}

/// What a listener's connections go by.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) trusted: Box<[IpNet]>,
    pub(crate) limits: Limits,
    pub(crate) idle_timeout: Duration,
    pub(crate) head_timeout: Duration,
    /// Fields of a response that no route made.
    pub(crate) headers: Box<[(Box<str>, Box<str>)]>,
    pub(crate) router: Router,
    /// From the router's sites to those of the snapshot.
    pub(crate) sites: Arc<[usize]>,
    /// Open connections at once, of all workers; 0 is no limit.
    pub(crate) most: usize,
    /// Answers of requests that reached no site.
    pub(crate) stats: Arc<RouteStats>,
}

impl Listener {
    /// True if what this peer says about its client is believed.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// A site and its routes.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: Arc<str>,
    pub(crate) encoded_slash: EncodedSlash,
    pub(crate) routes: Vec<Route>,
    /// Answers of requests that reached the site and no route.
    pub(crate) stats: Arc<RouteStats>,
}

/// What happens to the requests of a route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) request: Box<[Use]>,
    /// In the order in which they are asked: the reverse of the file's. So are
    /// the two that follow.
    pub(crate) fetched: Box<[Use]>,
    pub(crate) missing: Box<[Use]>,
    pub(crate) response: Box<[Use]>,
    pub(crate) target: Target,
    /// Responses are stored in the shared cache.
    pub(crate) caches: bool,
    /// A 404 of the upstream asks the policies what to serve instead.
    pub(crate) asks_missing: bool,
    /// The path that is answered with 301 to the same with a slash: `/api`.
    pub(crate) bare_path: Option<Box<[u8]>>,
    /// What tells users apart: the credentials that its policies ask for.
    pub(crate) credentials: Box<[Input]>,
    pub(crate) terms: Arc<Terms>,
}

/// What a request still needs of its route once its last policy has run. A
/// tunnel that lives for a day keeps this, and not the snapshot.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) site: Arc<str>,
    pub(crate) label: Box<str>,
    pub(crate) max_body: u64,
    /// Policies decide about requests: a trailer, which none of them sees, could
    /// say what they took out of the head or put into it.
    pub(crate) drops_trailers: bool,
    /// As in [`Snapshot`].
    pub(crate) request_id_header: Box<str>,
    /// Between two reads or writes.
    pub(crate) idle_timeout: Option<Duration>,
    /// From the head to the last byte.
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) access_log: bool,
    /// Responses are compressed like this.
    pub(crate) compression: Option<Arc<Compression>>,
    /// Every answer says what the cache did.
    pub(crate) cache_status: bool,
    pub(crate) stats: Arc<RouteStats>,
}

/// One use of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// Its place among the snapshot's policies.
    pub(crate) policy: usize,
    pub(crate) on_error: OnError,
}

/// What answers.
#[derive(Debug)]
pub(crate) enum Target {
    Upstream(To),
    Files(Tree),
    Respond(Fixed),
    Redirect {
        status: u16,
        to: Box<[LocationPart]>,
    },
}

/// Files below a directory.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) root: Root,
    /// Taken off the front of the path.
    pub(crate) strip_prefix: Option<Arc<str>>,
}

/// Which upstream, and what of the request it sees.
#[derive(Debug)]
pub(crate) struct To {
    /// Stands for all that the route makes of a request and of the response
    /// that is stored: the upstream, its `Host`, the prefix that is taken off,
    /// the policies of the phase `fetched`. It is part of the cache key, so that
    /// routes that differ there share nothing; names of routes are not in it,
    /// so that a reload which renames one loses nothing.
    pub(crate) cache_scope: [u8; 8],
    /// Its place among the snapshot's upstreams.
    pub(crate) upstream: usize,
    pub(crate) host: HostField,
    /// Taken off the front of the path.
    pub(crate) strip_prefix: Option<Arc<str>>,
    /// Endpoints that are tried at most.
    pub(crate) attempts: usize,
}

/// The `Host` that an upstream gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostField {
    /// The client's.
    Preserve,
    /// The endpoint's own address, as configured.
    Endpoint,
    /// This.
    Fixed(Arc<str>),
}

/// A response written in the configuration.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    pub(crate) status: u16,
    pub(crate) headers: Box<[(Box<str>, Box<str>)]>,
    pub(crate) body: Box<[u8]>,
}

/// A piece of a redirect's `Location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LocationPart {
    Literal(Box<str>),
    Scheme,
    Host,
    Path,
    /// With its `?`; empty if there is none.
    Query,
}

/// An upstream and how requests are sent to it.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) response_limits: Limits,
    pub(crate) response_head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) stats: Arc<UpstreamStats>,
}

/// A worker's own handle on a snapshot.
pub(crate) struct LocalSnapshot {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) routers: Vec<Option<Router>>,
    pub(crate) policies: Vec<Rc<LocalPolicy>>,
    pub(crate) upstreams: Vec<Rc<LocalUpstream>>,
    /// By site and route.
    pub(crate) terms: Vec<Vec<Rc<LocalTerms>>>,
}

/// A worker's own handle on a route's terms.
pub(crate) struct LocalTerms(pub(crate) Arc<Terms>);

impl std::ops::Deref for LocalTerms {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.0
    }
}

/// A worker's own handle on an upstream. A request that is sent keeps this,
/// and not the snapshot.
pub(crate) struct LocalUpstream {
    pub(crate) cursor: RefCell<Cursor>,
    pub(crate) forwarding: Forwarding,
}

impl LocalUpstream {
    fn new(forwarding: &Forwarding) -> Rc<Self> {
        Rc::new(Self {
            cursor: RefCell::new(Cursor::new()),
            forwarding: forwarding.clone(),
        })
    }
}

impl LocalSnapshot {
    /// Takes over a snapshot. A policy that both generations have keeps its
    /// memo and its instance.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        host: &Rc<WorkerHost>,
        previous: Option<&Self>,
    ) -> Self {
        let kept = |policy: &Arc<Policy>| {
            let local = previous?.policies.iter();
            local
                .clone()
                .find(|local| Arc::ptr_eq(local.worker.borrow().policy(), policy))
                .cloned()
        };
        let policies = snapshot.policies.iter().map(|policy| {
            kept(policy).unwrap_or_else(|| {
                Rc::new(LocalPolicy::new(WorkerPolicy::new(
                    Arc::clone(policy),
                    Rc::clone(host),
                )))
            })
        });
        let local_terms = |route: &Route| Rc::new(LocalTerms(Arc::clone(&route.terms)));
        Self {
            policies: policies.collect(),
            routers: snapshot
                .listeners
                .iter()
                .map(|listener| listener.as_ref().map(|listener| listener.router.clone()))
                .collect(),
            upstreams: snapshot.upstreams.iter().map(LocalUpstream::new).collect(),
            terms: snapshot
                .sites
                .iter()
                .map(|site| site.routes.iter().map(local_terms).collect())
                .collect(),
            snapshot,
        }
    }

    /// The settings of a listener; none if this generation has dropped it.
    pub(crate) fn listener(&self, place: usize) -> Option<&Listener> {
        self.snapshot.listeners.get(place)?.as_ref()
    }
}
