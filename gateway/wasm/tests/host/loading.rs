//! Loading components, and what is refused.

use std::os::unix::fs::DirEntryExt as _;

use super::*;

#[test]
fn a_component_describes_itself() {
    let component = component("janua_policy_rate_limit");
    assert_eq!(component.description().name, "rate-limit");
    assert!(component.contract().starts_with("0.1."));
    let schema = component.description().config_schema.as_deref();
    assert!(schema.is_some_and(|schema| schema.contains("\"rate\"")));
    let again = RUNTIME.load(&bytes("janua_policy_rate_limit")).unwrap();
    assert!(Arc::ptr_eq(&component, &again), "not loaded twice");
}

#[test]
fn files_that_are_no_policies_are_refused() {
    assert_eq!(RUNTIME.load(b"hello").unwrap_err(), LoadError::NotWasm);
    let module = b"\0asm\x01\0\0\0";
    assert_eq!(RUNTIME.load(module).unwrap_err(), LoadError::CoreModule);
    let empty = b"\0asm\x0d\0\x01\0";
    assert_eq!(RUNTIME.load(empty).unwrap_err(), LoadError::NoPolicies);
    let torn = bytes("janua_policy_rate_limit");
    let torn = &torn[..torn.len() / 2];
    assert!(matches!(RUNTIME.load(torn), Err(LoadError::Invalid(_))));
    let unknown = RUNTIME.load(&bytes("unknown_import")).unwrap_err();
    assert!(
        unknown.to_string().contains("example:unknown/thing@1.0.0"),
        "{unknown}"
    );
}

#[test]
fn a_newer_contract_is_refused() {
    // The same component, built for a version that does not exist yet.
    let mut newer = bytes("janua_policy_rate_limit");
    let (from, to) = (b"@0.1.0", b"@0.2.0");
    for at in 0..newer.len() - from.len() {
        if &newer[at..at + from.len()] == from {
            newer[at..at + to.len()].copy_from_slice(to);
        }
    }
    let error = RUNTIME.load(&newer).unwrap_err();
    assert!(
        matches!(error, LoadError::Version { newer: true, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("this gateway supports 0.1"),
        "{error}"
    );
}

#[test]
fn the_compile_cache_serves_the_second_start() {
    let parent = tempfile::tempdir().unwrap();
    let options = || RuntimeOptions {
        cache_dir: Some(parent.path().join("cache")),
        ..RuntimeOptions::default()
    };
    let bytes = bytes("janua_policy_rate_limit");
    // A compiled component is written to a new file, so a second one has another inode.
    let written = || {
        let entries = std::fs::read_dir(parent.path().join("cache")).unwrap();
        let entries = entries.map(|entry| entry.unwrap());
        let files: Vec<_> = entries
            .map(|entry| (entry.file_name(), entry.ino()))
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files
    };
    Runtime::new(options()).unwrap().load(&bytes).unwrap();
    let first = written();
    let second = Runtime::new(options()).unwrap();
    let component = second.load(&bytes).unwrap();
    assert_eq!(written(), first, "it was compiled again");
    let mut spec = PolicySpec::new("limit", component);
    spec.bundled = true;
    spec.config = r#"{"rate":"10/s"}"#.to_owned();
    second.configure(spec).unwrap();
}
