//! The authoritative name servers of a name.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::{Name, RecordType};

use super::Lookup;
use super::response::{Data, Response};
use crate::error::Error;

/// Zones have two to thirteen. More are not asked, so that no zone can make the
/// gateway send very many datagrams.
const SERVERS: usize = 16;
const ADDRESSES: usize = 8;

/// A name server. It may have no address, which is a mistake of the operator's.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: Name,
    pub(super) addresses: Vec<SocketAddr>,
}

impl Lookup {
    /// The servers of the zone that a name is in: of the closest name above it, or
    /// itself, that has NS records. At least one.
    pub(super) async fn name_servers(&self, name: &Name) -> Result<Vec<Server>, Error> {
        let mut zone = name.clone();
        let names = loop {
            if zone.is_root() {
                let none = format!("No name server was found for `{name}`.");
                return Err(Error::new(none));
            }
            let response = self.resolve(&zone, RecordType::NS).await?;
            let names = response.name_servers_of(&zone);
            if !names.is_empty() {
                break names;
            }
            zone = parent(&zone, &response);
        };
        let mut servers = Vec::new();
        for name in names.into_iter().take(SERVERS) {
            let addresses = self.addresses(&name).await;
            servers.push(Server { name, addresses });
        }
        Ok(servers)
    }

    /// Those of both families; of one that cannot be looked up, none.
    async fn addresses(&self, server: &Name) -> Vec<SocketAddr> {
        let (first, second) = tokio::join!(
            self.resolve(server, RecordType::A),
            self.resolve(server, RecordType::AAAA),
        );
        let responses = [first, second];
        let records = responses.iter().flatten().flat_map(|found| &found.answers);
        let mut addresses: Vec<IpAddr> = records
            .filter_map(|record| match record.data {
                Data::Address(address) => Some(address),
                _ => None,
            })
            .collect();
        addresses.truncate(ADDRESSES);
        let port = self.settings.authoritative_port;
        let addresses = addresses.into_iter();
        addresses.map(|ip| SocketAddr::new(ip, port)).collect()
    }
}

/// Where to go on: at the name of the SOA record that says that there is nothing
/// here (RFC 2308, section 2), or else one label above.
fn parent(name: &Name, response: &Response) -> Name {
    let above = name.base_name();
    let authorities = response.authorities.iter();
    let start = authorities.filter(|record| record.data == Data::StartOfAuthority);
    { start }
        .map(|record| &record.name)
        .find(|zone| !zone.is_root() && zone.zone_of(&above))
        .map_or_else(|| above.clone(), Clone::clone)
}
