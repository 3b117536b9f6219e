//! The inputs of policies, the effect of their edits, and values that are not
//! valid in a head.

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream, component, eventually, granted};

use crate::policies_seen::lines;

fn probe(config: &str) -> String {
    let component = component("probe");
    let grants = match config.contains("cookie:c\"") {
        true => "\"input:cookie:c\"",
        false => "",
    };
    format!(
        "[policies.probe]\ncomponent = \"{}\"\ngrants = [{grants}]\nconfig = {{ label = \"probe\", {config} }}\n",
        component.display()
    )
}

/// An edit is visible to later policies, reaches the upstream, and does not
/// change the route; the original request stays available.
#[tokio::test]
async fn edits_are_seen_and_do_not_reroute() {
    let upstream = Upstream::echo().await;
    let shown = r#""path", "query", "original_path", "original_query", "raw_path", "host",
        "original_host", "extension", "header:x-set", "route""#
        .replace('\n', "");
    let component = component("probe");
    let component = component.display();
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/api/\"\npolicies = [\"edit\", \"set\", \"probe\"]");
    let gateway = Gateway::start(granted(format!(
        r#"{}
[policies.edit]
component = "{component}"
config = {{ label = "edit", show = [], set_path = "/closed{{path}}.TXT", set_query = "a={{raw_query:x}}" }}
[policies.set]
component = "headers"
config = {{ request = {{ set = {{ X-Set = "{{path}}", Host = "B.example:81" }} }} }}
[policies.shut]
component = "{component}"
config = {{ label = "shut", show = [], answer = 403 }}
{proxy}
[[sites.routes]]
path = "/closed/"
policies = ["shut"]
upstream = "app"
"#,
        probe(&format!("show = [{shown}]")),
    )))
    .await;
    let response = gateway.get("/api/%7Ex?x=%26&y").await;
    assert_eq!(
        response.status, 200,
        "the edited path chooses no other route"
    );
    let received = upstream.only_request();
    assert_eq!(received.target, "/closed/api/~x.TXT?a=%26");
    assert_eq!(
        lines(&received.fields, "x-probe")[1],
        "probe path=/closed/api/~x.TXT query=a=%26 original_path=/api/~x original_query=x=%26&y \
         raw_path=/api/%7Ex host=b.example original_host=a.example extension=txt \
         header:x-set=/closed/api/~x.TXT route=/api/"
    );
    assert_eq!(received.header("host"), Some("B.example:81"));
    let line = gateway.log_line("/api/~x").await;
    assert_eq!(
        (&line["query"], &line["route"]),
        (&"x=%26&y".into(), &"/api/".into())
    );
    assert_eq!(
        gateway.get("/closed/api").await.status,
        403,
        "the other route is shut"
    );

    gateway.get("/api/y").await;
    let received = upstream.requests().pop().unwrap();
    assert_eq!(
        received.target, "/closed/api/y.TXT",
        "an absent query is none"
    );
}

/// A new path is normalised like any other, and cannot contain more than a
/// path.
#[tokio::test]
async fn a_path_from_a_request_is_only_a_path() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"probe\"]");
    let config = probe("show = [], set_path = \"/app/{query:p}\"");
    let gateway = Gateway::start(granted(format!("{config}{proxy}"))).await;
    for (query, status, target) in [
        ("p=x", 200, "/app/x?p=x"),
        ("p=", 200, "/app/?p="),
        ("p=a%2F%2Fb", 200, "/app/a%2F%2Fb?p=a%2F%2Fb"),
        ("p=a%20;b%25", 200, "/app/a%20%3Bb%25?p=a%20;b%25"),
        ("p=%252e%252e", 200, "/app/%252e%252e?p=%252e%252e"),
        ("p=..", 400, ""),
        ("p=%2e", 400, ""),
        ("p=..%2Fy", 400, ""),
        ("p=..%5Cy", 400, ""),
        ("p=..;", 400, ""),
        ("p=..%2F..%2Fy", 400, ""),
        ("p=%00", 400, ""),
    ] {
        let before = upstream.request_count();
        let response = gateway.get(&format!("/?{query}")).await;
        assert_eq!(response.status, status, "{query}");
        if status == 200 {
            assert_eq!(upstream.requests().pop().unwrap().target, target);
        } else {
            assert_eq!(
                response.proxy_error(),
                Some("http_request_error"),
                "{query}"
            );
            assert_eq!(upstream.request_count(), before, "{query}");
        }
    }
    // Characters that would end the path are refused or escaped.
    for (query, raw) in [
        ("p=a%3Fb%3D1", '?'),
        ("p=a%20b", ' '),
        ("p=a%23b", '#'),
        ("p=a%0D%0AX-In%3A1", '\n'),
    ] {
        let response = gateway.get(&format!("/?{query}")).await;
        if response.status == 200 {
            let target = upstream.requests().pop().unwrap().target;
            let path = target.strip_suffix(&format!("?{query}")).expect(&target);
            assert!(!path.contains(raw), "{target}");
        } else {
            assert_eq!(response.status, 400, "{query}");
        }
    }
}

#[tokio::test]
async fn a_query_from_a_request_is_only_a_query() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"probe\"]");
    let config = probe("show = [], set_query = \"{query:q}\"");
    let gateway = Gateway::start(granted(format!("{config}{proxy}"))).await;
    for (query, status, target) in [
        ("?q=a", 200, "/?a"),
        ("?q=a%26b=c%3Fd", 200, "/?a%26b%3Dc%3Fd"),
        ("?x", 200, "/"),
        ("", 200, "/"),
        ("?q=", 200, "/?"),
        ("?q=a+b", 200, "/?a%20b"),
        (
            "?q=a%20HTTP/1.1%0D%0AX:1",
            200,
            "/?a%20HTTP%2F1.1%0D%0AX%3A1",
        ),
        ("?q=a%23b", 200, "/?a%23b"),
        ("?q=%7F", 200, "/?%7F"),
    ] {
        let response = gateway.get(&format!("/{query}")).await;
        assert_eq!(response.status, status, "{query}");
        assert_eq!(upstream.requests().pop().unwrap().target, target, "{query}");
    }
}

/// A declared input must be text; a reference passes any bytes on unchanged.
#[tokio::test]
async fn bytes_that_are_no_text() {
    let upstream = Upstream::raw(|mut visit| async move {
        while let Ok(head) = visit.wire.take_until(b"\r\n\r\n").await {
            let copy = b"x-copy: a\xffb\r\n";
            let is_whole = head
                .windows(copy.len())
                .any(|part| part.eq_ignore_ascii_case(copy));
            let body = if is_whole { "whole" } else { "broken" };
            let reply = Reply::ok(body).to_bytes("GET");
            if visit.wire.try_send(reply).await.is_err() {
                return;
            }
        }
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("path = \"/shown\"\npolicies = [\"probe\"]");
    let gateway = Gateway::start(granted(format!(
        r#"{}
[policies.copy]
component = "headers"
config = {{ request = {{ set = {{ X-Copy = "{{header:x-b}}" }} }} }}
{proxy}
[[sites.routes]]
path = "/copied"
policies = ["copy"]
upstream = "app"
"#,
        probe("show = [\"header:x-b\", \"query:q\", \"cookie:c\"]"),
    )))
    .await;
    let mut wire = gateway.connect().await;
    for (target, fields, status) in [
        ("/shown", "X-B: a\u{fc}b".as_bytes(), 200),
        ("/shown", b"X-B: a\xffb", 400),
        ("/shown", b"X-B: a\r\nX-B: \xc3\x28", 400),
        ("/shown?q=%FF", b"X: 1", 400),
        ("/shown?q=%C3%BC", b"X: 1", 200),
        ("/shown", b"Cookie: c=\xff", 400),
        // The policy does not use this value.
        ("/shown", b"X-Other: \xff", 200),
        ("/copied", b"X-B: a\xffb", 200),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n");
        wire.send([head.as_bytes(), fields, b"\r\n\r\n"].concat())
            .await;
        let response = wire.receive("GET").await;
        assert_eq!(response.status, status, "{target} {fields:?}");
        if status == 400 {
            assert_eq!(response.proxy_error(), Some("http_request_error"));
        }
        if target == "/copied" {
            assert_eq!(response.text(), "whole");
        }
    }
    let line = gateway.log_line("/shown").await;
    assert_eq!(line["status"], 200);
    // Each worker writes its own lines.
    let refused = async || gateway.log().into_iter().find(|line| line["status"] == 400);
    let refused = eventually(refused).await.expect("a line about the refusal");
    assert_eq!(refused["failure"], "policy_input");
    assert!(
        refused["notes"]
            .to_string()
            .contains("header(x-b) is not UTF-8"),
        "{refused}"
    );
}

/// What an upstream sends is not the client's fault: such a value is absent.
#[tokio::test]
async fn bytes_of_a_response_that_are_no_text() {
    let upstream = Upstream::raw(|mut visit| async move {
        while visit.wire.take_until(b"\r\n\r\n").await.is_ok() {
            let reply = b"HTTP/1.1 200 OK\r\nX-B: a\xffb\r\nX-C: c\r\nContent-Length: 0\r\n\r\n";
            if visit.wire.try_send(reply.to_vec()).await.is_err() {
                return;
            }
        }
    })
    .await;
    for (phase, field) in [("response", "x-probe"), ("fetched", "x-fetched")] {
        let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"probe\"]");
        // The harness reads only text.
        let config = probe(&format!(
            "remove = [\"x-b\"], \
             show_{phase} = [\"response_header:x-b\", \"response_header:x-c\", \"header:x-b\"]"
        ));
        let gateway = Gateway::start(granted(format!("{config}{proxy}"))).await;
        // The second request finds the remembered verdict.
        for _ in 0..2 {
            let response = gateway.get("/").await;
            assert_eq!(response.status, 200, "{phase}");
            let line = "probe response_header:x-b response_header:x-c=c header:x-b";
            assert_eq!(response.header(field), Some(line), "{phase}");
        }
        // The client answers for what it sends, in every phase.
        let mut wire = gateway.connect().await;
        wire.send(&b"GET / HTTP/1.1\r\nHost: a\r\nX-B: \xff\r\n\r\n"[..])
            .await;
        assert_eq!(wire.receive("GET").await.status, 400, "{phase}");
    }
}

/// A line end in a query never gets into a head, neither of requests nor of
/// responses.
#[tokio::test]
async fn a_line_end_never_gets_into_a_head() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("path = \"/there\"\npolicies = [\"there\"]");
    let gateway = Gateway::start(granted(format!(
        r#"
[policies.there]
component = "headers"
config = {{ request = {{ set = {{ X-Q = "<{{query:q}}>" }}, append = {{ X-R = "{{query:q}}" }} }} }}
[policies.back]
component = "headers"
config = {{ response = {{ always = true, set = {{ X-Q = "<{{query:q}}>" }} }} }}
{proxy}
[[sites.routes]]
path = "/back"
policies = ["back"]
upstream = "app"
"#
    )))
    .await;
    for path in ["/there", "/back"] {
        for (value, status) in [
            ("a%09b", 200),
            ("a%0D%0AX-Injected:%201", 400),
            ("a%0AX-Injected:%201", 400),
            ("a%0DX-Injected:%201", 400),
            ("%0D%0A%0D%0AHTTP/1.1%20200%20OK", 400),
            ("a%00b", 400),
        ] {
            let mut wire = gateway.connect().await;
            let request = Request::get(&format!("{path}?q={value}")).header("Connection", "close");
            wire.send(request.to_bytes()).await;
            let raw = String::from_utf8(wire.take_rest().await.unwrap()).unwrap();
            let head = raw.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            assert!(
                head.starts_with(&format!("http/1.1 {status} ")),
                "{path} {value}: {raw}"
            );
            assert!(!head.contains("x-injected"), "{path} {value}: {raw}");
        }
    }
    for received in upstream.requests() {
        assert_eq!(received.header("x-injected"), None);
    }
    assert_eq!(lines(&upstream.requests()[0].fields, "x-q"), ["<a\tb>"]);
}
