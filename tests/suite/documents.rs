//! Generated pages are up to date, and examples in documents are valid.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use janua_tests::{Authority, Example, binary, run};
use serde_json::Value;

use crate::stacks::Certbot;

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
const DIRECTORIES: [(&str, &str); 5] = [
    ("dhanman", "/var/www/frontend/prod/build"),
    ("dhanman", "/var/www/acme"),
    ("edroplets", "/srv/edroplets"),
    ("pakashop", "/opt/pakashop/frontend/public"),
    ("vladbortnik", "/var/www/vladbortnik.dev"),
];

/// Examples with certificates of certbot, and the names in each.
const CERTBOT: [(&str, &[&[&str]]); 1] = [(
    "dhanman",
    &[
        &["app.dhanman.com"],
        &["common.dhanman.com"],
        &["community.dhanman.com"],
        &["inventory.dhanman.com"],
        &["payroll.dhanman.com"],
        &["purchase.dhanman.com"],
        &["sales.dhanman.com"],
        &["qa.common.dhanman.com"],
        &["qa.community.dhanman.com"],
        &["qa.inventory.dhanman.com"],
        &["qa.payroll.dhanman.com"],
        &["qa.purchase.dhanman.com"],
        &["qa.sales.dhanman.com"],
    ],
)];

/// The example as it is where it was written for: with directories, certificates, and the
/// files that it includes.
fn at_home(name: &str, files: &Path, certbot: &Certbot) -> Example {
    let mut example = Example::of(name);
    for (_, written) in DIRECTORIES.iter().filter(|(known, _)| *known == name) {
        example = example.directory(written, files);
    }
    if let Some((_, certificates)) = CERTBOT.iter().find(|(known, _)| *known == name) {
        certificates.iter().for_each(|names| certbot.obtain(names));
        example = example.below("/etc/letsencrypt", certbot.directory());
    }
    if name == "pakashop" {
        let authority = Authority::new("an authority");
        let issued = authority.issue(&["pakashop.store", "www.pakashop.store"]);
        issued.write(files, "pakashop");
        std::fs::write(files.join("pakashop.crt"), issued.pem() + &authority.pem()).unwrap();
        example = example
            .below("/etc/ssl/certs", files)
            .below("/etc/ssl/private", files);
    }
    example.write_included(files);
    example
}

/// The configurations of the examples are accepted, with the warnings that their READMEs show
/// and no other.
#[test]
fn examples_pass_the_check() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut checked = Vec::new();
    for example in fs::read_dir(examples).unwrap() {
        let folder = example.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut config = folder.join("janua.toml");
        if !config.exists() {
            continue;
        }
        let certbot = Certbot::new();
        if DIRECTORIES.iter().any(|(known, _)| *known == name) {
            let files = elsewhere.path().join(&name);
            fs::create_dir(&files).unwrap();
            config = files.join("janua.toml");
            let example = at_home(&name, &files, &certbot);
            fs::write(&config, example.to_string()).unwrap();
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
        let words = String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned();
        assert!(check.status.success(), "{}: {words}", config.display());
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        assert_eq!(warnings(&words), warnings(&readme), "{name}: {words}");
        checked.push(name);
    }
    for (name, _) in DIRECTORIES {
        assert!(checked.iter().any(|checked| checked == name), "{checked:?}");
    }
    for name in ["luckychit", "quickstart"] {
        assert!(checked.iter().any(|checked| checked == name), "{checked:?}");
    }
}

/// The warnings in an output of `janua check`, without repetitions.
fn warnings(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| line.starts_with("warning: "));
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    lines.dedup();
    lines
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
    for document in ["wit/values.wit", "wit/README.md"] {
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
    const DUE: [&str; 6] = [
        "`endpoints` is missing",
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
                // A Cargo.toml, or a list of endpoints.
                if block.contains("[lib]") || block.contains("[[endpoints]]") {
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
