//! Minimum rates: who sends or reads a byte at a time loses the connection, and nobody else.
//! The rules in detail are tested with virtual time (`gateway/proxy/src/min_rate/tests.rs`).

use std::time::Duration;

use janua_tests::{
    Framing, Gateway, Proxy, Request, Upstream, Visit, Wire, assert_eventually, is_over_http2,
};

/// Other time limits do not matter here.
fn config(upstream: &Upstream, rates: &str) -> Proxy {
    Proxy::to(upstream.endpoint())
        .listener(&format!(
            "min_rate = {{ {rates}, grace = \"1s\" }}\nhead_timeout = \"0s\""
        ))
        .upstream("response_head_timeout = \"1h\"\nidle_timeout = \"1h\"")
}

/// Sends a byte every 50 ms, 20 bytes a second, until there is an answer.
async fn drip(wire: &mut Wire) {
    for _ in 0..400 {
        if !wire.is_silent_for(Duration::from_millis(50)).await {
            return;
        }
        let _ = wire.try_send("x").await;
    }
    panic!("the gateway is as patient as the client");
}

/// Reads 64 KiB every 10 ms until the connection is lost.
pub(crate) async fn read_slowly(wire: &mut Wire) {
    for _ in 0..2000 {
        if wire.take(64 * 1024).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the gateway is as patient as the client");
}

#[tokio::test]
async fn a_dripping_head() {
    // A client of HTTP/2 sends a head as a whole; see `http2_abuse`.
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(config(&upstream, "head = 200")).await;
    let mut wire = gateway.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: a\r\nX: ").await;
    drip(&mut wire).await;
    let response = wire.receive("GET").await;
    assert_eq!(response.status, 408);
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(upstream.connections(), 0);
    assert_eventually!(
        gateway
            .log()
            .iter()
            .any(|line| line["failure"] == "request_timeout")
    );
    let notes = gateway.log()[0]["notes"].to_string();
    assert!(notes.contains("too slowly"), "{notes}");
}

#[tokio::test]
async fn a_dripping_body() {
    let upstream = Upstream::silent().await;
    let gateway = Gateway::start(config(&upstream, "body = 200")).await;
    let head = "POST /up HTTP/1.1\r\nHost: a\r\n";
    for (framing, begin) in [
        ("Content-Length: 1000", ""),
        // The syntax of chunks is no way round it.
        ("Transfer-Encoding: chunked", "3e8\r\n"),
    ] {
        let mut wire = gateway.connect().await;
        wire.send(format!("{head}{framing}\r\n\r\n{begin}")).await;
        drip(&mut wire).await;
        assert_eq!(wire.receive("POST").await.status, 408, "{framing}");
        assert_eventually!(upstream.open() == 0, "{framing}");
    }
    assert_eq!(gateway.log_line("/up").await["failure"], "request_timeout");
}

/// Sends without end.
async fn endless() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let _ = visit.wire.try_send("HTTP/1.1 200 OK\r\n\r\n").await;
        while visit.wire.try_send(vec![b'x'; 64 * 1024]).await.is_ok() {}
    })
    .await
}

/// The kernel takes some MiB before it makes the gateway wait, so the minimum is high here.
#[tokio::test]
async fn a_slow_reader() {
    let upstream = endless().await;
    let gateway = Gateway::start(config(&upstream, "read = \"1GiB\"")).await;
    let mut wire = gateway.connect().await;
    wire.set_receive_buffer(64 * 1024);
    wire.send(Request::get("/down").to_bytes()).await;
    wire.receive_head("GET").await.unwrap();
    read_slowly(&mut wire).await;
    assert_eventually!(upstream.open() == 0);
    let line = gateway.log_line("/down").await;
    assert_eq!(line["failure"], "client_gone");
    assert!(line["notes"].to_string().contains("too slowly"), "{line}");
}

/// The upstream is slow, and not the client that waits for it.
#[tokio::test]
async fn a_slow_upstream_costs_no_client_its_connection() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let head = visit.wire.receive_request_head().await.unwrap();
        assert_eq!(head.framing, Framing::Length(32 << 20));
        let mut taken = 0;
        while taken < 32 << 20 {
            taken += visit.wire.take(1 << 20).await.unwrap().len();
            tokio::time::sleep(Duration::from_millis(70)).await;
        }
        visit.wire.send("HTTP/1.1 200 OK\r\n\r\n").await;
        for _ in 0..15 {
            visit.wire.send("data: x\n\n").await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        visit.wire.finish().await;
    })
    .await;
    // More than the upstream takes or sends.
    let rates = "body = \"64MiB\", read = \"64MiB\"";
    let gateway = Gateway::start(config(&upstream, rates).route("max_body = \"1GiB\"")).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::post("/", vec![b'x'; 32 << 20]).to_bytes())
        .await;
    let response = wire.receive("POST").await;
    assert_eq!(response.text(), "data: x\n\n".repeat(15));
}

#[tokio::test]
async fn a_slow_tunnel_stays_open() {
    // It upgrades a connection, which HTTP/2 does otherwise.
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
        visit.wire.send(head).await;
        visit.wire.echo().await;
    })
    .await;
    let rates = "head = 1000, body = \"1MiB\", read = \"1MiB\"";
    let gateway = Gateway::start(config(&upstream, rates)).await;
    let mut wire = gateway.connect().await;
    let upgrade = Request::get("/")
        .header("Connection", "upgrade")
        .header("Upgrade", "x");
    assert_eq!(wire.exchange(&upgrade).await.status, 101);
    // Longer than the grace.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.send("x").await;
        assert_eq!(wire.take(1).await.unwrap(), b"x");
    }
}

#[tokio::test]
async fn without_a_minimum_a_client_may_drip() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).listener("min_rate = false");
    let gateway = Gateway::start(config).await;
    let mut wire = gateway.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
        .await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(80)).await;
        wire.send("x").await;
    }
    assert_eq!(wire.receive("POST").await.status, 200);
}
