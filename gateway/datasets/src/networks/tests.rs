use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn find<'n>(networks: &'n Networks, address: &str) -> Option<&'n str> {
    networks.find(address.parse().unwrap())
}

#[test]
fn the_longest_prefix_wins() {
    let file = "10.0.0.0/8 office # all of it\n10.1.0.0/16 lab\n10.1.2.3 printer\n\
                2001:db8::/32\n2001:db8::1\tgateway\n0.0.0.0/0 anybody\n::ffff:192.0.2.0/120 mapped\n\
                255.255.255.255 last\n10.1.0.0/16 lab\n";
    let networks = Networks::parse(file.as_bytes()).unwrap();
    for (address, value) in [
        ("10.0.0.0", Some("office")),
        ("10.0.255.255", Some("office")),
        ("10.1.0.0", Some("lab")),
        ("10.1.2.2", Some("lab")),
        ("10.1.2.3", Some("printer")),
        ("10.1.2.4", Some("lab")),
        ("10.2.0.0", Some("office")),
        ("11.0.0.0", Some("anybody")),
        ("9.255.255.255", Some("anybody")),
        ("::ffff:10.1.2.3", Some("printer")),
        ("192.0.2.7", Some("mapped")),
        ("255.255.255.255", Some("last")),
        ("2001:db8::", Some("1")),
        ("2001:db8::1", Some("gateway")),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("1")),
        ("2001:db9::", None),
        ("::1", None),
    ] {
        assert_eq!(find(&networks, address), value, "{address}");
    }
    assert_eq!(networks.entries(), 9);
}

/// All of IPv6 is not all of IPv4.
#[test]
fn a_network_of_ipv6_has_no_addresses_of_ipv4() {
    let networks = Networks::parse(b"::/0 six").unwrap();
    assert_eq!(find(&networks, "192.0.2.1"), None);
    assert_eq!(find(&networks, "::ffff:192.0.2.1"), None);
    assert_eq!(find(&networks, "ffff::"), Some("six"));
}

#[test]
fn what_is_no_network_is_said_with_its_line() {
    for (file, error) in [
        (
            "10.0.0.0/8\n\n10.0.0.0/33",
            "line 3: `10.0.0.0/33` is not an IP address or network: write",
        ),
        ("example.com", "line 1: `example.com` is not an IP address"),
        ("10.0.0", "line 1: `10.0.0` is not an IP address"),
        ("010.0.0.1", "line 1: `010.0.0.1` is not"),
        (
            "10.0.0.1/8",
            "line 1: `10.0.0.1/8` has bits past its prefix length: write `10.0.0.0/8`",
        ),
        (
            "10.0.0.0/8 a\n10.0.0.0/8 b",
            "line 2: this network is there already, with another value (line 1)",
        ),
        (
            "192.0.2.1 a\n::ffff:192.0.2.1 b",
            "line 2: this network is there already",
        ),
    ] {
        let found = Networks::parse(file.as_bytes()).unwrap_err().to_string();
        assert!(found.starts_with(error), "{file:?}: {found}");
    }
}

#[test]
fn keys_are_addresses() {
    for (key, is_address) in [
        ("192.0.2.1", true),
        ("2001:db8::1", true),
        ("[2001:db8::1]", false),
        ("192.0.2.1:80", false),
        ("192.0.2.0/24", false),
        ("", false),
    ] {
        assert_eq!(address(key.as_bytes()).is_some(), is_address, "{key}");
    }
}

proptest! {
    /// Compared with asking each network.
    #[test]
    fn ranges_find_what_networks_contain(
        networks in prop::collection::vec((0_u32..64, 24_u8..33), 0..24),
        addresses in prop::collection::vec(0_u32..80, 16),
    ) {
        let by_text: HashMap<Ipv4Net, usize> = networks
            .iter()
            .enumerate()
            .map(|(at, (bits, length))| {
                (Ipv4Net::new((*bits << 2).into(), *length).unwrap().trunc(), at)
            })
            .collect();
        let file: String = by_text
            .iter()
            .map(|(network, at)| format!("{network} {at}\n"))
            .collect();
        let read = Networks::parse(file.as_bytes()).unwrap();
        for address in addresses {
            let address = (address << 2 | 1).into();
            let within = by_text.iter().filter(|(network, _)| network.contains(&address));
            let expected = within
                .max_by_key(|(network, _)| network.prefix_len())
                .map(|(_, at)| at.to_string());
            prop_assert_eq!(read.find(IpAddr::V4(address)), expected.as_deref());
        }
    }
}
