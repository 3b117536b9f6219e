//! Secrets: policies use them by name, and never get them.

use std::os::unix::fs::PermissionsExt as _;

use janua_tests::{Gateway, Request, Settings, assert_eventually, component};

use crate::policies_load::{errors, janua};

const OLD: &str = "old-old-old-old-old-old-old-old-old";
const NEW: &str = "new-new-new-new-new-new-new-new-new";

/// A gateway whose policy has this configuration.
fn config(config: &str, secrets: &str) -> String {
    let component = component("secrets");
    let component = component.display();
    format!(
        r#"
[listeners.public]
address = "127.0.0.1:0"
[policies.p]
component = "{component}"
config = {config}
grants = ["respond", "secret:session"]
{secrets}
[[sites]]
hosts = ["*"]
policies = ["p"]
routes = [{{ respond = {{ status = 404 }} }}]
"#
    )
}

async fn call(gateway: &Gateway, call: &str) -> String {
    let request = Request::get("/").header("x-call", call);
    gateway.send(request).await.text().to_owned()
}

async fn started() -> Gateway {
    let gateway = Settings::new()
        .watch()
        .start("[listeners.public]\naddress = \"127.0.0.1:0\"\n")
        .await;
    std::fs::write(gateway.directory().join("old.key"), format!("{OLD}\n")).unwrap();
    std::fs::write(gateway.directory().join("new.key"), format!("{NEW}\n")).unwrap();
    gateway
}

/// The old key gives way to the new one, and no session is lost meanwhile.
#[tokio::test]
async fn a_key_is_replaced_without_loss() {
    let mut gateway = started().await;
    let with = |files: &str| {
        config(
            r#"{ key = "session" }"#,
            &format!("[secrets.session]\nfile = {files}"),
        )
    };
    gateway.reload(&with(r#""old.key""#)).await;
    let sealed = call(&gateway, "seal|key|cookie|ann").await;
    let open = format!("open|key|cookie|{sealed}");
    assert_eq!(call(&gateway, &open).await, "ann");
    gateway.reload(&with(r#"["new.key", "old.key"]"#)).await;
    assert_eq!(call(&gateway, &open).await, "ann");
    let newer = call(&gateway, "seal|key|cookie|bob").await;
    gateway.reload(&with(r#""new.key""#)).await;
    assert_eq!(call(&gateway, &open).await, "not opened");
    assert_eq!(
        call(&gateway, &format!("open|key|cookie|{newer}")).await,
        "bob"
    );
}

/// Also its verdicts: what was valid by the old content is not remembered.
#[tokio::test]
async fn a_file_that_changes_takes_effect_by_itself() {
    let mut gateway = started().await;
    let secret = "[secrets.session]\nfile = \"old.key\"";
    gateway
        .reload(&config(r#"{ key = "session" }"#, secret))
        .await;
    let signature = call(&gateway, "sign|key|HS256|6d").await;
    let verify = format!("verify|key|HS256|-|6d|{signature}");
    for _ in 0..3 {
        assert_eq!(call(&gateway, &verify).await, "Validity::Valid");
    }
    std::fs::write(gateway.directory().join("old.key"), NEW).unwrap();
    assert_eventually!(call(&gateway, &verify).await == "Validity::Invalid");
}

/// A source in place of a name: the component gets a name that the gateway has made.
#[tokio::test]
async fn a_secret_in_the_configuration_of_a_policy_does_not_reach_the_component() {
    let mut gateway = started().await;
    let config = config(
        r#"{ key = { file = ["new.key", "old.key"] }, more = ["session"] }"#,
        "[secrets.session]\nfile = \"old.key\"",
    );
    gateway.reload(&config).await;
    assert_eq!(call(&gateway, "config").await, r#"p:key ["session"]"#);
    let by_old = call(&gateway, "sign|session|HS256|6d").await;
    let verify = format!("verify|key|HS256|-|6d|{by_old}");
    assert_eq!(call(&gateway, &verify).await, "Validity::Valid");

    let status = gateway.status().await;
    let secrets = status["secrets"].as_array().unwrap();
    let names: Vec<_> = secrets.iter().map(|secret| &secret["name"]).collect();
    assert_eq!(names, ["p:key", "session"]);
    assert_eq!(secrets[0]["keys"][1]["key_type"], "symmetric, 35 bytes");
    assert!(!status.to_string().contains(OLD));
    assert!(!gateway.messages().contains(OLD));
}

/// What `check` says of secrets, each at its place.
#[tokio::test]
async fn what_is_wrong_with_secrets_is_said_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.key"), OLD).unwrap();
    std::fs::write(folder.path().join("keys.json"), r#"{"keys": []}"#).unwrap();
    let named = r#"{ key = "session" }"#;
    for (policy, secret, line, words) in [
        (
            r#"{ key = "sesion" }"#,
            "file = \"a.key\"",
            6,
            "unknown secret `sesion`",
        ),
        (
            r#"{ key = { file = "b.key" }, more = ["session"] }"#,
            "file = \"a.key\"",
            6,
            "b.key cannot be read",
        ),
        (
            r#"{ key = { value = "x" } }"#,
            "file = \"a.key\"",
            6,
            "neither the name of a secret",
        ),
        (named, "file = \"b.key\"", 9, "b.key cannot be read"),
        (
            named,
            "env = \"JANUA_NO_SUCH\"",
            9,
            "`JANUA_NO_SUCH` is not set",
        ),
        (named, "credential = \"a\"", 9, "LoadCredential=a:"),
        (
            named,
            "pem_file = \"a.key\"",
            9,
            "it has no `-----BEGIN PUBLIC KEY-----`",
        ),
        (
            named,
            "jwks_file = \"keys.json\"",
            9,
            "it has no key that can be used",
        ),
        (
            named,
            "htpasswd_file = \"a.key\"",
            9,
            "line 1: it is not `user:hash`",
        ),
        (
            named,
            "jwks_url = \"https://a.example/\"",
            9,
            "`jwks_url` is not supported",
        ),
    ] {
        let config = config(policy, &format!("[secrets.session]\n{secret}"));
        let found = errors(folder.path(), &config).await;
        let [error] = &found[..] else {
            panic!("{policy} {secret}: {found:#?}");
        };
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{policy} {secret}: {message}");
        assert_eq!(error["line"], line, "{policy} {secret}: {error}");
    }
}

#[tokio::test]
async fn check_lists_secrets_and_what_to_know_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("a.key");
    std::fs::write(&key, OLD).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let config = config(
        r#"{ key = "session" }"#,
        "[secrets.session]\nfile = \"a.key\"\n[secrets.unused]\nfile = \"a.key\"",
    );
    let checked = janua(folder.path(), &config, &["check"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for words in [
        "can be read by every user: `chmod o-r` it",
        "secret `unused` is not used",
        "session  raw   -    symmetric, 35 bytes",
    ] {
        assert!(checked.stdout.contains(words), "{}", checked.stdout);
    }
    assert!(!checked.stdout.contains(OLD));
}
