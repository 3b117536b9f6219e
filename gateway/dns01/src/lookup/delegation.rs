//! Whether the records that delegate challenges are there.

use std::fmt;

use hickory_proto::rr::{Name, RecordType};

use super::Lookup;
use crate::error::Error;
use crate::names;
use crate::records::{Record, Zones, domain_record, zone_record};

/// What is wrong with a delegation. Its text is a sentence for each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationError {
    /// At least one.
    pub missing: Vec<Missing>,
}

/// A record that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What has to be there.
    pub record: Record,
    /// What is there instead, as a sentence without its full stop:
    /// `` `_acme-challenge.example.com` is a CNAME to `x`, which is not below
    /// `acme.example.com` ``.
    pub found: String,
}

impl Lookup {
    pub(super) async fn verify(&self, domain: &str, zones: &Zones) -> Result<(), DelegationError> {
        let mut missing = Vec::new();
        let mut note = |record: Record, found: Result<(), String>| {
            if let Err(found) = found {
                missing.push(Missing { record, found });
            }
        };
        let of_domain = domain_record(domain, zones);
        match (&zones.zone, zone_record(zones)) {
            (Some(zone), Some(of_zone)) => {
                let found = self.verify_name_server(zone, &zones.name_server).await;
                note(of_zone, found);
                let found = self.verify_alias(&of_domain.name, zone).await;
                note(of_domain, found);
            }
            _ => {
                let found = self.verify_apex(&of_domain.name, &zones.name_server).await;
                note(of_domain, found);
            }
        }
        match missing.is_empty() {
            true => Ok(()),
            false => Err(DelegationError { missing }),
        }
    }

    /// A name that is delegated by NS records of its own, or an alias of one.
    async fn verify_apex(&self, name: &str, server: &str) -> Result<(), String> {
        let last = self.last(name).await?;
        self.verify_name_server(&last, server).await
    }

    /// A name that is an alias of one below the zone.
    async fn verify_alias(&self, name: &str, zone: &str) -> Result<(), String> {
        let last = self.last(name).await?;
        if parse(zone)?.zone_of(&parse(&last)?) {
            return Ok(());
        }
        Err(match last == name {
            true => format!("`{name}` is no CNAME, as far as resolvers know by now"),
            false => format!("`{name}` is a CNAME to `{last}`, which is not below `{zone}`"),
        })
    }

    async fn last(&self, name: &str) -> Result<String, String> {
        let last = self.follow(parse(name)?).await.map_err(sentence)?;
        Ok(names::text(&last))
    }

    /// A name with an NS record for the server.
    async fn verify_name_server(&self, name: &str, server: &str) -> Result<(), String> {
        let (name, server) = (parse(name)?, parse(server)?);
        let response = self.resolve(&name, RecordType::NS).await;
        // A resolver confirms a delegation with the server itself.
        let response = response.map_err(|error| {
            let error = sentence(error);
            format!("{error}; perhaps the gateway cannot be reached at port 53 by UDP and TCP")
        })?;
        let found = response.name_servers_of(&name);
        if found.contains(&server) {
            return Ok(());
        }
        let found: Vec<String> = found
            .iter()
            .map(|server| format!("`{}`", names::text(server)))
            .collect();
        let name = names::text(&name);
        Err(match found.is_empty() {
            true => format!("`{name}` has no name server, as far as resolvers know by now"),
            false => format!("`{name}` is delegated to {}", found.join(", ")),
        })
    }
}

fn parse(name: &str) -> Result<Name, String> {
    names::parse(name).map_err(sentence)
}

/// An error as a part of a longer sentence.
fn sentence(error: Error) -> String {
    let error = error.to_string();
    error.strip_suffix('.').unwrap_or(&error).to_owned()
}

impl fmt::Display for DelegationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, missing) in self.missing.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            let Missing { record, found } = missing;
            write!(f, "{space}The record `{record}` is missing: {found}.")?;
        }
        Ok(())
    }
}

impl std::error::Error for DelegationError {}
