//! Waiting for a value.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use janua_dns01::{Check, Lookup, LookupSettings, Responder, Zones};

use super::dns::{answering, error, reply, serve_all};
use super::{HASTE, Records, resolver, serve, settings, soon};

const NAME: &str = "_acme-challenge.www.example.com";

/// A zone with two servers, and what a resolver knows of it.
fn zone() -> Records {
    Records::default()
        .zone("example.com")
        .name_server("example.com", "ns1.example.net")
        .name_server("example.com", "ns2.example.net")
        .address("ns1.example.net", "127.0.0.1")
        .address("ns2.example.net", "127.0.0.2")
}

fn with(records: Records, port: u16) -> Lookup {
    Lookup::new(LookupSettings {
        authoritative_port: port,
        ..settings(&[resolver(records)])
    })
    .unwrap()
}

fn has() -> Records {
    Records::default().text(NAME, "other").text(NAME, "value")
}

fn has_not() -> Records {
    Records::default().text(NAME, "other")
}

/// With less time than this there is one round only.
const LAST: Duration = Duration::from_millis(900);

/// Time for some rounds, none of which finds the value.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(2)
}

#[tokio::test]
async fn all_servers_are_waited_for() {
    let asked = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let server = |n: usize, lag: usize| {
        let asked = Arc::clone(&asked);
        answering(move |query: &Message| {
            assert!(!query.recursion_desired);
            let before = asked[n].fetch_add(1, Ordering::Relaxed);
            let records = if before < lag { has_not() } else { has() };
            Some(records.answer(query))
        })
    };
    let port = serve_all(&[server(0, 0), server(1, 2)]);
    with(zone(), port)
        .wait_for(NAME, "value", soon())
        .await
        .unwrap();
    // One that has the value is not asked again.
    let asked = [0, 1].map(|n| asked[n].load(Ordering::Relaxed));
    assert_eq!(asked, [1, 3]);
}

#[tokio::test]
async fn at_the_deadline_each_server_is_named() {
    let answer = |records: Records| answering(move |query| Some(records.answer(query)));
    let refusing = answering(|query| Some(error(query, ResponseCode::Refused)));
    let table = [
        (
            answer(has_not()),
            "does not have the value yet; it has 1 other value",
        ),
        (
            answer(has_not().text(NAME, "more")),
            "does not have the value yet; it has 2 other values",
        ),
        (
            answering(|query| Some(reply(query))),
            "does not have the value yet; it has none",
        ),
        (
            answer(Records::default()),
            "does not have the value yet; the name does not exist there",
        ),
        (refusing, "answered REFUSED"),
    ];
    let mut waiting = tokio::task::JoinSet::new();
    for (second, expected) in table {
        let port = serve_all(&[answer(has()), second]);
        waiting.spawn(async move {
            let error = with(zone(), port).wait_for(NAME, "value", later()).await;
            let expected = format!("`{NAME}.`: ns2.example.net. (127.0.0.2) {expected}.");
            assert_eq!(error.unwrap_err().to_string(), expected);
        });
    }
    waiting.join_all().await;
}

#[tokio::test]
async fn a_server_may_be_silent_at_one_of_its_addresses() {
    let answer = answering(|query| Some(has().answer(query)));
    let silent = answering(|_| None);
    let port = serve_all(&[Arc::clone(&answer), answer, silent]);
    // Nobody listens at the address of IPv6, or there is no IPv6.
    let records = zone()
        .address("ns1.example.net", "::1")
        .address("ns2.example.net", "127.0.0.3");
    let lookup = Lookup::new(LookupSettings {
        authoritative_port: port,
        timeout: HASTE,
        ..settings(&[resolver(records)])
    });
    lookup
        .unwrap()
        .wait_for(NAME, "value", soon())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_must_not_lack_the_value_at_one_of_its_addresses() {
    let answer = |records: Records| answering(move |query| Some(records.answer(query)));
    let port = serve_all(&[answer(has()), answer(has()), answer(has_not())]);
    let records = zone().address("ns1.example.net", "127.0.0.3");
    let error = with(records, port).wait_for(NAME, "value", later()).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("ns1.example.net. (127.0.0.3) does not"),
        "{error}"
    );
}

#[tokio::test]
async fn silent_servers_and_those_without_address_are_named() {
    let answer = answering(|query| Some(has().answer(query)));
    let port = serve_all(&[answer, answering(|_| None)]);
    let records = zone().name_server("example.com", "ns3.example.net");
    let lookup = Lookup::new(LookupSettings {
        authoritative_port: port,
        timeout: HASTE,
        ..settings(&[resolver(records)])
    });
    let error = lookup.unwrap().wait_for(NAME, "value", later()).await;
    let expected = format!(
        "`{NAME}.`: ns2.example.net. (127.0.0.2) did not answer within 0.4 s; \
         ns3.example.net. has no address that could be looked up."
    );
    assert_eq!(error.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn no_name_server_is_an_error() {
    let lookup = with(Records::default(), 1);
    let error = lookup.wait_for(NAME, "value", later()).await.unwrap_err();
    let expected = format!("No name server was found for `{NAME}.`.");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn the_deadline_ends_a_round() {
    let silent = serve(|_, _| vec![]);
    let lookup = Lookup::new(settings(&[silent])).unwrap();
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = lookup.wait_for(NAME, "value", deadline).await.unwrap_err();
    assert!(
        error.to_string().contains("did not answer in time"),
        "{error}"
    );
}

#[tokio::test]
async fn the_closest_zone_counts() {
    // As for a challenge name that is delegated on its own.
    let records = zone()
        .name_server(NAME, "gw.example.com")
        .address("gw.example.com", "127.0.0.3");
    let never = answering(|_| None);
    let answer = answering(|query| Some(has().answer(query)));
    let port = serve_all(&[Arc::clone(&never), never, answer]);
    with(records, port)
        .wait_for(NAME, "value", soon())
        .await
        .unwrap();
}

#[tokio::test]
async fn resolvers_can_be_asked_instead_or_nobody() {
    let asked = AtomicUsize::new(0);
    let resolver = serve(move |query, _| {
        assert!(query.recursion_desired);
        let before = asked.fetch_add(1, Ordering::Relaxed);
        let records = if before == 0 { has_not() } else { has() };
        vec![records.answer(query)]
    });
    let closed = "127.0.0.1:1".parse().unwrap();
    let with = |check, resolver| {
        let settings = LookupSettings {
            check,
            ..settings(&[closed, resolver])
        };
        Lookup::new(settings).unwrap()
    };
    let by_resolvers = with(Check::Resolvers, resolver);
    let error = by_resolvers
        .wait_for(NAME, "value", Instant::now() + LAST)
        .await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("the resolver (127.0.0.1) does not have the value"),
        "{error}"
    );
    by_resolvers.wait_for(NAME, "value", soon()).await.unwrap();
    let off = with(Check::Off, closed);
    off.wait_for(NAME, "value", Instant::now()).await.unwrap();
}

/// The gateway's own name server is one as any other.
#[tokio::test]
async fn values_at_the_responder_are_seen() {
    let zones = Zones {
        zone: Some("acme.example.com".to_owned()),
        name_server: "gw.example.com".to_owned(),
    };
    let responder = Responder::start(&["127.0.0.1:0".parse().unwrap()], zones).await;
    let responder = responder.unwrap();
    let records = Records::default()
        .name_server("acme.example.com", "gw.example.com")
        .address("gw.example.com", "127.0.0.1");
    let lookup = with(records, responder.addresses()[0].port());
    let name = "example.com.acme.example.com";
    let error = lookup.wait_for(name, "value", later()).await.unwrap_err();
    assert!(error.to_string().contains("it has none"), "{error}");
    responder.present(name, "value");
    lookup.wait_for(name, "value", soon()).await.unwrap();
}
