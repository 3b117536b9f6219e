//! Networks and single addresses, each with a value. The longest prefix wins.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::lines::{Form, Line, lines};
use crate::ranges::{Block, Ranges, Twice};
use crate::source::LoadError;
use crate::values::{Collected, Values};

/// The prefix of IPv4-mapped addresses (RFC 4291 §2.5.5.2), in bits.
const MAPPED: u8 = 96;

/// Networks by their addresses.
#[derive(Debug)]
pub(crate) struct Networks {
    ipv4: Ranges<u32>,
    ipv6: Ranges<u128>,
    values: Values,
    entries: usize,
}

impl Networks {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut values = Collected::default();
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for line in lines(bytes, Form::Words)? {
            let line = line?;
            let value = values.number(line.value);
            match network(&line)? {
                IpNet::V4(network) => ipv4.push(Block {
                    first: network.network().to_bits(),
                    last: network.broadcast().to_bits(),
                    value,
                    line: line.number,
                }),
                IpNet::V6(network) => ipv6.push(Block {
                    first: network.network().to_bits(),
                    last: network.broadcast().to_bits(),
                    value,
                    line: line.number,
                }),
            }
        }
        let entries = ipv4.len() + ipv6.len();
        Ok(Self {
            ipv4: Ranges::new(ipv4).map_err(twice)?,
            ipv6: Ranges::new(ipv6).map_err(twice)?,
            values: values.finish(),
            entries,
        })
    }

    pub(crate) fn find(&self, address: IpAddr) -> Option<&str> {
        let value = match address.to_canonical() {
            IpAddr::V4(address) => self.ipv4.find(address.to_bits()),
            IpAddr::V6(address) => self.ipv6.find(address.to_bits()),
        };
        self.values.get(value?)
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ipv4.bytes() + self.ipv6.bytes() + self.values.bytes()
    }
}

fn network(line: &Line<'_>) -> Result<IpNet, LoadError> {
    let text = line.key;
    let network = match text.contains('/') {
        true => text.parse().ok(),
        false => text
            .parse()
            .ok()
            .map(|address: IpAddr| IpNet::from(address)),
    };
    let Some(network) = network else {
        return Err(LoadError::at(
            line.number,
            format!(
                "`{}` is not an IP address or network: write for example `192.0.2.1` or `2001:db8::/32`",
                shown(text)
            ),
        ));
    };
    if network.addr() != network.network() {
        return Err(LoadError::at(
            line.number,
            format!(
                "`{text}` has bits past its prefix length: write `{}`",
                network.trunc()
            ),
        ));
    }
    Ok(unmapped(network))
}

/// The IPv4 network of an IPv4-mapped one.
fn unmapped(network: IpNet) -> IpNet {
    if let IpNet::V6(mapped) = network
        && let Some(address) = mapped.addr().to_ipv4_mapped()
        && let Some(length) = mapped.prefix_len().checked_sub(MAPPED)
        && let Ok(network) = Ipv4Net::new(address, length)
    {
        return network.into();
    }
    network
}

fn twice(Twice { first, second }: Twice) -> LoadError {
    LoadError::at(
        second,
        format!("this network is there already, with another value (line {first}): remove one"),
    )
}

/// A text for a message.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// Reads the key of a look-up.
pub(crate) fn address(key: &[u8]) -> Option<IpAddr> {
    str::from_utf8(key).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
