//! Policies that set a status with a body in place of one without, and the reverse: the
//! response ends where the client expects it, and the next one on its connection follows.

use janua_tests::{Gateway, Proxy, Request, Upstream, Visit, component, granted};

use crate::policies_seen::lines;

/// Answers `/304` and `/204` without a body, and other paths with the body `four`. Each path
/// may be preceded by the route that changes the status.
async fn origin() -> Upstream {
    Upstream::raw(async |mut visit: Visit| {
        while let Ok(request) = visit.request().await {
            let reply = match request.target.rsplit('/').next() {
                // The length is that of the response that the client has (RFC 9110 §8.6).
                Some("304") => "304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 900\r\n\r\n",
                Some("204") => "204 No Content\r\n\r\n",
                _ if request.method == "HEAD" => "200 OK\r\nContent-Length: 4\r\n\r\n",
                Some("chunked") => {
                    "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"
                }
                _ => "200 OK\r\nContent-Length: 4\r\n\r\nfour",
            };
            visit.wire.send(format!("HTTP/1.1 {reply}")).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_response_ends_where_its_status_says() {
    let upstream = origin().await;
    let probe = component("probe");
    let probe = probe.display();
    let mut proxy = Proxy::to(upstream.endpoint()).route("path = \"/plain/\"");
    let mut policies = String::new();
    for status in [200, 204, 304, 404] {
        // By a response edit, by the phase `response`, and by both, one after the other.
        for (name, how) in [
            ("early", format!("response_status = {status}")),
            ("late", format!("set_status = {status}")),
            (
                "both",
                format!("response_status = 299, set_status = {status}"),
            ),
        ] {
            policies += &format!(
                "[policies.{name}-{status}]\ncomponent = \"{probe}\"\nconfig = {{ label = \"{name}\", {how} }}\n"
            );
            proxy = proxy.also(
                &format!("/{name}-{status}/"),
                &format!("policies = [\"{name}-{status}\"]"),
            );
        }
    }
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    let mut wire = gateway.connect().await;
    for name in ["early", "late", "both"] {
        for status in [200, 204, 304, 404] {
            for theirs in ["200", "204", "304", "chunked"] {
                for method in ["GET", "HEAD"] {
                    let path = format!("/{name}-{status}/{theirs}");
                    let response = wire.exchange(&Request::new(method, &path)).await;
                    let case = format!("{method} {path}");
                    assert_eq!(response.status, status, "{case}");
                    let has_body = matches!(theirs, "200" | "chunked")
                        && method == "GET"
                        && ![204, 304].contains(&status);
                    let body = if has_body { "four" } else { "" };
                    assert_eq!(response.text(), body, "{case}");
                    if response.header("connection") == Some("close") {
                        wire = gateway.connect().await;
                    }
                    // The next response is found behind it.
                    let next = wire.exchange(&Request::get("/plain/")).await;
                    assert_eq!((next.status, next.text()), (200, "four"), "{case}");
                    assert!(lines(&next.fields, "x-probe").is_empty(), "{case}");
                }
            }
        }
    }
}
