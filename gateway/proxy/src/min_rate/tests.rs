use tokio::time::{advance, sleep};

use super::*;
use crate::responder::Fate;
use crate::testing::{Kit, Peer, listen, run, settle};

const MINIMUM: MinRate = MinRate {
    bytes_per_second: 100,
    grace: Duration::from_secs(10),
};

#[tokio::test(start_paused = true)]
async fn only_time_that_waits_for_the_client_counts() {
    let mut meter = Meter::new(Some(MINIMUM));
    // An upstream takes its time.
    assert!(!meter.is_too_slow(0, false));
    advance(Duration::from_secs(3600)).await;
    assert!(!meter.is_too_slow(0, true));
    advance(Duration::from_secs(9)).await;
    assert!(!meter.is_too_slow(1, false), "within the grace");
    advance(Duration::from_secs(3600)).await;
    assert!(!meter.is_too_slow(1, true));
    advance(Duration::from_secs(2)).await;
    assert!(meter.is_too_slow(2, true), "two bytes in eleven seconds");
}

#[tokio::test(start_paused = true)]
async fn a_fast_beginning_does_not_pay_for_what_follows() {
    let mut meter = Meter::new(Some(MINIMUM));
    let mut bytes = 10_000_000;
    assert!(!meter.is_too_slow(bytes, true));
    for second in 1..=10 {
        advance(Duration::from_secs(1)).await;
        bytes += 1;
        assert!(!meter.is_too_slow(bytes, true), "after {second} seconds");
    }
    advance(Duration::from_secs(1)).await;
    assert!(meter.is_too_slow(bytes + 1, true));
}

/// Bytes that arrive together after a pause count for the pause.
#[tokio::test(start_paused = true)]
async fn bursts_at_the_rate_are_fast_enough() {
    let mut meter = Meter::new(Some(MINIMUM));
    let mut bytes = 0;
    assert!(!meter.is_too_slow(bytes, true));
    for _ in 0..100 {
        advance(Duration::from_secs(30)).await;
        bytes += 3_000;
        assert!(!meter.is_too_slow(bytes, true));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_minimum_nothing_is_too_slow() {
    let mut meter = Meter::new(None);
    assert!(!meter.is_too_slow(0, true));
    advance(Duration::from_secs(3600)).await;
    assert!(!meter.is_too_slow(0, true));
}

/// A task may be woken for other reasons than that the client has moved bytes.
#[tokio::test(start_paused = true)]
async fn silence_is_not_judged() {
    let mut meter = Meter::new(Some(MINIMUM));
    assert!(!meter.is_too_slow(0, true));
    for _ in 0..10 {
        advance(Duration::from_secs(6)).await;
        assert!(!meter.is_too_slow(0, true));
    }
}

/// A client whose connection was interrupted goes on with a small packet.
#[tokio::test(start_paused = true)]
async fn a_pause_is_forgiven_and_dripping_is_not() {
    let mut meter = Meter::new(Some(MINIMUM));
    let mut bytes = 0;
    assert!(!meter.is_too_slow(bytes, true));
    for _ in 0..10 {
        advance(Duration::from_secs(50)).await;
        bytes += 100;
        assert!(!meter.is_too_slow(bytes, true), "a first packet");
        bytes += 900;
        assert!(!meter.is_too_slow(bytes, true), "and more");
    }
    advance(Duration::from_secs(50)).await;
    assert!(!meter.is_too_slow(bytes + 1, true));
    advance(Duration::from_secs(50)).await;
    assert!(meter.is_too_slow(bytes + 2, true), "a byte each time");
}

/// A route to `10.0.0.1:1`, and the default rates: 100 bytes a second for heads, 250 for
/// bodies and readers, after 10 seconds.
fn kit() -> Kit {
    Kit::new("endpoints = \"10.0.0.1:1\"", "")
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";

/// Sends the bytes a second apart.
async fn drip(client: &mut Peer, count: usize) {
    for _ in 0..count {
        client.send("x").await;
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dripping_head_is_answered_with_408() {
    run(async {
        let (mut client, served) = kit().client();
        client.send("GET / HTTP/1.1\r\nX: ").await;
        drip(&mut client, 11).await;
        assert!(client.head().await.starts_with("HTTP/1.1 408 "));
        assert_eq!(served.await.unwrap(), Fate::Close);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dripping_body_is_answered_with_408() {
    run(async {
        let kit = kit();
        let endpoint = listen("10.0.0.1:1");
        let (mut client, served) = kit.client();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        client.send(head).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        // A fast beginning is no excuse.
        client.send(vec![b'x'; 50_000]).await;
        settle().await;
        drip(&mut client, 12).await;
        assert!(client.head().await.starts_with("HTTP/1.1 408 "));
        assert_eq!(served.await.unwrap(), Fate::Close);
    })
    .await;
}

/// The client has sent what there is room for, and the upstream takes its time.
#[tokio::test(start_paused = true)]
async fn a_body_that_a_slow_upstream_takes_is_not_too_slow() {
    run(async {
        let kit = kit();
        let endpoint = listen("10.0.0.1:1");
        let (mut client, served) = kit.client();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
        client.send(head).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        let sending = tokio::task::spawn_local(async move {
            client.send(vec![b'x'; 200_000]).await;
            client
        });
        for _ in 0..20 {
            sleep(Duration::from_secs(40)).await;
            upstream.expect(&"x".repeat(4096)).await;
        }
        upstream.expect(&"x".repeat(200_000 - 20 * 4096)).await;
        upstream.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        let mut client = sending.await.unwrap();
        assert!(client.head().await.starts_with("HTTP/1.1 204 "));
        assert!(!served.is_finished(), "the connection is kept");
    })
    .await;
}

/// Begins a response of an upstream that fills all buffers on the way to the client.
async fn filled(kit: &Kit) -> (Peer, tokio::task::JoinHandle<Fate>) {
    let endpoint = listen("10.0.0.1:1");
    let (session, mut client) = kit.session_with(1024);
    let served = kit.serve(session);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream.send(HEAD).await;
    tokio::task::spawn_local(async move { upstream.send(vec![b'x'; 1_000_000]).await });
    client.head().await;
    settle().await;
    (client, served)
}

#[tokio::test(start_paused = true)]
async fn a_dripping_reader_is_cut_off() {
    run(async {
        let kit = kit();
        let (mut client, served) = filled(&kit).await;
        // 128 bytes a second; the idle timeout is a minute.
        for _ in 0..3 {
            assert!(!served.is_finished());
            sleep(Duration::from_secs(8)).await;
            client.expect(&"x".repeat(1024)).await;
            settle().await;
        }
        assert_eq!(served.await.unwrap(), Fate::Abort);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_at_the_minimum_is_served() {
    run(async {
        let kit = kit();
        let (mut client, served) = filled(&kit).await;
        for _ in 0..20 {
            sleep(Duration::from_secs(4)).await;
            client.expect(&"x".repeat(1024)).await;
            settle().await;
        }
        assert!(!served.is_finished());
        client.expect(&"x".repeat(1_000_000 - 20 * 1024)).await;
    })
    .await;
}

/// A pipelined request wakes the task, and says nothing about how fast the client reads.
#[tokio::test(start_paused = true)]
async fn a_reader_that_sends_meanwhile_is_served() {
    run(async {
        let kit = kit();
        let (mut client, served) = filled(&kit).await;
        for _ in 0..3 {
            sleep(Duration::from_secs(15)).await;
            client.send("G").await;
            settle().await;
        }
        assert!(!served.is_finished());
        client.expect(&"x".repeat(1_000_000)).await;
    })
    .await;
}

/// The same for a body that the gateway holds.
#[tokio::test(start_paused = true)]
async fn a_dripping_reader_of_a_fixed_response_is_cut_off() {
    run(async {
        let body = "x".repeat(300_000);
        let kit = Kit::of(&format!(
            "[listeners.test]\naddress = \"127.0.0.1:1\"\n\
             [[sites]]\nhosts = [\"*\"]\n\
             [[sites.routes]]\nrespond = {{ status = 200, body = \"{body}\" }}\n"
        ));
        let (session, mut client) = kit.session_with(1024);
        let served = kit.serve(session);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.head().await;
        for _ in 0..3 {
            assert!(!served.is_finished());
            sleep(Duration::from_secs(8)).await;
            client.expect(&"x".repeat(1024)).await;
            settle().await;
        }
        assert_eq!(served.await.unwrap(), Fate::Abort);
    })
    .await;
}

/// Events come seldom and are short: it is the upstream that is slow.
#[tokio::test(start_paused = true)]
async fn a_slow_stream_of_events_is_served() {
    run(async {
        let kit = kit();
        let endpoint = listen("10.0.0.1:1");
        let (mut client, served) = kit.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            .await;
        client.head().await;
        for _ in 0..20 {
            sleep(Duration::from_secs(50)).await;
            upstream.send("data\n").await;
            client.expect("5\r\ndata\n\r\n").await;
        }
        assert!(!served.is_finished());
    })
    .await;
}
