//! Directives for caches that are operated for the origin, such as this one. They replace
//! `Cache-Control` and `Expires`. A valid `CDN-Cache-Control` (RFC 9213) that is not empty
//! has priority over `Surrogate-Control` (see `surrogate`).
//!
//! `CDN-Cache-Control` stays in the response, for caches between this one and the client
//! (RFC 9213 §3.1). Its grammar is not that of `Cache-Control`, but that of a Dictionary
//! (RFC 9651 §3.2): with one error all of it is ignored, the last member of a key counts,
//! and keys are lower case. An invalid field allows no more than a missing one, because
//! `Cache-Control` then decides.

use janua_http::Fields;

use super::Source;
use super::control::{CacheControl, MOST_SECONDS};

mod dictionary;
mod surrogate;

use dictionary::{Item, members};

/// The directives for this cache, and the field that contains them; `None` if
/// `Cache-Control` applies.
#[must_use]
pub fn targeted(fields: &Fields) -> Option<(CacheControl, Source)> {
    let cdn = cdn_cache_control(fields).map(|control| (control, Source::CdnCacheControl));
    cdn.or_else(|| {
        surrogate::surrogate_control(fields).map(|control| (control, Source::SurrogateControl))
    })
}

/// The directives of `CDN-Cache-Control`; `None` if the field is absent, empty
/// or malformed.
fn cdn_cache_control(fields: &Fields) -> Option<CacheControl> {
    let mut joined = Vec::new();
    if !fields.joined(b"cdn-cache-control", b",", &mut joined) {
        return None;
    }
    let mut control = CacheControl::default();
    let mut is_empty = true;
    members(&joined, |key, item| {
        is_empty = false;
        take(&mut control, key, item);
    })?;
    (!is_empty).then_some(control)
}

/// Sets the directive of one member. A value that has not the type of the directive is
/// ignored (RFC 9213 §2.1). So `no-cache` and `private` lose their field names and apply
/// to the whole response.
fn take(control: &mut CacheControl, key: &[u8], item: Item<'_>) {
    let seconds = match item {
        Item::Integer(number) => u32::try_from(number)
            .ok()
            .map(|number| number.min(MOST_SECONDS))
            .or_else(|| (number > 0).then_some(MOST_SECONDS)),
        _ => None,
    };
    let set = item != Item::Boolean(false);
    match key {
        b"max-age" => control.max_age = seconds,
        b"s-maxage" => control.s_maxage = seconds,
        b"stale-while-revalidate" => control.stale_while_revalidate = seconds,
        b"stale-if-error" => control.stale_if_error = seconds,
        b"no-store" => control.no_store = set,
        b"no-cache" => control.no_cache = set,
        b"private" => control.private = set,
        b"public" => control.public = set,
        b"must-revalidate" => control.must_revalidate = set,
        b"proxy-revalidate" => control.proxy_revalidate = set,
        b"must-understand" => control.must_understand = set,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Option<CacheControl> {
        let mut fields = Fields::default();
        fields.append(b"CDN-Cache-Control", line.as_bytes());
        cdn_cache_control(&fields)
    }

    #[test]
    fn numbers() {
        for (line, max_age) in [
            ("max-age=600", Some(Some(600))),
            ("max-age=60,max-age=600", Some(Some(600))),
            ("max-age=600;ext=1 , no-cache=(a \"b\");x", Some(Some(600))),
            ("max-age=99999999999", Some(Some(MOST_SECONDS))),
            ("max-age=-5", Some(None)),
            ("max-age=60.5", Some(None)),
            ("max-age=\"60\"", Some(None)),
            ("max-age", Some(None)),
            ("none", Some(None)),
            (
                "a=?0, b=:YWJj:, c=@12, d=tok/en:*, e=%\"f%c3%bc\"",
                Some(None),
            ),
            // The whole field is ignored.
            ("", None),
            ("  ", None),
            ("max-age=600,", None),
            ("max-age=600 no-store", None),
            ("max-age=10000, &&&&&", None),
            ("Max-Age=600", None),
            ("max-age =600", None),
            ("max-age= 600", None),
            ("max-age=1234567890123456", None),
            ("max-age=600, x=\"open", None),
            ("max-age=600, x=(a", None),
            ("max-age=600, x=?2", None),
            ("max-age=600, x=1.", None),
            ("max-age=600, x=1.2345", None),
            ("max-age=600, x=\"\u{e9}\"", None),
        ] {
            assert_eq!(read(line).map(|control| control.max_age), max_age, "{line}");
        }
    }

    #[test]
    fn flags() {
        let control = read("no-store=?0, private, must-revalidate, public=?1").unwrap();
        assert!(!control.no_store && control.private);
        assert!(control.must_revalidate && control.public);
        assert!(read("no-cache=\"a\"").unwrap().no_cache);
        assert!(read("no-store=()").unwrap().no_store);
    }

    #[test]
    fn cdn_cache_control_goes_first() {
        let mut fields = Fields::default();
        assert_eq!(targeted(&fields), None);
        fields.append(b"Surrogate-Control", b"max-age=60");
        let source =
            |fields: &Fields| targeted(fields).map(|(control, from)| (control.max_age, from));
        assert_eq!(source(&fields), Some((Some(60), Source::SurrogateControl)));
        fields.append(b"CDN-Cache-Control", b"max-age=600");
        assert_eq!(source(&fields), Some((Some(600), Source::CdnCacheControl)));
        // A malformed field is ignored.
        fields.set(b"CDN-Cache-Control", b"max-age=600,");
        assert_eq!(source(&fields), Some((Some(60), Source::SurrogateControl)));
    }

    #[test]
    fn lines_are_one_list() {
        let mut fields = Fields::default();
        assert_eq!(cdn_cache_control(&fields), None);
        fields.append(b"CDN-Cache-Control", b"max-age=600");
        fields.append(b"cdn-cache-control", b"private");
        let control = cdn_cache_control(&fields).unwrap();
        assert_eq!((control.max_age, control.private), (Some(600), true));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut fields = Fields::default();
            fields.append(b"CDN-Cache-Control", &value);
            let _ = cdn_cache_control(&fields);
        }

        #[test]
        fn almost_dictionaries_are_survived(line in r#"[a-c=?@:%(); ",.0-9\\-]{0,40}"#) {
            let _ = read(&line);
        }
    }
}
