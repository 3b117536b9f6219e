use std::time::Duration;

use janua_upstream::Counters;
use tokio::time::Instant;

use super::*;
use crate::testing::frames::{Http2Peer, kind};
use crate::testing::{Calling, Kit, Listening, Peer, listen, run, settle, swallow};

/// Chosen in this order, however the round begins.
const TWO: &str = "endpoints = [{ address = \"10.0.0.1:1\", weight = 1000000 }, \"10.0.0.2:1\"]";
const THREE: &str = "endpoints = [{ address = \"10.0.0.1:1\", weight = 1000000000 }, \
     { address = \"10.0.0.2:1\", weight = 30000 }, \"10.0.0.3:1\"]";
const GET: &str = "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\n";
const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

const FIRST: &str = "10.0.0.1:1";
const SECOND: &str = "10.0.0.2:1";

fn counters(kit: &Kit, place: usize) -> Counters {
    let upstream = kit.upstream();
    let member = &upstream.forwarding.upstream.members()[place];
    member.endpoint.counters()
}

fn failures(kit: &Kit) -> Vec<u64> {
    let members = kit.upstream().forwarding.upstream.members().len();
    (0..members).map(|at| counters(kit, at).failures).collect()
}

fn tried(calling: &Calling<'_>) -> Vec<(String, Option<&'static str>)> {
    calling.tried()
}

fn attempt(endpoint: &str, failure: Option<&'static str>) -> (String, Option<&'static str>) {
    (endpoint.to_owned(), failure)
}

/// Accepts a connection, takes a request's head and says that all is well.
async fn answer(endpoint: &Listening) -> Peer {
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream.send(OK).await;
    upstream
}

/// Accepts a connection, takes a request's head and closes.
async fn die(endpoint: &Listening) {
    endpoint.accept().await.head().await;
}

/// Has a connection to the first endpoint kept; its other end.
async fn keep(kit: &Kit, first: &Listening) -> Peer {
    let (mut calling, _client) = Calling::new(kit, GET);
    let (called, upstream) = tokio::join!(calling.run(), answer(first));
    calling.put_back(called.unwrap());
    assert_eq!(kit.kept(), 1);
    upstream
}

#[tokio::test(start_paused = true)]
async fn a_failed_connect_is_followed_by_the_next_endpoint() {
    // Whatever the method: nothing was sent.
    for head in [GET, POST] {
        let kit = Kit::new(TWO, "");
        let second = listen(SECOND);
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send("body").await;
        let (called, _upstream) = tokio::join!(calling.run(), answer(&second));
        called.unwrap();
        let expected = [attempt(FIRST, Some("refused")), attempt(SECOND, None)];
        assert_eq!(tried(&calling), expected);
        assert_eq!(failures(&kit), [1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_answer_costs_the_time_to_connect() {
    let kit = Kit::new(&format!("{TWO}\nconnect_timeout = \"3s\""), "");
    swallow(FIRST);
    let second = listen(SECOND);
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let (called, _upstream) = tokio::join!(calling.run(), answer(&second));
    called.unwrap();
    assert_eq!(begin.elapsed(), Duration::from_secs(3));
    let expected = [
        attempt(FIRST, Some("connect_timeout")),
        attempt(SECOND, None),
    ];
    assert_eq!(tried(&calling), expected);
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_the_answer_where_nobody_is_left() {
    let kit = Kit::new(TWO, "");
    let first = listen(FIRST);
    let (mut calling, _client) = Calling::new(&kit, GET);
    let (called, ()) = tokio::join!(calling.run(), die(&first));
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionRefused);
    let expected = [
        attempt(FIRST, Some("reset")),
        attempt(SECOND, Some("refused")),
    ];
    assert_eq!(tried(&calling), expected);
    assert_eq!(failures(&kit), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn no_more_endpoints_are_tried_than_retries_allow() {
    let kit = Kit::new(THREE, "retries = 1");
    let third = listen("10.0.0.3:1");
    let (mut calling, _client) = Calling::new(&kit, GET);
    let failure = calling.run().await.err().unwrap();
    assert_eq!(failure.kind, Kind::ConnectionRefused);
    let expected = [
        attempt(FIRST, Some("refused")),
        attempt(SECOND, Some("refused")),
    ];
    assert_eq!(tried(&calling), expected);
    assert!(!third.has_come());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_be_repeated_is_sent_once_more() {
    let kit = Kit::new(TWO, "");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        die(&first).await;
        answer(&second).await
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    let expected = [attempt(FIRST, Some("reset")), attempt(SECOND, None)];
    assert_eq!(tried(&calling), expected);
    // A new connection died: that says something about the endpoint.
    assert_eq!(failures(&kit), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn one_that_may_not_is_sent_once() {
    let bodyless = "POST / HTTP/1.1\r\nHost: site.example\r\n\r\n";
    for head in [bodyless, POST] {
        let kit = Kit::new(TWO, "");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, mut client) = Calling::new(&kit, head);
        if head != bodyless {
            client.send("body").await;
        }
        let (called, ()) = tokio::join!(calling.run(), die(&first));
        assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset, "{head}");
        assert_eq!(tried(&calling), [attempt(FIRST, Some("reset"))]);
        assert!(!second.has_come());
    }
}

#[tokio::test(start_paused = true)]
async fn nor_is_one_whose_response_had_begun() {
    let kit = Kit::new(TWO, "");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let mut upstream = first.accept().await;
        upstream.head().await;
        upstream.send("HTTP/1.1 2").await;
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert!(!second.has_come());
    assert_eq!(failures(&kit), [1, 0]);
}

/// Here the connection is closed before the first byte goes out.
#[tokio::test(start_paused = true)]
async fn a_post_of_which_nothing_was_sent_is_sent_elsewhere() {
    let kit = Kit::new(TWO, "");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let waiting = POST.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let (mut calling, mut client) = Calling::slow(&kit, &waiting);
    // The client takes its time for the `100`; the endpoint does not wait.
    let script = async {
        drop(first.accept().await);
        client.expect("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.send("body").await;
        let mut upstream = answer(&second).await;
        upstream.expect("body").await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    let expected = [attempt(FIRST, Some("reset")), attempt(SECOND, None)];
    assert_eq!(tried(&calling), expected);
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_is_used_again() {
    let kit = Kit::new(TWO, "");
    let first = listen(FIRST);
    let mut kept = keep(&kit, &first).await;
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        kept.head().await;
        kept.send(OK).await;
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert!(!first.has_come());
    assert_eq!((counters(&kit, 0).reused, kit.kept()), (1, 0));
    // A kept connection took no time to connect.
    assert_eq!(calling.attempts.last().unwrap().connect, None);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_closed_meanwhile_is_not_used() {
    let kit = Kit::new(TWO, "");
    let first = listen(FIRST);
    drop(keep(&kit, &first).await);
    let (mut calling, _client) = Calling::new(&kit, POST);
    let (called, _upstream) = tokio::join!(calling.run(), answer(&first));
    called.unwrap();
    assert_eq!(tried(&calling), [attempt(FIRST, None)]);
}

#[tokio::test(start_paused = true)]
async fn one_that_spoke_unasked_is_not_used_and_none_is_kept_for_a_while() {
    let kit = Kit::new(TWO, "");
    let first = listen(FIRST);
    let mut kept = keep(&kit, &first).await;
    kept.send("HTTP/1.1 200 OK\r\n\r\n").await;
    let (mut calling, _client) = Calling::new(&kit, GET);
    let (called, _upstream) = tokio::join!(calling.run(), answer(&first));
    calling.put_back(called.unwrap());
    assert_eq!(calling.response.status, 204);
    assert_eq!(kit.kept(), 0);
}

/// The endpoint is the only one, and no retry is allowed: the connection that
/// died is replaced all the same, and its endpoint not blamed.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_dies_is_replaced_at_no_attempt() {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "retries = 0");
    let first = listen(FIRST);
    let mut kept = keep(&kit, &first).await;
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        kept.head().await;
        drop(kept);
        answer(&first).await
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    let expected = [attempt(FIRST, Some("reset")), attempt(FIRST, None)];
    assert_eq!(tried(&calling), expected);
    assert_eq!(failures(&kit), [0]);
}

#[tokio::test(start_paused = true)]
async fn it_is_replaced_once() {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "");
    let first = listen(FIRST);
    let mut kept = keep(&kit, &first).await;
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        kept.head().await;
        drop(kept);
        die(&first).await;
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    let expected = [attempt(FIRST, Some("reset")), attempt(FIRST, Some("reset"))];
    assert_eq!(tried(&calling), expected);
    assert!(!first.has_come());
    // The new connection's death is held against the endpoint.
    assert_eq!(failures(&kit), [1]);
}

/// The second says that it is no accident: it counts as an attempt.
#[tokio::test(start_paused = true)]
async fn only_the_first_kept_connection_that_dies_costs_nothing() {
    let kit = Kit::new(
        "endpoints = [\"10.0.0.1:1\", \"10.0.0.2:1\"]\nbalance = \"least_conn\"",
        "retries = 0",
    );
    let endpoints = [listen(FIRST), listen(SECOND)];
    // The first is busy while the second is made.
    let (mut one, _client) = Calling::new(&kit, GET);
    let (mut two, _client) = Calling::new(&kit, GET);
    let script = async {
        settle().await;
        let place = usize::from(endpoints[1].has_come());
        (place, answer(&endpoints[place]).await)
    };
    let (called_one, (place, end_one)) = tokio::join!(one.run(), script);
    let (called_two, end_two) = tokio::join!(two.run(), answer(&endpoints[1 - place]));
    one.put_back(called_one.unwrap());
    two.put_back(called_two.unwrap());
    let (mut calling, _client) = Calling::new(&kit, GET);
    let dies = async |mut upstream: Peer| {
        upstream.head().await;
    };
    let (called, (), ()) = tokio::join!(calling.run(), dies(end_one), dies(end_two));
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert_eq!(calling.tried().len(), 2);
    assert!(!endpoints.iter().any(Listening::has_come));
}

/// Two kept connections wait, and both die: the second is not taken, for one
/// has shown what the others are likely to be.
#[tokio::test(start_paused = true)]
async fn the_replacement_is_a_new_connection() {
    let kit = Kit::new("endpoints = \"10.0.0.1:1\"", "");
    let first = listen(FIRST);
    let (mut one, _client) = Calling::new(&kit, GET);
    let (mut two, _client) = Calling::new(&kit, GET);
    let (called_one, one_end) = tokio::join!(one.run(), answer(&first));
    let (called_two, two_end) = tokio::join!(two.run(), answer(&first));
    one.put_back(called_one.unwrap());
    two.put_back(called_two.unwrap());
    assert_eq!(kit.kept(), 2);
    let mut newest = two_end;
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        newest.head().await;
        drop(newest);
        answer(&first).await
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(kit.kept(), 1);
    drop(one_end);
}

#[tokio::test(start_paused = true)]
async fn a_post_on_a_kept_connection_that_dies_is_not_repeated() {
    let kit = Kit::new(TWO, "");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let mut kept = keep(&kit, &first).await;
    let (mut calling, mut client) = Calling::new(&kit, POST);
    client.send("body").await;
    let script = async {
        kept.head().await;
        drop(kept);
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert!(!first.has_come() && !second.has_come());
    assert_eq!(failures(&kit), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_failed_is_held_back_and_one_that_answers_is_back() {
    let kit = Kit::new(TWO, "");
    let second = listen(SECOND);
    for expected in [2, 1] {
        let (mut calling, _client) = Calling::new(&kit, GET);
        let (called, _upstream) = tokio::join!(calling.run(), answer(&second));
        called.unwrap();
        assert_eq!(calling.tried().len(), expected);
    }
    tokio::time::advance(Duration::from_secs(11)).await;
    let first = listen(FIRST);
    for _ in 0..2 {
        let (mut calling, _client) = Calling::new(&kit, GET);
        let (called, _upstream) = tokio::join!(calling.run(), answer(&first));
        called.unwrap();
        assert_eq!(tried(&calling), [attempt(FIRST, None)]);
    }
}

/// What the cache asks for by itself is repeated by the same rule.
#[tokio::test(start_paused = true)]
async fn a_call_for_nobody_is_repeated_too() {
    let kit = Kit::new(TWO, "");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        die(&first).await;
        answer(&second).await
    };
    let (called, _upstream) = tokio::join!(calling.run_for_nobody(), script);
    called.unwrap();
    assert_eq!(tried(&calling).len(), 2);
}

/// Whether it was sent as a whole or in part when its connection was lost.
#[tokio::test(start_paused = true)]
async fn a_body_that_was_sent_is_sent_again() {
    let put = POST.replace("POST", "PUT");
    let chunked = put.replace("Content-Length: 4", "Transfer-Encoding: chunked");
    for (head, parts) in [
        (&put, ["body", ""]),
        (&put, ["bo", "dy"]),
        (&chunked, ["2\r\nbo\r\n2\r\ndy\r\n0\r\nX-A: b\r\n\r\n", ""]),
        (&chunked, ["2\r\nbo\r\n", "2\r\ndy\r\n0\r\nX-A: b\r\n\r\n"]),
    ] {
        let kit = Kit::new(TWO, "");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send(parts[0]).await;
        let script = async {
            let mut dying = first.accept().await;
            dying.head().await;
            let sent = if head == &chunked {
                "2\r\nbo\r\n"
            } else {
                "bo"
            };
            dying.expect(sent).await;
            drop(dying);
            let mut upstream = second.accept().await;
            let head = upstream.head().await;
            client.send(parts[1]).await;
            let body = match head.contains("chunked") {
                // Chunks may be put together.
                true => {
                    let mut body = String::new();
                    while !body.ends_with("\r\n\r\n") {
                        body.push_str(&String::from_utf8(upstream.bytes(1).await).unwrap());
                    }
                    let end = "0\r\nX-A: b\r\n\r\n";
                    assert!(body.ends_with(end), "{body:?}");
                    let lines: Vec<_> = body.strip_suffix(end).unwrap().split("\r\n").collect();
                    lines
                        .chunks(2)
                        .filter_map(|it| it.get(1).copied())
                        .collect()
                }
                false => String::from_utf8(upstream.bytes(4).await).unwrap(),
            };
            assert_eq!(body, "body", "{head}");
            upstream.send(OK).await;
            upstream
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        called.unwrap();
        assert_eq!(
            tried(&calling),
            [attempt(FIRST, Some("reset")), attempt(SECOND, None)]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_too_large_is_sent_once() {
    let put = POST.replace("POST", "PUT");
    let kit = Kit::new(TWO, "retries = { body = 3 }");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, mut client) = Calling::new(&kit, &put);
    client.send("body").await;
    let script = async {
        let mut upstream = first.accept().await;
        upstream.head().await;
        upstream.expect("body").await;
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert!(!second.has_come());
}

/// An upstream that closes while the body is being written loses what was read for it.
#[tokio::test(start_paused = true)]
async fn a_body_whose_receiver_takes_no_more_is_sent_again() {
    let put = POST
        .replace("POST", "PUT")
        .replace("Length: 4", "Length: 8");
    let kit = Kit::new(TWO, "");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, mut client) = Calling::new(&kit, &put);
    client.send("some").await;
    let script = async {
        let mut dying = first.accept().await;
        dying.head().await;
        dying.expect("some").await;
        dying.stop_reading();
        client.send("body").await;
        settle().await;
        drop(dying);
        let mut upstream = second.accept().await;
        upstream.head().await;
        upstream.expect("somebody").await;
        upstream.send(OK).await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(tried(&calling).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn any_request_is_repeated_if_the_operator_says_so() {
    let kit = Kit::new(TWO, "retries = { on = [\"reset-any\"] }");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, mut client) = Calling::new(&kit, POST);
    client.send("body").await;
    let script = async {
        die(&first).await;
        let mut upstream = answer(&second).await;
        upstream.expect("body").await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    // But not after a failed connect, which is not listed.
    let kit = Kit::new(TWO, "retries = { on = [\"reset-any\"] }");
    let second = listen(SECOND);
    let (mut calling, _client) = Calling::new(&kit, GET);
    let called = calling.run().await;
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionRefused);
    assert!(!second.has_come());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_followed_by_another() {
    let kit = Kit::new(TWO, "retries = { try_timeout = \"2s\" }");
    let (first, second) = (listen(FIRST), listen(SECOND));
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let mut silent = first.accept().await;
        silent.head().await;
        let upstream = answer(&second).await;
        // It is given up.
        assert_eq!(silent.rest().await, "");
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(begin.elapsed(), Duration::from_secs(2));
    let expected = [
        attempt(FIRST, Some("response_timeout")),
        attempt(SECOND, None),
    ];
    assert_eq!(tried(&calling), expected);
    assert_eq!(failures(&kit), [1, 0]);
    // One that may have been processed is not repeated.
    let (mut calling, mut client) = Calling::new(&kit, POST);
    client.send("body").await;
    let begin = Instant::now();
    let called = calling.run().await;
    assert_eq!(called.err().unwrap().kind, Kind::ResponseTimeout);
    assert_eq!(begin.elapsed(), Duration::from_secs(2));
    assert_eq!(calling.tried().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn connecting_is_part_of_an_attempt() {
    let kit = Kit::new(TWO, "retries = { try_timeout = \"1s\" }");
    swallow(FIRST);
    let second = listen(SECOND);
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let (called, _upstream) = tokio::join!(calling.run(), answer(&second));
    called.unwrap();
    assert_eq!(begin.elapsed(), Duration::from_secs(1));
    let expected = [
        attempt(FIRST, Some("connect_timeout")),
        attempt(SECOND, None),
    ];
    assert_eq!(tried(&calling), expected);
}

/// The limit is for the endpoint, and the client has its own.
#[tokio::test(start_paused = true)]
async fn a_slow_client_does_not_use_up_an_attempt() {
    let kit = Kit::new(
        &format!("{TWO}\nresponse_head_timeout = \"20s\""),
        "retries = { try_timeout = \"2s\" }",
    );
    let (first, second) = (listen(FIRST), listen(SECOND));
    let put = POST.replace("POST", "PUT");
    let (mut calling, mut client) = Calling::new(&kit, &put);
    let script = async {
        let mut silent = first.accept().await;
        silent.head().await;
        for byte in ["b", "o", "d", "y"] {
            tokio::time::sleep(Duration::from_secs(15)).await;
            client.send(byte).await;
        }
        // From now on it is the endpoint that is waited for.
        silent.expect("body").await;
        let all_sent = Instant::now();
        let mut upstream = answer(&second).await;
        assert_eq!(all_sent.elapsed(), Duration::from_secs(2));
        upstream.expect("body").await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(tried(&calling).len(), 2);
    let (mut calling, _client) = Calling::new(&kit, &put);
    let begin = Instant::now();
    let called = calling.run().await;
    assert_eq!(called.err().unwrap().kind, Kind::RequestTimeout);
    assert_eq!(begin.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn all_attempts_together_take_no_longer_than_the_request_may() {
    let kit = Kit::new(THREE, "retries = { try_timeout = \"2s\" }");
    let all = [FIRST, SECOND, "10.0.0.3:1"].map(listen);
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let cap = Some(begin + Duration::from_secs(3));
    calling.session.deadline.set_cap(cap);
    let called = calling.run().await;
    assert_eq!(called.err().unwrap().kind, Kind::WholeTimeout);
    assert_eq!(begin.elapsed(), Duration::from_secs(3));
    assert_eq!(all.map(|endpoint| endpoint.has_come()), [true, true, false]);
    // Nor does connecting.
    let kit = Kit::new(TWO, "");
    swallow(FIRST);
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let cap = Some(begin + Duration::from_secs(3));
    calling.session.deadline.set_cap(cap);
    let called = calling.run().await;
    assert_eq!(called.err().unwrap().kind, Kind::WholeTimeout);
    assert_eq!(begin.elapsed(), Duration::from_secs(3));
}

/// Each is tried before any of them is tried again, and then there is a pause.
#[tokio::test(start_paused = true)]
async fn endpoints_are_tried_again_if_more_attempts_are_asked_for() {
    let kit = Kit::new(TWO, "retries = 3");
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let called = calling.run().await;
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionRefused);
    let tried: Vec<_> = tried(&calling).into_iter().map(|(it, _)| it).collect();
    assert_eq!(tried, [FIRST, SECOND, FIRST, SECOND]);
    let took = begin.elapsed().as_millis();
    assert!((12..=25).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_is_limited() {
    let kit = Kit::new(
        &format!("{TWO}\npassive_health = {{ max_fails = 0 }}"),
        "retries = { budget = \"10%\" }",
    );
    let endpoints = [listen(FIRST), listen(SECOND)];
    let mut sent = 0;
    for _ in 0..300 {
        let (mut calling, _client) = Calling::new(&kit, GET);
        let script = async {
            loop {
                settle().await;
                for endpoint in endpoints.iter().filter(|it| it.has_come()) {
                    die(endpoint).await;
                    sent += 1;
                }
            }
        };
        let called = tokio::select! {
            called = calling.run() => called,
            () = script => continue,
        };
        assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    }
    // Two hundred may be sent again, however few requests there are.
    assert_eq!(sent, 500);
}

/// A connection that was closed because it was idle is no reason to fail, whatever is listed.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_is_replaced_whatever_is_listed() {
    for (head, is_replaced) in [(GET, true), (POST, false)] {
        let kit = Kit::new(TWO, "retries = { on = [\"503\"] }");
        let first = listen(FIRST);
        let mut kept = keep(&kit, &first).await;
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send("body").await;
        let script = async {
            kept.head().await;
            drop(kept);
            match is_replaced {
                true => Some(answer(&first).await),
                false => None,
            }
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        assert_eq!(called.is_ok(), is_replaced, "{head}");
    }
}

/// A call that the first endpoint answers, so that there is a connection to it, which is shared.
async fn share(kit: &Kit, first: &Listening) -> Http2Peer {
    let (mut calling, _client) = Calling::new(kit, GET);
    let script = async {
        let mut peer = Http2Peer::begin(first.accept().await, &[]).await;
        let head = peer.next(kind::HEADERS).await;
        peer.respond(head.stream).await;
        peer
    };
    let (called, peer) = tokio::join!(calling.run(), script);
    called.unwrap();
    peer
}

/// Accepts a connection of HTTP/2 and answers a request.
async fn respond(endpoint: &Listening) -> Http2Peer {
    let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
    let head = peer.next(kind::HEADERS).await;
    peer.respond(head.stream).await;
    peer
}

/// The connection lives, and so it is the endpoint that has failed.
#[tokio::test(start_paused = true)]
async fn a_stream_that_was_reset_is_not_taken_for_an_old_connection() {
    run(Box::pin(async {
        let kit = Kit::new(&format!("{TWO}\nhttp = \"2\""), "");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let mut peer = share(&kit, &first).await;
        let (mut calling, _client) = Calling::new(&kit, GET);
        let script = async {
            let head = peer.next(kind::HEADERS).await;
            let cancel = 8;
            peer.reset(head.stream, cancel).await;
            respond(&second).await
        };
        let (called, _other) = tokio::join!(calling.run(), script);
        called.unwrap();
        let expected = [attempt(FIRST, Some("reset")), attempt(SECOND, None)];
        assert_eq!(tried(&calling), expected);
        assert_eq!(failures(&kit), [1, 0]);
    }))
    .await;
}

/// An old connection may be closed at any time. Whoever closes a new one is about to stop.
#[tokio::test(start_paused = true)]
async fn one_that_closes_a_new_connection_is_left_for_another() {
    run(Box::pin(async {
        let kit = Kit::new(&format!("{TWO}\nhttp = \"2\""), "");
        let (first, second) = (listen(FIRST), listen(SECOND));
        let mut old = share(&kit, &first).await;
        let (mut calling, mut client) = Calling::new(&kit, POST);
        client.send("body").await;
        let script = async {
            old.next(kind::HEADERS).await;
            old.go_away(1).await;
            let mut new = Http2Peer::begin(first.accept().await, &[]).await;
            new.next(kind::HEADERS).await;
            new.go_away(0).await;
            respond(&second).await
        };
        let (called, _other) = tokio::join!(calling.run(), script);
        called.unwrap();
        let reset = || attempt(FIRST, Some("reset"));
        assert_eq!(tried(&calling), [reset(), reset(), attempt(SECOND, None)]);
        assert_eq!(failures(&kit), [0, 0], "it has said that it goes");
    }))
    .await;
}
