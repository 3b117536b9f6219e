//! Failures of policies in the gateway's own log.

use janua_tests::{Settings, Upstream, assert_eventually};

use crate::policies_beside::{beside, marked, misbehaving};

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
        .start(beside(&upstream, &policies))
        .await;
    assert_eq!(gateway.get("/bad/healthy").await.status, 200);
    assert!(!gateway.messages().contains("a policy failed"));

    assert_eq!(gateway.send(marked("/bad/x")).await.status, 503);
    let words = [
        "a policy failed and the request was denied policy=\"bad\" phase=\"request\" site=",
        " route=\"/bad/\" error=\"the policy returned an error: told to fail\"",
    ];
    let line = |messages: String| {
        let mut lines = messages.lines();
        lines.any(|line| words.iter().all(|words| line.contains(words)))
    };
    assert_eventually!(line(gateway.messages()));
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
    assert_eventually!(gateway.messages().contains(skipped));
    assert!(gateway.messages().contains("told to panic"));
    // One client does not suspend it, however often its requests fail.
    assert_eventually!(told(&gateway.messages(), "lax") == 6);
    assert!(!gateway.messages().contains("is suspended"));
}
