//! Decides about a request before anything is sent: its site and route, what the policies
//! of the request phase decide, and whether the route's target has to answer. Nothing here
//! waits.

use std::rc::Rc;

use janua_cache::rules::RequestControl;
use janua_http::Failure;
use janua_http::failure::Kind;

use crate::cached;
use crate::clean;
use crate::client;
use crate::downstream::Downstream;
use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::files;
use crate::grpc_web;
use crate::policies::{self, Carry};
use crate::receive;
use crate::redirect;
use crate::request_id::RequestId;
use crate::route;
use crate::snapshot::LocalSnapshot;
use crate::verdict::Made;

/// What was decided about a request.
pub(crate) enum Decision {
    /// The target of the route answers.
    Target(Matched),
    /// This response is the answer.
    Answer(Made, AnsweredBy),
}

/// Decides about a request.
///
/// # Errors
/// The request cannot be answered as it should: there is no route for it, a policy failed,
/// its body is too large.
pub(crate) fn decide(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    carry: Carry,
) -> Result<Decision, Failure> {
    let local = exchange.worker.snapshot();
    let listener = local.listener(exchange.listener).ok_or(Kind::Draining)?;
    exchange.origin = client::origin(&exchange.peer, listener, &exchange.heads.request);
    exchange.hop = clean::clean(
        &mut exchange.heads.request,
        &exchange.peer,
        &exchange.origin,
        &local.snapshot.internal_headers,
    )?;
    identify(exchange, &local);
    if exchange.heads.request.path == b"*" {
        return Ok(Decision::Answer(to_options(), AnsweredBy::Gateway));
    }
    if let Some(made) = to_challenge(exchange) {
        return Ok(Decision::Answer(made, AnsweredBy::Gateway));
    }
    let routed = route::route(&exchange.heads.request, &local, exchange.listener);
    let site = routed
        .as_ref()
        .map_or_else(|unrouted| unrouted.site, |matched| Some(matched.site));
    match &routed {
        Ok(matched) => {
            keep(exchange, matched);
            // First of all, since policies see also the requests that are refused below.
            let owned = &matched.site().owned;
            owned.remove_from(&mut exchange.heads.request.fields);
            grpc_web::translate_request(exchange, matched);
        }
        Err(unrouted) => exchange.site_stats.clone_from(&unrouted.stats),
    }
    count_request(exchange, &local)?;
    if let Some(made) = to_https(exchange, &local, site)? {
        return Ok(Decision::Answer(made, AnsweredBy::Gateway));
    }
    check_authority(exchange, &local, site)?;
    let matched = routed.map_err(|unrouted| unrouted.failure)?;
    let rules = matched.site().path_rules;
    rules.check(exchange.heads.request.spelling, Kind::BadRequest)?;
    receive::check_body(exchange, client)?;
    if matched.route().caches {
        exchange.caching.request = RequestControl::of(&exchange.heads.request, true);
        cached::keep_credentials(exchange, &matched);
    }
    // Checked for the path as it was routed, before policies may change it.
    let bare_path = matched.route().bare_path.as_deref();
    let to_slash = bare_path
        .filter(|bare| *bare == exchange.heads.request.path)
        .map(|_| files::with_slash(exchange));
    if let Some(made) = policies::request_phase(exchange, &matched, carry)? {
        return Ok(Decision::Answer(made, AnsweredBy::Policy));
    }
    if let Some(made) = to_slash {
        return Ok(Decision::Answer(made, AnsweredBy::Gateway));
    }
    if let Some(edits) = &matched.route().request_head {
        exchange.edit_request(&matched, edits)?;
    }
    Ok(Decision::Target(matched))
}

/// Counts the request among those of its client, if the listener limits them. The route is
/// known by then, so that a refusal appears in its log and metrics, and nothing has been spent
/// on policies.
fn count_request(exchange: &mut Exchange, local: &LocalSnapshot) -> Result<(), Failure> {
    let Some(limits) = local.client_limits(exchange.listener) else {
        return Ok(());
    };
    let client = exchange.origin.client.unwrap_or(exchange.peer.address);
    let share = limits.begin_request(client, exchange.now.monotonic_ms);
    exchange.client_share = share.map_err(|_| Kind::TooManyRequests)?;
    Ok(())
}

/// The redirect of a request without TLS, if its site wants one. What counts is the scheme that
/// the client used, which a trusted proxy states, and not that of the connection: otherwise
/// a proxy that ends TLS would be redirected for ever.
fn to_https(
    exchange: &Exchange,
    local: &LocalSnapshot,
    site: Option<usize>,
) -> Result<Option<Made>, Failure> {
    let site = site.and_then(|site| local.snapshot.sites.get(site));
    let redirect = site.and_then(|site| site.https_redirect.as_ref());
    match redirect.filter(|_| !exchange.origin.is_https) {
        Some(redirect) => redirect::redirect(exchange, redirect).map(Some),
        None => Ok(None),
    }
}

/// Refuses a request for a site that the connection was not made for (RFC 9110 §15.5.20),
/// unless it is as good as one made for it: the same TLS settings, above all about
/// certificates of clients, and a certificate that covers the host.
///
/// A connection that is of no use for its own site either, because a reload has changed the
/// settings or turned TLS on or off, is closed, so that the client makes another one.
fn check_authority(
    exchange: &mut Exchange,
    local: &LocalSnapshot,
    site: Option<usize>,
) -> Result<(), Failure> {
    let Some(site) = site else {
        return Ok(());
    };
    let listener = local.listener(exchange.listener);
    let wanted = listener.and_then(|listener| listener.tls.as_ref());
    let peer = Rc::clone(&exchange.peer);
    let Some(tls) = &peer.tls else {
        // It was opened while the listener had no TLS.
        exchange.is_last |= wanted.is_some();
        return match wanted {
            Some(_) => Err(Kind::Misdirected.into()),
            None => Ok(()),
        };
    };
    let wanted = wanted.and_then(|wanted| wanted.selection.site(site));
    let is_same_site = local
        .snapshot
        .sites
        .get(site)
        .is_some_and(|site| site.name == tls.site);
    let host = exchange.heads.request.authority.host();
    let is_for_site = wanted.is_some_and(|wanted| {
        wanted.same_settings(&tls.chosen)
            && (is_same_site || tls.chosen.covers(tls.server_name.as_deref(), host))
    });
    if is_for_site {
        return Ok(());
    }
    exchange.is_last |= is_same_site;
    Err(Kind::Misdirected.into())
}

/// The response to `OPTIONS *`, which is about the server and not about a resource
/// (RFC 9110 §9.3.7).
fn to_options() -> Made {
    Made {
        status: 200,
        headers: Vec::new(),
        body: Box::default(),
    }
}

/// The response to an authority that checks whether the gateway controls a host. It comes
/// before the site, whose redirects and policies would keep the host from ever getting a
/// certificate (RFC 8555 §8.3).
fn to_challenge(exchange: &Exchange) -> Option<Made> {
    let acme = &exchange.worker.estate.acme;
    let key_authorization = acme.for_request(&exchange.heads.request)?;
    Some(Made {
        status: 200,
        headers: vec![(
            (*b"Content-Type").into(),
            (*b"application/octet-stream").into(),
        )],
        body: key_authorization.as_bytes().into(),
    })
}

/// Assigns the identifier of the request: the one that a trusted proxy assigned, or a new
/// one.
fn identify(exchange: &mut Exchange, local: &LocalSnapshot) {
    let name = local.snapshot.request_id_header.as_bytes();
    let fields = &mut exchange.heads.request.fields;
    let given = fields.get(name).filter(|_| exchange.origin.is_trusted);
    if let Some(id) = given.and_then(RequestId::given) {
        exchange.request_id = id;
        return;
    }
    exchange.request_id = exchange.worker.identifier();
    fields.set(name, exchange.request_id.as_bytes());
}

fn keep(exchange: &mut Exchange, matched: &Matched) {
    exchange.terms = matched
        .local
        .terms
        .get(matched.site)
        .and_then(|site| site.get(matched.route))
        .cloned();
    exchange.matched = Some(matched.clone());
}
