//! `examples/luckychit`: an API and a Flutter build behind Cloudflare, and one
//! cache that a command empties.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{
    Example, Gateway, Received, Reply, Request, Response, Settings, Upstream, Vacant, Visit,
    assert_eventually, run,
};
use serde_json::{Value, json};

use crate::stacks::{has, is_hit, navigation, resource};

const HOST: &str = "chitfund.deepteklabs.com";
/// What is never kept.
const NEVER: &str = "no-cache, no-store, must-revalidate";
/// What the application's servers say of everything.
const THEIRS: &str = "public, max-age=3600";

/// The stack, with stand-ins for what the gateway speaks to.
struct Stack {
    gateway: Gateway,
    api: Upstream,
    frontend: Upstream,
    cloudflare: Upstream,
    /// Which build the frontend serves.
    build: Arc<AtomicU32>,
}

impl Stack {
    /// Cloudflare is whoever connects from this machine.
    async fn boot() -> Self {
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

    /// Something that a page asks for, as Cloudflare passes it on.
    async fn get(&self, target: &str) -> Response {
        self.gateway.send(behind_cloudflare(target)).await
    }

    /// A page, as Cloudflare passes it on.
    async fn open(&self, target: &str) -> Response {
        let request = navigation(HOST, target);
        self.gateway.send(from_cloudflare(request)).await
    }

    /// How often the frontend was asked for this.
    fn asked(&self, target: &str) -> usize {
        let requests = self.frontend.requests();
        requests.iter().filter(|seen| seen.target == target).count()
    }
}

async fn start(api: &str, frontend: &str, webhook: &str, trusted: bool) -> Gateway {
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

fn behind_cloudflare(target: &str) -> Request {
    from_cloudflare(resource(HOST, target))
}

fn from_cloudflare(request: Request) -> Request {
    request
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-Proto", "https")
}

/// The Node API: cacheable, if one believed it.
fn members(request: &Received) -> Reply {
    let body = json!({ "target": request.target, "members": vec!["someone"; 200] });
    Reply::ok(body.to_string())
        .header("Content-Type", "application/json")
        .header("Cache-Control", THEIRS)
}

/// PM2's static server with a Flutter build: types by a short table, an ETag,
/// an hour for everything.
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
    let reply = if known {
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
async fn c1_pages_and_api_are_never_kept() {
    let stack = Stack::boot().await;
    for target in ["/api/members", "/api/members?page=2", "/api"] {
        let before = stack.api.request_count();
        for _ in 0..2 {
            let response = stack.get(target).await;
            assert_eq!(response.status, 200);
            assert_eq!(response.header("cache-control"), Some(NEVER), "{target}");
            assert!(!is_hit(&response), "{target}");
        }
        assert_eq!(stack.api.request_count(), before + 2, "{target}");
    }
    for target in ["/", "/index.html", "/login"] {
        for _ in 0..2 {
            let response = stack.open(target).await;
            assert_eq!(response.header("cache-control"), Some(NEVER), "{target}");
            assert!(!is_hit(&response), "{target}");
        }
        assert_eq!(stack.asked(target), 2, "{target}");
    }
}

#[tokio::test]
async fn c2_images_css_and_js_are_kept_for_seven_days_html_and_json_never() {
    let stack = Stack::boot().await;
    for target in [
        "/main.dart.js",
        "/styles.css",
        "/icons/Icon-192.png",
        "/favicon.png",
        "/assets/logo.svg",
        "/assets/fonts/MaterialIcons-Regular.otf",
    ] {
        let first = stack.get(target).await;
        assert!(!is_hit(&first), "{target}");
        let second = stack.get(target).await;
        assert!(is_hit(&second), "{target}: {:?}", second.fields);
        assert_eq!(second.body, first.body, "{target}");
        assert_eq!(stack.asked(target), 1, "{target}");
        let status = second.header("cache-status").unwrap();
        let ttl = status.split("ttl=").nth(1).expect("it says until when");
        let ttl: u32 = ttl.split(';').next().unwrap().parse().unwrap();
        assert!((604_700..=604_800).contains(&ttl), "{target}: {status}");
    }
    for target in ["/", "/version.json", "/assets/FontManifest.json"] {
        for _ in 0..2 {
            assert!(!is_hit(&stack.get(target).await), "{target}");
        }
        assert_eq!(stack.asked(target), 2, "{target}");
    }
}

/// Browsers keep pictures for the week. Code has the same name in every build
/// and cannot be purged there: it is revalidated, and seldom sent again.
#[tokio::test]
async fn c2_browsers_revalidate_code() {
    let stack = Stack::boot().await;
    let image = stack.get("/favicon.png").await;
    assert_eq!(
        image.header("cache-control"),
        Some("public, max-age=604800")
    );
    let code = stack.get("/main.dart.js").await;
    assert_eq!(code.header("cache-control"), Some("no-cache"));
    let etag = code.header("etag").unwrap();
    let again = behind_cloudflare("/main.dart.js").header("If-None-Match", etag);
    let again = stack.gateway.send(again).await;
    assert_eq!(again.status, 304);
    assert_eq!(
        stack.asked("/main.dart.js"),
        1,
        "the gateway answers by itself"
    );
}

#[tokio::test]
async fn c4_one_command_purges_the_gateway_and_cloudflare() {
    let stack = Stack::boot().await;
    const CODE: &str = "/main.dart.js";
    const URL: &str = "https://chitfund.deepteklabs.com/main.dart.js";
    let cases: [(&[&str], &str, Value); 5] = [
        (&["--url", URL], "files", json!([URL])),
        (
            &["--prefix", "https://chitfund.deepteklabs.com/main"],
            "prefixes",
            json!(["chitfund.deepteklabs.com/main"]),
        ),
        (&["--host", HOST], "hosts", json!([HOST])),
        (&["--tag", "frontend"], "tags", json!(["frontend"])),
        (&["--all"], "purge_everything", json!(true)),
    ];
    for (calls, (scope, field, told)) in cases.into_iter().enumerate() {
        let old = stack.get(CODE).await;
        let build = stack.build.fetch_add(1, SeqCst) + 1;
        let kept = stack.get(CODE).await;
        assert!(is_hit(&kept), "{scope:?}");
        assert_eq!(kept.body, old.body, "{scope:?}");

        let arguments = [["cache", "purge"].as_slice(), scope].concat();
        let purge = run(stack.gateway.directory(), &arguments).await;
        assert_eq!(purge.code, Some(0), "{scope:?}: {}", purge.stderr);
        let new = stack.get(CODE).await;
        assert!(
            new.text().contains(&format!("of build {build}\n")),
            "{scope:?}"
        );

        assert_eventually!(stack.cloudflare.request_count() == calls + 1);
        let call = stack.cloudflare.requests().pop().unwrap();
        assert_eq!(
            (call.method.as_str(), call.target.as_str()),
            ("POST", "/purge_cache")
        );
        assert_eq!(call.header("authorization"), Some("Bearer t0ken"));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(body[field], told, "{scope:?}: {body}");
    }
}

#[tokio::test]
async fn c5_cloudflare_keeps_what_is_static_and_passes_by_the_rest() {
    let stack = Stack::boot().await;
    for (target, cdn) in [
        ("/main.dart.js", "max-age=604800"),
        ("/favicon.png", "max-age=604800"),
        ("/api/members", "no-store"),
        ("/", "no-store"),
        ("/version.json", "no-store"),
        ("/flutter_service_worker.js", "no-store"),
    ] {
        // Also from the gateway's own cache.
        for _ in 0..2 {
            let response = stack.get(target).await;
            assert_eq!(
                response.header("cdn-cache-control"),
                Some(cdn),
                "{target}: {:?}",
                response.fields
            );
        }
    }
}

#[tokio::test]
async fn f4_text_is_compressed() {
    let stack = Stack::boot().await;
    for (target, coded) in [
        ("/", true),
        ("/styles.css", true),
        ("/main.dart.js", true),
        ("/version.json", true),
        ("/api/members", true),
        ("/favicon.png", false),
    ] {
        for _ in 0..2 {
            let request = behind_cloudflare(target).header("Accept-Encoding", "gzip");
            let response = stack.gateway.send(request).await;
            let coding = response.header("content-encoding");
            assert_eq!(coding, coded.then_some("gzip"), "{target}");
            if coded {
                assert!(response.body.starts_with(&[0x1f, 0x8b]), "{target}");
                assert!(has(&response, "vary", "Accept-Encoding"), "{target}");
            }
        }
        let plain = stack.get(target).await;
        assert_eq!(plain.header("content-encoding"), None, "{target}");
    }
}

#[tokio::test]
async fn f5_wasm_has_its_type() {
    let stack = Stack::boot().await;
    for target in ["/main.dart.wasm", "/canvaskit/canvaskit.wasm"] {
        for hit in [false, true] {
            let response = stack.get(target).await;
            assert_eq!(is_hit(&response), hit, "{target}");
            assert_eq!(
                response.header("content-type"),
                Some("application/wasm"),
                "{target}"
            );
        }
    }
    let module = stack.get("/main.dart.mjs").await;
    assert_eq!(
        module.header("content-type"),
        Some("application/javascript")
    );
}

#[tokio::test]
async fn f5_the_service_worker_is_never_kept() {
    let stack = Stack::boot().await;
    for target in ["/flutter_service_worker.js", "/flutter_bootstrap.js"] {
        for _ in 0..2 {
            let response = stack.get(target).await;
            assert_eq!(response.header("cache-control"), Some(NEVER), "{target}");
        }
        assert_eq!(stack.asked(target), 2, "{target}");
        stack.build.fetch_add(1, SeqCst);
        let build = stack.build.load(SeqCst);
        let fresh = stack.get(target).await;
        assert!(fresh.text().contains(&format!("of build {build}\n")));
    }
}

#[tokio::test]
async fn r2_other_hosts_are_404() {
    let stack = Stack::boot().await;
    assert_eq!(stack.get("/").await.status, 200);
    for host in ["deepteklabs.com", "www.chitfund.deepteklabs.com", "[::1]"] {
        let response = stack.gateway.send(navigation(host, "/")).await;
        assert_eq!(response.status, 404, "{host}");
        assert_eq!(response.proxy_error(), Some("destination_not_found"));
    }
    assert_eq!(stack.frontend.request_count(), 1);
}

/// TLS ends at Cloudflare: what came by https is not sent there again, and the
/// servers behind learn how it came.
#[tokio::test]
async fn r6_no_redirect_loop_behind_cloudflare() {
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

/// With the very networks of the file, this machine is not Cloudflare.
#[tokio::test]
async fn r6_nobody_but_cloudflare_is_believed() {
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
async fn r7_the_api_and_the_frontend() {
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

#[tokio::test]
async fn p1_the_host_is_passed_on() {
    let stack = Stack::boot().await;
    stack.get("/").await;
    stack.get("/api/members").await;
    assert_eq!(stack.frontend.only_request().header("host"), Some(HOST));
    assert_eq!(stack.api.only_request().header("host"), Some(HOST));
}

/// D5 of the original: the client behind Cloudflare, not Cloudflare.
#[tokio::test]
async fn p2_the_client_behind_cloudflare() {
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

/// Serves a file, and takes what was sent over an upgraded connection back.
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
        while let Ok(some) = visit.wire.take_some().await {
            if some.is_empty() || visit.wire.try_send(&some).await.is_err() {
                return;
            }
        }
    }
}

/// P5 and P9: also on a path that the cache has an answer for.
#[tokio::test]
async fn p9_an_upgrade_passes_the_cache_by() {
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

/// The original asks every request for an upgrade.
#[tokio::test]
async fn d8_an_upgrade_only_if_asked_for() {
    let stack = Stack::boot().await;
    stack.get("/").await;
    let seen = stack.frontend.only_request();
    assert_eq!(seen.header("upgrade"), None);
    assert_ne!(seen.header("connection"), Some("upgrade"));
}

/// The original's `add_header` leaves a 502 to whatever Cloudflare makes of it.
#[tokio::test]
async fn h5_failures_are_never_kept() {
    let (api, frontend) = (Vacant::refusing(), Vacant::refusing());
    let webhook = format!("http://{}/", api.endpoint());
    let gateway = start(&api.endpoint(), &frontend.endpoint(), &webhook, true).await;
    for target in ["/", "/api/members", "/main.dart.js", "/main.dart.wasm"] {
        let response = gateway.send(behind_cloudflare(target)).await;
        assert_eq!(response.status, 502, "{target}");
        assert_eq!(response.header("cache-control"), Some(NEVER), "{target}");
    }
}

/// "502 Bad Gateway" while PM2 restarts: what is kept hides it for a day, even
/// what was just purged, if it was purged softly.
#[tokio::test]
async fn what_is_kept_outlives_the_frontend() {
    let mut stack = Stack::boot().await;
    let code = stack.get("/main.dart.js").await;
    stack.frontend = Upstream::always(Reply::new(500)).await;
    let purge = ["cache", "purge", "--soft", "--tag", "frontend"];
    let purge = run(stack.gateway.directory(), &purge).await;
    assert_eq!(purge.code, Some(0), "{}", purge.stderr);

    let kept = stack.get("/main.dart.js").await;
    assert_eq!((kept.status, &kept.body), (200, &code.body));
    assert_eq!(stack.get("/favicon.png").await.status, 502);
}

/// The pain of the stack: nobody knows which layer is stale.
#[tokio::test]
async fn every_answer_says_what_the_cache_did_and_why() {
    let stack = Stack::boot().await;
    let response = stack.get("/api/members").await;
    assert!(response.header("cache-status").is_some());
    for (target, rule) in [
        ("/", "pages-and-data"),
        ("/version.json", "pages-and-data"),
        ("/main.dart.js", "code"),
        ("/favicon.png", "images"),
    ] {
        for _ in 0..2 {
            let response = stack.get(target).await;
            let status = response.header("cache-status").unwrap_or_default();
            assert!(status.starts_with("janua; "), "{target}: {status}");
            assert!(status.contains(rule), "{target}: {status}");
        }
    }
}
