//! Bodies that are too large, incomplete, or find no space, and reloads during
//! a fetch.

use std::sync::Arc;

use janua_tests::{
    Framing, Gateway, ReadError, Reply, Request, Settings, Upstream, Visit, assert_eventually,
    filler, filler_difference,
};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::cache::{before, body, counting, fresh, is_idle, page, told};

const KIB: usize = 1024;
const FRESH: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";

fn limited(limits: &str, upstream: &Upstream) -> String {
    format!("[cache]\n{limits}\n{}", before(upstream))
}

/// A fresh response with these bytes as its body, with `Content-Length` or in
/// chunks.
fn reply(body: &[u8], has_length: bool) -> Reply {
    if has_length {
        return fresh().body(body);
    }
    let chunks: Vec<_> = body.chunks(10_000).collect();
    Reply::chunked(&chunks, &[]).header("Cache-Control", "max-age=60")
}

#[tokio::test]
async fn what_is_too_large_passes_by_and_comes_whole() {
    for has_length in [true, false] {
        let upstream = Upstream::http(move |request| {
            let size = request.target.trim_start_matches('/').parse().unwrap();
            std::future::ready(reply(&filler(0, size), has_length))
        })
        .await;
        let config = limited("memory = \"4MiB\"\nmax_object = \"64KiB\"", &upstream);
        let gateway = Settings::new().workers(4).start(config).await;
        for (size, is_stored) in [(60 * KIB, true), (66 * KIB, false), (1000 * KIB, false)] {
            let target = format!("/{size}");
            let before = upstream.request_count();
            let mut clients = JoinSet::new();
            for _ in 0..20 {
                let mut wire = gateway.connect().await;
                let request = Request::get(&target);
                clients.spawn(async move { wire.exchange(&request).await });
            }
            while let Some(response) = clients.join_next().await {
                let response = response.unwrap();
                let words = told(&response);
                assert_eq!(response.body.len(), size, "{words}");
                assert_eq!(filler_difference(0, &response.body), None, "{words}");
            }
            let case = format!("{size}, a length: {has_length}");
            let again = gateway.get(&target).await;
            assert_eq!(told(&again) == "hit", is_stored, "{case}: {}", told(&again));
            assert_eq!(filler_difference(0, &again.body), None, "{case}");
            let asked = upstream.request_count() - before;
            assert!((asked == 1) == is_stored, "{case}: {asked}");
            if has_length && !is_stored {
                let words = told(&again);
                assert!(words.ends_with("detail=\"too-large\""), "{words}");
            }
        }
    }
}

#[tokio::test]
async fn an_incomplete_body_is_an_error_for_clients_and_not_stored() {
    for framing in [
        "Content-Length: 100000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nc350\r\n",
    ] {
        let go = Arc::new(Notify::new());
        let upstream = Upstream::raw({
            let go = Arc::clone(&go);
            move |mut visit: Visit| {
                let go = Arc::clone(&go);
                async move {
                    visit.request().await.unwrap();
                    if visit.number > 0 {
                        let whole = "Content-Length: 5\r\n\r\nwhole";
                        visit.wire.send([FRESH, whole].concat()).await;
                        return;
                    }
                    visit.wire.send([FRESH, framing].concat()).await;
                    visit.wire.send(filler(0, 50_000)).await;
                    go.notified().await;
                }
            }
        })
        .await;
        let gateway = Settings::new().workers(4).start(before(&upstream)).await;
        let mut wires = Vec::new();
        for _ in 0..6 {
            let mut wire = gateway.connect().await;
            wire.send(Request::get("/").to_bytes()).await;
            wires.push(wire);
        }
        for wire in &mut wires {
            let head = wire.receive_head("GET").await.unwrap();
            assert_eq!(head.status, 200);
            assert_ne!(head.framing, Framing::UntilClose);
        }
        assert_eventually!(upstream.request_count() == 1);
        go.notify_one();
        for (mut wire, is_length) in wires
            .into_iter()
            .zip(std::iter::repeat(framing.starts_with('C')))
        {
            let broken = async {
                if is_length {
                    return wire.take(100_000).await.err();
                }
                loop {
                    match wire.take_chunk().await {
                        Ok(chunk) if chunk.is_empty() => return None,
                        Ok(_) => {}
                        Err(error) => return Some(error),
                    }
                }
            };
            let broken = broken.await;
            assert!(
                matches!(broken, Some(ReadError::Incomplete(_) | ReadError::Closed)),
                "{broken:?}"
            );
        }
        assert_eventually!(is_idle(&gateway).await);
        assert_eq!(page(&gateway, "/").await, (200, "whole".to_owned()));
        assert_eq!(told(&gateway.get("/").await), "hit");
    }
}

/// Far more than fits, repeatedly and concurrently.
#[tokio::test]
async fn a_tiny_budget_is_kept_and_every_answer_right() {
    const PAGES: usize = 300;
    let upstream = Upstream::http(|request| {
        let number: usize = request.target.trim_start_matches('/').parse().unwrap();
        std::future::ready(fresh().body(filler(number * 8, 500 + number * 37)))
    })
    .await;
    let config = limited("memory = \"256KiB\"\nmax_object = \"16KiB\"", &upstream);
    let gateway = Settings::new().workers(4).start(config).await;
    let mut clients = JoinSet::new();
    for client in 0..8_u64 {
        let mut wire = gateway.connect().await;
        clients.spawn(async move {
            let mut random = fastrand::Rng::with_seed(client);
            for _ in 0..400 {
                // Most requests are for a few paths.
                let most = if random.bool() { PAGES } else { 8 };
                let number = random.usize(..most);
                let response = wire.exchange(&Request::get(&format!("/{number}"))).await;
                assert_eq!(response.body.len(), 500 + number * 37);
                let difference = filler_difference(number * 8, &response.body);
                assert_eq!(difference, None, "{number}: {}", told(&response));
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let cache = gateway.ask("GET", "/cache").await.json();
    let figure = |name: &str| cache[name].as_u64().unwrap();
    assert!(figure("evictions") > 100, "{cache}");
    assert!(figure("bytes") <= figure("budget"), "{cache}");
    assert_eq!(figure("budget"), 256 * KIB as u64);
    assert!((1..PAGES as u64).contains(&figure("objects")), "{cache}");
    assert!(upstream.request_count() < 8 * 400, "there were hits");
}

/// A fetch in progress during a reload is completed and stored; with another
/// upstream it is a different page.
#[tokio::test]
async fn a_reload_loses_nothing() {
    let steps = Arc::new(Semaphore::new(0));
    let slow = Upstream::raw({
        let steps = Arc::clone(&steps);
        move |mut visit: Visit| {
            let steps = Arc::clone(&steps);
            async move {
                visit.request().await.unwrap();
                let length = "Content-Length: 100000\r\n\r\n";
                visit.wire.send([FRESH, length].concat()).await;
                visit.wire.send(filler(0, 50_000)).await;
                steps.acquire().await.unwrap().forget();
                visit.wire.send(filler(50_000, 50_000)).await;
            }
        }
    })
    .await;
    let config = before(&slow);
    let mut gateway: Gateway = Settings::new().workers(4).start(&config).await;
    let mut wires = Vec::new();
    for _ in 0..8 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        wire.receive_head("GET").await.unwrap();
        wires.push(wire);
    }
    let other = config
        .to_string()
        .replace("[[sites]]", "[[sites]]\nname = \"other\"");
    gateway.reload(&other).await;
    steps.add_permits(1);
    for wire in &mut wires {
        assert_eq!(wire.take(100_000).await.unwrap(), filler(0, 100_000));
    }
    let response = gateway.get("/").await;
    assert_eq!(told(&response), "hit", "what is stored outlives a reload");
    assert_eq!(slow.request_count(), 1);
    let upstream = counting(|_, _| fresh()).await;
    let moved = before(&upstream).to_string();
    let moved = moved
        .replace("upstreams.app", "upstreams.new")
        .replace("\"app\"", "\"new\"");
    gateway.reload(moved).await;
    assert_eq!(body(&gateway, Request::get("/")).await, "/ 1");
}
