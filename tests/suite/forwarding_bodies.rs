//! Forwarded bodies: their absence, framing, trailers and content.

use janua_tests::{Framing, Gateway, Proxy, Reply, Request, Upstream, is_over_http2};

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
}

#[tokio::test]
async fn a_204_with_a_length_loses_it() {
    let reply = Reply::raw("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
    let upstream = Upstream::always(reply).await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    // The harness refuses a length here (RFC 9110, section 8.6).
    assert_eq!(gateway.get("/").await.status, 204);
}

#[tokio::test]
async fn framings_of_responses() {
    // The framings are those of HTTP/1.
    if is_over_http2() {
        return;
    }
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

/// `Trailer` lists the trailers that are passed on, and only those.
#[tokio::test]
async fn trailer_names_what_is_passed_on() {
    // HTTP/1.0.
    if is_over_http2() {
        return;
    }
    const TRAILERS: [(&str, &str); 2] = [("X-Sum", "1"), ("Set-Cookie", "a=b")];
    let upstream = Upstream::http(async |request| match request.target.as_str() {
        "/length" => Reply::ok("x").header("Trailer", "X-Sum"),
        _ => Reply::chunked(&[b"body"], &TRAILERS)
            .header("Trailer", "Set-Cookie, X-Sum")
            .header("Trailer", "Content-Length"),
    })
    .await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let response = gateway.get("/").await;
    assert_eq!(response.header("trailer"), Some("X-Sum"));
    assert_eq!(response.trailers, [("X-Sum".to_owned(), "1".to_owned())]);
    for request in [Request::get("/length"), Request::get("/").http10()] {
        let response = gateway.send(request).await;
        assert_eq!(response.header("trailer"), None);
        assert_eq!(response.trailers, []);
    }
}

/// The gateway sets these fields itself in the head; as trailers they could
/// override them.
#[tokio::test]
async fn a_trailer_that_the_gateway_owns_is_dropped() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let request = Request::new("POST", "/")
        .header("Trailer", "X-Request-Id, x-fine, X-Original-URL")
        .chunked(
            &[b"abc"],
            &[
                ("X-Request-Id", "forged"),
                ("X-Original-URL", "/admin"),
                ("x-fine", "1"),
            ],
        );
    assert_eq!(gateway.send(request).await.status, 200);
    let received = upstream.only_request();
    assert_eq!(received.header("trailer"), Some("x-fine"));
    assert_eq!(received.trailers, [("x-fine".to_owned(), "1".to_owned())]);
}

/// No policy sees trailers, which could contain what a policy removed from the
/// head.
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
        .chunked(&[b"abc"], &[("X-User", "admin"), ("x-fine", "1")]);
    assert_eq!(gateway.send(request).await.status, 200);
    let received = upstream.only_request();
    assert_eq!(received.header("x-user"), None);
    assert_eq!(received.trailers, []);
    assert_eq!(received.body, b"abc");
}

/// Trailers cannot replace fields that were set in the head (RFC 9110, section
/// 6.5.1).
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
            ("x-fine", "1"),
        ],
    );
    let response = gateway.send(request).await;
    if response.status == 200 {
        let trailers = upstream.only_request().trailers;
        assert_eq!(trailers, [("x-fine".to_owned(), "1".to_owned())]);
    } else {
        assert_eq!(response.status, 400);
        assert_eq!(upstream.request_count(), 0);
    }
}

#[tokio::test]
async fn bodies_and_values_pass_byte_for_byte() {
    // Names are in lower case.
    if is_over_http2() {
        return;
    }
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
