//! The records that a test sets.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// All that is known, by names in lower case.
#[derive(Debug, Default)]
pub(super) struct Zones {
    records: HashMap<(Name, RecordType), Vec<RData>>,
    absent: HashSet<Name>,
    broken: HashSet<Name>,
    delegations: HashMap<Name, SocketAddr>,
}

/// What there is to say of a name and a type.
#[derive(Debug)]
pub(super) enum Found {
    /// These records, none if the name has none of the type.
    Records(Vec<Record>),
    /// The name is an alias.
    Alias(Box<Record>, Name),
    /// Another server knows.
    Delegated(SocketAddr),
    /// There is no such name.
    Absent,
    /// Nobody can say.
    Broken,
}

impl Zones {
    pub(super) fn set_txt(&mut self, name: Name, values: &[&str]) {
        let values = values.iter();
        let values = values.map(|value| RData::TXT(TXT::new(vec![(*value).to_owned()])));
        self.set(name, RecordType::TXT, values.collect());
    }

    pub(super) fn set_cname(&mut self, name: Name, target: Name) {
        self.set(name, RecordType::CNAME, vec![RData::CNAME(CNAME(target))]);
    }

    pub(super) fn set_addresses(&mut self, name: Name, addresses: &[IpAddr]) {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for address in addresses {
            match address {
                IpAddr::V4(address) => v4.push(RData::A(A(*address))),
                IpAddr::V6(address) => v6.push(RData::AAAA(AAAA(*address))),
            }
        }
        self.set(name.clone(), RecordType::A, v4);
        self.set(name, RecordType::AAAA, v6);
    }

    pub(super) fn set_services(&mut self, name: Name, services: Vec<SRV>) {
        let services = services.into_iter().map(RData::SRV);
        self.set(name, RecordType::SRV, services.collect());
    }

    pub(super) fn set_zone(&mut self, apex: Name, primary: Name, servers: Vec<Name>) {
        let soa = SOA::new(primary.clone(), primary, 1, 3600, 600, 86_400, 60);
        self.set(apex.clone(), RecordType::SOA, vec![RData::SOA(soa)]);
        let servers = servers.into_iter().map(|server| RData::NS(NS(server)));
        self.set(apex, RecordType::NS, servers.collect());
    }

    pub(super) fn set_absent(&mut self, name: Name) {
        self.absent.insert(name);
    }

    pub(super) fn set_broken(&mut self, name: Name) {
        self.broken.insert(name);
    }

    pub(super) fn delegate(&mut self, zone: Name, server: SocketAddr) {
        self.delegations.insert(zone, server);
    }

    pub(super) fn forget(&mut self, name: &Name) {
        self.records.retain(|(known, _), _| known != name);
        self.absent.remove(name);
        self.broken.remove(name);
        self.delegations.remove(name);
    }

    pub(super) fn find(&self, name: &Name, kind: RecordType) -> Found {
        let name = &name.to_lowercase();
        if enclosing(name).any(|above| self.broken.contains(&above)) {
            return Found::Broken;
        }
        if let Some(server) = enclosing(name).find_map(|above| self.delegations.get(&above)) {
            return Found::Delegated(*server);
        }
        if let Some(alias) = self.records.get(&(name.clone(), RecordType::CNAME))
            && kind != RecordType::CNAME
            && let Some(RData::CNAME(CNAME(target))) = alias.first()
        {
            let record = record(name, RData::CNAME(CNAME(target.clone())));
            return Found::Alias(Box::new(record), target.clone());
        }
        if let Some(known) = self.records.get(&(name.clone(), kind)) {
            let records = known.iter().map(|data| record(name, data.clone()));
            return Found::Records(records.collect());
        }
        if enclosing(name).any(|above| self.absent.contains(&above)) {
            return Found::Absent;
        }
        match kind {
            RecordType::A => Found::Records(vec![record(name, RData::A(A(Ipv4Addr::LOCALHOST)))]),
            _ => Found::Records(Vec::new()),
        }
    }

    /// The SOA record of the zone to which a name belongs, for answers without records.
    pub(super) fn authority(&self, name: &Name) -> Option<Record> {
        enclosing(&name.to_lowercase()).find_map(|above| {
            let known = self.records.get(&(above.clone(), RecordType::SOA))?;
            Some(record(&above, known.first()?.clone()))
        })
    }

    fn set(&mut self, name: Name, kind: RecordType, data: Vec<RData>) {
        self.records.insert((name, kind), data);
    }
}

/// A name and those above it, the longest first.
fn enclosing(name: &Name) -> impl Iterator<Item = Name> + use<> {
    std::iter::successors(Some(name.clone()), |name| {
        (!name.is_root()).then(|| name.base_name())
    })
}

/// It may be cached for no time at all.
fn record(name: &Name, data: RData) -> Record {
    Record::from_rdata(name.clone(), 0, data)
}
