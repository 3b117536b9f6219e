//! The phase `finished`: policies are told how an exchange ended, whatever its end was, and
//! charge for it when the client has its response already.

use std::net::Ipv4Addr;

use janua_tests::{
    Gateway, Proxy, Reply, Request, Response, Settings, Upstream, Vacant, Visit, assert_eventually,
    component, granted,
};
use serde_json::Value;

use crate::hostile_limits::{OTHER, connect_from};
use crate::policies_beside::{beside, marked, misbehaving};
use crate::policies_seen::{failures, state_of};

/// A policy of the probe that is told of the end of exchanges.
fn told(config: &str) -> String {
    format!(
        "[policies.told]\ncomponent = \"{}\"\nconfig.label = \"told\"\n{config}\n",
        component("probe").display()
    )
}

/// What the policy was told, as a map, once the line of this path is in the access log.
async fn end_of(gateway: &Gateway, path: &str) -> Value {
    let line = gateway.log_line(path).await;
    let words = line["annotations"]["told.probe"].as_str();
    let words = words.unwrap_or_else(|| panic!("no annotation: {line}"));
    let pairs = words.split(' ').skip(1).map(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, "absent"));
        (name.to_owned(), value.into())
    });
    Value::Object(pairs.collect())
}

/// Those of these words that are the same for each run, without the durations.
async fn fixed_end_of(gateway: &Gateway, path: &str) -> Value {
    let mut end = end_of(gateway, path).await;
    let members = end.as_object_mut().unwrap();
    for name in ["duration_ms", "first_byte_ms"] {
        let value = members.remove(name).unwrap();
        let is_number = value.as_str().unwrap().parse::<u64>().is_ok();
        assert!(is_number || value == "absent", "{path}: {name} {value}");
    }
    end
}

const ALL: &str = r#"
config.show_finished = ["status", "request_body_size", "response_body_size", "duration_ms", "first_byte_ms", "attempts", "upstream", "failure", "answered_by", "response_header:x-kind"]
config.variables = { mark = "{header:x-mark}" }"#;

#[tokio::test]
async fn they_are_told_how_an_exchange_ended() {
    let upstream = Upstream::http(|request| async move {
        let kind = request.header("x-kind").unwrap_or("none");
        Reply::ok("four").header("X-Kind", kind)
    })
    .await;
    let vacant = Vacant::refusing();
    let proxy = Proxy::to(upstream.endpoint())
        .site("policies = [\"told\"]")
        .route("path = \"/up\"")
        .beside("dead", &vacant.endpoint())
        .also("/dead", "upstream = \"dead\"")
        .also("/answered", "policies = [\"answers\"]")
        .also("/fixed", "respond = { status = 203, body = \"seven..\" }");
    let answers = format!(
        "[policies.answers]\ncomponent = \"{}\"\nconfig = {{ label = \"answers\", answer = 402 }}\n",
        component("probe").display()
    );
    let gateway = Gateway::start(granted(format!("{}{answers}{proxy}", told(ALL)))).await;
    let post = Request::post("/up", "twelve bytes").header("X-Kind", "large");
    assert_eq!(gateway.send(post).await.status, 200);
    assert_eq!(gateway.get("/dead").await.status, 502);
    assert_eq!(gateway.get("/answered").await.status, 402);
    assert_eq!(gateway.get("/fixed").await.status, 203);
    for (path, end) in [
        (
            "/up",
            serde_json::json!({
                "status": "200", "request_body_size": "12", "response_body_size": "4",
                "attempts": "1", "upstream": "app", "failure": "absent",
                "answered_by": "upstream", "response_header:x-kind": "large",
            }),
        ),
        (
            "/dead",
            serde_json::json!({
                "status": "502", "request_body_size": "0", "attempts": "1",
                "upstream": "dead", "failure": "refused",
                "answered_by": "gateway", "response_header:x-kind": "absent",
            }),
        ),
        (
            "/answered",
            serde_json::json!({
                "status": "402", "request_body_size": "0", "response_body_size": "7",
                "attempts": "0", "upstream": "absent", "failure": "absent",
                "answered_by": "policy", "response_header:x-kind": "absent",
            }),
        ),
        (
            "/fixed",
            serde_json::json!({
                "status": "203", "request_body_size": "0", "response_body_size": "7",
                "attempts": "0", "upstream": "absent", "failure": "absent",
                "answered_by": "gateway", "response_header:x-kind": "absent",
            }),
        ),
    ] {
        let mut seen = fixed_end_of(&gateway, path).await;
        let line = gateway.log_line(path).await;
        let size = seen["response_body_size"].as_str().unwrap();
        assert_eq!(size, line["bytes_out"].to_string(), "{path}: {line}");
        if end.get("response_body_size").is_none() {
            seen.as_object_mut().unwrap().remove("response_body_size");
        }
        assert_eq!(seen, end, "{path}");
        let first = &end_of(&gateway, path).await["first_byte_ms"];
        assert_ne!(*first, "absent", "{path}: a response began");
    }
}

/// An attempt that failed before one that did not.
#[tokio::test]
async fn they_are_told_of_all_attempts() {
    let upstream = Upstream::echo().await;
    let vacant = Vacant::refusing();
    let proxy = Proxy::to(vacant.endpoint())
        .and(upstream.endpoint())
        .upstream("balance = \"round_robin\"")
        .route("policies = [\"told\"]");
    let shown = told("config.show_finished = [\"attempts\", \"status\"]");
    let gateway = Settings::new()
        .workers(1)
        .start(granted(format!("{shown}{proxy}")))
        .await;
    let tried_again = async || {
        for n in 0..2 {
            assert_eq!(gateway.get(&format!("/{n}")).await.status, 200);
        }
        let ends = [end_of(&gateway, "/0").await, end_of(&gateway, "/1").await];
        ends.into_iter().any(|end| end["attempts"] == "2")
    };
    assert!(tried_again().await);
}

/// A client that leaves, before or within the response, ends in the phase `finished` too.
#[tokio::test]
async fn a_client_that_leaves_is_told_of() {
    let upstream = Upstream::raw(async |mut visit: Visit| {
        let Ok(request) = visit.request().await else {
            return;
        };
        if request.target == "/within" {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Kind: cut\r\n\r\nfour";
            visit.wire.send(head).await;
        }
        let _ = visit.wire.take_rest().await;
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"told\"]");
    let gateway = Gateway::start(granted(format!("{}{proxy}", told(ALL)))).await;

    let mut wire = gateway.connect().await;
    wire.send(Request::get("/before").to_bytes()).await;
    assert_eventually!(upstream.request_count() == 1);
    wire.reset();
    let end = end_of(&gateway, "/before").await;
    for (name, value) in [
        ("status", "absent"),
        ("first_byte_ms", "absent"),
        ("response_body_size", "0"),
        ("failure", "client_gone"),
        ("upstream", "app"),
    ] {
        assert_eq!(end[name], value, "{name}: {end}");
    }

    let mut wire = gateway.connect().await;
    wire.send(Request::get("/within").to_bytes()).await;
    wire.take_until(b"four").await.unwrap();
    wire.reset();
    let end = end_of(&gateway, "/within").await;
    for (name, value) in [
        ("status", "200"),
        ("response_body_size", "4"),
        ("failure", "client_gone"),
        ("response_header:x-kind", "cut"),
    ] {
        assert_eq!(end[name], value, "{name}: {end}");
    }
    assert_ne!(end["first_byte_ms"], "absent", "{end}");
}

/// The client has its whole response before a policy is asked, and a failure changes nothing
/// for it.
#[tokio::test]
async fn no_client_waits_for_it() {
    let upstream = Upstream::echo().await;
    let what = "phase = \"finished\", marked = true";
    let policies = misbehaving(
        "endless",
        &format!("do = \"loop\", {what}"),
        "deadline = \"5s\"",
    ) + &misbehaving(
        "traps",
        &format!("do = \"trap\", {what}"),
        "on_error = \"deny\"",
    ) + &misbehaving("edits", &format!("do = \"undeclared-field\", {what}"), "")
        + &misbehaving(
            "replies",
            &format!("do = \"undeclared-respond\", {what}"),
            "",
        );
    let gateway = Settings::new()
        .workers(1)
        .start(granted(beside(&upstream, &policies)))
        .await;
    let response = gateway.send(marked("/endless/x")).await;
    assert_eq!(response.json()["target"], "/endless/x");
    let ended = |line: &Value| line["path"] == "/endless/x";
    assert!(
        !gateway.log().iter().any(ended),
        "the policy was waited for"
    );
    assert_eventually!(gateway.log().iter().any(ended));
    assert_eq!(state_of(&gateway, "endless").await["overruns"], 1);

    for (name, kind) in [
        ("traps", "trap"),
        ("edits", "bad_verdict"),
        ("replies", "bad_verdict"),
    ] {
        let path = format!("/{name}/x");
        let response = gateway.send(marked(&path)).await;
        assert_eq!(response.status, 200, "{name}");
        let line = gateway.log_line(&path).await;
        assert_eq!(
            (&line["status"], &line["failure"]),
            (&200.into(), &Value::Null)
        );
        let notes = line["notes"].to_string();
        assert!(notes.contains(&format!("{name}: {kind}")), "{line}");
        assert_eq!(failures(&gateway, name, kind).await, 1.0, "{name}");
    }
}

/// Requests are refused while their client is in debt, which has a bound.
#[tokio::test]
async fn what_an_exchange_cost_is_charged_afterwards() {
    let upstream = Upstream::http(|request| async move {
        let reply = Reply::ok("done");
        match request.header("x-cost") {
            Some(cost) => reply.header("X-Tokens", cost),
            None => reply,
        }
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"told\"]");
    let budget = told("config.budget = \"{response_header:x-tokens}\"");
    let gateway = Gateway::start(granted(format!("{budget}{proxy}"))).await;
    let ask = async |client: u8, cost: &str| -> Response {
        let address = Ipv4Addr::new(127, 0, 1, client);
        let mut wire = connect_from(&gateway, address).await.unwrap();
        let mut request = Request::get("/");
        if !cost.is_empty() {
            request = request.header("X-Cost", cost);
        }
        let response = wire.exchange(&request).await;
        // The charge comes after the response.
        gateway.settled().await;
        response
    };
    let wait = |response: &Response| -> u64 {
        assert_eq!(response.status, 429);
        response.header("retry-after").unwrap().parse().unwrap()
    };
    // Ten tokens, of which each hour brings ten; an hour has 3,600 seconds.
    for (client, costs, debt) in [
        (1, &["11"][..], 1),
        (2, &["5", "5", "3"], 3),
        // What is no number costs 1, as what is not said.
        (3, &["9", "", "many"], 1),
        (4, &["0", "0", "12"], 2),
        // No more than the bound is owed, and no more than the largest amount is counted.
        (5, &["10", "99"], 99),
        (6, &["10", "101"], 100),
        (7, &["1000000"], 100),
        (8, &["99999999999999999999999"], 100),
    ] {
        for cost in costs {
            let response = ask(client, cost).await;
            assert_eq!(response.status, 200, "{client}: {cost}");
        }
        let seconds = wait(&ask(client, "").await);
        let owed = seconds.div_ceil(360);
        assert_eq!(owed, debt, "{client}: {costs:?}, {seconds}");
    }
    // Nobody else has to wait.
    assert_eq!(ask(99, "").await.status, 200);
}

/// A client that sends what a policy cannot take, or what a verdict cannot refer to, is charged
/// as one that does not send it.
#[tokio::test]
async fn what_no_policy_can_take_does_not_avoid_a_charge() {
    let upstream = Upstream::echo().await;
    for (config, fields, times) in [
        (
            "config.show_finished = [\"header:x-user\"]\nconfig.budget = \"{header:x-cost}\"",
            &b"X-User: \xff\r\nX-Cost: 11\r\n"[..],
            1,
        ),
        (
            "config.budget = \"{header:authorization}\"",
            b"Authorization: 5\r\nAuthorization: 6\r\n",
            11,
        ),
    ] {
        let proxy = Proxy::to(upstream.endpoint()).also(
            "/fixed",
            "policies = [\"told\"]\nrespond = { status = 200 }",
        );
        let gateway = Gateway::start(granted(format!("{}{proxy}", told(config)))).await;
        let mut wire = gateway.connect().await;
        let mut ask = async || {
            let head = &b"GET /fixed HTTP/1.1\r\nHost: a\r\n"[..];
            wire.send([head, fields, b"\r\n"].concat()).await;
            let response = wire.receive("GET").await;
            // The charge comes after the response.
            gateway.settled().await;
            response.status
        };
        for n in 0..times {
            assert_eq!(ask().await, 200, "{config}: {n}");
        }
        assert_eq!(ask().await, 429, "{config}");
        gateway.says("a value is absent").await;
    }
}

/// The exchange of a client that left is charged, and one that was refused too, but no more
/// than the bound.
#[tokio::test]
async fn a_client_cannot_leave_before_it_is_charged() {
    let upstream = Upstream::raw(async |mut visit: Visit| {
        let Ok(_) = visit.request().await else {
            return;
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Tokens: 50\r\n\r\nfour";
        visit.wire.send(head).await;
        let _ = visit.wire.take_rest().await;
    })
    .await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"told\"]");
    let budget = told("config.budget = \"{response_header:x-tokens}\"");
    let gateway = Gateway::start(granted(format!("{budget}{proxy}"))).await;
    let mut wire = connect_from(&gateway, OTHER).await.unwrap();
    wire.send(Request::get("/").to_bytes()).await;
    wire.take_until(b"four").await.unwrap();
    wire.reset();
    gateway.settled().await;
    let mut wire = connect_from(&gateway, OTHER).await.unwrap();
    assert_eq!(wire.exchange(&Request::get("/")).await.status, 429);
}

/// Whoever is asked at the end reads what the phases before set, and what a reload removed
/// is still asked about the exchanges that began before it.
#[tokio::test]
async fn a_reload_does_not_forget_an_exchange() {
    let (upstream, release) = Upstream::held().await;
    let proxy = Proxy::to(upstream.endpoint());
    let shown = "config.show_finished = [\"status\", \"variable:told.mark\"]\nconfig.variables = { mark = \"{header:x-mark}\" }";
    let with = proxy.clone().route("policies = [\"told\"]");
    let mut gateway = Gateway::start(granted(format!("{}{with}", told(shown)))).await;
    let mut wire = gateway.connect().await;
    wire.send(Request::get("/held").header("X-Mark", "a").to_bytes())
        .await;
    assert_eventually!(upstream.request_count() == 1);
    gateway.reload(proxy).await;
    release.send(true).unwrap();
    assert_eq!(wire.receive("GET").await.status, 200);
    let end = end_of(&gateway, "/held").await;
    let expected = serde_json::json!({"status": "200", "variable:told.mark": "a"});
    assert_eq!(end, expected);
    assert_eq!(gateway.get("/after").await.status, 200);
    assert_eq!(gateway.log_line("/after").await["annotations"], Value::Null);
}
