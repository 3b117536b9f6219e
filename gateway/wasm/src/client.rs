//! Who a call is made for, as far as its cost is concerned.

use std::net::IpAddr;

/// A client: one IPv4 address, or one IPv6 network of 64 bits, because that is the least
/// that a provider assigns, and each host in it may use any address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClientKey(u64);

/// Set in the key of every IPv4 address: an IPv6 prefix that is assigned to nobody
/// (RFC 4291 §2.4: 0000::/8 is reserved), so that it is no network of a client.
const IPV4: u64 = 0x0000_ffff_0000_0000;

impl ClientKey {
    /// The IPv6 network of 48 bits that the client is in: one customer of a provider often
    /// has all of it, and with it 65,536 clients.
    pub(crate) fn network(self) -> Option<Self> {
        let is_ipv4 = self.0 >> 32 == IPV4 >> 32;
        (!is_ipv4).then_some(Self(self.0 >> 16))
    }
}

impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IPV4 | u64::from(u32::from(address))),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments().map(u64::from);
                Self(a << 48 | b << 32 | c << 16 | d)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> ClientKey {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn one_address_of_ipv4_and_one_network_of_ipv6() {
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("192.0.2.1").network(), None);
        let network = key("2001:db8:1:2::1").network();
        assert_eq!(network, key("2001:db8:1:3::1").network());
        assert_ne!(network, key("2001:db8:2:2::1").network());
        assert!(network.is_some());
    }
}
