//! Flow control from end to end: whoever does not read stops the other side, and loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use janua_tests::{Gateway, assert_eventually};
use tokio_stream::StreamExt as _;

use super::client::Client;
use super::server::{FLOOD, Server};
use super::{between, in_front_of};

/// The messages of a call, 64 MiB.
const MESSAGES: usize = 1024;
/// What all windows and buffers between client and server may hold, in messages: several times
/// more than they do, and a quarter of the call.
const MOST: usize = MESSAGES / 4;

/// Waits until no message has been taken from its sender during many other calls on the same
/// connections, which shows that these go on.
async fn stopped(client: &Client, sent: impl Fn() -> usize) -> usize {
    let is_still = async || {
        let before = sent();
        for _ in 0..50 {
            let answered = client.unary("Unary", Bytes::from("x")).await;
            assert_eq!(answered.unwrap().into_inner(), "x");
        }
        before > 0 && sent() == before
    };
    assert_eventually!(is_still().await);
    sent()
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_server() {
    let server = Server::start();
    let gateway = in_front_of(&server.endpoint()).await;
    let client = Client::connect(gateway.address()).await;
    let before = gateway.rss_kib();
    let request = Bytes::from(MESSAGES.to_string());
    let response = client.server_streaming("Flood", request).await.unwrap();
    let sent = stopped(&client, || server.flooded()).await;
    assert!(sent < MOST, "{sent} messages");
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more");

    let mut messages = response.into_inner();
    let mut received = 0;
    while let Some(message) = messages.message().await.unwrap() {
        assert_eq!(message.len(), FLOOD);
        received += 1;
    }
    assert_eq!(received, MESSAGES);
}

#[tokio::test]
async fn a_server_that_does_not_read_stops_the_client() {
    let server = Server::start();
    let config = between(&server.endpoint()).route("max_body = 0");
    let gateway = Gateway::start_one_worker(config).await;
    let client = Client::connect(gateway.address()).await;
    let before = gateway.rss_kib();
    let sent = Arc::new(AtomicUsize::new(0));
    let call = {
        let (client, sent) = (client.clone(), Arc::clone(&sent));
        let message = Bytes::from(vec![b'x'; FLOOD]);
        let messages = tokio_stream::iter(0..MESSAGES).map(move |_| {
            sent.fetch_add(1, SeqCst);
            message.clone()
        });
        tokio::spawn(async move { client.client_streaming("Hold", messages).await })
    };
    let taken = stopped(&client, || sent.load(SeqCst)).await;
    assert!(taken < MOST, "{taken} messages");
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more");

    server.release();
    let response = call.await.unwrap().unwrap();
    assert_eq!(response.into_inner(), (MESSAGES * FLOOD).to_string());
}
