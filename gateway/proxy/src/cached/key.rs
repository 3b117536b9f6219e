//! The cache key of a request, and the values that select among the variants stored
//! under one key.

use janua_cache::{Found, KeyParts};

use crate::caching::{Bypass, Personal, prefixed, query};
use crate::course::Course;
use crate::exchange::{Exchange, Matched};
use crate::heads::Heads;

/// Why this request bypasses the cache, if it does.
pub(super) fn bypass(exchange: &Exchange) -> Option<Bypass> {
    let caching = &exchange.caching;
    if let Some(bypass) = caching.request.bypass {
        return Some(Bypass::Detail(bypass));
    }
    caching.bypass.clone().map(Bypass::Policy)
}

/// Writes the key of the request. The key includes the route's cache scope, so that
/// routes with the same path share stored responses only if they would store the
/// same ones.
pub(super) fn write(exchange: &mut Exchange, course: &Course) {
    let Heads { request, key, .. } = &mut *exchange.heads;
    let (path, query, edited) = match &exchange.original {
        // A fallback that serves many missing paths is stored once, under its own path.
        Some(original) if !exchange.was_missing => (&original.path, &original.query, true),
        _ => (&request.path, &request.query, false),
    };
    // A query that a rule reduces to nothing gives the same key as no query.
    let keyed = exchange
        .caching
        .lookup()
        .and_then(|by| query::keyed(query.as_deref().unwrap_or_default(), &by.query));
    // The path and query that policies have set, which the upstream gets.
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
        cache_scope: &course.cache_scope,
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
    // An edited target is part of the key together with its whole query.
    exchange.caching.keyed_query = keyed.filter(|_| !edited);
}

/// Records the credentials that the route's policies can read: the response may
/// depend on any of them. They must be the client's own, so this is called before
/// the first policy, which may remove them from the head.
pub(crate) fn keep_credentials(exchange: &mut Exchange, matched: &Matched) {
    let credentials = &matched.route().credentials;
    if credentials.is_empty() {
        return;
    }
    let mut personal = std::mem::take(&mut exchange.caching.personal);
    let mut value = Vec::new();
    let view = exchange.view(None);
    for credential in credentials {
        value.clear();
        let is_there = janua_wasm::Facts::input(&view, credential, &mut value);
        prefixed(&mut personal, is_there.then_some(&*value));
        view.repeated_cookies(credential, &mut personal);
    }
    exchange.caching.personal = personal;
}

/// Looks up the stored response for the key and the variant of the request.
pub(crate) fn find(exchange: &mut Exchange) -> Found {
    let Heads { request, key, .. } = &mut *exchange.heads;
    let personal = Personal::of(&exchange.caching);
    let cache = &exchange.worker.estate.cache;
    cache.find(key, &mut personal.variant(request), exchange.now.unix_ms)
}
