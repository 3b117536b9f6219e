//! `Surrogate-Control` (W3C Note "Edge Architecture Specification", 2001): directives that
//! origins behind Squid, Varnish or a CDN send to that cache.
//!
//! Its grammar is that of `Cache-Control` with two extensions. A directive may be targeted
//! at one device (`max-age=60;janua`); those for other devices are ignored. `max-age` may
//! add for how long the response may be served stale while it is revalidated
//! (`max-age=60+30`). `no-store-remote` is ignored, as it is for caches far from the origin.

use janua_http::Fields;

use super::super::control::{CacheControl, Directive, seconds, split_member};

/// The device name of this cache, in any letter case.
const DEVICE: &[u8] = b"janua";

/// The directives for this cache; `None` if none of them is a cache directive, as in
/// `content="ESI/1.0"`.
pub(super) fn surrogate_control(fields: &Fields) -> Option<CacheControl> {
    let mut control = CacheControl::default();
    // Directives for this cache have priority over those for all: the first one counts.
    for is_own in [true, false] {
        for value in fields.get_all(b"surrogate-control") {
            take(&mut control, value, is_own);
        }
    }
    (control != CacheControl::default()).then_some(control)
}

fn take(control: &mut CacheControl, value: &[u8], is_own: bool) {
    let mut rest = value;
    while !rest.is_empty() {
        let (member, tail) = split_member(rest);
        rest = tail;
        let (member, device) = match memchr::memchr(b';', member) {
            Some(semicolon) => (
                member.get(..semicolon).unwrap_or_default(),
                member.get(semicolon + 1..).map(<[u8]>::trim_ascii),
            ),
            None => (member, None),
        };
        let counts = match device {
            Some(device) => is_own && device.eq_ignore_ascii_case(DEVICE),
            None => !is_own,
        };
        if counts && let Some(directive) = Directive::parse(member) {
            take_directive(control, directive);
        }
    }
}

fn take_directive(control: &mut CacheControl, directive: Directive<'_>) {
    if directive.is("no-cache") || directive.is("private") {
        // Field names are ignored, so that the directive applies to the whole response.
        control.take(directive.without_argument());
    } else if directive.is("max-age")
        && let Some((lifetime, extension)) = directive.argument().and_then(extended)
    {
        if control.max_age.is_none() {
            control.max_age = Some(lifetime);
            control.stale_while_revalidate.get_or_insert(extension);
        }
    } else {
        control.take(directive);
    }
}

/// The two numbers of `60+30`; `None` for anything else.
fn extended(argument: &[u8]) -> Option<(u32, u32)> {
    let plus = memchr::memchr(b'+', argument)?;
    let lifetime = seconds(argument.get(..plus)?)?;
    Some((lifetime, seconds(argument.get(plus + 1..)?)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Option<CacheControl> {
        let mut fields = Fields::default();
        for line in lines {
            fields.append(b"Surrogate-Control", line.as_bytes());
        }
        surrogate_control(&fields)
    }

    #[test]
    fn lifetimes() {
        for (line, expected) in [
            ("max-age=3600", Some(3600)),
            ("MaX-aGe=3600", Some(3600)),
            ("foobar, max-age=3600", Some(3600)),
            ("max-age=3600;janua", Some(3600)),
            ("max-age=3600; Janua ", Some(3600)),
            ("max-age=60, max-age=3600;janua", Some(3600)),
            ("max-age=60;abc, max-age=3600", Some(3600)),
            ("content=\"ESI/1.0, x;y\", max-age=60", Some(60)),
            ("max-age=99999999999", Some(1 << 31)),
            ("max-age=0", Some(0)),
            // An invalid number makes the response stale.
            ("max-age =100", Some(0)),
            ("max-age= 100", Some(0)),
            ("max-age=60+", Some(0)),
            ("max-age", Some(0)),
            // No directive for this cache: `Cache-Control` applies.
            ("", None),
            ("foo", None),
            ("content=\"ESI/1.0\"", None),
            ("no-store-remote", None),
            ("max-age=3600;not-for-you", None),
            ("max-age=3600;not-for-you;janua", None),
        ] {
            let max_age = read(&[line]).and_then(|control| control.max_age);
            assert_eq!(max_age, expected, "{line}");
            assert_eq!(read(&[line]).is_some(), expected.is_some(), "{line}");
        }
    }

    #[test]
    fn extensions_are_for_stale_answers() {
        let spans = |control: CacheControl| (control.max_age, control.stale_while_revalidate);
        for (line, expected) in [
            ("max-age=60+30", (Some(60), Some(30))),
            ("max-age=60+30;janua, max-age=5+5", (Some(60), Some(30))),
            ("max-age=60, stale-while-revalidate=9", (Some(60), Some(9))),
        ] {
            assert_eq!(read(&[line]).map(spans), Some(expected), "{line}");
        }
    }

    #[test]
    fn flags() {
        assert!(read(&["no-store"]).unwrap().no_store);
        assert!(read(&["no-store, max-age=60;janua"]).unwrap().no_store);
        assert!(read(&["max-age=60", "no-store;janua"]).unwrap().no_store);
        assert!(!read(&["max-age=60", "no-store;abc"]).unwrap().no_store);
        assert!(read(&["private=\"a\""]).unwrap().private);
        assert!(read(&["no-cache=\"a\""]).unwrap().no_cache);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut fields = Fields::default();
            fields.append(b"Surrogate-Control", &value);
            let _ = surrogate_control(&fields);
        }
    }
}
