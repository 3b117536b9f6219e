//! What a reload reports as changed.

use janua_tests::{Gateway, component};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[listeners.public]
address = "127.0.0.1:0"
[upstreams.app]
endpoints = ["127.0.0.1:1", "127.0.0.1:2"]
[policies.clients]
component = "api-key"
config = { keys_file = "keys.txt" }
[policies.own]
component = "own.wasm"
[[sites]]
hosts = ["a.example"]
[[sites.routes]]
path = "/api"
policies = ["clients", "own"]
upstream = "app"
"#;

const KEYS: &str = "demo:sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n";
const OTHER_KEYS: &str =
    "demo:sha256:486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7\n";

/// A gateway with this configuration and the files it refers to.
async fn started() -> Gateway {
    let gateway = Gateway::start("[listeners.public]\naddress = \"127.0.0.1:0\"\n").await;
    std::fs::write(gateway.directory().join("keys.txt"), KEYS).unwrap();
    own_is(&gateway, "janua-policy-headers");
    gateway
}

/// Replaces the policy's component.
fn own_is(gateway: &Gateway, name: &str) {
    std::fs::copy(component(name), gateway.directory().join("own.wasm")).unwrap();
}

fn texts(summary: &Value) -> Vec<&str> {
    let changed = summary["changed"].as_array().unwrap().iter();
    changed
        .map(|change| change["text"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn every_change_is_reported_by_name_and_field() {
    let mut gateway = started().await;
    let config = CONFIG.replace(
        "component = \"own.wasm\"",
        "component = \"own.wasm\"\nconfig = { response = {} }",
    );
    let summary = gateway.reload(&config).await;
    assert_eq!(
        texts(&summary),
        [
            "upstream app added",
            "policy clients added",
            "policy own added",
            "site a.example added",
        ]
    );
    let summary = gateway.reload(&config).await;
    assert!(texts(&summary).is_empty(), "{summary}");

    let changed = config
        .replace(
            "\"127.0.0.1:2\"",
            "{ address = \"127.0.0.1:2\", weight = 3 }",
        )
        .replace("endpoints", "balance = \"least_conn\"\nendpoints")
        .replace("\"127.0.0.1:0\"", "\"127.0.0.1:0\"\nmax_connections = 9")
        .replace("[\"a.example\"]", "[\"a.example\", \"b.example\"]")
        .replace(
            "upstream = \"app\"",
            "upstream = \"app\"\nrequest_timeout = \"5s\"",
        );
    let summary = gateway.reload(&changed).await;
    assert_eq!(
        texts(&summary),
        [
            "listener public: max_connections 0 → 9",
            "upstream app: endpoint 127.0.0.1:2: weight 1 → 3",
            "upstream app: balance round_robin → least_conn",
            "site a.example: hosts b.example added",
            "site a.example: route /api: request_timeout 5s added",
        ]
    );
    assert_eq!(
        summary["changed"][1],
        json!({
            "text": "upstream app: endpoint 127.0.0.1:2: weight 1 → 3",
            "what": "upstream app: endpoint 127.0.0.1:2",
            "field": "weight", "change": "changed", "old": "1", "new": "3",
        })
    );
}

/// The command reports the same, as text and as JSON.
#[tokio::test]
async fn the_command_reports_what_changed() {
    let gateway = Gateway::start(crate::reload::says("one")).await;
    gateway.write_config(crate::reload::says("two"));
    let said = gateway.done(&["reload"]).await;
    let line = "\n  site *: route /: respond.body one → two\n";
    assert!(said.contains(line), "{said}");
    let said = gateway.done(&["reload"]).await;
    assert!(said.contains("\n  nothing has changed\n"), "{said}");

    gateway.write_config(crate::reload::says("three"));
    let said = gateway.done(&["reload", "--json"]).await;
    let summary: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(summary["changed"][0]["field"], "respond.body", "{summary}");
    assert_eq!(summary["changed"][0]["new"], "three", "{summary}");
}

/// For a file that a policy refers to, only the fact that its content changed
/// is reported, not the content.
#[tokio::test]
async fn contents_of_files_and_components_are_changes() {
    let mut gateway = started().await;
    let config = CONFIG.replace(
        "component = \"own.wasm\"",
        "component = \"own.wasm\"\nconfig = { response = {} }",
    );
    gateway.reload(&config).await;

    std::fs::write(gateway.directory().join("keys.txt"), OTHER_KEYS).unwrap();
    let summary = gateway.reload(&config).await;
    let said = "policy clients: the content that `keys_file` refers to changed";
    assert_eq!(texts(&summary), [said]);
    assert_eq!(summary["changed"][0]["field"], "config.keys_file");
    assert!(!summary.to_string().contains("486ea46224d1"), "{summary}");

    // The same policy with an additional custom section has different bytes.
    let own = gateway.directory().join("own.wasm");
    let mut bytes = std::fs::read(&own).unwrap();
    bytes.extend([0, 3, 1, b'x', b'y']);
    std::fs::write(&own, bytes).unwrap();
    let summary = gateway.reload(&config).await;
    assert_eq!(
        texts(&summary),
        ["policy own: the content of its component changed"]
    );
    assert!(texts(&gateway.reload(&config).await).is_empty());
}
