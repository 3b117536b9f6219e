//! Names of hosts: what a site serves, and what a certificate covers.
//!
//! The two mean different things by a wildcard. A site's `*.example.com`
//! matches one or more labels, as in the router; a certificate's covers exactly
//! one (RFC 6125, section 6.4.3). So `a.b.example.com` can be served by a site
//! whose certificate does not cover it.

use std::fmt;
use std::net::IpAddr;

/// The hosts that a site serves.
///
/// Names are lower-case ASCII (an internationalised name in its `xn--` form),
/// without port and without a trailing dot. An IPv6 literal keeps its brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(String),
    /// `example.com` for `*.example.com`: matches one or more labels before it.
    Wildcard(String),
    /// Every host that no other site has, and clients that send no name.
    Default,
}

/// The names that a certificate covers: the DNS names and addresses of its
/// subject alternative names. The common name is disregarded, as by every
/// current client (RFC 9525, section 2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Lower-case; `*.example.com` covers one label.
    pub(crate) dns: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Names {
    /// Whether a client that asked for `host` accepts the certificate. `host`
    /// is a name in any case, or an address; an IPv6 address may have brackets.
    pub fn covers(&self, host: &str) -> bool {
        if let Some(address) = address(host) {
            return self.addresses.contains(&address);
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        self.dns.iter().any(|name| match name.strip_prefix("*.") {
            None => name.eq_ignore_ascii_case(host),
            Some(parent) => host.split_once('.').is_some_and(|(label, rest)| {
                !label.is_empty() && rest.eq_ignore_ascii_case(parent)
            }),
        })
    }

    /// Whether some name of the certificate is meant for the pattern. For a
    /// wildcard it is the same wildcard, although hosts of several labels remain
    /// uncovered, because no certificate can cover them all.
    pub fn covers_pattern(&self, pattern: &HostPattern) -> bool {
        match pattern {
            HostPattern::Exact(host) => self.covers(host),
            HostPattern::Wildcard(parent) => self.dns.iter().any(|name| {
                name.strip_prefix("*.")
                    .is_some_and(|rest| rest.eq_ignore_ascii_case(parent))
            }),
            HostPattern::Default => true,
        }
    }

    /// All names, as text.
    pub fn list(&self) -> Vec<String> {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        self.dns.iter().cloned().chain(addresses).collect()
    }
}

/// The address that a host is, if it is one rather than a name.
pub fn address(host: &str) -> Option<IpAddr> {
    bare(host).parse().ok()
}

/// A host without the brackets of an IPv6 address.
pub fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(parent) => write!(f, "*.{parent}"),
            Self::Default => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            dns: vec!["example.com".into(), "*.example.com".into()],
            addresses: vec!["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()],
        }
    }

    #[test]
    fn a_certificate_covers_hosts() {
        let cases = [
            ("example.com", true),
            ("EXAMPLE.com", true),
            ("example.com.", true),
            ("a.example.com", true),
            ("A.Example.Com", true),
            ("a.b.example.com", false),
            (".example.com", false),
            ("aexample.com", false),
            ("example.org", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("::1", true),
            ("[::1]", true),
            ("[::2]", false),
            ("", false),
        ];
        for (host, covered) in cases {
            assert_eq!(names().covers(host), covered, "{host}");
        }
    }

    #[test]
    fn a_certificate_covers_patterns() {
        let exact = |host: &str| HostPattern::Exact(host.into());
        let wildcard = |host: &str| HostPattern::Wildcard(host.into());
        assert!(names().covers_pattern(&exact("a.example.com")));
        assert!(!names().covers_pattern(&exact("example.org")));
        assert!(names().covers_pattern(&wildcard("example.com")));
        assert!(!names().covers_pattern(&wildcard("a.example.com")));
        assert!(names().covers_pattern(&HostPattern::Default));
    }
}
