//! The records that an operator adds once to delegate challenges to the gateway.

use std::fmt;

use crate::names::{challenge_name, cname_target, plain};

/// Which names are delegated to the built-in name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zones {
    /// A zone that is delegated to it as a whole, such as `acme.example.com`: the
    /// challenge names of all domains are aliases of names below it. With none,
    /// each challenge name is delegated by NS records of its own.
    pub zone: Option<String>,
    /// The name of the gateway in NS and SOA records, such as `gw.example.com`. It
    /// has addresses elsewhere: it must not be inside a delegated zone.
    pub name_server: String,
}

/// The type of a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Delegates a name to a name server.
    Ns,
    /// Makes a name an alias of another.
    Cname,
}

/// A record of the operator's zone. Its form as text is a line of a zone file:
/// `_acme-challenge.example.com. CNAME example.com.acme.example.com.`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name, without the final dot.
    pub name: String,
    /// Its type.
    pub kind: RecordKind,
    /// The name that it leads to, without the final dot.
    pub value: String,
}

/// The records that delegate the challenges of these domains, each once. With a
/// zone they are its NS record and a CNAME record for each domain, otherwise an
/// NS record for each domain.
#[must_use]
pub fn records(domains: &[String], zones: &Zones) -> Vec<Record> {
    let mut records: Vec<Record> = zone_record(zones).into_iter().collect();
    for domain in domains {
        let record = domain_record(domain, zones);
        // A domain and its wildcard have the same challenge name.
        if !records.contains(&record) {
            records.push(record);
        }
    }
    records
}

/// The record that delegates the zone.
pub(crate) fn zone_record(zones: &Zones) -> Option<Record> {
    let zone = zones.zone.as_ref()?;
    Some(Record {
        name: plain(zone),
        kind: RecordKind::Ns,
        value: plain(&zones.name_server),
    })
}

/// The record of one domain.
pub(crate) fn domain_record(domain: &str, zones: &Zones) -> Record {
    let (kind, value) = match &zones.zone {
        Some(zone) => (RecordKind::Cname, cname_target(domain, zone)),
        None => (RecordKind::Ns, plain(&zones.name_server)),
    };
    Record {
        name: challenge_name(domain),
        kind,
        value,
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ns => "NS",
            Self::Cname => "CNAME",
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {} {}.", self.name, self.kind, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(domains: &[&str], zone: Option<&str>) -> Vec<String> {
        let domains: Vec<String> = domains.iter().map(|&domain| domain.to_owned()).collect();
        let zones = Zones {
            zone: zone.map(str::to_owned),
            name_server: "gw.example.com".to_owned(),
        };
        let records = records(&domains, &zones);
        records.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_kind_of_delegation_has_its_records() {
        let domains = ["example.com", "*.example.com", "b.example"];
        let expected = [
            "acme.example.com. NS gw.example.com.",
            "_acme-challenge.example.com. CNAME example.com.acme.example.com.",
            "_acme-challenge.b.example. CNAME b.example.acme.example.com.",
        ];
        assert_eq!(lines(&domains, Some("Acme.example.com.")), expected);
        let expected = [
            "_acme-challenge.example.com. NS gw.example.com.",
            "_acme-challenge.b.example. NS gw.example.com.",
        ];
        assert_eq!(lines(&domains, None), expected);
    }
}
