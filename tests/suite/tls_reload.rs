//! Certificates that change while the gateway runs.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use janua_tests::{Gateway, Issue, Issued, Request, TlsClient, filler, filler_difference, run};
use serde_json::Value;

use crate::tls::{LISTENER, Stage, get, site};

const HOST: &str = "a.shop.example";

/// The certificate that a new client gets.
async fn served(gateway: &Gateway, client: &TlsClient) -> Option<Vec<u8>> {
    let wire = gateway.connect_tls(client, HOST).await;
    assert!(!wire.handshake().is_resumed);
    wire.handshake().certificate.clone()
}

/// Writes the files of a certificate into the directory of a gateway that runs.
fn replace(gateway: &Gateway, issued: &Issued) {
    issued.write(gateway.directory(), "a");
}

fn config() -> String {
    format!("{LISTENER}{}", site("a", &[HOST], ""))
}

/// The messages of a reload or a check, with their places.
fn text(answer: &Value) -> String {
    answer.to_string()
}

#[tokio::test]
async fn a_renewed_certificate_goes_live_and_no_connection_is_dropped() {
    const SIZE: usize = 8 * 1024 * 1024;
    let stage = Stage::new();
    let old = stage.issue("a", &Issue::new(&[HOST]));
    let renewed = stage.authority.sign(&Issue::new(&[HOST]));
    let same_key = stage.authority.renew(&Issue::new(&[HOST]), &renewed);
    std::fs::write(stage.directory.path().join("large.bin"), filler(0, SIZE)).unwrap();
    let client = stage.client();
    let new_client = || client.anew();
    let config = config().replace(
        "routes = [",
        "routes = [{ path = \"/large.bin\", files = \".\" }, ",
    );
    let mut gateway = stage.start(&config).await;
    assert_eq!(
        served(&gateway, &new_client()).await.as_deref(),
        Some(old.der())
    );

    // Requests run on old connections during both reloads, one after another and a long one.
    let ends = Arc::new(AtomicBool::new(false));
    let mut running = Vec::new();
    for _ in 0..4 {
        let mut wire = gateway.connect_tls(&new_client(), HOST).await;
        let ends = Arc::clone(&ends);
        running.push(tokio::spawn(async move {
            let mut count = 0;
            while !ends.load(SeqCst) {
                assert_eq!(get(&mut wire, HOST).await.status, 200);
                count += 1;
                tokio::task::yield_now().await;
            }
            count
        }));
    }
    let mut long = gateway.connect_tls(&new_client(), HOST).await;
    long.send(Request::get("/large.bin").host(HOST).to_bytes())
        .await;
    let head = long.receive_head("GET").await.unwrap();
    assert_eq!(head.status, 200);

    for issued in [&renewed, &same_key] {
        replace(&gateway, issued);
        gateway.reload(&config).await;
        let certificate = served(&gateway, &new_client()).await;
        assert_eq!(certificate.as_deref(), Some(issued.der()));
    }
    let (body, _) = long.take_body(head.framing).await.unwrap();
    assert_eq!(body.len(), SIZE);
    assert_eq!(filler_difference(0, &body), None);
    assert_eq!(get(&mut long, HOST).await.status, 200);
    ends.store(true, SeqCst);
    for task in running {
        assert!(task.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_refused_and_the_old_one_stays() {
    let stage = Stage::new();
    let old = stage.issue("a", &Issue::new(&[HOST]));
    let client = stage.client();
    let other = stage.authority.sign(&Issue::new(&[HOST]));
    let mut gateway = stage.start(config()).await;
    let directory = gateway.directory().to_owned();
    for (file, content, words) in [
        // The certificate has arrived, and its key not yet.
        ("a.crt", other.pem(), "key"),
        ("a.key", other.pem(), "a.key"),
        ("a.crt", "no certificate".to_owned(), "a.crt"),
    ] {
        replace(&gateway, &old);
        std::fs::write(directory.join(file), content).unwrap();
        let refused = gateway.try_reload(config()).await.unwrap_err();
        let refused = text(&refused);
        assert!(refused.contains("janua.toml:7:"), "{file}: {refused}");
        assert!(refused.contains(words), "{file}: {refused}");
        let checked = run(&directory, &["check"]).await;
        assert_eq!(checked.code, Some(1), "{file}: {}", checked.stderr);
        let served = served(&gateway, &client.anew()).await;
        assert_eq!(served.as_deref(), Some(old.der()), "{file}");
    }
    std::fs::remove_file(directory.join("a.key")).unwrap();
    let refused = gateway.try_reload(config()).await.unwrap_err();
    assert!(text(&refused).contains("a.key"), "{refused}");
    replace(&gateway, &other);
    gateway.reload(config()).await;
    let served = served(&gateway, &client.anew()).await;
    assert_eq!(served.as_deref(), Some(other.der()));
}

/// What is wrong today and was right yesterday does not take other sites down.
#[tokio::test]
async fn what_clients_will_not_accept_is_warned_of() {
    let stage = Stage::new().with("a", &[HOST]);
    let authority = &stage.authority;
    let expired = authority.sign(&Issue::new(&[HOST]).expired());
    let early = authority.sign(&Issue::new(&[HOST]).not_before_in(Duration::from_secs(7200)));
    let uncovered = authority.sign(&Issue::new(&["b.shop.example"]));
    let client = TlsClient::trusting_everybody();
    let mut gateway = stage.start(config()).await;
    for (issued, words) in [
        (&expired, "expired"),
        (&early, "not valid"),
        (&uncovered, "a.shop.example"),
    ] {
        replace(&gateway, issued);
        gateway.reload(config()).await;
        gateway.says_in_a_line(&["a.crt", "WARN", words]).await;
        let status = gateway.status().await;
        let warnings = status["warnings"].to_string();
        assert!(warnings.contains(words), "{words}: {warnings}");
        let mut wire = gateway.connect_tls(&client.anew(), HOST).await;
        assert_eq!(wire.handshake().certificate.as_deref(), Some(issued.der()));
        assert_eq!(get(&mut wire, HOST).await.status, 200);
    }
}

#[tokio::test]
async fn a_key_that_others_can_read_is_warned_of() {
    let stage = Stage::new().with("a", &[HOST]);
    let key = stage.directory.path().join("a.key");
    set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let gateway = stage.start(config()).await;
    gateway.says_in_a_line(&["a.key", "WARN"]).await;
}
