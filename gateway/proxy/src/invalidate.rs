//! Invalidates stored responses because of the response to another request.

use janua_cache::Found;
use janua_cache::rules::invalidate::{Subject, changed, invalidates};
use janua_cache::rules::update::{HeadEffect, head_effect};
use janua_http::Fields;

use crate::cached::key::find;
use crate::exchange::{Exchange, Matched};
use crate::heads::Heads;

/// Invalidates the stored response if the response to a `HEAD` shows that it is outdated
/// (RFC 9111 §4.3.5).
fn compare_with_head(exchange: &mut Exchange) {
    let Found::Entry(entry) = find(exchange) else {
        return;
    };
    let mut stored = Fields::default();
    entry.write_into(&mut stored);
    let response = &exchange.heads.response;
    let length = entry.length().unwrap_or_default();
    let effect = head_effect(&stored, length, response.status, &response.fields);
    if effect == HeadEffect::Expire
        && let Some(address) = entry.address()
    {
        let cache = &exchange.worker.estate.cache;
        cache.invalidate(address.scheme, address.host, address.path, address.query);
    }
}

/// Invalidates what a response outdates: one to a request with an unsafe method (RFC 9111
/// §4.4), or one to a `HEAD`.
pub(crate) fn invalidate(exchange: &mut Exchange) {
    if exchange.caching.request.is_head && exchange.report.has_key() {
        compare_with_head(exchange);
    }
    let Heads {
        request, response, ..
    } = &*exchange.heads;
    let is_cached = |matched: &Matched| matched.route().caches;
    if !exchange.matched.as_ref().is_some_and(is_cached)
        || !invalidates(&request.method, response.status)
    {
        return;
    }
    let (path, query) = match &exchange.original {
        Some(original) => (&original.path, &original.query),
        None => (&request.path, &request.query),
    };
    let scheme = exchange.origin.scheme();
    let subject = Subject {
        scheme,
        authority: &request.authority,
        path,
        query: query.as_deref(),
    };
    let host = exchange.origin.host(&request.authority);
    for changed in changed(subject, &response.fields) {
        let (path, query) = (&changed.path, changed.query.as_deref());
        let cache = &exchange.worker.estate.cache;
        cache.invalidate(scheme.as_bytes(), &host, path, query);
    }
}
