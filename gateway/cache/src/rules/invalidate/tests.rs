use proptest::prelude::*;

use super::*;

#[test]
fn methods_and_statuses() {
    for (method, status, expected) in [
        ("POST", 200, true),
        ("PUT", 201, true),
        ("DELETE", 204, true),
        ("M-SEARCH", 200, true),
        ("PATCH", 303, true),
        ("POST", 399, true),
        ("POST", 400, false),
        ("POST", 500, false),
        ("POST", 100, false),
        ("GET", 200, false),
        ("HEAD", 200, false),
        ("OPTIONS", 200, false),
    ] {
        assert_eq!(
            invalidates(method.as_bytes(), status),
            expected,
            "{method} {status}"
        );
    }
}

fn changed_by(name: &str, value: &str) -> Vec<(String, Option<String>)> {
    let mut authority = Authority::default();
    assert!(authority.read(b"Shop.example"));
    let subject = Subject {
        scheme: "https",
        authority: &authority,
        path: b"/a/b",
        query: Some(b"q=1"),
    };
    let mut response = Fields::default();
    response.append(name.as_bytes(), value.as_bytes());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    changed(subject, &response)
        .into_iter()
        .map(|changed| (text(changed.path), changed.query.map(text)))
        .collect()
}

#[test]
fn places() {
    for (value, expected) in [
        ("/c", Some(("/c", None))),
        ("/c/../d%41?x=%41#f", Some(("/dA", Some("x=%41")))),
        ("c", Some(("/a/c", None))),
        ("../c", Some(("/c", None))),
        ("?z", Some(("/a/b", Some("z")))),
        ("https://shop.example/c", Some(("/c", None))),
        ("HTTPS://SHOP.EXAMPLE:443/c", Some(("/c", None))),
        ("//shop.example/c?d", Some(("/c", Some("d")))),
        ("https://shop.example", Some(("/", None))),
        ("https://shop.example?z", Some(("/", Some("z")))),
        // The request's own address.
        ("", None),
        ("#f", None),
        ("https://shop.example/a/b?q=1", None),
        // Another origin.
        ("http://shop.example/c", None),
        ("https://shop.example:8443/c", None),
        ("https://shop.example.evil/c", None),
        ("https://shop.example@evil/c", None),
        ("//evil/c", None),
        ("mailto:a@b", None),
        ("https:/c", None),
        // An invalid path.
        ("../../../c", None),
        ("/%zz", None),
    ] {
        for name in ["Location", "Content-Location"] {
            let mut all = vec![("/a/b".to_owned(), Some("q=1".to_owned()))];
            all.extend(expected.map(|(path, query)| (path.to_owned(), query.map(str::to_owned))));
            assert_eq!(changed_by(name, value), all, "{name}: {value}");
        }
    }
}

proptest! {
    #[test]
    fn any_place_is_survived(value in "[a-z:/?#%.@\\[\\]\\PC]{0,40}") {
        let _ = changed_by("Location", &value);
    }
}
