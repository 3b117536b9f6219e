//! HTTP/2 to upstreams: requests and responses in translation, and what is agreed on by ALPN.

use janua_tests::{
    Gateway, Http2Habits, Http2Stream, Http2Upstream, Proxy, Reply, Request, TlsServer, Upstream,
    assert_eventually,
};
use tokio::sync::watch;

use crate::tls::Stage;

/// What makes an upstream one of HTTP/2.
pub(crate) const HTTP2: &str = "http = \"2\"";

/// A gateway with one worker in front of an upstream that speaks HTTP/2 in cleartext.
pub(crate) async fn in_front_of(upstream: &Http2Upstream) -> Gateway {
    Gateway::start_one_worker(Proxy::to(upstream.endpoint()).upstream(HTTP2)).await
}

#[tokio::test]
async fn a_request_is_translated() {
    let upstream = Http2Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .upstream(HTTP2)
        .route("path = \"/api\"\nstrip_prefix = \"/api\"");
    let gateway = Gateway::start_one_worker(config).await;
    let request = Request::post("/api/a%20b?q=1&r=%2F", "hello")
        .header("X-Custom", "caf\u{e9}")
        .header("Cookie", "a=1; b=2")
        .header("Connection", "keep-alive, X-Gone")
        .header("X-Gone", "1")
        .header("Keep-Alive", "timeout=5")
        .header("TE", "trailers, gzip");
    let response = gateway.send(request).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let received = upstream.only_request();
    assert_eq!(received.method, "POST");
    assert_eq!(received.target, "/a%20b?q=1&r=%2F");
    assert_eq!(received.text(), "hello");
    for (name, value) in [
        (":scheme", Some("http")),
        (":authority", Some("a.example")),
        ("host", None),
        ("x-custom", Some("caf\u{e9}")),
        ("cookie", Some("a=1; b=2")),
        ("content-length", Some("5")),
        ("te", Some("trailers")),
        ("x-gone", None),
        ("connection", None),
        ("keep-alive", None),
        ("x-forwarded-proto", Some("http")),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn bodies_and_trailers_pass_in_both_directions() {
    let upstream = Http2Upstream::http(async |request| {
        let body = [&request.body[..], b"!"].concat();
        let trailer = request.trailers.first().cloned().unwrap_or_default();
        Reply::chunked(&[&body], &[("X-Back", &trailer.1)])
    })
    .await;
    let gateway = in_front_of(&upstream).await;
    let big = "x".repeat(700_000);
    for body in ["short", &big] {
        let request = Request::new("POST", "/")
            .header("TE", "trailers")
            .chunked(&[body.as_bytes()], &[("X-Sum", "7")]);
        let response = gateway.send(request).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.body.len(), body.len() + 1);
        let trailers = [("x-back".to_owned(), "7".to_owned())];
        assert_eq!(response.trailers, trailers, "{}", body.len());
        let posted = gateway.send(Request::post("/", body)).await;
        assert_eq!(posted.body.len(), body.len() + 1);
    }
}

#[tokio::test]
async fn responses_without_a_body_end_for_every_client() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let Ok(request) = stream.request().await else {
            return;
        };
        let status = request.target.trim_start_matches('/').parse().unwrap();
        let _ = match &*request.method {
            "HEAD" => stream.respond_only(status, &[("content-length", "5")]),
            _ => stream.respond_only(status, &[("x-a", "1")]),
        };
    })
    .await;
    let gateway = in_front_of(&upstream).await;
    let mut wire = gateway.connect().await;
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("GET", 204),
        ("GET", 304),
        ("POST", 404),
    ] {
        let response = wire
            .exchange(&Request::new(method, &format!("/{status}")))
            .await;
        assert_eq!(response.status, status);
        assert_eq!(response.text(), "");
        let length = match (method, status) {
            ("HEAD", _) => Some("5"),
            (_, 200 | 404) => Some("0"),
            _ => None,
        };
        assert_eq!(
            response.header("content-length"),
            length,
            "{method} {status}"
        );
    }
}

#[tokio::test]
async fn interim_responses_are_forwarded() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.request().await;
        let _ = stream.interim(103, &[("link", "</a.css>; rel=preload")]);
        let _ = stream.reply(&Reply::ok("done")).await;
    })
    .await;
    let gateway = in_front_of(&upstream).await;
    let response = gateway.get("/").await;
    assert_eq!(response.text(), "done");
    let statuses: Vec<u16> = response.interim.iter().map(|head| head.status).collect();
    assert_eq!(statuses, [103]);
}

/// Answers once the sender has `true`, and takes so many streams at once.
async fn held(streams: Option<u32>) -> (Http2Upstream, watch::Sender<bool>) {
    let (release, released) = watch::channel(false);
    let habits = Http2Habits {
        streams,
        ..Http2Habits::default()
    };
    let upstream = Http2Upstream::http_with(habits, move |_| {
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|released| *released).await;
            Reply::ok("x")
        }
    });
    (upstream.await, release)
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let (upstream, release) = held(None).await;
    let gateway = in_front_of(&upstream).await;
    let all_at_once = async {
        assert_eventually!(upstream.in_progress() == 40);
        release.send(true).unwrap();
    };
    let each = join_all((0..40).map(|_| gateway.get("/")));
    let (responses, ()) = tokio::join!(each, all_at_once);
    for response in responses {
        assert_eq!(response.status, 200);
    }
    assert_eq!(upstream.connections(), 1);
    let metrics = gateway.metrics().await;
    let opened = "janua_upstream_connections_opened_total";
    assert_eq!(metrics.sum(opened, &[]), 1.0);
}

#[tokio::test]
async fn a_further_connection_is_opened_when_the_endpoint_takes_no_more() {
    let (upstream, release) = held(Some(4)).await;
    let gateway = in_front_of(&upstream).await;
    let further = async {
        assert_eventually!(upstream.connections() > 1);
        release.send(true).unwrap();
    };
    let each = join_all((0..16).map(|_| gateway.get("/")));
    let (responses, ()) = tokio::join!(each, further);
    for response in responses {
        assert_eq!(response.status, 200);
    }
    let connections = upstream.connections();
    assert!((2..=8).contains(&connections), "{connections}");
}

#[tokio::test]
async fn an_unused_connection_is_closed() {
    let upstream = Http2Upstream::echo().await;
    let lines = "http = \"2\"\nkeepalive_timeout = \"1s\"";
    let config = Proxy::to(upstream.endpoint()).upstream(lines);
    let gateway = Gateway::start_one_worker(config).await;
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(upstream.connections(), 1);
    assert_eventually!(upstream.open() == 0);
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_connection_outlives_a_reload() {
    let upstream = Http2Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).upstream(HTTP2);
    let mut gateway = Gateway::start_one_worker(config.clone()).await;
    assert_eq!(gateway.get("/").await.status, 200);
    gateway.reload(config.route("access_log = false")).await;
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn no_client_notices_that_connections_are_closed_in_order() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        if stream.request().await.is_ok() {
            stream.go_away();
            let _ = stream.reply(&Reply::ok("x")).await;
        }
    })
    .await;
    let gateway = in_front_of(&upstream).await;
    let each = (0..30).map(|n| {
        let gateway = &gateway;
        async move { gateway.send(Request::post("/", format!("{n}"))).await }
    });
    for response in join_all(each).await {
        assert_eq!(response.status, 200);
    }
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert!(upstream.connections() > 1);
}

#[tokio::test]
async fn a_refused_request_is_sent_elsewhere_or_not_at_all() {
    let refuses = Http2Upstream::raw(async |stream: Http2Stream| stream.reset(7)).await;
    let alive = Http2Upstream::http(async |_| Reply::ok("alive")).await;
    let config = Proxy::to(refuses.endpoint())
        .and(alive.endpoint())
        .upstream(HTTP2);
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..10 {
        assert_eq!(
            gateway.send(Request::new("POST", "/")).await.text(),
            "alive"
        );
    }
    assert!(refuses.streams() > 0);
    let alone = in_front_of(&refuses).await;
    let response = alone.get("/").await;
    assert_eq!(response.status, 502);
    assert_eq!(response.proxy_error(), Some("connection_terminated"));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_request() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.request().await;
        let _ = stream.respond(200, &[]);
        let _ = stream.send("begins").await;
        assert_eq!(stream.cancelled().await, Some(8));
    })
    .await;
    let gateway = in_front_of(&upstream).await;
    let mut wire = gateway.connect().await;
    wire.send(&Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.in_progress() == 1);
    drop(wire);
    assert_eventually!(upstream.in_progress() == 0);
    assert_eq!(upstream.open(), 1);
}

#[tokio::test]
async fn a_response_that_is_cut_off_is_not_taken_for_the_whole() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(200, &[]);
        let _ = stream.send("begins").await;
        let _ = stream.data().await;
        stream.reset(2);
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .upstream(HTTP2)
        .listener("http2 = true");
    let gateway = Gateway::start_one_worker(config).await;
    let mut wire = gateway.connect().await;
    let head = Request::new("POST", "/1").header("Transfer-Encoding", "chunked");
    wire.send(head.to_bytes()).await;
    assert_eq!(wire.receive_head("POST").await.unwrap().status, 200);
    wire.send("1\r\nx\r\n").await;
    let rest = wire.take_until(b"\r\n0\r\n").await;
    assert!(rest.is_err(), "{rest:?}");
    let client = gateway.http2().await;
    let mut call = client.open(&Request::new("POST", "/2")).await.unwrap();
    assert_eq!(call.head().await.unwrap().status, 200);
    call.send("x").await.unwrap();
    let error = loop {
        match call.data().await {
            Ok(data) => assert!(data.is_some(), "the response has an end"),
            Err(error) => break error,
        }
    };
    assert!(error.is_reset(), "{error}");
    for path in ["/1", "/2"] {
        let line = gateway.log_line(path).await;
        assert_eq!(line["failure"], "response_incomplete");
    }
}

#[tokio::test]
async fn a_response_may_be_complete_before_the_request() {
    let upstream = Http2Upstream::raw(async |mut stream: Http2Stream| {
        let _ = stream.respond(413, &[]);
        let _ = stream.send("too large").await;
        let _ = stream.finish();
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .upstream(HTTP2)
        .listener("http2 = true");
    let gateway = Gateway::start_one_worker(config).await;
    let client = gateway.http2().await;
    let request = Request::new("POST", "/");
    let mut call = client.open(&request).await.unwrap();
    let _ = call.send("a part").await;
    let response = call.response().await;
    assert_eq!((response.status, response.text()), (413, "too large"));
}

const TLS: &str = "tls = { ca = \"ca.pem\", server_name = \"app.internal\" }";

#[tokio::test]
async fn an_endpoint_that_selects_http2_gets_it() {
    for http in ["2", "auto"] {
        let stage = Stage::new();
        let identity = stage.authority.issue(&["app.internal"]);
        let habits = Http2Habits {
            tls: Some(TlsServer::with(&identity).protocols(&["h2"])),
            ..Http2Habits::default()
        };
        let upstream = Http2Upstream::http_with(habits, async |_| Reply::ok("2")).await;
        let lines = format!("http = \"{http}\"\n{TLS}");
        let config = Proxy::to(upstream.endpoint()).upstream(&lines);
        let gateway = stage.start(config).await;
        assert_eq!(gateway.get("/").await.text(), "2", "{http}");
        let received = upstream.only_request();
        assert_eq!(received.header(":scheme"), Some("https"));
    }
}

#[tokio::test]
async fn an_endpoint_that_selects_http1_gets_it_only_where_that_is_allowed() {
    for (http, status, error) in [("auto", 200, None), ("2", 502, Some("tls_protocol_error"))] {
        let stage = Stage::new();
        let identity = stage.authority.issue(&["app.internal"]);
        let upstream = Upstream::tls_echo(TlsServer::with(&identity)).await;
        let lines = format!("http = \"{http}\"\n{TLS}");
        let config = Proxy::to(upstream.endpoint()).upstream(&lines);
        let gateway = stage.start(config).await;
        for response in join_all((0..10).map(|_| gateway.get("/"))).await {
            assert_eq!(response.status, status, "{http}");
            assert_eq!(response.proxy_error(), error);
        }
    }
}

#[tokio::test]
async fn an_endpoint_of_http1_is_a_clear_failure() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint()).upstream(HTTP2);
    let gateway = Gateway::start_one_worker(config).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 502);
    assert_eq!(response.proxy_error(), Some("http_protocol_error"));
    assert_eq!(gateway.log_line("/").await["failure"], "no_http2");
}

/// Such an endpoint is held back like one that refuses connections, and clients notice nothing.
#[tokio::test]
async fn an_endpoint_of_http1_is_held_back() {
    let wrong = Upstream::echo().await;
    let right = Http2Upstream::http(async |_| Reply::ok("right")).await;
    let config = Proxy::to(wrong.endpoint())
        .and(right.endpoint())
        .upstream("http = \"2\"\npassive_health = { max_fails = 1, fail_timeout = \"60s\" }");
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "right");
    }
    let endpoints = gateway.status().await["upstreams"][0]["endpoints"].clone();
    let health = |index: usize| endpoints[index]["health"].clone();
    assert_eq!((health(0), health(1)), ("down".into(), "up".into()));
    let metrics = gateway.metrics().await;
    let failures = metrics.sum("janua_upstream_failures_total", &[("kind", "no_http2")]);
    assert_eq!(failures, 1.0, "it is not asked again");
}

#[tokio::test]
async fn an_endpoint_on_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let authority = request.uri().authority().unwrap().as_str();
                let response = http::Response::builder().header("asked-for", authority);
                let _ = respond.send_response(response.body(()).unwrap(), true);
            }
        }
    });
    for (host, authority) in [("preserve", "a.example"), ("upstream", "localhost")] {
        let config = Proxy::to(format!("unix:{}", path.display()))
            .upstream(HTTP2)
            .route(&format!("host = \"{host}\""));
        let gateway = Gateway::start_one_worker(config).await;
        for _ in 0..3 {
            let response = gateway.get("/").await;
            assert_eq!(response.status, 200, "{}", response.text());
            assert_eq!(response.header("asked-for"), Some(authority));
        }
    }
}

/// Waits for all of them.
pub(crate) async fn join_all<T>(each: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = each.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in &mut waiting {
            if done.is_none()
                && let std::task::Poll::Ready(value) = one.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        match waiting.iter().all(|(_, done)| done.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}
