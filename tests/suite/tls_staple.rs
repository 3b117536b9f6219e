//! A response of an OCSP responder that is stapled to handshakes: clients get the bytes of the
//! file. It is made by the command `openssl`.

use std::path::Path;
use std::process::Command;

use janua_tests::{Settings, TlsClient};

use crate::tls::LISTENER;

const HOST: &str = "a.example";

fn openssl(directory: &Path, arguments: &str) {
    let ran = Command::new("openssl")
        .current_dir(directory)
        .args(arguments.split_ascii_whitespace())
        .output()
        .expect("openssl can be run");
    assert!(ran.status.success(), "{arguments}: {ran:?}");
}

/// An authority, a certificate for the host, and a file that says that it is good.
fn prepare(directory: &Path) {
    std::fs::write(directory.join("san"), format!("subjectAltName=DNS:{HOST}")).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        directory,
        &format!("req -x509 {key} -subj /CN=Root -keyout ca.key -out ca.crt -days 9"),
    );
    openssl(
        directory,
        &format!("req {key} -subj /CN={HOST} -keyout a.key -out a.csr"),
    );
    openssl(
        directory,
        "x509 -req -in a.csr -CA ca.crt -CAkey ca.key -set_serial 0x1000 -days 9 -extfile san \
         -out a.crt",
    );
    let index = format!("V\t400101000000Z\t\t1000\tunknown\t/CN={HOST}\n");
    std::fs::write(directory.join("index"), index).unwrap();
}

/// A response that is valid for so many days, in `a.ocsp`.
fn respond(directory: &Path, days: u32) -> Vec<u8> {
    openssl(
        directory,
        &format!(
            "ocsp -index index -CA ca.crt -rsigner ca.crt -rkey ca.key -issuer ca.crt -cert a.crt \
             -ndays {days} -respout a.ocsp"
        ),
    );
    std::fs::read(directory.join("a.ocsp")).unwrap()
}

#[tokio::test]
async fn clients_get_the_bytes_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let first = respond(folder.path(), 2);
    let config = |ocsp: &str| {
        format!(
            "{LISTENER}
[[sites]]
hosts = [\"{HOST}\"]
certificate = {{ cert = \"a.crt\", key = \"a.key\"{ocsp} }}
routes = [{{ respond = {{ body = \"x\" }} }}]
"
        )
    };
    let with = config(", ocsp = \"a.ocsp\"");
    let mut gateway = Settings::new().start_in(folder, &with).await;
    let client = TlsClient::trusting_everybody();
    let stapled = async |address, version| {
        let client = client.anew().version(version);
        client.connect(address, HOST).await.unwrap();
        client.staple()
    };
    for version in ["1.2", "1.3"] {
        let served = stapled(gateway.address(), version).await;
        assert_eq!(served, first, "{version}");
    }
    // Another one, and none.
    let second = respond(gateway.directory(), 3);
    assert_ne!(first, second);
    gateway.reload(&with).await;
    for version in ["1.2", "1.3"] {
        let served = stapled(gateway.address(), version).await;
        assert_eq!(served, second, "{version}");
    }
    gateway.reload(config("")).await;
    assert_eq!(stapled(gateway.address(), "1.3").await, [0; 0]);
}
