//! How many connections there are, of all clients and of each network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::network::Network;

/// At all addresses together.
const ALL: usize = 64;
/// Of one network, so that none has all of them.
const OF_A_NETWORK: usize = 16;

/// The connections that are open, at all addresses.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<HashMap<Network, usize>>,
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    connections: Arc<Connections>,
    network: Network,
}

impl Connections {
    /// A place for a connection of this client; none if too many are open.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Seat> {
        let network = Network::of(client);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let of_network = open.get(&network).copied().unwrap_or_default();
        if all >= ALL || of_network >= OF_A_NETWORK {
            return None;
        }
        open.insert(network, of_network + 1);
        Some(Seat {
            connections: Arc::clone(self),
            network,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let open = &self.connections.open;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.network) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_a_part_of_all() {
        let connections = Arc::new(Connections::default());
        let admit = |a, b| connections.admit(IpAddr::from([192, 0, a, b]));
        let first: Vec<_> = (0..20).filter_map(|n| admit(0, n)).collect();
        assert_eq!(first.len(), OF_A_NETWORK);
        let mut rest: Vec<_> = (1..=200).filter_map(|n| admit(n, 1)).collect();
        assert_eq!(first.len() + rest.len(), ALL);
        assert!(admit(201, 1).is_none());
        drop(first);
        rest.extend((0..20).filter_map(|n| admit(0, n)));
        assert_eq!(rest.len(), ALL);
        drop(rest);
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
