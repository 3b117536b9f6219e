//! What the answer to an unsafe method makes stale (RFC 9111 §4.4).

use janua_http::{Authority, Fields, path};

/// An address of the site whose stored responses no longer hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The normalised path.
    pub path: Vec<u8>,
    /// The query, without its `?`.
    pub query: Option<Vec<u8>>,
}

/// The request whose answer it is.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `http` or `https`, as the client reached the site.
    pub scheme: &'a str,
    /// Whom the client asked.
    pub authority: &'a Authority,
    /// The normalised path.
    pub path: &'a [u8],
    /// The query, without its `?`.
    pub query: Option<&'a [u8]>,
}

/// True if the answer to this method with this status changes what is stored:
/// the method is unsafe, or unknown, and the answer no error.
#[must_use]
pub fn invalidates(method: &[u8], status: u16) -> bool {
    !matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE") && matches!(status, 200..=399)
}

/// What changed: the address itself, and those in `Location` and
/// `Content-Location` if they are of the same origin. Others' addresses are
/// theirs to invalidate. Ask only if [`invalidates`].
#[must_use]
pub fn changed(subject: Subject<'_>, response: &Fields) -> Vec<Changed> {
    let mut all = vec![Changed {
        path: subject.path.to_vec(),
        query: subject.query.map(<[u8]>::to_vec),
    }];
    for name in ["location", "content-location"] {
        let place = response.get(name.as_bytes());
        if let Some(changed) = place.and_then(|place| resolve(subject, place))
            && !all.contains(&changed)
        {
            all.push(changed);
        }
    }
    all
}

/// The address that a reference means, if it is of the same origin
/// (RFC 3986 §5.2).
fn resolve(subject: Subject<'_>, reference: &[u8]) -> Option<Changed> {
    let (reference, _) = split(reference, b'#');
    let rest = match scheme_of(reference) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(subject.scheme.as_bytes()) => rest,
        Some(_) => return None,
        None => reference,
    };
    let (authority, rest) = match rest.strip_prefix(b"//") {
        Some(rest) => {
            let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at_checked(end)?;
            (Some(authority), rest)
        }
        // `http:/path` names no authority; it is no address of ours.
        None if rest.len() < reference.len() => return None,
        None => (None, rest),
    };
    if authority.is_some_and(|authority| !is_same(subject, authority)) {
        return None;
    }
    let (raw, query) = split(rest, b'?');
    let mut absolute = Vec::new();
    match raw.first() {
        Some(b'/') => absolute.extend_from_slice(raw),
        None if authority.is_some() => absolute.push(b'/'),
        None => absolute.extend_from_slice(subject.path),
        Some(_) if authority.is_some() => return None,
        Some(_) => {
            let end = memchr::memrchr(b'/', subject.path).map_or(0, |slash| slash + 1);
            absolute.extend_from_slice(subject.path.get(..end)?);
            absolute.extend_from_slice(raw);
        }
    }
    let mut normalised = Vec::with_capacity(absolute.len());
    path::normalise(&absolute, &mut normalised).ok()?;
    let is_own_query = raw.is_empty() && query.is_none() && authority.is_none();
    Some(Changed {
        path: normalised,
        query: if is_own_query { subject.query } else { query }.map(<[u8]>::to_vec),
    })
}

/// The scheme of an absolute reference, and what follows its colon.
fn scheme_of(reference: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', reference)?;
    let scheme = reference.get(..colon)?;
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    Some((scheme, reference.get(colon + 1..)?)).filter(|_| is_scheme)
}

fn is_same(subject: Subject<'_>, authority: &[u8]) -> bool {
    let default = match subject.scheme {
        "https" => 443,
        _ => 80,
    };
    let mut other = Authority::default();
    other.read(authority)
        && other.host() == subject.authority.host()
        && other.port().unwrap_or(default) == subject.authority.port().unwrap_or(default)
}

fn split(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(place) => (text.get(..place).unwrap_or_default(), text.get(place + 1..)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
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
            // Itself.
            ("", None),
            ("#f", None),
            ("https://shop.example/a/b?q=1", None),
            // Another origin's.
            ("http://shop.example/c", None),
            ("https://shop.example:8443/c", None),
            ("https://shop.example.evil/c", None),
            ("https://shop.example@evil/c", None),
            ("//evil/c", None),
            ("mailto:a@b", None),
            ("https:/c", None),
            // No path.
            ("../../../c", None),
            ("/%zz", None),
        ] {
            for name in ["Location", "Content-Location"] {
                let mut all = vec![("/a/b".to_owned(), Some("q=1".to_owned()))];
                all.extend(
                    expected.map(|(path, query)| (path.to_owned(), query.map(str::to_owned))),
                );
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
}
