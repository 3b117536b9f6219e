//! gRPC-Web from a page in a browser, with the client of the gRPC project, over both versions of
//! HTTP. `tests/spa/grpc` contains the page and its calls.

use janua_tests::{Settings, Vacant, assert_eventually, built};
use serde_json::json;

use crate::grpc_tonic::server::Server;
use crate::spa::{browser, drive};
use crate::tls::Stage;

const HOST: &str = "web.example";

#[tokio::test]
async fn a_page_makes_calls() {
    let Some((node, chromium)) = browser() else {
        return;
    };
    let server = Server::start();
    let gone = Vacant::refusing();
    let stage = Stage::new().with("site", &[HOST]);
    let page = stage.directory.path().join("page");
    let tools = built("tools/spa");
    std::fs::create_dir(&page).unwrap();
    for (from, to) in [
        ("grpc/index.html", "index.html"),
        ("grpc/calls.js", "calls.js"),
        ("node_modules/grpc-web/index.esm.js", "grpc-web.js"),
    ] {
        std::fs::copy(tools.join(from), page.join(to)).unwrap();
    }
    let config = config(&server.endpoint(), &gone.endpoint());
    let settings = Settings::new().workers(1);
    let gateway = stage.start_with(settings, config).await;
    let port = |listener| gateway.address_of(listener).port();
    let settings = json!({
        "origins": {
            "http/1.1": format!("http://{HOST}:{}", port("clear")),
            "h2": format!("https://{HOST}:{}", port("secure")),
        },
        "certificate": gateway.directory().join("site.crt"),
        "address": "127.0.0.1",
        "chromium": chromium,
    });
    drive(&node, "grpc/drive.mjs", &settings, gateway.directory()).await;
    assert_eventually!(server.in_progress() == 0);
}

/// The page with its calls; `/gone.Gone/` has no server, and `/closed.Closed/` a policy that
/// refuses all calls of the page.
fn config(endpoint: &str, gone: &str) -> String {
    format!(
        r#"
[listeners.clear]
address = "127.0.0.1:0"

[listeners.secure]
address = "127.0.0.1:0"
tls = true

[upstreams.calls]
endpoints = ["{endpoint}"]
http = "2"

[upstreams.gone]
endpoints = ["{gone}"]
http = "2"

[policies.clients]
component = "api-key"
config = {{ keys = {{ nobody = "sha256:{}" }} }}

[[sites]]
hosts = ["{HOST}"]
certificate = {{ cert = "site.crt", key = "site.key" }}

[[sites.routes]]
path = "/"
files = "page"

[[sites.routes]]
path = "/test.Test/"
upstream = "calls"
grpc_web = true

[[sites.routes]]
path = "/gone.Gone/"
upstream = "gone"
grpc_web = true

[[sites.routes]]
path = "/closed.Closed/"
upstream = "calls"
policies = ["clients"]
grpc_web = true
"#,
        "0".repeat(64)
    )
}
