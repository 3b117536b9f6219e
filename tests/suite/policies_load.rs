//! Component files: which are refused before anything runs, with which message
//! and position, and one that must always load.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use janua_tests::{Gateway, Proxy, Ran, Upstream, component, granted, run};
use serde_json::Value;

pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Writes a configuration into a directory of its own and runs `janua` there.
pub(crate) async fn janua(folder: &Path, config: &str, arguments: &[&str]) -> Ran {
    let own = format!(
        "{config}\n[server]\nstate_dir = \"{0}/state\"\n[admin]\nsocket = \"{0}/admin.sock\"\n",
        folder.display()
    );
    std::fs::write(folder.join("janua.toml"), own).unwrap();
    run(folder, arguments).await
}

/// The errors reported by `check --json`.
pub(crate) async fn errors(folder: &Path, config: &str) -> Vec<Value> {
    let checked = janua(folder, config, &["check", "--json"]).await;
    let answer: Value = serde_json::from_str(&checked.stdout).expect(&checked.stderr);
    assert_eq!(checked.code == Some(0), answer["valid"] == true, "{answer}");
    answer["errors"].as_array().unwrap().clone()
}

/// All are reported at once, each at the line of its component.
#[tokio::test]
async fn files_that_are_no_policy() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = component("unknown-import");
    std::fs::copy(unknown, folder.path().join("unknown-import-complete.wasm")).unwrap();
    std::fs::write(folder.path().join("empty.wasm"), b"").unwrap();
    std::fs::write(folder.path().join("cut.wasm"), b"\0asm\x0d\0\x01\0\x07").unwrap();
    std::fs::create_dir(folder.path().join("folder.wasm")).unwrap();
    for entry in std::fs::read_dir(fixtures().join("components")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wat") => wat::parse_file(&path).unwrap(),
            _ => std::fs::read(&path).unwrap(),
        };
        let name = path.file_stem().unwrap().to_str().unwrap();
        std::fs::write(folder.path().join(name).with_extension("wasm"), bytes).unwrap();
    }
    let table = [
        ("core-module", "core WebAssembly module, not a component"),
        ("cut", "not valid"),
        ("empty", "not a WebAssembly file"),
        ("folder", "cannot be read"),
        ("garbage", "not a WebAssembly file"),
        ("huge-memory", "does not export janua:policy/policies"),
        ("no-policy", "does not export janua:policy/policies"),
        ("nowhere", "cannot be read"),
        ("other-types", "types of this component differ"),
        (
            "other-version",
            "built for janua:policy 0.2.0, which is newer: this gateway supports 0.1",
        ),
        ("start-loop", "does not export janua:policy/policies"),
        ("start-trap", "does not export janua:policy/policies"),
        ("unknown-import", "does not export janua:policy/policies"),
        (
            "unknown-import-complete",
            "imports example:unknown/thing@1.0.0",
        ),
    ];
    let mut config = String::new();
    for (name, _) in table {
        let _ = writeln!(config, "[policies.{name}]\ncomponent = \"{name}.wasm\"");
    }
    let unused = format!("{config}{}", Proxy::to("127.0.0.1:9"));
    let found = errors(folder.path(), &unused).await;
    assert_eq!(found.len(), table.len(), "{found:#?}");
    for (place, (name, words)) in table.iter().enumerate() {
        let error = &found[place];
        assert!(
            error["message"].as_str().unwrap().contains(words),
            "{name}: {error}"
        );
        assert_eq!(error["line"], place * 2 + 2, "{name}: {error}");
        assert_eq!(error["column"], 13, "{name}: {error}");
        assert_eq!(error["file"], "janua.toml", "{name}: {error}");
    }
    // `run` reports the same, and does not start.
    let route = Proxy::to("127.0.0.1:9").route("policies = [\"other-version\"]");
    let started = janua(folder.path(), &format!("{config}{route}"), &["run"]).await;
    assert_eq!(started.code, Some(1), "{}", started.stdout);
    for (_, words) in table {
        assert!(
            started.stderr.contains(words),
            "{words}: {}",
            started.stderr
        );
    }
    assert!(
        started.stderr.contains("janua.toml:2:13"),
        "{}",
        started.stderr
    );
}

/// A component built against the first version of the contract must always
/// load.
#[tokio::test]
async fn the_frozen_component_runs() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint()).route("policies = [\"frozen\"]");
    let gateway = Gateway::start(granted(format!(
        r#"
[policies.frozen]
component = "{}"
config = {{ request = {{ set = {{ X-Ip = "{{client_ip}}" }} }}, response = {{ always = true, set = {{ X-Was = "{{status}}" }}, remove = ["Content-Type"] }} }}
{proxy}
"#,
        fixtures().join("frozen/policy-0.1.0.wasm").display()
    )))
    .await;
    for _ in 0..2 {
        let response = gateway.get("/").await;
        assert_eq!(response.json()["headers"]["x-ip"], "127.0.0.1");
        assert_eq!(response.header("x-was"), Some("200"));
        assert_eq!(response.header("content-type"), None);
    }
}
