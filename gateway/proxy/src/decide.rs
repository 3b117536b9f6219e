//! What is decided about a request before anything is sent: site and route,
//! what the policies say, and which target answers. Nothing here waits.

use janua_cache::rules::Asked;
use janua_http::Failure;
use janua_http::failure::Kind;

use crate::cached;
use crate::clean;
use crate::client;
use crate::downstream::Downstream;
use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::files;
use crate::policies::{self, Carry};
use crate::receive;
use crate::request_id::RequestId;
use crate::route::{self, Unrouted};
use crate::snapshot::LocalSnapshot;
use crate::verdict::Made;

/// What was decided about a request.
pub(crate) enum Decision {
    /// The route's target answers.
    Target(Matched),
    /// This is the answer.
    Answer(Made, AnsweredBy),
}

/// Decides about a request.
///
/// # Errors
/// What cannot be answered: no route, a policy that failed, a body that is too
/// large.
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
    )?;
    identify(exchange, &local);
    if exchange.heads.request.path == b"*" {
        return Ok(Decision::Answer(to_options(), AnsweredBy::Gateway));
    }
    let matched = route::route(&exchange.heads.request, &local, exchange.listener)
        .map_err(|unrouted| without_route(exchange, unrouted))?;
    keep(exchange, &matched);
    clean::check_slash(&exchange.heads.request, matched.site().encoded_slash)?;
    receive::check_body(exchange, client)?;
    if matched.route().caches {
        exchange.caching.asked = Asked::of(&exchange.heads.request, true);
        cached::keep_credentials(exchange, &matched);
    }
    // As it was routed: what policies make of the path changes no route.
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
    Ok(Decision::Target(matched))
}

/// What `OPTIONS *` is told, which asks the server and no resource (RFC 9110
/// §9.3.7): it is there.
fn to_options() -> Made {
    Made {
        status: 200,
        headers: Vec::new(),
        body: Box::default(),
    }
}

/// Gives the request its identifier: that of a trusted proxy, or a new one.
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

fn without_route(exchange: &mut Exchange, unrouted: Unrouted) -> Failure {
    exchange.site_stats = unrouted.stats;
    unrouted.failure
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
