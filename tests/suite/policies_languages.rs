//! The same small policy in five languages (`examples/policies`): the same requests get the same
//! responses and refusals.

use std::path::PathBuf;

use janua_tests::{Proxy, Settings, Upstream, component, run};
use serde_json::{Value, json};

/// The languages whose components exist. Those that need tools other than Rust
/// may be missing, unless `CI` requires all tests to run.
fn languages() -> Vec<(&'static str, PathBuf)> {
    let rust = component("example-rust");
    let folder = rust.parent().unwrap().to_owned();
    let must = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let mut found = vec![("rust", rust)];
    for (language, file) in [
        ("js", "example_js.wasm"),
        ("python", "example_python.wasm"),
        ("c", "example_c.wasm"),
        ("go", "example_go.wasm"),
    ] {
        let path = folder.join(file);
        if path.is_file() {
            found.push((language, path));
        } else {
            let why = format!(
                "{} is not built: `make policies-{language}`",
                path.display()
            );
            assert!(!must, "{why}");
            eprintln!("skipped: {why}");
        }
    }
    found
}

fn tenants(languages: &[(&str, PathBuf)], config: &str) -> String {
    let table = languages.iter().map(|(language, path)| {
        format!(
            r#"
[policies.{language}]
component = "{}"
config = {{ {config} }}
grants = ["respond", "edit:header:x-tenant-tier"]
"#,
            path.display()
        )
    });
    table.collect()
}

/// A shared directory of the compile cache: Cranelift takes long for a complete
/// Python interpreter.
fn cache_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

/// Fills the compile cache, however long it takes.
async fn compile(config: &str) {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache_dir();
    let server = format!("{config}\n[server]\ncache_dir = \"{}\"\n", cache.display());
    std::fs::write(folder.path().join("janua.toml"), server).unwrap();
    let checked = run(folder.path(), &["check"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
}

#[tokio::test]
async fn all_languages_answer_alike() {
    const TABLE: [(&[u8], u16, Option<&str>, &str); 14] = [
        (b"X-Tenant: acme", 200, Some("gold"), ""),
        (b"x-tenant: initech", 200, Some("free"), ""),
        (b"X-Tenant: zo\xc3\xab", 200, Some("pl\u{e4}tin"), ""),
        (b"X-Tenant:   acme  ", 200, Some("gold"), ""),
        (
            b"X-Tenant: acme\r\nX-Tenant-Tier: root",
            200,
            Some("gold"),
            "",
        ),
        (b"X-Tenant: empty", 200, Some(""), ""),
        (b"X-Tenant: umbrella", 403, None, "tenant:unknown"),
        (b"X-Tenant: ACME", 403, None, "tenant:unknown"),
        (
            b"X-Tenant: acme\r\nX-Tenant: acme",
            403,
            None,
            "tenant:unknown",
        ),
        (b"X-Tenant:", 403, None, "tenant:unknown"),
        (b"X-Tenant: __proto__", 403, None, "tenant:unknown"),
        (b"X-Tenant: constructor", 403, None, "tenant:unknown"),
        (b"X-Tenant-Tier: gold", 403, None, "tenant:missing"),
        (
            b"X-Tenant: \xff",
            400,
            None,
            "header(x-tenant) is not UTF-8",
        ),
    ];
    let languages = languages();
    let config = r#"tiers = { acme = "gold", initech = "free", "zoë" = "plätin", empty = "" }"#;
    let upstream = Upstream::echo().await;
    let mut text = tenants(&languages, config);
    text += &Proxy::to(upstream.endpoint())
        .route("path = \"/open\"")
        .to_string();
    for (language, _) in &languages {
        text += &format!(
            "[[sites.routes]]\npath = \"/{language}\"\npolicies = [\"{language}\"]\nupstream = \"app\"\n"
        );
    }
    compile(&text).await;
    let gateway = Settings::new()
        .workers(1)
        .cache_dir(&cache_dir())
        .start(text)
        .await;
    // Twice: the first calls the policy, the second reuses the verdict.
    for round in 0..2 {
        for (fields, status, tier, note) in TABLE {
            for (language, _) in &languages {
                let mut wire = gateway.connect().await;
                let head = format!("GET /{language} HTTP/1.1\r\nHost: a\r\n");
                wire.send([head.as_bytes(), fields, b"\r\n\r\n"].concat())
                    .await;
                let response = wire.receive("GET").await;
                let case = format!("{language}, {round}: {}", String::from_utf8_lossy(fields));
                assert_eq!(response.status, status, "{case}");
                match status {
                    200 => {
                        let seen = &response.json()["headers"]["x-tenant-tier"];
                        assert_eq!(*seen, json!(tier), "{case}");
                    }
                    403 => {
                        assert_eq!(response.text(), "Unknown tenant\n", "{case}");
                        let kind = response.header("content-type");
                        assert_eq!(kind, Some("text/plain; charset=utf-8"), "{case}");
                    }
                    _ => assert_eq!(response.proxy_error(), Some("http_request_error"), "{case}"),
                }
                // Of the policy, or of the gateway where no policy was asked.
                let words = if status == 400 {
                    "notes"
                } else {
                    "annotations"
                };
                let is_noted = |line: &Value| {
                    line["path"] == format!("/{language}")
                        && line["status"] == status
                        && line[words].to_string().contains(note)
                };
                if !note.is_empty() {
                    janua_tests::assert_eventually!(gateway.log().iter().any(is_noted), "{case}");
                }
            }
        }
    }
    let status = gateway.status().await;
    for state in status["policies"].as_array().unwrap() {
        // Eleven distinct textual inputs: in every language, each is evaluated
        // once.
        assert_eq!(state["calls"], 11, "{state}");
        assert_eq!(state["traps"], 0, "{state}");
    }
}

/// A configuration is refused with the same message, at the position of its
/// key.
#[tokio::test]
async fn all_languages_refuse_alike() {
    let languages = languages();
    let folder = tempfile::tempdir().unwrap();
    for (config, words, key) in [
        ("tiers = {}", "`tiers`: name at least one tenant", "tiers"),
        (
            "tiers = { acme = \"gold\" }, colour = 1",
            "unknown field `colour`; there are tiers",
            "colour",
        ),
        (
            "tiers = { acme = 7 }",
            "`tiers.acme`: expected a string",
            "acme",
        ),
        ("tiers = [\"acme\"]", "`tiers`: expected a table", "tiers"),
        ("", "missing field `tiers`", "{"),
    ] {
        let mut text = tenants(&languages, config);
        let proxy = Proxy::to("127.0.0.1:9");
        text += &format!(
            "{proxy}\n[server]\ncache_dir = \"{}\"\n",
            cache_dir().display()
        );
        std::fs::write(folder.path().join("janua.toml"), text).unwrap();
        let checked = run(folder.path(), &["check", "--json"]).await;
        assert_eq!(checked.code, Some(1), "{config}");
        let answer: Value = serde_json::from_str(&checked.stdout).unwrap();
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), languages.len(), "{config}: {answer:#}");
        for (place, (language, _)) in languages.iter().enumerate() {
            let error = &errors[place];
            let message = error["message"].as_str().unwrap();
            // A language may add what it found instead.
            assert!(
                message.starts_with(&format!("policy `{language}`: {words}")),
                "{message}"
            );
            assert_eq!(error["line"], 4 + place * 5, "{error}");
            let column = usize::try_from(error["column"].as_u64().unwrap()).unwrap();
            let pointed_at = &error["text"].as_str().unwrap()[column - 1..];
            assert!(pointed_at.starts_with(key), "{error}");
        }
    }
}

/// A component is replaced by one in another language during traffic.
#[tokio::test]
async fn a_reload_to_another_language_drops_nothing() {
    let upstream = Upstream::echo().await;
    let config = r#"tiers = { acme = "gold" }"#;
    let of = |path: &PathBuf| {
        let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"tenant\"]");
        let table = tenants(&[("tenant", path.clone())], config);
        format!("{table}{proxy}")
    };
    let languages = languages();
    for (_, path) in &languages {
        compile(&of(path)).await;
    }
    let mut gateway = Settings::new()
        .cache_dir(&cache_dir())
        .start(of(&languages[0].1))
        .await;
    let traffic = crate::policies_beside::Traffic::start(
        gateway.address(),
        4,
        |_| janua_tests::Request::get("/").header("X-Tenant", "acme"),
        |_, response| {
            assert_eq!(response.status, 200, "{}", response.text());
            assert_eq!(response.json()["headers"]["x-tenant-tier"], "gold");
        },
    )
    .await;
    for (_, path) in languages.iter().cycle().skip(1).take(2 * languages.len()) {
        gateway.reload(of(path)).await;
    }
    assert!(traffic.finish().await > 4);
}
