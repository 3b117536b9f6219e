//! Messages over TLS on both sides: their bodies, their ends, and what TLS does in between.

use janua_tests::{
    Framing, Gateway, Proxy, ReadError, Reply, Request, Settings, TlsServer, Upstream, Visit,
    assert_eventually, filler, filler_difference,
};

use crate::tls::{LISTENER, Stage, get, site};

const HOST: &str = "a.shop.example";
const SIZE: usize = 12 * 1024 * 1024 + 5;

const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

/// A gateway with TLS on both sides, and an upstream that runs `handler`.
async fn both_sides<F, R>(handler: F) -> (Upstream, Gateway)
where
    F: Fn(Visit) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let stage = Stage::new();
    let identity = stage.authority.issue(&["app.internal"]);
    let upstream = Upstream::tls_raw(TlsServer::with(&identity), handler).await;
    let config = Proxy::to(upstream.endpoint())
        .upstream("tls = { ca = \"ca.pem\", server_name = \"app.internal\" }")
        .route("max_body = \"100MiB\"");
    let settings = Settings::new().over_tls();
    let gateway = stage.start_with(settings, config).await;
    (upstream, gateway)
}

#[tokio::test]
async fn large_bodies_arrive_whole_in_both_directions() {
    let (upstream, gateway) = both_sides(|mut visit: Visit| async move {
        while let Ok(request) = visit.request().await {
            assert_eq!(request.body.len(), SIZE);
            assert_eq!(filler_difference(0, &request.body), None);
            let reply = match &*request.target {
                "/chunked" => Reply::chunked(&[&filler(0, SIZE)], &[("Digest", "x")]),
                _ => Reply::ok(filler(0, SIZE)),
            };
            visit.wire.send(reply.to_bytes("POST")).await;
        }
    })
    .await;
    let mut wire = gateway.connect().await;
    for target in ["/length", "/chunked"] {
        let request = match target {
            "/chunked" => Request::new("POST", target).chunked(&[&filler(0, SIZE)], &[]),
            _ => Request::post(target, filler(0, SIZE)),
        };
        let response = wire.exchange(&request).await;
        assert_eq!((response.status, response.body.len()), (200, SIZE));
        assert_eq!(filler_difference(0, &response.body), None);
        let framing = match target {
            "/chunked" => Framing::Chunked,
            _ => Framing::Length(SIZE),
        };
        assert_eq!(response.framing, framing);
    }
    assert_eq!(upstream.connections(), 1);
}

/// The sizes around those of records: 16 KiB of data each.
#[tokio::test]
async fn bodies_of_about_a_record_arrive_whole() {
    let (_upstream, gateway) = both_sides(|mut visit: Visit| async move {
        while let Ok(request) = visit.request().await {
            let reply = Reply::ok(request.body);
            visit.wire.send(reply.to_bytes("POST")).await;
        }
    })
    .await;
    let mut wire = gateway.connect().await;
    for size in [
        0, 1, 16_383, 16_384, 16_385, 32_768, 65_535, 65_536, 65_537, 131_073,
    ] {
        let response = wire.exchange(&Request::post("/", filler(0, size))).await;
        assert_eq!(response.body.len(), size);
        assert_eq!(filler_difference(0, &response.body), None, "{size}");
    }
}

#[tokio::test]
async fn requests_may_be_cut_into_records_anywhere() {
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let gateway = stage
        .start(format!("{LISTENER}{}", site("a", &[HOST], "")))
        .await;
    for version in ["1.2", "1.3"] {
        let client = client.clone().version(version);
        let mut wire = gateway.connect_tls(&client, HOST).await;
        let request = Request::get("/").host(HOST).to_bytes();
        for byte in &request {
            wire.send([*byte]).await;
        }
        assert_eq!(wire.receive("GET").await.text(), "a");
        // Pipelined: many in one record, and the last of them in two.
        let many = request.repeat(40);
        let (first, rest) = many.split_at(many.len() - 10);
        wire.send(first).await;
        for _ in 0..39 {
            assert_eq!(wire.receive("GET").await.text(), "a");
        }
        wire.send(rest).await;
        assert_eq!(wire.receive("GET").await.text(), "a");
    }
}

/// A client may end its side once it has sent its request.
#[tokio::test]
async fn a_client_may_close_its_side_and_gets_its_response() {
    let (_upstream, gateway) = both_sides(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            let reply = Reply::ok(filler(0, SIZE));
            visit.wire.send(reply.to_bytes("GET")).await;
        }
    })
    .await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    wire.finish().await;
    let response = wire.receive("GET").await;
    assert_eq!(response.body.len(), SIZE);
    // The end is said: whoever is on the way could close the connection too.
    assert_eq!(wire.take_rest().await, Ok(Vec::new()));
}

/// Each way in which the gateway ends a connection without a failure has a `close_notify`.
#[tokio::test]
async fn the_end_of_a_connection_is_said() {
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let listener = LISTENER.to_owned() + "idle_timeout = \"300ms\"\n";
    let settings = Settings::new().drain_timeout("20s");
    let mut gateway = stage
        .start_with(settings, format!("{listener}{}", site("a", &[HOST], "")))
        .await;
    for version in ["1.2", "1.3"] {
        let client = client.clone().version(version);
        // Asked for by the client.
        let mut wire = gateway.connect_tls(&client, HOST).await;
        let request = Request::get("/").host(HOST).header("Connection", "close");
        assert_eq!(wire.exchange(&request).await.status, 200);
        assert_eq!(wire.take_rest().await, Ok(Vec::new()), "{version}");
        // Not a request.
        let mut wire = gateway.connect_tls(&client, HOST).await;
        wire.send("nonsense\r\n\r\n").await;
        assert_eq!(wire.receive("GET").await.status, 400);
        assert_eq!(wire.take_rest().await, Ok(Vec::new()), "{version}");
        // Idle.
        let mut wire = gateway.connect_tls(&client, HOST).await;
        assert_eq!(get(&mut wire, HOST).await.status, 200);
        assert_eq!(wire.take_rest().await, Ok(Vec::new()), "{version}");
    }
    // The gateway ends.
    let mut wire = gateway.connect_tls(&client, HOST).await;
    assert_eq!(get(&mut wire, HOST).await.status, 200);
    gateway.signal(rustix::process::Signal::TERM);
    assert_eq!(wire.take_rest().await, Ok(Vec::new()));
    assert_eq!(gateway.ended().await, Some(0));
}

/// A body that the connection's end delimits is complete only if the end was said, and the
/// client must be able to tell.
#[tokio::test]
async fn an_aborted_response_does_not_end_as_a_complete_one() {
    let (_upstream, gateway) = both_sides(|mut visit: Visit| async move {
        if visit.request().await.is_ok() {
            visit.wire.send("HTTP/1.1 200 OK\r\n\r\npart").await;
            visit.wire.truncate();
            let _ = visit.wire.take_rest().await;
        }
    })
    .await;
    let mut wire = gateway.connect().await;
    // HTTP/1.0 has no chunks: its client goes by the end of the connection.
    wire.send(Request::get("/").http10().to_bytes()).await;
    let cut = wire.try_receive("GET").await;
    assert!(matches!(cut, Err(ReadError::Incomplete(_))), "{cut:?}");
}

/// An upload that is cut is not passed on as a complete one.
#[tokio::test]
async fn a_cut_upload_is_an_error() {
    let (upstream, gateway) = both_sides(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            visit.wire.send(Reply::ok("x").to_bytes("POST")).await;
        }
    })
    .await;
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut wire = gateway.connect().await;
        wire.send(format!(
            "POST /cut HTTP/1.1\r\nHost: a.example\r\n{head}\r\n\r\n"
        ))
        .await;
        wire.send("5\r\nabcde\r\n").await;
        wire.truncate();
        assert!(wire.is_closed().await, "{head}");
    }
    let cut = || {
        gateway
            .log()
            .into_iter()
            .filter(|line| line["path"] == "/cut")
    };
    assert_eventually!(cut().count() == 2);
    for line in cut() {
        assert_eq!(line["failure"], "client_gone", "{line}");
    }
    assert_eq!(upstream.request_count(), 0);
}

/// Clients seldom say that they close, and without a body that is as good.
#[tokio::test]
async fn a_client_may_leave_without_a_word_between_requests() {
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let gateway = stage
        .start(format!("{LISTENER}{}", site("a", &[HOST], "")))
        .await;
    for version in ["1.2", "1.3"] {
        let client = client.clone().version(version);
        let mut wire = gateway.connect_tls(&client, HOST).await;
        get(&mut wire, HOST).await;
        wire.truncate();
        assert_eq!(wire.take_rest().await, Ok(Vec::new()), "{version}");
        // Before the first request.
        let mut wire = gateway.connect_tls(&client, HOST).await;
        wire.truncate();
        assert_eq!(wire.take_rest().await, Ok(Vec::new()), "{version}");
    }
    gateway.settled().await;
    assert_eq!(gateway.status().await["requests"], 2);
    assert_eventually!(gateway.log().len() == 2, "{:?}", gateway.log());
}

/// An upgraded connection ends on the other side too, however it ends on one.
#[tokio::test]
async fn a_cut_tunnel_ends_on_both_sides() {
    let (upstream, gateway) = both_sides(|mut visit: Visit| async move {
        let Ok(request) = visit.request().await else {
            return;
        };
        visit.wire.send(SWITCHING).await;
        if request.target == "/upstream" {
            visit.wire.truncate();
        }
        let _ = visit.wire.take_rest().await;
    })
    .await;
    for target in ["/client", "/upstream"] {
        let mut wire = gateway.connect().await;
        let request = Request::get(target)
            .header("Connection", "Upgrade")
            .header("Upgrade", "x");
        assert_eq!(wire.exchange(&request).await.status, 101);
        if target == "/client" {
            wire.truncate();
        }
        assert!(wire.is_closed().await, "{target}");
        assert_eventually!(upstream.open() == 0, "{target}");
    }
}

/// New keys are no request: they neither count as one nor end the connection.
#[tokio::test]
async fn a_client_may_change_its_keys_at_any_time() {
    let stage = Stage::new();
    let upstream = Upstream::always(Reply::ok(filler(0, SIZE))).await;
    let settings = Settings::new().workers(1).over_tls();
    let gateway = stage
        .start_with(settings, Proxy::to(upstream.endpoint()))
        .await;
    let mut wire = gateway.connect().await;
    for _ in 0..3 {
        wire.update_keys().await;
        wire.send(Request::get("/").to_bytes()).await;
        let head = wire.receive_head("GET").await.unwrap();
        wire.update_keys().await;
        let (body, _) = wire.take_body(head.framing).await.unwrap();
        assert_eq!(filler_difference(0, &body), None);
        assert_eq!(body.len(), SIZE);
    }
    gateway.settled().await;
    wire.update_keys().await;
    // This answer is later than the look at the new keys: there is one worker.
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eventually!(gateway.status().await["in_flight"] == 0);
    assert_eq!(gateway.status().await["requests"], 4);
}

/// Each change of keys costs the gateway as much as the client: without data in between they
/// are soon too many.
#[tokio::test]
async fn a_flood_of_new_keys_ends_the_connection() {
    let stage = Stage::new().with("a", &[HOST]);
    let client = stage.client();
    let gateway = stage
        .start(format!("{LISTENER}{}", site("a", &[HOST], "")))
        .await;
    let mut wire = gateway.connect_tls(&client, HOST).await;
    let mut other = gateway.connect_tls(&client, HOST).await;
    for _ in 0..20 {
        wire.update_keys().await;
    }
    assert_eq!(get(&mut wire, HOST).await.status, 200);
    for _ in 0..200 {
        if wire.try_update_keys().await.is_err() {
            break;
        }
    }
    assert!(wire.is_closed().await);
    assert_eq!(get(&mut other, HOST).await.status, 200);
}
