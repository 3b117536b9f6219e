//! The configuration in the form that requests use: every name resolved, every matcher
//! compiled and every policy configured.
//!
//! A snapshot is built outside the workers and published as a whole. It is immutable;
//! what outlives it (endpoints, buckets, counters, listening sockets) is owned by
//! [`crate::estate`] and only referenced here. Each worker has its own [`LocalSnapshot`]
//! of it, so that requests on different workers share no reference count.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::path_rules::PathRules;
use ipnet::IpNet;
use janua_compress::Compression;
use janua_config::Diagnostic;
use janua_datasets::Datasets;
use janua_files::Root;
use janua_http::head::Limits;
use janua_router::Router;
use janua_secrets::Secrets;
use janua_telemetry::metrics::Counter;
use janua_upstream::split::Draw;
use janua_upstream::{Cursor, Upstream};
use janua_wasm::{Input, OnError, Policy, PolicyId, Prepared, WorkerHost, WorkerPolicy};

use crate::certificates::ServedCertificate;
use crate::client_limits::ClientLimits;
use crate::discovery::Discovery;
use crate::handshake::ListenerTls;
use crate::head_edits::HeadEdits;
use crate::hidden_query::HiddenQuery;
use crate::http2_settings::Http2Settings;
use crate::local_policy::LocalPolicy;
use crate::location::Location;
use crate::min_rate::MinRates;
use crate::owned::Owned;
use crate::prefix::PrefixEdit;
use crate::retries::{HedgeDelay, Retries};
use crate::stats::{ChoiceStats, Configured, MirrorStats, RouteStats, UpstreamStats};
use crate::sticky::Sticky;
use crate::template::Template;
use crate::upstream_http2::{Protocol, Sharing};
use crate::upstream_tls::UpstreamTls;

/// One generation of the configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// The number of the snapshot in this process, from 1.
    pub generation: u64,
    /// Indexed by the number that the estate assigned to the listener's name.
    pub(crate) listeners: Arc<[Option<Listener>]>,
    pub(crate) sites: Arc<[Site]>,
    pub(crate) policies: Vec<Arc<Policy>>,
    /// The instances of policies that are ready for the workers.
    pub(crate) prepared: Prepared,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) datasets: Arc<Datasets>,
    /// For each policy, the counter of responses that it made itself.
    pub(crate) answers: Vec<Arc<Counter>>,
    pub(crate) upstreams: Vec<Forwarding>,
    /// The active checks of each upstream.
    pub(crate) checks: Vec<Option<Arc<janua_health::Check>>>,
    pub(crate) certificates: Arc<[ServedCertificate]>,
    /// The field that carries the request's identifier; empty for none.
    pub(crate) request_id_header: Box<str>,
    /// Fields that are removed from every request, whoever sends it.
    pub(crate) internal_headers: Box<[Box<str>]>,
    /// What an operator should know of the configuration although it is accepted.
    pub warnings: Vec<Diagnostic>,
}

impl Snapshot {
    /// Another snapshot of the same configuration, which shares all that was compiled.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            generation: self.generation,
            listeners: Arc::clone(&self.listeners),
            sites: Arc::clone(&self.sites),
            policies: self.policies.clone(),
            // The workers have them.
            prepared: Prepared::default(),
            secrets: Arc::clone(&self.secrets),
            datasets: Arc::clone(&self.datasets),
            answers: self.answers.clone(),
            upstreams: self.upstreams.clone(),
            checks: self.checks.clone(),
            certificates: Arc::clone(&self.certificates),
            request_id_header: self.request_id_header.clone(),
            internal_headers: self.internal_headers.clone(),
            warnings: Vec::new(),
        }
    }

    /// The policies that the routes use.
    pub fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    /// The secrets that the policies use.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// The datasets that the policies use.
    pub fn datasets(&self) -> &Arc<Datasets> {
        &self.datasets
    }

    /// The upstreams, in the order of their names.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> + Clone {
        self.upstreams.iter().map(|forwarding| &forwarding.upstream)
    }

    /// The upstreams with their active checks.
    pub(crate) fn checked(&self) -> impl Iterator<Item = janua_health::Assignment> {
        let upstreams = self.upstreams().map(Arc::clone);
        upstreams.zip(self.checks.iter().cloned())
    }

    /// The longest time that a single active check may take.
    pub fn longest_check(&self) -> Duration {
        let checks = self.checks.iter().flatten();
        checks
            .map(|check| check.timing.timeout)
            .max()
            .unwrap_or_default()
    }

    /// Whether some endpoint waits for the result of its first active check.
    pub fn awaits_checks(&self) -> bool {
        self.checked()
            .any(|assignment| janua_health::awaits_first_result(&assignment))
    }

    /// The certificates of the sites, and those that upstreams are shown, each once.
    pub fn certificates(&self) -> &[ServedCertificate] {
        &self.certificates
    }

    /// The directories whose files routes serve.
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

    /// The names of what is configured, with listeners of these names.
    pub(crate) fn configured<'a>(
        &'a self,
        listeners: impl Iterator<Item = &'a str>,
    ) -> Configured<'a> {
        let of_sites = self.sites.iter().flat_map(|site| {
            let routes = site.routes.iter().map(|route| &*route.terms.stats);
            routes.chain([&*site.stats])
        });
        let of_listeners = self.listeners.iter().flatten();
        let of_listeners = of_listeners.map(|listener| &*listener.stats);
        Configured::new(
            listeners,
            of_sites.chain(of_listeners),
            self.upstreams.iter().map(|forwarding| &*forwarding.stats),
            self.policies.iter().map(|policy| &**policy.name()),
        )
    }

    /// How many sites and routes there are.
    pub fn size(&self) -> (usize, usize) {
        let routes = self.sites.iter().map(|site| site.routes.len()).sum();
        (self.sites.len(), routes)
    }
}

/// A directory whose files a route serves.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    /// The label of its site.
    pub site: &'a str,
    /// The label of its route.
    pub route: &'a str,
    /// The directory.
    pub root: &'a Root,
}

/// The settings of a listener.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) trusted: Box<[IpNet]>,
    pub(crate) limits: Limits,
    pub(crate) idle_timeout: Duration,
    pub(crate) head_timeout: Duration,
    pub(crate) min_rates: MinRates,
    /// None for cleartext.
    pub(crate) tls: Option<Arc<ListenerTls>>,
    /// The peers that must begin each connection with a PROXY header.
    pub(crate) proxy_protocol: Box<[IpNet]>,
    /// Fields that are added to responses that no route made.
    pub(crate) headers: Box<[(Box<str>, Box<str>)]>,
    pub(crate) router: Router,
    /// Maps the indices of the router's sites to those of the snapshot.
    pub(crate) sites: Arc<[usize]>,
    /// The most open connections, of all workers together; 0 is no limit.
    pub(crate) max_connections: usize,
    /// What a client may take; none if nothing is limited.
    pub(crate) client_limits: Option<ClientLimits>,
    /// How many requests are answered on a connection; none for any number.
    pub(crate) max_requests: Option<u64>,
    /// The age from which on a connection is closed after its request.
    pub(crate) max_age: Option<Duration>,
    /// Settings of HTTP/2; none if clients must not use it.
    pub(crate) http2: Option<Http2Settings>,
    /// Counters of requests that matched no site.
    pub(crate) stats: Arc<RouteStats>,
}

impl Route {
    /// How requests are sent to the upstream that was chosen for them. None if the route has none
    /// such, which those who choose rule out.
    pub(crate) fn to(&self, chosen: Chosen) -> Option<&To> {
        match (chosen, &self.target) {
            (Chosen::Member(member), Target::Split(split)) => split.members.get(member),
            (Chosen::Member(_), Target::Upstream(to)) => Some(to),
            (Chosen::Member(_), _) => None,
            (Chosen::ByPolicy(choice), _) => Some(&self.choices.all.get(choice)?.to),
        }
    }

    /// All ways in which requests may be sent to an upstream, but for copies of them.
    pub(crate) fn all_to_mut(&mut self) -> impl Iterator<Item = &mut To> {
        let (one, members) = match &mut self.target {
            Target::Upstream(to) => (Some(to), None),
            Target::Split(split) => (None, Some(&mut split.members)),
            Target::Files(_) | Target::Respond(_) | Target::Redirect { .. } => (None, None),
        };
        let members = members.into_iter().flat_map(|members| members.iter_mut());
        let choices = self.choices.all.iter_mut().map(|choice| &mut choice.to);
        one.into_iter().chain(members).chain(choices)
    }
}

impl Listener {
    /// True if the peer must begin each connection with a PROXY header.
    pub(crate) fn demands_proxy_header(&self, address: IpAddr) -> bool {
        let mut networks = self.proxy_protocol.iter();
        networks.any(|network| network.contains(&address))
    }

    /// True if the peer is a trusted proxy, whose forwarding fields are used.
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
    pub(crate) path_rules: PathRules,
    /// The request fields that its policies own.
    pub(crate) owned: Owned,
    /// Where requests without TLS are sent; none if they are answered.
    pub(crate) https_redirect: Option<Redirect>,
    pub(crate) routes: Vec<Route>,
    /// Counters of requests that matched the site but none of its routes.
    pub(crate) stats: Arc<RouteStats>,
}

/// A route: its policies and its target.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) request: Box<[Use]>,
    /// In the order in which they run, which is the reverse of the file's order; the same
    /// holds for the phases after it.
    pub(crate) fetched: Box<[Use]>,
    pub(crate) missing: Box<[Use]>,
    pub(crate) response: Box<[Use]>,
    pub(crate) finished: Box<[Use]>,
    pub(crate) target: Target,
    /// What its policies may choose in place of the target's own upstream.
    pub(crate) choices: Choices,
    /// Who gets copies of the requests that are sent to an upstream.
    pub(crate) mirrors: Box<[Arc<Mirror>]>,
    /// Edits of the head that the target gets, after those of policies.
    pub(crate) request_head: Option<Box<HeadEdits>>,
    /// Edits of the head that the client gets, after those of policies.
    pub(crate) response_head: Option<Box<HeadEdits>>,
    /// Responses are stored in the shared cache.
    pub(crate) caches: bool,
    /// On a 404 of the upstream, policies may choose another path (phase `missing`).
    pub(crate) asks_missing: bool,
    /// Calls of gRPC-Web are translated to gRPC.
    pub(crate) translates_grpc_web: bool,
    /// The path, such as `/api`, that is redirected to the same path with a slash.
    pub(crate) bare_path: Option<Box<[u8]>>,
    /// The credentials that the route's policies read, by which users differ.
    pub(crate) credentials: Box<[Input]>,
    pub(crate) terms: Arc<Terms>,
}

/// The settings of a route that are needed until the end of a request. A tunnel may last
/// for a day: it holds these, and not the snapshot.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) site: Arc<str>,
    pub(crate) label: Box<str>,
    pub(crate) max_body: u64,
    /// The route has policies, so that trailers are dropped: policies do not see trailers,
    /// which could contradict what they removed from the head or added to it. The fields of
    /// interim responses are dropped for the same reason.
    pub(crate) drops_trailers: bool,
    /// Trailers that are not forwarded, because they would override a field of the head that
    /// the gateway sets: that of the identifier, and the internal ones.
    pub(crate) refused_trailers: Arc<[Box<str>]>,
    /// The longest time between two reads or writes.
    pub(crate) idle_timeout: Option<Duration>,
    /// The longest time from the head of the request to the last byte of the response.
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) access_log: bool,
    /// What of a query is not logged.
    pub(crate) hidden_query: HiddenQuery,
    /// How responses are compressed, if they are.
    pub(crate) compression: Option<Arc<Compression>>,
    /// Responses carry `Cache-Status`.
    pub(crate) cache_status: bool,
    pub(crate) stats: Arc<RouteStats>,
}

/// One use of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// The index of the policy in the snapshot.
    pub(crate) policy: usize,
    /// What the operator said of a failure, if anything.
    pub(crate) on_error: Option<OnError>,
}

/// The target of a route, which answers its requests.
#[derive(Debug)]
pub(crate) enum Target {
    Upstream(To),
    Split(Split),
    Files(Tree),
    Respond(Fixed),
    Redirect(Redirect),
}

/// Files below a directory.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) root: Root,
    /// The prefix that is removed from the path.
    pub(crate) strip_prefix: Option<Arc<str>>,
}

/// The upstream of a route, and how its requests are edited.
#[derive(Debug)]
pub(crate) struct To {
    /// A digest of all settings that shape the stored response: the upstream, its `Host`,
    /// how path and head are edited, and the policies of the phase `fetched`. It is part of the
    /// cache key, so that routes that differ in them share no stored response. It does not
    /// depend on the names of routes, so that renaming one keeps what is stored.
    pub(crate) cache_scope: [u8; 8],
    /// The index of the upstream in the snapshot.
    pub(crate) upstream: usize,
    pub(crate) host: HostField,
    /// The prefix that is removed from the path.
    pub(crate) strip_prefix: Option<Arc<str>>,
    /// Counts its requests, if it is one of several.
    pub(crate) stats: Option<ChoiceStats>,
    /// How requests are repeated; none for as the upstream says.
    pub(crate) retries: Option<Arc<Retries>>,
    /// What is computed for each request; none if nothing is.
    pub(crate) rewrite: Option<Box<Rewrite>>,
    /// The longest time of an attempt, from when the request is being sent to the last byte of
    /// the response.
    pub(crate) upstream_timeout: Option<Duration>,
}

/// A host and a path for an upstream that are computed for each request.
#[derive(Debug)]
pub(crate) struct Rewrite {
    pub(crate) host: Option<RewrittenHost>,
    pub(crate) path: Option<PathEdit>,
}

/// A `Host` that is made of inputs.
#[derive(Debug)]
pub(crate) struct RewrittenHost {
    pub(crate) host: Template,
    pub(crate) port: Option<u16>,
}

/// How the path for an upstream is made of that of the request.
#[derive(Debug)]
pub(crate) enum PathEdit {
    Template(Template),
    Prefix(PrefixEdit),
}

/// The `Host` that an upstream gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostField {
    /// The client's.
    Preserve,
    /// The endpoint's own address, as configured.
    Endpoint,
    /// A configured value.
    Fixed(Arc<str>),
}

/// The upstreams among which the requests of a route are divided.
#[derive(Debug)]
pub(crate) struct Split {
    /// In the order of the file, as in `weights`.
    pub(crate) members: Box<[To]>,
    /// What a request must have in common with another one to get the same upstream; none if each
    /// draws anew.
    pub(crate) by: Option<By>,
    /// The weights, which are kept across reloads that do not change the split.
    pub(crate) weights: Arc<janua_upstream::Split>,
}

/// A value of requests by which they are divided.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) input: Input,
    /// As it is written in the file.
    pub(crate) word: Box<str>,
}

/// Which of its route's upstreams a request is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The one of a split with this index, or the only one.
    Member(usize),
    /// The one of [`Choices::all`] with this index.
    ByPolicy(usize),
}

/// What the policies of a route may choose in place of its own upstream.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    pub(crate) all: Box<[Choice]>,
    /// For each policy, by its index in the snapshot: the indices in `all` of the upstreams that
    /// it declares, in the order of [`Policy::upstreams`].
    pub(crate) declared: Box<[(usize, Box<[usize]>)]>,
}

/// An upstream that a policy may choose.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) to: To,
    /// What it takes part with in a split by a key.
    pub(crate) draw: Draw,
}

impl Choices {
    /// The index in `all` of the upstream that this policy has declared at this place. None on
    /// routes without an upstream, whose requests go to none.
    pub(crate) fn of(&self, policy: usize, place: usize) -> Option<usize> {
        let mut declared = self.declared.iter();
        let (_, declared) = declared.find(|(declaring, _)| *declaring == policy)?;
        declared.get(place).copied()
    }
}

/// An upstream that gets copies of requests.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// The index of the upstream in the snapshot.
    pub(crate) upstream: usize,
    /// A copy is sent once.
    pub(crate) retries: Option<Arc<Retries>>,
    /// A request is copied if a random number is not above this one.
    pub(crate) up_to: u64,
    /// The largest body that is copied, in bytes.
    pub(crate) body: usize,
    pub(crate) timeout: Duration,
    /// The most copies that are in progress at once.
    pub(crate) most: usize,
    /// How many are in progress, which is kept across reloads.
    pub(crate) in_progress: Arc<AtomicUsize>,
    pub(crate) stats: MirrorStats,
}

/// A response written in the configuration.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    pub(crate) status: u16,
    pub(crate) headers: Box<[(Box<str>, Box<str>)]>,
    pub(crate) body: Box<[u8]>,
}

/// A redirect with this status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) status: u16,
    pub(crate) to: Location,
}

/// An upstream and how requests are sent to it.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) response_limits: Limits,
    pub(crate) retries: Arc<Retries>,
    pub(crate) response_head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// Connections are encrypted in this way; none for cleartext.
    pub(crate) tls: Option<UpstreamTls>,
    /// The version of HTTP on connections.
    pub(crate) protocol: Protocol,
    /// Which connections of HTTP/2 requests may share.
    pub(crate) shared: Sharing,
    /// The sessions of clients; none if each request is balanced by itself.
    pub(crate) sticky: Option<Arc<Sticky>>,
    /// What requests are balanced by; none if nothing ties them to an endpoint.
    pub(crate) balanced_by: Option<BalancedBy>,
    /// The version of the PROXY header that each connection begins with; none for no header.
    pub(crate) proxy_header: Option<janua_proxy_protocol::Version>,
    pub(crate) stats: Arc<UpstreamStats>,
    /// Where its endpoints come from, unless the configuration names all of them.
    pub(crate) discovery: Option<Arc<Discovery>>,
}

/// What the requests to an upstream are balanced by.
#[derive(Clone, Debug)]
pub(crate) enum BalancedBy {
    /// The client's address.
    Client,
    /// The hash of a value.
    Input(Input),
}

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

impl std::ops::Deref for LocalTerms {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.terms
    }
}

/// A worker's own handle on an upstream. A request that is being sent holds this, and not
/// the snapshot.
pub(crate) struct LocalUpstream {
    pub(crate) cursor: RefCell<Cursor>,
    pub(crate) hedge_delay: HedgeDelay,
    pub(crate) forwarding: Forwarding,
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
