//! nginx's `ip_hash`: the endpoint for a client's address, with nginx' numbers, so that a client
//! comes to the same endpoint through either of the two.
//!
//! The hash is of the first three octets of an IPv4 address, and of all of an IPv6 address. It
//! chooses among all endpoints that are no backups, whether they are up or not. If the one chosen
//! cannot be used, the hash is made once more of the same octets, and so on; then round robin
//! chooses (`ngx_http_upstream_ip_hash_module.c`).

use std::net::IpAddr;

use super::two::Intervals;

/// How often the hash is made again.
const AGAIN: usize = 20;

/// The endpoints that addresses are mapped to.
#[derive(Debug, Default)]
pub(crate) struct IpHash {
    /// The indexes of the endpoints.
    indexes: Vec<usize>,
    intervals: Intervals,
}

impl IpHash {
    /// These endpoints, with their weights.
    pub(crate) fn new(endpoints: impl Iterator<Item = (usize, u64)> + Clone) -> Self {
        Self {
            indexes: endpoints.clone().map(|(index, _)| index).collect(),
            intervals: Intervals::new(endpoints.map(|(_, weight)| weight)),
        }
    }

    /// The endpoint for a client, if one of the attempts leads to one that is usable.
    pub(crate) fn choose(&self, client: IpAddr, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let total = self.intervals.total();
        if total == 0 {
            return None;
        }
        let (four, six);
        let octets = match client.to_canonical() {
            IpAddr::V4(address) => {
                four = address.octets();
                four.get(..3)?
            }
            IpAddr::V6(address) => {
                six = address.octets();
                &six[..]
            }
        };
        let mut hash = 89;
        for _ in 0..=AGAIN {
            hash = octets
                .iter()
                .fold(hash, |hash, octet| (hash * 113 + u64::from(*octet)) % 6271);
            let place = self.intervals.find(hash % total)?;
            let index = self.indexes.get(place).copied()?;
            if usable(index) {
                return Some(index);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
