//! Compiles listeners, each with the router for the sites that it serves.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use janua_config::{
    self as config, Config, Diagnostic, Diagnostics, Route as RouteConfig, Site as SiteConfig, Span,
};
use janua_http::head::{Limits, MAX_FIELDS};
use janua_router::{
    HeaderPattern, HostPattern, Part, PathPattern, QueryPattern, RouteSpec, Router, Shadowed,
    SiteSpec, ValuePattern, shadowed,
};

use super::targets::fields;
use super::tls::{self, SiteTls};
use super::{bytes, limit};
use crate::client_limits::ClientLimits;
use crate::estate::Estate;
use crate::http2_settings::Http2Settings;
use crate::min_rate::{MinRate, MinRates};
use crate::snapshot::Listener;
use crate::stats::RouteStats;

/// All listeners, each at the index that the estate assigns to its name.
pub(super) fn compile(
    config: &Config,
    estate: &Estate,
    site_tls: &[Option<SiteTls>],
    found: &mut Diagnostics,
) -> Vec<Option<Listener>> {
    let mut listeners: Vec<Option<Listener>> = Vec::new();
    // Most listeners serve the same sites, and then share one router.
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
                min_rates: min_rates(&listener.min_rate),
                http2: http2(listener),
                tls: tls::listener(name, listener, config, site_tls, &sites, estate, found),
                proxy_protocol: listener
                    .proxy_protocol
                    .iter()
                    .flat_map(|networks| networks.iter())
                    .map(|network| network.value.0)
                    .collect(),
                router,
                sites: sites.into(),
                max_connections: listener.max_connections as usize,
                client_limits: client_limits(name, &listener.client_limits, estate),
                max_requests: Some(listener.max_requests.into()).filter(|&most| most > 0),
                max_age: Some(listener.max_connection_age).filter(|age| !age.is_zero()),
                stats: Arc::new(RouteStats::new(&estate.metrics, &"".into(), "")),
            });
        }
    }
    listeners
}

fn min_rates(rates: &config::Switch<config::MinRate>) -> MinRates {
    let Some(rates) = rates.on() else {
        return MinRates::default();
    };
    let of = |rate: config::Rate| {
        Some(MinRate {
            bytes_per_second: rate.0?.get(),
            grace: rates.grace.value,
        })
    };
    MinRates {
        head: of(rates.head),
        body: of(rates.body),
        read: of(rates.read),
    }
}

/// The settings of HTTP/2, which is on by default only over TLS: in cleartext no browser uses it.
fn http2(listener: &config::Listener) -> Option<Http2Settings> {
    match &listener.http2 {
        Some(http2) => http2.on().map(Http2Settings::new),
        None => listener.tls.on().map(|_| Http2Settings::default()),
    }
}

fn client_limits(
    name: &str,
    limits: &config::ClientLimits,
    estate: &Estate,
) -> Option<ClientLimits> {
    let connections = NonZeroU32::new(limits.connections);
    let connections_per_second = NonZeroU32::new(limits.connections_per_second);
    let requests = NonZeroU32::new(limits.requests);
    connections.or(connections_per_second).or(requests)?;
    Some(ClientLimits {
        connections,
        connections_per_second,
        requests,
        clients: estate.clients(name),
    })
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
                let path = |route: Option<usize>| {
                    let route = site?.routes.get(route?)?;
                    Some(route.path.as_ref().map_or(route.span, |path| path.span))
                };
                let route = error.route.and_then(|route| site?.routes.get(route));
                let span = route
                    .and_then(|route| part(route, error.part))
                    .or_else(|| path(error.route))
                    .or_else(|| site.and_then(|site| site.hosts.first().map(|host| host.span)));
                if let Some(span) = span {
                    let fault = Diagnostic::error(span, error.message);
                    found.push(match path(error.other) {
                        Some(other) => fault.note(other, "the other one").help(
                            "put them together, or give one `methods`, `headers`, `query` or another path",
                        ),
                        None => fault,
                    });
                }
            }
            None
        }
    }
}

/// The position of a part of a route.
fn part(route: &RouteConfig, part: Part) -> Option<Span> {
    match part {
        Part::Path => None,
        Part::Method(place) => route.methods.get(place).map(|method| method.span),
        Part::Header(place) => route.headers.0.get(place).map(|it| it.test.span),
        Part::Query(place) => route.query.0.get(place).map(|it| it.test.span),
    }
}

/// Warnings about routes that no request reaches, because another route of the same site
/// matches all of their requests.
pub fn shadowed_routes(config: &Config) -> Vec<Diagnostic> {
    let warn = |site: &SiteConfig, found: Shadowed| {
        let (route, by) = (site.routes.get(found.route)?, site.routes.get(found.by)?);
        let place = |route: &RouteConfig| route.path.as_ref().map_or(route.span, |path| path.span);
        let is_same = route.path.as_deref() == by.path.as_deref();
        Some(
            Diagnostic::warning(place(route), "no request reaches this route")
                .note(place(by), "this one takes all of its requests")
                .help(if is_same {
                    "of routes with one path the first in the file is tried first: move it up, \
                     or leave it out"
                } else {
                    "expressions and suffixes are tried before prefixes, and among themselves in \
                     the order of the file: make it an exact path or an expression further up, \
                     or leave it out"
                }),
        )
    };
    let sites = config.sites.iter();
    sites
        .flat_map(|site| {
            let found = shadowed(&site_spec(site).routes);
            found.into_iter().filter_map(|found| warn(site, found))
        })
        .collect()
}

/// The pattern of the router for a host of a site.
pub(super) fn host_pattern(host: &config::HostPattern) -> HostPattern {
    match host {
        config::HostPattern::Exact(host) => HostPattern::Exact(host.clone()),
        config::HostPattern::Below(host) => HostPattern::Wildcard(host.clone()),
        config::HostPattern::Any => HostPattern::Default,
    }
}

/// What the router is told of a site.
pub(super) fn site_spec(site: &SiteConfig) -> SiteSpec {
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
        bare: route.bare_path().is_some(),
        methods: route
            .methods
            .iter()
            .map(|method| method.as_str().to_owned())
            .collect(),
        headers: route.headers.0.iter().map(header_pattern).collect(),
        query: route.query.0.iter().map(query_pattern).collect(),
    };
    SiteSpec {
        hosts: site.hosts.iter().map(|host| host_pattern(host)).collect(),
        routes: site.routes.iter().map(route).collect(),
    }
}

fn header_pattern(matcher: &config::HeaderMatch) -> HeaderPattern {
    HeaderPattern {
        name: matcher.name.as_str().to_owned(),
        value: value_pattern(&matcher.test.value),
    }
}

fn query_pattern(matcher: &config::QueryMatch) -> QueryPattern {
    QueryPattern {
        name: matcher.name.value.clone(),
        value: value_pattern(&matcher.test.value),
    }
}

fn value_pattern(test: &config::ValueTest) -> ValuePattern {
    match test {
        config::ValueTest::Equals(value) => ValuePattern::Equals(value.clone()),
        config::ValueTest::Present => ValuePattern::Present,
        config::ValueTest::Absent => ValuePattern::Absent,
        config::ValueTest::Regex(regex) => ValuePattern::Regex(regex.clone()),
    }
}
