use proptest::prelude::*;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777_000;
const TIMES: Times = Times {
    requested_ms: NOW,
    received_ms: NOW,
};
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const HOUR_AGO: &str = "Sun, 06 Nov 1994 07:49:37 GMT";
const HOUR_AHEAD: &str = "Sun, 06 Nov 1994 09:49:37 GMT";
const PLAIN: RequestControl = RequestControl {
    bypass: None,
    is_head: false,
    is_authorized: false,
    no_cache: false,
    only_if_cached: false,
    max_age: None,
    min_fresh: None,
    max_stale: None,
};
const AUTHORIZED: RequestControl = RequestControl {
    is_authorized: true,
    ..PLAIN
};

type Lines<'a> = &'a [(&'a str, &'a str)];

fn fields(lines: Lines<'_>) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in lines {
        fields.append(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn rule(store: Storage) -> Rule<'static> {
    Rule {
        name: "r",
        store,
        ..Rule::default()
    }
}

fn plain(lines: Lines<'_>) -> Result<Terms, Detail> {
    admit(&PLAIN, 200, &fields(lines), None, TIMES)
}

fn ruled(lines: Lines<'_>, rule: Rule<'_>) -> Result<Terms, Detail> {
    admit(&PLAIN, 200, &fields(lines), Some(&rule), TIMES)
}

/// The remaining lifetime and its source.
fn left(admitted: Result<Terms, Detail>) -> Result<(i64, Source), Detail> {
    admitted.map(|terms| (terms.ttl(NOW), terms.source))
}

#[test]
fn what_the_fields_say() {
    use Detail::{NoCache, NoFreshness, NoStore, Private, SetCookie, Stale, VaryStar};
    for (lines, expected) in [
        (&[][..], Err(NoFreshness)),
        (&[("ETag", "\"a\"")], Err(NoFreshness)),
        (&[("Last-Modified", HOUR_AGO)], Err(NoFreshness)),
        (&[("Cache-Control", "public")], Err(NoFreshness)),
        (&[("Cache-Control", "max-age=60")], Ok((60, Source::MaxAge))),
        (
            &[("Cache-Control", "s-maxage=60")],
            Ok((60, Source::SMaxage)),
        ),
        (&[("Expires", HOUR_AHEAD)], Ok((3600, Source::Expires))),
        (
            &[("Cache-Control", "max-age=60"), ("Age", "20")],
            Ok((40, Source::MaxAge)),
        ),
        (
            &[("Cache-Control", "max-age=60"), ("Date", HOUR_AGO)],
            Err(Stale),
        ),
        (
            &[("Cache-Control", "max-age=60"), ("Age", "60")],
            Err(Stale),
        ),
        (&[("Cache-Control", "max-age=60"), ("Age", "x")], Err(Stale)),
        (&[("Cache-Control", "max-age=0")], Err(Stale)),
        (
            &[("Cache-Control", "max-age=0"), ("ETag", "\"a\"")],
            Ok((0, Source::MaxAge)),
        ),
        (
            &[("Cache-Control", "max-age=0"), ("ETag", "bare")],
            Err(Stale),
        ),
        (
            &[
                ("Expires", HOUR_AGO),
                ("Last-Modified", HOUR_AGO),
                ("Date", DATE),
            ],
            Ok((0, Source::Expires)),
        ),
        (
            &[("Cache-Control", "max-age=0, stale-while-revalidate=5")],
            Ok((0, Source::MaxAge)),
        ),
        (
            &[(
                "Cache-Control",
                "max-age=0, stale-if-error=5, must-revalidate",
            )],
            Err(Stale),
        ),
        (&[("Cache-Control", "max-age=60, no-store")], Err(NoStore)),
        (
            &[("Cache-Control", "no-store"), ("ETag", "\"a\"")],
            Err(NoStore),
        ),
        (&[("Cache-Control", "private, max-age=60")], Err(Private)),
        (
            &[("Cache-Control", "private=\"x\", max-age=60")],
            Ok((60, Source::MaxAge)),
        ),
        (&[("Cache-Control", "max-age=60, no-cache")], Err(NoCache)),
        (
            &[("Cache-Control", "no-cache"), ("ETag", "\"a\"")],
            Ok((0, Source::None)),
        ),
        (
            &[("Cache-Control", "max-age=60, no-cache"), ("ETag", "\"a\"")],
            Ok((60, Source::MaxAge)),
        ),
        (
            &[("Cache-Control", "no-cache=\"a\", max-age=60")],
            Ok((60, Source::MaxAge)),
        ),
        (
            &[("Cache-Control", "max-age=60"), ("Pragma", "no-cache")],
            Ok((60, Source::MaxAge)),
        ),
        (
            &[("Cache-Control", "max-age=60"), ("Vary", "Foo, *")],
            Err(VaryStar),
        ),
        (
            &[("Cache-Control", "max-age=60"), ("Set-Cookie", "a=b")],
            Err(SetCookie),
        ),
        (
            &[
                ("Cache-Control", "max-age=60, public"),
                ("Set-Cookie", "a=b"),
            ],
            Ok((60, Source::MaxAge)),
        ),
        (
            &[("Cache-Control", "s-maxage=60"), ("Set-Cookie", "a=b")],
            Ok((60, Source::SMaxage)),
        ),
        (
            &[
                ("Cache-Control", "max-age=60, no-cache=\"Set-Cookie\""),
                ("Set-Cookie", "a=b"),
            ],
            Ok((60, Source::MaxAge)),
        ),
        // RFC 9213: the targeted field decides alone.
        (
            &[
                ("Cache-Control", "no-store"),
                ("CDN-Cache-Control", "max-age=600"),
            ],
            Ok((600, Source::CdnCacheControl)),
        ),
        (
            &[
                ("Cache-Control", "max-age=60"),
                ("CDN-Cache-Control", "no-store"),
            ],
            Err(NoStore),
        ),
        (
            &[
                ("Cache-Control", "no-store"),
                ("Surrogate-Control", "max-age=600;janua"),
            ],
            Ok((600, Source::SurrogateControl)),
        ),
        (
            &[
                ("Cache-Control", "max-age=60"),
                ("Expires", HOUR_AHEAD),
                ("Surrogate-Control", "no-store"),
            ],
            Err(NoStore),
        ),
        (
            &[
                ("Cache-Control", "max-age=60"),
                ("Surrogate-Control", "content=\"ESI/1.0\", max-age=5;other"),
            ],
            Ok((60, Source::MaxAge)),
        ),
        (
            &[("Expires", HOUR_AHEAD), ("CDN-Cache-Control", "none")],
            Err(NoFreshness),
        ),
        (
            &[
                ("Cache-Control", "max-age=60"),
                ("CDN-Cache-Control", "max-age=600, &&&"),
            ],
            Ok((60, Source::MaxAge)),
        ),
    ] {
        assert_eq!(left(plain(lines)), expected, "{lines:?}");
    }
}

#[test]
fn requests_that_are_not_stored() {
    let fields = fields(&[("Cache-Control", "public, max-age=60")]);
    for (request, detail) in [
        (
            RequestControl {
                bypass: Some(Detail::Upgrade),
                ..PLAIN
            },
            Detail::Upgrade,
        ),
        (
            RequestControl {
                is_head: true,
                ..PLAIN
            },
            Detail::Method,
        ),
    ] {
        assert_eq!(admit(&request, 200, &fields, None, TIMES), Err(detail));
        let seconds = rule(Storage::Seconds(5));
        assert_eq!(
            admit(&request, 200, &fields, Some(&seconds), TIMES),
            Err(detail)
        );
    }
}

#[test]
fn statuses() {
    for (status, control, expected) in [
        (100, "max-age=60", Err(Detail::Status)),
        (304, "max-age=60", Err(Detail::Status)),
        (206, "max-age=60", Err(Detail::Range)),
        (416, "max-age=60", Err(Detail::Range)),
        (204, "max-age=60", Ok(())),
        (302, "max-age=60", Ok(())),
        (404, "max-age=60", Ok(())),
        (503, "max-age=60", Ok(())),
        (599, "max-age=60", Ok(())),
        (599, "max-age=60, must-understand", Err(Detail::Status)),
        (200, "max-age=60, must-understand, no-store", Ok(())),
        (
            200,
            "max-age=60, must-understand, private",
            Err(Detail::Private),
        ),
    ] {
        let fields = fields(&[("Cache-Control", control)]);
        let admitted = admit(&PLAIN, status, &fields, None, TIMES).map(|_| ());
        assert_eq!(admitted, expected, "{status} {control}");
    }
}

#[test]
fn authorization() {
    for (control, store, shared, expected) in [
        (
            "max-age=60",
            Storage::ByFields,
            false,
            Err(Detail::Authorization),
        ),
        (
            "max-age=60, proxy-revalidate",
            Storage::ByFields,
            false,
            Err(Detail::Authorization),
        ),
        ("max-age=60, public", Storage::ByFields, false, Ok(())),
        (
            "max-age=60, must-revalidate",
            Storage::ByFields,
            false,
            Ok(()),
        ),
        ("s-maxage=60", Storage::ByFields, false, Ok(())),
        ("max-age=60", Storage::ByFields, true, Ok(())),
        (
            "private",
            Storage::Seconds(5),
            false,
            Err(Detail::Authorization),
        ),
        // What Rails sends by default does not allow sharing.
        (
            "max-age=0, private, must-revalidate",
            Storage::Seconds(5),
            false,
            Err(Detail::Authorization),
        ),
        ("public", Storage::Seconds(5), false, Ok(())),
        ("private", Storage::Seconds(5), true, Ok(())),
    ] {
        let fields = fields(&[("Cache-Control", control)]);
        let rule = Rule {
            shared,
            ..rule(store)
        };
        let admitted = admit(&AUTHORIZED, 200, &fields, Some(&rule), TIMES);
        assert_eq!(
            admitted.map(|_| ()),
            expected,
            "{control} {store:?} {shared}"
        );
        // The same directive allows later requests with credentials to use it.
        let stored = admit(&PLAIN, 200, &fields, Some(&rule), TIMES).unwrap();
        assert_eq!(stored.shares_authorized, expected.is_ok(), "{control}");
    }
}

#[test]
fn rules() {
    let never = rule(Storage::Never);
    let seconds = rule(Storage::Seconds(60));
    let heuristic = rule(Storage::ByFieldsOrHeuristic);
    for (lines, rule, expected) in [
        (
            &[("Cache-Control", "max-age=60")][..],
            never,
            Err(Detail::RuleNever),
        ),
        (&[], seconds, Ok((60, Source::Rule))),
        (
            &[("Cache-Control", "no-store, private, no-cache")],
            seconds,
            Ok((60, Source::Rule)),
        ),
        (
            &[("Cache-Control", "max-age=5"), ("Age", "500")],
            seconds,
            Ok((60, Source::Rule)),
        ),
        (
            &[("Age", "x"), ("Date", HOUR_AGO)],
            seconds,
            Ok((60, Source::Rule)),
        ),
        (&[("Vary", "*")], seconds, Err(Detail::VaryStar)),
        (
            &[("Cache-Control", "public"), ("Set-Cookie", "a")],
            seconds,
            Err(Detail::SetCookie),
        ),
        (
            &[("Set-Cookie", "a")],
            Rule {
                shared: true,
                ..seconds
            },
            Ok((60, Source::Rule)),
        ),
        (&[], rule_of_no_seconds(), Err(Detail::Stale)),
        (
            &[("ETag", "\"a\"")],
            rule_of_no_seconds(),
            Ok((0, Source::Rule)),
        ),
        (
            &[("Last-Modified", HOUR_AGO), ("Date", DATE)],
            heuristic,
            Ok((360, Source::Heuristic)),
        ),
        (&[("ETag", "\"a\"")], heuristic, Err(Detail::NoFreshness)),
        (
            &[("Last-Modified", HOUR_AGO), ("Cache-Control", "max-age=5")],
            heuristic,
            Ok((5, Source::MaxAge)),
        ),
    ] {
        assert_eq!(left(ruled(lines, rule)), expected, "{lines:?} {rule:?}");
    }
}

fn rule_of_no_seconds() -> Rule<'static> {
    rule(Storage::Seconds(0))
}

#[test]
fn the_age_of_a_rule_s_response_is_told_as_it_is() {
    let terms = ruled(&[("Age", "500")], rule(Storage::Seconds(60))).unwrap();
    assert_eq!(
        (terms.age(NOW + 10_000), terms.ttl(NOW + 10_000)),
        (510, 50)
    );
}

#[test]
fn stale_spans() {
    let lines = &[(
        "Cache-Control",
        "max-age=1, stale-while-revalidate=30, stale-if-error=40",
    )];
    let spans = |terms: Terms| (terms.stale_while_revalidate, terms.stale_if_error);
    assert_eq!(plain(lines).map(spans), Ok((30, 40)));
    let rule = Rule {
        stale_while_revalidate: Some(0),
        ..rule(Storage::ByFields)
    };
    assert_eq!(ruled(lines, rule).map(spans), Ok((0, 40)));
    let rule = Rule {
        store: Storage::Seconds(1),
        stale_if_error: Some(7),
        ..rule
    };
    assert_eq!(ruled(lines, rule).map(spans), Ok((0, 7)));
}

#[test]
fn flags_of_the_terms() {
    for (control, must_revalidate, ignores_max_stale) in [
        ("max-age=60", false, false),
        ("max-age=60, must-revalidate", true, false),
        ("max-age=60, proxy-revalidate", true, false),
        ("s-maxage=60", false, true),
    ] {
        let terms = plain(&[("Cache-Control", control)]).unwrap();
        assert_eq!(
            (terms.must_revalidate, terms.ignores_max_stale),
            (must_revalidate, ignores_max_stale),
            "{control}"
        );
    }
}

proptest! {
    #[test]
    fn any_response_is_survived(
        status: u16, name in "(Age|Date|Vary|Cache-Control|CDN-Cache-Control|Expires)", value in "\\PC{0,40}",
        requested_ms: u64, received_ms: u64, seconds: u32,
    ) {
        let fields = fields(&[("Cache-Control", "max-age=60"), (&name, &value)]);
        let times = Times { requested_ms, received_ms };
        for store in [Storage::ByFields, Storage::ByFieldsOrHeuristic, Storage::Seconds(seconds)] {
            let _ = admit(&PLAIN, status, &fields, Some(&rule(store)), times);
        }
    }
}
