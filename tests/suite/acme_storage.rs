//! A state directory that cannot be written.

use janua_tests::{Asked, Point, Settings, assert_eventually};

use crate::acme::{NAME, Scene, certs, lists, renew, site};

/// Nothing is ordered that could not be kept, and the operator is told.
#[tokio::test]
async fn a_state_directory_that_cannot_be_written() {
    let scene = Scene::new().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("state")).unwrap();
    // In the place of a directory, which stops root too.
    let file = directory.path().join("state/acme");
    std::fs::write(&file, "").unwrap();
    let config = scene.by_http(&[site(&[NAME])]);
    let gateway = Settings::new().start_in(directory, config).await;
    lists(&gateway, NAME, "state/acme").await;
    gateway.says("state/acme").await;
    // Nothing is asked of the authority that would be lost.
    assert_eq!(scene.front.orders().len(), 0);
    std::fs::remove_file(file).unwrap();
    renew(&gateway, NAME).await;
    scene.issued(&gateway, NAME).await;
}

/// It was issued, and the disk is full: clients get it all the same.
#[tokio::test]
async fn a_certificate_that_cannot_be_stored() {
    let scene = Scene::new().await;
    let hold = scene.front.hold(Asked::Certificate, Point::Answer);
    let gateway = scene.start(&[NAME]).await;
    hold.reached().await;
    // In the place of the directory for certificates, beside that of orders in progress.
    let state = gateway.directory().join("state/acme");
    let folders = std::fs::read_dir(state).unwrap();
    let mut folders = folders.map(|entry| entry.unwrap().path());
    let folder = folders.find(|path| path.join("orders").is_dir()).unwrap();
    std::fs::write(folder.join("certificates"), "").unwrap();
    hold.release();
    scene.issued(&gateway, NAME).await;
    gateway.says("could not be stored").await;
    assert_eq!(scene.front.orders().len(), 1);
    // The operator mends it; the next one is stored.
    std::fs::remove_file(folder.join("certificates")).unwrap();
    renew(&gateway, NAME).await;
    assert_eventually!(folder.join(format!("certificates/{NAME}.pem")).is_file());
}

/// Files that are damaged: what can be made anew is.
#[tokio::test]
async fn files_that_are_damaged() {
    let scene = Scene::new().await;
    let mut gateway = scene.start(&[NAME]).await;
    let first = scene.issued(&gateway, NAME).await;
    gateway.stop().await;
    let state = gateway.directory().join("state/acme");
    let folders = std::fs::read_dir(&state).unwrap();
    let mut folders = folders.map(|entry| entry.unwrap().path());
    let folder = folders.find(|path| path.join("accounts").is_dir()).unwrap();
    let certificates = folder.join("certificates");
    std::fs::write(certificates.join(format!("{NAME}.pem")), "damaged").unwrap();
    std::fs::write(certificates.join(format!("{NAME}.json")), "{").unwrap();
    gateway.start_again().await;
    let second = scene.issued(&gateway, NAME).await;
    assert_ne!(first, second);
    gateway.says(&format!("{NAME}.pem")).await;

    // The key of an account cannot be made anew, and an operator may have a copy.
    gateway.stop().await;
    let account = folder.join("accounts/ops@example.com.json");
    let account = match account.is_file() {
        true => account,
        false => std::fs::read_dir(folder.join("accounts"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path(),
    };
    let kept = std::fs::read(&account).unwrap();
    std::fs::write(&account, "{").unwrap();
    gateway.start_again().await;
    assert_eq!(scene.issued(&gateway, NAME).await, second);
    let ran = certs(&gateway, &["renew", NAME]).await;
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("accounts/"), "{ran:?}");
    std::fs::write(&account, kept).unwrap();
    renew(&gateway, NAME).await;
    assert_eq!(scene.front.count(Asked::NewAccount), 1);
}
