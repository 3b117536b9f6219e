//! The bundled policy `spa-fallback` with an upstream.

use janua_tests::{Gateway, Proxy, Received, Reply, Request, Upstream};

use crate::spa_fallback::{INDEX, POLICY};
use crate::stacks::{PAGE, is_hit};

/// A file server that answers missing paths with its own 404 page.
async fn server() -> Upstream {
    Upstream::http(async |request: Received| {
        let path = request.target.split('?').next().unwrap_or_default();
        match path {
            "/" | "/index.html" => Reply::ok(INDEX).header("ETag", "\"i\""),
            "/own.html" => Reply::ok("<p>own").header("Cache-Control", "max-age=60"),
            "/assets/app-1a2b.js" => {
                return Reply::ok("let a").header("Content-Type", "text/javascript");
            }
            _ => Reply::new(404).body("<p>the server's own 404"),
        }
        .header("Content-Type", "text/html")
    })
    .await
}

/// Also on a route with a cache.
#[tokio::test]
async fn an_upstream_that_does_not_know_the_path() {
    for lines in ["missing = true", "missing = true\ncache = true"] {
        let upstream = server().await;
        let proxy = Proxy::to(upstream.endpoint()).route(&format!("policies = [\"spa\"]\n{lines}"));
        let gateway = Gateway::start(format!("{POLICY}{proxy}")).await;
        // Each request twice: the second may be answered from the cache.
        for target in [
            "/orders/7",
            "/orders/7",
            "/orders/8?x=1",
            "/",
            "/index.html",
            "/orders/7",
        ] {
            let response = gateway
                .send(Request::get(target).header("Accept", PAGE))
                .await;
            let got = (
                response.status,
                response.text(),
                response.header("cache-control"),
            );
            assert_eq!(got, (200, INDEX, Some("no-cache")), "{lines} {target}");
            assert!(!is_hit(&response), "{lines} {target}: used without asking");
        }
        let own = gateway.get("/own.html").await;
        assert_eq!(own.header("cache-control"), Some("max-age=60"), "{lines}");
        let script = gateway.get("/assets/app-1a2b.js").await;
        assert_eq!(
            (script.text(), script.header("cache-control")),
            ("let a", None)
        );
        let head = gateway.send(Request::new("HEAD", "/orders/7")).await;
        assert_eq!(
            (head.status, head.header("cache-control")),
            (200, Some("no-cache"))
        );
        for request in [
            Request::get("/assets/gone.js"),
            Request::get("/api/orders"),
            Request::get("/orders/7").header("Accept", "application/json"),
            Request::post("/orders/7", "a body"),
        ] {
            let response = gateway.send(request.clone()).await;
            let got = (response.status, response.text());
            assert_eq!(got, (404, "<p>the server's own 404"), "{lines} {request:?}");
        }
        let posted = upstream
            .requests()
            .into_iter()
            .filter(|seen| seen.method == "POST");
        let bodies: Vec<_> = posted.map(|seen| seen.body).collect();
        assert_eq!(bodies, [b"a body"], "once, as it was");
    }
}

/// An upstream's 404 is sent unchanged, unless the route has `missing = true`.
#[tokio::test]
async fn an_upstreams_404_stands_where_nothing_is_said() {
    let upstream = server().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"spa\"]");
    let gateway = Gateway::start(format!("{POLICY}{proxy}")).await;
    let response = gateway
        .send(Request::get("/orders/7").header("Accept", PAGE))
        .await;
    assert_eq!(
        (response.status, response.text()),
        (404, "<p>the server's own 404")
    );
    assert_eq!(upstream.request_count(), 1);
}

/// A 404 that may be stored is stored, and the phase `missing` runs each time
/// it is used.
#[tokio::test]
async fn a_stored_404_is_as_missing() {
    let upstream = Upstream::http(async |request: Received| {
        let reply = match request.target.as_str() {
            "/index.html" => Reply::ok(INDEX).header("Cache-Control", "max-age=60"),
            _ => Reply::new(404)
                .body("not here")
                .header("Cache-Control", "max-age=60"),
        };
        reply.header("Content-Type", "text/html")
    })
    .await;
    let lines = "policies = [\"spa\"]\nmissing = true\ncache = true";
    let proxy = Proxy::to(upstream.endpoint()).route(lines);
    let gateway = Gateway::start(format!("{POLICY}{proxy}")).await;
    for _ in 0..3 {
        let page = Request::get("/orders/7?a=1").header("Accept", PAGE);
        let page = gateway.send(page).await;
        let got = (page.status, page.text(), page.header("cache-control"));
        assert_eq!(got, (200, INDEX, Some("no-cache")));
        // The same path, requested by something other than a navigation.
        let data = Request::get("/orders/7?a=1").header("Accept", "application/json");
        let data = gateway.send(data).await;
        assert_eq!((data.status, data.text()), (404, "not here"));
    }
    let mut targets: Vec<_> = upstream
        .requests()
        .into_iter()
        .map(|request| request.target)
        .collect();
    targets.sort();
    assert_eq!(targets, ["/index.html", "/orders/7?a=1"]);
}
