//! Generated pages are up to date, and examples in documents are valid.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use janua_tests::{Authority, Example, binary, run};
use serde_json::Value;

/// The generated pages of `docs/`, and the names of the generator for each.
const PAGES: [(&str, &str); 6] = [
    ("cli", "cli"),
    ("config", "configuration"),
    ("metrics", "metrics"),
    ("access-log", "access-log"),
    ("cache-status", "cache-status"),
    ("policies", "policies"),
];

#[test]
fn generated_pages_are_not_stale() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for (page, file) in PAGES {
        let made = Command::new(binary())
            .args(["reference", page])
            .output()
            .unwrap();
        assert!(made.status.success(), "janua reference {page}");
        let written = fs::read(folder.join(file).with_extension("md")).unwrap();
        assert!(
            made.stdout == written,
            "docs/{file}.md is stale: run `make docs` and commit what it writes"
        );
    }
}

/// Directories of examples that exist only on the machine they were written
/// for, and are replaced here.
const DIRECTORIES: [(&str, &str); 4] = [
    ("dhanman-frontend", "/var/www/frontend/prod/build"),
    ("edroplets", "/srv/edroplets"),
    ("pakashop", "/opt/pakashop/frontend/public"),
    ("vladbortnik", "/var/www/vladbortnik.dev"),
];

/// The names of certificate and key in an example, and the hosts that it is for.
const CERTIFICATES: [(&str, &str, &str, &[&str]); 2] = [
    (
        "pakashop",
        "/etc/ssl/certs/pakashop.crt",
        "/etc/ssl/private/pakashop.key",
        &["pakashop.store", "www.pakashop.store"],
    ),
    (
        "vladbortnik",
        "/etc/letsencrypt/live/vladbortnik.dev/fullchain.pem",
        "/etc/letsencrypt/live/vladbortnik.dev/privkey.pem",
        &["vladbortnik.dev", "*.vladbortnik.dev"],
    ),
];

/// The configurations of the examples are accepted.
#[test]
fn examples_pass_the_check() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut checked = Vec::new();
    for example in fs::read_dir(examples).unwrap() {
        let name = example.as_ref().unwrap().file_name();
        let name = name.into_string().unwrap();
        let mut config = example.unwrap().path().join("janua.toml");
        if !config.exists() {
            continue;
        }
        if let Some((_, written)) = DIRECTORIES.iter().find(|(known, _)| *known == name) {
            let files = elsewhere.path().join(&name);
            fs::create_dir(&files).unwrap();
            config = files.with_extension("toml");
            let mut text = Example::of(&name).directory(written, &files);
            let mut certificates = CERTIFICATES.iter();
            if let Some((_, cert, key, hosts)) = certificates.find(|(known, ..)| *known == name) {
                Authority::new("an authority")
                    .issue(hosts)
                    .write(&files, "its");
                let at = |name: &str| files.join(name);
                text = text.certificate((cert, &at("its.crt")), (key, &at("its.key")));
            }
            fs::write(&config, text.to_string()).unwrap();
        }
        let check = Command::new(binary())
            .arg("check")
            .arg("--config")
            .arg(&config)
            // An environment variable that an example refers to.
            .env("CLOUDFLARE_API_TOKEN", "x")
            .env("INTERNAL_API_KEY", "x")
            .output();
        let check = check.unwrap();
        let words = String::from_utf8_lossy(&check.stderr).into_owned();
        assert!(check.status.success(), "{}: {words}", config.display());
        checked.push(name);
    }
    for (name, _) in DIRECTORIES {
        assert!(checked.iter().any(|checked| checked == name), "{checked:?}");
    }
    assert!(checked.len() > DIRECTORIES.len(), "{checked:?}");
}

/// The SDK refuses, when a configuration is read, what the gateway would refuse
/// on each request. Both have the same list, and the contract names the same
/// fields.
#[test]
fn the_sdk_and_the_gateway_own_the_same_fields() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let owned = |path: &str| {
        let source = text(path);
        let list = source.split("const OWNED: [&str; ").nth(1);
        let list = list.and_then(|list| list.split("];").next()).unwrap();
        let names = list.split('"').skip(1).step_by(2).map(str::to_owned);
        names.collect::<Vec<_>>()
    };
    let gateway = owned("gateway/wasm/src/rules.rs");
    assert!(gateway.len() > 4, "{gateway:?}");
    assert_eq!(owned("sdk/rust/src/syntax.rs"), gateway);
    for document in ["wit/types.wit", "wit/README.md"] {
        let document = text(document).to_lowercase();
        for name in &gateway {
            assert!(document.contains(name), "{name}");
        }
    }
}

/// Configurations shown in documents are valid. In a fragment, only errors
/// caused by the omitted parts are allowed.
#[tokio::test]
async fn configurations_in_documents_have_no_faults() {
    const DUE: [&str; 5] = [
        "unknown upstream",
        "unknown policy",
        "cannot be read",
        "cannot serve files",
        "the route has no target",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let scratch = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for folder in [".", "docs", "plugins/*", "wit", "sdk/*", "examples/*"] {
        for page in pages(&root, folder) {
            let text = fs::read_to_string(&page).unwrap();
            for block in text.split("```toml\n").skip(1) {
                let block = block.split("```").next().unwrap();
                // A Cargo.toml.
                if block.contains("[lib]") {
                    continue;
                }
                fs::write(scratch.path().join("janua.toml"), whole(block)).unwrap();
                let ran = run(scratch.path(), &["check", "--json"]).await;
                let said: Value = serde_json::from_str(&ran.stdout)
                    .unwrap_or_else(|_| panic!("{}: {ran:?}", page.display()));
                for error in said["errors"].as_array().unwrap() {
                    let message = error["message"].as_str().unwrap();
                    let due = DUE.iter().any(|due| message.contains(due));
                    assert!(due, "{}: {message}\n{block}", page.display());
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "{checked}");
}

/// Completes a fragment with the tables that it omits.
fn whole(fragment: &str) -> String {
    const SITE: &str = "[[sites]]\nhosts = [\"*\"]\n";
    const ROUTE: &str = "[[sites.routes]]\n";
    let mut text = match fragment.contains("[[sites]]") {
        true => fragment.to_owned(),
        false => fragment.replacen(ROUTE, &format!("{SITE}{ROUTE}"), 1),
    };
    if !text.trim_start().starts_with(['[', '#']) {
        // The fragment consists of fields of a route.
        text = format!("{SITE}{ROUTE}{text}");
    }
    if text.contains("[[sites]]") && !text.contains("routes]]") && !text.contains("routes = ") {
        text = format!("{text}\n{ROUTE}respond = {{}}\n");
    }
    if !text.contains("[listeners.") {
        text = format!("{text}\n[listeners.any]\naddress = \"127.0.0.1:0\"\n");
    }
    text
}

/// The Markdown files of a directory; a final `*` stands for all its
/// subdirectories.
fn pages(root: &Path, folder: &str) -> Vec<PathBuf> {
    let folders = match folder.strip_suffix("/*") {
        Some(above) => {
            let entries = fs::read_dir(root.join(above)).unwrap();
            entries.map(|entry| entry.unwrap().path()).collect()
        }
        None => vec![root.join(folder)],
    };
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let files = entries.flatten().map(|entry| entry.unwrap().path());
    let is_page = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "md");
    files.filter(is_page).collect()
}
