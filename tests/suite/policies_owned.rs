//! Request fields that a policy owns: no client can state them, on any route of a site that
//! names the policy anywhere.

use janua_tests::{
    Gateway, Proxy, Request, Response, Upstream, assert_eventually, component, granted,
};

use crate::policies_seen::lines;

/// The site `a.example` names a policy `auth`, which owns `X-Consumer` and `X-Auth-*`, and
/// leaves it out of one route; a route of it has a policy that owns `X-Owned` and fails.
/// The site `b.example` names none of them.
fn config(upstream: &Upstream) -> String {
    let probe = component("probe");
    let misbehave = component("misbehave");
    let proxy = Proxy::to(upstream.endpoint())
        .site("policies = [\"auth\"]")
        .route("path = \"/in\"")
        .also("/left-out", "without = [\"auth\"]")
        .also(
            "/failing",
            "without = [\"auth\"]\npolicies = [{ name = \"failing\", on_error = \"skip\" }]",
        )
        .also("/beside", "without = [\"auth\"]\npolicies = [\"beside\"]");
    let proxy = proxy.to_string().replace("\"*\"", "\"a.example\"");
    granted(format!(
        r#"
[policies.auth]
component = "{0}"
config.label = "auth"
config.owns = ["x-consumer", "x-auth-*"]
config.set = {{ X-Consumer = "{{header:x-key}}", X-Auth-Level = "{{header:x-level}}" }}
[policies.failing]
component = "{1}"
config = {{ do = "error", owns = true }}
[policies.beside]
component = "{0}"
config.label = "beside"
config.show = ["header:x-consumer", "header:x-auth-level", "header:x-owned"]
config.show_response = ["header:x-consumer", "header:x-auth-level", "header:x-owned"]
config.show_finished = ["header:x-consumer", "header:x-auth-level", "header:x-owned"]
{proxy}
[[sites]]
hosts = ["b.example"]
[[sites.routes]]
upstream = "app"
"#,
        probe.display(),
        misbehave.display()
    ))
}

const OWNED: [&str; 4] = ["x-consumer", "x-auth-level", "x-auth-other", "x-owned"];

/// A client that states all of them, some of them twice and in different spellings.
fn stating(path: &str) -> Request {
    Request::get(path)
        .header("X-Consumer", "admin")
        .header("x-cOnSuMeR", "admin")
        .header("X_Consumer", "admin")
        .header("X-AUTH-LEVEL", "9")
        .header("x-auth-other", "9")
        .header("X-Owned", "admin")
        .header("X-Consumers", "free")
        .header("X-Auth", "free")
}

/// What the upstream was told, as the echo shows it.
fn seen<const N: usize>(response: &Response, names: [&str; N]) -> [String; N] {
    let headers = &response.json()["headers"];
    names.map(|name| headers[name].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn no_client_states_them() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(config(&upstream)).await;
    for path in ["/in", "/left-out", "/failing", "/beside"] {
        let response = gateway.send(stating(path)).await;
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(seen(&response, OWNED), [""; 4], "{path}");
        assert_eq!(seen(&response, ["x_consumer"]), [""], "{path}");
        let free = seen(&response, ["x-consumers", "x-auth"]);
        assert_eq!(free, ["free", "free"], "{path}");
    }
    let skipped = gateway.log_line("/failing").await["notes"].to_string();
    assert!(skipped.contains("failing: error"), "{skipped}");

    // What the policy itself states is there.
    let known = stating("/in")
        .header("X-Key", "alice")
        .header("X-Level", "1");
    let response = gateway.send(known).await;
    assert_eq!(seen(&response, OWNED), ["alice", "1", "", ""]);

    // A site that does not name the policy has nothing to do with these fields.
    let response = gateway.send(stating("/in").host("b.example")).await;
    assert_eq!(seen(&response, ["x-auth-level", "x-owned"]), ["9", "admin"]);
}

/// No policy sees them either, in whatever phase, also where the gateway itself answers
/// before the first policy is asked.
#[tokio::test]
async fn no_policy_sees_what_a_client_states() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(config(&upstream)).await;
    let nothing = "beside header:x-consumer header:x-auth-level header:x-owned";
    // The second path hides dots, which is refused.
    for (path, status) in [("/beside", 200), ("/beside/..%2Fa", 400)] {
        let response = gateway.send(stating(path)).await;
        assert_eq!(response.status, status, "{path}");
        assert_eq!(lines(&response.fields, "x-probe"), [nothing], "{path}");
        let is_told = |line: &serde_json::Value| {
            line["status"] == status && line["annotations"]["beside.probe"] == nothing
        };
        assert_eventually!(gateway.log().iter().any(is_told), "{:#?}", gateway.log());
    }
    let asked = upstream.only_request();
    assert_eq!(lines(&asked.fields, "x-probe"), [nothing]);
}

#[tokio::test]
async fn no_client_states_them_as_trailers() {
    let upstream = Upstream::echo().await;
    let probe = component("probe");
    let with = |owned: &str| {
        let proxy = Proxy::to(upstream.endpoint())
            .site("policies = [\"auth\"]")
            .route("without = [\"auth\"]");
        granted(format!(
            "[policies.auth]\ncomponent = \"{}\"\nconfig = {{ label = \"auth\", show = [], owns = [\"{owned}\"] }}\n{proxy}",
            probe.display()
        ))
    };
    let request = || {
        Request::new("POST", "/")
            .header("TE", "trailers")
            .header("Trailer", "X-Consumer, x-sum")
            .chunked(&[b"body"], &[("X-ConSumer", "admin"), ("x-sum", "7")])
    };
    for (owned, passed) in [
        ("x-consumer", &[("x-sum", "7")][..]),
        // Trailers cannot be told apart by the beginnings of their names.
        ("x-con*", &[]),
    ] {
        let gateway = Gateway::start(with(owned)).await;
        assert_eq!(gateway.send(request()).await.status, 200);
        let received = upstream.requests().pop().unwrap();
        let trailers: Vec<(&str, &str)> = received
            .trailers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(trailers, passed, "{owned}");
    }
}

/// The route is chosen by what the client sent, and a policy that comes by a reload takes
/// its fields at once.
#[tokio::test]
async fn a_reload_takes_the_fields_of_a_new_policy() {
    let upstream = Upstream::echo().await;
    let open = Proxy::to(upstream.endpoint()).to_string();
    let mut gateway = Gateway::start(&open).await;
    let stated = async |gateway: &Gateway| {
        let request = Request::get("/").header("X-Consumer", "admin");
        seen(&gateway.send(request).await, ["x-consumer"])
    };
    assert_eq!(stated(&gateway).await, ["admin"]);
    let guarded = Proxy::to(upstream.endpoint())
        .also("/other", "policies = [\"auth\"]")
        .to_string();
    let policy = format!(
        "[policies.auth]\ncomponent = \"{}\"\nconfig = {{ label = \"auth\", show = [], owns = [\"x-consumer\"] }}\n",
        component("probe").display()
    );
    gateway.reload(granted(policy + &guarded)).await;
    assert_eq!(stated(&gateway).await, [""]);
    gateway.reload(open).await;
    assert_eq!(stated(&gateway).await, ["admin"]);
}
