//! From what the file says to what runs.
//!
//! Either all of it succeeds, or nothing has changed and every error is said
//! at once, with its place in the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use janua_config::{
    self as config, Config, Diagnostic, Diagnostics, Loaded, Names, Route as RouteConfig,
    Site as SiteConfig,
};
use janua_http::EncodedSlash;
use janua_http::head::{Limits, MAX_FIELDS};
use janua_router::{
    HeaderPattern, HostPattern, PathPattern, RouteSpec, Router, SiteSpec, ValuePattern,
};
use janua_telemetry::metrics::definitions;
use janua_upstream::{Address, Balance, EndpointSpec, PassiveHealth, UpstreamSpec};
use janua_wasm::{Phase, Policy};

use crate::estate::Estate;
use crate::provision::{Bundled, Provision};
use crate::snapshot::{
    Fixed, Forwarding, HostField, Listener, Piece, Route, Site, Snapshot, Target, Terms, To, Use,
};
use crate::stats::{RouteStats, UpstreamStats};

/// What "no limit" is where something waits: longer than any connection lives.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Compiles a configuration into a snapshot. Policies of `previous` that have
/// not changed are taken over with all that they remember.
///
/// # Errors
/// Everything that is wrong, with its place.
pub fn compile(
    loaded: &Loaded,
    estate: &Estate,
    bundled: &Bundled<'_>,
    previous: Option<&Snapshot>,
) -> Result<Snapshot, Diagnostics> {
    let config = &loaded.config;
    let mut found = Diagnostics::new(loaded.sources.clone());
    let mut provision = Provision::new(loaded, estate, bundled, previous);
    let places: BTreeMap<&str, usize> = config
        .upstreams
        .keys()
        .enumerate()
        .map(|(place, name)| (name.as_str(), place))
        .collect();
    let mut sites = Vec::new();
    for site in &config.sites {
        sites.push(compile_site(
            site,
            estate,
            &config.upstreams,
            &places,
            &mut provision,
        ));
    }
    provision.unused();
    let (policies, errors) = provision.finish();
    found.extend(errors.iter().cloned());
    let listeners = compile_listeners(config, estate, &mut found);
    if found.has_errors() {
        return Err(found);
    }
    for site in &mut sites {
        for route in &mut site.routes {
            order(route, &policies);
        }
    }
    Ok(Snapshot {
        generation: previous.map_or(1, |previous| previous.generation + 1),
        listeners,
        sites,
        answers: policies
            .iter()
            .map(|policy| {
                estate
                    .metrics
                    .counter(&definitions::POLICY_RESPONSES, [&**policy.name()])
            })
            .collect(),
        policies,
        upstreams: compile_upstreams(&config.upstreams, estate),
        request_id_header: config.server.request_id_header.as_str().into(),
    })
}

fn compile_site(
    site: &SiteConfig,
    estate: &Estate,
    upstreams: &Names<config::Upstream>,
    places: &BTreeMap<&str, usize>,
    provision: &mut Provision<'_>,
) -> Site {
    let name: Arc<str> = site.label().into();
    let routes = site
        .routes
        .iter()
        .map(|route| compile_route(site, route, &name, estate, upstreams, places, provision));
    Site {
        routes: routes.collect(),
        encoded_slash: match site.encoded_slash {
            config::EncodedSlash::Keep => EncodedSlash::Keep,
            config::EncodedSlash::Refuse => EncodedSlash::Refuse,
        },
        stats: Arc::new(RouteStats::new(&estate.metrics, &name, "")),
        name,
    }
}

fn compile_route(
    site: &SiteConfig,
    route: &RouteConfig,
    site_name: &Arc<str>,
    estate: &Estate,
    upstreams: &Names<config::Upstream>,
    places: &BTreeMap<&str, usize>,
    provision: &mut Provision<'_>,
) -> Route {
    let label: Box<str> = route.label().into();
    let uses: Vec<Use> = site
        .policies(route)
        .filter_map(|policy_use| provision.policy(policy_use))
        .collect();
    Route {
        request: uses.clone().into(),
        response: uses.into_iter().rev().collect(),
        target: compile_target(route, upstreams, places),
        terms: Arc::new(Terms {
            stats: Arc::new(RouteStats::new(&estate.metrics, site_name, &label)),
            site: Arc::clone(site_name),
            max_body: site.max_body(route).unwrap_or(u64::MAX),
            idle_timeout: route.idle_timeout.map(limit),
            request_timeout: site.request_timeout(route),
            access_log: route.access_log,
            label,
        }),
    }
}

/// Keeps only the uses that take part in a phase: the rest costs nothing.
fn order(route: &mut Route, policies: &[Arc<Policy>]) {
    let takes_part = |used: &Use, phase| {
        policies
            .get(used.policy)
            .is_some_and(|policy| policy.plan(phase).is_some())
    };
    let kept = |uses: &[Use], phase| {
        uses.iter()
            .copied()
            .filter(|used| takes_part(used, phase))
            .collect()
    };
    route.request = kept(&route.request, Phase::Request);
    route.response = kept(&route.response, Phase::Response);
}

fn compile_target(
    route: &RouteConfig,
    upstreams: &Names<config::Upstream>,
    places: &BTreeMap<&str, usize>,
) -> Target {
    match &route.target {
        config::Target::Upstream(name) => Target::Upstream(To {
            // That there is one of this name, the file model has seen to.
            upstream: places.get(name.as_str()).copied().unwrap_or_default(),
            host: match &route.host.value {
                config::UpstreamHost::Preserve => HostField::Preserve,
                config::UpstreamHost::Upstream => HostField::Endpoint,
                config::UpstreamHost::Literal(host) => HostField::Fixed(host.as_str().into()),
            },
            strip_prefix: route
                .strip_prefix
                .as_ref()
                .map(|prefix| prefix.as_str().into()),
            attempts: route
                .retries
                .or_else(|| upstreams.get(name.as_str())?.retries)
                .map_or(usize::MAX, |retries| retries as usize + 1),
        }),
        config::Target::Respond(respond) => Target::Respond(Fixed {
            status: respond.status.0,
            headers: fields(&respond.headers),
            body: respond.body.as_bytes().into(),
        }),
        config::Target::Redirect(redirect) => Target::Redirect {
            status: redirect.code.0,
            to: redirect.to.0.iter().map(piece).collect(),
        },
    }
}

fn piece(part: &config::TemplatePart) -> Piece {
    match part {
        config::TemplatePart::Literal(text) => Piece::Literal(text.as_str().into()),
        config::TemplatePart::Scheme => Piece::Scheme,
        config::TemplatePart::Host => Piece::Host,
        config::TemplatePart::Path => Piece::Path,
        config::TemplatePart::Query => Piece::Query,
    }
}

fn fields(list: &config::HeaderList) -> Box<[(Box<str>, Box<str>)]> {
    list.0
        .iter()
        .map(|header| (header.name.as_str().into(), header.value.as_str().into()))
        .collect()
}

fn compile_upstreams(upstreams: &Names<config::Upstream>, estate: &Estate) -> Vec<Forwarding> {
    let specs: Vec<UpstreamSpec> = upstreams
        .iter()
        .map(|(name, upstream)| upstream_spec(name, upstream))
        .collect();
    let running = estate.endpoints.reconcile(&specs);
    running
        .into_iter()
        .zip(upstreams.values())
        .map(|(running, upstream)| {
            let addresses = running
                .members()
                .iter()
                .map(|member| member.endpoint.address().to_string().into());
            Forwarding {
                stats: Arc::new(UpstreamStats::new(
                    &estate.metrics,
                    running.name(),
                    addresses.collect(),
                )),
                response_limits: Limits {
                    bytes: bytes(&upstream.max_response_head),
                    fields: MAX_FIELDS,
                },
                response_head_timeout: limit(upstream.response_head_timeout),
                idle_timeout: limit(upstream.idle_timeout),
                upstream: running,
            }
        })
        .collect()
}

fn upstream_spec(name: &str, upstream: &config::Upstream) -> UpstreamSpec {
    let endpoint = |endpoint: &config::Endpoint| EndpointSpec {
        address: match &endpoint.address.value {
            config::EndpointAddress::Socket(address) => Address::Ip(*address),
            config::EndpointAddress::Name { host, port } => Address::Name {
                host: host.clone(),
                port: *port,
            },
            config::EndpointAddress::Unix(path) => Address::Unix(path.clone()),
        },
        weight: endpoint.weight.get(),
        max_connections: endpoint.max_connections.map(std::num::NonZeroU32::get),
    };
    UpstreamSpec {
        name: name.to_owned(),
        endpoints: upstream.endpoints.iter().map(endpoint).collect(),
        balance: match upstream.balance {
            config::Balance::RoundRobin => Balance::RoundRobin,
            config::Balance::LeastConn => Balance::LeastConn,
        },
        passive_health: PassiveHealth {
            max_fails: upstream.passive_health.max_fails,
            fail_timeout: upstream.passive_health.fail_timeout.value,
        },
        keepalive: upstream.keepalive as usize,
        idle_timeout: limit(upstream.keepalive_timeout),
        connect_timeout: limit(upstream.connect_timeout),
    }
}

fn compile_listeners(
    config: &Config,
    estate: &Estate,
    found: &mut Diagnostics,
) -> Vec<Option<Listener>> {
    let mut listeners: Vec<Option<Listener>> = Vec::new();
    // Most listeners serve the same sites: one table serves them.
    let mut routers: HashMap<Vec<usize>, Router> = HashMap::new();
    for (name, listener) in &config.listeners {
        let place = estate.listener_place(name);
        let serves = |site: &SiteConfig| {
            site.listeners
                .as_ref()
                .is_none_or(|names| names.iter().any(|served| served.as_str() == name))
        };
        let sites: Vec<usize> = config
            .sites
            .iter()
            .enumerate()
            .filter(|(_, site)| serves(site))
            .map(|(place, _)| place)
            .collect();
        let Some(router) = router(config, &sites, &mut routers, found) else {
            continue;
        };
        listeners.resize_with(listeners.len().max(place + 1), || None);
        if let Some(slot) = listeners.get_mut(place) {
            *slot = Some(Listener {
                trusted: listener
                    .trusted_proxies
                    .iter()
                    .map(|proxy| proxy.value.0)
                    .collect(),
                limits: Limits {
                    bytes: bytes(&listener.max_head),
                    fields: (listener.max_fields.get() as usize).min(MAX_FIELDS),
                },
                idle_timeout: limit(listener.idle_timeout),
                head_timeout: limit(listener.head_timeout),
                headers: fields(&listener.headers),
                router,
                sites: sites.into(),
                most: listener.max_connections as usize,
                stats: Arc::new(RouteStats::new(&estate.metrics, &"".into(), "")),
            });
        }
    }
    listeners
}

fn router(
    config: &Config,
    sites: &[usize],
    known: &mut HashMap<Vec<usize>, Router>,
    found: &mut Diagnostics,
) -> Option<Router> {
    if let Some(router) = known.get(sites) {
        return Some(router.clone());
    }
    let served: Vec<&SiteConfig> = sites
        .iter()
        .filter_map(|place| config.sites.get(*place))
        .collect();
    let specs: Vec<SiteSpec> = served.iter().map(|site| site_spec(site)).collect();
    match Router::new(&specs) {
        Ok(router) => {
            known.insert(sites.to_vec(), router.clone());
            Some(router)
        }
        Err(errors) => {
            for error in errors {
                let site = served.get(error.site);
                let route = error.route.and_then(|route| site?.routes.get(route));
                let span = route
                    .and_then(|route| route.path.as_ref().map(|path| path.span))
                    .or_else(|| site.and_then(|site| site.hosts.first().map(|host| host.span)));
                if let Some(span) = span {
                    found.push(Diagnostic::error(span, error.message));
                }
            }
            None
        }
    }
}

fn site_spec(site: &SiteConfig) -> SiteSpec {
    let host = |host: &config::HostPattern| match host {
        config::HostPattern::Exact(host) => HostPattern::Exact(host.clone()),
        config::HostPattern::Below(host) => HostPattern::Wildcard(host.clone()),
        config::HostPattern::Any => HostPattern::Default,
    };
    let route = |route: &RouteConfig| RouteSpec {
        path: route
            .path
            .as_ref()
            .map_or(PathPattern::Any, |path| match &path.value {
                config::PathPattern::Exact(path) => PathPattern::Exact(path.clone()),
                config::PathPattern::Prefix(path) => PathPattern::Prefix(path.clone()),
                config::PathPattern::Segment(path) => PathPattern::Segment(path.clone()),
                config::PathPattern::Suffix(suffixes) => PathPattern::Suffix(suffixes.clone()),
                config::PathPattern::Regex(regex) => PathPattern::Regex(regex.clone()),
            }),
        methods: route
            .methods
            .iter()
            .map(|method| method.as_str().to_owned())
            .collect(),
        headers: route.headers.0.iter().map(header_pattern).collect(),
    };
    SiteSpec {
        hosts: site.hosts.iter().map(|pattern| host(pattern)).collect(),
        routes: site.routes.iter().map(route).collect(),
    }
}

fn header_pattern(matcher: &config::HeaderMatch) -> HeaderPattern {
    HeaderPattern {
        name: matcher.name.as_str().to_owned(),
        value: match &matcher.test.value {
            config::HeaderTest::Equals(value) => ValuePattern::Equals(value.clone()),
            config::HeaderTest::Present => ValuePattern::Present,
            config::HeaderTest::Absent => ValuePattern::Absent,
            config::HeaderTest::Regex(regex) => ValuePattern::Regex(regex.clone()),
        },
    }
}

/// In the file 0 is no limit.
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
