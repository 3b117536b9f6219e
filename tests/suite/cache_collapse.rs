//! Concurrent misses of the same key become one request to the upstream.

use std::sync::Arc;
use std::time::Duration;

use janua_tests::{Gateway, Request, Settings, Upstream, Visit, assert_eventually, filler};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cache::{before, is_idle, told};

const HALF: usize = 50_000;
const FRESH: &str = "Cache-Control: max-age=60\r\n";

/// Answers each request in three steps, each of which needs a permit: the head
/// with these lines, the first half of the body, the second half.
async fn stepwise(lines: &'static str, steps: &Arc<Semaphore>) -> Upstream {
    let steps = Arc::clone(steps);
    Upstream::raw(move |mut visit: Visit| {
        let steps = Arc::clone(&steps);
        async move {
            let take = async || steps.acquire().await.unwrap().forget();
            while visit.request().await.is_ok() {
                take().await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\n\r\n",
                    2 * HALF
                );
                let _ = visit.wire.try_send(head).await;
                for half in 0..2 {
                    take().await;
                    let _ = visit.wire.try_send(filler(half * HALF, HALF)).await;
                }
            }
        }
    })
    .await
}

async fn on_four_workers(upstream: &Upstream) -> Gateway {
    Settings::new().workers(4).start(before(upstream)).await
}

fn is_in_flight(status: &serde_json::Value, count: usize) -> bool {
    status["in_flight"] == count
}

#[tokio::test]
async fn two_hundred_misses_are_one_request() {
    const CLIENTS: usize = 200;
    let steps = Arc::new(Semaphore::new(0));
    let upstream = stepwise(FRESH, &steps).await;
    let gateway = on_four_workers(&upstream).await;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut wire = gateway.connect().await;
        clients.spawn(async move { wire.exchange(&Request::get("/")).await });
    }
    assert_eventually!(is_in_flight(&gateway.status().await, CLIENTS));
    steps.add_permits(3);
    let body = filler(0, 2 * HALF);
    let mut collapsed = 0;
    while let Some(response) = clients.join_next().await {
        let response = response.unwrap();
        assert_eq!(response.status, 200);
        assert!(response.body == body, "{} bytes", response.body.len());
        collapsed += usize::from(told(&response) == "fwd=uri-miss; stored; collapsed");
    }
    assert_eq!(upstream.request_count(), 1);
    assert_eq!(collapsed, CLIENTS - 1);
}

#[tokio::test]
async fn followers_get_what_has_come_before_the_end() {
    let steps = Arc::new(Semaphore::new(0));
    let upstream = stepwise(FRESH, &steps).await;
    let gateway = on_four_workers(&upstream).await;
    let mut wires = Vec::new();
    for _ in 0..8 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wires.push(wire);
    }
    steps.add_permits(2);
    for wire in &mut wires {
        assert_eq!(wire.receive_head("GET").await.unwrap().status, 200);
        assert_eq!(wire.take(HALF).await.unwrap(), filler(0, HALF));
    }
    // A request that comes now joins in the middle of the body.
    let mut late = gateway.connect().await;
    late.send(Request::get("/").to_bytes()).await;
    assert_eq!(late.receive_head("GET").await.unwrap().status, 200);
    wires.push(late);
    steps.add_permits(1);
    for wire in &mut wires[..8] {
        assert_eq!(wire.take(HALF).await.unwrap(), filler(HALF, HALF));
    }
    assert_eq!(wires[8].take(2 * HALF).await.unwrap(), filler(0, 2 * HALF));
    assert_eq!(upstream.request_count(), 1);
}

/// The client of the first request goes away while it waits for the head, or in
/// the middle of the body.
#[tokio::test]
async fn a_client_that_goes_away_ends_nothing() {
    for first in [0, 2] {
        let steps = Arc::new(Semaphore::new(0));
        let upstream = stepwise(FRESH, &steps).await;
        let gateway = on_four_workers(&upstream).await;
        let mut leader = gateway.connect().await;
        leader.send(Request::get("/").to_bytes()).await;
        assert_eventually!(upstream.request_count() == 1);
        steps.add_permits(first);
        if first > 0 {
            leader.receive_head("GET").await.unwrap();
            leader.take(100).await.unwrap();
        }
        let mut clients = JoinSet::new();
        for _ in 0..10 {
            let mut wire = gateway.connect().await;
            clients.spawn(async move { wire.exchange(&Request::get("/")).await });
        }
        assert_eventually!(is_in_flight(&gateway.status().await, 11));
        leader.reset();
        steps.add_permits(3 - first);
        let body = filler(0, 2 * HALF);
        while let Some(response) = clients.join_next().await {
            assert!(response.unwrap().body == body);
        }
        assert_eq!(told(&gateway.get("/").await), "hit");
        assert_eq!(upstream.request_count(), 1);
        gateway.settled().await;
        assert_eventually!(is_idle(&gateway).await);
    }
}

/// A client that waits for another's fetch and resets its connection is
/// released at once, both before the head and in the middle of the body.
#[tokio::test]
async fn a_waiting_client_that_resets_is_released() {
    for first in [0, 2] {
        let steps = Arc::new(Semaphore::new(0));
        let upstream = stepwise(FRESH, &steps).await;
        let gateway = on_four_workers(&upstream).await;
        let mut wires = Vec::new();
        for _ in 0..5 {
            let mut wire = gateway.connect().await;
            wire.send(Request::get("/").to_bytes()).await;
            wires.push(wire);
        }
        assert_eventually!(is_in_flight(&gateway.status().await, 5));
        assert_eventually!(upstream.request_count() == 1);
        steps.add_permits(first);
        if first > 0 {
            for wire in &mut wires {
                wire.receive_head("GET").await.unwrap();
                wire.take(100).await.unwrap();
            }
        }
        for wire in wires {
            wire.reset();
        }
        // The upstream has not continued meanwhile.
        assert_eventually!(is_in_flight(&gateway.status().await, 0));
        assert_eq!(upstream.request_count(), 1);
        steps.add_permits(3 - first);
        assert_eventually!(told(&gateway.get("/").await) == "hit");
        assert_eq!(upstream.request_count(), 1);
    }
}

/// The last waiting client is gone, and the response is stored all the same.
#[tokio::test]
async fn a_fetch_without_waiting_clients_is_stored() {
    let steps = Arc::new(Semaphore::new(0));
    let upstream = stepwise(FRESH, &steps).await;
    let gateway = on_four_workers(&upstream).await;
    let mut only = gateway.connect().await;
    only.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    only.reset();
    steps.add_permits(3);
    gateway.settled().await;
    assert_eventually!(told(&gateway.get("/").await) == "hit");
    assert_eq!(upstream.request_count(), 1);
}

/// The head shows that the response may not be stored, and its body never ends:
/// no other request waits for it.
#[tokio::test]
async fn an_unstorable_response_delays_no_other_request() {
    const CLIENTS: usize = 20;
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let is_first = visit.number == 0;
        while visit.request().await.is_ok() {
            if is_first {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let head =
                    "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 9\r\n\r\n";
                visit.wire.send(head).await;
                std::future::pending::<()>().await;
            }
            let reply = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nme";
            visit.wire.send(reply).await;
        }
    })
    .await;
    let gateway = on_four_workers(&upstream).await;
    let mut leader = gateway.connect().await;
    leader.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut wire = gateway.connect().await;
        clients.spawn(async move { wire.exchange(&Request::get("/")).await });
    }
    while let Some(response) = clients.join_next().await {
        assert_eq!(response.unwrap().text(), "me");
    }
    assert_eq!(upstream.request_count(), CLIENTS + 1);
}
