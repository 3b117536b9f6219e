//! The directives of caches: `Cache-Control`, `CDN-Cache-Control` and `Surrogate-Control` of
//! responses, those of requests, and the terms that follow from them.

use std::fmt::Write as _;

use janua_cache::rules::control::{CacheControl, MOST_SECONDS};
use janua_cache::rules::targeted::targeted;
use janua_cache::rules::{RequestControl, Source, Terms, Times, admit};
use janua_http::{Fields, RequestHead};

use super::lines_of;

pub(crate) const WORDS: &[&str] = &[
    "max-age=60",
    "s-maxage=",
    "stale-while-revalidate=30",
    "stale-if-error=\"30\"",
    "no-store",
    "no-cache",
    "private=\"set-cookie, x\"",
    "public",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "only-if-cached",
    "min-fresh=5",
    "max-stale",
    "99999999999999999999",
    "4294967296",
    "2147483649",
    "-1",
    ", ",
    "=\"",
    "\\\"",
    "60+30;janua",
    "=?0",
    "=(a \"b\");x",
];

pub(crate) fn run(input: &[u8]) {
    check_terms_read(input);
    let Some(fields) = lines_of(b"Cache-Control", input) else {
        return;
    };
    let control = CacheControl::of(&fields);
    check_numbers(&control);
    check_canonical(control);
    check_additions(&fields, control);
    check_request(&fields);
    check_targeted(input, &fields);
    check_admission(&fields, control);
}

/// However large the number in the text, it is no more than caches count.
fn check_numbers(control: &CacheControl) {
    for number in [
        control.max_age,
        control.s_maxage,
        control.stale_while_revalidate,
        control.stale_if_error,
    ] {
        assert!(number.is_none_or(|number| number <= MOST_SECONDS));
    }
}

/// Written as plainly as possible, the directives are read as the same.
fn check_canonical(control: CacheControl) {
    let mut line = String::new();
    for (name, number) in [
        ("max-age", control.max_age),
        ("s-maxage", control.s_maxage),
        ("stale-while-revalidate", control.stale_while_revalidate),
        ("stale-if-error", control.stale_if_error),
    ] {
        if let Some(number) = number {
            write!(line, "{name}={number}, ").unwrap();
        }
    }
    for (name, is_set) in [
        ("no-store", control.no_store),
        ("no-cache", control.no_cache),
        ("private", control.private),
        ("public", control.public),
        ("must-revalidate", control.must_revalidate),
        ("proxy-revalidate", control.proxy_revalidate),
        ("must-understand", control.must_understand),
    ] {
        if is_set {
            line += name;
            line += ",";
        }
    }
    let mut fields = Fields::default();
    fields.append(b"cache-control", line.as_bytes());
    assert_eq!(CacheControl::of(&fields), control, "{line}");
}

/// A further line adds what it says and takes nothing back, and letter case says nothing.
fn check_additions(fields: &Fields, control: CacheControl) {
    let mut more = fields.clone();
    more.append(b"cache-control", b"no-store, max-age=7, foo=\"bar\"");
    let expected = CacheControl {
        no_store: true,
        max_age: control.max_age.or(Some(7)),
        ..control
    };
    assert_eq!(CacheControl::of(&more), expected, "with another line");
    let mut upper = Fields::default();
    for value in fields.get_all(b"cache-control") {
        upper.append(b"CACHE-CONTROL", &value.to_ascii_uppercase());
    }
    assert_eq!(CacheControl::of(&upper), control, "in upper case");
}

/// The directives of a request that does not honour them have no effect, and those of one that
/// does never make it accept more than without them, but for `max-stale`.
fn check_request(fields: &Fields) {
    let request = RequestHead {
        method: b"GET".to_vec(),
        fields: fields.clone(),
        ..RequestHead::default()
    };
    let ignored = RequestControl::of(&request, false);
    assert_eq!(ignored, RequestControl::default(), "not honoured");
    let honoured = RequestControl::of(&request, true);
    assert_eq!(honoured.bypass.is_some(), CacheControl::of(fields).no_store);
    for number in [honoured.max_age, honoured.min_fresh] {
        assert!(number.is_none_or(|number| number <= MOST_SECONDS));
    }
    let stale = honoured.max_stale;
    assert!(stale.is_none_or(|number| number <= MOST_SECONDS || number == u32::MAX));
}

/// Directives for this cache come from one field alone, and are read alike whatever else is
/// there.
fn check_targeted(input: &[u8], fields: &Fields) {
    assert_eq!(targeted(fields), None, "Cache-Control is for all caches");
    for (name, source) in [
        (&b"CDN-Cache-Control"[..], Source::CdnCacheControl),
        (b"Surrogate-Control", Source::SurrogateControl),
    ] {
        let mut alone = lines_of(name, input).unwrap_or_default();
        let read = targeted(&alone);
        if let Some((control, from)) = read {
            check_numbers(&control);
            assert_eq!(from, source, "the field that says so");
        }
        alone.append(b"Cache-Control", b"no-store, max-age=1");
        assert_eq!(targeted(&alone), read, "beside Cache-Control");
    }
}

/// What says that it must not be stored or shared is not, and what is stored is stored under
/// terms that survive being written.
fn check_admission(fields: &Fields, control: CacheControl) {
    let times = Times {
        requested_ms: 1_000_000,
        received_ms: 1_001_000,
    };
    let admitted = admit(&RequestControl::default(), 200, fields, None, times);
    let Ok(terms) = admitted else {
        return;
    };
    let may_understand = control.must_understand;
    assert!(!control.no_store || may_understand, "no-store was stored");
    assert!(!control.private, "private was stored");
    let stated = control.s_maxage.or(control.max_age);
    assert_eq!(terms.lifetime, stated.unwrap_or(0), "lifetime");
    let mut written = Vec::new();
    terms.write(&mut written);
    let bytes = written.first_chunk().expect("as long as documented");
    assert_eq!(Terms::read(bytes), Some(terms), "terms read again");
}

/// Any bytes on the disk are terms that can be used and are written as they were, or none.
fn check_terms_read(input: &[u8]) {
    let Some(bytes) = input.first_chunk::<{ Terms::SIZE }>() else {
        return;
    };
    let Some(terms) = Terms::read(bytes) else {
        return;
    };
    let mut written = Vec::new();
    terms.write(&mut written);
    assert_eq!(written, bytes, "terms written again");
    for now in [0, terms.received_ms, u64::MAX] {
        assert!(terms.ttl(now) <= i64::from(terms.lifetime));
        assert!(!terms.expired(now).is_fresh(now), "expired and fresh");
    }
}
