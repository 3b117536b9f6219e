//! gRPC and gRPC-Web. A call that fails has a status, and the death of an endpoint ends no
//! connection of a client.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use janua_tests::{Http2Call, Http2Client, Request, Response};

use super::length;
use crate::client::{Client, Trouble, Visited, check, violation};
use crate::config::HOST;
use crate::scene::{Scene, content};

/// The calls at once, and the messages of a stream.
const AT_ONCE: usize = 6;
const MESSAGES: usize = 20;
/// The reloads that a call outlives before its client ends it.
const RELOADS: usize = 3;
const BETWEEN_MESSAGES: Duration = Duration::from_millis(10);
/// Responses are read one after the other, so that the window has room for all of them.
const WINDOW: u32 = 4 << 20;
const UNAVAILABLE: &str = "14";

/// Several calls at once with one message each, and then a stream of messages.
pub(super) async fn several(scene: &Scene, number: usize) -> Visited {
    let client = connect(scene).await?;
    let sent = Instant::now();
    let mut calls = Vec::new();
    for place in 0..AT_ONCE {
        let message = message(length(number + place));
        let mut call = open(&client, "/soak.Calls/Unary").await?;
        // A call that has failed says why in its response.
        if call.send(message.clone()).await.is_ok() {
            let _ = call.finish();
        }
        calls.push((call, message));
    }
    let mut trouble = Ok(());
    for (mut call, message) in calls {
        let mut head = head(scene, &mut call, "/soak.Calls/").await?;
        while let Some(bytes) = next(&mut call).await? {
            head.body.extend(bytes);
        }
        match ended(scene, &mut call, &head, sent).await {
            Ok(()) => check(head.body == message, || "another message".to_owned())?,
            Err(Trouble::Explained) => trouble = Err(Trouble::Explained),
            other => other?,
        }
    }
    stream(scene, &client, "/soak.Calls/", |count| count < MESSAGES).await?;
    trouble
}

/// A stream of messages to a server that lives, for some reloads.
pub(super) async fn long(scene: &Scene) -> Visited {
    let client = connect(scene).await?;
    let begin = scene.revision.load(SeqCst);
    let goes_on = |_| scene.revision.load(SeqCst) < begin + RELOADS && scene.goes_on.load(SeqCst);
    stream(scene, &client, "/soak.Steady/", goes_on).await?;
    if scene.revision.load(SeqCst) >= begin + RELOADS {
        scene.ledger.noted("calls that outlived reloads");
    }
    Ok(())
}

/// Calls of gRPC-Web over one connection, in which the trailers are a part of the body.
pub(super) async fn web(scene: &Scene, number: usize) -> Visited {
    let mut client = Client::clear(scene).await;
    for n in number..number + 5 {
        let message = message(length(n));
        let request = Request::post("/soak.Web/Unary", message.clone())
            .header("Content-Type", "application/grpc-web+proto");
        let sent = Instant::now();
        let response = client.expect("/soak.Web/", &request, 200).await?;
        if let Some(status) = response.header("grpc-status") {
            return failed(scene, status, None, sent);
        }
        let end = b"\x80\x00\x00\x00\x10grpc-status: 0\r\n";
        let endpoint = response.header("x-endpoint");
        let rest = response.body.strip_prefix(&message[..]);
        match rest.unwrap_or(&response.body) {
            rest if rest == end => {}
            rest => {
                let text = String::from_utf8_lossy(rest);
                let status = text.split("grpc-status: ").nth(1).unwrap_or(&text);
                let status = status.split("\r\n").next().unwrap_or_default();
                return failed(scene, status, endpoint, sent);
            }
        }
    }
    Ok(())
}

async fn connect(scene: &Scene) -> Visited<Http2Client> {
    let tls = scene.certificates.client().protocols(&["h2"]);
    let connected = Client::secure(scene, &tls, HOST).await?;
    Ok(Http2Client::with_window(connected.wire, WINDOW).await)
}

/// A message of this size, in its frame.
fn message(size: usize) -> Vec<u8> {
    let length = u32::try_from(size).unwrap().to_be_bytes();
    [&[0], &length[..], &content()[..size]].concat()
}

async fn open(client: &Http2Client, path: &str) -> Visited<Http2Call> {
    let request = Request::new("POST", path)
        .header("Content-Type", "application/grpc+proto")
        .header("TE", "trailers");
    let opened = client.open(&request).await;
    opened.map_err(|error| violation(format!("gRPC: {error}")))
}

/// A message after the other, each of which must come back before the next is sent.
async fn stream(
    scene: &Scene,
    client: &Http2Client,
    route: &'static str,
    goes_on: impl Fn(usize) -> bool,
) -> Visited {
    let sent = Instant::now();
    let mut call = open(client, &format!("{route}Stream")).await?;
    let head = head(scene, &mut call, route).await?;
    for count in 0.. {
        if !goes_on(count) {
            break;
        }
        let message = message(1 + count * 577 % 3000);
        let mut came = Vec::new();
        if call.send(message.clone()).await.is_ok() {
            while came.len() < message.len() {
                match next(&mut call).await? {
                    Some(bytes) => came.extend(bytes),
                    None => break,
                }
            }
        }
        if came != message {
            ended(scene, &mut call, &head, sent).await?;
            return Err(violation("gRPC: another message"));
        }
        scene.ledger.noted("messages of calls");
        tokio::time::sleep(BETWEEN_MESSAGES).await;
    }
    let _ = call.finish();
    let rest = next(&mut call).await?;
    check(rest.is_none(), || "gRPC: more messages".to_owned())?;
    ended(scene, &mut call, &head, sent).await
}

async fn head(scene: &Scene, call: &mut Http2Call, route: &'static str) -> Visited<Response> {
    let head = call.head().await;
    let head = head.map_err(|error| violation(format!("gRPC, no head: {error}")))?;
    scene.ledger.answered(route, head.status);
    check(head.status == 200, || format!("gRPC: {}", head.status))?;
    Ok(head)
}

/// No call is reset: one that fails has trailers too.
async fn next(call: &mut Http2Call) -> Visited<Option<Vec<u8>>> {
    let data = call.data().await;
    data.map_err(|error| violation(format!("gRPC: {error}")))
}

/// The status of a call whose messages have been read.
async fn ended(scene: &Scene, call: &mut Http2Call, head: &Response, sent: Instant) -> Visited {
    while next(call).await?.is_some() {}
    let trailers = call.trailers().await;
    let trailers = trailers.map_err(|error| violation(format!("gRPC, no trailers: {error}")))?;
    let mut fields = head.fields.iter().chain(&trailers);
    let status = fields.find(|(name, _)| name == "grpc-status");
    match status.map_or("none", |(_, value)| value) {
        "0" => Ok(()),
        status => failed(scene, status, head.header("x-endpoint"), sent),
    }
}

/// A status that is no success: the endpoint that has sent the head, if one has, died meanwhile.
fn failed(scene: &Scene, status: &str, endpoint: Option<&str>, sent: Instant) -> Visited {
    if status == UNAVAILABLE && scene.ledger.was_dying_since(endpoint, sent) {
        scene.ledger.noted("calls that failed with their endpoint");
        return Err(Trouble::Explained);
    }
    Err(violation(format!("gRPC: status {status} of {endpoint:?}")))
}
