//! Questions to servers on this machine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod delegation;
mod dns;
mod propagation;
mod target;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use janua_dns01::{Check, Lookup, LookupSettings, Persist};

use dns::{By, Records, serve};

/// For an answer that must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// For one that will not.
const HASTE: Duration = Duration::from_millis(400);

fn settings(resolvers: &[SocketAddr]) -> LookupSettings {
    LookupSettings {
        resolvers: resolvers.to_vec(),
        check: Check::Authoritative,
        timeout: PATIENCE,
        authoritative_port: 1,
    }
}

fn lookup(resolvers: &[SocketAddr]) -> Lookup {
    Lookup::new(settings(resolvers)).unwrap()
}

/// A resolver that knows these records.
fn resolver(records: Records) -> SocketAddr {
    serve(move |query, _| vec![records.answer(query)])
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

#[tokio::test]
async fn a_record_of_dns_persist_is_found() {
    let at = "_validation-persist.example.com";
    let resolver = resolver(Records::default().text(at, "v=spf1 -all").text(
        at,
        "ca.example; policy=wildcard; accounturi=https://ca.example/1",
    ));
    let lookup = lookup(&[resolver]);
    let issuers = ["ca.example".to_owned()];
    let find = async |domain: &str, account: &str| {
        let found = lookup.persist_record(domain, &issuers, account).await;
        found.unwrap()
    };
    let expected = Persist::Found {
        persist_until: None,
        wildcard: true,
    };
    assert_eq!(
        find("*.example.com", "https://ca.example/1").await,
        expected
    );
    let Persist::NotFound { found } = find("example.com", "https://ca.example/2").await else {
        panic!("found");
    };
    assert_eq!(found.len(), 2, "{found:?}");
    let none = Persist::NotFound { found: vec![] };
    assert_eq!(find("b.example", "https://ca.example/1").await, none);
}

#[test]
fn a_time_limit_of_zero_is_refused() {
    let settings = LookupSettings {
        timeout: Duration::ZERO,
        ..settings(&[])
    };
    assert!(Lookup::new(settings).is_err());
}

/// The caller may run them as tasks.
#[test]
fn its_futures_can_be_moved_between_threads() {
    fn send<T: Send>(_: T) {}
    let lookup = lookup(&[]);
    let zones = janua_dns01::Zones {
        zone: None,
        name_server: "gw.example".to_owned(),
    };
    send(lookup.challenge_target("a.example"));
    send(lookup.wait_for("a.example", "x", soon()));
    send(lookup.verify_delegation("a.example", &zones));
    send(lookup.persist_record("a.example", &[], ""));
}
