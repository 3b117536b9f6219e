use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::answer::Body;
use crate::decide::{Decision, decide};
use crate::exchange::Counted;
use crate::policies::Carry;
use crate::receive;
use crate::responder::Responder;
use crate::target;
use crate::testing::{Kit, Listening, listen, run, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n";

fn kit() -> (Kit, Listening) {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "");
    (kit, listen("10.0.0.1:1"))
}

fn failures(kit: &Kit) -> u64 {
    let members = kit.upstream();
    let endpoint = &members.forwarding.upstream.members()[0].endpoint;
    endpoint.counters().failures
}

/// What a client gets that sends the line and fields of a request, if the
/// upstream sends this; without `Date`, and up to the end of the connection or
/// of what is sent for now.
async fn delivered(request: &str, response: &str, ends: bool) -> String {
    let (kit, endpoint) = kit();
    let (mut client, _served) = kit.client();
    client
        .send(format!("{request}\r\nHost: site.example\r\n\r\n"))
        .await;
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream.send(response).await;
    if ends {
        drop(upstream);
    }
    let all = client.so_far().await;
    let lines = all.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("Date: ")).collect()
}

#[tokio::test(start_paused = true)]
async fn each_client_learns_where_the_body_ends() {
    let old_and_kept = "GET / HTTP/1.0\r\nConnection: keep-alive";
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\nok";
    let cases = [
        ("GET / HTTP/1.1", length, "Content-Length: 2\r\n\r\nok"),
        (
            "GET / HTTP/1.1",
            chunked,
            "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            until_close,
            "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nConnection: close",
            length,
            "Content-Length: 2\r\nConnection: close\r\n\r\nok",
        ),
        (
            "GET / HTTP/1.0",
            length,
            "Content-Length: 2\r\nConnection: close\r\n\r\nok",
        ),
        (
            old_and_kept,
            length,
            "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
        ),
        (old_and_kept, chunked, "Connection: close\r\n\r\nok"),
        (old_and_kept, until_close, "Connection: close\r\n\r\nok"),
    ];
    run(async {
        for (request, response, expected) in cases {
            let all = delivered(request, response, response == until_close).await;
            let expected = format!("HTTP/1.1 200 OK\r\n{expected}");
            assert_eq!(all, expected, "{request}: {response}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_response_without_a_body_has_none_whatever_it_says() {
    run(async {
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(delivered("HEAD / HTTP/1.1", length, false).await, length);
        let unchanged = "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(
            delivered("GET / HTTP/1.1", unchanged, false).await,
            unchanged
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trailers_pass_to_those_who_can_take_them() {
    let response = "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n";
    run(async {
        let new = delivered("GET / HTTP/1.1", response, false).await;
        assert_eq!(
            new,
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"
        );
        let old = delivered("GET / HTTP/1.0", response, false).await;
        assert_eq!(old, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
    })
    .await;
}

/// A policy of the phase `response` may make any status of one with a body.
#[tokio::test(start_paused = true)]
async fn a_status_that_rules_a_body_out_takes_it_away() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut session, mut client) = kit.session();
        client.send(GET).await;
        let delivering = Box::pin(async {
            let mut counted = Counted::new(&session, &kit.worker);
            let exchange = &mut counted.exchange;
            receive::receive(exchange, &mut session).await.unwrap();
            let mut downstream = Downstream {
                incoming: &mut session.incoming,
                responder: Responder::new(&mut session.outgoing, &exchange.heads.request),
                deadline: &mut session.deadline,
            };
            let decided = decide(exchange, &mut downstream, Carry::Out).unwrap();
            let Decision::Target(matched) = decided else {
                panic!("answered before");
            };
            let answer = target::answer(exchange, &mut downstream, &matched).await;
            let Body::Passing(called) = answer.unwrap().body else {
                panic!("not of the upstream");
            };
            exchange.heads.response.status = 204;
            exchange.heads.response.reason.clear();
            deliver(exchange, downstream, called, None).await
        });
        let script = async {
            let mut upstream = endpoint.accept().await;
            upstream.head().await;
            upstream
                .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
                .await;
            upstream
        };
        let (delivered, mut upstream) = tokio::join!(delivering, script);
        // The client's connection is as good as before; the upstream's is not.
        assert_eq!(delivered, Ok(Fate::KeepAlive));
        let head = client.head().await;
        assert!(
            head.starts_with("HTTP/1.1 204 No Content\r\nDate: "),
            "{head}"
        );
        assert!(!head.contains("Content-Length"), "{head}");
        assert_eq!(client.so_far().await, "");
        assert_eq!(kit.kept(), 0);
        assert_eq!(upstream.rest().await, "");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_given_up() {
    run(async {
        let (kit, endpoint) = kit();
        let (session, mut client) = kit.session_with(256);
        let served = kit.serve(session);
        client.send(GET).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        let begin = Instant::now();
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n")
            .await;
        upstream.send(vec![b'x'; 20_000]).await;
        client.head().await;
        assert_eq!(served.await.unwrap(), Fate::Abort);
        assert_eq!(begin.elapsed(), Duration::from_secs(60));
        client.until_reset().await;
        // It is not the endpoint's fault.
        assert_eq!(failures(&kit), 0);
        assert_eq!(upstream.rest().await, "");
    })
    .await;
}

/// Otherwise anybody could have an endpoint ejected.
#[tokio::test(start_paused = true)]
async fn one_for_which_an_attempt_takes_too_long_is_not_the_endpoints_fault() {
    run(async {
        for (sent, expected) in [(20_000, 0), (100, 1)] {
            let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "upstream_timeout = \"3s\"");
            let endpoint = listen("10.0.0.1:1");
            let (session, mut client) = kit.session_with(1024);
            let served = kit.serve(session);
            client.send(GET).await;
            let mut upstream = endpoint.accept().await;
            let begin = Instant::now();
            upstream.head().await;
            upstream
                .send("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n")
                .await;
            upstream.send(vec![b'x'; sent]).await;
            client.head().await;
            // It reads some of it, and then all that has come, just before the time is over.
            tokio::time::sleep(Duration::from_millis(2900)).await;
            client.expect(&"x".repeat(sent)).await;
            assert_eq!(served.await.unwrap(), Fate::Abort);
            assert_eq!(begin.elapsed(), Duration::from_secs(3));
            assert_eq!(failures(&kit), expected, "{sent}");
            assert_eq!(upstream.rest().await, "");
        }
    })
    .await;
}

/// As after `shutdown`, or with `nc -N`.
#[tokio::test(start_paused = true)]
async fn one_that_closed_its_side_waits_for_ten_seconds_at_nobodys_cost() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut client, served) = kit.client();
        client.send(GET).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo")
            .await;
        client.head().await;
        let begin = Instant::now();
        client.close();
        assert_eq!(served.await.unwrap(), Fate::Abort);
        assert_eq!(begin.elapsed(), Duration::from_secs(10));
        assert_eq!(failures(&kit), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_not() {
    run(async {
        // More slowly than the minimum rate, which is tested elsewhere.
        let kit = Kit::of(
            "[listeners.test]\naddress = \"127.0.0.1:1\"\nmin_rate = false\n\
             [upstreams.app]\nendpoints = \"10.0.0.1:1\"\n\
             [[sites]]\nhosts = [\"*\"]\n\
             [[sites.routes]]\nupstream = \"app\"\n",
        );
        let endpoint = listen("10.0.0.1:1");
        let (session, mut client) = kit.session_with(4096);
        let _served = kit.serve(session);
        client.send(GET).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 20480\r\n\r\n")
            .await;
        upstream.send(vec![b'x'; 20_480]).await;
        client.head().await;
        for _ in 0..5 {
            // Not more slowly than the minimum rate of 250 bytes a second.
            tokio::time::sleep(Duration::from_secs(15)).await;
            client.expect(&"x".repeat(4096)).await;
        }
        settle().await;
        assert_eq!(kit.kept(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_breaks_off_has_the_client_reset() {
    run(async {
        for (waits, framing) in [
            (false, "Content-Length: 4\r\n\r\nok"),
            (false, "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
            (true, "Content-Length: 4\r\n\r\nok"),
        ] {
            let (kit, endpoint) = kit();
            let (mut client, served) = kit.client();
            client.send(GET).await;
            let mut upstream = endpoint.accept().await;
            upstream.head().await;
            upstream.send(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
            client.head().await;
            let begin = Instant::now();
            if waits {
                // It stays, and says no more.
                assert_eq!(served.await.unwrap(), Fate::Abort);
                assert_eq!(begin.elapsed(), Duration::from_secs(60));
            } else {
                drop(upstream);
                assert_eq!(served.await.unwrap(), Fate::Abort);
            }
            client.until_reset().await;
            assert_eq!((failures(&kit), kit.kept()), (1, 0), "{framing}");
        }
    })
    .await;
}
