//! The records that have to be in the DNS once, so that the gateway's own name server is
//! asked for challenges: which they are, and whether they are there.

use std::collections::BTreeSet;
use std::time::Duration;

use janua_dns01::{Lookup, Zones, records};

use crate::settings::{Authority, DnsProvider, Plan};

/// A record that has to be in the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The record, as a line of a zone file.
    pub record: String,
    /// What was found instead, as a sentence; none if it is there.
    pub instead: Option<String>,
}

/// All records that a plan needs. Blocks while the DNS is asked, at most for `patience`.
#[must_use]
pub fn delegations(plan: &Plan, patience: Duration) -> Vec<Delegation> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let mut all: Vec<Delegation> = Vec::new();
    for authority in &plan.authorities {
        let Some(zones) = zones(authority) else {
            continue;
        };
        let names = plan.names();
        let names = names.iter().filter(|one| one.authority == authority.name);
        let domains: BTreeSet<&str> = names.map(|one| domain(&one.name)).collect();
        for one in domains {
            let missing = match &runtime {
                Ok(runtime) => runtime.block_on(missing(authority, zones, one, patience)),
                Err(error) => Err(error.to_string()),
            };
            for record in records(&[one.to_owned()], zones) {
                let instead = match &missing {
                    Ok(missing) => missing
                        .iter()
                        .find(|(known, _)| *known == record.to_string())
                        .map(|(_, found)| found.clone()),
                    Err(why) => Some(why.clone()),
                };
                let delegation = Delegation {
                    record: record.to_string(),
                    instead,
                };
                if !all.contains(&delegation) {
                    all.push(delegation);
                }
            }
        }
    }
    all
}

/// The records of a domain that are missing, with what was found instead.
async fn missing(
    authority: &Authority,
    zones: &Zones,
    domain: &str,
    patience: Duration,
) -> Result<Vec<(String, String)>, String> {
    let Some(dns) = &authority.dns else {
        return Ok(Vec::new());
    };
    let lookup = Lookup::new(dns.lookup.clone()).map_err(|error| error.to_string())?;
    let looked = tokio::time::timeout(patience, lookup.verify_delegation(domain, zones)).await;
    match looked {
        Ok(Ok(())) => Ok(Vec::new()),
        Ok(Err(error)) => Ok(error
            .missing
            .iter()
            .map(|one| (one.record.to_string(), one.found.clone()))
            .collect()),
        Err(_) => Err("the DNS did not answer in time".to_owned()),
    }
}

/// What is delegated to the gateway's own name server, if an authority uses it.
pub(crate) fn zones(authority: &Authority) -> Option<&Zones> {
    match &authority.dns.as_ref()?.provider {
        DnsProvider::Responder { zones, .. } => Some(zones),
        DnsProvider::Webhook { .. } => None,
    }
}

/// The domain that is proven for a name.
pub(crate) fn domain(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}
