//! The configuration in the form that requests use: every name resolved, every matcher
//! compiled and every policy configured.
//!
//! A snapshot is built outside the workers and published as a whole. It is immutable;
//! what outlives it (endpoints, buckets, counters, listening sockets) is owned by
//! [`crate::estate`] and only referenced here. Each worker has its own [`LocalSnapshot`]
//! of it, so that requests on different workers share no reference count.

mod choice;
mod forwarding;
mod listener;
mod local;
mod mirror;
mod route;
mod target;

use std::sync::Arc;
use std::time::Duration;

use janua_config::Diagnostic;
use janua_datasets::Datasets;
use janua_files::Root;
use janua_secrets::Secrets;
use janua_telemetry::metrics::Counter;
use janua_upstream::Upstream;
use janua_wasm::{Policy, Prepared};

use crate::certificates::ServedCertificate;
use crate::stats::Configured;

pub(crate) use choice::{By, Choice, Choices, Chosen, Split};
pub(crate) use forwarding::{BalancedBy, Forwarding};
pub(crate) use listener::Listener;
pub(crate) use local::{LocalSnapshot, LocalTerms, LocalUpstream};
pub(crate) use mirror::Mirror;
pub(crate) use route::{Route, Site, Terms, Use};
pub(crate) use target::{
    Fixed, HostField, PathEdit, Redirect, Rewrite, RewrittenHost, Target, To, Tree,
};

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
