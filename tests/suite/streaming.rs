//! Streaming: large bodies arrive complete, events arrive at once, slow readers
//! slow down the sender, and both directions run at the same time.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use janua_tests::{
    Framing, Gateway, Proxy, Request, Upstream, Visit, Wire, assert_eventually, filler,
    filler_difference,
};

const MIB: usize = 1 << 20;

/// How much the memory of a new gateway may grow: the allocator takes memory in
/// steps of some MiB, and code counts once it is used. The socket buffers of
/// both sides hold up to 20 MiB, which belong to the kernel.
const MEMORY_KIB: u64 = 16 * 1024;

/// Reads a body of filler; returns its length.
async fn check_filler(wire: &mut Wire, mut size: usize) -> usize {
    let mut at = 0;
    while size > 0 {
        let some = wire.take(size.min(64 * 1024)).await.unwrap();
        assert_eq!(filler_difference(at, &some), None, "from {at} on");
        at += some.len();
        size -= some.len();
    }
    at
}

async fn send_filler(wire: &mut Wire, size: usize) {
    let mut at = 0;
    while at < size {
        let some = filler(at, (size - at).min(64 * 1024));
        wire.send(&some).await;
        at += some.len();
    }
}

#[tokio::test]
async fn large_bodies_pass_whole_in_both_directions() {
    const SIZE: usize = 32 * MIB + 7;
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let request = visit.wire.receive_request_head().await.unwrap();
        assert_eq!(request.framing, Framing::Length(SIZE));
        check_filler(&mut visit.wire, SIZE).await;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        visit.wire.send(head).await;
        send_filler(&mut visit.wire, SIZE).await;
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("max_body = \"1GiB\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
    wire.send(head).await;
    send_filler(&mut wire, SIZE).await;
    let response = wire.receive_head("POST").await.unwrap();
    assert_eq!(
        (response.status, response.framing),
        (200, Framing::Length(SIZE))
    );
    assert_eq!(check_filler(&mut wire, SIZE).await, SIZE);
}

#[tokio::test]
async fn large_chunked_bodies_pass_whole_in_both_directions() {
    const CHUNKS: usize = 500;
    // Chunk sizes that fit no buffer.
    let size_of = |n: usize| 1 + n * 7919 % 40_000;
    let upstream = Upstream::raw(move |mut visit: Visit| async move {
        let request = visit.wire.receive_request().await.unwrap();
        assert_eq!(request.framing, Framing::Chunked);
        assert_eq!(filler_difference(0, &request.body), None);
        let size = request.body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nX-Size: {size}\r\nTransfer-Encoding: chunked\r\n\r\n");
        visit.wire.send(head).await;
        send_chunks(&mut visit.wire, (0..CHUNKS).map(size_of)).await;
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("max_body = \"1GiB\"");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    send_chunks(&mut wire, (0..CHUNKS).map(size_of)).await;
    let total: usize = (0..CHUNKS).map(size_of).sum();
    let response = wire.receive("POST").await;
    assert_eq!(response.header("x-size"), Some(total.to_string().as_str()));
    assert_eq!(response.body.len(), total);
    assert_eq!(filler_difference(0, &response.body), None);
}

async fn send_chunks(wire: &mut Wire, sizes: impl Iterator<Item = usize>) {
    let mut at = 0;
    for size in sizes {
        let mut chunk = format!("{size:X}\r\n").into_bytes();
        chunk.extend(filler(at, size));
        chunk.extend(b"\r\n");
        wire.send(chunk).await;
        at += size;
    }
    wire.send("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_slow_reader_slows_the_upstream_down() {
    let sent = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::raw({
        let sent = Arc::clone(&sent);
        move |mut visit: Visit| {
            let sent = Arc::clone(&sent);
            async move {
                visit.request().await.unwrap();
                let _ = visit.wire.try_send("HTTP/1.1 200 OK\r\n\r\n").await;
                let block = vec![b'x'; 64 * 1024];
                while visit.wire.try_send(&block).await.is_ok() {
                    sent.fetch_add(block.len(), SeqCst);
                }
            }
        }
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let before = gateway.rss_kib();
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/endless").to_bytes()).await;
    assert_eq!(wire.receive_head("GET").await.unwrap().status, 200);
    // Nothing more is read: the upstream must stall.
    let standstill = janua_tests::eventually(async || {
        let at = sent.load(SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        (sent.load(SeqCst) == at).then_some(at)
    });
    let at = standstill
        .await
        .expect("the upstream comes to a standstill");
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(
        at < 32 * MIB && grown < MEMORY_KIB,
        "{grown} KiB of {at} bytes are held"
    );
    // It continues when the client reads again.
    let mut read = 0;
    while sent.load(SeqCst) == at {
        read += wire.take_some().await.unwrap().len();
        assert!(read <= at, "all was read, and nothing more comes");
    }
    drop(wire);
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn a_slow_upstream_slows_the_client_down() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        visit.wire.set_receive_buffer(4096);
        visit.wire.receive_request_head().await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("max_body = 0");
    let gateway = Gateway::start(config).await;
    let before = gateway.rss_kib();
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut block = b"10000\r\n".to_vec();
    block.resize(block.len() + 0x10000, b'x');
    block.extend(b"\r\n");
    let mut sent = 0;
    let stuck = async {
        while sent < 1 << 30 {
            let send = wire.try_send(&block);
            if tokio::time::timeout(Duration::from_millis(500), send)
                .await
                .is_err()
            {
                return true;
            }
            sent += block.len();
        }
        false
    };
    assert!(stuck.await, "a gibibyte went into the gateway");
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(
        sent < 32 * MIB && grown < MEMORY_KIB,
        "{grown} KiB of {sent} bytes are held"
    );
}

#[tokio::test]
async fn events_come_at_once() {
    let (events, receiver) = tokio::sync::mpsc::channel::<&'static str>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let upstream = Upstream::raw(move |mut visit: Visit| {
        let receiver = Arc::clone(&receiver);
        async move {
            let request = visit.request().await.unwrap();
            let is_chunked = request.target == "/chunked";
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
            let coding = if is_chunked {
                "Transfer-Encoding: chunked\r\n\r\n"
            } else {
                "\r\n"
            };
            visit.wire.send(format!("{head}{coding}")).await;
            while let Some(event) = receiver.lock().await.recv().await {
                if event == "end" {
                    break;
                }
                let size = event.len();
                let sent = if is_chunked {
                    format!("{size:x}\r\n{event}\r\n")
                } else {
                    event.to_owned()
                };
                visit.wire.send(sent).await;
            }
            if is_chunked {
                visit.wire.send("0\r\n\r\n").await;
            } else {
                visit.wire.finish().await;
            }
        }
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for path in ["/chunked", "/close"] {
        let mut wire = gateway.connect().await;
        wire.send(Request::get(path).to_bytes()).await;
        // The head arrives before there is any event.
        let head = wire.receive_head("GET").await.unwrap();
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        for event in ["data: 1\n\n", "data: two\n\n", ":\n\n"] {
            events.send(event).await.unwrap();
            assert_eq!(wire.take_chunk().await.unwrap(), event.as_bytes(), "{path}");
        }
        events.send("end").await.unwrap();
        assert_eq!(wire.take_chunk().await.unwrap(), b"", "{path}");
    }
}

#[tokio::test]
async fn an_early_answer_comes_while_the_upload_goes_on() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        visit.wire.receive_request_head().await.unwrap();
        visit
            .wire
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        // A conversation: each chunk is echoed.
        loop {
            let chunk = visit.wire.take_chunk().await.unwrap();
            let size = chunk.len();
            let mut back = format!("{size:x}\r\n").into_bytes();
            back.extend(chunk);
            back.extend(b"\r\n");
            visit.wire.send(back).await;
            if size == 0 {
                return;
            }
        }
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    assert_eq!(wire.receive_head("POST").await.unwrap().status, 200);
    for word in ["one", "two", "three"] {
        wire.send(format!("{:x}\r\n{word}\r\n", word.len())).await;
        assert_eq!(wire.take_chunk().await.unwrap(), word.as_bytes());
    }
    wire.send("0\r\n\r\n").await;
    assert_eq!(wire.take_chunk().await.unwrap(), b"");
}

#[tokio::test]
async fn an_early_refusal_reaches_a_client_that_still_sends() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        visit.wire.receive_request_head().await.unwrap();
        visit
            .wire
            .send("HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
            .await;
    })
    .await;
    let config = Proxy::to(upstream.endpoint()).route("max_body = 0");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        .await;
    wire.send(vec![b'x'; 100_000]).await;
    let response = wire.receive("POST").await;
    assert_eq!((response.status, response.text()), (403, "no"));
    // The rest of the body must not be parsed as a request.
    assert!(wire.is_closed().await);
}
