//! Compression of bodies that are slow, long or incomplete.

use std::sync::Arc;
use std::time::{Duration, Instant};

use janua_tests::{
    Gateway, Proxy, ReadError, Received, Reply, Request, Settings, Upstream, Visit, Wire,
    assert_eventually, filler,
};
use tokio::sync::{Mutex, mpsc};

use crate::coded::{decode, so_far, text};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// An upstream whose response has this type and consists of the pieces that the
/// test sends, one chunk each; an empty piece ends it.
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

/// Everything sent so far can be decoded before more is sent.
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

/// A client that joins while a body is being received gets it from the
/// beginning, in its own coding.
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

/// Even if the type is configured to be coded.
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

/// An incomplete body must not look complete.
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

/// Longer than any buffer, and incompressible.
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
        // The pauses between two chunks may be as long as the upstream's.
        wire.set_patience(Duration::from_secs(60));
        let response = wire.receive("GET").await;
        assert_eq!(response.header("content-encoding"), Some(coding));
        let (body, is_whole) = decode(coding, &response.body);
        assert!(is_whole && body == expected, "{coding}");
    }
}

/// The highest level takes seconds for this body: meanwhile the only worker
/// answers other requests.
#[tokio::test]
async fn a_slow_level_holds_up_nobody_else() {
    let body = text(1_500_000);
    let upstream = {
        let body = body.clone();
        Upstream::http(move |request: Received| {
            let is_short = request.target == "/short";
            let body = if is_short { "short" } else { &body };
            let reply = Reply::ok(body)
                .header("Content-Type", "text/plain")
                .header("Cache-Control", "max-age=60");
            std::future::ready(reply)
        })
        .await
    };
    let table = "[compression]\nlevels = { br = 11, gzip = 9, zstd = 19 }\n";
    for lines in ["", "cache = true"] {
        for coding in ["br", "zstd"] {
            let proxy = Proxy::to(upstream.endpoint())
                .site("compress = true")
                .route(lines);
            let gateway = Settings::new()
                .workers(1)
                .start(format!("{table}{proxy}"))
                .await;
            let mut wire = gateway.connect().await;
            wire.set_patience(Duration::from_secs(120));
            let request = Request::get("/").header("Accept-Encoding", coding);
            wire.send(request.to_bytes()).await;
            let long = tokio::spawn(async move { wire.receive("GET").await });
            let sent = Instant::now();
            let (mut answers, mut longest) = (0, Duration::ZERO);
            while !long.is_finished() {
                let begin = Instant::now();
                assert_eq!(gateway.get("/short").await.text(), "short");
                longest = longest.max(begin.elapsed());
                answers += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let long = long.await.unwrap();
            assert_eq!(long.header("content-encoding"), Some(coding));
            assert!(decode(coding, &long.body) == (body.clone().into_bytes(), true));
            // The machine may be busy with something else.
            let most = Duration::from_secs(1).max(sent.elapsed() / 3);
            assert!(
                answers > 10 && longest < most,
                "{lines} {coding}: {answers} answers, one after {longest:?}"
            );
        }
    }
}

/// Trailers are passed on, except those that describe the uncoded bytes.
#[tokio::test]
async fn trailers_follow_a_coded_body() {
    let trailers = [("X-Sum", "12"), ("Content-Digest", "sha-256=:AA==:")];
    let reply = Reply::chunked(&[text(5000).as_bytes()], &trailers)
        .header("Content-Type", "text/plain")
        .header("Trailer", "X-Sum, Content-Digest");
    let upstream = Upstream::always(reply).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site("compress = true")).await;
    for coding in CODINGS {
        let mut wire = asked(&gateway, coding).await;
        let response = wire.receive("GET").await;
        assert_eq!(response.header("content-encoding"), Some(coding));
        assert_eq!(
            response.trailers,
            [("X-Sum".to_owned(), "12".to_owned())],
            "{coding}"
        );
    }
}

/// When the memory for encoders is used up, responses are sent uncoded.
#[tokio::test]
async fn streams_have_a_budget() {
    let (upstream, pieces) = paced("text/plain").await;
    let table = "[compression]\nmemory = \"1MiB\"\n";
    let proxy = Proxy::to(upstream.endpoint()).site("compress = true");
    let gateway = Gateway::start(format!("{table}{proxy}")).await;
    // There is memory for two gzip encoders, and for none of the others.
    let mut wires = Vec::new();
    for (coding, expected) in [
        ("gzip", Some("gzip")),
        ("zstd", None),
        ("gzip", Some("gzip")),
        ("gzip", None),
    ] {
        let mut wire = asked(&gateway, coding).await;
        let head = wire.receive_head("GET").await.unwrap();
        assert_eq!(head.header("content-encoding"), expected, "{coding}");
        assert_eq!(head.header("vary"), Some("Accept-Encoding"));
        wires.push(wire);
    }
    let metrics = gateway.metrics().await;
    let skipped = metrics.sum("janua_compressions_skipped_total", &[]);
    assert!((skipped - 2.0).abs() < 0.5, "{skipped}");
    // The memory is released with the stream.
    drop(wires);
    drop(pieces);
    let again = async || {
        let mut wire = asked(&gateway, "gzip").await;
        let head = wire.receive_head("GET").await.unwrap();
        head.header("content-encoding") == Some("gzip")
    };
    assert_eventually!(again().await);
}
