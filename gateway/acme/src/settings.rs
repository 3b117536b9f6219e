//! What the operator wants: authorities, and the names that need certificates.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use janua_dns01::{LookupSettings, Zones};

/// All that a configuration says about certificates by ACME.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Whom to ask for certificates.
    pub authorities: Vec<Authority>,
    /// The hosts that need one.
    pub wanted: Vec<Wanted>,
    /// Whether certificates are ordered for names that clients ask for, by the
    /// name of the authority and the URL that decides.
    pub on_demand: BTreeSet<(String, String)>,
}

/// A host that needs a certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// The name of the authority that is asked first.
    pub authority: String,
    /// A host, `*.example.com`, or an address (an IPv6 address in brackets).
    pub name: String,
}

/// An authority, and how to deal with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Authority {
    /// Its name in the configuration.
    pub name: String,
    /// The URL of its directory (RFC 8555, section 7.1.1).
    pub directory: String,
    /// The directory where an order is tried first after it has failed, so that
    /// failures do not count against the limits of the authority itself.
    pub test_directory: Option<String>,
    /// Whom the authority writes to.
    pub email: Option<String>,
    /// The challenges that may be used, the preferred first. At least one.
    pub challenges: Vec<Challenge>,
    /// How DNS-01 is answered; needed if it is among the challenges.
    pub dns: Option<Dns>,
    /// The profile that certificates are ordered with (draft-ietf-acme-profiles).
    pub profile: Option<String>,
    /// The kind of key of new certificates.
    pub key_type: KeyType,
    /// The account at the authority that ours belongs to (RFC 8555, section 7.3.4).
    pub eab: Option<Eab>,
    /// Whose certificates are accepted for the connection to it; none for those of
    /// the system.
    pub roots: Option<PathBuf>,
    /// The names of the authorities that are asked next, in order, when an order
    /// fails.
    pub fallback: Vec<String>,
}

/// A way to prove control of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// RFC 8737.
    TlsAlpn01,
    /// RFC 8555, section 8.3.
    Http01,
    /// RFC 8555, section 8.4.
    Dns01,
}

/// The kind of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA with the curve P-256.
    P256,
    /// ECDSA with the curve P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// External account binding.
#[derive(Clone, PartialEq, Eq)]
pub struct Eab {
    /// The identifier of the key.
    pub id: String,
    /// The key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Eab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Eab")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// How DNS-01 is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Dns {
    /// Who publishes the record.
    pub provider: DnsProvider,
    /// How it is checked that the record is seen.
    pub lookup: LookupSettings,
    /// How long it may take until it is seen.
    pub propagation_timeout: Duration,
}

/// Who publishes the record of DNS-01.
#[derive(Clone, PartialEq)]
pub enum DnsProvider {
    /// The built-in name server, on these addresses.
    Responder {
        /// Where it listens.
        addresses: Vec<SocketAddr>,
        /// What is delegated to it.
        zones: Zones,
    },
    /// A service of the operator's.
    Webhook {
        /// Its URL.
        url: String,
        /// What authorises the call.
        token: Option<String>,
    },
}

impl std::fmt::Debug for DnsProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Responder { addresses, zones } => f
                .debug_struct("Responder")
                .field("addresses", addresses)
                .field("zones", zones)
                .finish(),
            Self::Webhook { url, .. } => f
                .debug_struct("Webhook")
                .field("url", url)
                .finish_non_exhaustive(),
        }
    }
}

impl Plan {
    /// The names to order for. A host below a wildcard of the same authority shares
    /// its certificate.
    #[must_use]
    pub fn names(&self) -> BTreeSet<Wanted> {
        let all: BTreeSet<&Wanted> = self.wanted.iter().collect();
        let is_covered = |wanted: &Wanted| {
            let Some((label, parent)) = wanted.name.split_once('.') else {
                return false;
            };
            let wildcard = Wanted {
                authority: wanted.authority.clone(),
                name: format!("*.{parent}"),
            };
            label != "*" && all.contains(&wildcard)
        };
        let needed = all.iter().filter(|wanted| !is_covered(wanted));
        needed.map(|&wanted| wanted.clone()).collect()
    }

    /// An authority and its fallbacks, in the order in which they are asked.
    pub(crate) fn chain<'a>(
        &'a self,
        authority: &'a Authority,
    ) -> impl Iterator<Item = &'a Authority> {
        let fallbacks = authority.fallback.iter();
        std::iter::once(authority).chain(fallbacks.filter_map(|name| self.authority(name)))
    }

    /// The authority with this name.
    #[must_use]
    pub fn authority(&self, name: &str) -> Option<&Authority> {
        self.authorities
            .iter()
            .find(|authority| authority.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_below_a_wildcard_share_its_certificate() {
        let wanted = |(authority, name): &(&str, &str)| Wanted {
            authority: (*authority).to_owned(),
            name: (*name).to_owned(),
        };
        let all = [
            ("a", "*.example.com"),
            ("a", "example.com"),
            ("a", "shop.example.com"),
            ("a", "shop.example.com"),
            ("a", "x.shop.example.com"),
            ("b", "shop.example.com"),
            ("a", "192.0.2.1"),
        ];
        let plan = Plan {
            wanted: all.iter().map(wanted).collect(),
            ..Plan::default()
        };
        let names = plan.names();
        let names: Vec<_> = names
            .iter()
            .map(|wanted| (&*wanted.authority, &*wanted.name))
            .collect();
        let expected = [
            ("a", "*.example.com"),
            ("a", "192.0.2.1"),
            ("a", "example.com"),
            ("a", "x.shop.example.com"),
            ("b", "shop.example.com"),
        ];
        assert_eq!(names, expected);
    }
}
