//! A component that is not bundled does nothing and is told nothing that the operator did not
//! grant: it is refused by `check` and by a reload, and its verdicts are invalid.

use janua_tests::{Gateway, Proxy, Request, Upstream, component, granted};

use crate::policies_api_key::digest;
use crate::policies_beside::{beside, marked, misbehaving};
use crate::policies_load::errors;
use crate::policies_seen::state_of;

/// The only message of a configuration that is refused.
async fn message(config: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let found = errors(folder.path(), config).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0]["message"].as_str().unwrap().to_owned()
}

/// A policy on `/public/` cannot send a request to a path of another route, whose policies
/// would not be asked.
#[tokio::test]
async fn a_path_needs_a_grant() {
    let upstream = Upstream::echo().await;
    let with = |public: &str, grants: &str| {
        let proxy = Proxy::to(upstream.endpoint())
            .route(&format!("path = \"/public/\"{public}"))
            .also("/admin/", "policies = [\"keys\"]");
        format!(
            r#"
[policies.keys]
component = "api-key"
config = {{ keys = {{ alice = "{}" }} }}
{grants}{proxy}"#,
            digest("known")
        )
    };
    let spy = |grants: &str| {
        format!(
            "[policies.spy]\ncomponent = \"{}\"\ngrants = [{grants}]\nconfig = {{ label = \"spy\", set_path = \"/admin/secret\" }}\n",
            component("probe").display()
        )
    };
    let public = "\npolicies = [\"spy\"]";
    let line = "grants = [\"edit:header:x-probe\", \"edit:set-path\"]";
    for grants in ["", "\"edit:header:x-probe\"", "\"edit:header:*\""] {
        let refused = message(&with(public, &spy(grants))).await;
        let all = line.replace(
            "\"edit:header:x-probe\"",
            match grants {
                "" => "\"edit:header:x-probe\"",
                given => given,
            },
        );
        assert!(refused.ends_with(&all), "{refused}");
        assert!(refused.contains("edit:set-path"), "{refused}");
    }
    let gateway = Gateway::start(with("", "")).await;
    let refused = gateway
        .try_reload(with(public, &spy("")))
        .await
        .unwrap_err();
    let refused = refused["errors"][0]["message"].as_str().unwrap();
    assert!(refused.ends_with(line), "{refused}");
    let response = gateway.get("/public/a").await;
    assert_eq!(response.json()["target"], "/public/a");
    assert_eq!(gateway.get("/admin/secret").await.status, 401);
    assert_eq!(upstream.request_count(), 1);
}

/// A verdict does not do what the component did not declare, whatever else was granted.
#[tokio::test]
async fn a_verdict_outside_of_its_declaration_is_not_carried_out() {
    let upstream = Upstream::echo().await;
    let table = [
        ("undeclared-path", "edit:set-path"),
        ("undeclared-query", "edit:set-query"),
        ("undeclared-field", "edit:header:x-undeclared"),
        ("undeclared-removal", "edit:header:x-undeclared"),
        (
            "undeclared-response-field",
            "edit:response-header:x-undeclared",
        ),
        ("undeclared-respond", "respond"),
        ("undeclared-cookie", "edit:response-header:set-cookie"),
        ("undeclared-take-cookie", "edit:response-header:set-cookie"),
        ("undeclared-variable", "undeclared"),
    ];
    let policies: String = table
        .iter()
        .map(|(what, _)| misbehaving(what, &format!("do = \"{what}\", marked = true"), ""))
        .collect();
    let gateway = Gateway::start(granted(beside(&upstream, &policies))).await;
    for (what, word) in table {
        let path = format!("/{what}/x");
        assert_eq!(gateway.get(&path).await.status, 200, "{what}");
        let before = upstream.request_count();
        let denied = gateway.send(marked(&path)).await;
        assert_eq!(denied.status, 503, "{what}");
        assert_eq!(upstream.request_count(), before, "{what}");
        assert_eq!(denied.header("x-undeclared"), None, "{what}");
        assert_eq!(denied.header("set-cookie"), None, "{what}");
        let state = state_of(&gateway, what).await;
        let error = state["last_error"].as_str().unwrap();
        assert!(error.contains(word), "{what}: {error}");
    }
}

/// What one policy declares to be secret is told to no other one without a grant, wherever
/// it is used and in whatever form.
#[tokio::test]
async fn a_secret_of_another_policy_needs_a_grant() {
    let upstream = Upstream::echo().await;
    let keys = format!(
        "[policies.keys]\ncomponent = \"api-key\"\nconfig = {{ keys = {{ alice = \"{}\" }} }}\n",
        digest("known")
    );
    let spy = |config: &str, grants: &str| {
        format!(
            "[policies.spy]\ncomponent = \"{}\"\ngrants = [{grants}]\nconfig = {{ label = \"spy\", {config} }}\n",
            component("probe").display()
        )
    };
    // They share no route, and yet the same clients.
    let proxy = Proxy::to(upstream.endpoint()).route("path = \"/spy\"\npolicies = [\"spy\"]");
    let both = proxy.clone().also("/keys", "policies = [\"keys\"]");
    let request = "\"edit:header:x-*\"";
    let response = "\"edit:response-header:x-*\"";
    for (config, given) in [
        ("show = [\"header:x-api-key\"]", request),
        ("set = { X-Copy = \"{header:X-Api-Key}\" }", request),
        ("annotate = { key = \"{header:x-api-key}\" }", request),
        ("variables = { key = \"{header:x-api-key}\" }", request),
        ("show_response = [\"header:x-api-key\"]", response),
        ("show_finished = [\"header:x-api-key\"]", ""),
    ] {
        let refused = message(&format!("{keys}{}{both}", spy(config, given))).await;
        let wanted = "the policy asks for what it was not granted (input:header:x-api-key)";
        assert!(refused.contains(wanted), "{config}: {refused}");
        // With the grant it is accepted, and without the other policy there is no secret.
        let granted = [given, "\"input:header:x-api-key\""];
        let granted = granted.map(str::trim).join(", ");
        let granted = granted.trim_start_matches(", ");
        let folder = tempfile::tempdir().unwrap();
        let found = errors(
            folder.path(),
            &format!("{keys}{}{both}", spy(config, granted)),
        )
        .await;
        assert!(found.is_empty(), "{config}: {found:#?}");
        let found = errors(folder.path(), &format!("{}{proxy}", spy(config, given))).await;
        assert!(found.is_empty(), "{config}: {found:#?}");
    }

    // A policy that is live already does not keep what a reload makes a secret.
    let config = spy("show = [\"header:x-api-key\"]", request);
    let gateway = Gateway::start(format!("{config}{proxy}")).await;
    let refused = gateway.try_reload(format!("{keys}{config}{both}")).await;
    let refused = refused.unwrap_err();
    let refused = refused["errors"][0]["message"].as_str().unwrap();
    assert!(refused.contains("(input:header:x-api-key)"), "{refused}");
    let request = Request::get("/keys").header("X-Api-Key", "known");
    assert_eq!(gateway.send(request).await.status, 404);
}
