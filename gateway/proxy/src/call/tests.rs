use std::time::Duration;

use janua_http::failure::Kind;
use tokio::time::{Instant, sleep};

use super::*;
use crate::testing::{Calling, Kit, Listening, Peer, listen, settle};
use crate::upload::UploadState;

const GET: &str = "GET /path?q HTTP/1.1\r\nHost: site.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\n";
const WAITING: &str =
    "POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn kit() -> (Kit, Listening) {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "max_body = 8");
    (kit, listen("10.0.0.1:1"))
}

/// Makes a call of a request with this head; the endpoint answers with these
/// bytes once it has the head, and stays.
async fn answered(head: &str, answer: &str) -> Result<u16, Failure> {
    let (kit, endpoint) = kit();
    let (mut calling, _client) = Calling::new(&kit, head);
    let script = async {
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream.send(answer).await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.map(|_| calling.response.status)
}

#[tokio::test(start_paused = true)]
async fn a_request_is_written_and_the_head_of_its_response_read() {
    let (kit, endpoint) = kit();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let mut upstream = endpoint.accept().await;
        let head = upstream.head().await;
        upstream.send(OK).await;
        (upstream, head)
    };
    let (called, (_upstream, head)) = tokio::join!(calling.run(), script);
    let called = called.unwrap();
    assert!(
        head.starts_with("GET /path?q HTTP/1.1\r\nHost: site.example\r\n"),
        "{head}"
    );
    assert_eq!(calling.response.status, 200);
    let length = called.connection.incoming.length();
    assert_eq!(length, janua_http::Length::Exactly(2));
    assert_eq!(called.connection.incoming.reader.buffered(), b"ok");
    assert_eq!(calling.tried(), [("10.0.0.1:1".to_owned(), None)]);
    let attempt = calling.attempts.last().unwrap();
    assert!(attempt.connect.is_some() && attempt.head.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_is_told_once_to_go_on_before_its_body_is_sent() {
    let (kit, endpoint) = kit();
    let (mut calling, mut client) = Calling::new(&kit, WAITING);
    let script = async {
        let mut upstream = endpoint.accept().await;
        client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        let head = upstream.head().await;
        assert!(!head.contains("Expect"), "{head}");
        client.send("body").await;
        upstream.expect("body").await;
        // A `100` of the upstream's own comes too late to say anything.
        upstream.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        settle().await;
        upstream.send(OK).await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(client.so_far().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_once_however_many_endpoints_are_asked() {
    let kit = Kit::new("endpoints = [\"10.0.0.1:1\", \"10.0.0.2:1\"]", "");
    let endpoints = [listen("10.0.0.1:1"), listen("10.0.0.2:1")];
    let (mut calling, mut client) = Calling::slow(&kit, WAITING);
    let script = async {
        settle().await;
        let first = usize::from(endpoints[1].has_come());
        // It closes while the client is told, before a byte of the request.
        drop(endpoints[first].accept().await);
        client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.send("body").await;
        let mut second = endpoints[1 - first].accept().await;
        second.head().await;
        second.expect("body").await;
        second.send(OK).await;
        second
    };
    let (called, _second) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(client.so_far().await, "");
}

/// What comes before the request went out is the answer to nothing.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_speaks_while_the_client_is_told_has_not_answered() {
    let (kit, endpoint) = kit();
    let (mut calling, mut client) = Calling::slow(&kit, WAITING);
    let script = async {
        let mut upstream = endpoint.accept().await;
        upstream.send(OK).await;
        client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        upstream
    };
    let (called, mut upstream) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert_eq!(upstream.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn interim_responses_pass_to_those_who_know_them() {
    let hints =
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close, x-hop\r\nX-Hop: 1\r\n\r\n";
    let passed = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let old = GET.replace("HTTP/1.1", "HTTP/1.0");
    for (head, expected) in [(GET, passed), (&old, "")] {
        let (kit, endpoint) = kit();
        let (mut calling, mut client) = Calling::new(&kit, head);
        let script = async {
            let mut upstream = endpoint.accept().await;
            upstream.head().await;
            upstream.send(hints).await;
            assert_eq!(client.so_far().await, expected);
            upstream.send(OK).await;
            upstream
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        called.unwrap();
        assert_eq!(calling.response.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_sixteen_heads_are_read() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let fifteen = interim.repeat(15) + OK;
    assert_eq!(answered(GET, &fifteen).await, Ok(200));
    let sixteen = interim.repeat(16) + OK;
    let failure = answered(GET, &sixteen).await.unwrap_err();
    assert_eq!(failure.kind, Kind::ResponseMalformed);
}

#[tokio::test(start_paused = true)]
async fn the_protocol_changes_only_if_that_was_asked_for() {
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n";
    let asking =
        "GET / HTTP/1.1\r\nHost: site.example\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n";
    let failure = answered(GET, switched).await.unwrap_err();
    assert_eq!(failure.kind, Kind::ResponseMalformed);

    let (kit, endpoint) = kit();
    let (mut calling, _client) = Calling::new(&kit, asking);
    let script = async {
        let mut upstream = endpoint.accept().await;
        let head = upstream.head().await;
        assert!(
            head.contains("\r\nConnection: upgrade\r\nUpgrade: chat\r\n"),
            "{head}"
        );
        upstream.send(switched).await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    assert_eq!(called.unwrap().protocol.as_deref(), Some(&b"chat"[..]));
    assert_eq!(calling.response.status, 101);
}

/// The new protocol begins behind the request's body (RFC 9110 §7.8).
#[tokio::test(start_paused = true)]
async fn a_changed_protocol_waits_for_the_end_of_the_request() {
    let (kit, endpoint) = kit();
    let (mut calling, mut client) = Calling::new(
        &kit,
        "POST / HTTP/1.1\r\nHost: site.example\r\nConnection: upgrade\r\nUpgrade: chat\r\n\
         Content-Length: 4\r\n\r\n",
    );
    let mut is_done = false;
    let script = async {
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream
            .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n")
            .await;
        settle().await;
        client.send("body").await;
        upstream.expect("body").await;
        upstream
    };
    let running = async {
        let called = calling.run().await;
        is_done = true;
        called
    };
    let (called, _upstream) = tokio::join!(running, script);
    assert_eq!(called.unwrap().upload, UploadState::Sent);
    assert!(is_done);
}

#[tokio::test(start_paused = true)]
async fn a_bad_first_chunk_fails_before_anything_is_sent_to_the_client() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bad = format!("{chunked}zz\r\n");
    let failure = answered(GET, &bad).await.unwrap_err();
    assert_eq!(failure.kind, Kind::ResponseMalformed);
    let good = format!("{chunked}2\r\nok\r\n");
    assert_eq!(answered(GET, &good).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_head_is_told_apart() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let cases = [
        ("nonsense\r\n\r\n", Kind::ResponseMalformed),
        (&*long, Kind::ResponseHeadTooLarge),
    ];
    for (answer, kind) in cases {
        let failure = answered(GET, answer).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{:.20}", answer);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_from_when_the_request_was_sent() {
    let kit = Kit::new(
        "endpoints = \"10.0.0.1:1\"\nresponse_head_timeout = \"20s\"",
        "",
    );
    let endpoint = listen("10.0.0.1:1");
    let (mut calling, mut client) = Calling::new(&kit, POST);
    let begin = Instant::now();
    let script = async {
        let mut upstream = endpoint.accept().await;
        for byte in ["b", "o", "d", "y"] {
            sleep(Duration::from_secs(15)).await;
            client.send(byte).await;
        }
        // Part of a head is no reason to wait longer.
        sleep(Duration::from_secs(15)).await;
        upstream.send("HTTP/1.1 200 OK\r\n").await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ResponseTimeout);
    assert_eq!(begin.elapsed(), Duration::from_secs(60 + 20));
}

fn failures(kit: &Kit) -> u64 {
    let upstream = kit.upstream();
    let counters = upstream.forwarding.upstream.members()[0]
        .endpoint
        .counters();
    counters.failures
}

/// Otherwise anybody could have an endpoint ejected.
#[tokio::test(start_paused = true)]
async fn a_client_that_sends_slowly_is_not_the_endpoints_fault() {
    // In tenths of a second, when the last byte of the body is sent.
    for (last, expected) in [
        (None, (Kind::WholeTimeout, 0)),
        (Some(29), (Kind::WholeTimeout, 0)),
        (Some(2), (Kind::ResponseTimeout, 1)),
    ] {
        let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "upstream_timeout = \"3s\"");
        let endpoint = listen("10.0.0.1:1");
        let (mut calling, mut client) = Calling::new(&kit, POST);
        let begin = Instant::now();
        let script = async {
            let upstream = endpoint.accept().await;
            client.send("bod").await;
            if let Some(last) = last {
                sleep(Duration::from_millis(last * 100)).await;
                client.send("y").await;
            }
            sleep(Duration::from_secs(10)).await;
            drop(upstream);
        };
        let running = async {
            let called = calling.run().await;
            (called.err().unwrap().kind, begin.elapsed())
        };
        let ((kind, took), ()) = tokio::join!(running, script);
        assert_eq!(took, Duration::from_secs(3));
        assert_eq!((kind, failures(&kit)), expected, "{last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closed_its_side_is_not_the_endpoints_fault() {
    let kit = Kit::new(
        "endpoints = \"10.0.0.1:1\"",
        "retries = { more = 1, on = [\"timeout\"] }",
    );
    let endpoint = listen("10.0.0.1:1");
    let (mut calling, mut client) = Calling::new(&kit, GET);
    client.close();
    let begin = Instant::now();
    let failure = calling.run().await.err().unwrap();
    assert_eq!(failure.kind, Kind::ClientGone);
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
    drop(endpoint.accept().await);
    assert!(!endpoint.has_come(), "it is not asked again");
    assert_eq!(failures(&kit), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_no_interim_response_is_not_the_endpoints_fault() {
    for (route, expected) in [
        ("", Kind::ClientGone),
        ("upstream_timeout = \"3s\"", Kind::WholeTimeout),
    ] {
        let kit = Kit::new("endpoints = \"10.0.0.1:1\"", route);
        let endpoint = listen("10.0.0.1:1");
        let (mut calling, _client) = Calling::slow(&kit, GET);
        let script = async {
            let mut upstream = endpoint.accept().await;
            upstream.head().await;
            let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
            upstream.send(format!("{hints}{OK}")).await;
            upstream
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        assert_eq!(called.err().unwrap().kind, expected);
        assert_eq!(failures(&kit), 0);
    }
}

/// The time of an attempt is over, and that of what is sent in its place begins.
#[tokio::test(start_paused = true)]
async fn an_attempt_leaves_no_limit_behind() {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "upstream_timeout = \"3s\"");
    let _endpoint = listen("10.0.0.1:1");
    let (mut calling, _client) = Calling::new(&kit, GET);
    assert_eq!(
        calling.run().await.err().unwrap().kind,
        Kind::ResponseTimeout
    );
    let begin = Instant::now();
    let deadline = &mut calling.session.deadline;
    deadline.set(Duration::from_secs(7));
    let waited = deadline.guard(std::future::pending::<()>()).await;
    assert!(waited.is_err());
    assert_eq!(begin.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn who_holds_up_a_request_is_told_apart() {
    let kit = Kit::new(
        "endpoints = \"10.0.0.1:1\"\nresponse_head_timeout = \"20s\"",
        "max_body = \"1MiB\"",
    );
    let endpoint = listen("10.0.0.1:1");
    // The client sends no more: 408.
    let (mut calling, mut client) = Calling::new(&kit, POST);
    client.send("bo").await;
    let failure = calling.run().await.err().unwrap();
    assert_eq!(failure.kind, Kind::RequestTimeout);
    drop(endpoint.accept().await);
    // The upstream takes no more: 504.
    let large = POST.replace("Length: 4", "Length: 200000");
    let (mut calling, mut client) = Calling::new(&kit, &large);
    let sending = async {
        client.send(vec![b'x'; 100_000]).await;
        sleep(Duration::from_secs(100)).await;
    };
    let (called, ()) = tokio::join!(calling.run(), sending);
    assert_eq!(called.err().unwrap().kind, Kind::ResponseTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_received_ends_the_call() {
    let chunked = POST.replace("Content-Length: 4", "Transfer-Encoding: chunked");
    let cases = [
        (POST, "b", Kind::ClientGone),
        (&*chunked, "4\r\nbodyzz", Kind::BadRequest),
        (&*chunked, "9\r\n123456789\r\n", Kind::RequestBodyTooLarge),
    ];
    for (head, body, kind) in cases {
        let (kit, endpoint) = kit();
        let (mut calling, mut client) = Calling::new(&kit, head);
        calling.session.incoming.limit(8);
        client.send(body).await;
        client.close();
        let failure = calling.run().await.err().unwrap();
        assert_eq!(failure.kind, kind, "{body}");
        // It is not the endpoint's fault, and its connection is closed.
        let mut upstream = endpoint.accept().await;
        upstream.head().await;
        upstream.rest().await;
        let counters = kit.upstream().forwarding.upstream.members()[0]
            .endpoint
            .counters();
        assert_eq!((counters.requests, counters.failures), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_stands_that_came_before_the_upstream_closed_on_the_body() {
    let (kit, endpoint) = kit();
    let (mut calling, mut client) = Calling::new(&kit, POST);
    let script = async {
        let mut upstream: Peer = endpoint.accept().await;
        upstream.head().await;
        upstream.stop_reading();
        client.send("body").await;
        settle().await;
        upstream
            .send("HTTP/1.1 413 Content Too Large\r\n\r\n")
            .await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    assert_eq!(called.unwrap().upload, UploadState::Broken);
    assert_eq!(calling.response.status, 413);
}
