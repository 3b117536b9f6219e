//! Failures of policies in the gateway's own log.

use janua_tests::{
    Gateway, Proxy, Reply, Settings, Upstream, assert_eventually, component, granted,
};

use crate::policies_beside::{beside, marked, misbehaving};
use crate::policies_seen::{failures, state_of};

/// The number of failures of a policy that the log's lines account for.
fn told(messages: &str, policy: &str) -> u64 {
    let named = format!("policy=\"{policy}\"");
    let number = |line: &str, key: &str| {
        let rest = line.split(key).nth(1)?;
        rest.split(' ').next()?.parse::<u64>().ok()
    };
    let lines = messages
        .lines()
        .filter(|line| line.contains("a policy failed") && line.contains(&named));
    lines
        .map(|line| match number(line, " failures=") {
            Some(failures) => failures,
            None => 1 + number(line, " unreported=").unwrap(),
        })
        .sum()
}

/// The first failure is logged at once, with everything needed to find the
/// cause; of the others at most one line a second, and every failure is counted.
#[tokio::test]
async fn failures_are_logged_and_counted() {
    let upstream = Upstream::echo().await;
    let policies = misbehaving("bad", "do = \"error\", marked = true", "")
        + &misbehaving(
            "lax",
            "do = \"trap\", marked = true, phase = \"response\"",
            "on_error = \"skip\"",
        );
    let gateway = Settings::new()
        .workers(2)
        .start(granted(beside(&upstream, &policies)))
        .await;
    assert_eq!(gateway.get("/bad/healthy").await.status, 200);
    assert!(!gateway.messages().contains("a policy failed"));

    assert_eq!(gateway.send(marked("/bad/x")).await.status, 503);
    let words = [
        "a policy failed and the request was denied policy=\"bad\" phase=\"request\" site=",
        " route=\"/bad/\" error=\"the policy returned an error: told to fail\"",
    ];
    gateway.says_in_a_line(&words).await;
    for _ in 0..29 {
        assert_eq!(gateway.send(marked("/bad/x")).await.status, 503);
    }
    assert_eventually!(told(&gateway.messages(), "bad") == 30);
    let lines = gateway.messages().matches("a policy failed").count();
    assert!(lines < 30, "{lines}");

    for _ in 0..6 {
        assert_eq!(gateway.send(marked("/lax/x")).await.status, 200);
    }
    let skipped =
        "a policy failed and the request went on without it policy=\"lax\" phase=\"response\"";
    gateway.says(skipped).await;
    assert!(gateway.messages().contains("told to panic"));
    // One client does not suspend it, however often its requests fail.
    assert_eventually!(told(&gateway.messages(), "lax") == 6);
    assert!(!gateway.messages().contains("is suspended"));
}

/// A policy that has not said that it may respond can only have edited the response that is
/// there, which is delivered without its edits unless the operator wants otherwise.
#[tokio::test]
async fn a_failure_costs_no_response_that_is_there() {
    let upstream = Upstream::http(|request| async move {
        let status = if request.target.contains("missing") {
            404
        } else {
            200
        };
        Reply::new(status)
            .header("Cache-Control", "max-age=600")
            .body("theirs")
    })
    .await;
    let misbehave = component("misbehave");
    let misbehave = misbehave.display();
    let mut proxy = Proxy::to(upstream.endpoint()).route("path = \"/none\"");
    let mut policies = String::new();
    for phase in ["request", "fetched", "missing", "response"] {
        policies += &format!(
            "[policies.{phase}]\ncomponent = \"{misbehave}\"\nconfig = {{ do = \"trap\", phase = \"{phase}\" }}\n"
        );
        proxy = proxy
            .also(
                &format!("/{phase}"),
                &format!("cache = true\nmissing = true\npolicies = [\"{phase}\"]"),
            )
            .also(
                &format!("/{phase}-denied"),
                &format!(
                    "missing = true\npolicies = [{{ name = \"{phase}\", on_error = \"deny\" }}]"
                ),
            );
    }
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    for (phase, status) in [
        ("request", 503),
        ("fetched", 200),
        ("missing", 404),
        ("response", 200),
    ] {
        let response = gateway.get(&format!("/{phase}")).await;
        assert_eq!(response.status, status, "{phase}");
        assert_eq!(response.text() == "theirs", status != 503, "{phase}");
        assert!(failures(&gateway, phase, "trap").await >= 1.0, "{phase}");
        let denied = gateway.get(&format!("/{phase}-denied")).await;
        assert_eq!(denied.status, 503, "{phase}");
    }
    let skipped = "a policy failed and the request went on without it policy=\"fetched\"";
    gateway.says(skipped).await;
    // What the policy would have made of it is not known, so it is not stored.
    let again = gateway.get("/fetched").await;
    let stored = again.header("cache-status").unwrap();
    assert!(stored.contains("policy-failed"), "{stored}");
}

/// Nothing that a component says forges a line of the log or controls a terminal, and what
/// it writes is in the log as its own words alone.
#[tokio::test]
async fn what_a_component_says_is_escaped() {
    let upstream = Upstream::echo().await;
    let policies =
        misbehaving("hostile", "do = \"hostile\"", "") + &misbehaving("trap", "do = \"trap\"", "");
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    assert_eq!(gateway.get("/hostile/").await.status, 503);
    let trapped = gateway.get("/trap/").await;
    assert!(!format!("{trapped:?}").contains("told to panic"));
    let escaped = r"\u{1b}[2J\u{9b}31m\nWARN forged\u{202e}\u{2028}\u{7f}";
    let logged = format!("the policy says: logged {escaped}");
    gateway.says(&logged).await;
    gateway.says("the policy says: printed ").await;
    let hidden = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c));
    let messages = gateway.messages();
    assert!(!messages.chars().any(hidden), "{messages:?}");
    assert!(!messages.lines().any(|line| line.starts_with("WARN forged")));
    let state = state_of(&gateway, "hostile").await;
    let error = state["last_error"].as_str().unwrap();
    assert!(error.contains(&format!("returned {escaped}")), "{error}");
    let trap = state_of(&gateway, "trap").await;
    assert!(
        !trap["last_error"]
            .as_str()
            .unwrap()
            .contains("told to panic")
    );
}
