//! `janua upstream`: endpoints are taken out, let in again and weighed while requests come.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{
    Gateway, Proxy, Ran, Reply, Request, Settings, Upstream, Wire, assert_eventually, run,
};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::upstreams_balance::{named, shares};
use crate::upstreams_health::is;

/// `janua upstream …` with these arguments.
async fn upstream(gateway: &Gateway, arguments: &[&str]) -> Ran {
    gateway.command(&[&["upstream"], arguments].concat()).await
}

/// The same, which must succeed.
async fn done(gateway: &Gateway, arguments: &[&str]) -> String {
    gateway.done(&[&["upstream"], arguments].concat()).await
}

/// Runs the same beside the test.
fn begin(gateway: &Gateway, arguments: &[&str]) -> JoinHandle<Ran> {
    let all = [&["upstream"], arguments, &["--admin", "admin.sock"]].concat();
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let directory = gateway.directory().to_owned();
    tokio::spawn(async move {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        run(&directory, &all).await
    })
}

/// Sends requests over a connection each until this endpoint, which holds what it gets, has one.
async fn occupy(gateway: &Gateway, busy: &Upstream, free: &Upstream) -> Vec<Wire> {
    let mut held = Vec::new();
    while busy.request_count() == 0 {
        let mut wire = gateway.connect().await;
        wire.send(Request::get("/").to_bytes()).await;
        let seen = || busy.request_count() + free.request_count();
        assert_eventually!(seen() > held.len());
        held.push(wire);
    }
    held
}

fn two(a: &Upstream, b: &Upstream) -> Proxy {
    Proxy::to(a.endpoint()).and(b.endpoint())
}

#[tokio::test]
async fn a_drained_endpoint_gets_nothing_until_it_is_let_in() {
    let (a, b) = (named("a").await, named("b").await);
    let mut gateway = Settings::new().workers(4).start(two(&a, &b)).await;
    let address = a.endpoint();
    assert_eq!(shares(&gateway, 40).await.len(), 2);
    let said = done(&gateway, &["drain", "app", &address]).await;
    let expected = format!("app: {address} is taken out; ");
    assert!(said.starts_with(&expected), "{said}");
    // No worker sends it another, from the next request on.
    let before = a.request_count();
    assert_eq!(shares(&gateway, 40).await["b"], 40);
    let endpoint = gateway.status().await["upstreams"][0]["endpoints"][0].clone();
    assert_eq!(
        (&endpoint["draining"], &endpoint["health"]),
        (&true.into(), &"up".into())
    );
    let metrics = gateway.metrics().await;
    for (endpoint, draining) in [(&address, 1.0), (&b.endpoint(), 0.0)] {
        let labels = [("upstream", "app"), ("endpoint", endpoint.as_str())];
        let shown = metrics.sum("janua_endpoint_draining", &labels);
        assert_eq!(shown, draining, "{endpoint}");
    }
    let page = gateway.done(&["status"]).await;
    let attention = format!("upstream app: {address}: taken out by `janua upstream drain`");
    assert!(page.contains(&attention), "{page}");
    // A reload does not let it in, not even one that removes it for a while.
    gateway.reload(Proxy::to(b.endpoint())).await;
    gateway.reload(two(&a, &b)).await;
    assert_eq!(shares(&gateway, 40).await["b"], 40);
    assert_eq!(a.request_count(), before);
    let said = done(&gateway, &["drain", "app", &address]).await;
    assert!(said.contains("was taken out before"), "{said}");

    let said = done(&gateway, &["undrain", "app", &address, "--wait"]).await;
    assert!(said.contains("is up and gets requests again"), "{said}");
    assert_eq!(shares(&gateway, 40).await.len(), 2);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.sum("janua_endpoint_draining", &[]), 0.0);
    let said = done(&gateway, &["undrain", "app", &address]).await;
    assert_eq!(said, format!("app: {address} was not taken out\n"));
    let log = gateway.says("endpoint is let in again by command").await;
    assert_eq!(
        log.matches("endpoint is taken out by command").count(),
        1,
        "{log}"
    );
    assert_eq!(
        log.matches("endpoint is let in again by command").count(),
        1,
        "{log}"
    );
}

/// What is in progress there is finished, and the command waits for it.
#[tokio::test]
async fn a_drain_waits_for_what_is_in_flight() {
    let (busy, release) = Upstream::held().await;
    let free = named("free").await;
    let gateway = Gateway::start_one_worker(two(&busy, &free)).await;
    let mut held = occupy(&gateway, &busy, &free).await;
    let address = busy.endpoint();
    let arguments = [
        "drain",
        "app",
        &address,
        "--wait",
        "--timeout",
        "300ms",
        "--json",
    ];
    let ran = upstream(&gateway, &arguments).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let waited: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(waited["done"], false);
    assert_eq!(waited["endpoint"]["in_flight"], 1);
    let why = format!("app: {address} has 1 request in flight after 300 ms; it stays out");
    assert_eq!(waited["error"], *why);

    let waiting = begin(&gateway, &["drain", "app", &address, "--wait"]);
    // It has asked once, and once more.
    let begin = std::time::Instant::now();
    while begin.elapsed().as_millis() < 300 {
        assert_eq!(gateway.get("/").await.text(), "free");
        assert!(!waiting.is_finished());
    }
    release.send_replace(true);
    let ran = waiting.await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("no request is in flight there, after"),
        "{ran:?}"
    );
    let mut last = held.pop().unwrap();
    assert_eq!(last.receive("GET").await.text(), "at last");
    assert_eq!(busy.request_count(), 1);
}

/// Somebody else may do the contrary meanwhile, or remove the endpoint.
#[tokio::test]
async fn who_waits_is_told_what_others_do() {
    let (busy, _release) = Upstream::held().await;
    let free = named("free").await;
    let mut gateway = Gateway::start_one_worker(two(&busy, &free)).await;
    let _held = occupy(&gateway, &busy, &free).await;
    let address = busy.endpoint();
    let drain = ["drain", "app", &address, "--wait"];
    let is_draining = async |gateway: &Gateway| {
        gateway.status().await["upstreams"][0]["endpoints"][0]["draining"] == true
    };
    let waiting = begin(&gateway, &drain);
    assert_eventually!(is_draining(&gateway).await);
    done(&gateway, &["undrain", "app", &address]).await;
    let ran = waiting.await.unwrap();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("has been let in again meanwhile"),
        "{ran:?}"
    );

    let waiting = begin(&gateway, &drain);
    assert_eventually!(is_draining(&gateway).await);
    gateway.reload(Proxy::to(free.endpoint())).await;
    let ran = waiting.await.unwrap();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("has been removed meanwhile"), "{ran:?}");
}

/// What was taken out and then removed is shown, and can be let in before it is there again.
#[tokio::test]
async fn what_was_taken_out_and_is_gone_can_be_let_in() {
    let (a, b) = (named("a").await, named("b").await);
    let (first, second) = (a.endpoint(), b.endpoint());
    let mut gateway = Gateway::start_one_worker(two(&a, &b)).await;
    for address in [&first, &second] {
        done(&gateway, &["drain", "app", address]).await;
    }
    let absent = async |gateway: &Gateway| gateway.status().await["absent"].clone();
    assert_eq!(absent(&gateway).await, serde_json::json!([]));
    gateway.reload(Proxy::to(second.clone())).await;
    let expected = serde_json::json!([{ "upstream": "app", "address": first }]);
    assert_eq!(absent(&gateway).await, expected);
    let list = done(&gateway, &["list"]).await;
    let row = list.lines().nth(2).unwrap();
    assert!(row.contains(&first) && row.contains("absent"), "{list}");
    let list: Value = serde_json::from_str(&done(&gateway, &["list", "--json"]).await).unwrap();
    assert_eq!(list["absent"], expected);

    let said = done(&gateway, &["undrain", "app", &first]).await;
    let expected = format!(
        "app: {first} is let in again, and gets requests if it comes back: it is not there now\n"
    );
    assert_eq!(said, expected);
    assert_eq!(absent(&gateway).await, serde_json::json!([]));
    let ran = upstream(&gateway, &["undrain", "app", &first]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let why = format!("the upstream `app` has no endpoint `{first}`; there is `{second}`");
    assert!(ran.stderr.contains(&why), "{ran:?}");
    gateway.reload(two(&a, &b)).await;
    assert_eq!(shares(&gateway, 10).await["a"], 10);

    // Who waits for it waits until it is there.
    done(&gateway, &["drain", "app", &first]).await;
    gateway.reload(Proxy::to(second.clone())).await;
    let waiting = tokio::spawn({
        let (directory, address) = (gateway.directory().to_owned(), first.clone());
        async move {
            let arguments = ["upstream", "undrain", "app", &address, "--wait"];
            run(
                &directory,
                &[&arguments[..], &["--admin", "admin.sock"]].concat(),
            )
            .await
        }
    });
    assert_eventually!(absent(&gateway).await == serde_json::json!([]));
    assert!(!waiting.is_finished());
    gateway.reload(two(&a, &b)).await;
    let ran = waiting.await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("is up and gets requests again"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn the_last_endpoint_may_be_taken_out_and_that_is_said() {
    let (a, b) = (named("a").await, named("b").await);
    let gateway = Gateway::start_one_worker(two(&a, &b)).await;
    let warning = "warning: no other endpoint of the upstream `app` gets requests now";
    let said = done(&gateway, &["drain", "app", &a.endpoint()]).await;
    assert!(!said.contains("warning"), "{said}");
    let said = done(&gateway, &["drain", "app", &b.endpoint()]).await;
    assert!(said.contains(warning), "{said}");
    assert_eq!(gateway.get("/").await.status, 503);
    done(&gateway, &["undrain", "app", &b.endpoint()]).await;
    assert_eq!(gateway.get("/").await.text(), "b");

    let config = two(&a, &b).upstream("sticky = { cookie = \"app\" }");
    let gateway = Gateway::start_one_worker(config).await;
    let warning = "warning: clients that have a session there (`sticky`) are still sent there";
    let said = done(&gateway, &["drain", "app", &a.endpoint()]).await;
    assert!(said.contains(warning), "{said}");
}

/// The only instance of a service is replaced without an error.
#[tokio::test]
async fn requests_that_may_wait_do_while_the_only_endpoint_is_out() {
    let a = named("a").await;
    let config = Proxy::to(a.endpoint()).upstream("hold = \"60s\"");
    let gateway = Gateway::start_one_worker(config).await;
    let address = a.endpoint();
    done(&gateway, &["drain", "app", &address, "--wait"]).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/").to_bytes()).await;
    assert_eventually!(gateway.metrics().await.sum("janua_upstream_held", &[]) == 1.0);
    done(&gateway, &["undrain", "app", &address]).await;
    assert_eq!(wire.receive("GET").await.text(), "a");
}

#[tokio::test]
async fn another_weight_until_the_next_reload() {
    let (a, b) = (named("a").await, named("b").await);
    let mut gateway = Settings::new().workers(4).start(two(&a, &b)).await;
    let said = done(&gateway, &["weight", "app", &a.endpoint(), "3"]).await;
    let expected = "has the weight 3 until the next reload; in the configuration it has 1";
    assert!(said.contains(expected), "{said}");
    // 300 and 100, except for a round that each worker has not finished.
    let found = shares(&gateway, 400).await;
    assert!(found["a"].abs_diff(300) <= 12, "{found:?}");
    let list = done(&gateway, &["list"]).await;
    assert!(list.contains("weight 1 in the configuration"), "{list}");
    let said = done(&gateway, &["weight", "app", &b.endpoint(), "0"]).await;
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(shares(&gateway, 40).await["a"], 40);

    gateway.reload(two(&a, &b)).await;
    let found = shares(&gateway, 100).await;
    assert!(found["a"].abs_diff(50) <= 8, "{found:?}");
    let list = done(&gateway, &["list"]).await;
    assert!(!list.contains("in the configuration"), "{list}");
}

#[tokio::test]
async fn a_list_for_people_and_for_programs() {
    let (a, b) = (named("a").await, named("b").await);
    let (first, second) = (a.endpoint(), b.endpoint());
    let config = Proxy::to(format!(
        "{{ address = \"{first}\", weight = 5, zone = \"east\" }}"
    ))
    .and(format!("{{ address = \"{second}\", backup = true }}"))
    .beside("other", "127.0.0.1:9");
    let gateway = Gateway::start_one_worker(config).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.text(), "a");
    }
    gateway.settled().await;
    let page = done(&gateway, &["list"]).await;
    let mut lines = page.lines().map(|line| -> Vec<String> {
        let cells = line.split("  ").map(str::trim);
        let cells = cells.filter(|it| !it.is_empty());
        cells.map(str::to_owned).collect()
    });
    let head = lines.next().unwrap();
    assert_eq!(head[..4], ["UPSTREAM", "ENDPOINT", "STATE", "WEIGHT"]);
    let row = lines.next().unwrap();
    assert_eq!(row, ["app", &first, "up", "5", "0", "3", "0", "no", "east"]);
    let row = lines.next().unwrap();
    assert_eq!(row, ["app", &second, "up", "1", "0", "0", "0", "yes", "-"]);
    let row = lines.next().unwrap();
    assert_eq!(row[..3], ["other", "127.0.0.1:9", "up"]);
    let list: Value = serde_json::from_str(&done(&gateway, &["list", "--json"]).await).unwrap();
    assert_eq!(list["upstreams"], gateway.status().await["upstreams"]);
    let endpoints = &list["upstreams"][0]["endpoints"];
    assert_eq!(endpoints[0]["requests"], 3);
    assert_eq!(
        (&endpoints[0]["zone"], &endpoints[1]["backup"]),
        (&"east".into(), &true.into())
    );
    assert_eq!(list["splits"], serde_json::json!([]));
}

#[tokio::test]
async fn an_error_says_what_there_is() {
    let reply = Reply::ok("a");
    let a = Upstream::always(reply).await;
    let gateway = Gateway::start_one_worker(Proxy::to(a.endpoint())).await;
    let address = a.endpoint();
    let endpoint =
        format!("the upstream `app` has no endpoint `127.0.0.1:1`; there is `{address}`");
    for (arguments, why) in [
        (
            &["drain", "ap", &address][..],
            "there is no upstream `ap`; there is `app`",
        ),
        (&["undrain", "app", "127.0.0.1:1", "--wait"], &*endpoint),
        (&["weight", "app", "127.0.0.1:1", "5"], &*endpoint),
    ] {
        let ran = upstream(&gateway, arguments).await;
        assert_eq!(ran.code, Some(1), "{arguments:?}");
        assert_eq!(ran.stderr, format!("janua: {why}\n"), "{arguments:?}");
        let json = [arguments, &["--json"]].concat();
        let ran = upstream(&gateway, &json).await;
        let said: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.code, &said["error"]), (Some(1), &why.into()));
    }
    let ran = upstream(&gateway, &["weight", "app", &address, "-3"]).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let socket = ["upstream", "list", "--admin", "none.sock"];
    let ran = run(gateway.directory(), &socket).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("no gateway answers on none.sock"),
        "{ran:?}"
    );
    assert_eq!(shares(&gateway, 5).await["a"], 5);
}

/// A new version gets requests step by step, and a reload that leaves the split as it is leaves the
/// weights too.
#[tokio::test]
async fn the_weights_of_a_split() {
    let (v1, v2) = (named("v1").await, named("v2").await);
    let config = |path: &str| {
        format!(
            r#"
[listeners.public]
address = "127.0.0.1:0"

[upstreams.v1]
endpoints = ["{}"]

[upstreams.v2]
endpoints = ["{}"]

[[sites]]
name = "shop"
hosts = ["*"]

[[sites.routes]]
path = "/"
upstream = {{ split = [{{ upstream = "v1", weight = 1 }}, {{ upstream = "v2", weight = 0 }}] }}

[[sites.routes]]
path = "{path}"
upstream = "v1"
"#,
            v1.endpoint(),
            v2.endpoint()
        )
    };
    let mut gateway = Settings::new().workers(4).start(config("/a")).await;
    assert_eq!(shares(&gateway, 40).await["v1"], 40);
    let said = done(&gateway, &["weight", "--route", "shop/", "v2", "3"]).await;
    assert!(
        said.contains("75 %  weight 0 in the configuration"),
        "{said}"
    );
    assert_eq!(shares(&gateway, 100).await.len(), 2);
    done(&gateway, &["weight", "--route", "shop/", "v1", "0"]).await;
    assert_eq!(shares(&gateway, 40).await["v2"], 40);
    gateway.reload(config("/b")).await;
    assert_eq!(shares(&gateway, 40).await["v2"], 40);

    let list = done(&gateway, &["list", "--json"]).await;
    let list: Value = serde_json::from_str(&list).unwrap();
    let expected = serde_json::json!([{ "route": "shop/", "shares": [
        { "upstream": "v1", "weight": 0, "configured_weight": 1 },
        { "upstream": "v2", "weight": 3, "configured_weight": 0 },
    ] }]);
    assert_eq!(list["splits"], expected);
    assert_eq!(gateway.status().await["splits"], expected);
    for (arguments, said) in [
        (["--route", "shop/b", "v2", "1"], "no route of this name"),
        (["--route", "shop/", "v3", "1"], "it has v1, v2"),
        (
            ["--route", "shop/", "v2", "0"],
            "no upstream would have a weight",
        ),
    ] {
        let all = [&["weight"], &arguments[..]].concat();
        let ran = upstream(&gateway, &all).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    assert_eq!(shares(&gateway, 40).await["v2"], 40);
}

/// The deploy gate: an instance that was replaced gets nothing before a check has passed that was
/// made after it was let in, whatever earlier checks have said.
#[tokio::test]
async fn an_endpoint_is_let_in_by_a_check_of_its_own() {
    let is_ready = Arc::new(AtomicBool::new(true));
    let checked = |name: &'static str, is_ready: &Arc<AtomicBool>| {
        let is_ready = Arc::clone(is_ready);
        Upstream::http(move |request| {
            let is_ready = is_ready.load(SeqCst);
            std::future::ready(match (&*request.target, is_ready) {
                ("/health", false) => Reply::new(503),
                _ => Reply::ok(name),
            })
        })
    };
    let a = checked("a", &is_ready).await;
    let b = checked("b", &Arc::new(AtomicBool::new(true))).await;
    // No check is made by itself within the test.
    let check = "health = { path = \"/health\", interval = \"1h\", edge_interval = \"200ms\" }";
    let gateway = Settings::new()
        .workers(4)
        .start(two(&a, &b).upstream(check))
        .await;
    assert_eventually!(is(&gateway, 0, "up").await && is(&gateway, 1, "up").await);
    assert_eq!(shares(&gateway, 40).await.len(), 2);
    let address = a.endpoint();
    done(&gateway, &["drain", "app", &address, "--wait"]).await;
    is_ready.store(false, SeqCst);
    let said = done(&gateway, &["undrain", "app", &address]).await;
    let expected =
        format!("app: {address} is let in again, and gets requests once a check has passed\n");
    assert_eq!(said, expected);
    assert_eq!(shares(&gateway, 40).await["b"], 40);
    let arguments = ["undrain", "app", &address, "--wait", "--timeout", "300ms"];
    let ran = upstream(&gateway, &arguments).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("is not up after 300 ms"), "{ran:?}");
    assert_eq!(shares(&gateway, 40).await["b"], 40);

    let waiting = begin(&gateway, &["undrain", "app", &address, "--wait"]);
    is_ready.store(true, SeqCst);
    let ran = waiting.await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(shares(&gateway, 40).await.len(), 2);
}
