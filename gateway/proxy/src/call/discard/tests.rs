use std::time::Duration;

use tokio::time::Instant;

use crate::testing::frames::{END, Http2Peer, OK as OK_200, WHOLE, kind, literal};
use crate::testing::{Calling, Kit, Listening, Peer, listen, run, settle};

const TWO: &str = "endpoints = [{ address = \"10.0.0.1:1\", weight = 1000000 }, \"10.0.0.2:1\"]";
const FIRST: &str = "10.0.0.1:1";
const SECOND: &str = "10.0.0.2:1";
const GET: &str = "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Accepts a connection, takes a request's head and answers with these bytes.
async fn answer(endpoint: &Listening, bytes: &str) -> Peer {
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream.send(bytes).await;
    upstream
}

#[tokio::test(start_paused = true)]
async fn a_listed_status_is_followed_by_another_endpoint() {
    run(Box::pin(async {
        let kit = Kit::new(TWO, "retries = { on = [\"503\"] }");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, _client) = Calling::new(&kit, GET);
        let script = async {
            let one = answer(&first, BUSY).await;
            (one, answer(&second, OK).await)
        };
        let (called, _upstreams) = tokio::join!(calling.run(), script);
        let called = called.unwrap();
        assert_eq!(calling.response.status, 204);
        assert_eq!(calling.tried().len(), 2);
        let notes = calling.attempts.notes();
        let words = format!("{FIRST} 503, {SECOND}");
        assert_eq!(notes, [("attempts", words)]);
        // Its connection is used again, and so is that of the other.
        settle().await;
        assert_eq!(kit.kept(), 1);
        calling.put_back(called);
        assert_eq!(kit.kept(), 2);
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_is_sent_again_after_a_status() {
    run(Box::pin(async {
        let kit = Kit::new(TWO, "retries = { on = [\"5xx\"] }");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, mut client) = Calling::new(&kit, PUT);
        client.send("body").await;
        let script = async {
            let mut one = first.accept().await;
            one.head().await;
            one.expect("body").await;
            one.send(BUSY).await;
            let mut two = second.accept().await;
            two.head().await;
            two.expect("body").await;
            two.send(OK).await;
            (one, two)
        };
        let (called, _upstreams) = tokio::join!(calling.run(), script);
        called.unwrap();
        assert_eq!(calling.response.status, 204);
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_body_ends_its_connection() {
    run(Box::pin(async {
        let kit = Kit::new(TWO, "retries = { on = [\"503\"] }");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, _client) = Calling::new(&kit, GET);
        let script = async {
            let long = BUSY.replace("Length: 4", "Length: 70000");
            let mut one = answer(&first, &long).await;
            let two = answer(&second, OK).await;
            assert_eq!(one.rest().await, "");
            two
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        called.unwrap();
        // So does one that does not come to its end.
        let kit = Kit::new(TWO, "retries = { on = [\"503\"] }");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, _client) = Calling::new(&kit, GET);
        let script = async {
            let slow = BUSY.replace("Length: 4", "Length: 5");
            let mut one = answer(&first, &slow).await;
            let begin = Instant::now();
            let two = answer(&second, OK).await;
            assert_eq!(begin.elapsed(), Duration::ZERO, "nobody waits for it");
            assert_eq!(one.rest().await, "");
            assert_eq!(begin.elapsed(), Duration::from_secs(1));
            two
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        called.unwrap();
        assert_eq!(kit.kept(), 0);
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_response_passes_if_there_is_nobody_else_to_ask() {
    let post = PUT.replace("PUT", "POST");
    let full = format!("{TWO}\nlimits = {{ requests = 1 }}");
    for (upstream, head, retries) in [
        ("endpoints = \"10.0.0.1:1\"", GET, "on = [\"503\"]"),
        (TWO, GET, "on = [\"503\"], more = 0"),
        (TWO, GET, "on = [\"502\"]"),
        // It may have been processed.
        (TWO, &post, "on = [\"503\"]"),
        (TWO, PUT, "on = [\"503\"], body = 3"),
        // Not even after a pause.
        (&*full, GET, "on = [\"503\"], more = 1"),
    ] {
        let kit = Kit::new(upstream, &format!("retries = {{ {retries} }}"));
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send("body").await;
        let (called, _upstream) = tokio::join!(calling.run(), answer(&first, BUSY));
        let called = called.unwrap();
        assert_eq!(calling.response.status, 503, "{retries}");
        assert_eq!(called.connection.incoming.reader.buffered(), b"busy");
        assert!(!second.has_come(), "{retries}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_response_passes() {
    run(Box::pin(async {
        let kit = Kit::new(TWO, "retries = { on = [\"503\"] }");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, _client) = Calling::new(&kit, GET);
        let last = BUSY.replace("busy", "last");
        let script = async {
            let one = answer(&first, BUSY).await;
            (one, answer(&second, &last).await)
        };
        let (called, _upstreams) = tokio::join!(calling.run(), script);
        let called = called.unwrap();
        assert_eq!(calling.response.status, 503);
        assert_eq!(called.connection.incoming.reader.buffered(), b"last");
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_endpoint_is_asked_again_after_a_pause_that_grows() {
    run(Box::pin(async {
        let kit = Kit::new(
            "endpoints = \"10.0.0.1:1\"\nkeepalive = 0",
            "retries = { more = 3, on = [\"503\"] }",
        );
        let first = listen(FIRST);
        let (mut calling, _client) = Calling::new(&kit, GET);
        let script = async {
            let mut pauses = Vec::new();
            let mut last = Instant::now();
            for answers in [BUSY, BUSY, BUSY, OK] {
                let mut upstream = first.accept().await;
                pauses.push(last.elapsed().as_millis());
                last = Instant::now();
                upstream.head().await;
                upstream.send(answers).await;
                settle().await;
            }
            pauses
        };
        let (called, pauses) = tokio::join!(calling.run(), script);
        called.unwrap();
        assert_eq!(calling.response.status, 204);
        for (pause, most) in pauses.iter().zip([0, 25, 50, 100]) {
            assert!((most / 2..=most).contains(pause), "{pauses:?}");
        }
    }))
    .await;
}

/// A call of gRPC that was answered with nothing but a status.
#[tokio::test(start_paused = true)]
async fn a_call_is_repeated_after_a_listed_status() {
    run(Box::pin(async {
        let kit = Kit::new(
            &format!("{TWO}\nhttp = \"2\""),
            "retries = { on = [\"unavailable\"] }",
        );
        let (first, second) = (listen(FIRST), listen(SECOND));
        let call = "POST /a.B/C HTTP/1.1\r\nHost: site.example\r\nTE: trailers\r\n\
                    Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\n";
        let (mut calling, mut client) = Calling::new(&kit, call);
        client.send([0, 0, 0, 0, 0]).await;
        let script = async {
            let mut one = Http2Peer::begin(first.accept().await, &[]).await;
            let data = one.next(kind::DATA).await;
            assert_eq!(data.payload, [0, 0, 0, 0, 0]);
            let head = [OK_200.to_vec(), literal("grpc-status", b"14")].concat();
            one.send(kind::HEADERS, END | WHOLE, data.stream, &head)
                .await;
            let mut two = Http2Peer::begin(second.accept().await, &[]).await;
            let data = two.next(kind::DATA).await;
            assert_eq!(data.payload, [0, 0, 0, 0, 0]);
            let head = [OK_200.to_vec(), literal("grpc-status", b"0")].concat();
            two.send(kind::HEADERS, END | WHOLE, data.stream, &head)
                .await;
            (one, two)
        };
        let (called, _upstreams) = tokio::join!(calling.run(), script);
        called.unwrap();
        assert_eq!(calling.response.fields.get(b"grpc-status"), Some(&b"0"[..]));
        assert_eq!(calling.tried().len(), 2);
    }))
    .await;
}
