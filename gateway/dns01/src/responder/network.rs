//! The network of a client, by which its share is limited.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A /24 of IPv4 or a /56 of IPv6: whoever has one address of it usually has
/// all, and can forge them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

impl Network {
    pub(super) fn of(client: IpAddr) -> Self {
        Self(match client.to_canonical() {
            IpAddr::V4(address) => {
                let bits = address.to_bits() & (u32::MAX << 8);
                Ipv4Addr::from_bits(bits).into()
            }
            IpAddr::V6(address) => {
                let bits = address.to_bits() & (u128::MAX << 72);
                Ipv6Addr::from_bits(bits).into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network() {
        let of = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.255"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.7"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:0:ff::1"), of("2001:db8:0:1::"));
        assert_ne!(of("2001:db8:0:ff::1"), of("2001:db8:0:100::1"));
    }
}
