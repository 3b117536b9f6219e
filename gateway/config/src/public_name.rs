//! Which hosts a public authority can certify: names below a public suffix, and
//! public addresses. An authority on the Internet can verify no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Top-level domains that are reserved, and never in the public DNS: RFC 6761,
/// RFC 6762 (`local`), RFC 7686 (`onion`), and `internal`, reserved by ICANN.
const RESERVED: [&str; 7] = [
    "example",
    "internal",
    "invalid",
    "local",
    "localhost",
    "onion",
    "test",
];

/// Whether a host in lower case may be certified by a public authority. It is a
/// name, or an address, of IPv6 in brackets.
pub(crate) fn is_public(host: &str) -> bool {
    if let Some(address) = address(host) {
        return is_public_address(address);
    }
    let Some((parents, top)) = host.rsplit_once('.') else {
        return false;
    };
    // RFC 8375: names in the network of a home.
    let is_home = top == "arpa" && (parents == "home" || parents.ends_with(".home"));
    !RESERVED.contains(&top) && !is_home
}

/// The address that a host is, if it is no name.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // RFC 6598: addresses behind the translation of a provider.
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_broadcast();
    // 0.0.0.0/8 means this network.
    !(is_special || is_shared || first == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_documentation = first == 0x2001 && second == 0xdb8;
    let is_special = address.is_unspecified()
        || address.is_loopback()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_multicast();
    !(is_special || is_documentation)
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn what_the_internet_can_verify() {
        for (host, expected) in [
            ("www.example.com", true),
            ("example.com", true),
            ("xn--bcher-kva.example.de", true),
            ("test.com", true),
            ("arpa.net", true),
            ("chome.arpa", true),
            ("com", false),
            ("localhost", false),
            ("gw", false),
            ("a.localhost", false),
            ("printer.local", false),
            ("app.internal", false),
            ("a.test", false),
            ("a.example", false),
            ("a.invalid", false),
            ("nas.home.arpa", false),
            ("home.arpa", false),
            ("a.onion", false),
            ("8.8.8.8", true),
            ("10.0.0.1", false),
            ("127.0.0.1", false),
            ("192.168.1.1", false),
            ("169.254.0.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("192.0.2.1", false),
            ("0.0.0.0", false),
            ("[2a00:1450::1]", true),
            ("[::1]", false),
            ("[fd00::1]", false),
            ("[fe80::1]", false),
            ("[2001:db8::1]", false),
            ("[::ffff:10.0.0.1]", false),
            ("[::ffff:8.8.8.8]", true),
        ] {
            assert_eq!(is_public(host), expected, "{host}");
        }
    }
}
