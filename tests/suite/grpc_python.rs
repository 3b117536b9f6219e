//! gRPC between a client and a server that share nothing with the gateway: grpcio, the
//! implementation of Python, with the interoperability cases in `tests/grpc/client.py`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use janua_tests::{Gateway, Proxy, built};

use crate::upstream_http2::HTTP2;

/// Python with grpcio; none if it is not installed, unless `CI` requires all tests to run.
fn python() -> Option<PathBuf> {
    let python = built("tools/grpc/bin/python");
    if python.is_file() {
        return Some(python);
    }
    let must = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!must, "grpcio is not installed: `make grpc`");
    eprintln!("skipped: grpcio is not installed: `make grpc`");
    None
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("grpc")
        .join(name)
}

/// A server on a free port, which runs until it is dropped.
struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    fn start(python: &Path) -> Self {
        let mut process = Command::new(python)
            .arg(script("server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut port).unwrap();
        let endpoint = format!("127.0.0.1:{}", port.trim());
        Self { process, endpoint }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_cases_of_interoperability() {
    let Some(python) = python() else {
        return;
    };
    let server = Server::start(&python);
    let config = Proxy::to(&server.endpoint)
        .upstream(HTTP2)
        .listener("http2 = true");
    let gateway = Gateway::start_one_worker(config).await;
    let address = gateway.address().to_string();
    let client = move || {
        let mut client = Command::new(python);
        client.arg(script("client.py")).arg(address).output()
    };
    let ran = tokio::task::spawn_blocking(client).await.unwrap().unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(said.ends_with("done\n"), "{said}{errors}");
    assert_eq!(said.lines().count(), 16);
}
