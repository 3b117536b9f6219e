//! What concerns only the connection between client and gateway: versions,
//! closing, `100-continue`, interim responses, pipelining.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream, is_over_http2};

#[tokio::test]
async fn clients_of_http_10() {
    // HTTP/1.0.
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::always(Reply::ok("x")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    let keep = Request::get("/")
        .http10()
        .header("Connection", "keep-alive");
    for _ in 0..2 {
        let response = wire.exchange(&keep).await;
        assert_eq!(response.header("connection"), Some("keep-alive"));
    }
    wire.exchange(&Request::get("/").http10()).await;
    assert!(
        wire.is_closed().await,
        "without keep-alive the connection ends"
    );

    let mut wire = gateway.connect().await;
    wire.send("GET /hostless HTTP/1.0\r\n\r\n").await;
    assert_eq!(wire.receive("GET").await.status, 200);
    let last = upstream.requests().pop().unwrap();
    assert_eq!(
        last.version, "HTTP/1.1",
        "the upstream is spoken to in HTTP/1.1"
    );
    assert_eq!(last.header("host"), Some(""));
}

#[tokio::test]
async fn clients_that_ask_to_close() {
    // `Connection` is of HTTP/1.
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::always(Reply::ok("x")).await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    let response = wire
        .exchange(&Request::get("/").header("Connection", "close"))
        .await;
    assert_eq!(response.header("connection"), Some("close"));
    assert!(wire.is_closed().await);
    // The field concerns only the connection between client and gateway.
    gateway.get("/").await;
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn expect_100_continue() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        .await;
    let head = wire.receive_head("POST").await.unwrap();
    assert_eq!(head.status, 100);
    wire.send("abc").await;
    let response = wire.receive("POST").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.interim.len(), 0, "once is enough");
    assert_eq!(response.json()["body"], "abc");
    assert!(response.json()["headers"].get("expect").is_none());
}

#[tokio::test]
async fn expect_100_continue_of_what_is_refused() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).route("path = \"/only\"\nmax_body = \"10B\"");
    let gateway = Gateway::start(config).await;
    for (path, length, status) in [("/other", 3, 404), ("/only", 11, 413)] {
        let mut wire = gateway.connect().await;
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        ))
        .await;
        let response = wire.receive("POST").await;
        assert_eq!(response.status, status);
        assert_eq!(
            response.interim.len(),
            0,
            "a body that is refused is not asked for"
        );
        assert!(wire.is_closed().await, "whether it comes nobody knows");
    }
}

#[tokio::test]
async fn interim_responses() {
    // HTTP/1.0; see `http2_heads`.
    if is_over_http2() {
        return;
    }
    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n\
        HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    let upstream = Upstream::always(Reply::raw(HINTS)).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let response = gateway.get("/").await;
    let interim: Vec<_> = response
        .interim
        .iter()
        .map(|interim| interim.status)
        .collect();
    assert_eq!(interim, [103, 102]);
    assert_eq!(
        response.interim[0].header("link"),
        Some("</a.css>; rel=preload")
    );
    assert_eq!(response.text(), "x");
    // HTTP/1.0 has no interim responses (RFC 9110, section 15.2).
    let response = gateway.send(Request::get("/").http10()).await;
    assert_eq!((response.interim.len(), response.text()), (0, "x"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    let mut all = Vec::new();
    for n in 0..20 {
        let path = format!("/{n}");
        let request = match n % 3 {
            0 => Request::get(&path),
            1 => Request::post(&path, format!("body {n}")),
            _ => Request::new("PUT", &path).chunked(&[b"body ", n.to_string().as_bytes()], &[]),
        };
        all.extend(request.to_bytes());
    }
    wire.send(all).await;
    for n in 0..20 {
        let echo = wire.receive("GET").await.json();
        assert_eq!(echo["target"], format!("/{n}"));
        let body = if n % 3 == 0 {
            String::new()
        } else {
            format!("body {n}")
        };
        assert_eq!(echo["body"], body);
    }
}
