//! Which stored responses an unsafe method invalidates (RFC 9111 §4.4).

use janua_http::{Authority, Fields, path};

/// An address of the site whose stored responses are invalid from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The normalised path.
    pub path: Vec<u8>,
    /// The query, without its `?`.
    pub query: Option<Vec<u8>>,
}

/// The request with the unsafe method.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `http` or `https`, as used by the client.
    pub scheme: &'a str,
    /// Host and port that the client requested.
    pub authority: &'a Authority,
    /// The normalised path.
    pub path: &'a [u8],
    /// The query, without its `?`.
    pub query: Option<&'a [u8]>,
}

/// True if a response with this status to this method invalidates stored responses: the
/// method is unsafe or unknown, and the status is no error.
#[must_use]
pub fn invalidates(method: &[u8], status: u16) -> bool {
    !matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE") && matches!(status, 200..=399)
}

/// The addresses to invalidate if [`invalidates`] is true: that of the request, and those
/// in `Location` and `Content-Location` if they have the same origin. A site must not
/// invalidate the responses of another.
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

/// Resolves a reference against the address of the request (RFC 3986 §5.2). `None` if it
/// has another origin or is invalid.
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
        // `http:/path` has a scheme but no authority: it is no HTTP URI.
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

/// The scheme of an absolute reference, and the part after its colon.
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
mod tests;
