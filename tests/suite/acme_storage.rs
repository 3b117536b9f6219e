//! A state directory that cannot be written.

use janua_tests::{Asked, Point, Settings, assert_eventually};

use crate::acme::{NAME, Scene, lists, renew, site};

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
    assert!(gateway.messages().contains("state/acme"));
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
    let said = gateway.messages();
    assert!(said.contains("could not be stored"), "{said}");
    assert_eq!(scene.front.orders().len(), 1);
    // The operator mends it; the next one is stored.
    std::fs::remove_file(folder.join("certificates")).unwrap();
    renew(&gateway, NAME).await;
    assert_eventually!(folder.join(format!("certificates/{NAME}.pem")).is_file());
}
