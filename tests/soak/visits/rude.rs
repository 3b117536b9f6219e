//! Clients that close their sending side early, go away, or read slowly. They use what does not
//! die, so that each failure that the gateway counts has one cause.

use std::time::Duration;

use janua_tests::Request;

use super::forwarded::is_content;
use crate::client::{Client, Visited, check, violation};
use crate::scene::{LONGEST, Scene, content};

const BETWEEN_READS: Duration = Duration::from_millis(5);
const READ: usize = 32 * 1024;

fn target(number: usize) -> (&'static str, String) {
    if number.is_multiple_of(2) {
        ("/steady/", format!("/steady/bytes/{LONGEST}"))
    } else {
        ("/files/", "/files/large.bin".to_owned())
    }
}

pub(super) async fn half_closed(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    let (route, target) = target(number);
    client.send(&Request::get(&target)).await?;
    client.wire.finish().await;
    let head = client.head(route, "GET").await?;
    check(head.status == 200, || format!("{target}: {}", head.status))?;
    let body = client.wire.take_body(head.framing).await;
    let body = body.map_err(|error| violation(format!("half-closed: {error}")))?;
    check(body.0 == content(), || format!("{target}: another body"))?;
    client.expect_end().await
}

/// Closes the connection after a part of the body, by a FIN or by a reset.
pub(super) async fn leaving(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    let (route, target) = target(number);
    client.send(&Request::get(&target)).await?;
    let head = client.head(route, "GET").await?;
    check(head.status == 200, || format!("{target}: {}", head.status))?;
    let part = client.wire.take(1 + number * 7919 % 50_000).await;
    let part = part.map_err(|error| violation(format!("leaving: {error}")))?;
    check(content().starts_with(&part), || {
        format!("{target}: another body")
    })?;
    scene.ledger.noted("clients that left");
    if number % 4 < 2 {
        client.wire.reset();
    }
    Ok(())
}

pub(super) async fn slow(scene: &Scene) -> Visited {
    let mut client = Client::clear(scene).await;
    client.wire.set_receive_buffer(READ);
    client.send(&Request::get("/files/large.bin")).await?;
    let mut head = client.head("/files/", "GET").await?;
    while head.body.len() < LONGEST {
        let some = client.wire.take(READ).await;
        let some = some.map_err(|error| violation(format!("a slow reader: {error}")))?;
        head.body.extend_from_slice(&some);
        tokio::time::sleep(BETWEEN_READS).await;
    }
    is_content(&head, LONGEST)
}
