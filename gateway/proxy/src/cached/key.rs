//! What a response is stored under, and what tells its variants apart.

use janua_cache::{Found, KeyParts};

use crate::caching::{Bypass, Personal, prefixed, query};
use crate::course::Course;
use crate::exchange::{Exchange, Matched};
use crate::heads::Heads;

/// Why the cache neither answers this request nor stores its response.
pub(super) fn bypass(exchange: &Exchange) -> Option<Bypass> {
    let caching = &exchange.caching;
    if let Some(barred) = caching.asked.barred {
        return Some(Bypass::Word(barred));
    }
    caching.bypass.clone().map(Bypass::Policy)
}

/// Writes the key of the request. It has the route's way to its upstream, so
/// that routes for the same path share what comes by the same way alone.
pub(super) fn write(exchange: &mut Exchange, course: &Course) {
    let Heads { request, key, .. } = &mut *exchange.heads;
    let (path, query, edited) = match &exchange.original {
        // The fallback of many paths is stored once, under its own.
        Some(original) if !exchange.was_missing => (&original.path, &original.query, true),
        _ => (&request.path, &request.query, false),
    };
    // A request without a query has the key of those whose query does not count.
    let keyed = exchange
        .caching
        .lookup()
        .and_then(|by| query::keyed(query.as_deref().unwrap_or_default(), &by.query));
    // What a policy made of the target is what the upstream is asked for.
    let mut upstream_path = Vec::new();
    if edited {
        prefixed(&mut upstream_path, Some(&request.path));
        prefixed(&mut upstream_path, request.query.as_deref());
    }
    let query = match &keyed {
        Some(keyed) if keyed.is_empty() => None,
        Some(keyed) => Some(keyed.as_slice()),
        None => query.as_deref(),
    };
    let host = exchange.origin.host(&request.authority);
    key.begin(&KeyParts {
        cache_scope: &course.way,
        scheme: exchange.origin.scheme().as_bytes(),
        host: &host,
        path,
        query,
        query_edited: keyed.is_some(),
        upstream_path: edited.then_some(&upstream_path),
    });
    if !exchange.caching.vary_on.is_empty() {
        key.vary_on(Some(&exchange.caching.vary_on));
    }
    // An edited path stands in the key with the whole query that goes with it.
    exchange.caching.keyed_query = keyed.filter(|_| !edited);
}

/// Keeps the credentials that the route's policies ask for, whatever they make
/// of them: what the response depends on may be any of them. They are the
/// client's own, so this is called before the first policy, which may take them
/// out of the head.
pub(crate) fn keep_credentials(exchange: &mut Exchange, matched: &Matched) {
    let credentials = &matched.route().credentials;
    if credentials.is_empty() {
        return;
    }
    let mut personal = std::mem::take(&mut exchange.caching.personal);
    let mut value = Vec::new();
    let view = exchange.view(matched, None);
    for credential in credentials {
        value.clear();
        let is_there = janua_wasm::Facts::input(&view, credential, &mut value);
        prefixed(&mut personal, is_there.then_some(&*value));
    }
    exchange.caching.personal = personal;
}

/// Looks for what is stored for the request, under its key and for its variant.
pub(crate) fn find(exchange: &mut Exchange) -> Found {
    let Heads { request, key, .. } = &mut *exchange.heads;
    let personal = Personal::of(&exchange.caching);
    let cache = &exchange.worker.estate.cache;
    cache.find(key, &mut personal.variant(request), exchange.now.unix_ms)
}
