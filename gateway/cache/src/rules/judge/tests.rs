use proptest::prelude::*;

use super::*;

/// Fresh for 60 s, then 10 s of `stale-while-revalidate` and 20 s of `stale-if-error`.
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

fn plain() -> RequestControl {
    RequestControl::default()
}

#[test]
fn judgements() {
    use Judgement::{Fresh, Pass, StaleAccepted, StaleWhileRevalidate, Unsatisfiable, Validate};
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
            RequestControl {
                no_cache: true,
                ..plain()
            },
            0,
            Validate(Detail::RequestNoCache),
        ),
        (
            TERMS,
            RequestControl {
                max_age: Some(0),
                ..plain()
            },
            0,
            Validate(Detail::RequestMaxAge),
        ),
        (
            TERMS,
            RequestControl {
                max_age: Some(5),
                ..plain()
            },
            5,
            Fresh,
        ),
        (
            TERMS,
            RequestControl {
                max_age: Some(5),
                ..plain()
            },
            6,
            Validate(Detail::RequestMaxAge),
        ),
        (
            TERMS,
            RequestControl {
                min_fresh: Some(10),
                ..plain()
            },
            50,
            Fresh,
        ),
        (
            TERMS,
            RequestControl {
                min_fresh: Some(10),
                ..plain()
            },
            51,
            Validate(Detail::RequestMinFresh),
        ),
        (
            TERMS,
            RequestControl {
                min_fresh: Some(10),
                ..plain()
            },
            61,
            Validate(Detail::Expired),
        ),
        (
            no_grace,
            RequestControl {
                max_stale: Some(5),
                ..plain()
            },
            65,
            StaleAccepted,
        ),
        (
            no_grace,
            RequestControl {
                max_stale: Some(5),
                ..plain()
            },
            66,
            Validate(Detail::Expired),
        ),
        (
            no_grace,
            RequestControl {
                max_stale: Some(u32::MAX),
                ..plain()
            },
            9_999,
            StaleAccepted,
        ),
        // `stale-while-revalidate` has priority, as it also renews the response.
        (
            TERMS,
            RequestControl {
                max_stale: Some(5),
                ..plain()
            },
            65,
            StaleWhileRevalidate,
        ),
        (
            strict,
            RequestControl {
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
            RequestControl {
                max_stale: Some(5),
                ..plain()
            },
            61,
            Validate(Detail::Expired),
        ),
        // An explicit duration overrides `s-maxage`.
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
            RequestControl {
                only_if_cached: true,
                ..plain()
            },
            0,
            Fresh,
        ),
        (
            TERMS,
            RequestControl {
                only_if_cached: true,
                ..plain()
            },
            70,
            Unsatisfiable,
        ),
        (
            TERMS,
            RequestControl {
                is_authorized: true,
                ..plain()
            },
            0,
            Pass(Detail::Authorization),
        ),
        (
            shared,
            RequestControl {
                is_authorized: true,
                ..plain()
            },
            0,
            Fresh,
        ),
        (
            TERMS,
            RequestControl {
                bypass: Some(Detail::Method),
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
            RequestControl {
                no_cache: true,
                ..plain()
            },
            0,
            false,
        ),
        (
            TERMS,
            RequestControl {
                max_age: Some(0),
                ..plain()
            },
            0,
            true,
        ),
        (
            TERMS,
            RequestControl {
                is_authorized: true,
                ..plain()
            },
            0,
            false,
        ),
        (
            TERMS,
            RequestControl {
                bypass: Some(Detail::Method),
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
        let request = RequestControl { max_age: asked, min_fresh: asked, max_stale: asked, ..plain() };
        let _ = judge(&terms, &request, now_ms);
        if judge(&terms, &plain(), now_ms) == Judgement::Fresh {
            prop_assert!(may_serve_on_error(&terms, &plain(), now_ms));
        }
    }
}
