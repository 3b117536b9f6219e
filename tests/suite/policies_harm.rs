//! Components that trap, loop, exhaust memory or log without end affect only
//! their own request.

use std::fmt::Write as _;

use janua_tests::{Gateway, Request, Upstream, assert_eventually, component, granted};

use crate::policies_beside::{beside, healthy, marked, misbehaving};
use crate::policies_seen::{failures, state_of};

/// KiB in a MiB.
const MIB: u64 = 1024;

/// The peak resident memory since the last call with `true`, in KiB.
fn peak_kib(gateway: &Gateway, begin: bool) -> u64 {
    let pid = gateway.pid();
    if begin {
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_harm_affects_only_its_own_request() {
    // The harm, its name in `status` and the metrics, and a word of the last
    // error.
    const HARMS: [(&str, &str, &str, &str); 8] = [
        ("trap", "trap", "traps", "unreachable"),
        ("loop", "deadline", "overruns", "CPU time"),
        ("memory", "memory", "errors", "memory"),
        ("recursion", "trap", "traps", "trapped"),
        ("body", "memory", "errors", "memory"),
        ("edits", "memory", "errors", "memory"),
        ("long-error", "error", "errors", "xxxx"),
        ("error", "error", "errors", "told to fail"),
    ];
    let upstream = Upstream::echo().await;
    let mut policies = misbehaving("quiet", "do = \"nothing\"", "");
    for (what, ..) in HARMS {
        let limits = match what {
            "loop" => "",
            // Made of many small allocations; a larger size would take too
            // long.
            "edits" => "deadline = \"2s\"\nmemory = \"8MiB\"",
            // Touching 64 MiB takes time on a busy machine.
            _ => "deadline = \"2s\"",
        };
        policies += &misbehaving(what, &format!("do = \"{what}\", marked = true"), limits);
        let component = component("misbehave");
        let _ = write!(
            policies,
            r#"
[policies.{what}-skipped]
component = "{}"
config = {{ do = "{what}", marked = true }}
on_error = "skip"
{limits}
[[sites.routes]]
path = "/{what}-skipped/"
policies = ["good", "{what}-skipped"]
upstream = "app"
"#,
            component.display()
        );
    }
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    for (what, kind, counter, words) in HARMS {
        let remembered: &'static str = format!("/{what}/healthy").leak();
        let traffic = healthy(&gateway, remembered).await;
        let before = peak_kib(&gateway, true);
        for n in 1..=3 {
            let denied = gateway.send(marked(&format!("/{what}/{n}"))).await;
            assert_eq!(denied.status, 503, "{what}");
            assert_eq!(denied.proxy_error(), Some("proxy_internal_error"), "{what}");
            assert!(
                !denied.text().contains(words),
                "what is inside stays inside"
            );

            let passed = gateway.send(marked(&format!("/{what}-skipped/{n}"))).await;
            assert_eq!(passed.status, 200, "{what}");
            let echo = passed.json();
            assert_eq!(echo["target"], format!("/{what}-skipped/{n}"));
            assert_eq!(echo["headers"]["x-good"], format!("/{what}-skipped/{n}"));
            assert_eq!(echo["headers"]["x-long"], serde_json::Value::Null);
        }
        // The instance is created again: a harmless request gets a response.
        assert_eq!(
            gateway.get(&format!("/{what}/fine")).await.status,
            200,
            "{what}"
        );
        let peak = peak_kib(&gateway, false);
        assert!(
            peak < before + (2 * 64 + 64) * MIB,
            "{what}: {before} to {peak} KiB"
        );
        assert!(traffic.finish().await > 3, "{what}");

        for policy in [what.to_owned(), format!("{what}-skipped")] {
            let state = state_of(&gateway, &policy).await;
            assert_eq!(
                (&state["state"], &state[counter]),
                (&"ok".into(), &3.into()),
                "{state}"
            );
            let said = state["last_error"].as_str().unwrap();
            assert!(said.contains(words) && said.len() < 700, "{what}: {state}");
            assert_eq!(failures(&gateway, &policy, kind).await, 3.0, "{what}");
        }
        let line = gateway.log_line(&format!("/{what}/1")).await;
        assert_eq!(
            (&line["status"], &line["failure"]),
            (&503.into(), &"policy_failed".into())
        );
        assert!(
            line["notes"]
                .to_string()
                .contains(&format!("{what}: {kind}")),
            "{line}"
        );
        let line = gateway.log_line(&format!("/{what}-skipped/1")).await;
        assert!(
            line["notes"]
                .to_string()
                .contains(&format!("{what}-skipped: {kind}")),
            "{line}"
        );
    }
    for policy in ["good", "quiet"] {
        let state = state_of(&gateway, policy).await;
        for counter in ["traps", "overruns", "errors"] {
            assert_eq!(state[counter], 0, "{policy}: {state}");
        }
    }
    assert_eventually!(
        gateway.rss_kib() < 250 * MIB,
        "{} KiB stay resident",
        gateway.rss_kib()
    );
}

/// An instance that leaks memory is replaced before it fails.
#[tokio::test]
async fn a_leak_is_recycled() {
    let upstream = Upstream::echo().await;
    let leak = misbehaving(
        "leaky",
        "do = \"leak\", amount = 1048576",
        "max_reuse = \"0s\"\ndeadline = \"1s\"",
    );
    let quiet = misbehaving("quiet", "do = \"nothing\"", "");
    let gateway = Gateway::start(granted(beside(&upstream, &(leak + &quiet)))).await;
    gateway.get("/leaky/").await;
    let before = peak_kib(&gateway, true);
    let traffic = healthy(&gateway, "/leaky/healthy").await;
    let mut wire = gateway.connect().await;
    for n in 0..300 {
        let response = wire.exchange(&Request::get(&format!("/leaky/{n}"))).await;
        assert_eq!(response.status, 200, "{n}: {}", response.text());
    }
    traffic.finish().await;
    let peak = peak_kib(&gateway, false);
    assert!(
        peak < before + (2 * 64 + 48) * MIB,
        "{before} to {peak} KiB"
    );
    let state = state_of(&gateway, "leaky").await;
    assert!(state["calls"].as_u64().unwrap() >= 301, "{state}");
    assert_eq!(
        (&state["traps"], &state["errors"]),
        (&0.into(), &0.into()),
        "{state}"
    );
}

/// Log lines are truncated and limited, and never end a call.
#[tokio::test]
async fn log_lines_are_limited() {
    let upstream = Upstream::echo().await;
    let mut policies = misbehaving("quiet", "do = \"nothing\"", "");
    for (what, amount) in [("log", 20_000), ("print", 20_000), ("long-line", 500_000)] {
        let what_config = format!("do = \"{what}\", amount = {amount}, marked = true");
        policies += &misbehaving(what, &what_config, "deadline = \"2s\"");
    }
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    let traffic = healthy(&gateway, "/log/healthy").await;
    for what in ["log", "print", "long-line"] {
        let response = gateway.send(marked(&format!("/{what}/x"))).await;
        assert_eq!(response.status, 200, "{what}: {}", response.text());
    }
    traffic.finish().await;
    gateway.says("line 0").await;
    let messages = gateway.messages();
    assert!(
        messages.contains("line 0") && messages.contains("policy=\"log\""),
        "{messages}"
    );
    assert!(
        messages.lines().count() < 2_000,
        "{} lines",
        messages.lines().count()
    );
    let longest = messages.lines().map(str::len).max().unwrap();
    assert!(longest < 5_000, "a line of {longest} bytes");
}

/// Also in the response phase: with `deny` the upstream's response is not
/// delivered; with `skip` it is, including the edits of other policies.
#[tokio::test]
async fn a_harm_on_the_way_back() {
    let upstream = Upstream::echo().await;
    let mut policies = misbehaving("quiet", "do = \"nothing\", phase = \"response\"", "");
    for what in ["trap", "loop", "error"] {
        let config = format!("do = \"{what}\", phase = \"response\", marked = true");
        policies += &misbehaving(what, &config, "on_error = \"deny\"");
        let _ = write!(
            policies,
            r#"
[[sites.routes]]
path = "/{what}-skipped/"
policies = ["good", {{ name = "{what}", on_error = "skip" }}]
upstream = "app"
"#
        );
    }
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    let traffic = healthy(&gateway, "/trap/healthy").await;
    for what in ["trap", "loop", "error"] {
        let denied = gateway.send(marked(&format!("/{what}/x"))).await;
        assert_eq!(denied.status, 503, "{what}");
        assert_eq!(denied.proxy_error(), Some("proxy_internal_error"), "{what}");
        assert!(
            !denied.text().contains("target"),
            "{what}: nothing of the upstream's answer"
        );
        let passed = gateway.send(marked(&format!("/{what}-skipped/x"))).await;
        assert_eq!(passed.status, 200, "{what}");
        assert_eq!(passed.header("x-back"), Some("200"), "{what}");
        assert_eq!(passed.json()["target"], format!("/{what}-skipped/x"));
        let line = gateway.log_line(&format!("/{what}-skipped/x")).await;
        assert!(
            line["notes"].to_string().contains(&format!("{what}: ")),
            "{line}"
        );
    }
    assert!(traffic.finish().await > 3);
}
