//! The bundled policy `api-key`.

use std::fmt::Write as _;

use janua_tests::{Gateway, Proxy, Request, Settings, Upstream, run};
use sha2::{Digest, Sha256};

/// A key in the form used in a configuration.
pub(crate) fn digest(key: &str) -> String {
    Sha256::digest(key)
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn guarded(upstream: &Upstream, config: &str) -> String {
    let proxy = Proxy::to(upstream.endpoint()).site("policies = [\"keys\"]");
    format!("[policies.keys]\ncomponent = \"api-key\"\nconfig = {{ {config} }}\n{proxy}")
}

fn with(key: &str) -> Request {
    Request::get("/").header("X-Api-Key", key)
}

#[tokio::test]
async fn known_keys_pass_and_others_do_not() {
    let upstream = Upstream::echo().await;
    let keys = format!(
        "keys = {{ alice = \"{}\", bob = [\"{}\", \"{}\"] }}",
        digest("alice's"),
        digest("bob's"),
        digest("bob's next")
    );
    let gateway = Gateway::start(guarded(&upstream, &keys)).await;
    // Twice: the first calls the policy, the second reuses the verdict.
    for _ in 0..2 {
        for (key, consumer) in [
            ("alice's", "alice"),
            ("bob's", "bob"),
            ("bob's next", "bob"),
        ] {
            let spoofed = with(key)
                .header("X-Consumer", "root")
                .header("x-consumer", "admin");
            let headers = gateway.send(spoofed).await.json()["headers"].clone();
            assert_eq!(headers["x-consumer"], consumer);
            assert_eq!(
                headers.get("x-api-key"),
                None,
                "the key is kept from the upstream"
            );
        }
        let before = upstream.request_count();
        for (request, note) in [
            (Request::get("/").header("X-Consumer", "alice"), "missing"),
            (with("Alice's"), "unknown"),
            (with(""), "unknown"),
            (with("alice").header("X-Consumer", "alice"), "unknown"),
            // Not a list of keys.
            (with("alice's, alice's"), "unknown"),
            (with(&digest("alice's")), "unknown"),
            (with(&"x".repeat(8000)), "unknown"),
        ] {
            let refused = gateway.send(request).await;
            assert_eq!(refused.status, 401, "{note}");
            assert_eq!(refused.header("www-authenticate"), Some("ApiKey"));
            assert_eq!(
                refused.header("content-type"),
                Some("application/problem+json")
            );
            assert_eq!(refused.json()["status"], 401);
        }
        assert_eq!(upstream.request_count(), before);
    }
    let notes = |note: &str| {
        let note = format!("api-key:{note}");
        gateway
            .log()
            .iter()
            .filter(|line| line["annotations"]["keys.note"] == note.as_str())
            .count()
    };
    janua_tests::assert_eventually!(notes("missing") == 2 && notes("unknown") == 12);
    let log = format!("{:?}{}", gateway.log(), gateway.messages());
    assert!(
        !log.contains("alice's") && !log.contains("bob's"),
        "a key is in the log"
    );
    let status = gateway.status().await.to_string();
    assert!(!status.contains("alice's"), "a key is in the status");
}

#[tokio::test]
async fn custom_fields() {
    let upstream = Upstream::echo().await;
    let config = format!(
        "header = \"X-Client-Key\", keys = {{ alice = \"{}\" }}, consumer_header = \"X-Who\", strip = false",
        digest("k")
    );
    let gateway = Gateway::start(guarded(&upstream, &config)).await;
    let request = Request::get("/")
        .header("x-client-key", "k")
        .header("X-Who", "root");
    let headers = gateway.send(request).await.json()["headers"].clone();
    assert_eq!(
        (&headers["x-client-key"], &headers["x-who"]),
        (&"k".into(), &"alice".into())
    );
    assert_eq!(gateway.send(with("k")).await.status, 401);
}

/// An old key is refused as soon as the reload is done, on every worker and
/// every connection: no remembered verdict survives.
#[tokio::test]
async fn keys_are_rotated() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let write = |keys: &[(&str, &str)]| {
        let lines = keys
            .iter()
            .map(|(name, key)| format!("{name}:{}\n", digest(key)));
        std::fs::write(&file, format!("# keys\n\n{}", lines.collect::<String>())).unwrap();
    };
    write(&[("alice", "old"), ("bob", "bob's")]);
    let config = guarded(&upstream, &format!("keys_file = \"{}\"", file.display()));
    let mut gateway = Settings::new().workers(4).start(&config).await;
    let mut wires = Vec::new();
    for _ in 0..16 {
        let mut wire = gateway.connect().await;
        for (key, status) in [("old", 200), ("old", 200), ("new", 401), ("new", 401)] {
            assert_eq!(wire.exchange(&with(key)).await.status, status, "{key}");
        }
        wires.push(wire);
    }
    write(&[("alice", "new"), ("bob", "bob's")]);
    // Without a reload nothing changes.
    assert_eq!(wires[0].exchange(&with("old")).await.status, 200);
    gateway.reload(&config).await;
    for wire in &mut wires {
        for (key, status) in [("old", 401), ("new", 200), ("bob's", 200)] {
            assert_eq!(wire.exchange(&with(key)).await.status, status, "{key}");
        }
    }
    // An invalid file leaves the keys unchanged.
    std::fs::write(&file, "alice:sha256:12\n").unwrap();
    let refused = gateway.try_reload(&config).await.unwrap_err();
    let error = &refused["errors"][0];
    assert!(
        error["message"].as_str().unwrap().contains("line 1"),
        "{error}"
    );
    assert_eq!(error["line"], 3, "{error}");
    std::fs::remove_file(&file).unwrap();
    gateway.try_reload(&config).await.unwrap_err();
    assert_eq!(wires[0].exchange(&with("new")).await.status, 200);
}

#[tokio::test]
async fn keys_of_the_environment() {
    let upstream = Upstream::echo().await;
    let lines = format!("alice:{}\nbob:{}\n", digest("a"), digest("b"));
    let gateway = Settings::new()
        .environment("SUITE_API_KEYS", &lines)
        .start(guarded(&upstream, "keys_env = \"SUITE_API_KEYS\""))
        .await;
    for (key, status) in [("a", 200), ("b", 200), ("c", 401), ("SUITE_API_KEYS", 401)] {
        assert_eq!(gateway.send(with(key)).await.status, status, "{key}");
    }
    // A missing variable is an error that names it.
    let folder = tempfile::tempdir().unwrap();
    let config = guarded(&upstream, "keys_env = \"SUITE_NO_SUCH_KEYS\"");
    std::fs::write(folder.path().join("janua.toml"), config).unwrap();
    let checked = run(folder.path(), &["check"]).await;
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stderr.contains("SUITE_NO_SUCH_KEYS"),
        "{}",
        checked.stderr
    );
    assert!(
        checked.stderr.contains("janua.toml:3"),
        "{}",
        checked.stderr
    );
}
