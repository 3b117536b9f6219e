//! Reused verdicts have the same effect as new ones.

use janua_tests::{Gateway, Proxy, Reply, Request, Response, Settings, Upstream, is_over_http2};
use tokio::task::JoinSet;

use crate::policies_api_key::digest;
use crate::policies_seen::{lines, state_of};

const KEYS: [&str; 4] = ["alice's", "bob's", "carol's", "nobody's"];

/// The bundled policies of a site, with a suffix on their names.
fn policies(suffix: &str, more: &str) -> String {
    format!(
        r#"
[policies.keys-{suffix}]
component = "api-key"
config = {{ keys = {{ alice = "{}", bob = "{}", carol = "{}" }} }}
{more}
[policies.limit-{suffix}]
component = "rate-limit"
config = {{ rate = "1/d", burst = 120, key = "header:x-consumer" }}
{more}
[policies.edit-{suffix}]
component = "headers"
{more}
[policies.edit-{suffix}.config.request.set]
X-Seen = "{{method}} {{host}} {{path}} {{query}} {{header:x-consumer}} {{cookie:s}}"
X-Who = "{{header:x-consumer}}"
[policies.edit-{suffix}.config.response]
remove = ["Server"]
[policies.edit-{suffix}.config.response.set]
X-Told = "{{status}} {{answered_by}} {{response_header:x-up}} {{header:x-consumer}}"
[policies.back-{suffix}]
component = "headers"
config = {{ response = {{ always = [401, 404, 429], set = {{ X-Error = "{{status}}" }} }} }}
{more}
[[sites]]
hosts = ["{suffix}.example"]
policies = ["back-{suffix}", "keys-{suffix}", "limit-{suffix}", "edit-{suffix}"]
[[sites.routes]]
upstream = "app"
"#,
        digest(KEYS[0]),
        digest(KEYS[1]),
        digest(KEYS[2]),
    )
}

/// One of a few requests, so that most of them repeat.
fn any_request(random: &mut fastrand::Rng, host: &str) -> Request {
    let method = ["GET", "GET", "PUT", "DELETE"][random.usize(..4)];
    let path = ["/", "/200", "/404", "/500", "/301"][random.usize(..5)];
    let query = ["", "?q=1", "?q=%C3%BC"][random.usize(..3)];
    let mut request = Request::new(method, &format!("{path}{query}")).host(host);
    for (name, values) in [
        ("X-Api-Key", &KEYS[..]),
        ("X-Consumer", &["root", "alice"]),
        ("Cookie", &["s=1", "s=2; t=3", "t"]),
    ] {
        if name == "X-Api-Key" && random.u8(..10) > 0 || random.bool() {
            request = request.header(name, values[random.usize(..values.len())]);
        }
    }
    request
}

/// The parts of a response that are the same for every repetition.
fn outcome(response: &Response, suffix: &str) -> (u16, Vec<(String, String)>, String) {
    let fields = response.fields.iter().filter(|(name, _)| {
        !["date", "x-request-id", "retry-after"].contains(&name.to_ascii_lowercase().as_str())
    });
    let fields = fields.map(|(name, value)| {
        // Without the seconds until the bucket is full, and without the
        // policy's name.
        let value = value.split(";t=").next().unwrap_or_default();
        (name.clone(), value.replace(&format!("-{suffix}\""), "\""))
    });
    let fields = fields.collect();
    (
        response.status,
        fields,
        String::from_utf8_lossy(&response.body).into_owned(),
    )
}

#[tokio::test]
async fn reused_and_new_verdicts_are_equal() {
    // It asks for hosts without a certificate.
    if is_over_http2() {
        return;
    }
    let upstream = Upstream::http(async |request| {
        let path = request.target.split('?').next().unwrap_or_default();
        let status = path.trim_start_matches('/').parse().unwrap_or(200);
        let body = ["x-seen", "x-who", "x-consumer", "x-api-key"]
            .map(|name| format!("{name}={:?}\n", lines(&request.fields, name)))
            .concat();
        let body = body
            .replace("off.example", "HOST")
            .replace("on.example", "HOST");
        Reply::new(status)
            .header("X-Up", path)
            .header("Server", "x")
            .body(body)
    })
    .await;
    let config = format!(
        "[listeners.public]\naddress = \"127.0.0.1:0\"\n[upstreams.app]\nendpoints = [\"{}\"]\n{}{}",
        upstream.endpoint(),
        policies("on", ""),
        policies("off", "max_reuse = \"0s\""),
    );
    let gateway = Settings::new().workers(1).start(config).await;
    let mut wire = gateway.connect().await;
    let seed = 0x1ee7;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut statuses = std::collections::BTreeSet::new();
    for n in 0..1500 {
        let mut same = random.clone();
        let on = wire.exchange(&any_request(&mut random, "on.example")).await;
        let off = wire.exchange(&any_request(&mut same, "off.example")).await;
        assert_eq!(
            outcome(&on, "on"),
            outcome(&off, "off"),
            "request {n} of seed {seed}"
        );
        statuses.insert(on.status);
    }
    assert_eq!(
        statuses.into_iter().collect::<Vec<_>>(),
        [200, 301, 401, 404, 429, 500]
    );
    for policy in ["keys", "limit", "edit", "back"] {
        let on = state_of(&gateway, &format!("{policy}-on")).await;
        let off = state_of(&gateway, &format!("{policy}-off")).await;
        let count = |state: &serde_json::Value, name: &str| state[name].as_u64().unwrap();
        assert!(count(&on, "calls") < 20, "{on}");
        assert!(count(&on, "hits") > 500, "{on}");
        assert_eq!(
            (count(&off, "hits"), &off["reuse"]["mode"]),
            (0, &"off".into()),
            "{off}"
        );
        assert_eq!(
            count(&off, "calls"),
            count(&on, "calls") + count(&on, "hits"),
            "{policy}"
        );
        assert_eq!(count(&off, "memo_entries"), 0, "{off}");
    }
    let metrics = gateway.metrics().await;
    let hits = |policy| metrics.sum("janua_policy_memo_hits_total", &[("policy", policy)]);
    assert!(hits("keys-on") > 500.0);
    assert_eq!(hits("keys-off"), 0.0);
}

fn with_header(upstream: &Upstream, value: &str, more: &str) -> String {
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"edit\"]");
    format!(
        "[policies.edit]\ncomponent = \"headers\"\nconfig = {{ response = {{ set = {{ X-V = \"{value}\" }} }} }}\n{more}\n{proxy}"
    )
}

/// A different configuration is a different policy with an empty memo; an equal
/// one keeps its memo.
#[tokio::test]
async fn a_change_forgets_and_no_change_does_not() {
    let upstream = Upstream::echo().await;
    let mut gateway = Settings::new()
        .workers(1)
        .start(with_header(&upstream, "one", ""))
        .await;
    let mut wire = gateway.connect().await;
    let mut ask = async || {
        wire.exchange(&Request::get("/"))
            .await
            .header("x-v")
            .map(str::to_owned)
    };
    for _ in 0..5 {
        assert_eq!(ask().await.as_deref(), Some("one"));
    }
    let before = state_of(&gateway, "edit").await;
    assert_eq!(
        (&before["calls"], &before["hits"]),
        (&1.into(), &4.into()),
        "{before}"
    );
    gateway
        .reload(with_header(&upstream, "one", "# the same\n"))
        .await;
    assert_eq!(ask().await.as_deref(), Some("one"));
    let kept = state_of(&gateway, "edit").await;
    assert_eq!(
        (&kept["calls"], &kept["identity"]),
        (&1.into(), &before["identity"]),
        "{kept}"
    );

    gateway.reload(with_header(&upstream, "two", "")).await;
    assert_eq!(
        ask().await.as_deref(),
        Some("two"),
        "at once, on a kept connection"
    );
    let changed = state_of(&gateway, "edit").await;
    assert_ne!(changed["identity"], before["identity"]);
    assert_eq!(
        (&changed["calls"], &changed["hits"]),
        (&1.into(), &0.into()),
        "{changed}"
    );

    // Another limit set by the operator is a change too.
    gateway
        .reload(with_header(&upstream, "two", "max_reuse = \"0s\""))
        .await;
    for _ in 0..3 {
        assert_eq!(ask().await.as_deref(), Some("two"));
    }
    let capped = state_of(&gateway, "edit").await;
    assert_eq!(
        (&capped["calls"], &capped["hits"]),
        (&3.into(), &0.into()),
        "{capped}"
    );
    assert_eq!(capped["reuse"]["mode"], "off");

    gateway
        .reload(with_header(&upstream, "two", "memo = 0"))
        .await;
    assert_eq!(
        (ask().await, ask().await),
        (Some("two".to_owned()), Some("two".to_owned()))
    );
    assert_eq!(state_of(&gateway, "edit").await["hits"], 0);
}

#[tokio::test]
async fn reuse_ends_when_the_operator_says() {
    let upstream = Upstream::echo().await;
    let config = with_header(&upstream, "x", "max_reuse = \"1s\"");
    let gateway = Settings::new().workers(1).start(config).await;
    gateway.get("/").await;
    gateway.get("/").await;
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    gateway.get("/").await;
    let state = state_of(&gateway, "edit").await;
    assert!(state["calls"].as_u64().unwrap() >= 2, "{state}");
}

/// Two users at once, on all workers, are never confused, even while unknown
/// keys fill the memo.
#[tokio::test]
async fn users_are_never_confused() {
    let upstream = Upstream::echo().await;
    let users: Vec<(String, String)> = (0..40)
        .map(|n| (format!("user-{n}"), format!("key-{n}")))
        .collect();
    let keys: Vec<_> = users
        .iter()
        .map(|(name, key)| format!("{name} = \"{}\"", digest(key)))
        .collect();
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"keys\"]");
    let config = format!(
        "[policies.keys]\ncomponent = \"api-key\"\nmemo = \"8KiB\"\nmemo_sample = 16\nconfig = {{ keys = {{ {} }} }}\n{proxy}",
        keys.join(", ")
    );
    let gateway: Gateway = Settings::new().workers(4).start(config).await;
    let mut clients = JoinSet::new();
    for client in 0..12u64 {
        let mut wire = gateway.connect().await;
        let users = users.clone();
        clients.spawn(async move {
            let mut random = fastrand::Rng::with_seed(client);
            for n in 0..150 {
                let (name, key) = &users[random.usize(..users.len())];
                let (key, expected) = match random.u8(..3) {
                    0 => (format!("{key}{n}-{client}"), None),
                    _ => (key.clone(), Some(name.as_str())),
                };
                let request = Request::get("/")
                    .header("X-Api-Key", &key)
                    .header("X-Consumer", "user-0");
                let response = wire.exchange(&request).await;
                match expected {
                    None => assert_eq!(response.status, 401, "{key}"),
                    Some(name) => {
                        assert_eq!(response.json()["headers"]["x-consumer"], name, "{key}");
                    }
                }
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let state = state_of(&gateway, "keys").await;
    assert!(state["hits"].as_u64().unwrap() > 0, "{state}");
    assert!(
        state["memo_bytes"].as_u64().unwrap() <= 4 * 8 * 1024,
        "{state}"
    );
    assert_eq!(state["reuse"]["mode"], "on", "{state}");
}
