//! WebSockets to upstreams that speak HTTP/2 (RFC 8441).

use janua_tests::{
    Frame, Frames, Gateway, Http2Habits, Http2Stream, Http2Upstream, Proxy, Reply, Request,
    Settings, TlsServer, Wire, assert_eventually, flag, kind,
};
use tokio::net::TcpListener;

use crate::tls::Stage;
use crate::upstream_http2::HTTP2;
use crate::websocket::{ACCEPT, say, upgrade};

/// An upstream that takes WebSockets over HTTP/2.
async fn taking<R>(handler: impl Fn(Http2Stream) -> R + Send + Sync + 'static) -> Http2Upstream
where
    R: Future<Output = ()> + Send + 'static,
{
    let habits = Http2Habits {
        takes_websockets: true,
        ..Http2Habits::default()
    };
    Http2Upstream::raw_with(habits, handler).await
}

/// Takes every WebSocket, and echoes what it receives until the client has ended.
async fn echo(mut stream: Http2Stream) {
    let fields = [("sec-websocket-protocol", "chat")];
    if stream.respond(200, &fields).is_err() {
        return;
    }
    while let Ok(Some(bytes)) = stream.data().await {
        if stream.send(bytes).await.is_err() {
            return;
        }
    }
    let _ = stream.finish();
}

fn config(upstream: &Http2Upstream) -> Proxy {
    Proxy::to(upstream.endpoint())
        .upstream(HTTP2)
        .listener("http2 = true")
}

#[tokio::test]
async fn a_client_of_http1() {
    let (seen, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let upstream = taking(move |stream| {
        let _ = seen.send(stream.head());
        echo(stream)
    })
    .await;
    let gateway = Gateway::start_one_worker(config(&upstream)).await;
    let mut wire = gateway.connect().await;
    let request = upgrade("/ws?x=y").header("Origin", "https://a.example");
    let response = wire.exchange(&request).await;
    assert_eq!(response.status, 101, "{}", response.text());
    for (name, value) in [
        ("upgrade", "websocket"),
        // The example of RFC 6455 §1.3.
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let head = heads.recv().await.unwrap();
    assert_eq!(
        (&*head.method, &*head.target),
        ("CONNECT", "/ws?x=y"),
        "{head:?}"
    );
    for (name, value) in [
        (":protocol", Some("websocket")),
        (":scheme", Some("http")),
        (":authority", Some("a.example")),
        ("sec-websocket-version", Some("13")),
        ("sec-websocket-key", None),
        ("origin", Some("https://a.example")),
        ("upgrade", None),
        ("connection", None),
        ("content-length", None),
    ] {
        assert_eq!(head.header(name), value, "{name}");
    }
    for word in ["\x01\0 binary", &"long ".repeat(50_000)] {
        say(&mut wire, word).await;
    }
    // Another request uses the connection meanwhile.
    let mut other = gateway.connect().await;
    assert_eq!(other.exchange(&upgrade("/other")).await.status, 101);
    assert_eq!(upstream.connections(), 1);
    say(&mut other, "as well").await;
    wire.finish().await;
    assert!(wire.is_closed().await);
    let line = gateway.log_line("/ws").await;
    assert_eq!(line["status"], 101);
    assert_eq!(line["bytes_in"], line["bytes_out"]);
    assert!(line.get("failure").is_none(), "{line}");
    say(&mut other, "still").await;
}

#[tokio::test]
async fn a_client_of_http2() {
    let upstream = taking(echo).await;
    let gateway = Gateway::start_one_worker(config(&upstream)).await;
    let mut frames = Frames::over(gateway.connect().await);
    frames.open().await;
    frames.settle().await;
    let [_, scheme, authority, path] = Frame::request("CONNECT", "/socket");
    let connect = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        scheme,
        authority,
        path,
        ("sec-websocket-version", "13"),
    ];
    frames.send(&Frame::headers(1, &connect)).await;
    assert_eq!(frames.expect_status(1).await, 200);
    frames.send(&Frame::data(1, "hello")).await;
    let is_data = |frame: &Frame| frame.kind == kind::DATA && frame.stream == 1;
    assert_eq!(frames.expect("the echo", is_data).await.payload, b"hello");
    frames.send(&Frame::data(1, "").end_stream()).await;
    let ends = |frame: &Frame| frame.stream == 1 && frame.has(flag::END_STREAM);
    frames.expect("the end", ends).await;
}

/// What the upstream answers instead of accepting is a response like others.
#[tokio::test]
async fn a_refusal_is_passed_on() {
    let upstream = taking(async |mut stream| {
        let _ = stream.reply(&Reply::new(403).body("not you")).await;
    })
    .await;
    let gateway = Gateway::start_one_worker(config(&upstream)).await;
    let mut wire = gateway.connect().await;
    for _ in 0..2 {
        let response = wire.exchange(&upgrade("/ws")).await;
        assert_eq!((response.status, response.text()), (403, "not you"));
        assert_eq!(response.header("sec-websocket-accept"), None);
    }
    assert_eventually!(upstream.in_progress() == 0);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_reset_by_the_upstream_ends_the_client() {
    let upstream = taking(async |mut stream| {
        let _ = stream.respond(200, &[]);
        let _ = stream.data().await;
        stream.reset(2);
    })
    .await;
    let gateway = Gateway::start_one_worker(config(&upstream)).await;
    let mut wire = gateway.connect().await;
    assert_eq!(wire.exchange(&upgrade("/ws")).await.status, 101);
    wire.send("now").await;
    let _ = wire.take_rest().await;
    assert_eventually!(gateway.status().await["in_flight"] == 0);
}

#[tokio::test]
async fn a_client_that_goes_away_resets_the_stream() {
    let (seen, mut codes) = tokio::sync::mpsc::unbounded_channel();
    let upstream = taking(move |mut stream| {
        let seen = seen.clone();
        async move {
            let _ = stream.respond(200, &[]);
            let _ = stream.send("x".repeat(10)).await;
            let _ = seen.send(stream.cancelled().await);
        }
    })
    .await;
    let gateway = Gateway::start_one_worker(config(&upstream)).await;
    let mut wire = gateway.connect().await;
    assert_eq!(wire.exchange(&upgrade("/ws")).await.status, 101);
    wire.take(10).await.unwrap();
    wire.reset();
    // CANCEL.
    assert_eq!(codes.recv().await, Some(Some(8)));
    assert_eq!(upstream.open(), 1);
}

#[tokio::test]
async fn an_upstream_without_websockets_is_a_clear_failure() {
    let upstream = Http2Upstream::echo().await;
    let gateway = Gateway::start_one_worker(config(&upstream)).await;
    let response = gateway.send(upgrade("/ws")).await;
    assert_eq!(response.status, 502);
    assert_eq!(response.proxy_error(), Some("http_upgrade_failed"));
    let line = gateway.log_line("/ws").await;
    assert_eq!(line["failure"], "no_upgrade");
    assert!(line["notes"].to_string().contains("RFC 8441"), "{line}");
    assert_eq!(upstream.streams(), 0);
    // Other protocols are optional.
    let other = Request::get("/")
        .header("Connection", "upgrade")
        .header("Upgrade", "tcp");
    assert_eq!(gateway.send(other).await.status, 200);
}

#[tokio::test]
async fn a_handshake_that_is_not_complete() {
    let upstream = taking(async |mut stream| {
        if stream.request().await.is_ok() {
            let _ = stream.reply(&Reply::ok("plain")).await;
        }
    })
    .await;
    let gateway = Gateway::start_one_worker(config(&upstream)).await;
    let of_websocket = |method| {
        Request::new(method, "/ws")
            .header("Connection", "upgrade")
            .header("Upgrade", "websocket")
    };
    let without_key = gateway.send(of_websocket("GET")).await;
    assert_eq!(without_key.status, 400, "{}", without_key.text());
    assert_eq!(upstream.streams(), 0);
    // None that HTTP/2 could express, and an upgrade is optional.
    for request in [of_websocket("POST"), of_websocket("GET").body("x")] {
        let response = gateway.send(request).await;
        assert_eq!((response.status, response.text()), (200, "plain"));
    }
    let methods: Vec<_> = upstream
        .requests()
        .into_iter()
        .map(|one| one.method)
        .collect();
    assert_eq!(methods, ["POST", "GET"]);
}

/// A server that leaves the choice to its clients, and takes WebSockets only over HTTP/1.1. Returns
/// its address.
async fn with_a_choice(tls: TlsServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let wire = tls.accept(stream).await.unwrap();
                match wire.handshake().protocol.as_deref() {
                    Some("h2") => answer_http2(wire).await,
                    _ => answer_http1(wire).await,
                }
            });
        }
    });
    address
}

async fn answer_http2(wire: Wire) {
    let mut connection = h2::server::handshake(wire.into_io()).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let response = http::Response::builder().header("spoken", "2");
        let _ = respond.send_response(response.body(()).unwrap(), true);
    }
}

async fn answer_http1(mut wire: Wire) {
    while let Ok(request) = wire.receive_request().await {
        if request.target == "/plain" {
            let reply = Reply::ok("").header("spoken", "1.1");
            wire.send(reply.to_bytes("GET")).await;
            continue;
        }
        wire.send(ACCEPT).await;
        wire.echo().await;
        return;
    }
}

/// Of an endpoint that may choose, HTTP/1.1 is demanded for an upgrade.
#[tokio::test]
async fn with_auto_an_upgrade_uses_http1() {
    let stage = Stage::new();
    let identity = stage.authority.issue(&["app.internal"]);
    let tls = TlsServer::with(&identity).protocols(&["h2", "http/1.1"]);
    let endpoint = with_a_choice(tls).await;
    let lines = "http = \"auto\"\ntls = { ca = \"ca.pem\", server_name = \"app.internal\" }";
    // Each worker has connections of its own. On one without a connection of HTTP/2, an idle
    // one of HTTP/1.1 would serve the next request.
    let settings = Settings::new().workers(1);
    let config = Proxy::to(endpoint).upstream(lines);
    let gateway = stage.start_with(settings, config).await;
    for _ in 0..2 {
        assert_eq!(gateway.get("/").await.header("spoken"), Some("2"));
        let mut wire = gateway.connect().await;
        let response = wire.exchange(&upgrade("/ws")).await;
        assert_eq!(response.status, 101);
        assert_eq!(response.header("sec-websocket-accept"), Some("x"));
        say(&mut wire, "hello").await;
        let declined = gateway.send(upgrade("/plain")).await;
        assert_eq!(declined.status, 200);
        assert_eq!(declined.header("spoken"), Some("1.1"));
    }
}
