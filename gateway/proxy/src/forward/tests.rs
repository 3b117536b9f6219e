use std::time::Duration;

use tokio::time::Instant;

use crate::responder::Fate;
use crate::testing::{Kit, Listening, listen, run, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\n";

fn kit() -> (Kit, Listening) {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "");
    (kit, listen("10.0.0.1:1"))
}

#[tokio::test(start_paused = true)]
async fn a_response_passes_and_both_connections_serve_the_next_request() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut client, served) = kit.client();
        client.send(GET).await;
        let mut upstream = endpoint.accept().await;
        for _ in 0..2 {
            upstream.head().await;
            upstream
                .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\n")
                .await;
            let head = client.head().await;
            assert!(
                head.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n"),
                "{head}"
            );
            assert!(!head.contains("Connection:"), "{head}");
            // As it comes, and not first when it is whole.
            upstream.send("ab").await;
            client.expect("ab").await;
            assert_eq!(kit.kept(), 0);
            upstream.send("cd").await;
            client.expect("cd").await;
            settle().await;
            assert_eq!(kit.kept(), 1);
            client.send(GET).await;
        }
        client.close();
        upstream.head().await;
        upstream.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        client.head().await;
        assert_eq!(served.await.unwrap(), Fate::Close);
        assert!(!endpoint.has_come());
    })
    .await;
}

/// The rest of the body would be taken for the next request.
#[tokio::test(start_paused = true)]
async fn a_connection_is_not_kept_before_the_request_is_sent() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut client, served) = kit.client();
        client.send(POST).await;
        client.send("bo").await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream.expect("bo").await;
        upstream
            .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            .await;
        assert!(client.head().await.starts_with("HTTP/1.1 403 "));
        client.expect("no").await;
        // At once: the connection waits for no other request.
        let begin = Instant::now();
        assert_eq!(served.await.unwrap(), Fate::Close);
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert_eq!(kit.kept(), 0);
        assert_eq!(upstream.rest().await, "");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_request_is_sent_while_the_response_comes() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut client, _served) = kit.client();
        client.send(POST).await;
        client.send("bo").await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream.expect("bo").await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nBO")
            .await;
        client.head().await;
        client.expect("BO").await;
        client.send("dy").await;
        upstream.expect("dy").await;
        upstream.send("DY").await;
        client.expect("DY").await;
        settle().await;
        assert_eq!(kit.kept(), 1);
        // And the client's connection goes on too.
        client.send(GET).await;
        upstream.head().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_upstream_ends_is_not_kept() {
    run(async {
        let (kit, endpoint) = kit();
        let (mut client, _served) = kit.client();
        client.send(GET).await;
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            .await;
        let head = client.head().await;
        assert!(!head.contains("Connection"), "{head}");
        client.expect("ok").await;
        assert_eq!(upstream.rest().await, "");
        assert_eq!(kit.kept(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_call() {
    run(async {
        for head_has_come in [false, true] {
            let (kit, endpoint) = kit();
            let (mut client, served) = kit.client();
            client.send(GET).await;
            let mut upstream = endpoint.accept().await;
            upstream.head().await;
            if head_has_come {
                upstream
                    .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
                    .await;
                client.head().await;
            }
            client.reset();
            assert_eq!(served.await.unwrap(), Fate::Abort);
            assert_eq!(upstream.rest().await, "");
            let members = kit.upstream();
            let endpoint = &members.forwarding.upstream.members()[0].endpoint;
            assert_eq!((endpoint.in_flight(), endpoint.counters().failures), (0, 0));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_answered() {
    run(async {
        let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "");
        let (mut client, _served) = kit.client();
        client.send(GET).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
        assert!(
            head.contains("\r\nProxy-Status: janua; error=connection_refused"),
            "{head}"
        );
        assert!(!head.contains("Connection: close"), "{head}");
    })
    .await;
}
