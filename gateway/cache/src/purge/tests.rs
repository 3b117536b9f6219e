use super::tables::{MAX_PREFIXES, MAX_TAGS, MAX_URLS, without_port};
use super::*;
use crate::key::{Key, KeyParts, Parts};

fn primary(host: &str, path: &str, query: Option<&str>, query_edited: bool) -> Vec<u8> {
    let mut key = Key::default();
    key.begin(&KeyParts {
        cache_scope: b"u",
        scheme: b"https",
        host: host.as_bytes(),
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
        query_edited,
        upstream_path: None,
    });
    key.primary.0
}

fn tags(names: &[&str]) -> Vec<u8> {
    let mut parts = Parts::default();
    for name in names {
        parts.push(Some(name.as_bytes()));
    }
    parts.0
}

fn url<'a>(path: &'a str, query: Option<&'a str>) -> Scope<'a> {
    Scope::Url {
        scheme: b"https",
        host: b"Shop.example",
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
    }
}

/// The purge state of an entry of level 0 after one hard purge.
fn after(scope: &Scope<'_>, primary: &[u8], tags: &[u8]) -> PurgeState {
    let purges = Purges::new(0, 0);
    purges.record(scope, Purge::Hard);
    purges.compare(0, &Subject { primary, tags }).0
}

#[test]
fn what_a_scope_reaches() {
    let plain = primary("shop.example", "/a/b", None, false);
    let query = primary("shop.example", "/a/b", Some("x=1"), false);
    let edited = primary("shop.example", "/a/b", Some("x=1"), true);
    let port = primary("shop.example:8443", "/a/b", None, false);
    let other = primary("other.example", "/a/b", None, false);
    let prefix = |path: &'static [u8]| Scope::Prefix {
        host: b"SHOP.example",
        path,
    };
    let rows: &[(Scope<'_>, [bool; 5])] = &[
        (url("/a/b", None), [true, true, true, true, false]),
        (url("/a/b", Some("x=1")), [false, true, true, false, false]),
        (url("/a/b", Some("y=2")), [false, false, true, false, false]),
        (url("/a", None), [false; 5]),
        (prefix(b"/a/"), [true, true, true, true, false]),
        (prefix(b"/b"), [false; 5]),
        (prefix(b""), [true, true, true, true, false]),
        (
            Scope::Host(b"shop.EXAMPLE"),
            [true, true, true, true, false],
        ),
        (
            Scope::Host(b"shop.example:8443"),
            [false, false, false, true, false],
        ),
        (Scope::Tag(b"page"), [true; 5]),
        (Scope::Tag(b"Page"), [false; 5]),
        (Scope::Tag(b"pag"), [false; 5]),
        (Scope::All, [true; 5]),
    ];
    for (scope, reached) in rows {
        let subjects = [&plain, &query, &edited, &port, &other];
        for (place, (subject, reached)) in subjects.into_iter().zip(reached).enumerate() {
            let purge_state = after(scope, subject, &tags(&["x", "page"]));
            let wanted = if *reached {
                PurgeState::Dead
            } else {
                PurgeState::Live
            };
            assert_eq!(purge_state, wanted, "{scope:?}, subject {place}");
        }
    }
}

#[test]
fn only_what_is_older_is_reached() {
    let purges = Purges::new(0, 0);
    let primary = primary("shop.example", "/", None, false);
    let subject = Subject {
        primary: &primary,
        tags: &[],
    };
    assert_eq!(purges.record(&Scope::All, Purge::Soft { now_ms: 5 }), 1);
    assert_eq!(
        purges.compare(0, &subject),
        (PurgeState::Stale { at_ms: 5 }, 1)
    );
    assert_eq!(purges.compare(1, &subject), (PurgeState::Live, 1));
    purges.record(&Scope::Tag(b"t"), Purge::Hard);
    assert_eq!(purges.compare(1, &subject), (PurgeState::Live, 2));
    purges.record(&Scope::All, Purge::Hard);
    assert_eq!(purges.compare(0, &subject).0, PurgeState::Dead);
    assert_eq!(purges.compare(2, &subject).0, PurgeState::Dead);
    assert_eq!(purges.compare(3, &subject).0, PurgeState::Live);
}

#[test]
fn what_missed_a_sweep_is_dead() {
    let purges = Purges::new(0, 0);
    let primary = primary("shop.example", "/", None, false);
    let subject = Subject {
        primary: &primary,
        tags: &[],
    };
    purges.record(&Scope::Tag(b"t"), Purge::Hard);
    purges.record(&Scope::Tag(b"u"), Purge::Hard);
    purges.clear(1);
    assert_eq!(purges.lines(), 1);
    assert_eq!(purges.compare(0, &subject).0, PurgeState::Dead);
    assert_eq!(purges.compare(1, &subject).0, PurgeState::Live);
}

#[test]
fn full_tables_reach_more_never_less() {
    let purges = Purges::new(0, 0);
    let count = MAX_URLS as u64 + 10;
    for number in 0..count {
        purges.record(&url(&format!("/{number}"), None), Purge::Hard);
    }
    for number in 0..300 {
        let path = format!("/p{number}/");
        let scope = Scope::Prefix {
            host: b"prefix.example",
            path: path.as_bytes(),
        };
        purges.record(&scope, Purge::Hard);
    }
    assert!(purges.lines() <= MAX_URLS + MAX_PREFIXES + 10);
    for (host, path) in [
        ("shop.example", "/0".to_owned()),
        ("shop.example", format!("/{}", count - 1)),
        ("prefix.example", "/p0/x".to_owned()),
        ("prefix.example", "/p299/x".to_owned()),
    ] {
        let primary = primary(host, &path, None, false);
        let subject = Subject {
            primary: &primary,
            tags: &[],
        };
        assert_eq!(
            purges.compare(0, &subject).0,
            PurgeState::Dead,
            "{host}{path}"
        );
    }
    for number in 0..MAX_TAGS as u64 + 10 {
        purges.record(&Scope::Tag(&number.to_le_bytes()), Purge::Hard);
    }
    let untagged = primary("third.example", "/", None, false);
    let subject = Subject {
        primary: &untagged,
        tags: &[],
    };
    assert_eq!(purges.compare(0, &subject).0, PurgeState::Dead);
}

#[test]
fn ports_are_taken_off() {
    for (host, name) in [
        ("a.example:80", "a.example"),
        ("a.example", "a.example"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("10.0.0.1", "10.0.0.1"),
        (":", ""),
        ("", ""),
    ] {
        assert_eq!(without_port(host.as_bytes()), name.as_bytes(), "{host}");
    }
}
