//! Minimum rates on a route of gRPC-Web: a stream of messages may pause, but whoever reads slowly
//! or sends anything else slowly loses the connection there too.

use std::time::Duration;

use janua_tests::{
    Framing, Gateway, Http2Stream, Http2Upstream, Proxy, Request, Wire, assert_eventually,
};

use crate::hostile_rates::read_slowly;
use crate::upstream_http2::HTTP2;

const BINARY: &str = "application/grpc-web+proto";

/// A server that answers each message with the same one, as it arrives, and sends without end if it
/// is asked for that.
async fn server() -> Http2Upstream {
    Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[("content-type", "application/grpc+proto")]);
        if stream.head().target == "/a.A/Endless" {
            while stream.send(message(64 * 1024)).await.is_ok() {}
            return;
        }
        while let Ok(Some(bytes)) = stream.data().await {
            if stream.send(bytes).await.is_err() {
                return;
            }
        }
        let _ = stream.finish_with(&[("grpc-status", "0")]);
    })
    .await
}

/// A gateway with these rates, where other time limits do not matter.
async fn translating(upstream: &Http2Upstream, rates: &str) -> Gateway {
    let config = Proxy::to(upstream.endpoint())
        .listener(&format!("min_rate = {{ {rates}, grace = \"1s\" }}"))
        .upstream(&format!("{HTTP2}\nidle_timeout = \"1h\""))
        .route("grpc_web = true");
    Gateway::start_one_worker(config).await
}

fn message(size: usize) -> Vec<u8> {
    let length = u32::try_from(size).unwrap().to_be_bytes();
    [&[0][..], &length, &vec![b'x'; size]].concat()
}

async fn begin(gateway: &Gateway, path: &str, content_type: &str) -> Wire {
    let request = Request::new("POST", path)
        .header("Content-Type", content_type)
        .header("Transfer-Encoding", "chunked");
    let mut wire = gateway.connect().await;
    wire.send(request.to_bytes()).await;
    wire
}

/// A message in each direction, now and then, and for longer than the grace.
#[tokio::test]
async fn a_stream_with_pauses_stays_open() {
    let upstream = server().await;
    let rates = "head = 1000, body = \"1MiB\", read = \"1MiB\"";
    let gateway = translating(&upstream, rates).await;
    let mut wire = begin(&gateway, "/a.A/Echo", BINARY).await;
    let head = wire.receive_head("POST").await.unwrap();
    assert_eq!(head.framing, Framing::Chunked);
    let one = message(1);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        wire.send(format!("{:x}\r\n", one.len())).await;
        wire.send(&one).await;
        wire.send("\r\n").await;
        assert_eq!(wire.take_chunk().await.unwrap(), one);
    }
    wire.send("0\r\n\r\n").await;
    let (rest, _) = wire.take_body(head.framing).await.unwrap();
    assert!(rest.ends_with(b"grpc-status: 0\r\n"), "{rest:?}");
}

/// What is no call of gRPC-Web has the same limit as everywhere.
#[tokio::test]
async fn a_dripping_body_that_is_no_call() {
    let upstream = server().await;
    let gateway = translating(&upstream, "body = \"1MiB\"").await;
    let mut wire = begin(&gateway, "/a.A/Echo", "text/plain").await;
    let mut is_cut = false;
    for _ in 0..400 {
        if wire.try_send("1\r\nx\r\n").await.is_err() {
            is_cut = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(is_cut, "the gateway is as patient as the client");
    let line = gateway.log_line("/a.A/Echo").await;
    assert_eq!(line["failure"], "request_timeout");
    assert!(line["notes"].to_string().contains("too slowly"), "{line}");
}

/// The kernel takes some MiB before it makes the gateway wait, so the minimum is high here.
#[tokio::test]
async fn a_slow_reader() {
    let upstream = server().await;
    let gateway = translating(&upstream, "read = \"1GiB\"").await;
    let mut wire = gateway.connect().await;
    wire.set_receive_buffer(64 * 1024);
    let request = Request::post("/a.A/Endless", message(1)).header("Content-Type", BINARY);
    wire.send(request.to_bytes()).await;
    wire.receive_head("POST").await.unwrap();
    read_slowly(&mut wire).await;
    assert_eventually!(upstream.in_progress() == 0);
    let line = gateway.log_line("/a.A/Endless").await;
    assert_eq!(line["failure"], "client_gone");
    assert!(line["notes"].to_string().contains("too slowly"), "{line}");
}
