//! Where a value belongs, and how questions are asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, ResponseCode};
use janua_dns01::Lookup;

use super::dns::{error, name, reply};
use super::{By, HASTE, Records, lookup, resolver, serve, settings};

async fn target(resolvers: &[SocketAddr]) -> Result<String, String> {
    let target = lookup(resolvers).challenge_target("example.com").await;
    target.map_err(|error| error.to_string())
}

const NAME: &str = "_acme-challenge.example.com";

fn one_alias() -> Records {
    Records::default().alias(NAME, "Example.com.acme.example.NET")
}

fn aliases(count: usize) -> Records {
    let at = |n: usize| match n {
        0 => NAME.to_owned(),
        n => format!("{n}.example.net"),
    };
    (0..count).fold(Records::default(), |records, n| {
        records.alias(&at(n), &at(n + 1))
    })
}

#[tokio::test]
async fn aliases_are_followed_to_names_that_need_not_exist() {
    let itself = Records::default();
    let without_data = Records::default().text(NAME, "other");
    let expected = [
        (itself, NAME),
        (without_data, NAME),
        (one_alias(), "example.com.acme.example.net"),
        (aliases(2), "2.example.net"),
        (aliases(8), "8.example.net"),
    ];
    for (records, expected) in expected {
        assert_eq!(target(&[resolver(records)]).await, Ok(expected.to_owned()));
    }
    let wild = lookup(&[resolver(one_alias())]);
    let target = wild.challenge_target("*.example.com").await.unwrap();
    assert_eq!(target, "example.com.acme.example.net");
}

#[tokio::test]
async fn circles_and_long_chains_are_errors() {
    let error = target(&[resolver(aliases(9))]).await.unwrap_err();
    assert!(error.contains("more than 8"), "{error}");
    let circle = aliases(2).alias("2.example.net", &NAME.to_ascii_uppercase());
    let error = target(&[resolver(circle)]).await.unwrap_err();
    assert!(error.contains("circle"), "{error}");
    let own = Records::default().alias(NAME, NAME);
    assert!(target(&[resolver(own)]).await.is_err());
}

/// A port at which nothing listens.
fn closed() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

#[tokio::test]
async fn another_resolver_is_asked_if_one_has_no_answer() {
    let failing = serve(|query, _| vec![error(query, ResponseCode::ServFail)]);
    let good = resolver(one_alias());
    let expected = Ok("example.com.acme.example.net".to_owned());
    assert_eq!(target(&[failing, closed(), good]).await, expected);

    let error = target(&[failing, closed()]).await.unwrap_err();
    assert!(error.contains("answered SERVFAIL, and "), "{error}");
    assert!(error.contains("cannot be asked: "), "{error}");
}

#[tokio::test]
async fn a_silent_resolver_is_an_error() {
    let silent = serve(|_, _| vec![]);
    let mut settings = settings(&[silent]);
    settings.timeout = HASTE;
    let lookup = Lookup::new(settings).unwrap();
    let error = lookup.challenge_target("example.com").await.unwrap_err();
    let expected = "the resolver 127.0.0.1 did not answer within 0.4 s";
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_by_tcp() {
    let resolver = serve(|query, by| {
        vec![match by {
            By::Udp => one_alias().answer(query).truncate(),
            By::Tcp => one_alias().answer(query),
        }]
    });
    assert_ne!(target(&[resolver]).await.unwrap(), NAME);
}

#[tokio::test]
async fn a_server_without_edns_is_asked_without() {
    let resolver = serve(|query, _| {
        vec![match query.edns {
            // Such a server may not even repeat the question.
            Some(_) => {
                let mut refusal = error(query, ResponseCode::FormErr);
                refusal.queries.clear();
                refusal
            }
            None => one_alias().answer(query),
        }]
    });
    assert_ne!(target(&[resolver]).await.unwrap(), NAME);
}

#[tokio::test]
async fn forged_responses_are_ignored() {
    let resolver = serve(|query, _| {
        let forge = |change: fn(&mut Message)| {
            let mut forged = reply(query);
            change(&mut forged);
            forged
        };
        vec![
            forge(|forged| forged.metadata.id ^= 1),
            forge(|forged| forged.queries[0].name = name("other.example")),
            forge(|forged| forged.queries.clear()),
            query.clone(),
            one_alias().answer(query),
        ]
    });
    assert_ne!(target(&[resolver]).await.unwrap(), NAME);
}

#[tokio::test]
async fn a_lost_datagram_is_sent_again() {
    let asked = AtomicUsize::new(0);
    let resolver = serve(
        move |query, _| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => vec![],
            _ => vec![one_alias().answer(query)],
        },
    );
    let mut settings = settings(&[resolver]);
    settings.timeout = std::time::Duration::from_secs(3);
    let lookup = Lookup::new(settings).unwrap();
    let target = lookup.challenge_target("example.com").await.unwrap();
    assert_ne!(target, NAME);
}

#[tokio::test]
async fn a_domain_that_is_no_name_is_an_error() {
    let lookup = lookup(&[closed()]);
    for domain in ["", "a..b", &"a".repeat(64)] {
        assert!(lookup.challenge_target(domain).await.is_err(), "{domain}");
    }
}
