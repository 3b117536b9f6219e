use proptest::prelude::*;

use super::*;

fn control(lines: &[&str]) -> CacheControl {
    let mut fields = Fields::default();
    for line in lines {
        fields.append(b"Cache-Control", line.as_bytes());
    }
    CacheControl::of(&fields)
}

#[test]
fn numbers() {
    for (lines, max_age, s_maxage) in [
        (&["max-age=3600"][..], Some(3600), None),
        (&["MaX-aGe=3600"], Some(3600), None),
        (&["foobar, max-age=3600"], Some(3600), None),
        (&["max-age=0"], Some(0), None),
        (&["max-age=003600"], Some(3600), None),
        (&["max-age=2147483647"], Some(2_147_483_647), None),
        (&["max-age=2147483648"], Some(MOST_SECONDS), None),
        (&["max-age=2147483649"], Some(MOST_SECONDS), None),
        (
            &["max-age=99999999999999999999999"],
            Some(MOST_SECONDS),
            None,
        ),
        (&["max-age=\"3600\""], Some(3600), None),
        (&["max-age=10, s-maxage=20"], Some(10), Some(20)),
        (&["s-maxage=20", "max-age=10"], Some(10), Some(20)),
        // The first directive counts.
        (&["max-age=1, max-age=1800"], Some(1), None),
        (&["max-age=1800", "max-age=1"], Some(1800), None),
        // An invalid number is zero.
        (&["max-age=-3600"], Some(0), None),
        (&["max-age='3600'"], Some(0), None),
        (&["max-age=3600.0"], Some(0), None),
        (&["max-age=a3600"], Some(0), None),
        (&["max-age=3600a"], Some(0), None),
        (&["max-age="], Some(0), None),
        (&["max-age"], Some(0), None),
        (&["max-age =3600"], Some(0), None),
        (&["max-age= 3600"], Some(0), None),
        (&["max-age=\"3600"], Some(0), None),
        // Text within quotes is no directive.
        (&["extension=\"max-age=3600\", max-age=1"], Some(1), None),
        (&["max-age=1, extension=\"max-age=3600\""], Some(1), None),
        (
            &["extension=\"a, max-age=3600\", max-age=\"1\""],
            Some(1),
            None,
        ),
        (
            &["extension=\"\\\", max-age=3600\", max-age=1"],
            Some(1),
            None,
        ),
        (&["extension=\"open, max-age=3600"], None, None),
        (&["x-max-age=3600"], None, None),
        (&[",, ,"], None, None),
        (&[], None, None),
    ] {
        let control = control(lines);
        assert_eq!(
            (control.max_age, control.s_maxage),
            (max_age, s_maxage),
            "{lines:?}"
        );
    }
}

#[test]
fn flags() {
    type Flag = fn(&CacheControl) -> bool;
    let flags: [(&str, Flag); 7] = [
        ("no-store", |control| control.no_store),
        ("no-cache", |control| control.no_cache),
        ("private", |control| control.private),
        ("public", |control| control.public),
        ("must-revalidate", |control| control.must_revalidate),
        ("proxy-revalidate", |control| control.proxy_revalidate),
        ("must-understand", |control| control.must_understand),
    ];
    for (name, flag) in flags {
        for line in [
            name.to_owned(),
            name.to_uppercase(),
            format!("max-age=5 ,{name}"),
            format!("{name},x"),
        ] {
            assert!(flag(&control(&[&line])), "{line}");
        }
        for (other, _) in flags.iter().filter(|(other, _)| *other != name) {
            assert!(!flag(&control(&[other])), "{name} {other}");
        }
    }
}

#[test]
fn a_list_of_names_qualifies() {
    for (line, no_cache, private) in [
        ("no-cache=\"a, b\"", false, false),
        ("private=\"a\"", false, false),
        ("no-cache=a", false, false),
        ("no-cache=\"\"", true, false),
        ("private=", false, true),
        ("no-cache=\"a\", no-cache", true, false),
        ("no-cache, private=\"a\"", true, false),
    ] {
        let control = control(&[line]);
        assert_eq!(
            (control.no_cache, control.private),
            (no_cache, private),
            "{line}"
        );
    }
}

#[test]
fn stale_spans() {
    let control = control(&["max-age=1, stale-while-revalidate=30, stale-if-error=x"]);
    assert_eq!(control.stale_while_revalidate, Some(30));
    assert_eq!(control.stale_if_error, Some(0));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(value in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut fields = Fields::default();
        fields.append(b"Cache-Control", &value);
        let _ = CacheControl::of(&fields);
    }

    #[test]
    fn almost_directives_are_survived(line in "[a-z=\"\\\\, 0-9-]{0,40}") {
        let control = control(&[&line]);
        prop_assert!(control.max_age.is_none_or(|seconds| seconds <= MOST_SECONDS));
    }

    #[test]
    fn a_number_is_found_after_anything_closed(before in "[a-z]{1,4}(=\"[a-z,= ]{0,12}\")?", number in 0..MOST_SECONDS) {
        prop_assume!(!before.starts_with("max-age"));
        let line = format!("{before}, max-age={number}");
        prop_assert_eq!(control(&[&line]).max_age, Some(number));
    }
}
