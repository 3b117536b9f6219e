//! gRPC between a client and a server that share nothing with the gateway: grpcio, the
//! implementation of Python, with the interoperability cases in `tests/grpc/client.py`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use janua_tests::built;

use crate::grpc_tonic::client::HOST;
use crate::grpc_tonic::{in_front_of, passed_compressed, with_tls};
use crate::tls::Stage;

/// The cases of `client.py`.
const CASES: usize = 18;

/// Python with grpcio; none if it is not installed, unless `CI` requires all tests to run.
pub(crate) fn python() -> Option<PathBuf> {
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
pub(crate) struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    /// Starts without TLS.
    pub(crate) fn start(python: &Path) -> Self {
        Self::run(python, &[])
    }

    /// Starts with TLS: `NAME.crt` and `NAME.key` in a directory.
    pub(crate) fn start_tls(python: &Path, directory: &Path, name: &str) -> Self {
        let path = |extension| directory.join(name).with_extension(extension);
        Self::run(python, &[path("crt"), path("key")])
    }

    fn run(python: &Path, arguments: &[PathBuf]) -> Self {
        let mut process = Command::new(python)
            .arg(script("server.py"))
            .args(arguments)
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

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the client with these arguments; all its cases pass.
pub(crate) async fn run_client(python: PathBuf, arguments: Vec<String>) {
    let client = move || {
        let mut client = Command::new(python);
        client.arg(script("client.py")).args(arguments).output()
    };
    let ran = tokio::task::spawn_blocking(client).await.unwrap().unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(said.ends_with("done\n"), "{said}{errors}");
    assert_eq!(said.lines().count(), CASES + 1);
}

#[tokio::test]
async fn the_cases_of_interoperability() {
    let Some(python) = python() else {
        return;
    };
    let server = Server::start(&python);
    let gateway = in_front_of(server.endpoint()).await;
    run_client(python, vec![gateway.address().to_string()]).await;
    passed_compressed(&gateway).await;
}

#[tokio::test]
async fn the_same_over_tls() {
    let Some(python) = python() else {
        return;
    };
    let stage = Stage::new()
        .with("site", &[HOST])
        .with("app", &["app.internal"]);
    let directory = stage.directory.path();
    let authority = directory.join("ca.pem").display().to_string();
    let server = Server::start_tls(&python, directory, "app");
    let gateway = with_tls(stage, server.endpoint()).await;
    let address = gateway.address().to_string();
    run_client(python, vec![address, authority, HOST.to_owned()]).await;
    passed_compressed(&gateway).await;
}
