//! The status that policies set, and responses without a body.

use janua_tests::{
    Gateway, Http2Client, Proxy, Request, Response, Upstream, Visit, component, granted,
    is_over_http2,
};

/// Each path has a status; what follows the head is not always what it announces.
async fn origin() -> Upstream {
    Upstream::raw(|mut visit: Visit| async move {
        while let Ok(request) = visit.request().await {
            let (_, path) = request.target.rsplit_once('/').unwrap_or_default();
            let is_same = request.header("if-none-match").is_some();
            let answer = match path {
                "empty" => "204 No Content\r\n\r\n",
                "reset" => "205 Reset Content\r\nContent-Length: 0\r\n\r\n",
                "part" => "206 Partial Content\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\npart",
                // The length of the body that a 200 would have (RFC 9110 §8.6).
                _ if is_same => "304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 400\r\n\r\n",
                _ if request.method == "HEAD" => "200 OK\r\nETag: \"a\"\r\nContent-Length: 4\r\n\r\n",
                _ => "200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\npage",
            };
            visit.wire.send(format!("HTTP/1.1 {answer}")).await;
        }
    })
    .await
}

/// The statuses that the routes set, and whether in the phase `response` or before.
const ROUTES: [(&str, &str); 2] = [("now", "set_status"), ("late", "response_status")];

async fn gateway(upstream: &Upstream) -> Gateway {
    let mut policies = String::new();
    let mut proxy = Proxy::to(upstream.endpoint())
        .listener("http2 = true")
        .route("path = \"/end\"");
    for (place, key) in ROUTES {
        for status in [200, 204, 205, 304] {
            let name = format!("{place}{status}");
            policies += &format!(
                "[policies.{name}]\ncomponent = \"{}\"\nconfig = {{ label = \"x\", {key} = {status} }}\n",
                component("probe").display()
            );
            let uses = format!("policies = [\"{name}\"]");
            proxy = proxy.also(&format!("/{name}/"), &uses).also(
                &format!("/cached/{name}/"),
                &format!("cache = true\n{uses}"),
            );
        }
    }
    Gateway::start(granted(format!("{policies}{proxy}"))).await
}

/// The status that is set, the request, and the response: status, `Content-Length` and body.
type Case = (
    u16,
    &'static str,
    &'static str,
    u16,
    Option<&'static str>,
    &'static str,
);

const CASES: &[Case] = &[
    // A 304 and a 206 stay what they are.
    (200, "GET", "same", 304, None, ""),
    (200, "GET", "part", 206, Some("4"), "part"),
    (200, "GET", "page", 200, Some("4"), "page"),
    // What has no body gets none.
    (200, "GET", "empty", 200, Some("0"), ""),
    (200, "GET", "reset", 200, Some("0"), ""),
    (200, "HEAD", "page", 200, Some("4"), ""),
    // A status that excludes a body removes it, and its length.
    (204, "GET", "page", 204, None, ""),
    (204, "HEAD", "page", 204, None, ""),
    (205, "GET", "page", 205, Some("0"), ""),
    (304, "GET", "page", 304, None, ""),
];

fn request(method: &str, prefix: &str, path: &str) -> Request {
    let request = Request::new(method, &format!("{prefix}/{path}"));
    match path {
        "same" => request.header("If-None-Match", "\"a\""),
        _ => request,
    }
}

fn check(response: &Response, prefix: &str, case: &Case, is_http2: bool) {
    let (_, method, path, status, length, body) = *case;
    let of = format!("{method} {prefix}/{path}: {response:?}");
    assert_eq!((response.status, response.text()), (status, body), "{of}");
    let sent = response.header("content-length");
    match (status, is_http2, length) {
        // Allowed, and not a length of what follows.
        (304, ..) if path == "same" => {}
        // In HTTP/2 the end of the stream says it.
        (_, true, Some("0")) => assert!(sent.is_none_or(|sent| sent == "0"), "{of}"),
        _ => assert_eq!(sent, length, "{of}"),
    }
}

#[tokio::test]
async fn no_status_announces_a_body_that_does_not_follow() {
    if is_over_http2() {
        return;
    }
    let upstream = origin().await;
    let gateway = gateway(&upstream).await;
    for case in CASES {
        let (set, method, path, ..) = *case;
        for (place, _) in ROUTES {
            for folder in ["", "/cached"] {
                let prefix = format!("{folder}/{place}{set}");
                // A false length would swallow the response to the second request.
                let mut wire = gateway.connect().await;
                let first = request(method, &prefix, path).to_bytes();
                let second = Request::get("/end").to_bytes();
                wire.send([first, second].concat()).await;
                check(&wire.receive(method).await, &prefix, case, false);
                let second = wire.receive("GET").await;
                assert_eq!(
                    (second.status, second.text()),
                    (200, "page"),
                    "{prefix}/{path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_same_over_http2() {
    if is_over_http2() {
        return;
    }
    let upstream = origin().await;
    let gateway = gateway(&upstream).await;
    let client = Http2Client::over(gateway.connect().await).await;
    for case in CASES {
        let (set, method, path, ..) = *case;
        for (place, _) in ROUTES {
            for folder in ["", "/cached"] {
                let prefix = format!("{folder}/{place}{set}");
                let response = client.send(&request(method, &prefix, path)).await;
                check(&response, &prefix, case, true);
            }
        }
    }
}

/// Interim responses pass no policy, so on a route with policies they carry nothing that a
/// policy might have removed.
#[tokio::test]
async fn early_hints_carry_nothing_but_links_past_policies() {
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while visit.request().await.is_ok() {
            let interim = "HTTP/1.1 102 Processing\r\nX-Internal: a\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Internal: a\r\nLink: </a.css>\r\nSet-Cookie: a=b\r\n\r\n";
            let last = "HTTP/1.1 200 OK\r\nX-Internal: a\r\nContent-Length: 2\r\n\r\nok";
            visit.wire.send(format!("{interim}{last}")).await;
        }
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/with\"\npolicies = [\"strip\"]")
        .also("/without", "");
    let gateway = Gateway::start(granted(format!(
        "[policies.strip]\ncomponent = \"headers\"\nconfig.response.remove = [\"x-internal\"]\n{proxy}"
    )))
    .await;
    for (path, fields) in [
        ("/with", "Link: </a.css>\r\n"),
        (
            "/without",
            "X-Internal: a\r\nLink: </a.css>\r\nSet-Cookie: a=b\r\n",
        ),
    ] {
        let mut wire = gateway.connect().await;
        wire.send(Request::get(path).to_bytes()).await;
        let processing = wire.take_until(b"\r\n\r\n").await.unwrap();
        let hints = wire.take_until(b"\r\n\r\n").await.unwrap();
        assert!(!processing.is_empty());
        assert_eq!(
            String::from_utf8_lossy(&hints),
            format!("HTTP/1.1 103 Early Hints\r\n{fields}\r\n"),
            "{path}"
        );
        if path == "/with" {
            assert_eq!(processing, b"HTTP/1.1 102 Processing\r\n\r\n");
        }
        assert_eq!(wire.receive("GET").await.text(), "ok");
    }
}
