//! Compiles a configuration into a snapshot.
//!
//! Either all of it succeeds, or nothing changes and all errors are reported together,
//! each with its place in the file.

mod choices;
mod edits;
mod endpoints;
mod health;
mod inputs;
mod listeners;
mod order;
mod retries;
mod targets;
mod tls;
mod upstreams;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use janua_compress::Compression;
use janua_config::{self as config, Diagnostics, Loaded, Route as RouteConfig, Site as SiteConfig};
use janua_http::{EncodedSlash, HiddenDots};
use janua_telemetry::metrics::definitions;
use janua_wasm::{Input, Phase, Plan, Policy, Prepared};

use crate::estate::Estate;
use crate::hidden_query::HiddenQuery;
use crate::location::{Location, Origin, Port, Scheme};
use crate::owned::Owned;
use crate::path_rules::PathRules;
use crate::provision::{Bundled, Provision, Provisioned};
use crate::snapshot::{Redirect, Route, Site, Snapshot, Terms, Use};
use crate::stats::RouteStats;
use crate::template::{Part, Template};
use choices::Place;
use targets::{compression, fingerprint};

pub use listeners::shadowed_routes;
pub use order::{OrderedRoute, OrderedSite, routing_order};

/// The field that marks the copies that mirrors get.
pub(crate) const MIRROR_FIELD: &str = "x-janua-mirror";

/// The duration that stands for "no limit": longer than any connection lasts.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Compiles a configuration into a snapshot. Policies of `previous` that have not changed
/// are reused, together with their memos. Before the snapshot is published, its policies
/// are to be prepared ([`Estate::prepare`]).
///
/// # Errors
/// All errors of the configuration, with their places.
pub fn compile(
    loaded: &Loaded,
    estate: &Estate,
    bundled: &Bundled<'_>,
    previous: Option<&Snapshot>,
) -> Result<Snapshot, Diagnostics> {
    let config = &loaded.config;
    let mut found = Diagnostics::new(loaded.sources.clone());
    let mut compiler = Compiler {
        config,
        estate,
        previous,
        places: (config.upstreams.keys().map(String::as_str))
            .zip(0..)
            .collect(),
        compression: Arc::new(compression(&config.compression)),
        refused_trailers: std::iter::once(config.server.request_id_header.as_str().into())
            .chain(internal_headers(config))
            .collect(),
        cache_status: config
            .sites
            .iter()
            .any(|site| site.routes.iter().any(|route| site.cache(route))),
        provision: Provision::new(loaded, estate, bundled, previous),
        found: &mut found,
    };
    let mut sites: Vec<Site> = config
        .sites
        .iter()
        .map(|site| compiler.site(site))
        .collect();
    let Provisioned {
        policies,
        secrets,
        datasets,
        found: errors,
    } = compiler.provision.finish();
    found.extend(errors.iter().cloned());
    let site_tls: Vec<_> = config
        .sites
        .iter()
        .map(|site| tls::site(site, estate, &mut found))
        .collect();
    let mut certificates = tls::certificates(config, &site_tls);
    let listeners = listeners::compile(config, estate, &site_tls, &mut found);
    let upstreams = upstreams::compile(config, estate, previous, &mut certificates, &mut found);
    let checks = health::compile(&config.upstreams, &upstreams, &mut found);
    if found.has_errors() {
        return Err(found);
    }
    for site in &mut sites {
        for route in &mut site.routes {
            assign_phases(route, &policies);
        }
    }
    Ok(Snapshot {
        generation: previous.map_or(1, |previous| previous.generation + 1),
        listeners: listeners.into(),
        sites: sites.into(),
        answers: policies
            .iter()
            .map(|policy| {
                estate
                    .metrics
                    .counter(&definitions::POLICY_RESPONSES, [&**policy.name()])
            })
            .collect(),
        policies,
        prepared: Prepared::default(),
        secrets: Arc::new(secrets),
        datasets: Arc::new(datasets),
        upstreams,
        checks,
        certificates: certificates.into(),
        request_id_header: config.server.request_id_header.as_str().into(),
        internal_headers: internal_headers(config).collect(),
        warnings: found.iter().cloned().collect(),
    })
}

/// The context in which sites and routes are compiled.
struct Compiler<'a, 'p> {
    config: &'a config::Config,
    estate: &'a Estate,
    previous: Option<&'a Snapshot>,
    /// The index of each upstream in the snapshot, by name.
    places: BTreeMap<&'a str, usize>,
    compression: Arc<Compression>,
    refused_trailers: Arc<[Box<str>]>,
    /// Some route uses the cache, so that all responses carry `Cache-Status`.
    cache_status: bool,
    provision: Provision<'p>,
    found: &'a mut Diagnostics,
}

impl Compiler<'_, '_> {
    fn site(&mut self, site: &SiteConfig) -> Site {
        let name: Arc<str> = site.label().into();
        let owned = self.owned(site);
        let routes = site
            .routes
            .iter()
            .map(|route| self.route(site, route, &name, &owned));
        Site {
            routes: routes.collect(),
            owned,
            https_redirect: self.https_redirect(site),
            path_rules: PathRules {
                encoded_slash: match site.encoded_slash {
                    config::EncodedSlash::Keep => EncodedSlash::Keep,
                    config::EncodedSlash::Refuse => EncodedSlash::Refuse,
                },
                hidden_dots: match site.hidden_dots {
                    config::HiddenDots::Refuse => HiddenDots::Refuse,
                    config::HiddenDots::Keep => HiddenDots::Keep,
                },
            },
            stats: Arc::new(RouteStats::new(&self.estate.metrics, &name, "")),
            name,
        }
    }

    /// The fields that the policies of a site own, those of routes and those that routes
    /// leave out included.
    fn owned(&mut self, site: &SiteConfig) -> Owned {
        let mut owned = Owned::default();
        let of_routes = site.routes.iter().flat_map(|route| &route.policies);
        for policy_use in site.policies.iter().chain(of_routes) {
            if let Some(policy) = self.provision.configured(policy_use) {
                owned.add(policy);
            }
        }
        owned
    }

    /// The redirect to `https` with the path and query of the request.
    fn https_redirect(&self, site: &SiteConfig) -> Option<Redirect> {
        let redirect = site.redirect_http.on()?;
        let first = site.hosts.first().map(|host| host.value.to_string());
        let host = match redirect.to.value {
            config::RedirectHost::First => Part::Literal(first?.into_bytes().into()),
            config::RedirectHost::Host => Part::Input(Input::OriginalHost),
        };
        let port = self.https_port(site);
        Some(Redirect {
            status: redirect.code.0,
            to: Location {
                origin: Some(Origin {
                    scheme: Scheme::Https,
                    host: Template::new([host]),
                    port: port.map_or(Port::Implied, Port::Number),
                }),
                prefix: None,
                rest: Template::new([Input::Path, Input::Query].map(Part::Input)),
            },
        })
    }

    /// The port of the site's listener with TLS, unless that is the default port or there is
    /// no such listener: then another proxy ends TLS.
    fn https_port(&self, site: &SiteConfig) -> Option<u16> {
        let listeners = self.config.listeners.iter();
        let ports: Vec<u16> = listeners
            .filter(|(name, listener)| {
                listener.tls.on().is_some() && site.is_served_on(name.as_str())
            })
            .flat_map(|(_, listener)| listener.address.iter())
            .map(|address| match address.value {
                config::ListenAddress::Socket(address) => address.port(),
                config::ListenAddress::BothFamilies { port } => port,
            })
            .collect();
        // The kernel chooses a port for 0, which is not known yet.
        let is_default = ports.contains(&443) || ports.contains(&0);
        ports.first().copied().filter(|_| !is_default)
    }

    fn route(
        &mut self,
        site: &SiteConfig,
        route: &RouteConfig,
        site_name: &Arc<str>,
        owned: &Owned,
    ) -> Route {
        self.check_edits(site, route, owned);
        let label: Box<str> = route.label().into();
        let uses: Vec<Use> = site
            .policies(route)
            .filter_map(|policy_use| self.provision.policy(policy_use))
            .collect();
        let mut hidden_query = HiddenQuery::default();
        let mut declared = Vec::new();
        for policy_use in site.policies(route) {
            let used = self.provision.policy(policy_use);
            let policy = self.provision.configured(policy_use);
            if let (Some(used), Some(policy)) = (used, policy) {
                hidden_query.add(policy);
                declared.extend(choices::declared(used.policy, policy));
            }
        }
        let place = Place::of(site, route, site_name, &label);
        let drops_trailers = !uses.is_empty() || owned.has_beginnings();
        let backward: Box<[Use]> = uses.iter().rev().copied().collect();
        Route {
            request: uses.into(),
            fetched: backward.clone(),
            missing: backward.clone(),
            response: backward.clone(),
            finished: backward,
            target: self.target(&place, route),
            choices: self.choices(&place, route, &declared),
            mirrors: self.mirrors(&place, route),
            request_head: edits::head_edits(&route.request_headers),
            response_head: edits::head_edits(&route.response_headers),
            caches: site.cache(route),
            asks_missing: route.missing.value,
            translates_grpc_web: route.grpc_web.value,
            bare_path: route.bare_path().map(|path| path.as_bytes().into()),
            credentials: Box::default(),
            terms: Arc::new(Terms {
                stats: Arc::new(RouteStats::new(&self.estate.metrics, site_name, &label)),
                site: Arc::clone(site_name),
                max_body: site.max_body(route).unwrap_or(u64::MAX),
                drops_trailers,
                refused_trailers: match owned.names() {
                    [] => Arc::clone(&self.refused_trailers),
                    names => self.refused_trailers.iter().chain(names).cloned().collect(),
                },
                idle_timeout: route.idle_timeout.map(limit),
                request_timeout: site.request_timeout(route),
                access_log: route.access_log,
                hidden_query,
                compression: site.compress(route).then(|| Arc::clone(&self.compression)),
                cache_status: self.cache_status,
                label,
            }),
        }
    }
}

/// The fields that no request may bring in.
fn internal_headers(config: &config::Config) -> impl Iterator<Item = Box<str>> {
    let names = config.server.internal_headers.iter();
    let names = names.map(|name| name.as_str().into());
    // By it an upstream tells copies from what clients have sent.
    let mut routes = config.sites.iter().flat_map(|site| site.routes.iter());
    let marks_copies = routes.any(|route| route.mirror.is_some());
    names.chain(marks_copies.then(|| MIRROR_FIELD.into()))
}

/// Reduces the list of each phase to the policies that take part in it, so that the others
/// cost nothing at run time.
fn assign_phases(route: &mut Route, policies: &[Arc<Policy>]) {
    let policy = |used: &Use| policies.get(used.policy);
    let kept = |uses: &[Use], phase| {
        let takes_part = |used: &&Use| policy(used).is_some_and(|it| it.plan(phase).is_some());
        uses.iter().filter(takes_part).copied().collect()
    };
    route.request = kept(&route.request, Phase::Request);
    route.fetched = kept(&route.fetched, Phase::Fetched);
    route.missing = kept(&route.missing, Phase::Missing);
    route.finished = kept(&route.finished, Phase::Finished);
    let edits_responses = |used: &&Use| {
        let earlier = [Phase::Request, Phase::Missing];
        policy(used).is_some_and(|it| {
            let mut plans = earlier.iter().filter_map(|&phase| it.plan(phase));
            it.plan(Phase::Response).is_some() || plans.any(Plan::edits_responses)
        })
    };
    route.response = route
        .response
        .iter()
        .filter(edits_responses)
        .copied()
        .collect();
    let mut found: Vec<Input> = Vec::new();
    for plan in route
        .request
        .iter()
        .filter_map(policy)
        .filter_map(|it| it.plan(Phase::Request))
    {
        for credential in plan.secrets() {
            if !found.contains(credential) {
                found.push(credential.clone());
            }
        }
    }
    route.credentials = found.into();
    // These policies edit the response before it is stored.
    let fetched = route.fetched.iter().filter_map(policy);
    let names: Vec<&str> = fetched.map(|policy| &**policy.name()).collect();
    // What they make of the path that was asked for differs where another one is served.
    let serves_others = !names.is_empty() && !route.missing.is_empty();
    for to in route.all_to_mut() {
        to.cache_scope = fingerprint((to.cache_scope, &names, serves_others));
    }
}

/// Translates 0, which stands for "no limit" in the file.
fn limit(duration: Duration) -> Duration {
    if duration.is_zero() {
        FOR_EVER
    } else {
        duration.min(FOR_EVER)
    }
}

fn bytes(size: &config::Size) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}
