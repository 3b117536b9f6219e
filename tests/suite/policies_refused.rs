//! Configurations that a policy refuses, missing grants, and a `configure` that
//! misbehaves: `check`, `run` and `reload` report the same error with its line,
//! and a running gateway continues.

use janua_tests::{Gateway, Proxy, Request, Response, Upstream, component};

use crate::policies_beside::Traffic;
use crate::policies_load::{errors, fixtures, janua};

/// A refusal points to the key that it names.
#[tokio::test]
async fn a_refused_configuration_has_a_line() {
    let folder = tempfile::tempdir().unwrap();
    for (component, lines, line, words) in [
        (
            "headers",
            "[policies.x.config.response]\nset = { X-A = \"{client_pi}\" }",
            4,
            "did you mean `client_ip`",
        ),
        (
            "headers",
            "[policies.x.config.response.set]\nX-Ok = \"1\"\nConnection = \"close\"",
            3,
            "connection",
        ),
        (
            "headers",
            "[policies.x.config.request]\nset = { X-A = \"{status}\" }",
            4,
            "`status` is not known yet",
        ),
        ("headers", "", 1, "nothing to do"),
        (
            "rate-limit",
            "[policies.x.config]\nburst = 5\nrate = \"10/x\"",
            5,
            "is not a rate",
        ),
        (
            "rate-limit",
            "[policies.x.config]\nburst = 5",
            3,
            "missing field `rate`",
        ),
        (
            "rate-limit",
            "[policies.x.config]\nrate = \"1/s\"\nkey = \"header:\"",
            5,
            "needs a name",
        ),
        (
            "rate-limit",
            "[policies.x.config]\nrate = \"1/s\"\nbrust = 1",
            5,
            "brust",
        ),
        (
            "cache-rules",
            "[[policies.x.config.rules]]\nstore = \"1d\"\n[[policies.x.config.rules]]\nstore = \"1 day\"",
            6,
            "is not a time",
        ),
        (
            "cache-rules",
            "[[policies.x.config.rules]]\nstore = \"1d\"\n[[policies.x.config.rules]]\nstor = \"1d\"",
            6,
            "did you mean `store`",
        ),
        (
            "api-key",
            "[policies.x.config]\nheader = \"x-api-key\"",
            3,
            "there is no key",
        ),
        (
            "api-key",
            "[policies.x.config]\nkeys = { a = \"plain\" }",
            4,
            "sha256",
        ),
        ("no-such", "", 2, "there is no bundled component `no-such`"),
    ] {
        let config = format!(
            "[policies.x]\ncomponent = \"{component}\"\n{lines}\n{}",
            Proxy::to("127.0.0.1:9").route("policies = [\"x\"]")
        );
        let found = errors(folder.path(), &config).await;
        assert_eq!(found.len(), 1, "{lines}: {found:#?}");
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.contains(words), "{lines}: {message}");
        assert_eq!(found[0]["line"], line, "{lines}: {}", found[0]);
    }
}

/// The line that `check` prints works when it is pasted.
#[tokio::test]
async fn the_grants_that_are_missing_can_be_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let frozen = fixtures().join("frozen/policy-0.1.0.wasm");
    let with = |grants: &str| {
        format!(
            r#"[policies.own]
component = "{}"
{grants}
[policies.own.config.request.set]
X-A = "{{header:authorization}} {{cookie:session}} {{header:accept}}"
{}"#,
            frozen.display(),
            Proxy::to("127.0.0.1:9").route("policies = [\"own\"]")
        )
    };
    let found = errors(folder.path(), &with("")).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    let message = found[0]["message"].as_str().unwrap();
    let line = message
        .split("grants = ")
        .nth(1)
        .unwrap_or_else(|| panic!("{message}"));
    let line = format!("grants = {line}");
    assert_eq!(
        line,
        "grants = [\"input:header:authorization\", \"input:cookie:session\", \"edit:header:x-a\"]"
    );
    assert_eq!(found[0]["line"], 2);
    assert!(errors(folder.path(), &with(&line)).await.is_empty());
    // One of them is not sufficient.
    let found = errors(
        folder.path(),
        &with("grants = [\"input:cookie:session\", \"edit:header:x-*\"]"),
    )
    .await;
    assert!(
        found[0]["message"]
            .as_str()
            .unwrap()
            .contains("(input:header:authorization)")
    );
}

/// Settings without effect are refused at their position: grants that this
/// component does not need or that are not supported, and limits out of range.
#[tokio::test]
async fn grants_and_limits_that_are_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let headers = "component = \"headers\"\nconfig = { request = { set = { X-A = \"{path}\" } } }";
    let misbehave = format!("component = \"{}\"", component("misbehave").display());
    let misbehave = format!("{misbehave}\nconfig = {{ do = \"nothing\" }}");
    // The bundled component has the grants it needs; the same component as a
    // file has none.
    let own_limit = format!(
        "component = \"{}\"\nconfig = {{ rate = \"1/s\" }}",
        component("janua_policy_rate_limit").display()
    );
    for (policy, more, line, words) in [
        (
            &*misbehave,
            "grants = [\"input:header:authorization\"]",
            4,
            "policy `x` has no use for the grant `input:header:authorization`",
        ),
        (
            &misbehave,
            "grants = [\"effect:purge\"]",
            4,
            "has no use for the grant `effect:purge`",
        ),
        (
            headers,
            "grants = [\"input:cookie:session\"]",
            4,
            "has no use for the grant `input:cookie:session`",
        ),
        (
            &misbehave,
            "grants = [\"header:authorization\"]",
            4,
            "there is no grant `header:authorization`",
        ),
        (
            &misbehave,
            "grants = [\"effect:verify\"]",
            4,
            "`effect:verify` is not supported",
        ),
        (
            &misbehave,
            "grants = [\"key-value\"]",
            4,
            "`key-value` is not supported",
        ),
        (
            &misbehave,
            "grants = [\"effect:tak\"]",
            4,
            "there is no grant `effect:tak`",
        ),
        (&own_limit, "", 2, "grants = [\"effect:take\"]"),
        (
            headers,
            "memory = \"1000GiB\"",
            4,
            "`memory` is more than a component can have",
        ),
        (
            headers,
            "configure_deadline = \"1h\"",
            4,
            "`configure_deadline` is not between",
        ),
    ] {
        // A use with its own deadline is configured separately, and does not
        // repeat the error.
        let config = format!(
            "[policies.x]\n{policy}\n{more}\n{}\n[[sites.routes]]\npath = \"/b\"\npolicies = [{{ name = \"x\", deadline = \"5ms\" }}]\nupstream = \"app\"\n",
            Proxy::to("127.0.0.1:9").route("policies = [\"x\"]")
        );
        let found = errors(folder.path(), &config).await;
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.contains(words), "{more}: {message}");
        assert_eq!(found[0]["line"], line, "{more}: {}", found[0]);
        if more.starts_with("grants") {
            assert_eq!(found.len(), 1, "{more}: {found:#?}");
        }
    }
}

/// Configuring may take the time that the file allows.
#[tokio::test]
async fn the_time_to_configure_is_bounded_as_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let with = |deadline: &str| {
        format!(
            "[policies.own]\ncomponent = \"{}\"\nconfig = {{ do = \"slow\", amount = 100000000, phase = \"configure\" }}\n{deadline}\n{}",
            component("misbehave").display(),
            Proxy::to("127.0.0.1:9").route("policies = [\"own\"]")
        )
    };
    let found = errors(folder.path(), &with("configure_deadline = \"10ms\"")).await;
    let message = found[0]["message"].as_str().unwrap();
    assert!(message.contains("used up its CPU time"), "{message}");
    let found = errors(folder.path(), &with("configure_deadline = \"30s\"")).await;
    assert!(found.is_empty(), "{found:#?}");
}

/// A `configure` that traps or never ends is refused; the running gateway
/// continues.
#[tokio::test]
async fn a_configure_that_misbehaves() {
    let upstream = Upstream::echo().await;
    let misbehave = component("misbehave");
    let with = |config: &str| {
        format!(
            "[policies.own]\ncomponent = \"{}\"\nconfig = {{ {config} }}\n{}",
            misbehave.display(),
            Proxy::to(upstream.endpoint()).route("policies = [\"own\"]")
        )
    };
    let gateway = Gateway::start(with("do = \"nothing\"")).await;
    let check = |_: usize, response: &Response| assert_eq!(response.status, 200);
    let traffic = Traffic::start(gateway.address(), 3, |_| Request::get("/"), check).await;
    let folder = tempfile::tempdir().unwrap();
    for (config, line, words) in [
        ("do = \"trap\", phase = \"configure\"", 2, "told to panic"),
        (
            "do = \"loop\", phase = \"configure\"",
            2,
            "used up its CPU time",
        ),
        (
            "do = \"memory\", phase = \"configure\"",
            2,
            "exceeded its memory limit",
        ),
        ("do = \"recursion\", phase = \"configure\"", 2, "trapped"),
        ("do = \"error\", phase = \"configure\"", 3, "told to fail"),
        ("do = \"body-input\"", 2, "not supported"),
        ("do = \"too-many-inputs\"", 2, "33"),
        ("do = \"bad-input-name\"", 2, "field name"),
        ("do = \"bad-sensitive\"", 2, "`sensitive`"),
    ] {
        let refused = gateway.try_reload(with(config)).await.unwrap_err();
        let error = &refused["errors"][0];
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("policy `own`") && message.contains(words),
            "{message}"
        );
        assert_eq!(error["line"], line, "{config}: {error}");
        assert!(
            error["file"].as_str().unwrap().ends_with("janua.toml"),
            "{error}"
        );
        assert!(
            refused["rendered"]
                .as_str()
                .unwrap()
                .contains("janua.toml:"),
            "{refused}"
        );
        let status = gateway.status().await;
        assert_eq!(status["generation"], 1, "{config}");
        assert!(
            status["last_reload"]["error"]
                .as_str()
                .unwrap()
                .contains(words)
        );

        let started = janua(folder.path(), &with(config), &["run"]).await;
        assert_eq!(started.code, Some(1), "{config}");
        assert!(
            started.stderr.contains(words),
            "{config}: {}",
            started.stderr
        );
        assert!(
            started.stderr.contains(&format!("janua.toml:{line}:")),
            "{}",
            started.stderr
        );
    }
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.sum("janua_reloads_total", &[("outcome", "refused")]),
        9.0
    );
    assert_eq!(metrics.sum("janua_config_last_reload_ok", &[]), 0.0);
    assert!(traffic.finish().await > 3);
}
