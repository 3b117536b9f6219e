//! A real single-page application in a real browser, while a new build is
//! deployed. `tests/spa` contains the application and the browser's steps;
//! `examples/dhanman` serves it, over TLS.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use janua_tests::{Example, Settings, binary, built};
use serde_json::{Value, json};

use crate::stacks::Certbot;

const HOST: &str = "app.dhanman.com";

#[tokio::test]
async fn a_browser_across_a_deploy() {
    let Some((node, chromium)) = browser() else {
        return;
    };
    let disk = tempfile::tempdir().unwrap();
    let (live, next) = (disk.path().join("build"), disk.path().join("next"));
    copy(&built("spa/a"), &live);
    copy(&built("spa/b"), &next);
    // Of the example's sites only the application's: the services are not there.
    let certbot = Certbot::new();
    certbot.obtain(&[HOST]);
    let example = Example::of("dhanman")
        .only_included("app.toml")
        .listener("*:80")
        .listener("*:443")
        .directory("/var/www/frontend/prod/build", &live)
        .directory("/var/www/acme", disk.path())
        .below("/etc/letsencrypt", certbot.directory());
    let own = tempfile::tempdir().unwrap();
    example.write_included(own.path());
    let gateway = Settings::new().start_in(own, example).await;

    let settings = json!({
        "origin": format!("https://{HOST}:{}", gateway.address_of("https").port()),
        "certificate": certbot.certificate(HOST),
        "address": "127.0.0.1",
        "chromium": chromium,
        "deploy": [binary(), "deploy", "--site", HOST, "--route", "app", next],
        "old": lazy_chunk(&live),
        "screenshots": built("spa"),
    });
    drive(&node, "drive.mjs", &settings, gateway.directory()).await;
}

/// Node and Chromium; none if they or what they run are not there, unless `CI` requires all tests
/// to run.
pub(crate) fn browser() -> Option<(PathBuf, PathBuf)> {
    let (Some(node), Some(chromium)) = (found(&["node"]), chromium()) else {
        left_out("needs Node and Chromium");
        return None;
    };
    if !built("spa/built").exists() {
        left_out("needs `make spa`");
        return None;
    }
    Some((node, chromium))
}

/// Runs a script of `tests/spa` in a directory; it succeeds.
pub(crate) async fn drive(node: &Path, script: &str, settings: &Value, directory: &Path) {
    let mut drive = Command::new(node);
    drive
        .arg(built("tools/spa").join(script))
        .arg(settings.to_string())
        .current_dir(directory);
    let driven = tokio::task::spawn_blocking(move || drive.output());
    let driven = driven.await.unwrap().unwrap();
    assert!(
        driven.status.success(),
        "{}{}",
        String::from_utf8_lossy(&driven.stdout),
        String::from_utf8_lossy(&driven.stderr)
    );
}

/// The name of the chunk that is loaded on navigation to `/reports`.
fn lazy_chunk(root: &Path) -> String {
    let mut names = std::fs::read_dir(root.join("static"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .find(|name| name.starts_with("reports-") && name.ends_with(".js"))
        .expect("the build has a chunk for /reports")
}

/// Reports a skipped test, past the captured output; fails if all tests are
/// required.
fn left_out(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "the browser's test {why}");
    let line = format!("\n*** NOT TESTED: the browser's test {why}\n\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// `$CHROMIUM`, or the first known name that exists.
fn chromium() -> Option<PathBuf> {
    std::env::var_os("CHROMIUM")
        .map(PathBuf::from)
        .or_else(|| found(&["chromium", "chromium-browser", "google-chrome"]))
}

/// The first of these commands that exists.
fn found(commands: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    commands
        .iter()
        .flat_map(|command| folders.iter().map(move |folder| folder.join(command)))
        .find(|path| path.is_file())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
