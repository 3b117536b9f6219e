use super::*;

fn request(method: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut request = RequestHead {
        method: method.as_bytes().to_vec(),
        ..RequestHead::default()
    };
    for (name, value) in fields {
        request.fields.append(name.as_bytes(), value.as_bytes());
    }
    request
}

#[test]
fn directives_of_a_request() {
    let none = RequestControl::default();
    for (line, expected) in [
        ("nothing-to-see-here", none),
        (
            "No-Cache",
            RequestControl {
                no_cache: true,
                ..none
            },
        ),
        (
            "only-if-cached",
            RequestControl {
                only_if_cached: true,
                ..none
            },
        ),
        (
            "max-age=5, max-age=9",
            RequestControl {
                max_age: Some(5),
                ..none
            },
        ),
        (
            "max-age=x",
            RequestControl {
                max_age: Some(0),
                ..none
            },
        ),
        (
            "min-fresh=20",
            RequestControl {
                min_fresh: Some(20),
                ..none
            },
        ),
        ("min-fresh=x", none),
        (
            "max-stale=1000",
            RequestControl {
                max_stale: Some(1000),
                ..none
            },
        ),
        (
            "max-stale",
            RequestControl {
                max_stale: Some(u32::MAX),
                ..none
            },
        ),
        ("max-stale=x", none),
        (
            "no-store",
            RequestControl {
                bypass: Some(Detail::RequestNoStore),
                ..none
            },
        ),
    ] {
        let request = request("GET", &[("Cache-Control", line)]);
        assert_eq!(RequestControl::of(&request, true), expected, "{line}");
        assert_eq!(RequestControl::of(&request, false), none, "{line}");
    }
}

#[test]
fn pragma_says_nothing() {
    let request = request("GET", &[("Pragma", "no-cache")]);
    assert_eq!(
        RequestControl::of(&request, true),
        RequestControl::default()
    );
}

#[test]
fn requests_that_bypass_the_cache() {
    for (method, field, bypass) in [
        ("GET", "Accept", None),
        ("HEAD", "Accept", None),
        ("GET", "If-None-Match", None),
        ("GET", "Range", None),
        ("get", "Accept", Some(Detail::Method)),
        ("POST", "Accept", Some(Detail::Method)),
        ("M-SEARCH", "Accept", Some(Detail::Method)),
        ("GET", "X-HTTP-Method-Override", Some(Detail::Method)),
        ("HEAD", "x-method-override", Some(Detail::Method)),
        ("GET", "x-http-method", Some(Detail::Method)),
        ("GET", "If-Match", Some(Detail::Precondition)),
        ("GET", "If-Unmodified-Since", Some(Detail::Precondition)),
    ] {
        let control = RequestControl::of(&request(method, &[(field, "x")]), false);
        assert_eq!(control.bypass, bypass, "{method} {field}");
        assert_eq!(control.is_head, method == "HEAD");
    }
    let upgrade = RequestHead {
        upgrade: true,
        ..request("GET", &[])
    };
    assert_eq!(
        RequestControl::of(&upgrade, true).bypass,
        Some(Detail::Upgrade)
    );
    for (framing, bypass) in [
        (Framing::Length(0), None),
        (Framing::Length(1), Some(Detail::RequestBody)),
        (Framing::Chunked, Some(Detail::RequestBody)),
    ] {
        let body = RequestHead {
            framing,
            ..request("GET", &[])
        };
        assert_eq!(
            RequestControl::of(&body, true).bypass,
            bypass,
            "{framing:?}"
        );
    }
}

#[test]
fn credentials_count_always() {
    let request = request("GET", &[("authorization", "")]);
    assert!(RequestControl::of(&request, false).is_authorized);
}
