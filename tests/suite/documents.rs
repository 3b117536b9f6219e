//! What is generated is what the code says now.

use std::fs;
use std::path::Path;
use std::process::Command;

use janua_tests::{Example, binary};

/// The pages of `docs/` that `make docs` writes, and what writes them.
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

/// What the files of an example are served from, elsewhere than on the machine
/// that it is for.
const DIRECTORIES: [(&str, &str); 2] = [
    ("dhanman-frontend", "/var/www/frontend/prod/build"),
    ("edroplets", "/srv/edroplets"),
];

/// The configurations that the examples come with are accepted.
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
            let text = Example::of(&name).directory(written, &files);
            fs::write(&config, text.to_string()).unwrap();
        }
        let check = Command::new(binary())
            .arg("check")
            .arg("--config")
            .arg(&config)
            // A secret that an example refers to.
            .env("CLOUDFLARE_API_TOKEN", "x")
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
