//! HTTP/2: several requests at once over one connection, which the death of an endpoint must not
//! end.

use std::time::Instant;

use janua_tests::{Http2Call, Http2Client, Request};

use super::forwarded::is_content;
use super::length;
use crate::client::{Client, Trouble, Visited, violation};
use crate::config::HOST;
use crate::scene::Scene;

/// The rounds of a visit, and the requests of a round.
const ROUNDS: usize = 4;
const AT_ONCE: usize = 8;
const WINDOW: u32 = 4 << 20;
const ROUTE: &str = "/app/";

pub(super) async fn many(scene: &Scene, number: usize) -> Visited {
    let tls = scene.certificates.client().protocols(&["h2"]);
    let connected = Client::secure(scene, &tls, HOST).await?;
    // Responses are read one after the other, so that the window has room for all of them.
    let client = Http2Client::with_window(connected.wire, WINDOW).await;
    let mut trouble = Ok(());
    for round in 0..ROUNDS {
        let sent = Instant::now();
        let mut calls = Vec::new();
        for place in 0..AT_ONCE {
            let size = length(number + round + place);
            let request = Request::get(&format!("/app/bytes/{size}"));
            let asked = client.ask(&request).await;
            let call = asked.map_err(|error| violation(format!("HTTP/2: {error}")))?;
            calls.push((call, size));
        }
        for (mut call, size) in calls {
            match response(scene, &mut call, size, sent).await {
                Err(Trouble::Explained) => trouble = Err(Trouble::Explained),
                other => other?,
            }
        }
    }
    trouble
}

/// Reads a response. One whose endpoint dies is reset, and the others go on.
async fn response(scene: &Scene, call: &mut Http2Call, size: usize, sent: Instant) -> Visited {
    let head = call.head().await;
    let mut response = head.map_err(|error| violation(format!("HTTP/2, no head: {error}")))?;
    scene.ledger.answered(ROUTE, response.status);
    loop {
        match call.data().await {
            Ok(Some(bytes)) => response.body.extend(bytes),
            Ok(None) => break,
            Err(error) => {
                let endpoint = response.header("x-endpoint");
                if endpoint.is_some() && scene.ledger.was_dying_since(endpoint, sent) {
                    scene.ledger.noted("cut with their endpoint");
                    return Err(Trouble::Explained);
                }
                return Err(violation(format!("HTTP/2: {error}: {:?}", response.fields)));
            }
        }
    }
    if response.status != 200 {
        let words = format!("HTTP/2: {} {:?}", response.status, response.fields);
        return Err(violation(words));
    }
    is_content(&response, size)
}
