use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::responder::Fate;
use crate::testing::{Kit, Peer, listen, run, settle};

const IDLE: Duration = Duration::from_secs(60);

/// A client and an upstream that speak another protocol.
async fn switched(kit: &Kit) -> (Peer, Peer, JoinHandle<Fate>) {
    let endpoint = listen("10.0.0.1:1");
    let (mut client, served) = kit.client();
    client
        .send(
            "GET / HTTP/1.1\r\nHost: site.example\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
        )
        .await;
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    // What follows the head at once is of the new protocol already.
    upstream
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, x-hop\r\nUpgrade: chat\r\nX-Hop: 1\r\n\r\nhello")
        .await;
    let head = client.head().await;
    assert_eq!(
        head,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
    );
    client.expect("hello").await;
    (client, upstream, served)
}

fn kit(route: &str) -> Kit {
    Kit::new("endpoints = \"10.0.0.1:1\"", route)
}

fn in_flight(kit: &Kit) -> u32 {
    let members = kit.upstream();
    members.forwarding.upstream.members()[0]
        .endpoint
        .in_flight()
}

#[tokio::test(start_paused = true)]
async fn bytes_pass_both_ways_and_each_side_ends_by_itself() {
    run(async {
        let kit = kit("");
        let (mut client, mut upstream, served) = switched(&kit).await;
        client.send("one").await;
        upstream.expect("one").await;
        upstream.send("two").await;
        client.expect("two").await;
        client.close();
        assert_eq!(upstream.rest().await, "");
        // The other direction goes on.
        upstream.send("three").await;
        client.expect("three").await;
        assert!(!served.is_finished());
        assert_eq!(in_flight(&kit), 1);
        upstream.close();
        assert_eq!(served.await.unwrap(), Fate::Close);
        assert_eq!(client.rest().await, "");
        assert_eq!((in_flight(&kit), kit.kept()), (0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn it_lasts_as_long_as_bytes_move_either_way() {
    run(async {
        // The time for the whole request does not bound it.
        let kit = kit("request_timeout = \"30s\"");
        let (mut client, mut upstream, served) = switched(&kit).await;
        for _ in 0..3 {
            sleep(Duration::from_secs(50)).await;
            client.send("one").await;
            upstream.expect("one").await;
            sleep(Duration::from_secs(50)).await;
            upstream.send("two").await;
            client.expect("two").await;
        }
        let begin = Instant::now();
        assert_eq!(served.await.unwrap(), Fate::Close);
        assert_eq!(begin.elapsed(), IDLE);
    })
    .await;
}

/// What was read at once and is taken piece by piece moves too.
#[tokio::test(start_paused = true)]
async fn it_lasts_as_long_as_a_slow_reader_takes_some() {
    run(async {
        let kit = kit("");
        let (mut client, mut upstream, served) = switched(&kit).await;
        // As much as may wait with the client, and as much again in the gateway.
        for _ in 0..2 {
            upstream.send(vec![b'x'; 64 * 1024]).await;
            settle().await;
        }
        for _ in 0..3 {
            sleep(Duration::from_secs(50)).await;
            client.expect(&"x".repeat(16 * 1024)).await;
            settle().await;
        }
        assert!(!served.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_ends_both_sides() {
    run(async {
        let kit = kit("");
        let (client, mut upstream, served) = switched(&kit).await;
        client.reset();
        assert_eq!(served.await.unwrap(), Fate::Close);
        assert_eq!(upstream.rest().await, "");
    })
    .await;
}

/// Whoever chats may be as slow as the idle timeout allows, both as a reader and as a sender.
#[tokio::test(start_paused = true)]
async fn no_minimum_rate_ends_it() {
    run(async {
        let kit = Kit::of(
            "[listeners.test]\naddress = \"127.0.0.1:1\"\n\
             min_rate = { body = \"1MiB\", read = \"1MiB\" }\n\
             [upstreams.app]\nendpoints = \"10.0.0.1:1\"\n\
             [[sites]]\nhosts = [\"*\"]\n\
             [[sites.routes]]\nupstream = \"app\"\n",
        );
        let (mut client, mut upstream, served) = switched(&kit).await;
        for _ in 0..2 {
            upstream.send(vec![b'x'; 64 * 1024]).await;
            settle().await;
        }
        for _ in 0..10 {
            sleep(Duration::from_secs(50)).await;
            client.expect(&"x".repeat(4096)).await;
            client.send("y").await;
            upstream.expect("y").await;
        }
        assert!(!served.is_finished());
    })
    .await;
}
