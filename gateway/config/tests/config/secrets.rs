//! References in a policy's configuration.

use std::fs;
use std::path::Path;

use janua_config::{
    Diagnostics, Resolved, Sources, load, load_with_references, parse, resolve_references,
};
use serde_json::json;

/// Resolves the configuration of one policy whose file is in `folder`.
fn resolve(folder: &Path, config: &str) -> Result<Resolved, Diagnostics> {
    let text = format!(
        "[listeners.x]\naddress = \"*:80\"\n[policies.p]\ncomponent = \"api-key\"\nconfig = {config}\n"
    );
    let sources = Sources::single(folder.join("janua.toml"), text);
    let loaded = parse(sources).unwrap_or_else(|errors| panic!("{errors}"));
    let env = |name: &str| (name == "TOKEN").then(|| "from-env".to_owned());
    resolve_references(&loaded.config.policies["p"].config, &loaded.sources, &env)
}

#[test]
fn content_takes_the_place_of_references_at_any_depth() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys"), "one\ntwo\n").unwrap();
    let resolved = resolve(
        folder.path(),
        r#"{ keys_file = "keys", file = "keys", list = [{ token_env = "TOKEN" }], size_file = 3 }"#,
    )
    .unwrap();
    assert_eq!(
        resolved.value,
        json!({
            "keys_file": "one\ntwo\n", "file": "keys",
            "list": [{ "token_env": "from-env" }], "size_file": 3,
        })
    );
    assert_eq!(resolved.files, [folder.path().join("keys")]);
    assert!(!format!("{resolved:?}").contains("from-env"));
}

#[test]
fn every_reference_that_leads_nowhere_is_said_with_all_else() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("janua.toml");
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("latin1"), b"\xe9").unwrap();
    let long = fs::File::create(folder.path().join("long")).unwrap();
    long.set_len((16 << 20) + 1).unwrap();
    fs::write(
        &main,
        r#"
        [policies.a]
        component = "none.wasm"
        config = { keys_file = "none", other_file = "folder" }
        [policies.b]
        component = 3
        config.list = [{ keys_file = "long" }, { keys_file = "latin1", token_env = "NONE" }]
        [listeners.x]
        address = "*:80"
        colour = 1
        "#,
    )
    .unwrap();
    let env = |name: &str| (name == "TOKEN").then(|| "from-env".to_owned());
    let said = load_with_references(&main, &env).unwrap_err().to_string();
    for (what, place) in [
        ("none.wasm cannot be read: No such file", "janua.toml:3:21"),
        ("the file cannot be read: No such file", "janua.toml:4:32"),
        ("the file is a directory", "janua.toml:4:53"),
        ("the file is longer than", "janua.toml:7:38"),
        ("the file is not UTF-8 (line 1)", "janua.toml:7:62"),
        ("variable `NONE` is not set", "janua.toml:7:84"),
        ("unknown field `colour`", "janua.toml:10:9"),
    ] {
        let at = said.find(what).unwrap_or_else(|| panic!("{what}\n{said}"));
        let block = said[at..].split("\n\n").next().unwrap();
        assert!(block.contains(place), "{place}\n{block}");
    }
    // `load`, which `janua status` uses to find the socket, reads no reference.
    let said = load(&main).unwrap_err().to_string();
    assert!(!said.contains("cannot be read"), "{said}");
}

#[test]
fn identity_follows_the_content() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let identity = || {
        resolve(folder.path(), r#"{ b = 1, keys_file = "keys" }"#)
            .unwrap()
            .identity
    };
    fs::write(&keys, "one").unwrap();
    let first = identity();
    assert_eq!(first, identity());
    fs::write(&keys, "two").unwrap();
    assert_ne!(first, identity());
    // The order of the keys makes no difference.
    fs::write(&keys, "one").unwrap();
    let turned = resolve(folder.path(), r#"{ keys_file = "keys", b = 1 }"#).unwrap();
    assert_eq!(first, turned.identity);
}

#[test]
fn faults_name_the_place_and_no_content() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("latin"), b"secret\xe9").unwrap();
    let errors = resolve(
        folder.path(),
        r#"{ a_file = "none", b_env = "NONE", c_file = "latin", d_file = "." }"#,
    )
    .unwrap_err();
    let said = errors.to_string();
    assert_eq!(errors.errors(), 4, "{said}");
    for part in [
        "the file cannot be read: No such file",
        "janua.toml:5:21",
        "the environment variable `NONE` is not set",
        "the file is not UTF-8 (line 1)",
        "the file is a directory",
    ] {
        assert!(said.contains(part), "{part}\n---\n{said}");
    }
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_token_is_what_its_reference_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good"), "from-file\n").unwrap();
    fs::write(folder.path().join("blank"), " \n").unwrap();
    fs::write(folder.path().join("two"), "secret\nlines\n").unwrap();
    let token = |line: &str| {
        let text = format!(
            "[listeners.x]\naddress = \"*:80\"\n[[cache.webhooks]]\n\
             url = \"https://cdn.example.com/\"\ntemplate = \"cloudflare\"\n{line}\n"
        );
        let sources = Sources::single(folder.path().join("janua.toml"), text);
        let loaded = parse(sources).unwrap_or_else(|errors| panic!("{errors}"));
        let env = |name: &str| (name == "TOKEN").then(|| "from-env".to_owned());
        let token = loaded.config.cache.webhooks[0].token.resolve(&env);
        token.map_err(|fault| fault.to_string())
    };
    assert_eq!(token(""), Ok(None));
    assert_eq!(token("token_env = \"TOKEN\""), Ok(Some("from-env".into())));
    assert_eq!(token("token_file = \"good\""), Ok(Some("from-file".into())));
    for (line, why) in [
        ("token_env = \"NONE\"", "`NONE` is not set"),
        ("token_file = \"none\"", "the file cannot be read"),
        ("token_file = \"blank\"", "the token is empty"),
        ("token_file = \"two\"", "visible ASCII"),
    ] {
        let said = token(line).unwrap_err();
        assert!(
            said.contains(why) && !said.contains("secret"),
            "{line}: {said}"
        );
    }
}

#[test]
fn a_key_of_an_external_account_is_base64url() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good"), "zWNDZM6eQGHWpSRTPal5-_==\n").unwrap();
    fs::write(folder.path().join("blank"), "\n").unwrap();
    fs::write(folder.path().join("plus"), "secret+/secret").unwrap();
    fs::write(folder.path().join("short"), "secretsec").unwrap();
    let key = |line: &str| {
        let text = format!(
            "[listeners.x]\naddress = \"*:80\"\n[acme]\naccept_terms = true\n\
             eab = {{ id = \"a\", {line} }}\n"
        );
        let sources = Sources::single(folder.path().join("janua.toml"), text);
        let loaded = parse(sources).unwrap_or_else(|errors| panic!("{errors}"));
        let env = |name: &str| (name == "KEY").then(|| " c2VjcmV0 ".to_owned());
        let authority = loaded.config.acme.default.unwrap();
        let key = authority.eab.unwrap().key.resolve(&env);
        key.map_err(|fault| fault.to_string())
    };
    assert_eq!(key("key_env = \"KEY\""), Ok("c2VjcmV0".into()));
    assert_eq!(
        key("key_file = \"good\""),
        Ok("zWNDZM6eQGHWpSRTPal5-_".into())
    );
    for (line, why) in [
        ("key_env = \"NONE\"", "`NONE` is not set"),
        ("key_file = \"none\"", "the file cannot be read"),
        ("key_file = \"blank\"", "not base64url"),
        ("key_file = \"plus\"", "not base64url"),
        ("key_file = \"short\"", "not base64url"),
    ] {
        let said = key(line).unwrap_err();
        assert!(
            said.contains(why) && !said.contains("secret"),
            "{line}: {said}"
        );
    }
}
