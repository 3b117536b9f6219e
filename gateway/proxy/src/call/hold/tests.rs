use std::time::Duration;

use janua_http::failure::Kind;
use janua_upstream::Limit;
use tokio::time::{Instant, sleep};

use crate::testing::{Calling, Kit, Listening, Peer, listen, settle};

const ONE: &str = "endpoints = \"10.0.0.1:1\"\nhold = \"10s\"";
const FIRST: &str = "10.0.0.1:1";
const GET: &str = "GET / HTTP/1.1\r\nHost: site.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: site.example\r\nContent-Length: 4\r\n\r\n";
const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

async fn answer(endpoint: &Listening) -> Peer {
    let mut upstream = endpoint.accept().await;
    upstream.head().await;
    upstream.send(OK).await;
    upstream
}

/// How many connections to the endpoint were refused.
fn refused(kit: &Kit) -> u64 {
    let upstream = kit.upstream();
    let member = &upstream.forwarding.upstream.members()[0];
    member.endpoint.counters().failures
}

fn held(kit: &Kit) -> u32 {
    kit.upstream().forwarding.upstream.group().repeats().held()
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_until_its_endpoint_is_there() {
    for head in [GET, POST] {
        let kit = Kit::new(ONE, "");
        let begin = Instant::now();
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send("body").await;
        let script = async {
            sleep(Duration::from_secs(5)).await;
            assert_eq!(held(&kit), 1);
            let mut upstream = answer(&listen(FIRST)).await;
            if head == POST {
                upstream.expect("body").await;
            }
            upstream
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        called.unwrap();
        let waited = begin.elapsed() - Duration::from_secs(5);
        assert!(waited <= Duration::from_millis(250), "{waited:?}");
        // The attempts to reach it are not those of the request.
        assert_eq!(calling.attempts.count(), 2);
        assert_eq!(held(&kit), 0);
        let notes = calling.attempts.notes();
        assert!(notes.iter().any(|(of, _)| *of == "hold"), "{notes:?}");
    }
}

/// What waits has one place, also while it opens its connection: otherwise those that wait would
/// keep each other from being served.
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_needs_no_other_place_for_its_connection() {
    let kit = Kit::new(&format!("{ONE}\nlimits = {{ pending = 1 }}"), "");
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        sleep(Duration::from_secs(5)).await;
        let group = kit.upstream().forwarding.upstream.group().clone();
        assert_eq!((held(&kit), group.in_use(Limit::Pending)), (1, 1));
        let (mut other, _client) = Calling::new(&kit, GET);
        let failure = other.run().await.err().unwrap();
        assert_eq!(failure.kind, Kind::Overloaded);
        answer(&listen(FIRST)).await
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    assert_eq!(held(&kit), 0);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_ever() {
    let kit = Kit::new(ONE, "");
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let failure = calling.run().await.err().unwrap();
    assert_eq!(failure.kind, Kind::ConnectionRefused);
    assert_eq!(failure.detail, "no endpoint could be reached within 10s");
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
    // Nor longer than the request may last.
    let (mut calling, _client) = Calling::new(&kit, GET);
    let begin = Instant::now();
    let cap = Some(begin + Duration::from_secs(3));
    calling.session.deadline.set_cap(cap);
    let failure = calling.run().await.err().unwrap();
    assert_eq!(failure.kind, Kind::WholeTimeout);
    assert_eq!(begin.elapsed(), Duration::from_secs(3));
    assert_eq!(held(&kit), 0);
}

#[tokio::test(start_paused = true)]
async fn a_route_may_have_it_otherwise() {
    let kit = Kit::new(ONE, "hold = \"0s\"");
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    assert!(calling.run().await.is_err());
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_leaves_its_place() {
    let body = POST.replace("Length: 4", "Length: 100");
    for (head, sent, resets) in [
        (GET, "", true),
        (POST, "body", true),
        (&body, "part", false),
    ] {
        let kit = Kit::new(ONE, "");
        let begin = Instant::now();
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send(sent).await;
        let script = async {
            sleep(Duration::from_secs(2)).await;
            match resets {
                true => client.reset(),
                // It cannot send the rest any more.
                false => client.close(),
            }
        };
        let (called, ()) = tokio::join!(calling.run(), script);
        assert_eq!(called.err().unwrap().kind, Kind::ClientGone, "{head}");
        assert_eq!(begin.elapsed(), Duration::from_secs(2));
        assert_eq!(held(&kit), 0);
    }
}

/// A client that has only closed its sending side may still want the response.
#[tokio::test(start_paused = true)]
async fn one_that_has_said_all_may_wait() {
    let kit = Kit::new(ONE, "");
    let (mut calling, mut client) = Calling::new(&kit, POST);
    client.send("body").await;
    client.close();
    let script = async {
        sleep(Duration::from_secs(2)).await;
        answer(&listen(FIRST)).await
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
    // But it may also be gone, which nothing else tells.
    let kit = Kit::new(&ONE.replace("10s", "60s"), "");
    let (mut calling, mut client) = Calling::new(&kit, GET);
    client.close();
    let begin = Instant::now();
    assert_eq!(calling.run().await.err().unwrap().kind, Kind::ClientGone);
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn many_wait_in_order_and_one_looks_for_all() {
    crate::testing::run(async {
        let kit = std::rc::Rc::new(Kit::new(ONE, ""));
        let mut waiting = Vec::new();
        for n in 0..200 {
            let kit = std::rc::Rc::clone(&kit);
            waiting.push(tokio::task::spawn_local(async move {
                let head = GET.replace("GET /", &format!("GET /{n}"));
                let (mut calling, client) = Calling::new(&kit, &head);
                let called = calling.run().await;
                called.map(|_| client)
            }));
            settle().await;
        }
        sleep(Duration::from_secs(8)).await;
        assert_eq!(held(&kit), 200);
        // One looks for the others, and not often.
        let dials = refused(&kit);
        assert!((30..=40).contains(&dials), "{dials}");
        let first = listen(FIRST);
        let mut order = Vec::new();
        let mut upstreams = Vec::new();
        for _ in 0..200 {
            let mut upstream = first.accept().await;
            let head = upstream.head().await;
            let path = head.split(' ').nth(1).unwrap().trim_start_matches('/');
            order.push(path.parse::<u32>().unwrap());
            upstream.send(OK).await;
            upstreams.push(upstream);
        }
        assert!(order.is_sorted(), "{order:?}");
        for waiting in waiting {
            assert!(waiting.await.unwrap().is_ok());
        }
        assert_eq!(refused(&kit), dials);
    })
    .await;
}

/// One that can be reached is not waited for, however few attempts are allowed.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_was_not_tried_is_tried_first() {
    let two = "endpoints = [{ address = \"10.0.0.1:1\", weight = 1000000 }, \"10.0.0.2:1\"]";
    let kit = Kit::new(&format!("{two}\nhold = \"10s\"\nretries = 0"), "");
    let second = listen("10.0.0.2:1");
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let (called, _upstream) = tokio::join!(calling.run(), answer(&second));
    called.unwrap();
    assert_eq!((begin.elapsed(), held(&kit)), (Duration::ZERO, 0));
}

/// That the upstream has as many requests as it may have is no reason for those who come meanwhile.
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_reached_meanwhile_costs_nobody_the_wait() {
    crate::testing::run(async {
        let limits = "limits = { requests = 1 }";
        let kit = std::rc::Rc::new(Kit::new(&format!("{ONE}\n{limits}"), ""));
        let get = || {
            let kit = std::rc::Rc::clone(&kit);
            tokio::task::spawn_local(async move {
                let (mut calling, _client) = Calling::new(&kit, GET);
                calling.run().await.map(drop)
            })
        };
        let mut waiting = vec![get(), get()];
        sleep(Duration::from_secs(1)).await;
        let first = listen(FIRST);
        let mut upstream = first.accept().await;
        upstream.head().await;
        sleep(Duration::from_secs(1)).await;
        // The second one has found the only place taken.
        waiting.push(get());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(held(&kit), 2);
        upstream.send(OK).await;
        for _ in 0..2 {
            answer(&first).await;
        }
        for waiting in waiting {
            waiting.await.unwrap().unwrap();
        }
    })
    .await;
}

/// The connection that was kept is lost first, as when the endpoint is restarted.
#[tokio::test(start_paused = true)]
async fn a_restart_costs_nothing() {
    let kit = Kit::new(ONE, "");
    let first = listen(FIRST);
    let (mut calling, _client) = Calling::new(&kit, GET);
    let (called, mut kept) = tokio::join!(calling.run(), answer(&first));
    calling.put_back(called.unwrap());
    crate::testing::leave(FIRST);
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        kept.head().await;
        drop(kept);
        sleep(Duration::from_secs(3)).await;
        answer(&listen(FIRST)).await
    };
    let (called, _upstream) = tokio::join!(calling.run(), script);
    called.unwrap();
}

/// It was stopped while it worked on the request, on a connection that was opened for it.
#[tokio::test(start_paused = true)]
async fn a_request_that_was_being_worked_on_waits_too() {
    let put = POST.replace("POST", "PUT");
    for head in [GET, &put] {
        let kit = Kit::new(ONE, "");
        let first = listen(FIRST);
        let (mut calling, mut client) = Calling::new(&kit, head);
        client.send("body").await;
        let script = async {
            let mut stopped = first.accept().await;
            stopped.head().await;
            crate::testing::leave(FIRST);
            drop(stopped);
            sleep(Duration::from_secs(3)).await;
            answer(&listen(FIRST)).await
        };
        let (called, _upstream) = tokio::join!(calling.run(), script);
        called.unwrap();
    }
    // A POST may have been carried out.
    let kit = Kit::new(ONE, "");
    let first = listen(FIRST);
    let (mut calling, mut client) = Calling::new(&kit, POST);
    client.send("body").await;
    let begin = Instant::now();
    let script = async {
        let mut stopped = first.accept().await;
        stopped.head().await;
        crate::testing::leave(FIRST);
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

/// An endpoint that is there and fails is not waited for. It gets the request twice, since it may
/// have been restarted in between, and not more often.
#[tokio::test(start_paused = true)]
async fn a_failure_of_the_request_itself_is_answered_at_once() {
    let kit = Kit::new(ONE, "");
    let first = listen(FIRST);
    let begin = Instant::now();
    let (mut calling, _client) = Calling::new(&kit, GET);
    let script = async {
        for _ in 0..2 {
            first.accept().await.head().await;
        }
    };
    let (called, ()) = tokio::join!(calling.run(), script);
    assert_eq!(called.err().unwrap().kind, Kind::ConnectionReset);
    assert_eq!((begin.elapsed(), first.has_come()), (Duration::ZERO, false));
}
