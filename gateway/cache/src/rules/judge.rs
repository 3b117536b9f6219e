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
        .or(is_barred.then_some(Detail::Authorization))
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fresh for the first 60 s, then 10 s and 20 s of grace.
    const TERMS: Terms = Terms {
        received_ms: 0,
        initial_age: 0,
        lifetime: 60,
        stale_while_revalidate: 10,
        stale_if_error: 20,
        source: crate::rules::Source::MaxAge,
        no_cache: false,
        must_revalidate: false,
        ignores_max_stale: false,
        shares_authorized: false,
        shares_cookies: false,
    };

    fn plain() -> Asked {
        Asked::default()
    }

    #[test]
    fn judgements() {
        use Judgement::{Fresh, Pass, StaleAsAsked, StaleWhileRevalidate, Unsatisfiable, Validate};
        let no_grace = Terms {
            stale_while_revalidate: 0,
            ..TERMS
        };
        let strict = Terms {
            must_revalidate: true,
            ..TERMS
        };
        let shared = Terms {
            shares_authorized: true,
            ..TERMS
        };
        for (terms, request, second, expected) in [
            (TERMS, plain(), 0, Fresh),
            (TERMS, plain(), 59, Fresh),
            (TERMS, plain(), 60, StaleWhileRevalidate),
            (TERMS, plain(), 69, StaleWhileRevalidate),
            (TERMS, plain(), 70, Validate(Detail::Expired)),
            (no_grace, plain(), 60, Validate(Detail::Expired)),
            (strict, plain(), 59, Fresh),
            (strict, plain(), 60, Validate(Detail::Expired)),
            (
                Terms {
                    no_cache: true,
                    ..TERMS
                },
                plain(),
                0,
                Validate(Detail::NoCache),
            ),
            (
                TERMS,
                Asked {
                    no_cache: true,
                    ..plain()
                },
                0,
                Validate(Detail::RequestNoCache),
            ),
            (
                TERMS,
                Asked {
                    max_age: Some(0),
                    ..plain()
                },
                0,
                Validate(Detail::RequestMaxAge),
            ),
            (
                TERMS,
                Asked {
                    max_age: Some(5),
                    ..plain()
                },
                5,
                Fresh,
            ),
            (
                TERMS,
                Asked {
                    max_age: Some(5),
                    ..plain()
                },
                6,
                Validate(Detail::RequestMaxAge),
            ),
            (
                TERMS,
                Asked {
                    min_fresh: Some(10),
                    ..plain()
                },
                50,
                Fresh,
            ),
            (
                TERMS,
                Asked {
                    min_fresh: Some(10),
                    ..plain()
                },
                51,
                Validate(Detail::RequestMinFresh),
            ),
            (
                TERMS,
                Asked {
                    min_fresh: Some(10),
                    ..plain()
                },
                61,
                Validate(Detail::Expired),
            ),
            (
                no_grace,
                Asked {
                    max_stale: Some(5),
                    ..plain()
                },
                65,
                StaleAsAsked,
            ),
            (
                no_grace,
                Asked {
                    max_stale: Some(5),
                    ..plain()
                },
                66,
                Validate(Detail::Expired),
            ),
            (
                no_grace,
                Asked {
                    max_stale: Some(u32::MAX),
                    ..plain()
                },
                9_999,
                StaleAsAsked,
            ),
            // Grace renews it as well.
            (
                TERMS,
                Asked {
                    max_stale: Some(5),
                    ..plain()
                },
                65,
                StaleWhileRevalidate,
            ),
            (
                strict,
                Asked {
                    max_stale: Some(5),
                    ..plain()
                },
                61,
                Validate(Detail::Expired),
            ),
            (
                Terms {
                    ignores_max_stale: true,
                    ..no_grace
                },
                Asked {
                    max_stale: Some(5),
                    ..plain()
                },
                61,
                Validate(Detail::Expired),
            ),
            // s-maxage gives way to an explicit span.
            (
                Terms {
                    ignores_max_stale: true,
                    ..TERMS
                },
                plain(),
                61,
                StaleWhileRevalidate,
            ),
            (
                TERMS,
                Asked {
                    only_if_cached: true,
                    ..plain()
                },
                0,
                Fresh,
            ),
            (
                TERMS,
                Asked {
                    only_if_cached: true,
                    ..plain()
                },
                70,
                Unsatisfiable,
            ),
            (
                TERMS,
                Asked {
                    is_authorized: true,
                    ..plain()
                },
                0,
                Pass(Detail::Authorization),
            ),
            (
                shared,
                Asked {
                    is_authorized: true,
                    ..plain()
                },
                0,
                Fresh,
            ),
            (
                TERMS,
                Asked {
                    barred: Some(Detail::Method),
                    only_if_cached: true,
                    ..plain()
                },
                0,
                Pass(Detail::Method),
            ),
        ] {
            let judged = judge(&terms, &request, second * 1000);
            assert_eq!(judged, expected, "{terms:?} {request:?} {second}");
        }
    }

    #[test]
    fn errors() {
        let strict = Terms {
            must_revalidate: true,
            ..TERMS
        };
        for (terms, request, second, expected) in [
            (TERMS, plain(), 0, true),
            (TERMS, plain(), 79, true),
            (TERMS, plain(), 80, false),
            (
                Terms {
                    stale_if_error: 0,
                    ..TERMS
                },
                plain(),
                60,
                false,
            ),
            (strict, plain(), 59, true),
            (strict, plain(), 60, false),
            (
                Terms {
                    no_cache: true,
                    ..TERMS
                },
                plain(),
                0,
                false,
            ),
            (
                Terms {
                    ignores_max_stale: true,
                    ..TERMS
                },
                plain(),
                70,
                true,
            ),
            (
                TERMS,
                Asked {
                    no_cache: true,
                    ..plain()
                },
                0,
                false,
            ),
            (
                TERMS,
                Asked {
                    max_age: Some(0),
                    ..plain()
                },
                0,
                true,
            ),
            (
                TERMS,
                Asked {
                    is_authorized: true,
                    ..plain()
                },
                0,
                false,
            ),
            (
                TERMS,
                Asked {
                    barred: Some(Detail::Method),
                    ..plain()
                },
                0,
                false,
            ),
        ] {
            let served = may_serve_on_error(&terms, &request, second * 1000);
            assert_eq!(served, expected, "{terms:?} {request:?} {second}");
        }
        let failures: Vec<u16> = (100..600).filter(|&status| is_failure(status)).collect();
        assert_eq!(failures, [500, 502, 503, 504]);
    }

    proptest! {
        #[test]
        fn nothing_overflows(
            received_ms: u64, now_ms: u64, initial_age: u32, lifetime: u32, span: u32,
            asked in proptest::option::of(any::<u32>()),
        ) {
            let terms = Terms {
                received_ms, initial_age, lifetime,
                stale_while_revalidate: span, stale_if_error: span,
                ..Terms::default()
            };
            let request = Asked { max_age: asked, min_fresh: asked, max_stale: asked, ..plain() };
            let _ = judge(&terms, &request, now_ms);
            if judge(&terms, &plain(), now_ms) == Judgement::Fresh {
                prop_assert!(may_serve_on_error(&terms, &plain(), now_ms));
            }
        }
    }
}
