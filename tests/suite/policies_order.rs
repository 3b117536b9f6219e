//! The order in which policies run, what each of them sees, and settings of a
//! single use.

use janua_tests::{
    Gateway, Proxy, Reply, Request, Upstream, Vacant, assert_eventually, component, granted,
};
use serde_json::Value;

use crate::policies_api_key::digest;
use crate::policies_seen::{failures, lines, state_of};

/// A test policy that records where it ran: see its source.
fn probe(name: &str, config: &str) -> String {
    let component = component("probe");
    format!(
        "[policies.{name}]\ncomponent = \"{}\"\nconfig = {{ label = \"{name}\", {config} }}\n",
        component.display()
    )
}

const SHOWN: &str = "show = [\"header:x-probe\"], show_response = [\"status\", \"answered_by\", \"response_header:x-probe\"]";

#[tokio::test]
async fn the_sites_first_and_the_way_back_reversed() {
    let upstream = Upstream::echo().await;
    let policies: String = ["a", "b", "c", "d"].map(|name| probe(name, SHOWN)).concat();
    let proxy = Proxy::to(upstream.endpoint())
        .site("policies = [\"a\", \"b\"]")
        .route("policies = [\"c\", \"d\"]")
        .also("/without", "without = [\"a\"]\npolicies = [\"d\"]");
    let gateway = Gateway::start(granted(format!("{policies}{proxy}"))).await;
    let response = gateway.get("/").await;
    assert_eq!(
        lines(&upstream.requests()[0].fields, "x-probe"),
        [
            "a header:x-probe",
            "b header:x-probe=a header:x-probe",
            "c header:x-probe=a header:x-probe, b header:x-probe=a header:x-probe",
            "d header:x-probe=a header:x-probe, b header:x-probe=a header:x-probe, \
             c header:x-probe=a header:x-probe, b header:x-probe=a header:x-probe",
        ]
    );
    let labels: Vec<_> = lines(&response.fields, "x-probe")
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(labels, ["d", "c", "b", "a"]);
    assert_eq!(
        lines(&response.fields, "x-probe")[1],
        "c status=200 answered_by=upstream \
         response_header:x-probe=d status=200 answered_by=upstream response_header:x-probe"
    );

    let response = gateway.get("/without").await;
    let asked: Vec<_> = lines(&upstream.requests()[1].fields, "x-probe")
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(asked, ["b", "d"]);
    assert_eq!(lines(&response.fields, "x-probe").len(), 2);
}

/// Whatever the source of the response, every policy of the route sees it in
/// the response phase, including those after the one that replied.
#[tokio::test]
async fn the_way_back_of_every_answer() {
    let upstream = Upstream::always(Reply::new(404)).await;
    let vacant = Vacant::refusing();
    let shown = "show_response = [\"status\", \"answered_by\"]";
    let proxy = Proxy::to(upstream.endpoint())
        .site("policies = [\"first\", \"keys\", \"last\"]")
        .route("path = \"/up\"")
        .beside("dead", &vacant.endpoint())
        .also("/dead", "upstream = \"dead\"")
        .also("/fixed", "respond = { status = 203 }")
        .also("/moved", "redirect = { code = 308, to = \"/up\" }")
        .also("/replaced", "policies = [\"replaced\"]")
        .also("/renumbered", "policies = [\"renumbered\"]");
    let gateway = Gateway::start(granted(format!(
        r#"{}{}{}{}
[policies.keys]
component = "api-key"
config = {{ keys = {{ a = "{}" }} }}
{proxy}"#,
        probe("first", shown),
        probe("last", shown),
        probe("replaced", &format!("{shown}, replace = 418")),
        probe("renumbered", &format!("{shown}, set_status = 299")),
        digest("k"),
    )))
    .await;
    for (path, key, status, by) in [
        ("/up", "k", 404, "upstream"),
        ("/up", "no", 401, "policy"),
        ("/dead", "k", 502, "gateway"),
        ("/fixed", "k", 203, "gateway"),
        ("/moved", "k", 308, "gateway"),
        // The edits made to the replaced response are gone.
        ("/replaced", "k", 418, "policy"),
        ("/renumbered", "k", 299, "upstream"),
    ] {
        let request = Request::get(path).header("X-Api-Key", key);
        let response = gateway.send(request).await;
        assert_eq!(response.status, status, "{path}");
        let mut seen = lines(&response.fields, "x-probe");
        if path == "/renumbered" {
            let first = seen.remove(0);
            assert_eq!(first, "renumbered status=404 answered_by=upstream");
        }
        let said = |who| format!("{who} status={status} answered_by={by}");
        assert_eq!(seen, [said("last"), said("first")], "{path}");
    }
    let replaced = gateway
        .send(Request::get("/replaced").header("X-Api-Key", "k"))
        .await;
    assert_eq!(replaced.text(), "replaced");
    assert_eq!(gateway.log_line("/replaced").await["answered_by"], "policy");
    let by_upstream = |line: &Value| line["status"] == 404 && line["answered_by"] == "upstream";
    assert_eventually!(gateway.log().iter().any(by_upstream));
}

/// A policy that replies ends the request phase; later policies do not run in
/// it.
#[tokio::test]
async fn an_answer_ends_the_way_there() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"a\", \"answers\", \"b\"]");
    let gateway = Gateway::start(granted(format!(
        "{}{}{}{proxy}",
        probe("a", SHOWN),
        probe("answers", "show = [], answer = 402"),
        probe("b", SHOWN),
    )))
    .await;
    let response = gateway.get("/").await;
    assert_eq!((response.status, response.text()), (402, "answers"));
    // Edits of the request phase apply to the request, even if the policy
    // replies.
    assert_eq!(lines(&response.fields, "x-probe").len(), 2);
    assert_eq!(upstream.request_count(), 0);
    assert_eq!(
        state_of(&gateway, "a").await["calls"],
        2,
        "request and response"
    );
    assert_eq!(state_of(&gateway, "b").await["calls"], 1, "response only");
}

/// `on_error` and `deadline` of a use take precedence over those of the policy.
#[tokio::test]
async fn a_use_says_otherwise() {
    let upstream = Upstream::echo().await;
    let misbehave = component("misbehave");
    let misbehave = misbehave.display();
    let proxy = Proxy::to(upstream.endpoint())
        .route("path = \"/deny\"\npolicies = [\"fails\", \"slow\"]")
        .also(
            "/skip",
            "policies = [{ name = \"fails\", on_error = \"skip\" }]",
        )
        .also("/lax", "policies = [\"lax\"]")
        .also(
            "/strict",
            "policies = [{ name = \"lax\", on_error = \"deny\" }]",
        )
        .also("/slow", "policies = [\"slow\"]")
        .also(
            "/hasty",
            "policies = [{ name = \"slow\", deadline = \"1ms\" }]",
        );
    let gateway = Gateway::start(granted(format!(
        r#"
[policies.fails]
component = "{misbehave}"
config = {{ do = "error" }}
[policies.lax]
component = "{misbehave}"
config = {{ do = "error" }}
on_error = "skip"
[policies.slow]
component = "{misbehave}"
config = {{ do = "slow" }}
deadline = "20s"
max_reuse = "0s"
{proxy}"#
    )))
    .await;
    for (path, status) in [
        ("/deny", 503),
        ("/skip", 200),
        ("/lax", 200),
        ("/strict", 503),
        ("/slow", 200),
        ("/hasty", 503),
    ] {
        let response = gateway.get(path).await;
        assert_eq!(response.status, status, "{path}");
        if status == 503 {
            assert_eq!(
                response.proxy_error(),
                Some("proxy_internal_error"),
                "{path}"
            );
            assert_eq!(gateway.log_line(path).await["failure"], "policy_failed");
        }
    }
    assert_eq!(upstream.request_count(), 3);
    let notes = gateway.log_line("/skip").await["notes"].to_string();
    assert!(
        notes.contains("fails: error"),
        "a skipped policy is in the log: {notes}"
    );
    // A policy with two deadlines is one policy in the status and the metrics.
    assert_eq!(failures(&gateway, "slow", "deadline").await, 1.0);
    let calls = gateway
        .metric("janua_policy_calls_total", &[("policy", "slow")])
        .await;
    assert_eq!(calls, 2.0);
    let state = state_of(&gateway, "slow").await;
    assert_eq!(
        (&state["overruns"], &state["calls"]),
        (&1.into(), &2.into()),
        "{state}"
    );
}

/// A policy that fails in the response phase does not run on the response to
/// its own failure; the others still do.
#[tokio::test]
async fn a_failure_on_the_way_back_keeps_the_others_fields() {
    let upstream = Upstream::echo().await;
    let misbehave = component("misbehave");
    let misbehave = misbehave.display();
    let proxy =
        Proxy::to(upstream.endpoint()).site("policies = [\"frame\", \"fails\", \"fails-too\"]");
    let gateway = Gateway::start(granted(format!(
        r#"
[policies.frame]
component = "headers"
config.response = {{ always = true, set = {{ x-frame-options = "DENY" }} }}
[policies.fails]
component = "{misbehave}"
config = {{ do = "error", phase = "response" }}
on_error = "deny"
[policies.fails-too]
component = "{misbehave}"
config = {{ do = "error", phase = "response" }}
on_error = "deny"
{proxy}"#
    )))
    .await;
    let response = gateway.get("/").await;
    assert_eq!(response.status, 503);
    assert_eq!(response.header("x-frame-options"), Some("DENY"));
    let line = gateway.log_line("/").await;
    assert_eq!(line["failure"], "policy_failed");
    // Each ran once, and not again for the response to its failure.
    let status = gateway.status().await;
    for name in ["fails", "fails-too"] {
        let policies = status["policies"].as_array().unwrap();
        let policy = policies
            .iter()
            .find(|policy| policy["name"] == name)
            .unwrap();
        assert_eq!(policy["calls"], 1, "{name}");
    }
}
