//! `make run` and `make test` must not compile crates twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Cargo unifies the features of a crate over all packages of one build
/// command. If two commands of the Makefile built different packages, wasmtime
/// and Cranelift would be compiled twice.
#[test]
fn running_and_testing_compile_each_crate_once() {
    let makefile = std::fs::read_to_string(workspace().join("Makefile")).unwrap();
    let selected = makefile
        .lines()
        .find_map(|line| line.strip_prefix("RUN_CRATES := "))
        .expect("the Makefile says what `make run` builds");
    let run: Vec<&str> = selected.split(' ').chain(["-e", "normal,build"]).collect();
    let run = features(&run);
    let test = features(&["--workspace", "-e", "normal,build,dev"]);
    assert!(run.len() > 100, "{run:?}");
    let differ: Vec<_> = run
        .iter()
        .filter(|(package, features)| test.get(*package) != Some(features))
        .map(|(package, features)| (package, features, test.get(package)))
        .collect();
    assert!(differ.is_empty(), "see tests/Cargo.toml: {differ:#?}");
}

/// The feature sets with which each external package is built. A package may
/// have more than one if build scripts or macros need other features.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .current_dir(workspace())
        .args(["tree", "--offline", "--locked", "--prefix", "none"])
        .args(["--format", "{p}|{f}"])
        .args(selection)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (package, features) = line.split_once('|').unwrap_or((line, ""));
        // Our own crates have no features; `(*)` marks a repeated line of the
        // output.
        if package.starts_with("janua") {
            continue;
        }
        let features = features.trim_end_matches(" (*)").to_owned();
        found
            .entry(package.to_owned())
            .or_default()
            .insert(features);
    }
    found
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
