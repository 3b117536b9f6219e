//! Whether a stored response may answer a request (RFC 9111 §4.2, §5.2.1).

use super::{Detail, RequestControl, Terms};

/// How a request is handled for which a response is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The stored response is fresh and is served.
    Fresh,
    /// It is served stale, which the request accepts (`max-stale`).
    StaleAccepted,
    /// It is served stale, and revalidated at the same time.
    StaleWhileRevalidate,
    /// It must be validated before it is served, for this reason.
    Validate(Detail),
    /// The cache is not used, for this reason: the request is forwarded as it is, and
    /// its response is not stored. It may still invalidate stored responses (see
    /// [`invalidate`](super::invalidate)).
    Pass(Detail),
    /// The response must be validated, but the request forbids forwarding
    /// (`only-if-cached`): answer with 504.
    Unsatisfiable,
}

/// Decides whether a stored response may answer a request at `now_ms`, in Unix
/// milliseconds.
///
/// This also applies to a request that has waited for the response to another one: it
/// must not be served a response with `no-cache`, or one that is stale on arrival.
#[must_use]
pub fn judge(terms: &Terms, request: &RequestControl, now_ms: u64) -> Judgement {
    if let Some(detail) = bypass_reason(terms, request) {
        return Judgement::Pass(detail);
    }
    match freshness(terms, request, now_ms) {
        Judgement::Validate(_) if request.only_if_cached => Judgement::Unsatisfiable,
        judgement => judgement,
    }
}

/// Why the cache must not be used for the request and this response.
///
/// RFC 9111 §3.5 only forbids sharing the response to a request with credentials. Here a
/// request with credentials is also not served a response that is not explicitly shared,
/// as the origin may respond differently to that user.
fn bypass_reason(terms: &Terms, request: &RequestControl) -> Option<Detail> {
    let is_private = request.is_authorized && !terms.shares_authorized;
    request
        .bypass
        .or_else(|| is_private.then_some(Detail::Authorization))
}

fn freshness(terms: &Terms, request: &RequestControl, now_ms: u64) -> Judgement {
    let ttl = terms.ttl(now_ms);
    // `max-age=0`, which browsers send on reload, also applies within the first second.
    let is_too_old = |most: u32| most == 0 || terms.age(now_ms) > most;
    if terms.no_cache {
        return Judgement::Validate(Detail::NoCache);
    }
    if request.no_cache {
        return Judgement::Validate(Detail::RequestNoCache);
    }
    if request.max_age.is_some_and(is_too_old) {
        return Judgement::Validate(Detail::RequestMaxAge);
    }
    if request
        .min_fresh
        .is_some_and(|least| ttl < i64::from(least))
    {
        return Judgement::Validate(match ttl {
            1.. => Detail::RequestMinFresh,
            _ => Detail::Expired,
        });
    }
    let ended_for = -ttl;
    if ttl > 0 {
        Judgement::Fresh
    } else if terms.must_revalidate {
        Judgement::Validate(Detail::Expired)
    } else if ended_for < i64::from(terms.stale_while_revalidate) {
        Judgement::StaleWhileRevalidate
    } else if !terms.ignores_max_stale
        && request
            .max_stale
            .is_some_and(|most| ended_for <= i64::from(most))
    {
        Judgement::StaleAccepted
    } else {
        Judgement::Validate(Detail::Expired)
    }
}

/// True if a stored response may be served because the upstream failed: it could not be
/// reached, broke off its response, or sent a status of [`is_failure`] (RFC 5861 §4).
///
/// RFC 9111 §4.2.4 allows this in general. Here the response or a rule has to allow it
/// explicitly, for a limited time.
#[must_use]
pub fn may_serve_on_error(terms: &Terms, request: &RequestControl, now_ms: u64) -> bool {
    if bypass_reason(terms, request).is_some() || terms.no_cache || request.no_cache {
        return false;
    }
    let ttl = terms.ttl(now_ms);
    ttl > 0 || (!terms.must_revalidate && -ttl < i64::from(terms.stale_if_error))
}

/// True for the status codes that count as a failure of the upstream (RFC 5861 §4).
#[must_use]
pub fn is_failure(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests;
