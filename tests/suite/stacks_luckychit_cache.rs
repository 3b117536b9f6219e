//! `examples/luckychit`: what is cached where and for how long, and the one
//! command that purges it.

use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Reply, Upstream, Vacant, assert_eventually, run};
use serde_json::{Value, json};

use crate::stacks::{has, is_hit};
use crate::stacks_luckychit::{HOST, NEVER, Stack, behind_cloudflare, start};

#[tokio::test]
async fn pages_and_api_are_never_kept() {
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

/// The upstream sends a lifetime of an hour with every response. Files with the
/// same name in each build, and missing files, must not be cached.
#[tokio::test]
async fn files_without_a_rule_are_never_kept() {
    let stack = Stack::boot().await;
    for (target, status) in [
        ("/assets/AssetManifest.bin", 200),
        ("/assets/NOTICES", 200),
        ("/assets/shaders/ink_sparkle.frag", 200),
        ("/gone.js", 404),
        ("/icons/gone.png", 404),
        ("/gone.wasm", 404),
    ] {
        for _ in 0..2 {
            let response = stack.get(target).await;
            assert_eq!(response.status, status, "{target}");
            assert_eq!(response.header("cache-control"), Some(NEVER), "{target}");
            assert_eq!(
                response.header("cdn-cache-control"),
                Some("no-store"),
                "{target}"
            );
            assert!(!is_hit(&response), "{target}");
        }
        assert_eq!(stack.asked(target), 2, "{target}");
    }
}

#[tokio::test]
async fn images_css_and_js_are_kept_for_seven_days_html_and_json_never() {
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

/// Browsers cache pictures for a week. Code has the same name in every build
/// and cannot be purged in browsers: it is revalidated, and rarely sent again.
#[tokio::test]
async fn browsers_revalidate_code() {
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
async fn one_command_purges_the_gateway_and_cloudflare() {
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
async fn cloudflare_caches_only_static_files() {
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
async fn text_is_compressed() {
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
async fn wasm_has_its_type() {
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
async fn the_service_worker_is_never_kept() {
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

/// The original's `add_header` leaves it to Cloudflare whether a 502 is cached.
#[tokio::test]
async fn failures_are_never_kept() {
    let (api, frontend) = (Vacant::refusing(), Vacant::refusing());
    let webhook = format!("http://{}/", api.endpoint());
    let gateway = start(&api.endpoint(), &frontend.endpoint(), &webhook, true).await;
    for target in ["/", "/api/members", "/main.dart.js", "/main.dart.wasm"] {
        let response = gateway.send(behind_cloudflare(target)).await;
        assert_eq!(response.status, 502, "{target}");
        assert_eq!(response.header("cache-control"), Some(NEVER), "{target}");
    }
}

/// While PM2 restarts, the frontend answers 502: stored responses are served
/// for a day instead, even after a soft purge.
#[tokio::test]
async fn stored_responses_outlive_the_frontend() {
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

/// With several caches it was unknown which one was stale.
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
