//! Compression: bodies that come slowly, are long, or break off.

use std::sync::Arc;
use std::time::Duration;

use janua_tests::{Gateway, Proxy, ReadError, Request, Upstream, Visit, Wire, filler};
use tokio::sync::{Mutex, mpsc};

use crate::coded::{decode, so_far, text};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// An upstream whose answer of this type is made of the pieces that the test
/// sends, one chunk each; an empty one is its end.
async fn paced(kind: &'static str) -> (Upstream, mpsc::Sender<String>) {
    let (pieces, receiver) = mpsc::channel::<String>(1);
    let receiver = Arc::new(Mutex::new(receiver));
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let receiver = Arc::clone(&receiver);
        async move {
            while visit.request().await.is_ok() {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
                );
                visit.wire.send(head).await;
                while let Some(piece) = receiver.lock().await.recv().await {
                    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
                    if visit.wire.try_send(chunk).await.is_err() || piece.is_empty() {
                        break;
                    }
                }
            }
        }
    })
    .await;
    (upstream, pieces)
}

async fn asked(gateway: &Gateway, coding: &str) -> Wire {
    let mut wire = gateway.connect().await;
    let request = Request::get("/").header("Accept-Encoding", coding);
    wire.send(request.to_bytes()).await;
    wire
}

/// All that was sent so far can be decoded before more is sent.
#[tokio::test]
async fn a_slow_body_is_as_slow_as_it_is_made() {
    for lines in ["", "cache = true"] {
        for coding in CODINGS {
            let (upstream, pieces) = paced("application/x-ndjson").await;
            let table = "[compression]\ntypes = [\"application/x-ndjson\"]\n";
            let proxy = Proxy::to(upstream.endpoint())
                .site("compress = true")
                .route(lines);
            let gateway = Gateway::start(format!("{table}{proxy}")).await;
            let mut wire = asked(&gateway, coding).await;
            let head = wire.receive_head("GET").await.unwrap();
            assert_eq!(head.header("content-encoding"), Some(coding));
            let (mut sent, mut coded) = (String::new(), Vec::new());
            for piece in ["{\"n\":1}\n", "{\"n\":2}\n", &text(3000), "{\"n\":3}\n"] {
                sent.push_str(piece);
                pieces.send(piece.to_owned()).await.unwrap();
                while so_far(coding, &coded).len() < sent.len() {
                    let chunk = wire.take_chunk().await;
                    coded.extend(chunk.unwrap_or_else(|e| panic!("{lines} {coding}: {e}")));
                }
                assert_eq!(so_far(coding, &coded), sent.as_bytes(), "{lines} {coding}");
            }
            pieces.send(String::new()).await.unwrap();
            loop {
                let chunk = wire.take_chunk().await.unwrap();
                if chunk.is_empty() {
                    break;
                }
                coded.extend(chunk);
            }
            assert_eq!(
                decode(coding, &coded),
                (sent.into_bytes(), true),
                "{lines} {coding}"
            );
        }
    }
}

/// Who joins while a body is on its way gets it in a coding of its own, from
/// its beginning.
#[tokio::test]
async fn those_who_wait_for_one_body_get_each_their_own_coding() {
    const KIND: &str = "text/plain\r\nCache-Control: max-age=60";
    let (upstream, pieces) = paced(KIND).await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true\ncache = true");
    let gateway = Gateway::start(proxy).await;
    let first = text(3000);
    let mut wires = vec![("", asked(&gateway, "identity").await)];
    pieces.send(first.clone()).await.unwrap();
    for coding in CODINGS {
        wires.push((coding, asked(&gateway, coding).await));
    }
    let mut all = Vec::new();
    for (coding, mut wire) in wires {
        let head = wire.receive_head("GET").await.unwrap();
        assert_eq!(head.header("content-encoding").unwrap_or_default(), coding);
        let mut coded = Vec::new();
        while so_far(coding, &coded).len() < first.len() {
            coded.extend(wire.take_chunk().await.unwrap());
        }
        all.push((coding, wire, coded));
    }
    pieces.send("and the rest\n".to_owned()).await.unwrap();
    pieces.send(String::new()).await.unwrap();
    for (coding, mut wire, mut coded) in all {
        loop {
            let chunk = wire.take_chunk().await.unwrap();
            if chunk.is_empty() {
                break;
            }
            coded.extend(chunk);
        }
        let whole = format!("{first}and the rest\n").into_bytes();
        assert_eq!(decode(coding, &coded), (whole, true), "{coding}");
    }
    assert_eq!(upstream.request_count(), 1);
}

/// Also if the type were among those that are coded.
#[tokio::test]
async fn events_are_neither_coded_nor_held_back() {
    let table = "[compression]\nmin_length = 0\ntypes = [\"text/event-stream\", \"text/plain\"]\n";
    let (upstream, events) = paced("text/event-stream").await;
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true");
    let gateway = Gateway::start(format!("{table}{proxy}")).await;
    let mut wire = asked(&gateway, "gzip, br, zstd").await;
    let head = wire.receive_head("GET").await.unwrap();
    assert_eq!(head.header("content-encoding"), None);
    for event in ["data: 1\n\n", "data: two\n\n", ":\n\n"] {
        events.send(event.to_owned()).await.unwrap();
        assert_eq!(wire.take_chunk().await.unwrap(), event.as_bytes());
    }
    events.send(String::new()).await.unwrap();
    assert_eq!(wire.take_chunk().await.unwrap(), b"");
}

/// What breaks off must not look as if it were whole.
#[tokio::test]
async fn a_body_that_breaks_off() {
    for (framing, body) in [
        (
            "Transfer-Encoding: chunked",
            format!("1388\r\n{}\r\n", text(5000)),
        ),
        ("Content-Length: 9000", text(5000)),
    ] {
        let upstream = Upstream::raw(move |mut visit: Visit| {
            let sent =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{framing}\r\n\r\n{body}");
            async move {
                visit.request().await.unwrap();
                visit.wire.send(sent).await;
            }
        })
        .await;
        let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site("compress = true")).await;
        for coding in CODINGS {
            let mut wire = asked(&gateway, coding).await;
            let broken = wire.try_receive("GET").await;
            assert!(
                matches!(broken, Err(ReadError::Incomplete(_) | ReadError::Closed)),
                "{coding} {framing}: {broken:?}"
            );
        }
    }
}

/// Longer than what is ever held, and such as does not become shorter.
#[tokio::test]
async fn a_long_body_comes_whole() {
    const SIZE: usize = 12 * 1024 * 1024 + 7;
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {SIZE}\r\n\r\n"
            );
            visit.wire.send(head).await;
            for at in (0..SIZE).step_by(1 << 20) {
                let piece = filler(at, (SIZE - at).min(1 << 20));
                if visit.wire.try_send(piece).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site("compress = true")).await;
    let expected = filler(0, SIZE);
    for coding in CODINGS {
        let mut wire = asked(&gateway, coding).await;
        // Two of its steps may be as far apart as the upstream's.
        wire.set_patience(Duration::from_secs(60));
        let response = wire.receive("GET").await;
        assert_eq!(response.header("content-encoding"), Some(coding));
        let (body, is_whole) = decode(coding, &response.body);
        assert!(is_whole && body == expected, "{coding}");
    }
}
