//! What lasts: WebSockets that outlive reloads, and streams of events.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use janua_tests::Request;

use crate::client::{Client, Visited, check, violation};
use crate::config::HOST;
use crate::origin::EVENTS;
use crate::scene::{Scene, content};

/// The reloads that a WebSocket outlives before its client closes it.
const RELOADS: usize = 3;
const BETWEEN_MESSAGES: Duration = Duration::from_millis(20);

pub(super) async fn web_socket(scene: &Scene, is_secure: bool) -> Visited {
    let mut client = if is_secure {
        Client::secure(scene, &scene.certificates.client(), HOST).await?
    } else {
        Client::clear(scene).await
    };
    let upgrade = Request::get("/ws")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13");
    client.send(&upgrade).await?;
    let head = client.head("/ws", "GET").await?;
    check(head.status == 101, || format!("/ws: {}", head.status))?;
    let begin = scene.revision.load(SeqCst);
    for n in 0.. {
        let size = 1 + n * 577 % 3000;
        let message = &content()[n % 1000..][..size];
        let sent = client.wire.try_send(message).await;
        sent.map_err(|error| violation(format!("a WebSocket ended: {error}")))?;
        let echo = client.wire.take(size).await;
        let echo = echo.map_err(|error| violation(format!("a WebSocket ended: {error}")))?;
        check(echo == message, || "another message came back".to_owned())?;
        scene.ledger.noted("messages");
        if scene.revision.load(SeqCst) >= begin + RELOADS {
            scene.ledger.noted("WebSockets that outlived reloads");
            break;
        }
        if !scene.goes_on.load(SeqCst) {
            break;
        }
        tokio::time::sleep(BETWEEN_MESSAGES).await;
    }
    client.wire.finish().await;
    client.expect_end().await
}

/// Reads all events, or leaves after some.
pub(super) async fn events(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    client.send(&Request::get("/events")).await?;
    let head = client.head("/events", "GET").await?;
    check(head.status == 200, || format!("/events: {}", head.status))?;
    let limit = if number.is_multiple_of(3) { 5 } else { EVENTS };
    let expected: String = (0..EVENTS).map(|n| format!("data: {n}\n\n")).collect();
    let mut found = Vec::new();
    let mut events = 0;
    while events < limit {
        let chunk = client.wire.take_chunk().await;
        let chunk = chunk.map_err(|error| violation(format!("a stream of events: {error}")))?;
        found.extend_from_slice(&chunk);
        check(
            !chunk.is_empty() && expected.as_bytes().starts_with(&found),
            || format!("other events: {}", String::from_utf8_lossy(&found)),
        )?;
        events = found.iter().filter(|&&byte| byte == b'\n').count() / 2;
    }
    if limit < EVENTS {
        scene.ledger.noted("clients that left");
    } else {
        let end = client.wire.take_chunk().await;
        check(end == Ok(Vec::new()), || format!("no last chunk: {end:?}"))?;
    }
    Ok(())
}
