//! From what the file says to what runs.
//!
//! Either all of it succeeds, or nothing has changed and every error is said
//! at once, with its place in the file.

mod listeners;
mod upstreams;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use janua_config::{
    self as config, Diagnostics, Loaded, Names, Route as RouteConfig, Site as SiteConfig,
};
use janua_http::EncodedSlash;
use janua_telemetry::metrics::definitions;
use janua_wasm::{Phase, Policy};

use crate::estate::Estate;
use crate::provision::{Bundled, Provision};
use crate::snapshot::{Fixed, HostField, Piece, Route, Site, Snapshot, Target, Terms, To, Use};
use crate::stats::RouteStats;

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
    let listeners = listeners::compile(config, estate, &mut found);
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
        upstreams: upstreams::compile(&config.upstreams, estate),
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
        // Until the data plane serves them: Not Implemented.
        config::Target::Files(_) => Target::Respond(Fixed {
            status: 501,
            headers: Box::default(),
            body: b"".as_slice().into(),
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
