//! Parses URLs written by the operator and normalises them as in the cache's
//! keys.

use std::fmt;

use janua_http::authority::Authority;
use janua_http::path::normalise;

/// Host, path and query of a URL or of a URL prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// `http` or `https`; none if it was omitted.
    pub(super) scheme: Option<&'static str>,
    /// In lower case, with the port unless it is the default of the scheme.
    pub(super) host: Vec<u8>,
    /// Normalised.
    pub(super) path: Vec<u8>,
    /// Without the `?`.
    pub(super) query: Option<Vec<u8>>,
}

impl Address {
    /// Parses a URL: `https://app.example.com/a?x=1`.
    ///
    /// # Errors
    /// Why it is not a URL, and what to write.
    pub(super) fn url(text: &str) -> Result<Self, String> {
        match scheme(text) {
            (None, _) => Err(format!(
                "`{text}` is not an address: write \"https://app.example.com/a\""
            )),
            (scheme, rest) => Self::read(text, scheme, rest),
        }
    }

    /// Parses a URL prefix: `https://app.example.com/assets/`, with or without
    /// the scheme.
    ///
    /// # Errors
    /// Why it is not a URL prefix, and what to write.
    pub(super) fn prefix(text: &str) -> Result<Self, String> {
        let (scheme, rest) = scheme(text);
        let read = Self::read(text, scheme, rest)?;
        match read.query {
            None => Ok(read),
            Some(_) => Err(format!("`{text}`: a prefix has no query")),
        }
    }

    fn read(text: &str, scheme: Option<&'static str>, rest: &str) -> Result<Self, String> {
        if rest.contains('#') || rest.chars().any(|c| c.is_control() || c == ' ') {
            return Err(format!(
                "`{text}`: an address has no fragment, no spaces and no control characters"
            ));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        no_pattern(authority)?;
        let (raw, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let raw = if raw.is_empty() { "/" } else { raw };
        let mut path = Vec::new();
        normalise(raw.as_bytes(), &mut path)
            .map_err(|error| format!("`{text}`: {}", error.words()))?;
        Ok(Self {
            scheme,
            host: authority_of(authority, scheme).ok_or_else(|| format!("`{text}` has no host"))?,
            path,
            query: query.map(|query| query.as_bytes().to_vec()),
        })
    }
}

/// Without the scheme, as CDNs expect prefixes.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        write!(f, "{}{}", text(&self.host), text(&self.path))?;
        match &self.query {
            Some(query) => write!(f, "?{}", text(query)),
            None => Ok(()),
        }
    }
}

/// Parses a host, with or without a port.
///
/// # Errors
/// Why it is not a host, and what to write.
pub(super) fn host(text: &str) -> Result<Vec<u8>, String> {
    no_pattern(text)?;
    let plain = scheme(text).1.split('/').next().unwrap_or_default();
    match authority_of(text, None) {
        Some(host) => Ok(host),
        None if plain != text && !plain.is_empty() => {
            Err(format!("`{text}` is not a host: write \"{plain}\""))
        }
        None => Err(format!("`{text}` is not a host: write \"app.example.com\"")),
    }
}

/// Refuses a pattern: responses are stored under a host, never under a pattern.
fn no_pattern(host: &str) -> Result<(), String> {
    match host.contains('*') {
        true => Err(format!(
            "`{host}` is a pattern: name each host by itself, or a tag that all of them have"
        )),
        false => Ok(()),
    }
}

fn authority_of(text: &str, scheme: Option<&str>) -> Option<Vec<u8>> {
    let mut authority = Authority::default();
    if !authority.read(text.as_bytes()) {
        return None;
    }
    let is_own = matches!(
        (scheme, authority.port()),
        (Some("http"), Some(80)) | (Some("https"), Some(443))
    );
    let mut host = Vec::new();
    match is_own {
        true => host.extend_from_slice(authority.host().as_bytes()),
        false => authority.write_to(&mut host),
    }
    Some(host)
}

fn scheme(text: &str) -> (Option<&'static str>, &str) {
    for scheme in ["https", "http"] {
        let rest = text
            .get(scheme.len()..)
            .and_then(|rest| rest.strip_prefix("://"));
        let is = text
            .get(..scheme.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(scheme));
        if let (Some(rest), true) = (rest, is) {
            return (Some(scheme), rest);
        }
    }
    (None, text)
}

#[cfg(test)]
mod tests {
    use super::{Address, host};

    #[test]
    fn addresses_are_normalised() {
        let table = [
            ("https://a.example", "a.example/"),
            ("HTTPS://A.Example:443/b/../c%41", "a.example/cA"),
            ("http://a.example:8080//x/./y", "a.example:8080/x/y"),
            ("https://a.example:80/", "a.example:80/"),
            ("https://a.example?x=%2f/..", "a.example/?x=%2f/.."),
            ("https://[::1]:8443/?", "[::1]:8443/?"),
            ("https://a.example/ü", "a.example/%C3%BC"),
        ];
        for (text, read) in table {
            assert_eq!(Address::url(text).unwrap().to_string(), read, "{text}");
        }
        assert_eq!(Address::url("https://a.example/").unwrap().query, None);
        assert_eq!(
            Address::url("https://a.example/?").unwrap().query,
            Some(vec![])
        );
    }

    #[test]
    fn prefixes_need_no_scheme() {
        for (text, read) in [
            ("a.example/assets", "a.example/assets"),
            ("https://a.example/assets/", "a.example/assets/"),
            ("a.example", "a.example/"),
        ] {
            assert_eq!(Address::prefix(text).unwrap().to_string(), read, "{text}");
        }
        assert!(
            Address::prefix("a.example/?x")
                .unwrap_err()
                .contains("no query")
        );
    }

    #[test]
    fn what_is_no_address_is_said() {
        for text in [
            "",
            "a.example/b",
            "/a",
            "ftp://a.example/",
            "https://",
            "https:///a",
            "https://u@a.example/",
            "https://a.example/../x",
            "https://a.example/%zz",
            "https://a.example/#a",
            "https://a.example/a b",
            "https://a.example:x/",
        ] {
            assert!(Address::url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts() {
        assert_eq!(host("App.Example").unwrap(), b"app.example");
        assert_eq!(host("app.example:8080").unwrap(), b"app.example:8080");
        let why = host("https://app.example/a").unwrap_err();
        assert!(why.ends_with("write \"app.example\""), "{why}");
        for text in ["", "/", "a b", "*.example.com/"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
