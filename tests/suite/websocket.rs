//! Upgraded connections.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream, Visit, Wire, assert_eventually};

pub(crate) const ACCEPT: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";

pub(crate) fn upgrade(target: &str) -> Request {
    Request::get(target)
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13")
}

/// Accepts the upgrade, and echoes what it receives.
async fn accepting() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        if visit.request().await.is_err() {
            return;
        }
        visit.wire.send(ACCEPT).await;
        visit.wire.echo().await;
    })
    .await
}

/// Java's `HttpClient` sends `Content-Length: 0`, and the Docker client sends a
/// request body: the new protocol begins after it.
#[tokio::test]
async fn an_upgrade_may_have_a_body() {
    let upstream = accepting().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for request in [
        upgrade("/exec").body(""),
        Request::new("POST", "/exec")
            .header("Connection", "Upgrade")
            .header("Upgrade", "tcp")
            .body(r#"{"Detach":false}"#),
        Request::new("POST", "/exec")
            .header("Connection", "Upgrade")
            .header("Upgrade", "tcp")
            .chunked(&[b"{", b"}"], &[]),
    ] {
        let mut wire = gateway.connect().await;
        // Bytes that follow at once belong to the new protocol.
        let both = [request.to_bytes(), b"early".to_vec()].concat();
        wire.send(both).await;
        let response = wire.receive(request.method()).await;
        assert_eq!(response.status, 101, "{request:?}: {}", response.text());
        assert_eq!(wire.take(5).await.unwrap(), b"early");
        say(&mut wire, "late").await;
    }
    let bodies: Vec<Vec<u8>> = upstream
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies, [&b""[..], br#"{"Detach":false}"#, b"{}"]);
    for request in upstream.requests() {
        assert!(request.header("upgrade").is_some(), "{request:?}");
    }
}

/// Many servers switch protocols as soon as they have the head. The client gets
/// the `101` once its request is complete, and this is not a failure.
#[tokio::test]
async fn a_101_before_the_whole_request_waits_for_it() {
    let early = || {
        Upstream::raw(|mut visit: Visit| async move {
            let _ = visit.wire.receive_request_head().await;
            let _ = visit.wire.try_send(ACCEPT).await;
            visit.wire.echo().await;
        })
    };
    let (first, second) = (early().await, early().await);
    let config = Proxy::to(first.endpoint()).and(second.endpoint());
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..2 {
        let mut wire = gateway.connect().await;
        let whole = upgrade("/ws").body("0123456789").to_bytes();
        let (most, last) = whole.split_at(whole.len() - 1);
        wire.send(most).await;
        assert!(
            wire.is_silent_for(std::time::Duration::from_millis(100))
                .await
        );
        wire.send(last).await;
        assert_eq!(wire.receive("GET").await.status, 101);
        // The upstream echoes what it takes for its protocol.
        assert_eq!(wire.take(10).await.unwrap(), b"0123456789");
        say(&mut wire, "more").await;

        // A request that is never completed times out.
        let mut half = gateway.connect().await;
        half.send(most).await;
        half.finish().await;
        let rest = half.take_rest().await.unwrap_or_default();
        assert_eq!(rest, b"", "told of a change that never was");
    }
    for endpoint in gateway.status().await["upstreams"][0]["endpoints"]
        .as_array()
        .unwrap()
    {
        assert_eq!(endpoint["health"], "up", "{endpoint}");
    }
}

async fn open(gateway: &Gateway) -> Wire {
    let mut wire = gateway.connect().await;
    let response = wire.exchange(&upgrade("/ws")).await;
    assert_eq!(response.status, 101);
    wire
}

pub(crate) async fn say(wire: &mut Wire, word: &str) {
    wire.send(word).await;
    assert_eq!(wire.take(word.len()).await.unwrap(), word.as_bytes());
}

#[tokio::test]
async fn an_upgrade_passes_both_ways() {
    let upstream = accepting().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    let response = wire.exchange(&upgrade("/ws?x=y")).await;
    assert_eq!(response.status, 101);
    assert!(
        response
            .header("connection")
            .unwrap()
            .eq_ignore_ascii_case("upgrade")
    );
    assert_eq!(response.header("upgrade"), Some("websocket"));
    assert_eq!(response.header("sec-websocket-accept"), Some("x"));
    let request = upstream.only_request();
    assert_eq!(request.target, "/ws?x=y");
    assert!(
        request
            .header("connection")
            .unwrap()
            .eq_ignore_ascii_case("upgrade")
    );
    assert_eq!(request.header("upgrade"), Some("websocket"));
    assert_eq!(
        request.header("sec-websocket-key"),
        Some("dGhlIHNhbXBsZSBub25jZQ==")
    );
    for word in ["\x01\0 binary", "more", &"long ".repeat(50_000)] {
        let sent = wire.send(word);
        sent.await;
        assert_eq!(wire.take(word.len()).await.unwrap(), word.as_bytes());
    }
    wire.finish().await;
    assert!(wire.is_closed().await);
    assert_eventually!(gateway.status().await["in_flight"] == 0);
    let line = gateway.log_line("/ws").await;
    assert_eq!(line["status"], 101);
    assert_eq!(line["bytes_in"], line["bytes_out"]);
    assert_eq!(line["bytes_in"], 250_000 + 4 + 9);
    assert!(line.get("failure").is_none(), "{line}");
}

#[tokio::test]
async fn bytes_sent_with_the_head_are_not_lost() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        visit.request().await.unwrap();
        visit
            .wire
            .send(format!("{ACCEPT}early from upstream"))
            .await;
        let early = visit.wire.take(17).await.unwrap();
        assert_eq!(early, b"early from client");
        visit.wire.send("heard").await;
        let _ = visit.wire.take_some().await;
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    let mut bytes = upgrade("/").to_bytes();
    bytes.extend(b"early from client");
    wire.send(bytes).await;
    assert_eq!(wire.receive("GET").await.status, 101);
    assert_eq!(wire.take(24).await.unwrap(), b"early from upstreamheard");
}

#[tokio::test]
async fn a_side_that_closes_ends_the_other() {
    let upstream = accepting().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let wire = open(&gateway).await;
    assert_eq!(upstream.open(), 1);
    drop(wire);
    assert_eventually!(upstream.open() == 0);

    let closing = Upstream::raw(|mut visit: Visit| async move {
        visit.request().await.unwrap();
        visit.wire.send(format!("{ACCEPT}bye")).await;
    })
    .await;
    let gateway = Gateway::start(Proxy::to(closing.endpoint())).await;
    let mut wire = open(&gateway).await;
    assert_eq!(wire.take_rest().await.unwrap(), b"bye");
    wire.finish().await;
    assert_eventually!(gateway.status().await["in_flight"] == 0);
}

#[tokio::test]
async fn it_survives_reloads() {
    let upstream = accepting().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Gateway::start(&config).await;
    let mut wire = open(&gateway).await;
    say(&mut wire, "before").await;
    // Changes that do not concern it, the removal of its upstream, the removal
    // of its site.
    gateway
        .reload(config.clone().route("max_body = \"2MiB\""))
        .await;
    say(&mut wire, "after one").await;
    let other = Upstream::always(Reply::ok("other")).await;
    gateway.reload(Proxy::to(other.endpoint())).await;
    say(&mut wire, "after two").await;
    let listener = "[listeners.public]\naddress = \"127.0.0.1:0\"\n";
    let site = "[[sites]]\nhosts = [\"a.example\"]\nroutes = [{ path = \"/b\", respond = { body = \"b\" } }]\n";
    gateway.reload(format!("{listener}{site}")).await;
    say(&mut wire, "after three").await;
    assert_eq!(gateway.get("/").await.status, 404, "the new one is live");
}

#[tokio::test]
async fn an_idle_one_ends() {
    let upstream = accepting().await;
    let config = Proxy::to(upstream.endpoint()).route("idle_timeout = \"1500ms\"");
    let gateway = Gateway::start(config).await;
    let mut wire = open(&gateway).await;
    let begin = std::time::Instant::now();
    // A tunnel with traffic stays open.
    while begin.elapsed().as_millis() < 2000 {
        say(&mut wire, "still here").await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let silent = std::time::Instant::now();
    assert!(wire.is_closed().await);
    assert!(
        silent.elapsed().as_millis() > 1000,
        "{:?}",
        silent.elapsed()
    );
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn the_idle_timeout_of_the_route_is_not_that_of_the_response_head() {
    let upstream = accepting().await;
    let config = Proxy::to(upstream.endpoint())
        .upstream("response_head_timeout = \"300ms\"\nidle_timeout = \"300ms\"")
        .route("idle_timeout = \"86400s\"");
    let gateway = Gateway::start(config).await;
    let mut wire = open(&gateway).await;
    assert!(
        wire.is_silent_for(std::time::Duration::from_millis(900))
            .await
    );
    say(&mut wire, "awake").await;
}

#[tokio::test]
async fn a_refused_upgrade_is_a_response() {
    let upstream = Upstream::always(Reply::new(403).body("no")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    for _ in 0..2 {
        let response = wire.exchange(&upgrade("/")).await;
        assert_eq!((response.status, response.text()), (403, "no"));
    }
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_502() {
    let upstream = Upstream::always(Reply::raw(format!("{ACCEPT}HTTP/1.1 200 OK\r\n\r\n"))).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for request in [Request::get("/"), upgrade("/").http10()] {
        let response = gateway.send(request).await;
        assert_eq!(response.status, 502);
        assert_eq!(response.proxy_error(), Some("http_protocol_error"));
    }
}
