//! gRPC-Web with the client of tonic over HTTP/1.1, which knows the binary form: through a route
//! that translates, to a server of tonic.

use bytes::Bytes;
use janua_tests::{Gateway, Proxy, Vacant, assert_eventually};
use tonic::Code;

use crate::grpc_tonic::cases::{self, failed};
use crate::grpc_tonic::client::{Client, outcome};
use crate::grpc_tonic::server::{FLOOD, Server};
use crate::upstream_http2::HTTP2;

/// A gateway with one worker, whose route translates calls for the server.
async fn in_front_of(server: &Server) -> Gateway {
    let config = Proxy::to(server.endpoint())
        .upstream(HTTP2)
        .route("grpc_web = true");
    Gateway::start_one_worker(config).await
}

#[tokio::test]
async fn the_cases_of_interoperability() {
    let server = Server::start();
    let gateway = in_front_of(&server).await;
    let client = Client::web(gateway.address());
    cases::of_browsers(&client).await;
    cases::timeout_on_sleeping_server(&client).await;
    assert_eventually!(server.in_progress() == 0);
}

/// Over HTTP/1.1 a browser cancels a call by closing its connection.
#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_at_the_server() {
    let server = Server::start();
    let gateway = in_front_of(&server).await;
    let client = Client::web(gateway.address());
    let request = Bytes::from("1000000");
    let response = client.server_streaming("Flood", request).await.unwrap();
    let mut messages = response.into_inner();
    assert_eq!(messages.message().await.unwrap().unwrap().len(), FLOOD);
    assert_eq!(server.in_progress(), 1);
    drop(messages);
    assert_eventually!(server.in_progress() == 0);
}

#[tokio::test]
async fn a_failure_of_the_gateway_is_a_status() {
    let server = Server::start();
    let gone = Vacant::refusing();
    let config = Proxy::to(server.endpoint())
        .upstream(HTTP2)
        .route("grpc_web = true\nmax_body = \"1KiB\"")
        .also(
            "/test.Test/Sleep",
            "grpc_web = true\nrequest_timeout = \"200ms\"",
        )
        .also("/gone.Gone/", "upstream = \"gone\"\ngrpc_web = true")
        .beside("gone", &gone.endpoint());
    let config = config
        .to_string()
        .replace("[upstreams.gone]", "[upstreams.gone]\nhttp = \"2\"");
    let gateway = Gateway::start_one_worker(config).await;
    let client = Client::web(gateway.address());

    let dead = client.unary("/gone.Gone/Unary", Bytes::from("x")).await;
    assert_eq!(failed(dead).0, Code::Unavailable);
    let too_large = client.unary("Unary", Bytes::from(vec![b'x'; 2000])).await;
    assert_eq!(failed(too_large).0, Code::ResourceExhausted);
    let begun = client.server_streaming("Sleep", Bytes::from("60")).await;
    let late = outcome(begun).await;
    assert_eq!(failed(late).0, Code::DeadlineExceeded);
    assert_eventually!(server.in_progress() == 0);
}
