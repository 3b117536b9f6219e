//! Cache directives of requests, and the invalidations that requests cause.

use std::sync::Arc;

use janua_tests::{Reply, Request, Upstream, assert_eventually, is_over_http2};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cache::{body, counting, fresh, gateway, told, with};

#[tokio::test]
async fn directives_of_requests() {
    let upstream = counting(|_, _| fresh().header("Age", "30")).await;
    let gateway = gateway(&upstream).await;
    gateway.get("/").await;
    for (directives, status, expected) in [
        ("max-age=40", 200, "hit"),
        ("min-fresh=10", 200, "hit"),
        ("only-if-cached", 200, "hit"),
        ("nonsense=1", 200, "hit"),
        (
            "max-age=10",
            200,
            "fwd=request; stored; detail=\"request-max-age\"",
        ),
        (
            "min-fresh=50",
            200,
            "fwd=request; stored; detail=\"request-min-fresh\"",
        ),
        (
            "no-cache",
            200,
            "fwd=request; stored; detail=\"request-no-cache\"",
        ),
        ("no-store", 200, "fwd=request; detail=\"request-no-store\""),
    ] {
        let before = upstream.request_count();
        let request = Request::get("/").header("Cache-Control", directives);
        let response = gateway.send(request).await;
        assert_eq!(
            (response.status, &*told(&response)),
            (status, expected),
            "{directives}"
        );
        let asked = upstream.request_count() - before;
        assert_eq!(asked, usize::from(expected != "hit"), "{directives}");
    }
}

#[tokio::test]
async fn only_if_cached_never_asks_the_upstream() {
    let upstream = counting(|_, _| {
        Reply::new(200)
            .header("Cache-Control", "max-age=0")
            .header("ETag", "\"a\"")
    })
    .await;
    let gateway = gateway(&upstream).await;
    let ask = || Request::get("/").header("Cache-Control", "only-if-cached");
    assert_eq!(gateway.send(ask()).await.status, 504);
    gateway.get("/").await;
    // It is stored, but would have to be validated.
    assert_eq!(gateway.send(ask()).await.status, 504);
    assert_eq!(upstream.request_count(), 1);
    let max_stale = ask().header("Cache-Control", "max-stale=60");
    let response = gateway.send(max_stale).await;
    assert_eq!((response.status, response.text()), (200, "/ 1"));
}

#[tokio::test]
async fn responses_to_authorization_are_shared_only_if_they_allow_it() {
    let upstream = counting(|request, _| {
        let shared = if request.target == "/public" {
            "max-age=60, public"
        } else {
            "max-age=60"
        };
        Reply::new(200).header("Cache-Control", shared)
    })
    .await;
    let gateway = gateway(&upstream).await;
    let ask = |path: &str| Request::get(path).header("Authorization", "Basic YTpi");
    for (request, expected) in [
        (ask("/"), "fwd=uri-miss; detail=\"authorization\""),
        (ask("/"), "fwd=uri-miss; detail=\"authorization\""),
        (Request::get("/"), "fwd=uri-miss; stored"),
        (Request::get("/"), "hit"),
        // A response stored without a user is not given to a user either.
        (ask("/"), "fwd=request; detail=\"authorization\""),
        (ask("/public"), "fwd=uri-miss; stored"),
        (ask("/public"), "hit"),
        (Request::get("/public"), "hit"),
    ] {
        let response = gateway.send(request.clone()).await;
        assert_eq!(told(&response), expected, "{request:?}");
    }
}

#[tokio::test]
async fn credentials_of_one_request_do_not_separate_the_others() {
    const OTHERS: usize = 20;
    let permits = Arc::new(Semaphore::new(0));
    let upstream = Upstream::http({
        let permits = Arc::clone(&permits);
        move |_| {
            let permits = Arc::clone(&permits);
            async move {
                permits.acquire().await.unwrap().forget();
                fresh().body("page")
            }
        }
    })
    .await;
    let gateway = gateway(&upstream).await;
    let mut clients = JoinSet::new();
    let mut send = async |request: Request| {
        let mut wire = gateway.connect().await;
        clients.spawn(async move { wire.exchange(&request).await });
    };
    send(Request::get("/").header("Authorization", "Basic YTpi")).await;
    assert_eventually!(upstream.request_count() == 1);
    for _ in 0..OTHERS {
        send(Request::get("/")).await;
    }
    assert_eventually!(gateway.status().await["in_flight"] == OTHERS + 1);
    permits.add_permits(100);
    while let Some(response) = clients.join_next().await {
        assert_eq!(response.unwrap().text(), "page");
    }
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn the_port_of_the_scheme_names_the_same_address() {
    // Its addresses are of the scheme `http`.
    if is_over_http2() {
        return;
    }
    let upstream = counting(|_, _| fresh()).await;
    let gateway = gateway(&upstream).await;
    let ask = |host: &str| gateway.send(Request::get("/").host(host));
    assert_eq!(told(&ask("a.example").await), "fwd=uri-miss; stored");
    assert_eq!(told(&ask("a.example:80").await), "hit");
    assert_eq!(told(&ask("a.example:443").await), "fwd=uri-miss; stored");
    for (url, other_port) in [
        ("http://a.example:80/", "fwd=uri-miss; stored"),
        ("http://a.example:443/", "fwd=uri-miss; stored"),
        ("http://a.example:81/", "hit"),
    ] {
        let body = format!("{{\"url\": \"{url}\"}}");
        let purge = Request::post("/cache/purge", body);
        assert_eq!(gateway.ask_with(&purge).await.status, 200);
        assert_eq!(told(&ask("a.example:443").await), other_port, "{url}");
    }
    // The default port of the scheme equals no port, and a URL without a port
    // matches every port.
    assert_eq!(told(&ask("a.example").await), "fwd=uri-miss; stored");
}

#[tokio::test]
async fn requests_that_bypass_the_cache() {
    // It upgrades a connection, which HTTP/2 does otherwise.
    if is_over_http2() {
        return;
    }
    let upstream = counting(|_, _| fresh().header("ETag", "\"a\"")).await;
    let gateway = gateway(&upstream).await;
    gateway.get("/").await;
    for (request, word) in [
        (
            Request::new("OPTIONS", "/"),
            "fwd=method; detail=\"method\"",
        ),
        (
            Request::get("/").body("x"),
            "fwd=request; detail=\"request-body\"",
        ),
        (
            Request::get("/").header("If-Match", "\"b\""),
            "fwd=request; detail=\"precondition\"",
        ),
        (
            Request::get("/")
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket"),
            "fwd=request; detail=\"upgrade\"",
        ),
    ] {
        let before = upstream.request_count();
        let response = gateway.send(request.clone()).await;
        assert_eq!(told(&response), word, "{request:?}");
        assert_eq!(upstream.request_count(), before + 1, "{request:?}");
    }
    // The stored response is not affected.
    assert_eq!(body(&gateway, Request::get("/")).await, "/ 1");
}

#[tokio::test]
async fn head_is_answered_from_a_get() {
    let upstream = counting(|_, _| fresh().header("X-A", "1")).await;
    let gateway = gateway(&upstream).await;
    let head = || Request::new("HEAD", "/");
    let first = gateway.send(head()).await;
    assert_eq!(told(&first), "fwd=uri-miss; detail=\"method\"");
    assert_eq!(upstream.only_request().method, "HEAD");
    let get = gateway.get("/").await;
    assert_eq!(told(&get), "fwd=uri-miss; stored", "a HEAD stores nothing");
    let response = gateway.send(head()).await;
    assert_eq!((response.status, &*told(&response)), (200, "hit"));
    assert_eq!(
        response.header("content-length"),
        get.header("content-length")
    );
    assert_eq!(
        (response.header("x-a"), response.body.len()),
        (Some("1"), 0)
    );
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn unsafe_methods_invalidate_what_they_may_have_changed() {
    // Its addresses are of the scheme `http`.
    if is_over_http2() {
        return;
    }
    let upstream = counting(|request, _| match request.method.as_str() {
        "GET" => fresh(),
        _ => {
            let status = request.header("x-status").unwrap_or("200").parse().unwrap();
            let fields = request.header("x-location").map(|to| ("Location", to));
            with(Reply::new(status), fields.as_slice())
        }
    })
    .await;
    let gateway = gateway(&upstream).await;
    for (method, status, location, gone) in [
        ("POST", "200", None, &["/a", "/a?q=1"][..1]),
        ("PUT", "204", None, &["/a"]),
        ("DELETE", "303", Some("/b"), &["/a", "/b"]),
        ("POST", "201", Some("http://a.example/b"), &["/a", "/b"]),
        // A URL of another origin is not invalidated.
        ("POST", "201", Some("http://b.example/b"), &["/a"]),
        ("POST", "404", Some("/b"), &[]),
        ("POST", "500", None, &[]),
        ("OPTIONS", "200", None, &[]),
    ] {
        for path in ["/a", "/b", "/c"] {
            gateway.get(path).await;
        }
        let mut request = Request::new(method, "/a").header("X-Status", status);
        if let Some(location) = location {
            request = request.header("X-Location", location);
        }
        gateway.send(request).await;
        for path in ["/a", "/b", "/c"] {
            let is_hit = told(&gateway.get(path).await) == "hit";
            let case = format!("{method} {status} {location:?}: {path}");
            assert_eq!(is_hit, !gone.contains(&path), "{case}");
        }
    }
}
