//! Certificates made, and handshakes looked at, by the command `openssl`: an implementation of
//! TLS that the gateway shares nothing with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Makes a self-signed certificate, `<name>.crt`, and its key, `<name>.key`.
pub(crate) fn certificate(directory: &Path, name: &str, host: &str, days: u32) {
    let (key, cert) = (format!("{name}.key"), format!("{name}.crt"));
    let ran = Command::new("openssl")
        .current_dir(directory)
        .args(["req", "-x509", "-newkey", "ec", "-nodes"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-subj", &format!("/CN={host}")])
        .args(["-addext", &format!("subjectAltName=DNS:{host}")])
        .args(["-days", &days.to_string()])
        .args(["-keyout", &key, "-out", &cert])
        .output()
        .expect("openssl can be run");
    assert!(ran.status.success(), "{ran:?}");
}

/// The serial number of a certificate in a file.
pub(crate) fn serial(file: &Path) -> String {
    let pem = std::fs::read(file).unwrap();
    serial_of(&pem)
}

/// The serial number of the certificate that a new handshake gets.
pub(crate) async fn served(address: SocketAddr, host: &'static str) -> String {
    let handshake = move || {
        let ran = Command::new("openssl")
            .args(["s_client", "-connect", &address.to_string()])
            .args(["-servername", host])
            .stdin(Stdio::null())
            .output()
            .expect("openssl can be run");
        serial_of(&ran.stdout)
    };
    tokio::task::spawn_blocking(handshake).await.unwrap()
}

/// Whether a client that trusts the certificates of this file, and no others, accepts the one
/// that it gets for a host.
pub(crate) async fn is_trusted(address: SocketAddr, host: &'static str, ca: PathBuf) -> bool {
    let handshake = move || {
        let ran = Command::new("openssl")
            .args(["s_client", "-connect", &address.to_string()])
            .args(["-servername", host, "-verify_hostname", host])
            .args(["-verify_return_error", "-CAfile"])
            .arg(ca)
            .stdin(Stdio::null())
            .output()
            .expect("openssl can be run");
        ran.status.success()
    };
    tokio::task::spawn_blocking(handshake).await.unwrap()
}

fn serial_of(pem: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = Command::new("openssl")
        .args(["x509", "-noout", "-serial"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl can be run");
    child.stdin.take().unwrap().write_all(pem).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert!(
        ran.status.success(),
        "{ran:?} for {}",
        String::from_utf8_lossy(pem)
    );
    String::from_utf8(ran.stdout).unwrap()
}
