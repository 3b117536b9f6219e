//! Active health checks: what passes, what fails, and what follows for requests and operators.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::time::Duration;

use janua_tests::{Gateway, Proxy, Received, Reply, Upstream, Vacant, Visit, assert_eventually};
use serde_json::Value;

/// Checks over HTTP that follow each other fast and have much time.
pub(crate) const FAST: &str =
    "path = \"/health\", interval = \"60ms\", edge_interval = \"20ms\", timeout = \"10s\"";

/// A server that answers checks with a status that a test sets, and other requests with its name.
pub(crate) struct Service {
    pub(crate) upstream: Upstream,
    status: Arc<AtomicU16>,
}

impl Service {
    pub(crate) async fn start(name: &'static str) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let upstream = {
            let status = Arc::clone(&status);
            Upstream::http(move |request: Received| {
                let is_check = request.target.starts_with("/health");
                let status = status.load(SeqCst);
                std::future::ready(match is_check {
                    true => Reply::new(status),
                    false => Reply::ok(name),
                })
            })
            .await
        };
        Self { upstream, status }
    }

    /// Answers checks with this status from now on.
    pub(crate) fn set(&self, status: u16) {
        self.status.store(status, SeqCst);
    }

    /// Requests that were no checks.
    pub(crate) fn requests(&self) -> usize {
        let requests = self.upstream.requests();
        let is_check = |request: &&Received| request.target.starts_with("/health");
        requests.len() - requests.iter().filter(is_check).count()
    }

    pub(crate) fn checks(&self) -> usize {
        self.upstream.request_count() - self.requests()
    }
}

/// An endpoint of the upstream `app`, as the status has it.
pub(crate) async fn endpoint(gateway: &Gateway, index: usize) -> Value {
    gateway.status().await["upstreams"][0]["endpoints"][index].clone()
}

pub(crate) async fn is(gateway: &Gateway, index: usize, health: &str) -> bool {
    endpoint(gateway, index).await["health"] == health
}

/// The page of `janua status`.
pub(crate) async fn page(gateway: &Gateway) -> String {
    gateway.done(&["status"]).await
}

#[tokio::test]
async fn an_endpoint_whose_checks_fail_gets_no_requests_until_they_pass() {
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    let config = Proxy::to(one.upstream.endpoint())
        .and(two.upstream.endpoint())
        .upstream(&format!("health = {{ {FAST}, rise = 2, fall = 3 }}"));
    let gateway = Gateway::start(config).await;
    assert_eventually!(is(&gateway, 0, "up").await && is(&gateway, 1, "up").await);
    assert_eq!(gateway.get("/").await.status, 200);
    one.set(503);
    assert_eventually!(is(&gateway, 0, "down").await);
    gateway.settled().await;
    let before = one.requests();
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.text(), "two");
    }
    assert_eq!(one.requests(), before);

    let state = endpoint(&gateway, 0).await;
    assert_eq!(state["failed"], "check", "{state:#}");
    assert_eq!(state["last_error"], "status");
    assert_eq!(state["last_error_detail"], "503");
    assert!(state["failed_count"].as_u64() >= Some(3), "{state:#}");
    assert!(state["down_since_unix_ms"].as_u64() > Some(0), "{state:#}");
    assert_eq!(state["check"]["state"], "down");
    assert_eq!(state["is_tried"], false);
    let metrics = gateway.metrics().await;
    let address = one.upstream.endpoint();
    let labels = [("upstream", "app"), ("endpoint", address.as_str())];
    assert_eq!(metrics.sum("janua_endpoint_healthy", &labels), 0.0);
    let with = |result| [labels[0], labels[1], ("result", result)];
    assert!(metrics.sum("janua_health_checks_total", &with("status")) >= 3.0);
    assert!(metrics.sum("janua_health_checks_total", &with("passed")) >= 1.0);
    assert!(metrics.sum("janua_health_check_seconds_count", &labels[..1]) >= 4.0);
    let page_while_down = page(&gateway).await;
    let (_, attention) = page_while_down.split_once("attention").unwrap();
    assert!(attention.contains(&format!("upstream app: {address}: down for ")));
    assert!(
        attention.contains("last failure: status (503)"),
        "{attention}"
    );
    let said = gateway.says("endpoint is down").await;
    let lines: Vec<&str> = said
        .lines()
        .filter(|it| it.contains("endpoint is down"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    for fact in ["from", "check", "status", "503", "count", "failing_s"] {
        assert!(lines[0].contains(fact), "{fact} in {}", lines[0]);
    }

    one.set(200);
    assert_eventually!(is(&gateway, 0, "up").await);
    assert_eventually!(gateway.get("/").await.text() == "one");
    assert_eq!(endpoint(&gateway, 0).await["last_error"], Value::Null);
    assert!(!page(&gateway).await.contains("attention"));
    let said = gateway.says("endpoint is back").await;
    assert_eq!(said.matches("endpoint is back").count(), 1, "{said}");
    let healthy = gateway.metric("janua_endpoint_healthy", &labels).await;
    assert_eq!(healthy, 1.0);
}

#[tokio::test]
async fn a_check_asks_as_it_is_told() {
    let service = Service::start("one").await;
    let config = Proxy::to(service.upstream.endpoint()).upstream(
        "health = { path = \"/health/ready?deep=1\", method = \"POST\", host = \"app.internal:81\", \
         headers = { X-Check = \"a b\", User-Agent = \"mine\" } }",
    );
    let _gateway = Gateway::start(config).await;
    assert_eventually!(service.checks() > 0);
    let asked = service.upstream.requests().remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("POST", "/health/ready?deep=1")
    );
    for (name, value) in [
        ("host", "app.internal:81"),
        ("x-check", "a b"),
        ("user-agent", "mine"),
        ("connection", "close"),
    ] {
        assert_eq!(asked.header(name), Some(value), "{name}");
    }
    let plain = Service::start("one").await;
    let address = plain.upstream.endpoint();
    let config = Proxy::to(address.as_str()).upstream("health = \"/health\"");
    let _gateway = Gateway::start(config).await;
    assert_eventually!(plain.checks() > 0);
    let asked = plain.upstream.requests().remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("GET", "/health")
    );
    assert_eq!(asked.header("host"), Some(address.as_str()));
    assert_eq!(asked.header("user-agent"), Some("janua-health"));
    assert_eventually!(
        plain.upstream.open() == 0,
        "each check closes its connection"
    );
}

/// Upstreams with one endpoint and one kind of check each.
struct Cases {
    config: String,
    expected: BTreeMap<String, Option<&'static str>>,
}

impl Cases {
    fn new() -> Self {
        Self {
            config: "[listeners.public]\naddress = \"127.0.0.1:0\"\n\
                     [[sites]]\nhosts = [\"*\"]\nroutes = [{ respond = {} }]\n"
                .to_owned(),
            expected: BTreeMap::new(),
        }
    }

    /// Adds an upstream; `failure` is the word with which its checks fail, if they do.
    fn add(&mut self, endpoint: &str, health: &str, failure: Option<&'static str>) {
        let name = format!("case{:02}", self.expected.len());
        self.config +=
            &format!("[upstreams.{name}]\nendpoints = [\"{endpoint}\"]\nhealth = {{ {health} }}\n");
        self.expected.insert(name, failure);
    }

    /// Waits until each has its result.
    async fn come_out(self) {
        let gateway = Gateway::start(&self.config).await;
        for (name, failure) in self.expected {
            let state = async || {
                let status = gateway.status().await;
                let upstreams = status["upstreams"].as_array().unwrap().iter();
                let mut named = upstreams.filter(|upstream| upstream["name"] == name.as_str());
                named.next().unwrap()["endpoints"][0].clone()
            };
            let health = if failure.is_some() { "down" } else { "up" };
            // The resolver says more about a name than the check.
            let is_unresolved = failure == Some("dns");
            assert_eventually!(
                {
                    let state = state().await;
                    match is_unresolved {
                        true => state["health"] == "unresolved",
                        false => {
                            state["health"] == health && state["last_error"].as_str() == failure
                        }
                    }
                },
                "{name} is {:#} and not {failure:?} in {}",
                state().await,
                self.config
            );
        }
    }
}

fn path(more: &str) -> String {
    format!("path = \"/\", interval = \"100ms\", timeout = \"10s\"{more}")
}

#[tokio::test]
async fn statuses_and_bodies_decide() {
    let mut cases = Cases::new();
    let mut servers = Vec::new();
    for (reply, health, failure) in [
        (Reply::new(200), "", None),
        (Reply::new(204), "", None),
        // A redirect is not followed.
        (
            Reply::new(302).header("Location", "/elsewhere"),
            "",
            Some("status"),
        ),
        (Reply::new(404), "", Some("status")),
        (Reply::new(500), "", Some("status")),
        (Reply::new(401), ", statuses = [\"2xx\", 401]", None),
        (Reply::new(302), ", statuses = [\"300-302\"]", None),
        (
            Reply::new(303),
            ", statuses = [\"300-302\"]",
            Some("status"),
        ),
        (Reply::new(200), ", statuses = [204]", Some("status")),
        (
            Reply::ok("{\"status\": \"UP\"}"),
            ", body = '\"status\":\\s*\"UP\"'",
            None,
        ),
        (
            Reply::ok("{\"status\": \"DOWN\"}"),
            ", body = '\"status\":\\s*\"UP\"'",
            Some("body"),
        ),
        (Reply::ok(""), ", body = \".\"", Some("body")),
        (
            Reply::chunked(&[b"o", b"k"], &[]),
            ", body = \"^ok$\"",
            None,
        ),
        // The status is judged before the body.
        (
            Reply::new(500).body("ok"),
            ", body = \"ok\"",
            Some("status"),
        ),
        (
            Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
            "",
            None,
        ),
        (
            Reply::raw("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
            ", body = \"the end$\"",
            None,
        ),
        (
            Reply::new(200).header("Content-Length", "5"),
            ", method = \"HEAD\"",
            None,
        ),
    ] {
        let server = Upstream::always(reply).await;
        cases.add(&server.endpoint(), &path(health), failure);
        servers.push(server);
    }
    cases.come_out().await;
}

/// A server that sends these bytes to each client, again and again if it is told so, and then
/// waits.
async fn sends(bytes: Vec<u8>, again: Option<Duration>) -> Upstream {
    let bytes = Arc::new(bytes);
    Upstream::raw(move |mut visit: Visit| {
        let bytes = Arc::clone(&bytes);
        async move {
            if visit.request().await.is_err() {
                return;
            }
            let mut sent = visit.wire.try_send(&bytes[..]).await;
            while let (Ok(()), Some(pause)) = (&sent, again) {
                tokio::time::sleep(pause).await;
                sent = visit.wire.try_send(&bytes[..]).await;
            }
            let _ = visit.wire.take_rest().await;
        }
    })
    .await
}

#[tokio::test]
async fn whatever_an_endpoint_does_a_check_ends() {
    let short = "path = \"/\", interval = \"100ms\", timeout = \"400ms\"";
    let long = path("");
    let mut cases = Cases::new();
    let refusing = Vacant::refusing();
    cases.add(&refusing.endpoint(), &long, Some("refused"));
    let never = Vacant::never_accepting();
    cases.add(&never.endpoint(), short, Some("connect_timeout"));
    cases.add("nowhere.invalid:80", &long, Some("dns"));
    // It accepts, and never answers.
    let hung = Upstream::silent().await;
    cases.add(&hung.endpoint(), short, Some("timeout"));
    let half_closed = Upstream::raw(|mut visit: Visit| async move {
        visit.wire.finish().await;
        let _ = visit.wire.take_rest().await;
    })
    .await;
    cases.add(&half_closed.endpoint(), &long, Some("reset"));
    let resetting = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
        visit.wire.reset_on_drop();
    })
    .await;
    cases.add(&resetting.endpoint(), &long, Some("reset"));
    let garbage = sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), None).await;
    cases.add(&garbage.endpoint(), &long, Some("malformed"));
    let half_head = sends(b"HTTP/1.1 200 OK\r\nX-A: ".to_vec(), None).await;
    cases.add(&half_head.endpoint(), short, Some("timeout"));
    let mut head = b"HTTP/1.1 200 OK\r\nX-A: ".to_vec();
    head.resize(200_000, b'a');
    let huge_head = sends(head, None).await;
    cases.add(
        &huge_head.endpoint(),
        &long,
        Some("response_head_too_large"),
    );
    let fields = "X-A: 1\r\n".repeat(1000);
    let many = sends(
        format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes(),
        None,
    )
    .await;
    cases.add(&many.endpoint(), &long, Some("response_head_too_large"));
    // What is cut off is no response.
    let cut = Upstream::always(Reply::raw(
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    ))
    .await;
    cases.add(&cut.endpoint(), &long, Some("reset"));
    // A body without end is looked at as far as the limit goes.
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(32_000, b'x');
    let endless = sends(endless, Some(Duration::ZERO)).await;
    cases.add(&endless.endpoint(), &long, None);
    cases.add(&endless.endpoint(), &path(", body = \"y\""), Some("body"));
    let dripping = sends(
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        Some(Duration::from_millis(20)),
    )
    .await;
    cases.add(&dripping.endpoint(), short, Some("timeout"));
    cases.come_out().await;
    assert_eventually!(
        endless.open() == 0 && hung.open() <= 1,
        "checks leave nothing open"
    );
}

#[tokio::test]
async fn if_no_endpoint_is_up_the_response_says_why() {
    let refusing = Vacant::refusing();
    let service = Service::start("one").await;
    service.set(500);
    let config = Proxy::to(refusing.endpoint())
        .and(service.upstream.endpoint())
        .upstream(&format!("health = {{ {FAST} }}"));
    let gateway = Gateway::start(config).await;
    assert_eventually!(is(&gateway, 0, "down").await && is(&gateway, 1, "down").await);
    let response = gateway.get("/none").await;
    assert_eq!(response.status, 503);
    assert_eq!(
        response.header("proxy-status"),
        Some(
            "janua; error=destination_unavailable; \
             details=\"endpoint 1: check refused; endpoint 2: check status 500\""
        )
    );
    let line = gateway.log_line("/none").await;
    assert_eq!(line["failure"], "none_healthy");
    assert!(
        line.to_string().contains("endpoint 2: check status 500"),
        "{line}"
    );
    let attention = page(&gateway).await;
    assert!(
        attention.contains("upstream app: no endpoint is up"),
        "{attention}"
    );
    assert!(attention.contains("it gets nothing before its first check has passed"));
    assert_eq!(service.requests(), 0);
    service.set(200);
    assert_eventually!(gateway.get("/").await.status == 200);
}

/// The only endpoint passes its checks, and fails every request: it is not up.
#[tokio::test]
async fn checks_that_pass_do_not_hide_requests_that_fail() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        while let Ok(request) = visit.request().await {
            if request.target != "/health" {
                return;
            }
            visit.wire.send(Reply::new(200).to_bytes("GET")).await;
        }
    })
    .await;
    let config = Proxy::to(upstream.endpoint())
        .upstream("health = { path = \"/health\", interval = \"30s\", timeout = \"10s\" }");
    let gateway = Gateway::start(config).await;
    assert_eventually!(is(&gateway, 0, "up").await);
    assert_eq!(gateway.get("/").await.status, 502);
    assert_eventually!(is(&gateway, 0, "down").await);
    let state = endpoint(&gateway, 0).await;
    assert_eq!(
        (state["failed"].as_str(), state["is_tried"].as_bool()),
        (Some("requests"), Some(true))
    );
    assert_eq!(state["check"]["state"], "up");
    assert!(
        page(&gateway)
            .await
            .contains("requests are still sent to it")
    );
}

/// Requests have ejected an endpoint for an hour; a check that passes is newer.
#[tokio::test]
async fn a_check_that_passes_ends_an_ejection() {
    let is_ill = Arc::new(AtomicU16::new(1));
    let sick = {
        let is_ill = Arc::clone(&is_ill);
        Upstream::raw(move |mut visit: Visit| {
            let is_ill = Arc::clone(&is_ill);
            async move {
                while visit.request().await.is_ok() && is_ill.load(SeqCst) != 2 {
                    if is_ill.load(SeqCst) == 1 {
                        // All but the first check fails, as do requests.
                        is_ill.store(2, SeqCst);
                    }
                    visit.wire.send(Reply::ok("sick").to_bytes("GET")).await;
                }
            }
        })
        .await
    };
    let well = Service::start("well").await;
    let config = Proxy::to(sick.endpoint())
        .and(well.upstream.endpoint())
        .upstream(
            "passive_health = { max_fails = 1, fail_timeout = \"1h\" }\n\
         health = { path = \"/health\", interval = \"100ms\", timeout = \"10s\", fall = 1000000 }",
        );
    let gateway = Gateway::start(config).await;
    assert_eventually!({
        assert_eq!(gateway.get("/").await.text(), "well");
        is(&gateway, 0, "down").await
    });
    assert_eq!(endpoint(&gateway, 0).await["failed"], "requests");
    is_ill.store(0, SeqCst);
    assert_eventually!(is(&gateway, 0, "up").await);
    assert_eventually!(gateway.get("/").await.text() == "sick");
}
