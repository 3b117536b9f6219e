use super::Precondition::{Failed, NotModified, Proceed};
use super::*;

const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

const BOTH: Validators<'_> = Validators {
    etag: Some(b"\"a\""),
    modified: Some(784_111_777),
};
const NONE: Validators<'_> = Validators {
    etag: None,
    modified: None,
};

fn request(method: &str, lines: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::default();
    head.method.extend_from_slice(method.as_bytes());
    for (name, value) in lines {
        head.fields.append(name.as_bytes(), value.as_bytes());
    }
    head
}

#[test]
fn one_condition() {
    for (name, value, get, put) in [
        ("If-Match", r#""a""#, Proceed, Proceed),
        ("If-Match", r#""x", "a""#, Proceed, Proceed),
        ("If-Match", "*", Proceed, Proceed),
        ("If-Match", r#"W/"a""#, Failed, Failed),
        ("If-Match", r#""x""#, Failed, Failed),
        ("If-Match", "junk", Failed, Failed),
        ("If-Match", "", Failed, Failed),
        ("If-Unmodified-Since", BEFORE, Failed, Failed),
        ("If-Unmodified-Since", SAME, Proceed, Proceed),
        ("If-Unmodified-Since", "yesterday", Proceed, Proceed),
        ("If-None-Match", r#""a""#, NotModified, Failed),
        ("If-None-Match", r#"W/"a""#, NotModified, Failed),
        ("If-None-Match", "*", NotModified, Failed),
        ("If-None-Match", r#""x""#, Proceed, Proceed),
        ("If-None-Match", "junk", Proceed, Proceed),
        ("If-Modified-Since", BEFORE, Proceed, Proceed),
        ("If-Modified-Since", SAME, NotModified, Proceed),
        ("If-Modified-Since", AFTER, NotModified, Proceed),
        ("If-Modified-Since", "0", Proceed, Proceed),
        (
            "if-modified-since",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            NotModified,
            Proceed,
        ),
    ] {
        for (method, expected) in [("GET", get), ("HEAD", get), ("PUT", put), ("POST", put)] {
            let head = request(method, &[(name, value)]);
            assert_eq!(evaluate(&head, BOTH), expected, "{method} {name}: {value}");
        }
    }
}

#[test]
fn the_order_of_the_rfc() {
    let head = |lines: &[(&str, &str)]| evaluate(&request("GET", lines), BOTH);
    let (matching, other) = (r#""a""#, r#""x""#);
    for (lines, expected) in [
        // A true If-Match puts If-Unmodified-Since aside.
        (
            &[("If-Match", matching), ("If-Unmodified-Since", BEFORE)][..],
            Proceed,
        ),
        // Then If-None-Match is asked all the same.
        (
            &[("If-Match", matching), ("If-None-Match", matching)],
            NotModified,
        ),
        (&[("If-Match", other), ("If-None-Match", matching)], Failed),
        (
            &[("If-Unmodified-Since", BEFORE), ("If-None-Match", matching)],
            Failed,
        ),
        (
            &[("If-Unmodified-Since", AFTER), ("If-Modified-Since", SAME)],
            NotModified,
        ),
        // If-None-Match puts If-Modified-Since aside, whichever way.
        (
            &[("If-None-Match", other), ("If-Modified-Since", AFTER)],
            Proceed,
        ),
        (
            &[("If-None-Match", ""), ("If-Modified-Since", AFTER)],
            Proceed,
        ),
        (
            &[("If-None-Match", matching), ("If-Modified-Since", BEFORE)],
            NotModified,
        ),
        // One date, not a list.
        (
            &[("If-Modified-Since", SAME), ("If-Modified-Since", SAME)],
            Proceed,
        ),
        (
            &[
                ("If-Unmodified-Since", BEFORE),
                ("If-Unmodified-Since", BEFORE),
            ],
            Proceed,
        ),
        (&[], Proceed),
    ] {
        assert_eq!(head(lines), expected, "{lines:?}");
    }
}

#[test]
fn without_validators() {
    for (name, value, expected) in [
        ("If-Match", r#""a""#, Failed),
        ("If-Match", "*", Proceed),
        ("If-Unmodified-Since", BEFORE, Proceed),
        ("If-None-Match", r#""a""#, Proceed),
        ("If-None-Match", "*", NotModified),
        ("If-Modified-Since", AFTER, Proceed),
    ] {
        let head = request("GET", &[(name, value)]);
        assert_eq!(evaluate(&head, NONE), expected, "{name}: {value}");
    }
}

#[test]
fn a_cache_leaves_the_origins_conditions() {
    for (method, lines, expected) in [
        ("GET", &[("If-None-Match", r#"W/"a""#)][..], true),
        (
            "GET",
            &[("If-Match", r#""x""#), ("If-None-Match", r#""a""#)],
            true,
        ),
        ("HEAD", &[("If-Modified-Since", SAME)], true),
        (
            "GET",
            &[("If-None-Match", r#""x""#), ("If-Modified-Since", SAME)],
            false,
        ),
        ("POST", &[("If-None-Match", r#""a""#)], false),
        ("GET", &[], false),
    ] {
        assert_eq!(
            not_modified(&request(method, lines), BOTH),
            expected,
            "{lines:?}"
        );
    }
}

#[test]
fn validators_of_a_response() {
    let mut fields = Fields::default();
    fields.append(b"ETag", b"W/\"a\"");
    fields.append(b"Last-Modified", SAME.as_bytes());
    let validators = Validators::of(&fields);
    assert_eq!(validators.modified, Some(784_111_777));
    assert!(validators.tag().is_some_and(|tag| tag.weak));
    fields.set(b"ETag", b"unquoted");
    assert_eq!(Validators::of(&fields).tag(), None);
}
