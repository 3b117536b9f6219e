use std::time::Duration;

use janua_http::failure::Kind;
use janua_upstream::{Affinity, Limit};
use tokio::time::{Instant, sleep};

use crate::affinity::Tie;
use crate::testing::{Calling, Kit, Listening, Peer, listen, settle};

const TWO: &str = "endpoints = [{ address = \"10.0.0.1:1\", weight = 1000000 }, \"10.0.0.2:1\"]";
const FIRST: &str = "10.0.0.1:1";
const SECOND: &str = "10.0.0.2:1";
const GET: &str = "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n";
const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const FOUND: &str = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
const AFTER: &str = "hedge = \"100ms\"";

/// Accepts a connection and takes a request's head.
async fn begin(endpoint: &Listening) -> Peer {
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream
}

/// Takes a request, and answers it after this time.
async fn answer_after(endpoint: &Listening, late: Duration) -> Peer {
    let mut upstream = begin(endpoint).await;
    sleep(late).await;
    upstream.send(OK).await;
    upstream
}

fn in_flight(kit: &Kit) -> Vec<u32> {
    let upstream = kit.upstream();
    let members = upstream.forwarding.upstream.members().iter();
    members.map(|member| member.endpoint.in_flight()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_second_answers_for_a_first_that_is_late() {
    let kit = Kit::new(TWO, AFTER);
    let (first, second) = (listen(FIRST), listen(SECOND));
    let start = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let mut late = begin(&first).await;
        let mut upstream = begin(&second).await;
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        assert_eq!(in_flight(&kit), [1, 1]);
        upstream.send(FOUND).await;
        // The other attempt is given up.
        assert_eq!(late.rest().await, "");
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    let called = called.unwrap();
    assert_eq!(calling.response.status, 302);
    assert_eq!(in_flight(&kit), [0, 1]);
    let notes = calling.attempts.notes();
    assert_eq!(
        notes,
        [("attempts", format!("{FIRST} overtaken, {SECOND}"))]
    );
    calling.put_back(called);
    assert_eq!((kit.kept(), in_flight(&kit)), (1, vec![0, 0]));
}

#[tokio::test(start_paused = true)]
async fn the_first_may_still_be_faster() {
    let kit = Kit::new(TWO, AFTER);
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let mut upstream = begin(&first).await;
        let mut slower = begin(&second).await;
        upstream.send(OK).await;
        assert_eq!(slower.rest().await, "");
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(calling.response.status, 204);
    let last = calling.attempts.last().unwrap();
    assert_eq!(last.endpoint, 0, "its response is used");
    let notes = calling.attempts.notes();
    assert_eq!(
        notes,
        [("attempts", format!("{SECOND} overtaken, {FIRST}"))]
    );
}

#[tokio::test(start_paused = true)]
async fn one_in_time_is_sent_once() {
    let kit = Kit::new(TWO, AFTER);
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = answer_after(&first, Duration::from_millis(90));
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(!second.has_come() && calling.attempts.notes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_change_something_is_never_doubled() {
    let with_body = "GET / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\n";
    let websocket = GET.replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let method = |method| GET.replace("GET", method);
    let (put, delete, post) = (method("PUT"), method("DELETE"), method("POST"));
    for head in [with_body, &websocket, &put, &delete, &post] {
        let kit = Kit::new(TWO, AFTER);
        let (first, second) = (listen(FIRST), listen(SECOND));
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send("body").await;
        let script = answer_after(&first, Duration::from_secs(5));
        let (called, _upstream) = tokio::join!(calling.run(), script);
        called.unwrap();
        assert!(!second.has_come(), "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_one_leaves_the_other() {
    // The first is lost.
    let kit = Kit::new(TWO, AFTER);
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let dying = begin(&first).await;
        let mut upstream = begin(&second).await;
        drop(dying);
        settle().await;
        upstream.send(OK).await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    let notes = calling.attempts.notes();
    assert_eq!(notes, [("attempts", format!("{FIRST} reset, {SECOND}"))]);
    // The second is not there.
    let kit = Kit::new(TWO, AFTER);
    let first = listen(FIRST);
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = answer_after(&first, Duration::from_secs(1));
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    let notes = calling.attempts.notes();
    assert_eq!(notes, [("attempts", format!("{SECOND} refused, {FIRST}"))]);
    // Both are lost.
    let kit = Kit::new(TWO, &format!("{AFTER}\nretries = 0"));
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let one = begin(&first).await;
        let two = begin(&second).await;
        drop(one);
        settle().await;
        drop(two);
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert_eq!(in_flight(&kit), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_ends_both() {
    let kit = Kit::new(TWO, AFTER);
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, client) = Calling::new(&kit, GET);
    let script = async {
        let mut one = begin(&first).await;
        let mut two = begin(&second).await;
        client.reset();
        assert_eq!((one.rest().await, two.rest().await), Default::default());
    };
    // The connections end with the call.
    let running = async { calling.run().await.err().unwrap().kind };
    let (kind, ()) = tokio::join!(running, script);
    assert_eq!(kind, Kind::ClientGone);
    assert_eq!(in_flight(&kit), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_late_is_learnt() {
    let kit = Kit::new(
        "endpoints = [\"10.0.0.1:1\", \"10.0.0.2:1\"]",
        "hedge = \"p95\"",
    );
    let endpoints = [listen(FIRST), listen(SECOND)];
    let answer = async |after: u64| {
        let mut all = Vec::new();
        loop {
            settle().await;
            for endpoint in &endpoints {
                if endpoint.has_come() {
                    all.push(begin(endpoint).await);
                }
            }
            if !all.is_empty() {
                break;
            }
        }
        sleep(Duration::from_millis(after)).await;
        all[0].send(OK).await;
        all
    };
    // Nothing is known at first, so that nothing is late.
    for after in (0..100).map(|n| if n == 0 { 5_000 } else { 10 }) {
        let (mut calling, _client) = Calling::new(&kit, GET);
        let (called, _upstreams) = tokio::join!(calling.run(), answer(after));
        called.unwrap();
        assert_eq!(calling.attempts.count(), 1);
    }
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let (one, two) = loop {
            settle().await;
            let come = endpoints.each_ref().map(Listening::has_come);
            if come[0] || come[1] {
                let place = usize::from(come[1]);
                break (&endpoints[place], &endpoints[1 - place]);
            }
        };
        let late = begin(one).await;
        let mut upstream = begin(two).await;
        upstream.send(OK).await;
        (late, upstream)
    };
    let (called, _upstreams) = tokio::join!(calling.run(), script);
    called.unwrap();
    let after = start.elapsed();
    assert!(after >= Duration::from_millis(10), "{after:?}");
    assert!(after <= Duration::from_millis(13), "{after:?}");
}

/// The other endpoint does not know the session, and would take it over.
#[tokio::test(start_paused = true)]
async fn a_request_of_a_session_stays_at_its_endpoint() {
    let kit = Kit::new(TWO, AFTER);
    let (first, second) = (listen(FIRST), listen(SECOND));
    let (mut calling, _client) = Calling::new(&kit, GET);
    calling.tie = Tie {
        affinity: Affinity {
            session: Some(0),
            ..Affinity::default()
        },
        has_cookie: true,
    };
    let script = answer_after(&first, Duration::from_secs(5));
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert!(!second.has_come());
}

/// `upstream_timeout` counts for each attempt by itself.
#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_time() {
    let kit = Kit::new(
        &format!("{TWO}\npassive_health = {{ max_fails = 0 }}"),
        "hedge = \"2s\"\nupstream_timeout = \"3s\"",
    );
    let (first, second) = (listen(FIRST), listen(SECOND));
    let start = Instant::now();
    // The first is over after three seconds, and the second may go on until the fifth.
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        let _silent = begin(&first).await;
        let mut upstream = begin(&second).await;
        sleep(Duration::from_secs(2)).await;
        upstream.send(OK).await;
        upstream
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    let called = called.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(4));
    assert_eq!(called.ends_at, Some(start + Duration::from_secs(5)));
    drop(called);
    // And no longer.
    let (mut calling, _client) = Calling::new(&kit, GET);
    let start = Instant::now();
    let failure = calling.run().await.err().unwrap();
    assert_eq!(failure.kind, Kind::ResponseTimeout);
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

/// Nothing was sent to the endpoint that would have been next.
#[tokio::test(start_paused = true)]
async fn one_that_the_budget_refuses_is_not_counted_as_sent() {
    let limits = "limits = { retries = 1 }";
    let kit = Kit::new(&format!("{TWO}\n{limits}"), AFTER);
    let (first, second) = (listen(FIRST), listen(SECOND));
    let upstream = kit.upstream();
    let place = upstream.forwarding.upstream.take_place(Limit::Retries);
    let _taken = place.unwrap();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = answer_after(&first, Duration::from_secs(1));
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    let members = upstream.forwarding.upstream.members().iter();
    let sent: Vec<_> = members.map(|it| it.endpoint.counters().requests).collect();
    assert_eq!(sent, [1, 0]);
    assert!(!second.has_come());
}
