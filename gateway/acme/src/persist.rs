//! The challenge dns-persist-01 (draft-ietf-acme-dns-persist): one record, which the
//! operator adds once, proves a domain for ever.
//!
//! The record names the authority by one of the names that it gives with its challenge,
//! which the client of ACME does not hand on: they are read from the responses.

use janua_dns01::{Persist, persist_value};
use serde_json::Value;

use crate::accounts::Opened;
use crate::delegation::domain;
use crate::desk::Desk;
use crate::settings::{Authority, Challenge};

/// The type of the challenge.
pub(crate) const DNS_PERSIST_01: &str = "dns-persist-01";

/// A record that expires within this time deserves attention.
const SOON: i64 = 30 * 24 * 60 * 60;

/// The names of the authority in a response, if it offers the challenge.
pub(crate) fn issuers(body: &[u8]) -> Option<Vec<String>> {
    let response: Value = serde_json::from_slice(body).ok()?;
    let challenges = response.get("challenges")?.as_array()?;
    let offered = challenges
        .iter()
        .find(|challenge| challenge.get("type").and_then(Value::as_str) == Some(DNS_PERSIST_01))?;
    let names = offered.get("issuer-domain-names")?.as_array()?;
    let names = names.iter().filter_map(Value::as_str);
    Some(names.map(str::to_owned).collect())
}

/// Whether the DNS has the record for a name. If it has not, the operator is told that it
/// could have; if it expires soon, that too.
pub(crate) async fn is_there(
    desk: &Desk,
    opened: &Opened,
    authority: &Authority,
    name: &str,
) -> bool {
    if !authority.challenges.contains(&Challenge::Dns01) {
        return false;
    }
    let Ok(solver) = desk.solver(authority).await else {
        return false;
    };
    let issuers = opened.http.issuers();
    let Some(issuer) = issuers.first() else {
        return false;
    };
    let account = opened.account.id();
    let (domain, is_wildcard) = (domain(name), name.starts_with("*."));
    let value = persist_value(issuer, account, is_wildcard);
    let record = format!("_validation-persist.{domain}. TXT \"{value}\"");
    let looked = solver.lookup.persist_record(domain, &issuers, account);
    match looked.await {
        Ok(Persist::Found {
            persist_until,
            wildcard,
        }) if wildcard || !is_wildcard => {
            let ends = persist_until.filter(|until| until - desk.now() < SOON);
            let note = ends.map(|until| {
                let until = janua_tls::utc(until);
                format!("{record} (the present one expires at {until}: add it anew)")
            });
            desk.suggest(&authority.name, name, note);
            true
        }
        _ => {
            let note = format!("{record} (optional: it replaces all other challenges)");
            desk.suggest(&authority.name, name, Some(note));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_authority_are_those_of_its_challenge() {
        let response = serde_json::json!({
            "status": "pending",
            "challenges": [
                { "type": "dns-01", "token": "x" },
                { "type": "dns-persist-01", "issuer-domain-names": ["ca.example", "b.example"] },
            ],
        });
        let body = response.to_string();
        assert_eq!(
            issuers(body.as_bytes()).unwrap(),
            ["ca.example", "b.example"]
        );
        for other in ["", "[]", "{}", r#"{"challenges":[{"type":"dns-01"}]}"#] {
            assert_eq!(issuers(other.as_bytes()), None, "{other}");
        }
    }
}
