use std::time::Duration;

use tokio::time::Instant;

use crate::responder::Fate;
use crate::testing::{Kit, Listening, Peer, listen, run, settle};

const GET: &str = "GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n";
/// May be stored, and is fresh for a while.
const FRESH: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\n";
/// May be stored, is stale at once, and may stand in where the upstream fails.
const STALE: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=10, stale-if-error=600\r\n\
     Age: 60\r\nETag: \"1\"\r\nContent-Length: 3\r\n\r\nold";

fn kit() -> (Kit, Listening) {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "cache = true");
    (kit, listen("10.0.0.1:1"))
}

/// Accepts a connection, takes a request and sends this.
async fn answer(endpoint: &Listening, response: &str) -> Peer {
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream.send(response).await;
    upstream
}

fn failures(kit: &Kit) -> u64 {
    let upstream = kit.upstream();
    let endpoint = &upstream.forwarding.upstream.members()[0].endpoint;
    endpoint.counters().failures
}

/// What a client of its own gets that asks now and is answered without further
/// ado: status line and fields, then the body.
async fn get(kit: &Kit) -> (String, String) {
    let (mut client, _served) = kit.client();
    client.send(GET).await;
    let all = client.so_far().await;
    let (head, body) = all.split_once("\r\n\r\n").expect("an answer");
    (head.to_owned(), body.to_owned())
}

/// Has a stale response stored.
async fn store_stale(kit: &Kit, endpoint: &Listening) -> Peer {
    let (mut client, _served) = kit.client();
    client.send(GET).await;
    let upstream = answer(endpoint, STALE).await;
    client.head().await;
    client.expect("old").await;
    settle().await;
    upstream
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_answers_the_next() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut client, _served) = kit.client();
        client.send(GET).await;
        let mut upstream = answer(&endpoint, FRESH).await;
        client.head().await;
        upstream.send("body").await;
        client.expect("body").await;
        settle().await;
        assert_eq!(kit.kept(), 1);
        let (head, body) = get(&kit).await;
        assert!(head.contains("Cache-Status: janua; hit"), "{head}");
        assert_eq!(body, "body");
        assert_eq!(upstream.so_far().await, "");
        assert!(!endpoint.has_come());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_meanwhile_get_the_body_as_it_comes() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut one, _served_one) = kit.client();
        let (mut two, _served_two) = kit.client();
        one.send(GET).await;
        two.send(GET).await;
        let mut upstream = answer(&endpoint, FRESH).await;
        upstream.send("bo").await;
        for client in [&mut one, &mut two] {
            client.head().await;
            client.expect("bo").await;
        }
        upstream.send("dy").await;
        for client in [&mut one, &mut two] {
            client.expect("dy").await;
        }
        assert!(!endpoint.has_come());
    })
    .await;
}

/// Whoever asked first is gone, before the upstream answered or while the body
/// came: the others get it, and so does who asks next.
#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_does_not_end_a_fill() {
    run(async {
        for head_has_come in [false, true] {
            let (kit, endpoint) = kit();
            let (mut leader, leader_served) = kit.client();
            let (mut other, _served) = kit.client();
            leader.send(GET).await;
            let mut upstream = endpoint.accept().await;
            upstream.head().await;
            other.send(GET).await;
            if head_has_come {
                upstream.send(FRESH).await;
                leader.head().await;
            }
            leader.reset();
            assert_eq!(leader_served.await.unwrap(), Fate::Abort);
            if !head_has_come {
                upstream.send(FRESH).await;
            }
            upstream.send("body").await;
            other.head().await;
            other.expect("body").await;
            settle().await;
            assert_eq!(get(&kit).await.1, "body");
            assert!(!endpoint.has_come());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_stored_is_handed_on_and_holds_nobody_up() {
    let private = FRESH.replace("max-age=600", "private");
    run(async {
        let (kit, endpoint) = kit();
        let (mut leader, _leader_served) = kit.client();
        let (mut other, _other_served) = kit.client();
        leader.send(GET).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        other.send(GET).await;
        settle().await;
        assert!(!endpoint.has_come());
        upstream.send(&private).await;
        // The other asks for itself while the body of this one is on its way.
        let mut its_own = answer(&endpoint, &private).await;
        its_own.send("mine").await;
        other.head().await;
        other.expect("mine").await;
        leader.head().await;
        upstream.send("body").await;
        leader.expect("body").await;
        settle().await;
        assert_eq!((kit.kept(), kit.worker.estate.cache.status().fills), (2, 0));
        // Nothing is stored.
        leader.send(GET).await;
        upstream.head().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_stored_ends_if_nobody_waits_for_it() {
    let private = FRESH.replace("max-age=600", "private");
    run(async {
        let (kit, endpoint) = kit();
        let (mut leader, served) = kit.client();
        leader.send(GET).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        leader.reset();
        assert_eq!(served.await.unwrap(), Fate::Abort);
        upstream.send(&private).await;
        assert_eq!(upstream.rest().await, "");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_to_be_stored_is_handed_on() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut client, _served) = kit.client();
        client.send(GET).await;
        let large = FRESH.replace("Length: 4", "Length: 2000000");
        let mut upstream = answer(&endpoint, &large).await;
        let head = client.head().await;
        assert!(head.contains("Content-Length: 2000000\r\n"), "{head}");
        upstream.send("body").await;
        client.expect("body").await;
        assert_eq!(kit.worker.estate.cache.status().fills, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_learn_of_a_failure() {
    run(async {
        let (kit, endpoint) = kit();
        let mut clients: Vec<_> = (0..3).map(|_| kit.client()).collect();
        for (client, _) in &mut clients {
            client.send(GET).await;
        }
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        drop(upstream);
        for (client, _) in &mut clients {
            assert!(client.head().await.starts_with("HTTP/1.1 502 "));
        }
        assert!(!endpoint.has_come());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn where_the_upstream_fails_what_is_stale_stands_in() {
    run(async {
        // It breaks off before it answers, or answers with an error.
        for failure in [
            "",
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        ] {
            let (kit, endpoint) = kit();
            let mut upstream = store_stale(&kit, &endpoint).await;
            let (mut client, _served) = kit.client();
            client.send(GET).await;
            let asked = upstream.head().await;
            assert!(asked.contains("If-None-Match: \"1\"\r\n"), "{asked}");
            upstream.send(failure).await;
            drop(upstream);
            if failure.is_empty() {
                // The kept connection is replaced once, and that one fails too.
                drop(endpoint.accept().await);
            }
            let head = client.head().await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(head.contains("Cache-Status: janua; hit; ttl=-"), "{head}");
            client.expect("old").await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_still_holds_is_served_once_the_upstream_says_so() {
    run(async {
        let (kit, endpoint) = kit();
        let mut upstream = store_stale(&kit, &endpoint).await;
        let (mut client, _served) = kit.client();
        client.send(GET).await;
        upstream.head().await;
        upstream
            .send("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=600\r\n\r\n")
            .await;
        assert!(client.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
        client.expect("old").await;
        // And is fresh from now on.
        let (head, body) = get(&kit).await;
        assert!(head.contains("Cache-Status: janua; hit"), "{head}");
        assert_eq!((&*body, upstream.so_far().await), ("old", String::new()));
    })
    .await;
}

/// A validator that the gateway did not name says nothing about what is stored.
#[tokio::test(start_paused = true)]
async fn a_304_about_something_else_is_asked_again_for_the_whole() {
    run(async {
        let (kit, endpoint) = kit();
        let mut upstream = store_stale(&kit, &endpoint).await;
        let (mut client, _served) = kit.client();
        client.send(GET).await;
        upstream.head().await;
        upstream
            .send("HTTP/1.1 304 Not Modified\r\nETag: \"2\"\r\n\r\n")
            .await;
        // The connection rests after a 304, so the second request gets another.
        let mut second = endpoint.accept().await;
        let asked = second.head().await;
        assert!(!asked.contains("If-None-Match"), "{asked}");
        second.send(FRESH).await;
        second.send("body").await;
        client.head().await;
        client.expect("body").await;
    })
    .await;
}

/// To HTTP/1.0 the end of the connection is the end of such a body.
#[tokio::test(start_paused = true)]
async fn a_body_of_unknown_length_is_framed_for_each_client() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut new, _served) = kit.client();
        let (mut old, old_served) = kit.client();
        new.send(GET).await;
        old.send("GET /a HTTP/1.0\r\nHost: site.example\r\nConnection: keep-alive\r\n\r\n")
            .await;
        let chunked = FRESH.replace("Content-Length: 4", "Transfer-Encoding: chunked");
        let mut upstream = answer(&endpoint, &chunked).await;
        upstream.send("2\r\nbo\r\n").await;
        let head = new.head().await;
        assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
        new.expect("2\r\nbo\r\n").await;
        let head = old.head().await;
        assert!(head.contains("Connection: close\r\n"), "{head}");
        old.expect("bo").await;
        upstream.send("2\r\ndy\r\n0\r\n\r\n").await;
        new.expect("2\r\ndy\r\n0\r\n\r\n").await;
        assert_eq!(old.rest().await, "dy");
        assert_eq!(old_served.await.unwrap(), Fate::Close);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_not_stored() {
    run(async {
        let chunked = FRESH.replace("Content-Length: 4", "Transfer-Encoding: chunked");
        for (response, begun, waits) in [
            (FRESH, "bo", false),
            (FRESH, "bo", true),
            (&*chunked, "2\r\nbo\r\n", false),
        ] {
            let (kit, endpoint) = kit();
            let (mut client, served) = kit.client();
            client.send(GET).await;
            let mut upstream = answer(&endpoint, response).await;
            upstream.send(begun).await;
            client.head().await;
            client.expect(begun).await;
            let begin = Instant::now();
            if waits {
                // Nothing more comes: the fill waits for as long as for any body.
                assert_eq!(upstream.rest().await, "");
                assert_eq!(begin.elapsed(), Duration::from_secs(60));
            } else {
                drop(upstream);
            }
            client.until_reset().await;
            assert_eq!(served.await.unwrap(), Fate::Abort);
            settle().await;
            assert_eq!(kit.worker.estate.cache.status().fills, 0);
            // As for a response that is not stored.
            assert_eq!(failures(&kit), 1);
            let (mut next, _served) = kit.client();
            next.send(GET).await;
            let mut upstream = answer(&endpoint, FRESH).await;
            upstream.send("body").await;
            next.head().await;
            next.expect("body").await;
        }
    })
    .await;
}

/// The time limit of an attempt is one of the whole response, whether it is stored or not.
#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long_is_cut() {
    run(async {
        let private = FRESH.replace("max-age=600", "private");
        for response in [FRESH, &*private] {
            let kit = Kit::new(
                "endpoints = \"10.0.0.1:1\"",
                "cache = true\nupstream_timeout = \"3s\"",
            );
            let endpoint = listen("10.0.0.1:1");
            let (mut client, served) = kit.client();
            client.send(GET).await;
            let begin = Instant::now();
            let mut upstream = answer(&endpoint, response).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            upstream.send("bo").await;
            client.head().await;
            client.expect("bo").await;
            assert_eq!(upstream.rest().await, "");
            client.until_reset().await;
            assert_eq!(begin.elapsed(), Duration::from_secs(3), "{response}");
            assert_eq!(served.await.unwrap(), Fate::Abort);
            settle().await;
            assert_eq!(kit.worker.estate.cache.status().fills, 0);
        }
    })
    .await;
}
