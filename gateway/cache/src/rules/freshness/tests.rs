use proptest::prelude::*;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;

fn http_date(seconds: u64) -> String {
    let mut out = Vec::new();
    date::write(seconds, &mut out);
    String::from_utf8(out).unwrap()
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in lines {
        fields.append(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn at_once() -> Times {
    Times {
        requested_ms: NOW * 1000,
        received_ms: NOW * 1000,
    }
}

#[test]
fn ages_that_are_stated() {
    for (lines, age) in [
        (&[][..], Some(0)),
        (&["0"], Some(0)),
        (&["7200"], Some(7200)),
        (&["99999999999"], Some(MOST_SECONDS)),
        (&["0,7200"], Some(0)),
        (&["7200,0"], Some(7200)),
        (&["abc"], None),
        (&["-7200"], None),
        (&["7200.0"], None),
        (&["0, 0"], None),
        (&["3600, 3600"], None),
        (&["7200", "0"], None),
        (&["0", "7200"], None),
        (&["0", "0"], None),
        (&["7200;foo=bar"], None),
        (&["7200;foo=111"], None),
        (&[""], None),
        (&[",7200"], None),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("Age", *line)).collect();
        assert_eq!(initial_age(&fields(&lines), at_once()), age, "{lines:?}");
    }
}

#[test]
fn ages_that_are_worked_out() {
    for (date, age, delay_ms, expected) in [
        (NOW, "0", 0, 0),
        (NOW, "0", 1_999, 1),
        (NOW, "30", 2_000, 32),
        (NOW - 7200, "0", 0, 7200),
        (NOW - 7200, "9000", 0, 9000),
        // The upstream's clock is ahead.
        (NOW + 7200, "5", 0, 5),
    ] {
        let fields = fields(&[("Date", &http_date(date)), ("Age", age)]);
        let times = Times {
            requested_ms: NOW * 1000 - delay_ms,
            received_ms: NOW * 1000,
        };
        assert_eq!(
            initial_age(&fields, times),
            Some(expected),
            "{date} {age} {delay_ms}"
        );
    }
    // The clock was set back between request and response.
    let times = Times {
        requested_ms: u64::MAX,
        received_ms: 0,
    };
    assert_eq!(initial_age(&Fields::default(), times), Some(0));
}

#[test]
fn lifetimes() {
    let past = http_date(NOW - 7200);
    let now = http_date(NOW);
    let soon = http_date(NOW + 10);
    let slow = http_date(NOW - 10);
    for (lines, expected) in [
        (&[][..], (0, Source::None)),
        (&[("Cache-Control", "max-age=60")], (60, Source::MaxAge)),
        (
            &[("Cache-Control", "max-age=60, s-maxage=0")],
            (0, Source::SMaxage),
        ),
        (
            &[
                ("Cache-Control", "max-age=0, s-maxage=60"),
                ("Expires", past.as_str()),
            ],
            (60, Source::SMaxage),
        ),
        (
            &[("Cache-Control", "max-age=60"), ("Expires", "0")],
            (60, Source::MaxAge),
        ),
        (
            &[("Cache-Control", "max-age=0"), ("Expires", soon.as_str())],
            (0, Source::MaxAge),
        ),
        (&[("Expires", soon.as_str())], (10, Source::Expires)),
        (
            &[("Expires", soon.as_str()), ("Date", slow.as_str())],
            (20, Source::Expires),
        ),
        (
            &[("Expires", soon.as_str()), ("Date", "foo")],
            (10, Source::Expires),
        ),
        (
            &[("Expires", now.as_str()), ("Date", now.as_str())],
            (0, Source::Expires),
        ),
        (
            &[("Expires", now.as_str()), ("Date", soon.as_str())],
            (0, Source::Expires),
        ),
        (&[("Expires", "0")], (0, Source::Expires)),
        (
            &[("Expires", "Thu, 18 Aug 2050 02:01:18 AEST")],
            (0, Source::Expires),
        ),
        (
            &[("Expires", "Fri, 31 Dec 9999 23:59:59 GMT")],
            (MOST_SECONDS, Source::Expires),
        ),
    ] {
        let fields = fields(lines);
        let control = CacheControl::of(&fields);
        let found = lifetime(&control, None, &fields, NOW * 1000);
        assert_eq!(found, expected, "{lines:?}");
    }
}

#[test]
fn a_targeted_field_leaves_no_expires() {
    let fields = fields(&[("Expires", &http_date(NOW + 10))]);
    let control = CacheControl {
        max_age: Some(5),
        ..CacheControl::default()
    };
    assert_eq!(
        lifetime(&control, Some(Source::CdnCacheControl), &fields, NOW * 1000),
        (5, Source::CdnCacheControl)
    );
    assert_eq!(
        lifetime(
            &CacheControl::default(),
            Some(Source::SurrogateControl),
            &fields,
            NOW * 1000
        ),
        (0, Source::None)
    );
}

#[test]
fn guesses() {
    let public = CacheControl {
        public: true,
        ..CacheControl::default()
    };
    let plain = CacheControl::default();
    for (status, control, unchanged, expected) in [
        (200, plain, 86_400, Some(8_640)),
        (200, plain, 9, Some(0)),
        (200, plain, 100 * 86_400, Some(MOST_HEURISTIC)),
        (203, plain, 100, Some(10)),
        (204, plain, 100, Some(10)),
        (404, plain, 100, Some(10)),
        (501, plain, 100, Some(10)),
        (201, plain, 100, None),
        (202, plain, 100, None),
        (302, plain, 100, None),
        (403, plain, 100, None),
        (503, plain, 100, None),
        (599, plain, 100, None),
        (599, public, 100, Some(10)),
    ] {
        let fields = fields(&[("Last-Modified", &http_date(NOW - unchanged))]);
        let found = heuristic(&control, status, &fields, NOW * 1000);
        assert_eq!(found, expected, "{status} {unchanged}");
    }
    assert_eq!(heuristic(&plain, 200, &Fields::default(), NOW * 1000), None);
    // Last modified after `Date`.
    let late = fields(&[("Last-Modified", &http_date(NOW + 100))]);
    assert_eq!(heuristic(&plain, 200, &late, NOW * 1000), Some(0));
}

proptest! {
    #[test]
    fn any_fields_and_times_are_survived(
        date in "\\PC{0,30}", age in "[0-9, -]{0,24}", requested_ms: u64, received_ms: u64,
    ) {
        let fields = fields(&[("Date", &date), ("Age", &age), ("Expires", &date), ("Last-Modified", &date)]);
        let control = CacheControl::default();
        let times = Times { requested_ms, received_ms };
        prop_assert!(initial_age(&fields, times).is_none_or(|age| age <= MOST_SECONDS));
        prop_assert!(lifetime(&control, None, &fields, received_ms).0 <= MOST_SECONDS);
        prop_assert!(heuristic(&control, 200, &fields, received_ms).is_none_or(|span| span <= MOST_HEURISTIC));
    }
}
