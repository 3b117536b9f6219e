//! What becomes of a request for which something is stored (RFC 9111 §4.2, §5.2.1).

use super::{Asked, Detail, Terms};

/// What becomes of a request for which something is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Served as it is.
    Fresh,
    /// Served although it has ended: the request allows it (`max-stale`).
    StaleAsAsked,
    /// Served although it has ended, and renewed at the same time.
    StaleWhileRevalidate,
    /// Not served before the upstream was asked.
    Validate(Detail),
    /// Neither served nor asked about: the request goes to the upstream as if
    /// nothing were stored, by itself, and its answer changes nothing here but
    /// by [`invalidate`](super::invalidate).
    Pass(Detail),
    /// 504: the upstream would have to be asked, and the request forbids it
    /// (`only-if-cached`).
    Unsatisfiable,
}

/// Judges what is stored, at `now_ms` in Unix milliseconds.
///
/// Those who wait for another's answer are judged as well, by the terms of that
/// answer: `no-cache`, or a lifetime that has ended when it comes, is no answer
/// to them.
#[must_use]
pub fn judge(terms: &Terms, request: &Asked, now_ms: u64) -> Judgement {
    if let Some(detail) = bars(terms, request) {
        return Judgement::Pass(detail);
    }
    match freshness(terms, request, now_ms) {
        Judgement::Validate(_) if request.only_if_cached => Judgement::Unsatisfiable,
        judgement => judgement,
    }
}

/// RFC 9111 §3.5 asks only that an answer to credentials is not given to
/// others; here what was not said to be for all is not given to credentials
/// either: the origin may have another answer for them.
fn bars(terms: &Terms, request: &Asked) -> Option<Detail> {
    let is_barred = request.is_authorized && !terms.shares_authorized;
    request
        .barred
        .or_else(|| is_barred.then_some(Detail::Authorization))
}

fn freshness(terms: &Terms, request: &Asked, now_ms: u64) -> Judgement {
    let ttl = terms.ttl(now_ms);
    // A reload asks with `max-age=0`, also within the first second.
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
        Judgement::StaleAsAsked
    } else {
        Judgement::Validate(Detail::Expired)
    }
}

/// True if what is stored may answer although the upstream was to be asked and
/// failed: no connection, no whole answer, or a status of [`is_failure`]
/// (RFC 5861 §4).
///
/// RFC 9111 §4.2.4 would let a cache do so without being told; here the response
/// or a rule says for how long.
#[must_use]
pub fn may_serve_on_error(terms: &Terms, request: &Asked, now_ms: u64) -> bool {
    if bars(terms, request).is_some() || terms.no_cache || request.no_cache {
        return false;
    }
    let ttl = terms.ttl(now_ms);
    ttl > 0 || (!terms.must_revalidate && -ttl < i64::from(terms.stale_if_error))
}

/// True for the statuses that count as a failure of the upstream (RFC 5861 §4).
#[must_use]
pub fn is_failure(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests;
