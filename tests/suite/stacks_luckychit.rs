//! `examples/luckychit`: an API and a Flutter build behind Cloudflare, and one
//! cache that a command purges. This file tests its hosts, routes and clients;
//! its cache is tested in `stacks_luckychit_cache`, and TLS from Cloudflare to the
//! application server in `stacks_luckychit_tls`.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{
    Example, Gateway, Received, Reply, Request, Response, Settings, Upstream, Vacant, Visit,
};
use serde_json::json;

use crate::stacks::{is_hit, navigation, resource};

pub(crate) const HOST: &str = "chitfund.deepteklabs.com";

/// The `Cache-Control` of responses that are never stored.
pub(crate) const NEVER: &str = "no-cache, no-store, must-revalidate";

/// The `Cache-Control` that the application's servers send with every response.
const THEIRS: &str = "public, max-age=3600";

/// The configuration, with stand-ins for its upstreams and Cloudflare.
pub(crate) struct Stack {
    pub(crate) gateway: Gateway,
    pub(crate) api: Upstream,
    pub(crate) frontend: Upstream,
    pub(crate) cloudflare: Upstream,
    /// The build that the frontend serves.
    pub(crate) build: Arc<AtomicU32>,
}

impl Stack {
    /// Every peer on this machine counts as Cloudflare.
    pub(crate) async fn boot() -> Self {
        let build = Arc::new(AtomicU32::new(1));
        let served = Arc::clone(&build);
        let api = Upstream::http(async |request| members(&request)).await;
        let frontend = Upstream::http(move |request| {
            let build = served.load(SeqCst);
            async move { flutter(&request, build) }
        });
        let frontend = frontend.await;
        let cloudflare = Upstream::always(Reply::ok("{\"success\":true}")).await;
        let webhook = format!("http://{}/purge_cache", cloudflare.endpoint());
        let gateway = start(&api.endpoint(), &frontend.endpoint(), &webhook, true).await;
        Self {
            gateway,
            api,
            frontend,
            cloudflare,
            build,
        }
    }

    /// A request for a subresource, as Cloudflare forwards it.
    pub(crate) async fn get(&self, target: &str) -> Response {
        self.gateway.send(behind_cloudflare(target)).await
    }

    /// A request for a page, as Cloudflare forwards it.
    pub(crate) async fn open(&self, target: &str) -> Response {
        let request = navigation(HOST, target);
        self.gateway.send(from_cloudflare(request)).await
    }

    /// The number of requests for this path that reached the frontend.
    pub(crate) fn asked(&self, target: &str) -> usize {
        let requests = self.frontend.requests();
        requests.iter().filter(|seen| seen.target == target).count()
    }
}

pub(crate) async fn start(api: &str, frontend: &str, webhook: &str, trusted: bool) -> Gateway {
    let mut example = Example::of("luckychit")
        .listener("*:80")
        .endpoint("192.168.8.148:3000", api)
        .endpoint("192.168.8.148:8080", frontend)
        .webhook(
            "https://api.cloudflare.com/client/v4/zones/YOUR_ZONE_ID/purge_cache",
            webhook,
        );
    if trusted {
        example = example.trusted_proxy("173.245.48.0/20", "127.0.0.1/32");
    }
    let settings = Settings::new().environment("CLOUDFLARE_API_TOKEN", "t0ken");
    settings.start(example).await
}

pub(crate) fn behind_cloudflare(target: &str) -> Request {
    from_cloudflare(resource(HOST, target))
}

pub(crate) fn from_cloudflare(request: Request) -> Request {
    request
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-Proto", "https")
}

/// The Node API: cacheable, according to its fields.
pub(crate) fn members(request: &Received) -> Reply {
    let body = json!({ "target": request.target, "members": vec!["someone"; 200] });
    Reply::ok(body.to_string())
        .header("Content-Type", "application/json")
        .header("Cache-Control", THEIRS)
}

/// PM2's static server with a Flutter build: a short table of types, an ETag,
/// and a lifetime of an hour for everything, even for missing files.
fn flutter(request: &Received, build: u32) -> Reply {
    let path = request.target.split('?').next().unwrap();
    let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
        None | Some("html") => "text/html",
        Some("js" | "mjs") => "application/javascript",
        Some("css") => "text/css",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some(_) => "text/plain",
    };
    let etag = format!("\"{path}-{build}\"");
    let known = request.header("if-none-match") == Some(&etag);
    let reply = if path.contains("gone") {
        Reply::new(404)
    } else if known {
        Reply::new(304)
    } else {
        Reply::ok(format!("{path} of build {build}\n").repeat(100))
    };
    reply
        .header("Content-Type", kind)
        .header("ETag", &etag)
        .header("Cache-Control", THEIRS)
}

#[tokio::test]
async fn other_hosts_are_404() {
    let stack = Stack::boot().await;
    assert_eq!(stack.get("/").await.status, 200);
    for host in ["deepteklabs.com", "www.chitfund.deepteklabs.com", "[::1]"] {
        let response = stack.gateway.send(navigation(host, "/")).await;
        assert_eq!(response.status, 404, "{host}");
        assert_eq!(response.proxy_error(), Some("destination_not_found"));
    }
    assert_eq!(stack.frontend.request_count(), 1);
}

/// Cloudflare terminates TLS: a request that used https is not redirected to
/// https again, and the upstreams learn the scheme.
#[tokio::test]
async fn no_redirect_loop_behind_cloudflare() {
    let stack = Stack::boot().await;
    for target in ["/", "/api/members"] {
        for proto in ["https", "http"] {
            let request = navigation(HOST, target).header("X-Forwarded-Proto", proto);
            let response = stack.gateway.send(request).await;
            assert_eq!(response.status, 200, "{target} {proto}");
            assert_eq!(response.header("location"), None);
        }
    }
    let protos = |upstream: &Upstream| {
        let requests = upstream.requests();
        let proto = |seen: &Received| seen.header("x-forwarded-proto").unwrap().to_owned();
        requests.iter().map(proto).collect::<Vec<_>>()
    };
    assert_eq!(protos(&stack.frontend), ["https", "http"]);
    assert_eq!(protos(&stack.api), ["https", "http"]);
}

/// With the networks in the file, this machine is not Cloudflare.
#[tokio::test]
async fn only_cloudflare_is_trusted() {
    let api = Upstream::http(async |request| members(&request)).await;
    let nobody = Vacant::refusing();
    let webhook = format!("http://{}/", nobody.endpoint());
    let gateway = start(&api.endpoint(), &nobody.endpoint(), &webhook, false).await;
    let response = gateway.send(behind_cloudflare("/api/members")).await;
    assert_eq!(response.status, 200);
    let seen = api.only_request();
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-real-ip"), Some("127.0.0.1"));
    let line = gateway.log_line("/api/members").await;
    assert_eq!(line["client_ip"], "127.0.0.1");
}

#[tokio::test]
async fn the_api_and_the_frontend() {
    let stack = Stack::boot().await;
    for (target, to_api) in [
        ("/", false),
        ("/api", true),
        ("/api/", true),
        ("/api/members/7?x=.wasm", true),
        ("/api/report.wasm", true),
        ("/main.dart.wasm", false),
        ("/apifoo", false),
        ("/assets/api/x.png", false),
    ] {
        let before = (stack.api.request_count(), stack.frontend.request_count());
        stack.get(target).await;
        let after = (stack.api.request_count(), stack.frontend.request_count());
        let expected = if to_api {
            (before.0 + 1, before.1)
        } else {
            (before.0, before.1 + 1)
        };
        assert_eq!(after, expected, "{target}");
    }
}

/// The default limit of nginx.
#[tokio::test]
async fn a_body_of_one_mebibyte_and_no_more() {
    let stack = Stack::boot().await;
    for (length, status) in [(1 << 20, 200), ((1 << 20) + 1, 413)] {
        let request = Request::post("/api/members", vec![b'x'; length]).host(HOST);
        let response = stack.gateway.send(from_cloudflare(request)).await;
        assert_eq!(response.status, status, "{length}");
    }
    assert_eq!(stack.api.only_request().body.len(), 1 << 20);
}

#[tokio::test]
async fn the_host_is_passed_on() {
    let stack = Stack::boot().await;
    stack.get("/").await;
    stack.get("/api/members").await;
    assert_eq!(stack.frontend.only_request().header("host"), Some(HOST));
    assert_eq!(stack.api.only_request().header("host"), Some(HOST));
}

/// The client behind Cloudflare, not Cloudflare.
#[tokio::test]
async fn the_client_behind_cloudflare() {
    let stack = Stack::boot().await;
    stack.get("/api/members").await;
    let seen = stack.api.only_request();
    assert_eq!(seen.header("x-real-ip"), Some("203.0.113.7"));
    assert_eq!(
        seen.header("x-forwarded-for"),
        Some("203.0.113.7, 127.0.0.1")
    );
    let line = stack.gateway.log_line("/api/members").await;
    assert_eq!(line["client_ip"], "203.0.113.7");
}

/// Serves a file, and echoes what is sent over an upgraded connection.
async fn live(mut visit: Visit) {
    while let Ok(request) = visit.request().await {
        if request.header("upgrade").is_none() {
            let reply = Reply::ok("a file").header("Content-Type", "text/javascript");
            visit.wire.send(reply.to_bytes("GET")).await;
            continue;
        }
        let accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        visit.wire.send(accepted).await;
        visit.wire.echo().await;
        return;
    }
}

/// Even on a path for which the cache has a response.
#[tokio::test]
async fn an_upgrade_bypasses_the_cache() {
    let frontend = Upstream::raw(live).await;
    let nobody = Vacant::refusing();
    let webhook = format!("http://{}/", nobody.endpoint());
    let gateway = start(&nobody.endpoint(), &frontend.endpoint(), &webhook, true).await;
    let plain = || behind_cloudflare("/live.js");
    assert!(!is_hit(&gateway.send(plain()).await));
    assert!(is_hit(&gateway.send(plain()).await));

    let mut wire = gateway.connect().await;
    let upgrade = plain()
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13");
    let response = wire.exchange(&upgrade).await;
    assert_eq!(response.status, 101);
    wire.send("there and back").await;
    assert_eq!(wire.take(14).await.unwrap(), b"there and back");

    let kept = gateway.send(plain()).await;
    assert!(is_hit(&kept));
    assert_eq!(kept.text(), "a file");
}

/// The original configuration asks for an upgrade with every request.
#[tokio::test]
async fn an_upgrade_only_if_asked_for() {
    let stack = Stack::boot().await;
    stack.get("/").await;
    let seen = stack.frontend.only_request();
    assert_eq!(seen.header("upgrade"), None);
    assert_ne!(seen.header("connection"), Some("upgrade"));
}
