//! `janua policy call` and the declaration in `janua policy inspect`: what an author sees of a
//! policy without running a gateway.

use std::path::Path;

use janua_tests::{Ran, component, run};
use serde_json::{Value, json};

const HEAD: &str =
    "GET /a/../orders/7?page=2 HTTP/1.1\r\nHost: app.example\r\nAccept: text/html\r\n";

/// A request with these further fields, in a file of its own.
fn request(folder: &Path, fields: &str) {
    let text = format!("{HEAD}{fields}\r\n");
    std::fs::write(folder.join("request.http"), text).unwrap();
}

fn response(folder: &Path, text: &str) {
    std::fs::write(folder.join("response.http"), text).unwrap();
}

/// Calls a policy about the request in the file, with a fixed time.
async fn call(folder: &Path, policy: &str, config: &Value, more: &[&str]) -> Ran {
    let config = config.to_string();
    let own = ["policy", "call", policy, "--config", &config];
    let rest = ["--request", "request.http", "--now", "1000"];
    run(folder, &[&own[..], &rest, more].concat()).await
}

/// The same as JSON, and whether the command succeeded.
async fn called(folder: &Path, policy: &str, config: &Value, more: &[&str]) -> (bool, Value) {
    let ran = call(folder, policy, config, &[more, &["--json"]].concat()).await;
    let answer: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    let is_success = ran.code == Some(0);
    if answer["error"].is_null() {
        assert_eq!(answer["valid"], is_success, "{answer}");
    }
    (is_success, answer)
}

fn misbehave() -> String {
    component("misbehave").to_str().unwrap().to_owned()
}

#[tokio::test]
async fn edits_are_shown_on_the_request() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "X-Debug: 1\r\n");
    let config =
        json!({ "request": { "remove": ["X-Debug"], "set": { "X-From": "{client_ip} {path}" } } });
    let more = ["--client", "192.0.2.7"];
    let (valid, answer) = called(folder.path(), "headers", &config, &more).await;
    assert!(valid, "{answer}");
    let phase = &answer["phases"][0];
    assert_eq!(phase["key"], json!([]));
    let verdict = &phase["verdict"];
    assert_eq!(verdict["outcome"], json!({ "outcome": "proceed" }));
    // The path is the normalised one.
    assert_eq!(
        verdict["edits"],
        json!([
            { "edit": "remove-header", "name": "x-debug" },
            { "edit": "set-header", "name": "x-from", "value": "192.0.2.7 /orders/7" },
        ])
    );
    assert_eq!(
        verdict["changes"],
        json!([
            { "of": "request", "field": "x-debug", "before": "1", "after": null },
            { "of": "request", "field": "x-from", "before": null, "after": "192.0.2.7 /orders/7" },
        ])
    );
    assert_eq!(
        verdict["reuse"],
        json!({ "reused": true, "until_unix": null })
    );
    assert!(phase["cost"]["first_us"].is_u64() && phase["cost"]["second_us"].is_u64());
    assert!(phase["cost"]["memory_bytes"].as_u64() > Some(0));
    let page = call(folder.path(), "headers", &config, &more).await.stdout;
    assert!(
        page.contains("  changes     request x-debug: \"1\" -> absent\n"),
        "{page}"
    );
    assert!(
        page.lines().all(|line| line.chars().count() <= 80),
        "{page}"
    );
}

/// Neither where the policy is told of it, nor in the key, nor where it is removed.
#[tokio::test]
async fn a_key_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    request(
        folder.path(),
        "X-Api-Key: open-sesame\r\nX-Consumer: admin\r\nCookie: a=of-the-client\r\n",
    );
    // The SHA-256 of `open-sesame`.
    let hash = "sha256:d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7";
    let config = json!({ "keys": { "alice": hash } });
    let (valid, answer) = called(folder.path(), "api-key", &config, &[]).await;
    assert!(valid, "{answer}");
    let phase = &answer["phases"][0];
    let input = &phase["inputs"][0];
    assert_eq!(
        *input,
        json!({ "input": "header(x-api-key)", "value": { "secret_bytes": 11 } })
    );
    assert_eq!(
        phase["key"][0]["value"]["mac"].as_str().map(str::len),
        Some(32)
    );
    let changes = phase["verdict"]["changes"].as_array().unwrap();
    assert!(changes.contains(&json!({
        "of": "request", "field": "x-api-key", "before": { "secret_bytes": 11 }, "after": null,
    })));
    // What the client states in an owned field is gone before the policy is asked.
    assert!(changes.contains(&json!({
        "of": "request", "field": "x-consumer", "before": null, "after": "alice",
    })));
    let page = call(folder.path(), "api-key", &config, &[]).await.stdout;
    for shown in [answer.to_string(), page] {
        assert!(
            !shown.contains("sesame") && !shown.contains("of-the-client"),
            "{shown}"
        );
    }
    let unknown = json!({ "keys": { "alice": format!("sha256:{}", "a".repeat(64)) } });
    let (valid, answer) = called(folder.path(), "api-key", &unknown, &[]).await;
    assert!(valid, "a refusal is a valid verdict: {answer}");
    let verdict = &answer["phases"][0]["verdict"];
    assert_eq!(verdict["outcome"]["outcome"], "respond");
    assert_eq!(verdict["outcome"]["status"], 401);
    assert_eq!(verdict["annotations"][0]["value"], "api-key:unknown");
}

#[tokio::test]
async fn an_effect_has_its_values() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    let config = json!({ "rate": "10/s", "burst": 5 });
    let more = ["--client", "192.0.2.7"];
    let (valid, answer) = called(folder.path(), "rate-limit", &config, &more).await;
    assert!(valid, "{answer}");
    let take = &answer["phases"][0]["verdict"]["effects"][0];
    assert_eq!(take["effect"], "take");
    assert_eq!(
        (&take["key"], &take["burst"], &take["cost"]),
        (&json!("192.0.2.7"), &json!(5), &json!(1))
    );
    assert_eq!(take["otherwise"]["status"], 429);
}

#[tokio::test]
async fn the_phases_of_an_exchange() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    response(
        folder.path(),
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
    );
    let with = ["--response", "response.http"];
    let config = json!({});
    let (valid, answer) = called(folder.path(), "spa-fallback", &config, &with).await;
    assert!(valid, "{answer}");
    let phases = answer["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| &phase["phase"]).collect();
    assert_eq!(names, ["fetched", "missing"]);
    let verdict = &phases[1]["verdict"];
    assert_eq!(
        verdict["outcome"],
        json!({ "outcome": "serve", "path": "/index.html" })
    );
    assert_eq!(verdict["served"], "/index.html");
    assert_eq!(
        verdict["response_edits"],
        json!([{ "edit": "set-header", "name": "cache-control", "value": "no-cache" }])
    );
    let only = ["--response", "response.http", "--phase", "missing"];
    let (_, answer) = called(folder.path(), "spa-fallback", &config, &only).await;
    assert_eq!(answer["phases"].as_array().map(Vec::len), Some(1));
    // Of a response that is there, nothing is missing.
    response(
        folder.path(),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    let (valid, answer) = called(folder.path(), "spa-fallback", &config, &only).await;
    assert!(!valid, "{answer}");
    let why = answer["not_asked"][0]["why"].as_str().unwrap();
    assert!(why.contains("404"), "{why}");
    let (_, answer) = called(folder.path(), "spa-fallback", &config, &[]).await;
    assert_eq!(answer["not_asked"][0]["why"], "there is no response");
}

/// A response that the policy makes goes through the phase `response`, and no target is asked.
#[tokio::test]
async fn edits_of_a_response() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    response(
        folder.path(),
        "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\n\r\n",
    );
    let config = json!({ "response": { "remove": ["Server"], "set": { "X-Status": "{status}" } } });
    let with = ["--response", "response.http"];
    let (valid, answer) = called(folder.path(), "headers", &config, &with).await;
    assert!(valid, "{answer}");
    assert_eq!(
        answer["phases"][0]["verdict"]["changes"],
        json!([
            { "of": "response", "field": "server", "before": "x", "after": null },
            { "of": "response", "field": "x-status", "before": null, "after": "200" },
        ])
    );
}

#[tokio::test]
async fn failures_are_those_of_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    let policy = misbehave();
    for (what, word, message) in [
        ("trap", "trap", "the policy trapped: "),
        ("loop", "deadline", "the policy used up its CPU time"),
        (
            "error",
            "error",
            "the policy returned an error: told to fail",
        ),
        (
            "owned-field",
            "bad_verdict",
            "the field `content-length` belongs to the gateway",
        ),
        (
            "secret-annotation",
            "bad_verdict",
            "an annotation contains a secret",
        ),
    ] {
        let config = json!({ "do": what });
        let (valid, answer) = called(folder.path(), &policy, &config, &[]).await;
        assert!(!valid, "{what}: {answer}");
        let failure = &answer["phases"][0]["failure"];
        assert_eq!(
            (&failure["word"], &failure["status"]),
            (&json!(word), &json!(503))
        );
        let said = failure["message"].as_str().unwrap();
        assert!(said.contains(message), "{what}: {said}");
    }
}

#[tokio::test]
async fn a_lie_about_reuse_is_found() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    let policy = misbehave();
    let (valid, answer) = called(folder.path(), &policy, &json!({ "do": "lie" }), &[]).await;
    assert!(!valid, "{answer}");
    let violation = answer["phases"][0]["violation"].as_str().unwrap();
    assert!(violation.contains("wrongly allows reuse"), "{violation}");
    // Who reads a clock says nothing of the next moment.
    let (valid, answer) = called(folder.path(), &policy, &json!({ "do": "clock" }), &[]).await;
    assert!(valid, "{answer}");
    assert_eq!(answer["phases"][0]["verdict"]["reuse"]["reused"], false);
}

#[tokio::test]
async fn what_it_logs_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    let config = json!({ "do": "log", "amount": 2 });
    let (_, answer) = called(folder.path(), &misbehave(), &config, &[]).await;
    let line = |n| json!({ "level": "warn", "message": format!("line {n}") });
    assert_eq!(answer["phases"][0]["log"], json!([line(0), line(1)]));
}

#[tokio::test]
async fn grants_are_assumed_unless_some_are_given() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    let (policy, config) = (misbehave(), json!({ "do": "response-edit" }));
    let (valid, answer) = called(folder.path(), &policy, &config, &[]).await;
    assert!(valid, "{answer}");
    assert_eq!(
        answer["assumed_grants"],
        "grants = [\"edit:response-header:x-late\"]"
    );
    let given = ["--grants", "edit:response-header:x-late"];
    let (valid, answer) = called(folder.path(), &policy, &config, &given).await;
    assert!(valid && answer["assumed_grants"].is_null(), "{answer}");
    for (grants, why) in [
        ("respond", "was not granted (edit:response-header:x-late)"),
        (
            "edit:response-header:x-late,respond",
            "has no use for the grant `respond`",
        ),
        ("nonsense", "there is no grant `nonsense`"),
    ] {
        let (valid, answer) = called(folder.path(), &policy, &config, &["--grants", grants]).await;
        assert!(
            !valid && answer["error"].as_str().unwrap().contains(why),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn bad_messages_are_refused_with_the_gateways_words() {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({ "rate": "1/s" });
    for (text, status, word) in [
        ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/1.1\nHost: a\n\n", 400, "bad_request"),
        (
            "GET /a/..%2Fb HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            "bad_request",
        ),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_refused"),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http_version"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            499,
            "client_gone",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
            400,
            "bad_request",
        ),
    ] {
        std::fs::write(folder.path().join("request.http"), text).unwrap();
        let (valid, answer) = called(folder.path(), "rate-limit", &config, &[]).await;
        assert!(!valid, "{text}");
        let refused = &answer["refused"];
        assert_eq!(
            (&refused["status"], &refused["word"]),
            (&json!(status), &json!(word)),
            "{text:?}"
        );
    }
    request(folder.path(), "");
    for text in [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        response(folder.path(), text);
        let (valid, answer) = called(
            folder.path(),
            "rate-limit",
            &config,
            &["--response", "response.http"],
        )
        .await;
        assert!(!valid && answer["refused"]["word"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn bad_configurations() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "");
    let (valid, answer) = called(folder.path(), "rate-limit", &json!({}), &[]).await;
    assert!(!valid);
    let why = answer["error"].as_str().unwrap();
    assert!(why.contains("missing field `rate`"), "{why}");
    let arguments = [
        "policy",
        "call",
        "rate-limit",
        "--request",
        "request.http",
        "--config",
    ];
    for (config, why) in [
        ("rate = 1", "is not JSON"),
        ("@nowhere", "cannot read nowhere"),
    ] {
        let ran = run(folder.path(), &[&arguments[..], &[config]].concat()).await;
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}

/// With the files and the grants of the configuration.
#[tokio::test]
async fn a_policy_of_a_gateway() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "X-Api-Key: open-sesame\r\n");
    let keys = "alice:sha256:d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7\n";
    std::fs::write(folder.path().join("keys.txt"), keys).unwrap();
    let config = "[listeners.public]\naddress = \"127.0.0.1:0\"\n\
        [policies.clients]\ncomponent = \"api-key\"\nconfig = { keys_file = \"keys.txt\" }\n\
        [[sites]]\nhosts = [\"*\"]\nroutes = [{ policies = [\"clients\"], respond = { body = \"x\" } }]\n";
    std::fs::write(folder.path().join("janua.toml"), config).unwrap();
    let of = |policy| {
        [
            "policy",
            "call",
            "--gateway",
            "janua.toml",
            "--policy",
            policy,
            "--request",
            "request.http",
            "--json",
        ]
    };
    let ran = run(folder.path(), &of("clients")).await;
    let answer: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    assert_eq!(
        (ran.code, &answer["policy"]),
        (Some(0), &json!("clients")),
        "{answer}"
    );
    assert_eq!(answer["phases"][0]["verdict"]["edits"][1]["value"], "alice");
    let ran = run(folder.path(), &of("nobody")).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout
            .contains("no route of janua.toml uses a policy `nobody`"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_declaration_is_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let inspected = async |policy: &str, config: &Value| {
        let config = config.to_string();
        let arguments = ["policy", "inspect", policy, "--json", "--config", &config];
        let ran = run(folder.path(), &arguments).await;
        let answer: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
        (ran.code, answer)
    };
    let hash = format!("sha256:{}", "a".repeat(64));
    let (code, answer) = inspected("api-key", &json!({ "keys": { "alice": hash } })).await;
    assert_eq!(code, Some(0));
    let declaration = &answer["declaration"];
    let phase = &declaration["phases"][0];
    assert_eq!(
        phase["inputs"],
        json!([{ "input": "header(x-api-key)", "sensitive": true }])
    );
    assert_eq!(phase["may"], json!(["respond", "edit:header:x-api-key"]));
    assert_eq!(declaration["owns"], json!(["x-consumer"]));
    assert_eq!(declaration["grants"], json!([]));
    let (_, answer) = inspected(&misbehave(), &json!({ "do": "response-edit" })).await;
    assert_eq!(
        answer["declaration"]["grants"],
        json!(["edit:response-header:x-late"])
    );
    let (code, answer) = inspected("api-key", &json!({ "kees": 1 })).await;
    assert_eq!(code, Some(1));
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("the configuration is refused"),
        "{answer}"
    );
    // Without a configuration, what holds for all of them is shown.
    let ran = run(folder.path(), &["policy", "inspect", "api-key"]).await;
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stdout.contains("--config") && ran.stdout.contains("\nimports\n"),
        "{}",
        ran.stdout
    );
}

/// Wherever the policy puts it: in text of its own, in a field, encoded in a path, in what later
/// phases see.
#[tokio::test]
async fn a_secret_is_hidden_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    request(folder.path(), "X-Token: of /hunter2\r\nX-Short: ab\r\n");
    response(
        folder.path(),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    let config = json!({
        "label": "p",
        "show": ["header:x-token", "header:x-short"],
        "sensitive": true,
        "set_path": "/u/{header:x-token}",
        "set_query": "k={header:x-token}",
        "set": { "X-Copy": "a {header:x-token}" },
        "response_set": { "X-Late": "{header:x-token}" },
        "variables": { "token": "{header:x-token}" },
        "take": "{header:x-token}",
        "show_response": ["path", "variable:probe.token", "query"],
    });
    let probe = component("probe").to_str().unwrap().to_owned();
    let with = ["--response", "response.http"];
    let (valid, answer) = called(folder.path(), &probe, &config, &with).await;
    assert!(valid, "{answer}");
    let page = call(folder.path(), &probe, &config, &with).await.stdout;
    for shown in [answer.to_string(), page] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.contains("X-Late") || shown.contains("x-late"),
            "{shown}"
        );
    }
    let phases = answer["phases"].as_array().unwrap();
    assert_eq!(phases.len(), 2);
    assert_eq!(
        phases[0]["inputs"][1]["value"],
        json!({ "secret_bytes": 2 })
    );
}
