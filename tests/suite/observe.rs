//! What the gateway reports about itself: status, access log, metrics, and
//! `check`.

use std::net::TcpListener;

use janua_tests::{Gateway, Proxy, Reply, Request, Upstream, Vacant, assert_eventually, run};

use crate::reload::says;

#[tokio::test]
async fn the_command_status() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    gateway.get("/").await;
    let said = gateway.done(&["status", "--json"]).await;
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status["pid"], gateway.pid());
    assert_eq!(
        status["listeners"][0]["addresses"][0],
        gateway.address().to_string()
    );
    assert_eq!(status["upstreams"][0]["endpoints"][0]["requests"], 1);
    let page = gateway.done(&["status"]).await;
    assert!(page.contains(&upstream.endpoint()), "{page}");
    let ran = run(gateway.directory(), &["status", "--admin", "none.sock"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("none.sock"), "{ran:?}");
}

/// A request comes when its head is complete: by its first byte, a client would choose an
/// earlier time for it, and be judged by what was true then.
#[tokio::test]
async fn a_slow_head_does_not_choose_the_time() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start_one_worker(Proxy::to(upstream.endpoint())).await;
    let time_of = async |path: &str| gateway.log_line(path).await["time"].clone();
    let mut slow = gateway.connect().await;
    slow.send("GET /slow HTTP/1.1\r\n").await;
    assert_eventually!(gateway.status().await["in_flight"] == 1);
    gateway.get("/first").await;
    let first = time_of("/first").await;
    let mut later = first.clone();
    for n in 0.. {
        if later != first {
            break;
        }
        let path = format!("/later/{n}");
        gateway.get(&path).await;
        later = time_of(&path).await;
    }
    slow.send("Host: a\r\n\r\n").await;
    assert_eq!(slow.receive("GET").await.status, 200);
    let time = time_of("/slow").await;
    assert!(time.as_str() >= later.as_str(), "{time}, {later}");
}

#[tokio::test]
async fn the_access_log_says_what_happened() {
    let upstream = Upstream::http(async |_| Reply::new(201).body("created")).await;
    let refusing = Vacant::refusing();
    let (app, gone) = (upstream.endpoint(), refusing.endpoint());
    let gateway = Gateway::start(format!(
        r#"
[listeners.public]
address = "127.0.0.1:0"
[upstreams]
app = {{ endpoints = ["{app}"] }}
gone = {{ endpoints = ["{gone}"] }}
[[sites]]
hosts = ["*"]
name = "shop"
routes = [
  {{ path = "/app/", name = "the app", upstream = "app" }},
  {{ path = "/gone", upstream = "gone" }},
  {{ path = "/quiet", respond = {{ body = "x" }}, access_log = false }},
]
"#
    ))
    .await;
    let request = Request::post("/app/x?q=%22a", "12345")
        .host("Shop.Example:80")
        .header("User-Agent", "test \"1\"")
        .header("Referer", "http://r/");
    gateway.send(request).await;
    gateway.get("/quiet").await;
    let refused = gateway.get("/gone").await;
    let line = gateway.log_line("/app/x").await;
    for (field, value) in [
        ("client_ip", "127.0.0.1"),
        ("method", "POST"),
        ("scheme", "http"),
        ("host", "shop.example"),
        ("query", "q=%22a"),
        ("http_version", "1.1"),
        ("site", "shop"),
        ("route", "the app"),
        ("answered_by", "upstream"),
        ("upstream", "app"),
        ("endpoint", &app),
        ("user_agent", "test \"1\""),
        ("referer", "http://r/"),
    ] {
        assert_eq!(line[field], value, "{field}: {line:#}");
    }
    for (field, value) in [("status", 201), ("bytes_in", 5), ("bytes_out", 7)] {
        assert_eq!(line[field], value, "{field}: {line:#}");
    }
    // Each of the times is contained in the next.
    let micros = |field: &str| {
        line[field]
            .as_u64()
            .unwrap_or_else(|| panic!("{field}: {line:#}"))
    };
    assert!(micros("upstream_connect_us") > 0);
    assert!(micros("upstream_head_us") <= micros("upstream_total_us"));
    assert!(micros("upstream_total_us") <= micros("duration_us"));
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
    assert!(line.get("failure").is_none());

    // A failure has the same word everywhere.
    let failed = gateway.log_line("/gone").await;
    assert_eq!(failed["failure"], "refused");
    assert_eq!(
        (failed["status"].as_u64(), failed["route"].as_str()),
        (Some(502), Some("/gone"))
    );
    assert_eq!(refused.proxy_error(), Some("connection_refused"));
    let metrics = gateway.metrics().await;
    let labels = [("site", "shop"), ("route", "/gone"), ("kind", "refused")];
    assert_eq!(metrics.sum("janua_failures_total", &labels), 1.0);
    assert!(gateway.log().iter().all(|line| line["path"] != "/quiet"));
}

#[tokio::test]
async fn the_metrics_count() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint()).site("name = \"shop\"")).await;
    for _ in 0..3 {
        gateway.send(Request::post("/", "12345")).await;
    }
    gateway
        .connect()
        .await
        .exchange(&Request::new("TRACE", "/"))
        .await;
    gateway.settled().await;
    let metrics = gateway.metrics().await;
    let shop = [("site", "shop")];
    assert_eq!(
        metrics.sum(
            "janua_requests_total",
            &[("site", "shop"), ("status", "2xx")]
        ),
        3.0
    );
    assert_eq!(
        metrics.sum("janua_requests_total", &[("status", "4xx")]),
        1.0
    );
    assert_eq!(
        metrics.sum("janua_request_duration_seconds_count", &shop),
        3.0
    );
    assert_eq!(metrics.sum("janua_request_bytes_total", &shop), 15.0);
    assert!(metrics.sum("janua_response_bytes_total", &shop) > 15.0);
    assert_eq!(
        metrics.sum(
            "janua_connections_accepted_total",
            &[("listener", "public")]
        ),
        4.0
    );
    assert_eq!(metrics.sum("janua_workers", &[]), 2.0);
    assert_eq!(metrics.sum("janua_config_generation", &[]), 1.0);
    assert_eq!(
        metrics.sum("janua_failures_total", &[("kind", "method_refused")]),
        1.0
    );
    assert!(metrics.types().count() > 10);
}

#[tokio::test]
async fn check_binds_no_socket_and_reports_everything() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(directory.path().join("janua.toml"), text).unwrap();
    let check = ["check", "--config", "janua.toml"];
    write(&says("x").replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()));
    let ran = run(directory.path(), &check).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");

    write(
        r#"
[listeners.public]
address = "nowhere"
[upstreams.app]
endpoints = ["127.0.0.1"]
[[sites]]
hosts = ["*"]
[[sites.routes]]
path = "/a"
upstream = "ap"
[[sites.routes]]
path = "api"
respond = { status = 99 }
"#,
    );
    let ran = run(directory.path(), &check).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = ran.stdout + &ran.stderr;
    for line in [3, 5, 10, 12, 13] {
        assert!(
            said.contains(&format!("janua.toml:{line}:")),
            "line {line}: {said}"
        );
    }
}

/// The token is read at each purge, so its absence is no error; but the
/// operator should not have to find out by a purge that did not reach the CDN.
#[tokio::test]
async fn check_warns_of_a_token_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let webhook = "[[cache.webhooks]]\nurl = \"https://cdn.example/\"\n\
        template = \"cloudflare\"\ntoken_file = \"token\"\n";
    let config = format!("{webhook}{}", says("x"));
    std::fs::write(directory.path().join("janua.toml"), config).unwrap();
    for (token, warned) in [(None, true), (Some("t0ken"), false)] {
        if let Some(token) = token {
            std::fs::write(directory.path().join("token"), token).unwrap();
        }
        let ran = run(directory.path(), &["check"]).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let said = ran.stdout + &ran.stderr;
        assert_eq!(said.contains("janua.toml:4:14"), warned, "{said}");
        assert!(!said.contains("t0ken"), "{said}");
    }
}

/// Counters of what is configured go on, also if nothing is counted between two reloads.
#[tokio::test]
async fn counters_outlive_reloads_without_traffic() {
    let mut gateway = Gateway::start(says("0")).await;
    assert_eq!(gateway.get("/").await.status, 200);
    assert!(gateway.try_reload("[listeners]\nx = 1\n").await.is_err());
    gateway.settled().await;
    for n in 1..=4 {
        gateway.reload(says(&n.to_string())).await;
    }
    let counted = async |name, labels: [(&str, &str); 1]| gateway.metric(name, &labels).await;
    assert_eq!(
        counted("janua_requests_total", [("status", "2xx")]).await,
        1.0
    );
    assert_eq!(
        counted("janua_reloads_total", [("outcome", "refused")]).await,
        1.0
    );
    assert_eq!(
        counted("janua_reloads_total", [("outcome", "ok")]).await,
        4.0
    );
}

/// Browsers reset idle connections. Nobody has asked for anything then.
#[tokio::test]
async fn a_reset_between_requests_is_no_request() {
    let gateway = Gateway::start(says("x")).await;
    let mut used = gateway.connect().await;
    assert_eq!(used.exchange(&Request::get("/")).await.status, 200);
    used.reset();
    gateway.connect().await.reset();
    assert_eventually!(gateway.metric("janua_connections", &[]).await == 0.0);
    assert_eq!(gateway.get("/last").await.status, 200);
    // Each worker writes its lines about once per second: they may come in either order.
    gateway.log_line("/last").await;
    gateway.log_line("/").await;
    assert_eq!(gateway.log().len(), 2, "{:?}", gateway.log());
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_failures_total", &[]), 0.0);
}
