//! Many endpoints in one process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

/// How many addresses a backend listens on, and how many of them are slow.
#[derive(Args, Clone, Debug)]
pub(crate) struct Fleet {
    /// Listens on this many addresses of the loopback network at the same port.
    #[arg(long, default_value_t = 1)]
    pub(crate) addresses: u16,
    /// So many of them, the last ones, answer late.
    #[arg(long, default_value_t = 0)]
    pub(crate) slow: u16,
    /// By how much, in milliseconds.
    #[arg(long, default_value_t = 100)]
    pub(crate) delay: u64,
}

impl Fleet {
    /// One endpoint, which is not slow.
    pub(crate) const ONE: Self = Self {
        addresses: 1,
        slow: 0,
        delay: 0,
    };

    /// The same options for the command line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        [
            ("--addresses", u64::from(self.addresses)),
            ("--slow", u64::from(self.slow)),
            ("--delay", self.delay),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value.to_string()])
        .collect()
    }

    /// The addresses of the endpoints, of which this is the first, and how late each answers.
    pub(crate) fn members(
        &self,
        first: SocketAddr,
    ) -> impl Iterator<Item = (SocketAddr, Duration)> {
        let (late, slow) = (
            Duration::from_millis(self.delay),
            self.addresses - self.slow.min(self.addresses),
        );
        (0..self.addresses).map(move |number| {
            let delay = if number < slow { Duration::ZERO } else { late };
            (member(first, number), delay)
        })
    }
}

/// The address of an endpoint of a fleet. Without a fleet nobody listens on those after the first.
pub(crate) fn member(first: SocketAddr, number: u16) -> SocketAddr {
    let IpAddr::V4(base) = first.ip() else {
        return first;
    };
    let ip = u32::from(base) + u32::from(number);
    SocketAddr::from((Ipv4Addr::from(ip), first.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_slow() {
        let fleet = Fleet {
            addresses: 300,
            slow: 2,
            delay: 50,
        };
        let first = "127.0.0.1:80".parse().unwrap();
        let all: Vec<_> = fleet.members(first).collect();
        assert_eq!(all.len(), 300);
        assert_eq!(all.first(), Some(&(first, Duration::ZERO)));
        assert_eq!(
            all.get(297),
            Some(&("127.0.1.42:80".parse().unwrap(), Duration::ZERO))
        );
        let late = Duration::from_millis(50);
        assert_eq!(
            all.get(298),
            Some(&("127.0.1.43:80".parse().unwrap(), late))
        );
        assert_eq!(Fleet::ONE.members(first).count(), 1);
    }
}
