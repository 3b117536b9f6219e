use super::{Shadowed, shadowed};
use crate::router::tests::{route, with_header, with_parameter};
use crate::spec::{RouteSpec, ValuePattern};

/// Whether the second route is never chosen because of the first, and whether
/// the first is never chosen because of the second.
fn pair(first: &RouteSpec, second: &RouteSpec) -> [bool; 2] {
    let found = shadowed(&[first.clone(), second.clone()]);
    let has = |route, by| found.contains(&Shadowed { route, by });
    [has(1, 0), has(0, 1)]
}

#[test]
fn a_route_is_shadowed_by_one_that_takes_all_of_its_requests() {
    const SECOND: [bool; 2] = [true, false];
    const FIRST: [bool; 2] = [false, true];
    const NONE: [bool; 2] = [false, false];
    for (first, second, expected) in [
        // With the same path, the methods decide.
        ("/api", "GET /api", SECOND),
        ("GET /api", "/api", NONE),
        ("GET,POST /api", "POST /api", SECOND),
        ("GET /api", "HEAD /api", SECOND),
        ("HEAD /api", "GET /api", NONE),
        ("PURGE,GET /api", "PURGE /api", SECOND),
        ("*", "GET *", SECOND),
        ("=/x", "GET =/x", SECOND),
        ("~a+", "GET ~a+", SECOND),
        // A longer prefix is tried first, wherever it is in the file.
        ("/", "/api", NONE),
        ("/api", "/", NONE),
        ("/api", "^/api", NONE),
        ("/a/", "GET ^/a/", SECOND),
        ("/api", "=/api", NONE),
        ("/", "*", SECOND),
        ("*", "/", FIRST),
        ("GET /", "*", NONE),
        ("^/", "GET *", SECOND),
        // A route that also takes the bare path has one path more.
        ("/a/", "GET /a/!", NONE),
        ("/a/!", "GET /a/", SECOND),
        ("/a/!", "GET /a/!", SECOND),
        ("~^/a/", "/a/!", NONE),
        ("~^/a", "/a/!", SECOND),
        // Expressions come before prefixes, wherever they are, and after exact
        // paths.
        ("/static/", "~^/static/", FIRST),
        ("~^/static/", "/static/a", SECOND),
        ("~^/static", "/static", SECOND),
        ("~^/static/", "/static", NONE),
        ("~^/static$", "/static", NONE),
        ("~^/st.tic/", "/static/", NONE),
        ("~^/a\\.b", "/a.b/c", SECOND),
        ("~^/\\d", "/d", NONE),
        ("~<a", "~\\<ab", NONE),
        ("~", "*", SECOND),
        ("~^", "/", SECOND),
        ("~", "=/x", NONE),
        ("POST ~", "/", NONE),
        // Among themselves, expressions and suffixes are tried in the order of
        // the file.
        ("~^/a", "~^/ab", SECOND),
        ("~^/ab", "~^/a", NONE),
        ("~b", "~^/ab", SECOND),
        ("~b$", "~ab$", SECOND),
        ("~b$", "~ab", NONE),
        ("~^/a$", "~^/a", NONE),
        ("$.js", "$.min.js", SECOND),
        ("$.min.js", "$.js", NONE),
        ("$.css .js", "$.min.css .JS", SECOND),
        ("$.css .js", "$.js .png", NONE),
        ("$.css .js", "GET $.js .css", SECOND),
        // A suffix ignores case, a literal text does not.
        ("~\\.js$", "$.js", NONE),
        ("~", "$.js", SECOND),
    ] {
        assert_eq!(
            pair(&route(first), &route(second)),
            expected,
            "{first} and {second}"
        );
    }
}

#[test]
fn conditions_on_query_parameters_let_requests_through() {
    let equals = |value: &str| ValuePattern::Equals(value.to_owned());
    let regex = |text: &str| ValuePattern::Regex(text.to_owned());
    let plain = route("/x");
    let present = with_parameter("/x", "v", ValuePattern::Present);
    let two = with_parameter("/x", "v", equals("2"));
    let digits = with_parameter("/x", "v", regex("^[0-9]+$"));
    let bad = with_parameter("/x", "v", regex("("));
    let upper = with_parameter("/x", "V", equals("2"));
    let header = with_header("/x", "v", equals("2"));
    for (first, second, expected) in [
        (&plain, &two, true),
        (&two, &plain, false),
        (&present, &two, true),
        (&present, &digits, true),
        (&digits, &two, true),
        (&digits, &with_parameter("/x", "v", equals("two")), false),
        (&two, &digits, false),
        (&bad, &two, false),
        (&two, &upper, false),
        (&two, &header, false),
        (&header, &two, false),
    ] {
        assert_eq!(
            pair(first, second),
            [expected, false],
            "{first:?} {second:?}"
        );
    }
}

#[test]
fn conditions_on_header_fields_let_requests_through() {
    let equals = || ValuePattern::Equals("1".to_owned());
    let plain = route("/x");
    let present = with_header("/x", "X-A", ValuePattern::Present);
    let absent = with_header("/x", "x-a", ValuePattern::Absent);
    let one = with_header("/x", "x-a", equals());
    let other = with_header("/x", "x-b", equals());
    for (first, second, expected) in [
        (&plain, &present, true),
        (&present, &plain, false),
        (&present, &one, true),
        (&one, &present, false),
        (&present, &absent, false),
        (&one, &other, false),
    ] {
        assert_eq!(
            pair(first, second),
            [expected, false],
            "{first:?} {second:?}"
        );
    }
}

/// A repetition is an error already, so there is no warning about it.
#[test]
fn a_repeated_route_gets_no_warning() {
    for text in ["/x", "GET /x", "~^/x", "$.js"] {
        assert_eq!(pair(&route(text), &route(text)), [false, false], "{text}");
    }
}

#[test]
fn each_unreachable_route_is_reported_once() {
    let routes = ["/a", "GET /a", "POST /a", "/b", "~^/b"].map(route);
    let found = shadowed(&routes);
    let expected = [(1, 0), (2, 0), (3, 4)].map(|(route, by)| Shadowed { route, by });
    assert_eq!(found, expected);
}
