//! Policies on a route of gRPC-Web: what they see and edit in the heads, and what a client gets
//! that they refuse.

use bytes::Bytes;
use janua_tests::{Gateway, Http2Upstream, Proxy, Reply, Request, component, granted};
use tonic::Code;

use crate::grpc_tonic::cases::failed;
use crate::grpc_tonic::client::Client;
use crate::grpc_tonic::server::Server;
use crate::policies_seen::lines;
use crate::upstream_http2::HTTP2;

const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";

/// A gateway whose route of gRPC-Web has these policies.
async fn with(endpoint: String, names: &str, tables: &str) -> Gateway {
    let proxy = Proxy::to(endpoint)
        .upstream(HTTP2)
        .route(&format!("grpc_web = true\npolicies = [{names}]"));
    Gateway::start_one_worker(granted(format!("{tables}\n{proxy}"))).await
}

/// A call with an empty message.
fn call(content_type: &str) -> Request {
    let message: &[u8] = match content_type {
        BINARY => &[0; 5],
        _ => b"AAAAAAA=",
    };
    Request::post("/a.A/Unary", message).header("Content-Type", content_type)
}

/// A request as it was translated, and a response that has not been translated yet where it is
/// about to be stored, and has been where it is about to be sent.
#[tokio::test]
async fn what_a_policy_sees_and_edits() {
    let upstream = Http2Upstream::http(async |request| {
        let trailers = [("grpc-status", "0")];
        Reply::chunked(&[&request.body], &trailers).header("content-type", "application/grpc+proto")
    })
    .await;
    let tables = format!(
        r#"
[policies.probe]
component = "{}"
[policies.probe.config]
label = "probe"
show = ["header:content-type", "header:te", "header:x-grpc-web", "header:accept-encoding"]
show_fetched = ["response_header:content-type"]
show_response = ["response_header:content-type", "status"]
[policies.edits]
component = "headers"
[policies.edits.config]
request = {{ set = {{ X-Edited = "yes" }} }}
response = {{ set = {{ Access-Control-Expose-Headers = "grpc-status" }} }}
"#,
        component("probe").display()
    );
    let gateway = with(upstream.endpoint(), r#""probe", "edits""#, &tables).await;
    for sent in [BINARY, TEXT] {
        let request = call(sent)
            .header("X-Grpc-Web", "1")
            .header("Accept-Encoding", "gzip");
        let response = gateway.send(request).await;
        assert_eq!(response.header("content-type"), Some(sent));
        let exposed = response.header("access-control-expose-headers");
        assert_eq!(exposed, Some("grpc-status"));
        let shown = format!("probe response_header:content-type={sent} status=200");
        assert_eq!(response.header("x-probe"), Some(&*shown));
        let fetched = "probe response_header:content-type=application/grpc+proto";
        assert_eq!(response.header("x-fetched"), Some(fetched));
    }
    for received in upstream.requests() {
        let shown = lines(&received.fields, "x-probe");
        let expected = "probe header:content-type=application/grpc+proto header:te \
            header:x-grpc-web=1 header:accept-encoding";
        assert_eq!(shown, [expected]);
        assert_eq!(received.header("x-edited"), Some("yes"));
        assert_eq!(received.header("te"), Some("trailers"));
    }
}

/// The client gets a status of gRPC and the fields of the policy's answer, and the server is not
/// called.
#[tokio::test]
async fn a_call_that_a_policy_refuses() {
    let server = Server::start();
    let tables = r#"
[policies.clients]
component = "api-key"
[policies.clients.config.keys]
demo = "sha256:2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea"
"#;
    let gateway = with(server.endpoint(), r#""clients""#, tables).await;
    for content_type in [BINARY, TEXT] {
        let response = gateway.send(call(content_type)).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("grpc-status"), Some("16"));
        assert_eq!(response.header("grpc-message"), Some("Unauthorized"));
        assert_eq!(response.header("www-authenticate"), Some("ApiKey"));
        let kind = content_type.trim_end_matches("+proto");
        assert_eq!(lines(&response.fields, "content-type"), [kind]);
        assert_eq!(response.text(), "");
    }
    let line = gateway.log_line("/a.A/Unary").await;
    assert_eq!(line["answered_by"], "policy", "{line}");
    assert_eq!(line["upstream"], serde_json::Value::Null, "{line}");
    let client = Client::web(gateway.address());
    let refused = client.unary("Unary", Bytes::from("x")).await;
    let expected = (Code::Unauthenticated, "Unauthorized".to_owned());
    assert_eq!(failed(refused), expected);
    let mut request = tonic::Request::new(Bytes::from("x"));
    let key = "demo".parse().unwrap();
    request.metadata_mut().insert("x-api-key", key);
    let response = client.unary("Unary", request).await.unwrap();
    assert_eq!(response.into_inner(), "x");
    // What is no call gets the answer as it is.
    let response = gateway.send(Request::post("/a.A/Unary", "x")).await;
    assert_eq!(response.status, 401);
    let body: serde_json::Value = serde_json::from_str(response.text()).unwrap();
    assert_eq!(body["status"], 401, "{body}");
}
