//! Whether a delegation works.

use hickory_proto::op::ResponseCode;
use janua_dns01::Zones;

use super::dns::error;
use super::{Records, lookup, resolver, serve};

const NAME: &str = "_acme-challenge.example.com";

fn zones(zone: Option<&str>) -> Zones {
    Zones {
        zone: zone.map(str::to_owned),
        name_server: "gw.example.com".to_owned(),
    }
}

/// What is missing, and what is there instead.
async fn verify(records: Records, zone: Option<&str>) -> Vec<(String, String)> {
    let lookup = lookup(&[resolver(records)]);
    let result = lookup
        .verify_delegation("*.example.com", &zones(zone))
        .await;
    let missing = result.err().map(|error| error.missing).unwrap_or_default();
    let missing = missing.into_iter();
    missing
        .map(|missing| (missing.record.to_string(), missing.found))
        .collect()
}

fn delegated() -> Records {
    Records::default()
        .name_server("acme.example.com", "other.example")
        .name_server("acme.example.com", "GW.example.com")
}

#[tokio::test]
async fn aliases_into_the_zone_are_right() {
    let zone = Some("acme.example.com");
    let direct = delegated().alias(NAME, "example.com.acme.example.com");
    let indirect = delegated()
        .alias(NAME, "x.example.net")
        .alias("x.example.net", "any.ACME.example.com");
    for records in [direct, indirect] {
        assert_eq!(verify(records, zone).await, []);
    }
}

#[tokio::test]
async fn missing_aliases_and_name_servers_are_told() {
    let zone = Some("acme.example.com");
    let ns = "acme.example.com. NS gw.example.com.";
    let cname = "_acme-challenge.example.com. CNAME example.com.acme.example.com.";
    let missing = |record: &str, found: &str| (record.to_owned(), found.to_owned());
    let nothing = [
        missing(
            ns,
            "`acme.example.com` has no name server, as far as resolvers know by now",
        ),
        missing(
            cname,
            "`_acme-challenge.example.com` is no CNAME, as far as resolvers know by now",
        ),
    ];
    assert_eq!(verify(Records::default(), zone).await, nothing);

    let elsewhere = Records::default()
        .name_server("acme.example.com", "ns1.example")
        .name_server("acme.example.com", "ns2.example")
        .alias(NAME, "x.example");
    let expected = [
        missing(
            ns,
            "`acme.example.com` is delegated to `ns1.example`, `ns2.example`",
        ),
        missing(
            cname,
            "`_acme-challenge.example.com` is a CNAME to `x.example`, which is not below \
             `acme.example.com`",
        ),
    ];
    assert_eq!(verify(elsewhere, zone).await, expected);
}

#[tokio::test]
async fn names_can_be_delegated_on_their_own() {
    let direct = Records::default().name_server(NAME, "gw.example.com");
    let indirect = Records::default()
        .alias(NAME, "_acme-challenge.b.example")
        .name_server("_acme-challenge.b.example", "gw.example.com");
    for records in [direct, indirect] {
        assert_eq!(verify(records, None).await, []);
    }
    let record = "_acme-challenge.example.com. NS gw.example.com.".to_owned();
    let found = "`_acme-challenge.example.com` is delegated to `ns.example`".to_owned();
    let elsewhere = Records::default().name_server(NAME, "ns.example");
    assert_eq!(verify(elsewhere, None).await, [(record, found)]);
}

#[tokio::test]
async fn a_name_server_that_resolvers_do_not_reach_is_told() {
    let failing = serve(|query, _| vec![error(query, ResponseCode::ServFail)]);
    let lookup = lookup(&[failing]);
    let zones = zones(Some("acme.example.com"));
    let error = lookup
        .verify_delegation("example.com", &zones)
        .await
        .unwrap_err();
    let expected = "The record `acme.example.com. NS gw.example.com.` is missing: The NS records \
        of `acme.example.com.` cannot be looked up: the resolver 127.0.0.1 answered SERVFAIL; \
        perhaps the gateway cannot be reached at port 53 by UDP and TCP. The record \
        `_acme-challenge.example.com. CNAME";
    assert!(error.to_string().starts_with(expected), "{error}");
}
