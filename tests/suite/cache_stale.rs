//! Stale responses: served while they are revalidated, or because the upstream
//! fails.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Habits, Reply, Request, Upstream, Vacant, assert_eventually};
use tokio::sync::Semaphore;

use crate::cache::{before, counting, fresh, gateway, is_idle, told};

fn ended(spans: &str) -> Reply {
    Reply::new(200).header("Cache-Control", &format!("max-age=0, {spans}"))
}

#[tokio::test]
async fn a_stale_response_is_served_while_it_is_revalidated() {
    let permits = Arc::new(Semaphore::new(1));
    let upstream = Upstream::http({
        let permits = Arc::clone(&permits);
        move |request| {
            let permits = Arc::clone(&permits);
            async move {
                permits.acquire().await.unwrap().forget();
                let reply = ended("stale-while-revalidate=60");
                reply.body(format!("{} {:?}", request.target, request.header("x-n")))
            }
        }
    })
    .await;
    let gateway = gateway(&upstream).await;
    let ask = |number: &str| Request::get("/").header("X-N", number);
    let first = gateway.send(ask("1")).await;
    assert_eq!(told(&first), "fwd=uri-miss; stored");
    // The upstream does not answer now; the clients do not wait for it, and it
    // gets only one request.
    for _ in 0..3 {
        let stale = gateway.send(ask("2")).await;
        assert_eq!(stale.text(), first.text());
        assert_eq!(told(&stale), "hit; detail=\"stale\"");
    }
    assert_eventually!(upstream.request_count() == 2);
    permits.add_permits(1);
    assert_eventually!(gateway.send(ask("3")).await.text() != first.text());
    assert_eventually!(upstream.request_count() == 3);
    let updating = || {
        gateway
            .log()
            .into_iter()
            .filter(|line| line["cache"] == "updating")
    };
    assert_eventually!(updating().count() >= 3);
    permits.add_permits(100);
}

#[tokio::test]
async fn a_stale_response_is_served_if_the_upstream_fails() {
    for status in [500, 502, 503, 504, 404, 501] {
        let fails = Arc::new(AtomicBool::new(false));
        let upstream = {
            let fails = Arc::clone(&fails);
            counting(move |_, _| match fails.load(SeqCst) {
                true => Reply::new(status),
                false => ended("stale-if-error=60"),
            })
            .await
        };
        let gateway = gateway(&upstream).await;
        gateway.get("/").await;
        fails.store(true, SeqCst);
        let response = gateway.get("/").await;
        if matches!(status, 404 | 501) {
            assert_eq!(response.status, status, "it is an answer");
        } else {
            assert_eq!((response.status, response.text()), (200, "/ 1"), "{status}");
            assert_eq!(told(&response), "hit; detail=\"upstream-error\"");
            assert!(response.header("age").is_some());
        }
        // A client that requires a fresh response gets the failure.
        let request = Request::get("/").header("Cache-Control", "no-cache");
        assert_eq!(gateway.send(request).await.status, status);
        fails.store(false, SeqCst);
        assert_eq!(gateway.get("/").await.status, 200);
    }
}

/// An upstream that answers one request, and then refuses connections.
async fn dies_after_one(reply: Reply) -> (Upstream, Gateway) {
    let habits = Habits {
        requests: 1,
        ..Habits::default()
    };
    let upstream = Upstream::http_with(habits, move |_| std::future::ready(reply.clone())).await;
    let gateway = gateway(&upstream).await;
    (upstream, gateway)
}

#[tokio::test]
async fn a_stale_response_is_served_if_the_connection_is_refused() {
    for (spans, expected) in [
        ("stale-if-error=60", 200),
        ("x=1", 502),
        ("stale-if-error=60, must-revalidate", 502),
    ] {
        let reply = ended(spans).header("ETag", "\"a\"").body("once");
        let (upstream, gateway) = dies_after_one(reply).await;
        assert_eq!(gateway.get("/").await.text(), "once");
        upstream.stop().await;
        for _ in 0..2 {
            let response = gateway.get("/").await;
            // If the endpoint is ejected there is no other.
            let status = if response.status == 503 {
                502
            } else {
                response.status
            };
            assert_eq!(status, expected, "{spans}");
            if expected == 200 {
                assert_eq!(response.text(), "once");
                assert_eq!(told(&response), "hit; detail=\"upstream-error\"");
            }
        }
    }
}

#[tokio::test]
async fn a_failure_reaches_all_waiting_requests_and_is_not_stored() {
    let vacant = Vacant::refusing();
    let config = janua_tests::Proxy::to(vacant.endpoint()).route("cache = true");
    let mut gateway = Gateway::start(config).await;
    for _ in 0..2 {
        let response = gateway.get("/").await;
        assert!(matches!(response.status, 502 | 503), "{response:?}");
    }
    let upstream = counting(|_, _| Reply::new(200)).await;
    gateway.reload(before(&upstream)).await;
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn a_failing_upstream_removes_no_stored_response() {
    let fails = Arc::new(AtomicBool::new(false));
    let upstream = {
        let fails = Arc::clone(&fails);
        counting(
            move |request, _| match (fails.load(SeqCst), &*request.target) {
                (true, _) => Reply::new(503),
                (_, "/fresh") => fresh(),
                (_, "/updating") => ended("stale-while-revalidate=60"),
                _ => ended("stale-if-error=60"),
            },
        )
        .await
    };
    let gateway = gateway(&upstream).await;
    let pages = [
        ("/fresh", "hit"),
        ("/updating", "hit; detail=\"stale\""),
        ("/on-error", "hit; detail=\"upstream-error\""),
    ];
    for (path, _) in pages {
        gateway.get(path).await;
    }
    fails.store(true, SeqCst);
    for (path, words) in pages {
        // A client that requires a new response gets the failure, which does
        // not affect others.
        let anew = Request::get(path).header("Cache-Control", "no-cache");
        assert_eq!(gateway.send(anew).await.status, 503);
        for _ in 0..3 {
            let asked = upstream.request_count();
            let response = gateway.get(path).await;
            assert_eq!((response.status, &*told(&response)), (200, words), "{path}");
            // The revalidation in the background has failed when the next
            // request comes.
            let renews = usize::from(path != "/fresh");
            assert_eventually!(upstream.request_count() == asked + renews);
            assert_eventually!(is_idle(&gateway).await);
        }
    }
}

#[tokio::test]
async fn a_head_request_for_a_stale_response_revalidates_all_of_it() {
    let upstream = counting(|request, _| {
        let reply = ended("stale-while-revalidate=60").header("X-Method", &request.method);
        reply.header("ETag", "\"a\"")
    })
    .await;
    let gateway = gateway(&upstream).await;
    gateway.get("/").await;
    let head = gateway.send(Request::new("HEAD", "/")).await;
    assert_eq!(told(&head), "hit; detail=\"stale\"");
    assert_eventually!(upstream.request_count() == 2 && is_idle(&gateway).await);
    let renewed = gateway.get("/").await;
    assert_eq!(told(&renewed), "hit; detail=\"stale\"");
    assert_eq!(renewed.text(), "/ 2");
    assert_eq!(renewed.header("x-method"), Some("GET"));
}
