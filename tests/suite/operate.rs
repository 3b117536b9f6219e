//! What an operator does: check, reload, stop, and read what the gateway says.

use std::collections::VecDeque;
use std::net::TcpListener;

use janua_tests::{
    Gateway, Proxy, Reply, Request, Settings, Upstream, Vacant, Visit, assert_eventually, run,
};
use rustix::process::Signal;

/// A listener on a free port, a site that says this.
fn says(word: &str) -> String {
    format!(
        "[listeners.public]\naddress = \"127.0.0.1:0\"\n\
         [[sites]]\nhosts = [\"*\"]\nroutes = [{{ respond = {{ body = \"{word}\" }} }}]\n"
    )
}

/// Answers once it is told to.
async fn held() -> (Upstream, tokio::sync::watch::Sender<bool>) {
    let (release, released) = tokio::sync::watch::channel(false);
    let upstream = Upstream::http(move |_| {
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|released| *released).await;
            Reply::ok("at last")
        }
    })
    .await;
    (upstream, release)
}

#[tokio::test]
async fn a_reload_changes_what_is_answered() {
    let mut gateway = Gateway::start(says("one")).await;
    assert_eq!(gateway.get("/").await.text(), "one");
    let address = gateway.address();
    let mut wire = gateway.connect().await;
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "one");
    let summary = gateway.reload(says("two")).await;
    assert_eq!(summary["generation"], 2);
    // At once, on every worker, and on connections that were there.
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.text(), "two");
    }
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "two");
    assert_eq!(
        gateway.address(),
        address,
        "an address that stays is not bound again"
    );
    assert_eq!(gateway.status().await["generation"], 2);
}

#[tokio::test]
async fn a_request_in_flight_ends_as_it_began() {
    let (upstream, release) = held().await;
    let mut gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.reload(says("new")).await;
    assert_eq!(gateway.get("/").await.text(), "new");
    release.send(true).unwrap();
    assert_eq!(wire.receive("GET").await.text(), "at last");
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "new");
}

#[tokio::test]
async fn sighup_reloads() {
    let gateway = Gateway::start(says("one")).await;
    gateway.write_config(says("two"));
    assert_eq!(gateway.get("/").await.text(), "one", "nothing was said yet");
    gateway.signal(Signal::HUP);
    assert_eventually!(gateway.get("/").await.text() == "two");
    // A bad one leaves the old, and says so.
    gateway.write_config("[listeners.public]\naddress = 7\n");
    gateway.signal(Signal::HUP);
    assert_eventually!(
        gateway.messages().contains("janua.toml:2"),
        "{}",
        gateway.messages()
    );
    assert_eq!(gateway.get("/").await.text(), "two");
    assert_eventually!(
        gateway
            .metrics()
            .await
            .sum("janua_config_last_reload_ok", &[])
            == 0.0
    );
}

#[tokio::test]
async fn the_command_reload() {
    let gateway = Gateway::start(says("one")).await;
    gateway.write_config(says("two"));
    let reload = ["reload", "--admin", "admin.sock"];
    let ran = run(gateway.directory(), &reload).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(gateway.get("/").await.text(), "two");

    gateway.write_config("\n[listeners.public]\nadress = \"127.0.0.1:0\"\n");
    let ran = run(gateway.directory(), &reload).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("janua.toml:3:1"), "{said}");
    assert!(said.contains("address"), "the suggestion: {said}");
    assert_eq!(gateway.get("/").await.text(), "two");
    let status = gateway.status().await;
    assert_eq!(status["generation"], 2);
    assert!(
        status["last_reload"]["error"].is_string(),
        "{}",
        status["last_reload"]
    );
    assert_eq!(
        gateway
            .metrics()
            .await
            .sum("janua_reloads_total", &[("outcome", "refused")]),
        1.0
    );
}

#[tokio::test]
async fn the_command_status() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(Proxy::to(upstream.endpoint())).await;
    gateway.get("/").await;
    let ran = run(
        gateway.directory(),
        &["status", "--json", "--admin", "admin.sock"],
    )
    .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["pid"], gateway.pid());
    assert_eq!(
        status["listeners"][0]["addresses"][0],
        gateway.address().to_string()
    );
    assert_eq!(status["upstreams"][0]["endpoints"][0]["requests"], 1);
    let ran = run(gateway.directory(), &["status", "--admin", "admin.sock"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains(&upstream.endpoint()), "{}", ran.stdout);
    let ran = run(gateway.directory(), &["status", "--admin", "none.sock"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("none.sock"), "{ran:?}");
}

#[tokio::test]
async fn listeners_come_and_go() {
    let mut gateway = Gateway::start(says("x")).await;
    let first = gateway.address();
    let second = "[listeners.second]\naddress = \"127.0.0.1:0\"\n";
    gateway.reload(format!("{second}{}", says("x"))).await;
    assert_eq!(gateway.address_of("public"), first);
    let mut wire = janua_tests::Wire::connect(gateway.address_of("second")).await;
    assert_eq!(wire.exchange(&Request::get("/")).await.text(), "x");
    let gone = gateway.address_of("second");

    gateway.reload(says("y")).await;
    assert_eventually!(tokio::net::TcpStream::connect(gone).await.is_err());
    assert_eq!(gateway.get("/").await.text(), "y");
    // What it had accepted ends in good order: answered, or closed before.
    let _ = wire.try_send(Request::get("/").to_bytes()).await;
    if let Ok(response) = wire.try_receive("GET").await {
        assert!([200, 503].contains(&response.status), "{}", response.status);
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_at_its_place() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut gateway = Gateway::start(says("one")).await;
    let config = says("two").replace(
        "[[sites]]",
        &format!("[listeners.second]\naddress = \"{address}\"\n[[sites]]"),
    );
    let refused = gateway.try_reload(&config).await.unwrap_err();
    assert_eq!(refused["errors"][0]["line"], 4, "{refused}");
    assert!(
        refused["rendered"]
            .as_str()
            .unwrap()
            .contains("janua.toml:4"),
        "{refused}"
    );
    assert_eq!(gateway.get("/").await.text(), "one", "nothing has changed");
    drop(taken);
    gateway.reload(&config).await;
    assert_eq!(gateway.address_of("second"), address);
}

#[tokio::test]
async fn a_second_gateway_does_not_take_half_of_the_traffic() {
    let first = Gateway::start(says("first")).await;
    let address = first.address().to_string();
    let directory = tempfile::tempdir().unwrap();
    let config = says("second").replace("127.0.0.1:0", &address)
        + "[admin]\nsocket = \"admin.sock\"\n[server]\nstate_dir = \"state\"\n";
    std::fs::write(directory.path().join("second.toml"), config).unwrap();
    let ran = run(directory.path(), &["run", "--config", "second.toml"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("second.toml:2"), "{}", ran.stderr);
    for _ in 0..10 {
        assert_eq!(first.get("/").await.text(), "first");
    }
}

#[tokio::test]
async fn sigterm_finishes_what_is_on_its_way() {
    let (upstream, release) = held().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().drain_timeout("20s").start(config).await;
    let mut idle = gateway.connect().await;
    let mut busy = gateway.connect().await;
    busy.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.signal(Signal::TERM);
    assert!(
        idle.is_closed().await,
        "an idle connection is closed at once"
    );
    let address = gateway.address();
    assert_eventually!(tokio::net::TcpStream::connect(address).await.is_err());
    release.send(true).unwrap();
    let response = busy.receive("GET").await;
    assert_eq!(response.text(), "at last");
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(gateway.ended().await, Some(0));
    assert_eq!(gateway.log().len(), 1, "the log is written to its end");
}

#[tokio::test]
async fn draining_has_an_end() {
    let (upstream, _release) = held().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().drain_timeout("300ms").start(config).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/cut").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.signal(Signal::INT);
    assert_eq!(gateway.ended().await, Some(0));
    assert!(wire.try_receive("GET").await.is_err());
    assert_eq!(
        gateway.log_line("/cut").await["path"],
        "/cut",
        "also this one has its line"
    );
}

#[tokio::test]
async fn readiness_ends_when_draining_begins() {
    let (upstream, release) = held().await;
    let config = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().drain_timeout("20s").start(config).await;
    assert_eq!(gateway.ask("GET", "/healthz").await.status, 200);
    assert!(gateway.is_ready().await);
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.signal(Signal::TERM);
    assert_eventually!(!gateway.is_ready().await);
    release.send(true).unwrap();
    wire.receive("GET").await;
    assert_eq!(gateway.ended().await, Some(0));
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
    // O3: the times, each within the one around it.
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

    // One word for a failure, wherever it is said.
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
async fn check_binds_nothing_and_says_everything() {
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

/// A WebSocket is opened in each generation and holds none of it.
#[tokio::test]
async fn a_thousand_reloads_leave_nothing_behind() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        if visit.wire.receive_request_head().await.is_ok() {
            let accept = "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n";
            let _ = visit.wire.try_send(accept).await;
            let _ = visit.wire.take_rest().await;
        }
    })
    .await;
    // Large enough that a generation that is held shows.
    let routes: String = (0..200)
        .map(|n| format!("[[sites.routes]]\npath = \"/{n}\"\nrespond = {{ body = \"{n}\" }}\n"))
        .collect();
    let config = |n: usize| {
        format!(
            "{}{routes}",
            Proxy::to(upstream.endpoint()).site(&format!("max_body = {n}"))
        )
    };
    let gateway = Settings::new()
        .open_files(8192)
        .level("warn")
        .start(config(1))
        .await;
    // Each generation has one; those of the last fifty are open.
    let mut wires = VecDeque::new();
    let mut before = 0;
    for n in 1..=1000 {
        let mut wire = gateway.connect().await;
        let ask = Request::get("/ws")
            .header("Connection", "upgrade")
            .header("Upgrade", "w");
        assert_eq!(wire.exchange(&ask).await.status, 101);
        wires.push_back(wire);
        if wires.len() > 50 {
            wires.pop_front();
        }
        // What is asked meanwhile takes threads; the reload keeps to its own.
        let (reloaded, _, _) = tokio::join!(
            gateway.try_reload(config(n)),
            gateway.status(),
            gateway.metrics()
        );
        reloaded.unwrap_or_else(|refused| panic!("refused: {refused}"));
        if n == 100 {
            before = gateway.rss_kib();
        }
    }
    // What has to hold, to the letter: fifty tunnels hold no generation.
    assert_eventually!(
        gateway
            .metrics()
            .await
            .sum("janua_config_live_generations", &[])
            <= 1.0,
        "an old generation is held"
    );
    let after = gateway.rss_kib();
    // The allocator's own unrest is below one MiB; a generation that was held
    // would be a hundred KiB, and there are nine hundred. A second thread that
    // compiled would be eight MiB.
    assert!(
        after <= before + (before / 20).max(4 * 1024),
        "{before} KiB, and {after} KiB after"
    );
    assert_eventually!(gateway.status().await["in_flight"] == 50);
    assert_eq!(gateway.status().await["generation"], 1001);
}
