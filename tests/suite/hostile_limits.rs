//! Limits of what one client takes: connections, new connections in a second, requests in
//! progress; and of what one connection takes.

use std::net::{Ipv4Addr, SocketAddr};

use janua_tests::{
    Gateway, Metrics, Proxy, ReadError, Request, Response, Settings, Upstream, Visit, Wire,
    assert_eventually, is_over_http2,
};
use tokio::net::TcpSocket;

/// An address of this machine that is not the one by which tests usually connect.
pub(crate) const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
pub(crate) const USUAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Connects from an address of this machine. None if the connection is closed before the TLS
/// handshake, if there is one.
pub(crate) async fn connect_from(gateway: &Gateway, address: Ipv4Addr) -> Option<Wire> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((address, 0))).unwrap();
    let stream = socket.connect(gateway.address()).await.unwrap();
    gateway.secure(stream.into()).await.ok()
}

/// A connection that has been served; none if it was closed instead.
async fn served_from(gateway: &Gateway, address: Ipv4Addr) -> Option<Wire> {
    let mut wire = connect_from(gateway, address).await?;
    // A connection that is refused may be closed before the request is sent.
    wire.try_send(Request::get("/here").to_bytes()).await.ok()?;
    match wire.try_receive("GET").await {
        Ok(response) => {
            assert_eq!(response.status, 200);
            Some(wire)
        }
        Err(ReadError::Closed | ReadError::Incomplete(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn served(gateway: &Gateway) -> Option<Wire> {
    served_from(gateway, USUAL).await
}

/// A gateway that answers `/here` by itself and forwards the rest.
fn config(limits: &str, upstream: &str) -> Proxy {
    Proxy::to(upstream)
        .listener(limits)
        .also("/here", "respond = { status = 200, body = \"here\" }")
}

fn refused(metrics: &Metrics, reason: &str) -> f64 {
    let name = "janua_connections_refused_total";
    metrics.sum(name, &[("listener", "public"), ("reason", reason)])
}

#[tokio::test]
async fn connections_of_one_client() {
    let gateway =
        Gateway::start(config("client_limits = { connections = 2 }", "127.0.0.1:9")).await;
    let first = served(&gateway).await.expect("the first");
    let _second = served(&gateway).await.expect("the second");
    for _ in 0..3 {
        assert!(served(&gateway).await.is_none(), "over the limit");
    }
    let _other = served_from(&gateway, OTHER).await.expect("another client");
    assert_eq!(refused(&gateway.metrics().await, "client_connections"), 3.0);
    gateway.says("over a limit of `client_limits`").await;
    let lines = gateway.messages();
    assert_eq!(lines.matches("client_limits").count(), 1, "{lines}");
    assert!(lines.contains("client=\"127.0.0.1\""), "{lines}");
    drop(first);
    assert_eventually!(served(&gateway).await.is_some());
}

#[tokio::test]
async fn new_connections_of_one_client() {
    let limits = "client_limits = { connections_per_second = 1 }";
    let gateway = Gateway::start(config(limits, "127.0.0.1:9")).await;
    let mut count = 0;
    for _ in 0..20 {
        count += i32::from(served(&gateway).await.is_some());
    }
    assert!((1..20).contains(&count), "{count} of 20 were served");
    assert!(served_from(&gateway, OTHER).await.is_some());
    let refused = refused(&gateway.metrics().await, "client_rate");
    assert_eq!(refused, f64::from(20 - count));
    assert_eventually!(served(&gateway).await.is_some());
}

/// A request by way of a trusted proxy.
fn by_proxy(client: &str) -> Request {
    Request::get("/wait").header("X-Forwarded-For", client)
}

#[tokio::test]
async fn requests_of_one_client_behind_a_trusted_proxy() {
    const LIMITS: &str = "trusted_proxies = [\"127.0.0.1\"]\n\
        client_limits = { connections = 1, connections_per_second = 1, requests = 2 }";
    let (upstream, release) = Upstream::held().await;
    let gateway = Gateway::start(config(LIMITS, &upstream.endpoint())).await;
    // The connections of the proxy are not limited.
    let mut waiting = Vec::new();
    for client in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        let mut wire = gateway.connect().await;
        wire.send(by_proxy(client).to_bytes()).await;
        waiting.push(wire);
    }
    assert_eventually!(upstream.request_count() == 3);
    let mut wire = gateway.connect().await;
    let response = wire.exchange(&by_proxy("192.0.2.1")).await;
    assert_eq!(response.status, 429);
    assert_eq!(response.header("retry-after"), Some("1"));
    let proxy_status = response.header("proxy-status").unwrap();
    assert!(
        proxy_status.contains("http_request_denied"),
        "{proxy_status}"
    );
    // On the same connection another client is served.
    wire.send(by_proxy("192.0.2.3").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 4);
    release.send(true).unwrap();
    waiting.push(wire);
    for wire in &mut waiting {
        assert_eq!(wire.receive("GET").await.text(), "at last");
    }
    gateway.settled().await;
    for _ in 0..3 {
        let response = waiting[0].exchange(&by_proxy("192.0.2.1")).await;
        assert_eq!(response.status, 200);
    }
    let is_refused = |line: &serde_json::Value| line["failure"] == "too_many_requests";
    assert_eventually!(gateway.log().iter().any(is_refused));
    let log = gateway.log();
    let line = log.iter().find(|line| is_refused(line)).unwrap();
    assert_eq!(
        (&line["status"], &line["client_ip"], &line["site"]),
        (&429.into(), &"192.0.2.1".into(), &"*".into())
    );
    let kind = [("kind", "too_many_requests")];
    let failures = gateway.metric("janua_failures_total", &kind).await;
    assert_eq!(failures, 1.0);
}

/// Answers as the path says, and slowly.
async fn many_ways() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        let Ok(head) = visit.wire.receive_request_head().await else {
            return;
        };
        let wire = &mut visit.wire;
        match head.target.as_str() {
            "/endless" => {
                let _ = wire.try_send("HTTP/1.1 200 OK\r\n\r\n").await;
                while wire.try_send(vec![b'x'; 10_000]).await.is_ok() {}
            }
            "/tunnel" => {
                let head =
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
                let _ = wire.try_send(head).await;
                let _ = wire.take_rest().await;
            }
            "/cut" => {
                let _ = wire
                    .try_send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
                    .await;
            }
            "/bad" => {
                let _ = wire.try_send("nonsense\r\n\r\n").await;
            }
            _ => {
                let _ = wire.take_rest().await;
            }
        }
    })
    .await
}

/// Whatever becomes of a request, afterwards it is not counted any more.
#[tokio::test]
async fn a_request_is_counted_until_it_ends_in_any_way() {
    // It upgrades a connection, which HTTP/2 does otherwise.
    if is_over_http2() {
        return;
    }
    let upstream = many_ways().await;
    let config = config("client_limits = { requests = 1 }", &upstream.endpoint())
        .also("/cached", "cache = true");
    let gateway = Gateway::start(config).await;
    let upgrade = Request::get("/tunnel")
        .header("Connection", "upgrade")
        .header("Upgrade", "x");
    let body = Request::post("/silent", "x").to_bytes();
    let ways = [
        (
            "the client waits in vain",
            Request::get("/silent").to_bytes(),
        ),
        ("a fetch of the cache", Request::get("/cached").to_bytes()),
        (
            "the client reads without end",
            Request::get("/endless").to_bytes(),
        ),
        ("a tunnel", upgrade.to_bytes()),
        ("the body never ends", body[..body.len() - 1].to_vec()),
        ("the response is cut off", Request::get("/cut").to_bytes()),
        ("the response is malformed", Request::get("/bad").to_bytes()),
        ("the path is not valid", Request::get("/%00").to_bytes()),
        (
            "the method is refused",
            Request::new("TRACE", "/").to_bytes(),
        ),
    ];
    for (number, (way, request)) in ways.into_iter().enumerate() {
        for by_reset in [false, true] {
            // Who has only closed the sending side may still be waiting.
            if number < 2 && !by_reset {
                continue;
            }
            // A client has its response before the request has ended.
            gateway.settled().await;
            let before = upstream.connections();
            let mut wire = gateway.connect().await;
            wire.send(&request).await;
            if number < 5 {
                // It lasts, and nothing else is served meanwhile.
                assert_eventually!(upstream.connections() > before, "{way}");
                assert_eq!(gateway.get("/here").await.status, 429, "{way}");
            } else {
                let _ = wire.take_some().await;
            }
            match by_reset {
                true => wire.reset(),
                false => drop(wire),
            }
            assert_eventually!(gateway.get("/here").await.status == 200, "{way}");
        }
    }
}

/// Limits may come, change and go while clients are connected, on all workers.
#[tokio::test]
async fn reloads_keep_the_counts() {
    let with = |limits: &str| config(limits, "127.0.0.1:9");
    let mut gateway = Settings::new()
        .workers(2)
        .start(with("client_limits = { connections = 4 }"))
        .await;
    let mut held: Vec<Wire> = Vec::new();
    for _ in 0..4 {
        held.push(served(&gateway).await.expect("within the limit"));
    }
    assert!(served(&gateway).await.is_none());
    gateway
        .reload(with("client_limits = { connections = 5 }"))
        .await;
    held.push(served(&gateway).await.expect("within the new limit"));
    assert!(served(&gateway).await.is_none());
    gateway.reload(with("")).await;
    drop(served(&gateway).await.expect("without a limit"));
    gateway
        .reload(with("client_limits = { connections = 1 }"))
        .await;
    assert!(served(&gateway).await.is_none(), "five are still there");
    while held.len() > 1 {
        held.pop();
        assert!(served(&gateway).await.is_none(), "{} are there", held.len());
    }
    drop(held);
    assert_eventually!(gateway.status().await["connections"] == 0);
    for _ in 0..20 {
        let mut wire = served(&gateway).await.expect("nobody else is there");
        // The next one must not come before this one has gone.
        wire.finish().await;
        assert!(wire.is_closed().await);
        drop(wire);
        assert_eventually!(gateway.status().await["connections"] == 0);
    }
}

/// The responses to as many requests as the gateway takes on a connection.
async fn until_closed(wire: &mut Wire, requests: usize) -> Vec<Response> {
    let all: Vec<u8> = (0..requests)
        .flat_map(|_| Request::get("/here").to_bytes())
        .collect();
    wire.send(all).await;
    let mut responses = Vec::new();
    while let Ok(response) = wire.try_receive("GET").await {
        responses.push(response);
    }
    responses
}

#[tokio::test]
async fn the_most_requests_of_a_connection() {
    // `Connection` is of HTTP/1; see `http2`.
    if is_over_http2() {
        return;
    }
    let gateway = Gateway::start(config("max_requests = 3", "127.0.0.1:9")).await;
    let mut wire = gateway.connect().await;
    let responses = until_closed(&mut wire, 5).await;
    let ends: Vec<_> = responses
        .iter()
        .map(|response| (response.status, response.header("connection")))
        .collect();
    assert_eq!(ends, [(200, None), (200, None), (200, Some("close"))]);
    // A connection has its own count, and HTTP/1.0 is told as well.
    let mut wire = gateway.connect().await;
    let request = Request::get("/here")
        .http10()
        .header("Connection", "keep-alive");
    for expected in ["keep-alive", "keep-alive", "close"] {
        let response = wire.exchange(&request).await;
        assert_eq!(response.header("connection"), Some(expected));
    }
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn the_age_of_a_connection() {
    // `Connection` is of HTTP/1; see `http2`.
    if is_over_http2() {
        return;
    }
    let (upstream, release) = Upstream::held().await;
    let limits = "max_connection_age = \"1s\"\nidle_timeout = \"0s\"";
    let gateway = Gateway::start(config(limits, &upstream.endpoint())).await;
    let mut idle = served(&gateway).await.expect("it is new");
    let mut waiting = gateway.connect().await;
    waiting.send(Request::get("/wait").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    assert!(idle.is_closed().await, "while it is idle");
    // The other one is as old, up to a moment.
    assert_eventually!({
        let mut newer = gateway.connect().await;
        newer.is_closed().await
    });
    release.send(true).unwrap();
    let response = waiting.receive("GET").await;
    assert_eq!(response.text(), "at last");
    assert_eq!(response.header("connection"), Some("close"));
    assert!(waiting.is_closed().await);
}
