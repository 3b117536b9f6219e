use std::time::Duration;

use super::{CookieSettings, Session, Sticky, StickyKey};

fn sticky(upstream: &str, addresses: &[&str], lifetime: Option<u64>, key: u8) -> Sticky {
    Sticky::new(
        upstream,
        addresses.iter().map(|address| (*address).to_owned()),
        StickyKey::new(&[key; 32]),
        CookieSettings {
            name: "app".into(),
            lifetime: lifetime.map(Duration::from_secs),
            same_site: "Lax",
        },
    )
}

/// The field `Cookie` by which a client returns what was set.
fn returned(set: &[u8]) -> Vec<u8> {
    set.split(|byte| *byte == b';').next().unwrap().to_vec()
}

fn session(sticky: &Sticky, cookie: &[u8], now: u64) -> Option<usize> {
    let session = sticky.session([cookie].into_iter(), now);
    session.map(|session| session.endpoint)
}

#[test]
fn a_client_comes_back_to_its_endpoint() {
    let sticky = sticky("app", &["a:1", "b:2"], Some(3600), 1);
    for endpoint in [0, 1] {
        let set = sticky.set_cookie(endpoint, false, 1_000).unwrap();
        let text = String::from_utf8(set.clone()).unwrap();
        assert!(text.starts_with("app="), "{text}");
        assert!(
            text.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"),
            "{text}"
        );
        let cookie = returned(&set);
        let expected = Session {
            endpoint,
            is_ending: false,
        };
        let found = sticky.session([&cookie[..]].into_iter(), 1_000);
        assert_eq!(found, Some(expected));
        assert_eq!(session(&sticky, &cookie, 4_599), Some(endpoint));
        assert_eq!(session(&sticky, &cookie, 4_600), None, "expired");
    }
    assert_eq!(sticky.set_cookie(2, false, 0), None);
}

#[test]
fn the_cookie_is_written_anew_after_half_its_life() {
    let ending = |lifetime, set_at: u64, now| {
        let writer = sticky("app", &["a:1"], Some(3600), 1);
        let cookie = returned(&writer.set_cookie(0, false, set_at).unwrap());
        let reader = sticky("app", &["a:1"], lifetime, 1);
        let session = reader.session([&cookie[..]].into_iter(), now);
        session.unwrap().is_ending
    };
    assert!(!ending(Some(3600), 0, 1_800));
    assert!(ending(Some(3600), 0, 1_801));
    assert!(ending(Some(60), 0, 0), "the lifetime was shortened");
    assert!(ending(Some(86_400), 0, 0), "or prolonged");
    assert!(ending(None, 0, 0), "or left out");
}

#[test]
fn without_a_lifetime_the_browser_decides() {
    let sticky = sticky("app", &["a:1"], None, 1);
    let set = sticky.set_cookie(0, true, 1_000).unwrap();
    let text = String::from_utf8(set.clone()).unwrap();
    assert!(
        text.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{text}"
    );
    let session = sticky.session([&returned(&set)[..]].into_iter(), u64::MAX / 2);
    assert!(!session.unwrap().is_ending);
}

#[test]
fn whatever_was_not_signed_for_this_upstream_is_ignored() {
    let own = sticky("app", &["a:1", "b:2"], Some(3600), 1);
    let cookie = returned(&own.set_cookie(1, false, 0).unwrap());
    let (_, value) = cookie.split_at(4);
    // Every other byte, and other lengths.
    for place in 0..value.len() {
        let mut forged = cookie.clone();
        forged[4 + place] = if forged[4 + place] == b'A' {
            b'B'
        } else {
            b'A'
        };
        assert_eq!(session(&own, &forged, 0), None, "{place}");
    }
    for forged in [
        &cookie[..cookie.len() - 1],
        &[&cookie[..], b"A"].concat(),
        &[&cookie[..], b"="].concat(),
        b"app=",
        b"app",
        b"",
        b"app=\xff\xfe",
        &[b"app=".as_slice(), &[b'A'; 64]].concat(),
        &[b"other=", value].concat(),
    ] {
        assert_eq!(session(&own, forged, 0), None, "{forged:?}");
    }
    for (other, what) in [
        (sticky("app", &["a:1", "b:2"], Some(3600), 2), "another key"),
        (
            sticky("api", &["a:1", "b:2"], Some(3600), 1),
            "another upstream",
        ),
        (
            sticky("app", &["a:1", "c:3"], Some(3600), 1),
            "no such endpoint",
        ),
    ] {
        assert_eq!(session(&other, &cookie, 0), None, "{what}");
    }
    // The order in the file does not matter, and neither do other cookies.
    let turned = sticky("app", &["x:9", "b:2", "a:1"], Some(3600), 1);
    let among = [b"a=1; ", &cookie[..], b"; b=2"].concat();
    assert_eq!(session(&turned, &among, 0), Some(1));
    let twice = [b"app=left-over; ", &cookie[..]].concat();
    assert_eq!(session(&turned, &twice, 0), Some(1));
}

#[test]
fn the_value_does_not_show_the_address() {
    let one = sticky("app", &["10.0.0.1:80"], None, 1);
    let other = sticky("app", &["10.0.0.1:80"], None, 2);
    let value = |sticky: &Sticky| returned(&sticky.set_cookie(0, false, 0).unwrap());
    // The name itself depends on the key: nobody can try addresses.
    assert_ne!(value(&one)[..14], value(&other)[..14]);
}
