//! What becomes of a request and its response on their way through: fields,
//! paths, framings, versions.

use janua_tests::{Framing, Gateway, Proxy, Reply, Request, Settings, Upstream};
use serde_json::Value;

/// The header fields that an echo says it received.
async fn fields_of(gateway: &Gateway, request: Request) -> Value {
    let response = gateway.send(request).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["headers"].clone()
}

#[tokio::test]
async fn the_upstream_learns_who_asks() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let fields = fields_of(&gateway, Request::get("/").host("shop.example:8080")).await;
    assert_eq!(fields["host"], "shop.example:8080");
    assert_eq!(fields["x-real-ip"], "127.0.0.1");
    assert_eq!(fields["x-forwarded-for"], "127.0.0.1");
    assert_eq!(fields["x-forwarded-proto"], "http");
    assert_eq!(fields["x-forwarded-host"], "shop.example:8080");
}

#[tokio::test]
async fn a_client_cannot_say_who_it_is() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::get("/")
        .header("X-Forwarded-For", "203.0.113.9")
        .header("X-Real-IP", "203.0.113.9")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "evil.example")
        .header("Forwarded", "for=203.0.113.9;proto=https")
        .header("X_Real_IP", "203.0.113.9")
        .header("X_Forwarded_For", "203.0.113.9")
        .header("Connection", "X-Real-IP, X-Forwarded-For, Host");
    let fields = fields_of(&gateway, request).await;
    // Appended to, as nginx does: the last one is what this gateway saw.
    assert_eq!(fields["x-forwarded-for"], "203.0.113.9, 127.0.0.1");
    assert_eq!(fields["x-real-ip"], "127.0.0.1");
    assert_eq!(fields["x-forwarded-proto"], "http");
    assert_eq!(fields["x-forwarded-host"], "a.example");
    assert_eq!(fields["host"], "a.example");
    for gone in ["forwarded", "x_real_ip", "x_forwarded_for"] {
        assert!(fields.get(gone).is_none(), "{gone}: {fields}");
    }
    let line = gateway.log_line("/").await;
    assert_eq!(line["client_ip"], "127.0.0.1");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .listener("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]");
    let gateway = Gateway::start(config).await;
    // What stands left of the first stranger may be made up.
    let request = Request::get("/trusted")
        .header("X-Forwarded-For", "198.51.100.1, 203.0.113.9")
        .header("X-Forwarded-For", "10.1.2.3")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "shop.example");
    let fields = fields_of(&gateway, request).await;
    assert_eq!(fields["x-real-ip"], "203.0.113.9");
    assert_eq!(
        fields["x-forwarded-for"],
        "198.51.100.1, 203.0.113.9, 10.1.2.3, 127.0.0.1"
    );
    assert_eq!(fields["x-forwarded-proto"], "https");
    assert_eq!(fields["x-forwarded-host"], "shop.example");
    let line = gateway.log_line("/trusted").await;
    assert_eq!(line["client_ip"], "203.0.113.9");
    assert_eq!(line["scheme"], "https");
}

#[tokio::test]
async fn hosts_for_the_upstream() {
    let upstream = Upstream::echo().await;
    let endpoint = upstream.endpoint();
    let config = format!(
        r#"
[listeners.public]
address = "127.0.0.1:0"
[upstreams.app]
endpoints = ["{endpoint}"]
[[sites]]
hosts = ["*"]
routes = [
  {{ path = "/preserve", upstream = "app", host = "preserve" }},
  {{ path = "/upstream", upstream = "app", host = "upstream" }},
  {{ path = "/literal", upstream = "app", host = "app.internal:8443" }},
]
"#
    );
    let gateway = Gateway::start(config).await;
    for (path, host) in [
        ("/preserve", "a.example"),
        ("/upstream", endpoint.as_str()),
        ("/literal", "app.internal:8443"),
    ] {
        let fields = fields_of(&gateway, Request::get(path)).await;
        assert_eq!(fields["host"], host, "{path}");
        assert_eq!(fields["x-forwarded-host"], "a.example", "{path}");
    }
}

#[tokio::test]
async fn fields_of_one_hop_end_here() {
    let reply = Reply::ok("x")
        .header("Connection", "keep-alive, X-Secret")
        .header("Keep-Alive", "timeout=60")
        .header("X-Secret", "s")
        .header("Proxy-Connection", "keep-alive")
        .header("Upgrade", "h2c")
        .header("X-Kept", "1")
        .header("Set-Cookie", "a=1")
        .header("Set-Cookie", "b=2");
    let upstream = Upstream::always(reply).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::get("/")
        .header("Connection", "X-Hop, keep-alive")
        .header("Connection", "x-other")
        .header("X-Hop", "1")
        .header("X-Other", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("TE", "gzip")
        .header("X-Kept", "1")
        .header("X-Kept", "2");
    let response = gateway.send(request).await;
    let received = upstream.only_request();
    for gone in [
        "connection",
        "x-hop",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "te",
    ] {
        assert_eq!(received.header(gone), None, "{gone}");
    }
    let kept = received.fields.iter().filter(|(name, _)| name == "X-Kept");
    assert_eq!(
        kept.map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
        ["1", "2"]
    );

    for gone in [
        "connection",
        "keep-alive",
        "x-secret",
        "proxy-connection",
        "upgrade",
    ] {
        assert_eq!(response.header(gone), None, "{gone}");
    }
    assert_eq!(response.header("X-Kept"), Some("1"));
    let cookies = response
        .fields
        .iter()
        .filter(|(name, _)| name == "Set-Cookie");
    assert_eq!(
        cookies.map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
        ["a=1", "b=2"]
    );
    assert_eq!(response.reason, "Said", "the reason is the upstream's");
}

#[tokio::test]
async fn a_response_without_a_date_gets_one() {
    let upstream = Upstream::always(Reply::ok("x")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let date = gateway.get("/").await.header("date").map(str::to_owned);
    let date = date.expect("RFC 9110 §6.6.1");
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");

    let dated = Reply::ok("x").header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let upstream = Upstream::always(dated).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let response = gateway.get("/").await;
    assert_eq!(
        response.header("date"),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
}

#[tokio::test]
async fn request_ids() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut ids = Vec::new();
    for path in ["/one", "/two"] {
        let spoofed = Request::get(path).header("X-Request-Id", &"0".repeat(32));
        let response = gateway.send(spoofed).await;
        let id = response.json()["headers"]["x-request-id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id}"
        );
        assert_eq!(gateway.log_line(path).await["request_id"], id.as_str());
        assert_eq!(
            response.header("x-request-id"),
            None,
            "for the upstream only"
        );
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    assert!(
        !ids.contains(&"0".repeat(32)),
        "a stranger's id is not taken"
    );
}

#[tokio::test]
async fn the_request_id_of_a_trusted_proxy_is_kept() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).listener("trusted_proxies = [\"127.0.0.1\"]");
    let gateway = Gateway::start(config).await;
    let given = "0123456789abcdef0123456789ABCDEF";
    let fields = fields_of(&gateway, Request::get("/").header("X-Request-Id", given)).await;
    assert_eq!(fields["x-request-id"], given);
    let odd = Request::get("/").header("X-Request-Id", "x; DROP TABLE");
    let fields = fields_of(&gateway, odd).await;
    assert_eq!(fields["x-request-id"].as_str().map(str::len), Some(32));
}

#[tokio::test]
async fn one_path_for_everyone() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for (sent, received) in [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("/a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/%61%2D%7E", "/a-~"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%20b", "/a%20b"),
        ("/x?q=%2e%2e/&r=a//b", "/x?q=%2e%2e/&r=a//b"),
        ("/x?", "/x?"),
        ("/x?a?b", "/x?a?b"),
        ("/x;v=1/y", "/x;v=1/y"),
    ] {
        let echo = gateway.get(sent).await.json();
        assert_eq!(echo["target"], received, "{sent}");
    }
}

#[tokio::test]
async fn encoded_slashes_can_be_refused() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).site("encoded_slash = \"refuse\"");
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get("/a%2Fb").await.status, 400);
    assert_eq!(gateway.get("/a%5Cb").await.status, 200);
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_prefix_is_stripped() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).route("path = \"/api/\"\nstrip_prefix = \"/api\"");
    let gateway = Gateway::start(config).await;
    for (sent, received) in [
        ("/api/users?x=/api/y", "/users?x=/api/y"),
        ("/api/", "/"),
        ("/api//users", "/users"),
        ("/x/../api/users", "/users"),
        ("/api/api/users", "/api/users"),
    ] {
        let echo = gateway.get(sent).await.json();
        assert_eq!(echo["target"], received, "{sent}");
    }
    // R9: `handle_path /api/*` does not match the bare prefix.
    assert_eq!(gateway.get("/api").await.status, 404);
    assert_eq!(gateway.get("/apix").await.status, 404);
}

#[tokio::test]
async fn head_has_no_body() {
    let upstream = Upstream::always(Reply::ok("twelve bytes")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    for _ in 0..2 {
        // A body would be taken for the next response.
        let response = wire.exchange(&Request::new("HEAD", "/")).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-length"), Some("12"));
    }
    assert_eq!(
        wire.exchange(&Request::get("/")).await.text(),
        "twelve bytes"
    );
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn statuses_without_a_body() {
    let upstream = Upstream::http(async |request| match request.target.as_str() {
        "/204" => Reply::new(204),
        "/304" => Reply::new(304)
            .header("ETag", "\"x\"")
            .header("Content-Length", "7"),
        "/205" => Reply::new(205),
        _ => Reply::ok("end"),
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    for status in [204, 304, 205] {
        let response = wire.exchange(&Request::get(&format!("/{status}"))).await;
        assert_eq!(response.status, status);
        assert_eq!(response.body, b"");
    }
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "end");
    assert_eq!(
        upstream.connections(),
        1,
        "each of them ended where it should"
    );
}

#[tokio::test]
async fn a_204_with_a_length_loses_it() {
    let reply = Reply::raw("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
    let upstream = Upstream::always(reply).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    // The reader refuses a length here (RFC 9110 §8.6).
    assert_eq!(gateway.get("/").await.status, 204);
}

#[tokio::test]
async fn framings_of_responses() {
    let upstream = Upstream::http(async |request| match request.target.as_str() {
        "/length" => Reply::ok("abcdef"),
        "/chunked" => Reply::chunked(&[b"abc", b"def"], &[]),
        _ => Reply::raw("HTTP/1.1 200 OK\r\n\r\nabcdef"),
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    for (path, in_11, in_10) in [
        ("/length", Framing::Length(6), Framing::Length(6)),
        ("/chunked", Framing::Chunked, Framing::UntilClose),
        ("/close", Framing::Chunked, Framing::UntilClose),
    ] {
        let response = gateway.get(path).await;
        assert_eq!(
            (response.framing, response.text()),
            (in_11, "abcdef"),
            "{path}"
        );
        let mut wire = gateway.connect().await;
        let asks_for_more = Request::get(path)
            .http10()
            .header("Connection", "keep-alive");
        let response = wire.exchange(&asks_for_more).await;
        assert_eq!(
            (response.framing, response.text()),
            (in_10, "abcdef"),
            "{path}"
        );
        let kept = matches!(in_10, Framing::Length(_)).then_some("keep-alive");
        assert_eq!(
            response.header("connection"),
            kept.or(Some("close")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn clients_of_http_10() {
    let upstream = Upstream::always(Reply::ok("x")).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    let keep = Request::get("/")
        .http10()
        .header("Connection", "keep-alive");
    for _ in 0..2 {
        let response = wire.exchange(&keep).await;
        assert_eq!(response.header("connection"), Some("keep-alive"));
    }
    wire.exchange(&Request::get("/").http10()).await;
    assert!(
        wire.is_closed().await,
        "without keep-alive the connection ends"
    );

    let mut wire = gateway.connect().await;
    wire.send("GET /hostless HTTP/1.0\r\n\r\n").await;
    assert_eq!(wire.receive("GET").await.status, 200);
    let last = upstream.requests().pop().unwrap();
    assert_eq!(
        last.version, "HTTP/1.1",
        "the upstream is spoken to in HTTP/1.1"
    );
    assert_eq!(last.header("host"), Some(""));
}

#[tokio::test]
async fn clients_that_ask_to_close() {
    let upstream = Upstream::always(Reply::ok("x")).await;
    let gateway = Settings::new()
        .workers(1)
        .start(Proxy::to(upstream.endpoint()))
        .await;
    let mut wire = gateway.connect().await;
    let response = wire
        .exchange(&Request::get("/").header("Connection", "close"))
        .await;
    assert_eq!(response.header("connection"), Some("close"));
    assert!(wire.is_closed().await);
    // That is between client and gateway.
    gateway.get("/").await;
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn trailers_both_ways() {
    let upstream = Upstream::http(async |request| {
        let sum = request
            .trailers
            .first()
            .map_or("none", |(_, value)| value.as_str());
        Reply::chunked(&[b"body"], &[("X-Echo", sum), ("X-More", "1")]).header("Trailer", "X-Echo")
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::new("POST", "/")
        .header("TE", "trailers")
        .chunked(&[b"abc"], &[("X-Sum", "42")]);
    let response = gateway.send(request).await;
    assert_eq!(
        response.trailers,
        [
            ("X-Echo".to_owned(), "42".to_owned()),
            ("X-More".to_owned(), "1".to_owned())
        ]
    );
    assert_eq!(upstream.only_request().header("te"), Some("trailers"));
}

/// No policy sees a trailer, which could say what it took out of the head.
#[tokio::test]
async fn trailers_of_requests_end_where_policies_decide() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(format!(
        "[policies.edit]\ncomponent = \"headers\"\n\
         config = {{ request = {{ remove = [\"x-user\"] }} }}\n{}",
        Proxy::to(upstream.endpoint()).route("policies = [\"edit\"]")
    ))
    .await;
    let request = Request::new("POST", "/")
        .header("X-User", "admin")
        .chunked(&[b"abc"], &[("X-User", "admin"), ("X-Fine", "1")]);
    assert_eq!(gateway.send(request).await.status, 200);
    let received = upstream.only_request();
    assert_eq!(received.header("x-user"), None);
    assert_eq!(received.trailers, []);
    assert_eq!(received.body, b"abc");
}

/// A trailer is no way around what was done to the head (RFC 9110 §6.5.1).
#[tokio::test]
async fn trailers_that_would_change_the_head_are_dropped() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::new("POST", "/").chunked(
        &[b"abc"],
        &[
            ("Content-Length", "3"),
            ("Transfer-Encoding", "chunked"),
            ("Host", "evil"),
            ("X_Real_IP", "1.1.1.1"),
            ("X-Fine", "1"),
        ],
    );
    let response = gateway.send(request).await;
    if response.status == 200 {
        let trailers = upstream.only_request().trailers;
        assert_eq!(trailers, [("X-Fine".to_owned(), "1".to_owned())]);
    } else {
        assert_eq!(response.status, 400);
        assert_eq!(upstream.request_count(), 0);
    }
}

#[tokio::test]
async fn expect_100_continue() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        .await;
    let head = wire.receive_head("POST").await.unwrap();
    assert_eq!(head.status, 100);
    wire.send("abc").await;
    let response = wire.receive("POST").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.interim.len(), 0, "once is enough");
    assert_eq!(response.json()["body"], "abc");
    assert!(response.json()["headers"].get("expect").is_none());
}

#[tokio::test]
async fn expect_100_continue_of_what_is_refused() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).route("path = \"/only\"\nmax_body = \"10B\"");
    let gateway = Gateway::start(config).await;
    for (path, length, status) in [("/other", 3, 404), ("/only", 11, 413)] {
        let mut wire = gateway.connect().await;
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        ))
        .await;
        let response = wire.receive("POST").await;
        assert_eq!(response.status, status);
        assert_eq!(
            response.interim.len(),
            0,
            "a body that is refused is not asked for"
        );
        assert!(wire.is_closed().await, "whether it comes nobody knows");
    }
}

#[tokio::test]
async fn interim_responses() {
    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n\
        HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    let upstream = Upstream::always(Reply::raw(HINTS)).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let response = gateway.get("/").await;
    let interim: Vec<_> = response
        .interim
        .iter()
        .map(|interim| interim.status)
        .collect();
    assert_eq!(interim, [103, 102]);
    assert_eq!(
        response.interim[0].header("link"),
        Some("</a.css>; rel=preload")
    );
    assert_eq!(response.text(), "x");
    // HTTP/1.0 knows none of them (RFC 9110 §15.2).
    let response = gateway.send(Request::get("/").http10()).await;
    assert_eq!((response.interim.len(), response.text()), (0, "x"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    let mut all = Vec::new();
    for n in 0..20 {
        let path = format!("/{n}");
        let request = match n % 3 {
            0 => Request::get(&path),
            1 => Request::post(&path, format!("body {n}")),
            _ => Request::new("PUT", &path).chunked(&[b"body ", n.to_string().as_bytes()], &[]),
        };
        all.extend(request.to_bytes());
    }
    wire.send(all).await;
    for n in 0..20 {
        let echo = wire.receive("GET").await.json();
        assert_eq!(echo["target"], format!("/{n}"));
        let body = if n % 3 == 0 {
            String::new()
        } else {
            format!("body {n}")
        };
        assert_eq!(echo["body"], body);
    }
}

#[tokio::test]
async fn bodies_and_values_pass_byte_for_byte() {
    let upstream = Upstream::always(Reply::ok(Vec::from_iter(0..=255u8))).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let body = Vec::from_iter((0..=255u8).rev());
    let request = Request::post("/hook", body.clone())
        .header("X-Signature", "sha256=\"=?a,b;\u{e9}\u{fc}")
        .header("x-oDD-cAse", "a   b");
    let response = gateway.send(request).await;
    assert_eq!(response.body, Vec::from_iter(0..=255u8));
    let received = upstream.only_request();
    assert_eq!(received.body, body);
    assert_eq!(
        received.header("x-signature"),
        Some("sha256=\"=?a,b;\u{e9}\u{fc}")
    );
    let odd = received
        .fields
        .iter()
        .find(|(_, value)| value == "a   b")
        .unwrap();
    assert_eq!(odd.0, "x-oDD-cAse", "names keep their letter case");
}
