//! A certificate that is renewed while connections are open: these live on, and new ones get the
//! new certificate, however its files are replaced.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use janua_tests::{Gateway, Issue, Issued, Settings, TlsClient, Wire, assert_eventually};

use crate::tls::{LISTENER, Stage, get, site};

const HOST: &str = "a.shop.example";

/// A gateway that watches its files.
async fn watching(stage: Stage, name: &str) -> Gateway {
    let config = format!("{LISTENER}{}", site(name, &[HOST], ""));
    let gateway = stage.start_with(Settings::new().watch(), config).await;
    gateway.says("watching files for changes").await;
    gateway
}

async fn served(gateway: &Gateway, client: &TlsClient) -> Vec<u8> {
    let wire = gateway.connect_tls(&client.anew(), HOST).await;
    wire.handshake().certificate.clone().unwrap()
}

/// The connection is the one that began with this certificate, and still serves.
async fn lives_on(wire: &mut Wire, issued: &Issued) {
    assert_eq!(get(wire, HOST).await.status, 200);
    let certificate = wire.handshake().certificate.as_deref();
    assert_eq!(certificate, Some(issued.der()));
}

/// Replaces a file as certbot and editors do.
fn rename(directory: &Path, name: &str, content: String) {
    fs::write(directory.join("new"), content).unwrap();
    fs::rename(directory.join("new"), directory.join(name)).unwrap();
}

#[tokio::test]
async fn files_that_are_renamed_over_the_old_ones() {
    let stage = Stage::new();
    let mut old = stage.issue("a", &Issue::new(&[HOST]));
    let renewals = [(); 2].map(|()| stage.authority.sign(&Issue::new(&[HOST])));
    let client = stage.client();
    let gateway = watching(stage, "a").await;
    let mut open: Vec<(Wire, Issued)> = Vec::new();
    for renewed in renewals {
        let wire = gateway.connect_tls(&client.anew(), HOST).await;
        open.push((wire, old));
        rename(gateway.directory(), "a.crt", renewed.pem());
        rename(gateway.directory(), "a.key", renewed.key_pem());
        assert_eventually!(served(&gateway, &client).await == renewed.der());
        for (wire, issued) in &mut open {
            lives_on(wire, issued).await;
        }
        old = renewed;
    }
}

/// As Kubernetes mounts a secret: the files are links through `..data`, a link to a directory
/// that is replaced by a rename.
#[tokio::test]
async fn a_mounted_secret_that_is_swapped() {
    let stage = Stage::new();
    let mount = stage.directory.path().join("mount");
    fs::create_dir(&mount).unwrap();
    let versions = ["..1", "..2", "..3"].map(|version| {
        let issued = stage.authority.sign(&Issue::new(&[HOST]));
        fs::create_dir(mount.join(version)).unwrap();
        issued.write(&mount.join(version), "tls");
        (version, issued)
    });
    let swap = |version: &str| {
        symlink(version, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    };
    swap("..1");
    for file in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{file}"), mount.join(file)).unwrap();
    }
    let client = stage.client();
    let gateway = watching(stage, "mount/tls").await;
    assert_eq!(served(&gateway, &client).await, versions[0].1.der());
    let mut wire = gateway.connect_tls(&client.anew(), HOST).await;
    for (version, issued) in &versions[1..] {
        swap(version);
        assert_eventually!(served(&gateway, &client).await == issued.der());
        lives_on(&mut wire, &versions[0].1).await;
    }
    assert_eq!(gateway.status().await["generation"], 3);
}
