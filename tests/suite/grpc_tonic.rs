//! gRPC with tonic, the implementation of Rust: its client and its server, each also with the
//! other one of grpcio, in cleartext and over TLS.

pub(crate) mod cases;
pub(crate) mod client;
mod codec;
mod flow;
pub(crate) mod server;

use janua_tests::{Gateway, Proxy, Settings, Vacant, assert_eventually};
use tonic::{Code, Request};

use crate::grpc_python::{self, python};
use crate::tls::Stage;
use crate::upstream_http2::HTTP2;
use cases::{LARGE, failed};
use client::{Client, HOST, outcome};
use server::Server;

/// The upstream's side of a gateway that speaks TLS on both.
const TLS_UPSTREAM: &str =
    "http = \"2\"\ntls = { ca = \"ca.pem\", server_name = \"app.internal\" }";
const TLS_SITE: &str = "certificate = { cert = \"site.crt\", key = \"site.key\" }";

/// HTTP/2 in cleartext on both sides.
fn between(endpoint: &str) -> Proxy {
    Proxy::to(endpoint).upstream(HTTP2).listener("http2 = true")
}

/// A gateway without TLS.
pub(crate) async fn in_front_of(endpoint: &str) -> Gateway {
    Gateway::start_one_worker(between(endpoint)).await
}

/// A gateway with TLS on both sides, in the directory of the stage.
pub(crate) async fn with_tls(stage: Stage, endpoint: &str) -> Gateway {
    let config = Proxy::to(endpoint)
        .listener("tls = true")
        .site(TLS_SITE)
        .upstream(TLS_UPSTREAM);
    stage.start_with(Settings::new().workers(1), config).await
}

/// The gateway has passed on what was compressed as it was.
pub(crate) async fn passed_compressed(gateway: &Gateway) {
    let line = gateway.log_line("/test.Test/Compressed").await;
    for field in ["bytes_in", "bytes_out"] {
        let bytes = line[field].as_u64().unwrap();
        assert!(bytes < LARGE as u64 / 10, "{line}");
    }
}

#[tokio::test]
async fn between_tonic_and_tonic() {
    let server = Server::start();
    let gateway = in_front_of(&server.endpoint()).await;
    cases::all(&Client::connect(gateway.address()).await).await;
    passed_compressed(&gateway).await;
    assert_eventually!(server.in_progress() == 0);
}

#[tokio::test]
async fn between_tonic_and_tonic_over_tls() {
    let stage = Stage::new().with("site", &[HOST]);
    let server = Server::start_tls(&stage.authority.issue(&["app.internal"]));
    let authority = stage.authority.pem();
    let gateway = with_tls(stage, &server.endpoint()).await;
    cases::all(&Client::connect_tls(gateway.address(), &authority).await).await;
    passed_compressed(&gateway).await;
    assert_eventually!(server.in_progress() == 0);
}

#[tokio::test]
async fn between_tonic_and_grpcio() {
    let Some(python) = python() else {
        return;
    };
    let server = grpc_python::Server::start(&python);
    let gateway = in_front_of(server.endpoint()).await;
    cases::all(&Client::connect(gateway.address()).await).await;
    passed_compressed(&gateway).await;
}

#[tokio::test]
async fn between_grpcio_and_tonic() {
    let Some(python) = python() else {
        return;
    };
    let server = Server::start();
    let gateway = in_front_of(&server.endpoint()).await;
    grpc_python::run_client(python, vec![gateway.address().to_string()]).await;
    passed_compressed(&gateway).await;
    assert_eventually!(server.in_progress() == 0);
}

#[tokio::test]
async fn a_failure_of_the_gateway_is_a_status_of_tonic() {
    let server = Server::start();
    let gone = Vacant::refusing();
    let config = between(&server.endpoint())
        .route("path = \"/test.Test/Collect\"\nmax_body = \"1KiB\"")
        .also("/test.Test/Sleep", "request_timeout = \"200ms\"")
        .also("/test.Test/Hold", "request_timeout = \"200ms\"")
        .also("/gone.Gone/", "upstream = \"gone\"")
        .beside("gone", &gone.endpoint());
    let gateway = Gateway::start_one_worker(config).await;
    let client = Client::connect(gateway.address()).await;
    let message = || tokio_stream::once(vec![b'x'; 2000].into());

    let dead = client
        .unary("/gone.Gone/Unary", Request::new("x".into()))
        .await;
    assert_eq!(failed(dead).0, Code::Unavailable);
    let nowhere = client.unary("/no.No/Unary", Request::new("x".into())).await;
    assert_eq!(failed(nowhere).0, Code::Unimplemented);
    let too_large = client.client_streaming("Collect", message()).await;
    assert_eq!(failed(too_large).0, Code::ResourceExhausted);
    let late = client.client_streaming("Hold", message()).await;
    assert_eq!(failed(late).0, Code::DeadlineExceeded);
    // And in the middle of a response.
    let messages = Request::new(tokio_stream::once("60".into()));
    let late = outcome(client.streaming("Sleep", messages).await).await;
    assert_eq!(failed(late).0, Code::DeadlineExceeded);
    assert_eventually!(server.in_progress() == 0);
}

/// Each refusal by a policy too, whatever the status of HTTP is that it chooses.
#[tokio::test]
async fn a_refusal_by_a_policy_is_a_status_of_tonic() {
    let server = Server::start();
    let proxy = between(&server.endpoint())
        .route("policies = [\"limit\"]")
        .also("/closed.Closed/", "policies = [\"clients\"]");
    let config = format!(
        r#"
[policies.limit]
component = "rate-limit"
config = {{ rate = "1/d" }}
[policies.clients]
component = "api-key"
config = {{ keys = {{ nobody = "sha256:{}" }} }}
{proxy}"#,
        "0".repeat(64)
    );
    let gateway = Gateway::start_one_worker(config).await;
    let client = Client::connect(gateway.address()).await;
    let mut codes = Vec::new();
    for path in ["Unary", "Unary", "/closed.Closed/Unary"] {
        let called = client.unary(path, Request::new("x".into())).await;
        codes.push(called.map_or_else(|status| status.code(), |_| Code::Ok));
    }
    let expected = [Code::Ok, Code::ResourceExhausted, Code::Unauthenticated];
    assert_eq!(codes, expected);
}
