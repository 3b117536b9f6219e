//! Copies of requests for another upstream: what is copied and how, and that nothing of it is
//! noticed by clients.

use janua_tests::{
    Framing, Gateway, Http2Upstream, Proxy, Received, Reply, Request, Settings, Upstream, Vacant,
    Visit, assert_eventually, filler,
};

/// A gateway with one worker that sends requests to one upstream, and copies of them to another
/// one as these fields of the mirror say.
async fn gateway(app: &Upstream, shadow: &str, fields: &str) -> Gateway {
    Gateway::start_one_worker(config(app, shadow, fields)).await
}

pub(crate) fn config(app: &Upstream, shadow: &str, fields: &str) -> Proxy {
    Proxy::to(app.endpoint())
        .beside("shadow", shadow)
        .route(&format!(
            "max_body = 0\nmirror = {{ upstream = \"shadow\"{fields} }}"
        ))
}

async fn app() -> Upstream {
    Upstream::always(Reply::ok("app")).await
}

/// How many copies have come to this.
async fn count(gateway: &Gateway, outcome: &str) -> f64 {
    let labels = [("upstream", "shadow"), ("outcome", outcome)];
    gateway.metric("janua_mirror_requests_total", &labels).await
}

pub(crate) async fn all(gateway: &Gateway) -> f64 {
    gateway.metric("janua_mirror_requests_total", &[]).await
}

fn without(request: &Received, names: &[&str]) -> Vec<(String, String)> {
    let fields = request.fields.iter();
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    fields
        .filter(|(name, _)| !names.contains(&name.as_str()))
        .collect()
}

#[tokio::test]
async fn a_copy_is_what_the_first_upstream_gets_and_a_mark() {
    let (app, shadow) = (app().await, Upstream::always(Reply::new(500)).await);
    let config = config(&app, &shadow.endpoint(), "").site("policies = [\"sets\"]");
    let policy = "[policies.sets]\ncomponent = \"headers\"\n\
                  config = { request = { set = { X-Set = \"{path}\" } } }\n";
    let gateway = Gateway::start_one_worker(format!("{policy}{config}")).await;
    let request = Request::post("/a%20b?q=1", "hello")
        .header("Authorization", "Bearer secret")
        .header("X-Janua-Mirror", "1")
        .header("X-Set", "spoofed");
    let response = gateway.send(request).await;
    assert_eq!((response.status, response.text()), (200, "app"));
    assert_eventually!(shadow.request_count() == 1);
    let (first, copy) = (app.only_request(), shadow.only_request());
    assert_eq!(first.header("x-janua-mirror"), None, "only a copy has it");
    assert_eq!(copy.header("x-janua-mirror"), Some("1"));
    assert_eq!(copy.header("x-set"), Some("/a%20b"));
    assert_eq!(copy.header("authorization"), Some("Bearer secret"));
    assert_eq!((&copy.method, &copy.target), (&first.method, &first.target));
    assert_eq!((copy.text(), first.text()), ("hello", "hello"));
    assert_eq!(
        without(&copy, &["x-janua-mirror"]),
        without(&first, &[]),
        "and nothing else"
    );
    assert_eventually!(count(&gateway, "answered").await == 1.0);
    // The policy is asked once, and nothing of the copy is in the access log.
    let line = gateway.log_line("/a%20b").await;
    assert_eq!(
        (&line["upstream"], &line["status"]),
        (&"app".into(), &200.into())
    );
    assert_eq!(gateway.log().len(), 1);
}

#[tokio::test]
async fn a_share_of_the_requests_is_copied() {
    let (app, shadow) = (app().await, Upstream::always(Reply::ok("x")).await);
    for (fields, least, most) in [
        (", percent = 0", 0, 0),
        (", percent = 100", 400, 400),
        // Six standard deviations around 200 and around 40.
        (", percent = 50", 140, 260),
        (
            ", fraction = { numerator = 100, denominator = 1000 }",
            4,
            76,
        ),
    ] {
        let before = shadow.request_count();
        let config = config(&app, &shadow.endpoint(), fields);
        let gateway = Settings::new().workers(4).start(config).await;
        for _ in 0..20 {
            let mut wire = gateway.connect().await;
            for _ in 0..20 {
                let response = wire.exchange(&Request::get("/")).await;
                assert_eq!(response.text(), "app");
            }
        }
        // A copy is counted when it has ended.
        let arrived = async || (shadow.request_count() - before) as f64;
        let range = f64::from(least)..=f64::from(most);
        assert_eventually!(range.contains(&arrived().await), "{fields}");
        assert_eventually!(all(&gateway).await == arrived().await, "{fields}");
        assert!(range.contains(&arrived().await), "{fields}");
    }
}

#[tokio::test]
async fn bodies_are_copied_up_to_the_limit() {
    let (app, shadow) = (app().await, Upstream::always(Reply::ok("x")).await);
    let gateway = gateway(&app, &shadow.endpoint(), ", body = 16").await;
    let (fits, exceeds) = ("0123456789abcdef", "0123456789abcdefg");
    let parts = |body: &'static str| {
        let (one, two) = body.as_bytes().split_at(9);
        Request::new("PUT", "/").chunked(&[one, two], &[])
    };
    let requests = [
        Request::post("/", ""),
        Request::post("/", fits),
        parts(fits),
        Request::post("/", exceeds),
        parts(exceeds),
    ];
    let mut copied = Vec::new();
    for (n, request) in requests.into_iter().enumerate() {
        assert_eq!(gateway.send(request).await.text(), "app");
        assert_eventually!(all(&gateway).await == (n + 1) as f64);
        copied.push(shadow.request_count());
    }
    assert_eq!(copied, [1, 2, 3, 3, 3]);
    assert_eq!(count(&gateway, "too_large").await, 2.0);
    let bodies: Vec<_> = shadow.requests().iter().map(|it| it.text().len()).collect();
    assert_eq!(bodies, [0, 16, 16]);
    // Its length is known, however the client has sent it.
    assert_eq!(shadow.requests()[2].framing, Framing::Length(16));
    let bodies: Vec<_> = app.requests().iter().map(|it| it.text().len()).collect();
    assert_eq!(bodies, [0, 16, 16, 17, 17], "the upstream gets them all");
}

#[tokio::test]
async fn a_copy_has_no_trailers() {
    let (app, shadow) = (app().await, Upstream::always(Reply::ok("x")).await);
    let gateway = gateway(&app, &shadow.endpoint(), "").await;
    let request = Request::new("POST", "/")
        .header("Trailer", "X-Sum")
        .chunked(&[b"body"], &[("X-Sum", "1")]);
    assert_eq!(gateway.send(request).await.text(), "app");
    assert_eventually!(shadow.request_count() == 1);
    let trailers = [("X-Sum".to_owned(), "1".to_owned())];
    let of_app = app.only_request().trailers;
    assert_eq!(of_app.len(), trailers.len(), "{of_app:?}");
    let copy = shadow.only_request();
    assert_eq!((copy.text(), copy.header("trailer")), ("body", None));
    assert!(copy.trailers.is_empty());
}

/// A mirror that never answers keeps its places, and nobody waits for it.
#[tokio::test]
async fn a_mirror_that_hangs() {
    let (app, shadow) = (app().await, Upstream::silent().await);
    let fields = ", most = 2, timeout = \"1h\"";
    let config = config(&app, &shadow.endpoint(), fields);
    let gateway = Settings::new().workers(4).start(config).await;
    for n in 0..20 {
        let request = match n % 2 {
            0 => Request::get("/"),
            _ => Request::post("/", filler(0, 40_000)),
        };
        assert_eq!(gateway.send(request).await.text(), "app");
    }
    // The places are those of all workers.
    assert_eventually!(shadow.request_count() == 2);
    assert_eventually!(count(&gateway, "dropped").await == 18.0);
    gateway.settled().await;
}

#[tokio::test]
async fn a_place_is_free_again_after_the_timeout() {
    let (app, shadow) = (app().await, Upstream::silent().await);
    let gateway = gateway(&app, &shadow.endpoint(), ", most = 1, timeout = \"300ms\"").await;
    for n in 1..=3 {
        assert_eq!(gateway.get("/").await.text(), "app");
        assert_eventually!(count(&gateway, "timeout").await == f64::from(n));
    }
    assert_eq!(count(&gateway, "dropped").await, 0.0);
}

#[tokio::test]
async fn a_mirror_that_refuses() {
    let vacant = Vacant::refusing();
    let app = app().await;
    let gateway = gateway(&app, &vacant.address().to_string(), "").await;
    for n in 1..=3 {
        let response = gateway.send(Request::post("/", "body")).await;
        assert_eq!(response.text(), "app");
        assert_eventually!(count(&gateway, "failed").await == f64::from(n));
    }
    // It is told of the upstream's endpoint, and of no request.
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_failures_total", &[]), 0.0);
    let labels = [("upstream", "shadow"), ("kind", "refused")];
    assert_eq!(metrics.sum("janua_upstream_failures_total", &labels), 3.0);
}

/// It takes the head, and nothing of a body that is larger than what the kernel holds.
#[tokio::test]
async fn a_mirror_that_does_not_read() {
    let app = app().await;
    let (read, may_read) = tokio::sync::watch::channel(false);
    let shadow = Upstream::raw(move |mut visit: Visit| {
        let mut may_read = may_read.clone();
        async move {
            let _ = visit.wire.take_until(b"\r\n\r\n").await;
            let _ = may_read.wait_for(|may| *may).await;
            let _ = visit.wire.take_rest().await;
        }
    })
    .await;
    let fields = ", body = \"32MiB\", timeout = \"1s\"";
    let gateway = gateway(&app, &shadow.endpoint(), fields).await;
    let body = filler(0, 16 << 20);
    let response = gateway.send(Request::post("/", body.clone())).await;
    assert_eq!(response.text(), "app");
    assert_eq!(app.only_request().body.len(), body.len());
    assert_eventually!(count(&gateway, "timeout").await == 1.0);
    // The connection was closed: it has an end.
    read.send_replace(true);
    assert_eventually!(shadow.open() == 0);
}

/// It closes after the head, in the middle of the body, or in the middle of its answer; or it
/// answers before it has the body, or with what is no answer.
#[tokio::test]
async fn a_mirror_that_breaks_off() {
    let app = app().await;
    for (n, (answer, outcome)) in [
        ("", "failed"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "failed"),
        ("nonsense\r\n\r\n", "failed"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "answered",
        ),
        ("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", "answered"),
    ]
    .into_iter()
    .enumerate()
    {
        let shadow = Upstream::raw(move |mut visit: Visit| async move {
            let _ = visit.wire.take_until(b"\r\n\r\n").await;
            let _ = visit.wire.try_send(answer).await;
        })
        .await;
        let fields = ", body = \"1MiB\"";
        let gateway = gateway(&app, &shadow.endpoint(), fields).await;
        for request in [
            Request::get("/"),
            Request::post("/", "body"),
            Request::post("/", filler(0, 1 << 20)),
        ] {
            assert_eq!(gateway.send(request).await.text(), "app", "{n}");
        }
        assert_eventually!(all(&gateway).await == 3.0);
        // A large body may have been lost to the reset before the answer was read.
        let least = if outcome == "answered" { 1.0 } else { 3.0 };
        assert!(count(&gateway, outcome).await >= least, "{answer:?}");
        assert_eq!(gateway.get("/").await.text(), "app");
    }
}

#[tokio::test]
async fn connections_are_reused_unless_an_answer_is_large() {
    let app = app().await;
    let shadow = Upstream::http(async |request: Received| match request.target.as_str() {
        "/large" => Reply::ok(filler(0, 8 << 20)),
        _ => Reply::ok(filler(0, 100_000)),
    })
    .await;
    let gateway = gateway(&app, &shadow.endpoint(), "").await;
    for n in 1..=5 {
        assert_eq!(gateway.get("/small").await.text(), "app");
        assert_eventually!(count(&gateway, "answered").await == f64::from(n));
    }
    assert_eq!(shadow.connections(), 1);
    assert_eq!(gateway.get("/large").await.text(), "app");
    assert_eventually!(count(&gateway, "answered").await == 6.0);
    assert_eventually!(shadow.open() == 0);
    assert_eq!(gateway.get("/small").await.text(), "app");
    assert_eventually!(count(&gateway, "answered").await == 7.0);
    assert_eq!(shadow.connections(), 2);
}

/// Half a body is no request, and nothing is sent of it.
#[tokio::test]
async fn a_client_that_leaves_is_not_copied() {
    let (app, shadow) = (app().await, Upstream::always(Reply::ok("x")).await);
    let gateway = gateway(&app, &shadow.endpoint(), "").await;
    let mut wire = gateway.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf";
    wire.send(head).await;
    assert_eventually!(app.connections() == 1);
    wire.reset();
    assert_eventually!(count(&gateway, "aborted").await == 1.0);
    assert_eq!(shadow.connections(), 0);
}

/// The places are not for clients that send slowly.
#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_not_copied() {
    let (app, shadow) = (app().await, Upstream::always(Reply::ok("x")).await);
    let gateway = gateway(&app, &shadow.endpoint(), ", most = 1, timeout = \"2s\"").await;
    let mut wire = gateway.connect().await;
    let request = Request::post("/slow", "slow").to_bytes();
    let (most, rest) = request.split_at(request.len() - 2);
    wire.send(most).await;
    assert_eventually!(count(&gateway, "aborted").await == 1.0);
    assert_eq!(gateway.get("/other").await.text(), "app");
    assert_eventually!(count(&gateway, "answered").await == 1.0);
    wire.send(rest).await;
    assert_eq!(wire.receive("POST").await.text(), "app");
    assert_eq!(shadow.only_request().target, "/other");
}

/// What the cache answers is not sent to an upstream, and so it is not copied.
#[tokio::test]
async fn a_copy_is_made_of_what_is_sent_to_the_upstream() {
    let cacheable = Reply::ok("app").header("Cache-Control", "max-age=60");
    let app = Upstream::always(cacheable).await;
    let shadow = Upstream::always(Reply::ok("x")).await;
    let config = config(&app, &shadow.endpoint(), "").site("cache = true");
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/a").await.text(), "app");
    }
    assert_eq!(gateway.send(Request::post("/b", "x")).await.text(), "app");
    assert_eq!(gateway.get("/c").await.text(), "app");
    assert_eventually!(shadow.request_count() == 3);
    let mut copied: Vec<_> = shadow.requests().into_iter().map(|it| it.target).collect();
    copied.sort();
    assert_eq!(copied, ["/a", "/b", "/c"]);
    assert_eq!(app.request_count(), 3);
    assert_eventually!(all(&gateway).await == 3.0);
}

/// The first upstream fails, and the copy is sent all the same; several mirrors get one each.
#[tokio::test]
async fn each_mirror_gets_a_copy_whatever_the_first_upstream_does() {
    let vacant = Vacant::refusing();
    let shadows = [
        Upstream::always(Reply::ok("x")).await,
        Upstream::always(Reply::ok("x")).await,
    ];
    let config = Proxy::to(vacant.address().to_string())
        .beside("one", &shadows[0].endpoint())
        .beside("two", &shadows[1].endpoint())
        .route("mirror = [\"one\", { upstream = \"two\", body = 4 }]");
    let gateway = Gateway::start_one_worker(config).await;
    assert_eq!(gateway.get("/a").await.status, 502);
    assert_eventually!(shadows.iter().all(|shadow| shadow.request_count() == 1));
    let working = Upstream::always(Reply::ok("app")).await;
    let config = Proxy::to(working.endpoint())
        .beside("one", &shadows[0].endpoint())
        .beside("two", &shadows[1].endpoint())
        .route("mirror = [\"one\", { upstream = \"two\", body = 4 }]");
    let mut gateway = gateway;
    gateway.reload(config).await;
    for body in ["1234", "12345"] {
        assert_eq!(gateway.send(Request::post("/b", body)).await.text(), "app");
    }
    assert_eventually!(shadows[0].request_count() == 3);
    assert_eventually!(shadows[1].request_count() == 2);
    assert_eventually!(all(&gateway).await == 6.0);
    assert_eq!(shadows[1].requests()[1].text(), "1234");
}

#[tokio::test]
async fn copies_outlive_a_reload_and_keep_their_places() {
    let app = app().await;
    let (shadow, release) = Upstream::held().await;
    let with = |path: &str| {
        let fields = ", most = 1, timeout = \"1h\"";
        config(&app, &shadow.endpoint(), fields).also(path, "")
    };
    let mut gateway = Gateway::start_one_worker(with("/x")).await;
    assert_eq!(gateway.get("/1").await.text(), "app");
    assert_eventually!(shadow.request_count() == 1);
    gateway.reload(with("/y")).await;
    assert_eq!(gateway.get("/2").await.text(), "app");
    assert_eventually!(count(&gateway, "dropped").await == 1.0);
    release.send(true).unwrap();
    assert_eventually!(count(&gateway, "answered").await == 1.0);
    assert_eq!(gateway.get("/3").await.text(), "app");
    assert_eventually!(shadow.request_count() == 2);
    // Without the mirror nothing is left of it, and no request is marked any more.
    gateway.reload(Proxy::to(app.endpoint())).await;
    let request = Request::get("/4").header("X-Janua-Mirror", "mine");
    assert_eq!(gateway.send(request).await.text(), "app");
    let last = app.requests().pop().unwrap();
    assert_eq!(last.header("x-janua-mirror"), Some("mine"));
    assert_eq!(shadow.request_count(), 2);
}

#[tokio::test]
async fn a_mirror_may_speak_http2() {
    let app = app().await;
    let shadow = Http2Upstream::echo().await;
    let config = config(&app, &shadow.endpoint(), "").to_string();
    let own = "[upstreams.shadow]\n";
    let config = config.replacen(own, &format!("{own}http = \"2\"\n"), 1);
    let gateway = Gateway::start_one_worker(config).await;
    for request in [
        Request::post("/a?b", "hello"),
        Request::new("POST", "/a?b").chunked(&[b"hel", b"lo"], &[]),
    ] {
        assert_eq!(gateway.send(request).await.text(), "app");
    }
    assert_eventually!(count(&gateway, "answered").await == 2.0);
    for copy in shadow.requests() {
        assert_eq!((&*copy.method, &*copy.target), ("POST", "/a?b"));
        assert_eq!(copy.text(), "hello");
        assert_eq!(copy.header("content-length"), Some("5"));
        assert_eq!(copy.header("x-janua-mirror"), Some("1"));
        assert_eq!(copy.header(":authority"), Some("a.example"));
    }
}
